//! The passwords with which Redis lets the API in, and how one takes the place of another without a
//! request that is refused. Pure but for `keep`.
//!
//! Pods get copies, one key of one Secret for each password, named by a number that is never used for
//! another password: a node that still holds an older copy of the Secret cannot mount the key and tries
//! again, so a pod has the password that its template names, or does not start. What is in the Secret is
//! the whole state: it is written before what follows from it, so a crash after any call resumes.
//!
//! ```text
//!            another password is wanted            Redis knows both
//!   settled ───────────────────────────▶ telling ────────────────────▶ replacing
//!    {1} serving 1                        {1 2} serving 1               {1 2} serving 2
//!      ▲                                                                   │ no pod uses 1 any more
//!      └───────────────────────────── dropping ◀──────────────────────────┘
//!            Redis knows only 2        {2} serving 2
//! ```
//!
//! - *Redis knows* means that a Job told the very process that runs now; see [`Synced`].
//! - Users never change while a Job is at it: one that was held up would tell Redis of those of before,
//!   after the next has told it of those of now.
//! - A third password that is wanted while pods are being replaced waits until they are. Before that it
//!   takes the place of the second, which nobody was given.

mod facts;
pub mod keep;

use std::{collections::BTreeMap, fmt};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use serde::{Deserialize, Serialize};

use crate::names;

pub use facts::{Facts, everybody_uses};

/// For how long after it was told Redis may start again with users of before: a kubelet brings a changed
/// Secret to a running pod within about two minutes.
const SECONDS_UNTIL_A_FILE_HAS_ARRIVED: i64 = 300;

/// Key of the state beside the passwords.
const STATE_KEY: &str = "state";

/// A password. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for those who store or digest it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// The passwords of one Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passwords {
    /// Of the user that tells Redis of the others.
    pub admin: Password,
    /// Those with which the API is let in, by number, the newest last; one or two.
    pub known: BTreeMap<u32, Password>,
    /// The number of the one that pods are given.
    pub serving: u32,
    /// How often the passwords changed; a password has the number of the change that brought it.
    pub change: u32,
    /// Who knows them.
    pub synced: Option<Synced>,
}

/// That Redis has the users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// Which users, as a hash.
    pub users: String,
    /// Which process was told; absent when the first one started with them. One that starts later loads
    /// the file that the node has mounted, which may be of before.
    pub server: Option<String>,
    /// When, in seconds since 1970.
    pub at: i64,
}

#[derive(Serialize, Deserialize)]
struct State {
    known: Vec<u32>,
    serving: u32,
    change: u32,
    synced: Option<Synced>,
}

/// A step that was taken, as far as people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another password was taken in.
    Begun,
    /// Redis knows what it was told.
    Told,
    /// Pods are given the new password from now on.
    Handed,
    /// The old password goes.
    Dropped,
}

impl Passwords {
    /// The first password of a Redis, under a number.
    pub fn first(admin: Password, password: Password, number: u32) -> Self {
        Self {
            admin,
            known: [(number, password)].into(),
            serving: number,
            change: number,
            synced: None,
        }
    }

    /// Key of the Secret under which pods find the password of a number.
    pub fn key(number: u32) -> String {
        format!("password-{number}")
    }

    /// The Secret's data.
    ///
    /// # Errors
    /// When the state cannot be written as JSON.
    pub fn data(&self) -> serde_json::Result<BTreeMap<String, ByteString>> {
        let state = State {
            known: self.known.keys().copied().collect(),
            serving: self.serving,
            change: self.change,
            synced: self.synced.clone(),
        };
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let mut data: BTreeMap<_, _> = self
            .known
            .iter()
            .map(|(number, password)| (Self::key(*number), bytes(password.reveal())))
            .collect();
        data.insert(names::ADMIN_PASSWORD_KEY.to_owned(), bytes(self.admin.reveal()));
        data.insert(STATE_KEY.to_owned(), ByteString(serde_json::to_vec(&state)?));
        Ok(data)
    }

    /// What a Secret holds; none when somebody has spoiled it.
    pub fn read(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let text = |key: &str| {
            let text = String::from_utf8(data.get(key)?.0.clone()).ok()?;
            (!text.is_empty()).then_some(Password(text))
        };
        let state: State = serde_json::from_slice(&data.get(STATE_KEY)?.0).ok()?;
        // Keys that the state does not name are somebody else's.
        let known: BTreeMap<u32, Password> = state
            .known
            .iter()
            .map(|number| Some((*number, text(&Self::key(*number))?)))
            .collect::<Option<_>>()?;
        known.contains_key(&state.serving).then_some(())?;
        Some(Self {
            admin: text(names::ADMIN_PASSWORD_KEY)?,
            known,
            serving: state.serving,
            change: state.change,
            synced: state.synced,
        })
    }

    /// Whether the Redis that runs now has the users.
    pub fn are_synced(&self, facts: &Facts<'_>) -> bool {
        self.synced.as_ref().is_some_and(|synced| {
            let is_settled = facts.now - synced.at >= SECONDS_UNTIL_A_FILE_HAS_ARRIVED;
            synced.users == facts.users
                && (synced.server.is_none() || is_settled || synced.server == facts.server)
        })
    }

    /// The passwords after the next step, if one can be taken now.
    pub fn next(&self, facts: &Facts<'_>) -> Option<(Step, Self)> {
        if !self.are_synced(facts) && facts.told {
            let mut next = self.clone();
            next.synced = Some(Synced {
                users: facts.users.clone(),
                server: facts.server.clone(),
                at: facts.now,
            });
            return Some((Step::Told, next));
        }
        let (newest, latest) = self.known.last_key_value()?;
        let serving = self.known.get(&self.serving)?;
        if *newest != self.serving {
            if latest == facts.wanted {
                let mut next = self.clone();
                next.serving = *newest;
                return self.are_synced(facts).then_some((Step::Handed, next));
            }
            if facts.telling {
                return None;
            }
            // Nobody was given the newest.
            let mut next = self.changed();
            next.known.remove(newest);
            if serving == facts.wanted {
                return Some((Step::Dropped, next));
            }
            next.take_in(facts.wanted);
            return Some((Step::Begun, next));
        }
        if self.known.len() > 1 {
            let mut next = self.changed();
            next.known.retain(|number, _| *number == self.serving);
            let is_done = self.are_synced(facts) && facts.everybody_uses_serving && !facts.telling;
            return is_done.then_some((Step::Dropped, next));
        }
        (serving != facts.wanted && !facts.telling).then(|| {
            let mut next = self.changed();
            next.take_in(facts.wanted);
            (Step::Begun, next)
        })
    }

    /// What a person who waits wants to know; none when nothing is under way.
    pub fn under_way(&self, facts: &Facts<'_>) -> Option<&'static str> {
        let newest = self.known.last_key_value().map(|(number, _)| *number);
        if newest != Some(self.serving) {
            Some(
                "Redis is being told of the new password; until it knows it, the API goes on with the old one.",
            )
        } else if self.known.len() > 1 {
            Some(
                "API pods are being replaced by ones with the new Redis password; until none is left, both are valid.",
            )
        } else if !self.are_synced(facts) {
            Some("Redis is being told which passwords are valid.")
        } else {
            None
        }
    }

    fn changed(&self) -> Self {
        Self {
            change: self.change.saturating_add(1),
            synced: None,
            ..self.clone()
        }
    }

    fn take_in(&mut self, password: &Password) {
        self.known.insert(self.change, password.clone());
    }
}

#[cfg(test)]
mod tests;
