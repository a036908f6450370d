//! What buyers did: feedback on cars, and visits to them. A port of domain values, beside that of the stock.
//!
//! ```text
//!   request ──NewEvent──▶ record ──▶ day ──┬─▶ events_of (a person)     erase: a person's, for ever
//!                                          ├─▶ export    (everything)   forget_before: everybody's, by age
//!                                          └─▶ totals    (counts)
//! ```
//!
//! A person is an id that an app made up: of a user or of a session. An income is never part of an event. Days
//! are those of UTC, by the clock of the store.

use std::{collections::BTreeMap, time::Duration};

use faciliauto_engine::stock::Centavos;
use futures::future::BoxFuture;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use self::names::digest;
pub use self::{
    names::{Cursor, NoSuchName, OnceKey},
    person_keys::PersonKeys,
};
use super::StateError;

mod names;
mod person_keys;

/// Events that one call of [`Events::record`] takes: a server serves nobody else meanwhile, for tens of milliseconds.
pub const MOST_AT_ONCE: usize = 500;

/// How long before it is recorded an event may have happened; an older one counts as this old.
pub const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// How often one of all that share a store keeps house.
pub const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(3600);

/// What a buyer says about a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedbackAction {
    /// Likes it.
    Liked,
    /// Does not.
    Disliked,
    /// Wrote to the seller.
    ClickedWhatsapp,
    /// Looked closer.
    ViewedDetails,
    /// Held it beside others.
    Compared,
}

impl FeedbackAction {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Liked,
        Self::Disliked,
        Self::ClickedWhatsapp,
        Self::ViewedDetails,
        Self::Compared,
    ];

    /// Its word, which no [`InteractionKind`] has.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Liked => "liked",
            Self::Disliked => "disliked",
            Self::ClickedWhatsapp => "clicked_whatsapp",
            Self::ViewedDetails => "viewed_details",
            Self::Compared => "compared",
        }
    }

    /// The action of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

/// What a visitor did with a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InteractionKind {
    /// Picked it from the list.
    Click,
    /// Looked closer.
    ViewDetails,
    /// Wrote to the seller.
    WhatsappContact,
}

impl InteractionKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Click, Self::ViewDetails, Self::WhatsappContact];

    /// Its word, which no [`FeedbackAction`] has.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::ViewDetails => "view_details",
            Self::WhatsappContact => "whatsapp_contact",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Somebody said what they think of a car.
    Feedback {
        /// What.
        action: FeedbackAction,
        /// In stars, 1 to 5.
        rating: Option<u8>,
        /// In words of their own.
        comment: Option<String>,
    },
    /// Somebody looked at a car.
    Interaction {
        /// How.
        kind: InteractionKind,
        /// For how long.
        duration_seconds: Option<u32>,
    },
}

impl Deed {
    /// The word of its action or kind.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Feedback { action, .. } => action.word(),
            Self::Interaction { kind, .. } => kind.word(),
        }
    }

    /// The words of all actions and kinds.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let kinds = InteractionKind::ALL.into_iter().map(InteractionKind::word);
        FeedbackAction::ALL
            .into_iter()
            .map(FeedbackAction::word)
            .chain(kinds)
    }

    /// How long it took, when that is known.
    #[must_use]
    pub const fn duration_seconds(&self) -> Option<u32> {
        match self {
            Self::Feedback { .. } => None,
            Self::Interaction { duration_seconds, .. } => *duration_seconds,
        }
    }
}

/// The car when it happened, and how it was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its brand.
    pub brand: Option<String>,
    /// The word of its category.
    pub category: Option<String>,
    /// Its price.
    pub price: Option<Centavos>,
    /// Its model year.
    pub year: Option<u16>,
    /// Its place in the list that was shown, from 1.
    pub position: Option<u16>,
    /// Its match, in tenths of a percent: 0 to 1000.
    pub match_tenths: Option<u16>,
}

/// An event that is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The request that it comes from: recorded once, however often it is sent.
    pub once: OnceKey,
    /// How long ago it happened, [`OLDEST`] at most. Zero unless it had to wait for the store: then it leaves to the next
    /// what there is to say of the first event of an id, since its sender is not there any more. Up to 50 leave it so.
    pub age: Duration,
    /// Who.
    pub user: Option<String>,
    /// In which visit.
    pub session: Option<String>,
    /// With which car.
    pub car: String,
    /// Whose car.
    pub dealership: Option<String>,
    /// What.
    pub deed: Deed,
    /// What the car was like.
    pub facts: Facts,
}

impl NewEvent {
    /// A digest of what its sender said. Two events under one [`OnceKey`] are one sent again when this is equal,
    /// and a mistake when it is not. When it was, and what the catalogue adds (whose car it is, its brand,
    /// category, price and year) do not count: a price may change between a request and its repetition.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        let Self {
            once: _,
            age: _,
            user,
            session,
            car,
            dealership: _,
            deed,
            facts,
        } = self;
        let Facts {
            position,
            match_tenths,
            brand: _,
            category: _,
            price: _,
            year: _,
        } = facts;
        let number = |number: &Option<u16>| number.map(|number| number.to_string());
        let (number_of_deed, comment) = match deed {
            Deed::Feedback {
                action: _,
                rating,
                comment,
            } => (rating.map(u32::from), comment.clone()),
            Deed::Interaction {
                kind: _,
                duration_seconds,
            } => (*duration_seconds, None),
        };
        let parts = [
            user.clone(),
            session.clone(),
            Some(car.clone()),
            Some(deed.word().to_owned()),
            number_of_deed.map(|number| number.to_string()),
            comment,
            number(position),
            number(match_tenths),
        ];
        digest(parts.iter().map(|part| part.as_deref().map(str::as_bytes)))
    }

    /// As it is kept when it happened at `at`.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Event {
        let Self {
            once,
            age: _,
            user,
            session,
            car,
            dealership,
            deed,
            facts,
        } = self.clone();
        Event {
            id: once,
            at,
            user,
            session,
            car,
            dealership,
            deed,
            facts,
        }
    }
}

/// The event as its sender could have sent it.
impl From<Event> for NewEvent {
    fn from(event: Event) -> Self {
        let Event {
            id,
            at: _,
            user,
            session,
            car,
            dealership,
            deed,
            facts,
        } = event;
        Self {
            once: id,
            age: Duration::ZERO,
            user,
            session,
            car,
            dealership,
            deed,
            facts,
        }
    }
}

/// What became of an event that was to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is kept.
    Stored(Receipt),
    /// It was kept already, on the day that it happened or the day before or after; nothing has changed.
    Repeated(Receipt),
    /// Under its [`OnceKey`] something else is kept; nothing has changed.
    Differs,
}

/// What there is to say of an event that is kept. The same for whoever sends it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When it happened, by the clock of the store.
    pub at: Timestamp,
    /// Nothing was kept under the id of its user before, in either role, but what had to wait for the store.
    pub first_of_user: bool,
    /// Nothing was kept under the id of its session before, in either role, but what had to wait for the store.
    pub first_of_session: bool,
}

/// Something that a buyer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The request that it comes from. Unique within a day and its neighbours.
    pub id: OnceKey,
    /// When, by the clock of the store, to the millisecond.
    pub at: Timestamp,
    /// Who.
    pub user: Option<String>,
    /// In which visit.
    pub session: Option<String>,
    /// With which car.
    pub car: String,
    /// Whose car.
    pub dealership: Option<String>,
    /// What.
    pub deed: Deed,
    /// What the car was like.
    pub facts: Facts,
}

impl Event {
    /// Where it stands among all.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            at: self.at,
            id: self.id,
        }
    }

    /// The day under which it is kept.
    #[must_use]
    pub fn day(&self) -> Date {
        day_of(self.at)
    }
}

/// Counts of what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// By the words of [`Deed::words`], of which each is there.
    pub deeds: BTreeMap<&'static str, u64>,
    /// Different users.
    pub users: u64,
    /// Different sessions.
    pub sessions: u64,
    /// Different cars.
    pub cars: u64,
    /// Events with a duration.
    pub durations: u64,
    /// Their sum.
    pub duration_seconds: u64,
    /// When the newest happened.
    pub last_at: Option<Timestamp>,
}

impl EventTotals {
    /// Of nothing.
    #[must_use]
    pub fn none() -> Self {
        Self {
            deeds: Deed::words().map(|word| (word, 0)).collect(),
            ..Self::default()
        }
    }

    /// How many events there are.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.deeds.values().sum()
    }
}

/// What an erasure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Events that are gone.
    pub events: usize,
    /// When, by the clock of the store: as the ledger has it.
    pub at: Timestamp,
}

/// The part of the port that concerns what buyers did. All answer [`StateError::NotOpen`] for a store without a
/// generation, and what writes answers [`StateError::Fenced`] while a restore holds writes back.
pub trait Events {
    /// Records events, [`MOST_AT_ONCE`] at most: all of them, or none and an error. One answer for each, in order.
    fn record<'a>(&'a self, events: &'a [NewEvent]) -> BoxFuture<'a, Result<Vec<Recorded>, StateError>>;

    /// All events of an id, be it of a user or of a session; oldest first.
    fn events_of<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Event>, StateError>>;

    /// Events, newest first, `limit` at most; from the newest of all, or from a place on. Fewer than asked for
    /// means that there are no more.
    fn export(&self, limit: usize, before: Option<Cursor>) -> BoxFuture<'_, Result<Vec<Event>, StateError>>;

    /// Counts of what is kept, exactly, and as fast with many events as with few.
    fn totals(&self) -> BoxFuture<'_, Result<EventTotals, StateError>>;

    /// Erases every event of these ids, in either role, and notes the erasure in the ledger, so that a restore of
    /// an older backup erases it again. Works on a full store, and may be done again: the time in the ledger
    /// moves on. After an error some of it may be done: do it again.
    fn erase<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<Erased, StateError>>;

    /// What proves to a person that an id is theirs.
    fn person_keys(&self) -> BoxFuture<'_, Result<PersonKeys, StateError>>;

    /// What a restore must not bring back, and since when: `erased:<`[`PersonKeys::ledger_name`]`>`, and
    /// `token:<digest>` of tokens that were revoked or replaced.
    fn ledger(&self) -> BoxFuture<'_, Result<BTreeMap<String, Timestamp>, StateError>>;

    /// The day by the clock of the store, in UTC.
    fn today(&self) -> BoxFuture<'_, Result<Date, StateError>>;

    /// Deletes the events of all days before this one; gives how many they were.
    fn forget_before(&self, day: Date) -> BoxFuture<'_, Result<usize, StateError>>;

    /// Whether it is for the caller to keep house now: one of all that share the store is told so, once an hour.
    fn take_housekeeping_turn(&self) -> BoxFuture<'_, Result<bool, StateError>>;
}

/// The name of an erased person in the ledger.
pub(crate) fn erased_entry(keys: &PersonKeys, id: &str) -> String {
    format!("erased:{}", keys.ledger_name(id))
}

/// The day of an instant in UTC.
pub(super) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// What the port says to too many at once: a mistake in the program.
pub(super) fn check_length(events: &[NewEvent]) -> Result<(), StateError> {
    if events.len() > MOST_AT_ONCE {
        return Err(StateError::Refused(format!(
            "{} events at once, {MOST_AT_ONCE} are allowed",
            events.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents two kinds of deed from being counted as one, and a word from not being understood again.
    #[test]
    fn words_tell_deeds_apart() {
        let mut words: Vec<_> = Deed::words().collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(
            words.len(),
            FeedbackAction::ALL.len() + InteractionKind::ALL.len()
        );
        for action in FeedbackAction::ALL {
            assert_eq!(FeedbackAction::from_word(action.word()), Some(action));
            assert_eq!(InteractionKind::from_word(action.word()), None);
        }
        for kind in InteractionKind::ALL {
            assert_eq!(InteractionKind::from_word(kind.word()), Some(kind));
        }
    }

    /// Prevents a repeated request from being refused because its car was sold for less meanwhile, and another
    /// request from being taken for a repetition.
    #[test]
    fn the_fingerprint_is_of_what_the_sender_said() {
        let event = NewEvent {
            once: OnceKey([1; 16]),
            age: Duration::ZERO,
            user: Some("u".to_owned()),
            session: None,
            car: "c".to_owned(),
            dealership: None,
            deed: Deed::Feedback {
                action: FeedbackAction::Liked,
                rating: Some(4),
                comment: None,
            },
            facts: Facts::default(),
        };
        let changed = |change: &dyn Fn(&mut NewEvent)| {
            let mut changed = event.clone();
            change(&mut changed);
            changed.fingerprint()
        };
        let same = event.fingerprint();
        assert_eq!(changed(&|event| event.age = OLDEST), same);
        assert_eq!(changed(&|event| event.dealership = Some("d".to_owned())), same);
        assert_eq!(changed(&|event| event.facts.price = Some(Centavos(1))), same);
        let others: [&dyn Fn(&mut NewEvent); 8] = [
            &|event| event.user = Some("v".to_owned()),
            &|event| event.session = Some("u".to_owned()),
            &|event| (event.user, event.session) = (None, Some("u".to_owned())),
            &|event| event.car = "d".to_owned(),
            &|event| event.facts.position = Some(1),
            &|event| event.facts.match_tenths = Some(1),
            &|event| {
                event.deed = Deed::Feedback {
                    action: FeedbackAction::Liked,
                    rating: Some(4),
                    comment: Some(String::new()),
                }
            },
            &|event| {
                event.deed = Deed::Interaction {
                    kind: InteractionKind::Click,
                    duration_seconds: Some(4),
                }
            },
        ];
        let mut seen = vec![same];
        for other in others {
            let fingerprint = changed(other);
            assert!(!seen.contains(&fingerprint));
            seen.push(fingerprint);
        }
    }
}
