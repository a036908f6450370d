//! The method as it is written down, one car after the other, with nothing to make it fast: what the scan is
//! checked against, and the ways into the scan that the checks need. Compiled for tests and benchmarks alone.

mod formula;

use crate::{
    catalogue::Catalogue,
    filters::Filters,
    questionnaire::Questionnaire,
    ranking::{Scoring, TopKeys, ordinal_of, rank_key, score_of},
    recommendation::FilterCount,
    scan::{self, InstructionSet},
    tables::{BUNDLED_FILES, TableError, Tables},
};

pub use formula::{Formula, Row, formula, rows};

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Cars on offer.
    pub available: usize,
    /// Cars on offer that pass every filter.
    pub matching: usize,
    /// What each filter took away.
    pub filters: Vec<FilterCount>,
    /// Places in the catalogue with their scores, the best first.
    pub best: Vec<(usize, u32)>,
}

fn listed(best: impl Iterator<Item = u128>) -> Vec<(usize, u32)> {
    best.map(|key| (ordinal_of(key), score_of(key))).collect()
}

/// Searches by the definitions: filters one by one, the score as a sum, the order by its key.
#[must_use]
pub fn search(catalogue: &Catalogue, questionnaire: &Questionnaire, limit: usize) -> Found {
    let scoring = Scoring::of(questionnaire, catalogue);
    let filters = Filters::of(questionnaire, catalogue, &scoring.proximity);
    let mut top = TopKeys::new(limit);
    let (mut matching, mut available) = (0, 0);
    let set = filters.set().len();
    let (mut removed, mut removed_only, mut unknown) = (vec![0; set], vec![0; set], vec![0; set]);
    for (ordinal, car) in catalogue.cars().enumerate().filter(|(_, car)| car.available) {
        available += 1;
        let failures = filters.failures(car);
        if failures.none() {
            matching += 1;
            top.offer(rank_key(scoring.score(car), car, ordinal));
        }
        for index in 0..set {
            removed[index] += usize::from(failures.failed(index));
            removed_only[index] += usize::from(failures.failed_only(index));
            unknown[index] += usize::from(failures.unknown(index));
        }
    }
    Found {
        available,
        matching,
        filters: filters.counts(&removed, &removed_only, &unknown),
        best: listed(top.into_descending()),
    }
}

/// The scan with its counts, as recommendations use it, on one instruction set.
#[must_use]
pub fn scan(
    catalogue: &Catalogue,
    questionnaire: &Questionnaire,
    limit: usize,
    instruction_set: InstructionSet,
) -> Found {
    let scoring = Scoring::of(questionnaire, catalogue);
    let filters = Filters::of(questionnaire, catalogue, &scoring.proximity);
    let found = scan::search(catalogue, &filters, &scoring, limit, instruction_set);
    Found {
        available: found.available,
        matching: found.matching,
        filters: found.filters,
        best: listed(found.best),
    }
}

/// The scan without counts: places in the catalogue and scores, the best first.
#[must_use]
pub fn rank(
    catalogue: &Catalogue,
    questionnaire: &Questionnaire,
    limit: usize,
    instruction_set: InstructionSet,
) -> Vec<(usize, u32)> {
    let scoring = Scoring::of(questionnaire, catalogue);
    let filters = Filters::of(questionnaire, catalogue, &scoring.proximity);
    let best = scan::rank(catalogue, &filters, &scoring, limit, instruction_set);
    listed(best.into_descending())
}

/// Checks that the scan finds what the definitions say, to the place and the tie, on every instruction set of this
/// processor: with counts and without.
///
/// # Panics
/// When it does not.
pub fn assert_scan_agrees(catalogue: &Catalogue, questionnaire: &Questionnaire, limit: usize) {
    let expected = search(catalogue, questionnaire, limit);
    for set in InstructionSet::available() {
        assert_eq!(
            scan(catalogue, questionnaire, limit, set),
            expected,
            "{}",
            set.word()
        );
        assert_eq!(
            rank(catalogue, questionnaire, limit, set),
            expected.best,
            "{}",
            set.word()
        );
    }
}

/// Reads the bytes that the scan of a questionnaire reads of every car, and does nothing but sum them: the physical
/// limit that [`rank`] is measured against.
#[must_use]
pub fn read_hot_bytes(
    catalogue: &Catalogue,
    questionnaire: &Questionnaire,
    instruction_set: InstructionSet,
) -> u64 {
    let scoring = Scoring::of(questionnaire, catalogue);
    let filters = Filters::of(questionnaire, catalogue, &scoring.proximity);
    scan::read_hot_bytes(catalogue, &filters, &scoring, instruction_set)
}

/// Name and text of each data file as it was compiled in.
pub const DATA_FILES: [(&str, &str); 8] = BUNDLED_FILES;

/// The tables with another text in the place of one data file.
///
/// # Errors
/// What is wrong with the text: file, row and field.
pub fn tables_with(file: &str, text: &str) -> Result<Tables, TableError> {
    Tables::bundled_but(file, text)
}
