//! Two states of one store that differ in every family, and what tells one from the other and from anything between.

use std::{path::Path, sync::Arc, time::Duration};

use faciliauto_service::{
    backup::{
        archive::read_manifest,
        error::BackupError,
        format::{
            families::Family,
            manifest::{Kind, Manifest},
        },
        progress::Progress,
        target::{Target, directory::DirectoryTarget},
        write::{self, Surroundings, Wish},
    },
    cli::import::{Incoming, import},
    clock::Clock,
    state::{
        State,
        dealers::TokenDigest,
        events::{Deed, FeedbackAction, InteractionKind, NewEvent, OnceKey},
    },
    stock::StockFile,
};
use serde_json::{Value, json};

use super::server::PREFIX;

/// Dealerships that both states have.
pub(crate) const DEALERS: usize = 10;
const CARS_OF_EACH: usize = 200;
/// Events that a state adds.
pub(crate) const EVENTS: usize = 3_000;
/// Events that are recorded at once.
const AT_ONCE: usize = 100;

/// One of the two: every id of a car begins with its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    A,
    B,
}

impl Letter {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// A car that only this state has.
    pub(crate) fn car(self) -> String {
        format!("{}-loja-0-0", self.text())
    }

    /// Whose cars these are; `None` for a mixture, or for none.
    pub(crate) fn of_cars<'a>(cars: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut letters = cars.map(|id| match id.split_once('-') {
            Some(("a", _)) => Some(Self::A),
            Some(("b", _)) => Some(Self::B),
            _ => None,
        });
        let first = letters.next()??;
        letters.all(|letter| letter == Some(first)).then_some(first)
    }
}

/// Records and digest of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    family: &'static str,
    records: u64,
    sha256: String,
}

/// What a store holds, family by family; what was declared aside, which is in no store.
pub(crate) type Digests = Vec<Digest>;

/// Makes a store hold one of the states, whatever it held: all cars are others, and people did more.
pub(crate) async fn furnish(state: &dyn State, letter: Letter) {
    let clock = Clock::system();
    let text = stock(letter).to_string();
    let file = StockFile::read(text.as_bytes(), None, clock.today()).expect("a stock");
    let incoming = Incoming {
        file: Some(file),
        ..Incoming::default()
    };
    import(state, incoming, &clock, &|_| {})
        .await
        .expect("the stock goes in");
    for dealer in 0..DEALERS {
        let token = TokenDigest::of(&format!("{} {dealer}", letter.text()));
        let set = state
            .set_dealer_token(&dealer_id(dealer), Some(token), None)
            .await;
        set.expect("a store").confirmed().await.expect("a token");
    }
    let events: Vec<NewEvent> = (0..EVENTS).map(|number| event(letter, number)).collect();
    for events in events.chunks(AT_ONCE) {
        state.record(events).await.expect("events are recorded");
    }
    let erased = format!("{}-erased", letter.text());
    state.erase(&[erased]).await.expect("somebody is erased");
}

fn dealer_id(dealer: usize) -> String {
    format!("loja-{dealer}")
}

fn stock(letter: Letter) -> Value {
    let dealers = (0..DEALERS).map(|dealer| {
        json!({
            "id": dealer_id(dealer), "name": format!("Loja {dealer} {}", letter.text()), "city": "Recife",
            "state": "PE", "whatsapp": "(81) 98765-4321",
        })
    });
    let cars = (0..DEALERS * CARS_OF_EACH).map(|number| {
        let (dealer, car) = (number % DEALERS, number / DEALERS);
        let (model, category) = [("Argo", "Hatch"), ("Cronos", "Sedan"), ("Pulse", "SUV")][car % 3];
        json!({
            "id": format!("{}-loja-{dealer}-{car}", letter.text()), "dealership_id": dealer_id(dealer),
            "marca": "Fiat", "modelo": model, "versao": "1.0 Drive", "ano": 2016 + car % 10,
            "preco": 45_000 + 37 * number, "quilometragem": 10_000 + 61 * number, "combustivel": "flex",
            "cambio": "manual", "categoria": category,
        })
    });
    json!({"dealerships": dealers.collect::<Vec<_>>(), "cars": cars.collect::<Vec<_>>()})
}

/// Every tenth is done by somebody who is erased afterwards.
fn event(letter: Letter, number: usize) -> NewEvent {
    let text = letter.text();
    let user = match number % 10 {
        0 => format!("{text}-erased"),
        _ => format!("{text}-{}", number % 700),
    };
    let deed = match number % 3 {
        0 => Deed::Interaction {
            kind: InteractionKind::ViewDetails,
            duration_seconds: Some(u32::try_from(number).expect("seconds")),
        },
        _ => Deed::Feedback {
            action: FeedbackAction::Liked,
            rating: None,
            comment: Some(format!("gostei, {number}")),
        },
    };
    NewEvent {
        once: OnceKey::of(&[text, &number.to_string()]),
        age: Duration::ZERO,
        user: Some(user),
        session: Some(format!("visit-{number}")),
        car: format!("{text}-loja-{}-{}", number % DEALERS, number % CARS_OF_EACH),
        dealership: Some(dealer_id(number % DEALERS)),
        deed,
        facts: Default::default(),
    }
}

/// What a store holds now.
///
/// # Errors
/// A store that cannot be read.
pub(crate) async fn digests_of(state: &dyn State) -> Result<Digests, BackupError> {
    let folder = tempfile::tempdir().expect("a folder");
    let target: Arc<dyn Target> = Arc::new(DirectoryTarget::new(folder.path().to_owned()));
    let wish = Wish {
        kind: Kind::Manual,
        verify: false,
        keep_days: None,
        seal: None,
        declared: None,
        key_prefix: PREFIX.to_owned(),
    };
    let around = Surroundings {
        clock: Clock::system(),
        progress: Arc::new(Progress::to_nobody()),
        stop: Default::default(),
    };
    let report = write::run(state, &target, &wish, &around).await?;
    Ok(listed(read_manifest(target.as_ref(), &report.backup).await?))
}

/// What a backup holds.
pub(crate) async fn digests_in(folder: &Path, name: &str) -> Digests {
    let target = DirectoryTarget::new(folder.to_owned());
    let name = name.parse().expect("a backup's name");
    listed(read_manifest(&target, &name).await.expect("a manifest"))
}

fn listed(manifest: Manifest) -> Digests {
    let facts = manifest.families.into_iter();
    facts
        .filter(|facts| facts.family != Family::Declared)
        .map(|facts| Digest {
            family: facts.family.word(),
            records: facts.records,
            sha256: facts.sha256,
        })
        .collect()
}

/// Families that a restore brings back as they are; from the others the ledgers take something away.
pub(crate) fn assert_is_of_backup(restored: &Digests, backup: &Digests) {
    let untouched = |digests: &Digests| -> Digests {
        let is_untouched = |digest: &&Digest| !["tokens", "ledger"].contains(&digest.family);
        digests.iter().filter(is_untouched).cloned().collect()
    };
    assert_eq!(untouched(restored), untouched(backup));
}
