//! What the fuzz targets check, on their seeds and on mutations of them: it needs no nightly toolchain, and keeps the
//! targets compiling.

use std::{fs, path::Path};

use proptest::{prelude::*, sample::Index};

#[path = "../../fuzz/src/lib.rs"]
#[allow(
    unreachable_pub,
    reason = "it is a library of its own where the fuzzer runs it"
)]
mod targets;

/// The seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("seeds")
        .map(|entry| entry.expect("a seed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// A seed with some bytes changed, a piece of another put in, and its end cut off or not.
fn mutated(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds(target);
    let parts = (any::<Index>(), any::<Index>(), any::<[Index; 4]>());
    let changes = (
        prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        any::<bool>(),
        any::<bool>(),
    );
    (parts, changes).prop_map(move |((one, other, places), (bytes, splices, cuts))| {
        let mut seed = one.get(&seeds).clone();
        let other = other.get(&seeds);
        if splices {
            let (from, to) = (places[0].index(other.len()), places[1].index(other.len()));
            let at = places[2].index(seed.len());
            seed.splice(at..at, other[from.min(to)..from.max(to)].iter().copied());
        }
        for (place, byte) in bytes {
            let place = place.index(seed.len());
            seed[place] = byte;
        }
        if cuts {
            seed.truncate(places[3].index(seed.len()));
        }
        seed
    })
}

/// Prevents a seed from being one that finds a fault which nobody looks at.
#[test]
fn every_seed_holds() {
    seeds("questionnaires")
        .iter()
        .for_each(|seed| targets::questionnaire(seed));
    seeds("uploads").iter().for_each(|seed| targets::upload(seed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Prevents a body from ending in a panic, or in an answer that is none.
    #[test]
    fn questionnaires_hold(body in mutated("questionnaires")) {
        targets::questionnaire(&body);
    }

    /// Prevents a stock from being read otherwise when it arrives in other pieces, or stored as other cars.
    #[test]
    fn uploads_hold(body in mutated("uploads")) {
        targets::upload(&body);
    }
}
