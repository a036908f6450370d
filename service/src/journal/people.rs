//! Which events are a person's: those of an id, and of the ids that belong to the same person.
//!
//! ```text
//!   user ──▶ its sessions          unless another user was seen in one: then it is nobody's
//!   session ──▶ its user           for an administrator, and only when it had one user
//! ```
//!
//! Whoever holds the key of a session must not come to the history of a user who was once in it, so from a session only
//! an administrator goes on.

use std::collections::BTreeSet;

use crate::state::{State, StateError, events::Event, generations::Ledgers};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Whoever proved that the id is theirs.
    Person,
    /// An administrator.
    Administrator,
}

/// What is held of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// The id that was asked for, and those that belong to it.
    pub(crate) ids: Vec<String>,
    /// Each once, oldest first.
    pub(crate) events: Vec<Event>,
}

impl Traces {
    /// Whether an id is among those of the person.
    fn has(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }

    fn add(&mut self, id: &str, events: impl IntoIterator<Item = Event>) {
        self.ids.push(id.to_owned());
        self.events.extend(events);
    }
}

/// Follows an id to everything of its person.
pub(crate) async fn gather(state: &dyn State, id: &str, asker: Asker) -> Result<Traces, StateError> {
    let own = state.events_of(id).await?;
    let users = other_users(&own, id);
    let mut traces = Traces::default();
    let sessions = sessions_of(&own, id);
    traces.add(
        id,
        own.into_iter()
            .filter(|event| asker == Asker::Administrator || !is_of_another(event, id)),
    );
    follow_sessions(state, &mut traces, id, sessions).await?;
    let only_user = users.iter().next().filter(|_| users.len() == 1);
    if let (Asker::Administrator, Some(user)) = (asker, only_user) {
        let events = state.events_of(user).await?;
        let sessions = sessions_of(&events, user);
        traces.add(user, events);
        follow_sessions(state, &mut traces, user, sessions).await?;
    }
    traces.events.sort_by_key(Event::cursor);
    traces.events.dedup_by_key(|event| event.cursor());
    Ok(traces)
}

/// Adds the sessions in which nobody but the user was seen.
async fn follow_sessions(
    state: &dyn State,
    traces: &mut Traces,
    user: &str,
    sessions: BTreeSet<String>,
) -> Result<(), StateError> {
    for session in sessions {
        if traces.has(&session) {
            continue;
        }
        let events = state.events_of(&session).await?;
        // The session's name may be somebody's own as well.
        let is_shared = events.iter().any(|event| is_of_another(event, user));
        if !is_shared {
            traces.add(&session, events);
        }
    }
    Ok(())
}

fn is_of_another(event: &Event, id: &str) -> bool {
    event.user.as_deref().is_some_and(|user| user != id)
}

/// In which sessions a user was seen.
fn sessions_of(events: &[Event], user: &str) -> BTreeSet<String> {
    let of_user = events.iter().filter(|event| event.user.as_deref() == Some(user));
    of_user
        .filter_map(|event| event.session.clone())
        .filter(|session| session != user)
        .collect()
}

/// Who else was seen in a session.
fn other_users(events: &[Event], session: &str) -> BTreeSet<String> {
    let users = events.iter().filter_map(|event| event.user.clone());
    users.filter(|user| user != session).collect()
}

/// Whether a ledger says that an id was erased: the store's own, or one of another store that a restore brought.
pub(crate) async fn was_erased(state: &dyn State, id: &str) -> Result<bool, StateError> {
    let generation = state.generation().await?.ok_or(StateError::NotOpen)?;
    let known = state.private(&generation).await?;
    Ok(Ledgers::of([known]).erased_at(id).is_some())
}
