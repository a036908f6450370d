//! Ledgers of several stores taken together: what none of them lets come back.
//!
//! An entry names a person by an HMAC of the id, with the secret of the store that made it. So an id is looked for under
//! every secret. An entry of another secret cannot be renamed without the id; it stays as it is, beside the secret.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{PersonSecret, Private};
use crate::state::{
    dealers::TokenDigest,
    events::{Event, PersonKeys, erased_entry},
};

/// What is not to come back.
#[derive(Clone, Debug, Default)]
pub struct Ledgers {
    secrets: BTreeSet<PersonSecret>,
    keys: Vec<PersonKeys>,
    entries: BTreeMap<String, Timestamp>,
}

impl Ledgers {
    /// Takes ledgers together: of two times for one entry the later stays.
    #[must_use]
    pub fn of(ledgers: impl IntoIterator<Item = Private>) -> Self {
        let mut united = Self::default();
        for ledger in ledgers {
            let Private {
                person_secret,
                former_secrets,
                ledger,
            } = ledger;
            united
                .secrets
                .extend(person_secret.into_iter().chain(former_secrets));
            for (entry, at) in ledger {
                let known = united.entries.entry(entry).or_insert(at);
                *known = at.max(*known);
            }
        }
        united.keys = united
            .secrets
            .iter()
            .map(|secret| PersonKeys::new(secret.reveal()))
            .collect();
        united
    }

    /// When an id was erased last.
    #[must_use]
    pub fn erased_at(&self, id: &str) -> Option<Timestamp> {
        let entries = self.keys.iter().map(|keys| erased_entry(keys, id));
        entries
            .filter_map(|entry| self.entries.get(&entry).copied())
            .max()
    }

    /// Whether somebody who did this was erased since, or in this very moment.
    #[must_use]
    pub fn has_erased(&self, event: &Event) -> bool {
        let mut people = event.user.iter().chain(&event.session);
        people.any(|id| self.erased_at(id).is_some_and(|erased| event.at <= erased))
    }

    /// Whether a token was revoked or replaced.
    #[must_use]
    pub fn has_revoked(&self, token: TokenDigest) -> bool {
        self.entries
            .contains_key(&format!("token:{}", token.to_hexadecimal()))
    }

    /// Whether anybody was erased: if not, no event need be looked at.
    #[must_use]
    pub fn has_people(&self) -> bool {
        // All of them lie behind the first that could.
        self.entries
            .range("erased:".to_owned()..)
            .next()
            .is_some_and(|(entry, _)| entry.starts_with("erased:"))
    }

    /// All of it.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, Timestamp> {
        &self.entries
    }

    /// The secrets that a store with this one has to keep beside it.
    pub fn secrets_beside(&self, own: Option<&PersonSecret>) -> impl Iterator<Item = &PersonSecret> {
        self.secrets.iter().filter(move |secret| Some(*secret) != own)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::state::events::{Deed, FeedbackAction, NewEvent, OnceKey};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn private(secret: &str, erased: &[(&str, i64)]) -> Private {
        let keys = PersonKeys::new(secret);
        let ledger = erased
            .iter()
            .map(|(id, second)| (erased_entry(&keys, id), at(*second)));
        Private {
            person_secret: Some(PersonSecret::new(secret.to_owned())),
            former_secrets: Vec::new(),
            ledger: ledger.collect(),
        }
    }

    fn event(user: Option<&str>, session: Option<&str>, second: i64) -> Event {
        let new = NewEvent {
            once: OnceKey([1; 16]),
            age: Duration::ZERO,
            user: user.map(str::to_owned),
            session: session.map(str::to_owned),
            car: "c".to_owned(),
            dealership: None,
            deed: Deed::Feedback {
                action: FeedbackAction::Liked,
                rating: None,
                comment: None,
            },
            facts: crate::state::events::Facts::default(),
        };
        new.at(at(second))
    }

    /// Prevents a restore from bringing back somebody whose erasure stands in the ledger of another store, and from
    /// taking what a person did after their erasure.
    #[test]
    fn an_id_is_looked_for_under_every_secret() {
        let ledgers = Ledgers::of([
            private("one", &[("maria", 10), ("ana", 30)]),
            private("two", &[("maria", 20)]),
        ]);
        assert_eq!(ledgers.erased_at("maria"), Some(at(20)), "the later of both");
        assert_eq!(ledgers.erased_at("ana"), Some(at(30)));
        assert_eq!(ledgers.erased_at("joão"), None);
        assert!(
            ledgers.has_erased(&event(Some("maria"), None, 20)),
            "in this moment"
        );
        assert!(!ledgers.has_erased(&event(Some("maria"), None, 21)));
        assert!(
            ledgers.has_erased(&event(Some("joão"), Some("ana"), 21)),
            "as a visit"
        );
        assert!(!ledgers.has_erased(&event(None, None, 1)));
        let own = PersonSecret::new("two".to_owned());
        let beside: Vec<_> = ledgers.secrets_beside(Some(&own)).cloned().collect();
        assert_eq!(beside, [PersonSecret::new("one".to_owned())]);
        let next = Private {
            former_secrets: beside,
            ..private("two", &[])
        };
        let next = Ledgers::of([Private {
            ledger: ledgers.entries().clone(),
            ..next
        }]);
        assert_eq!(
            next.erased_at("ana"),
            Some(at(30)),
            "also at the restore after the next"
        );
    }

    /// Prevents events from being read one by one where nobody was erased, or from not being read where somebody was.
    #[test]
    fn people_are_told_from_tokens() {
        let token = TokenDigest::of("t");
        let tokens = Private {
            ledger: BTreeMap::from([(format!("token:{}", token.to_hexadecimal()), at(1))]),
            ..Private::default()
        };
        assert!(!Ledgers::of([]).has_people());
        assert!(!Ledgers::of([tokens.clone()]).has_people());
        let both = Ledgers::of([tokens, private("one", &[("maria", 10)])]);
        assert!(both.has_people() && both.has_revoked(token));
        assert!(!both.has_revoked(TokenDigest::of("u")));
    }
}
