//! What buyers did, in Redis.
//!
//! An event lies in the hash of its day; a sorted set has the same ids by time. A person's index names the events
//! of an id in either role, and hashes count how many events use each user, session and car, so that unique ones
//! are counted by the length of a hash. Scripts keep all of that together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::{BoxFuture, FutureExt};
use jiff::{Timestamp, civil::Date};
use redis::{AsyncCommands, Script, ScriptInvocation};

use super::{
    RedisState,
    dealers::{Times, times},
    scripts::on_a_full_server,
};
use crate::{
    random,
    state::{
        StateError,
        events::{
            Cursor, Deed, Erased, Event, EventTotals, Events, HOUSEKEEPING_EVERY, NewEvent, PersonKeys,
            Receipt, Recorded, check_length, day_of, erased_entry,
        },
    },
};

pub(super) mod format;

const RECORD: &str = concat!(
    include_str!("../write_check.lua"),
    include_str!("../event_indexes.lua"),
    include_str!("../record.lua")
);
const ERASE: &str = on_a_full_server!(
    include_str!("../write_check.lua"),
    include_str!("../event_indexes.lua"),
    include_str!("../erase.lua")
);
const ERASE_KEPT: &str = on_a_full_server!(
    include_str!("../generations/kept_check.lua"),
    include_str!("../event_indexes.lua"),
    include_str!("../erase.lua")
);
const FORGET: &str = on_a_full_server!(
    include_str!("../write_check.lua"),
    include_str!("../event_indexes.lua"),
    include_str!("../forget.lua")
);
const PERSON_SECRET: &str = on_a_full_server!(include_str!("../person_secret.lua"));
const PAGE: &str = include_str!("../event_page.lua");
const TOTALS: &str = include_str!("../event_totals.lua");
const TAKE_TURN: &str = on_a_full_server!(
    "if redis.call('SET', KEYS[1], 'taken', 'NX', 'PX', ARGV[1]) then return 1 end return 0"
);

/// Events that one call removes: each takes about a dozen commands, and nobody is served meanwhile.
const REMOVED_AT_ONCE: usize = 1000;

/// Events that one call reads.
const READ_AT_ONCE: usize = 1000;

/// The scripts, whose digests are made once.
pub(super) struct Scripts {
    record: Script,
    erase: Script,
    erase_kept: Script,
    forget: Script,
    person_secret: Script,
    page: Script,
    totals: Script,
    take_turn: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            record: Script::new(RECORD),
            erase: Script::new(ERASE),
            erase_kept: Script::new(ERASE_KEPT),
            forget: Script::new(FORGET),
            person_secret: Script::new(PERSON_SECRET),
            page: Script::new(PAGE),
            totals: Script::new(TOTALS),
            take_turn: Script::new(TAKE_TURN),
        }
    }
}

/// A generation, with what hides the names of people in it.
pub(super) struct People {
    epoch: String,
    keys: PersonKeys,
}

impl RedisState {
    /// A script that writes events, with what all of them take first.
    fn event_write<'a>(&self, script: &'a Script, epoch: &str) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        invocation
            .key(self.keys.generation())
            .key(self.keys.fence())
            .arg(epoch)
            .arg(self.keys.root(epoch));
        invocation
    }

    /// What a script answers that may refuse, without the first word.
    async fn accepted(&self, invocation: &ScriptInvocation<'_>) -> Result<Vec<String>, StateError> {
        let mut connection = self.manager.clone();
        let mut answer: Vec<String> = self.bounded(invocation.invoke_async(&mut connection)).await?;
        if answer.is_empty() {
            return Err(not_understood("nothing"));
        }
        let detail = answer.split_off(1);
        let first = detail.first().cloned().unwrap_or_default();
        match answer[0].as_str() {
            "ok" => Ok(detail),
            "moved" if first.is_empty() => Err(StateError::NotOpen),
            "moved" => Err(StateError::Moved),
            "fenced" => Err(StateError::Fenced { holder: first }),
            other => Err(not_understood(other)),
        }
    }

    fn cached_people(&self, epoch: &str) -> Option<Arc<People>> {
        self.people.load_full().filter(|people| people.epoch == epoch)
    }

    fn cache_people(&self, epoch: String, secret: &str) -> Arc<People> {
        let people = Arc::new(People {
            epoch,
            keys: PersonKeys::new(secret),
        });
        self.people.store(Some(Arc::clone(&people)));
        people
    }

    /// Of the current generation; made when there is no secret yet.
    async fn people(&self) -> Result<Arc<People>, StateError> {
        let epoch = self.epoch().await?;
        if let Some(people) = self.cached_people(&epoch) {
            return Ok(people);
        }
        let mut invocation = self.events.person_secret.prepare_invoke();
        invocation
            .key(self.keys.generation())
            .key(self.keys.fence())
            .key(self.keys.person_secret(&epoch))
            .arg(&epoch)
            .arg(random::hexadecimal(32));
        let answer = self.accepted(&invocation).await?;
        let secret = answer.first().ok_or_else(|| not_understood("no secret"))?;
        Ok(self.cache_people(epoch, secret))
    }

    /// Of the current generation, unless nothing was ever recorded in it. Writes nothing.
    async fn known_people(&self) -> Result<Option<Arc<People>>, StateError> {
        let epoch = self.epoch().await?;
        if let Some(people) = self.cached_people(&epoch) {
            return Ok(Some(people));
        }
        let mut connection = self.manager.clone();
        let key = self.keys.person_secret(&epoch);
        let secret: Option<String> = self.bounded(connection.get(key)).await?;
        Ok(secret.map(|secret| self.cache_people(epoch, &secret)))
    }

    async fn record_events(&self, events: &[NewEvent]) -> Result<Vec<Recorded>, StateError> {
        check_length(events)?;
        // In one round trip while the generation stays: the script notices when it does not.
        if let Some(people) = self.people.load_full() {
            match self.record_in(&people, events).await {
                Err(StateError::Moved) => {}
                answer => return answer,
            }
        }
        let people = self.people().await?;
        self.record_in(&people, events).await
    }

    async fn record_in(&self, people: &People, events: &[NewEvent]) -> Result<Vec<Recorded>, StateError> {
        let mut invocation = self.event_write(&self.events.record, &people.epoch);
        invocation.arg(events.len());
        for event in events {
            let content = format::write(event, &people.keys)
                .map_err(|error| StateError::Refused(format!("failed to write an event: {error}")))?;
            invocation
                .arg(event.once.to_string())
                .arg(format::milliseconds_of(event.age))
                .arg(content);
        }
        let answers = self.accepted(&invocation).await?;
        if answers.len() != events.len() {
            return Err(not_understood("another number of events"));
        }
        answers
            .iter()
            .map(|answer| recorded(answer).ok_or_else(|| not_understood(answer)))
            .collect()
    }

    async fn read_events_of(&self, id: &str) -> Result<Vec<Event>, StateError> {
        let Some(people) = self.known_people().await? else {
            return Ok(Vec::new());
        };
        let root = self.keys.root(&people.epoch);
        let mut connection = self.manager.clone();
        let index = format!("{root}person:{}", people.keys.index_name(id));
        let places: BTreeSet<String> = self.bounded(connection.smembers(index)).await?;
        let mut by_day: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (day, id) in places.iter().filter_map(|place| place.split_once('/')) {
            by_day.entry(day).or_default().push(id);
        }
        let mut events = Vec::with_capacity(places.len());
        for (day, ids) in by_day {
            for ids in ids.chunks(READ_AT_ONCE) {
                let key = format!("{root}events:{day}");
                let texts: Vec<Option<String>> = self.bounded(connection.hmget(key, ids)).await?;
                // What is gone by now was erased between the two reads.
                let present = ids
                    .iter()
                    .zip(&texts)
                    .filter_map(|(id, text)| Some((id, text.as_ref()?)));
                events.extend(present.filter_map(|(id, text)| readable(id, text)));
            }
        }
        events.sort_unstable_by_key(Event::cursor);
        Ok(events)
    }

    pub(super) async fn read_page(
        &self,
        epoch: &str,
        limit: usize,
        before: Option<Cursor>,
    ) -> Result<Vec<Event>, StateError> {
        let root = self.keys.root(epoch);
        let mut connection = self.manager.clone();
        let days: BTreeSet<String> = self
            .bounded(connection.smembers(format!("{root}event-days")))
            .await?;
        let last_day = before.map(|before| day_of(before.at).to_string());
        let mut begin = before.map(|before| (before.at.as_millisecond().to_string(), before.id.to_string()));
        let mut events = Vec::new();
        for day in days.iter().rev() {
            if last_day.as_ref().is_some_and(|last| day > last) {
                continue;
            }
            if last_day.as_ref() != Some(day) {
                begin = None;
            }
            while events.len() < limit {
                let most = (limit - events.len()).min(READ_AT_ONCE);
                let (at, id) = begin.clone().unwrap_or_default();
                let mut invocation = self.events.page.prepare_invoke();
                invocation
                    .key(format!("{root}event-times:{day}"))
                    .key(format!("{root}events:{day}"))
                    .arg(at)
                    .arg(id)
                    .arg(most);
                let found: Vec<(String, String, String)> =
                    self.bounded(invocation.invoke_async(&mut connection)).await?;
                events.extend(found.iter().filter_map(|(id, _, text)| readable(id, text)));
                let is_last = found.len() < most;
                begin = found.into_iter().next_back().map(|(id, at, _)| (at, id));
                if is_last {
                    break;
                }
            }
        }
        Ok(events)
    }

    async fn read_totals(&self) -> Result<EventTotals, StateError> {
        let root = self.keys.root(&self.epoch().await?);
        let mut invocation = self.events.totals.prepare_invoke();
        for name in [
            "event-totals",
            "event-users",
            "event-sessions",
            "event-cars",
            "event-days",
        ] {
            invocation.key(format!("{root}{name}"));
        }
        invocation.arg(format!("{root}event-times:"));
        type Counts = (BTreeMap<String, u64>, u64, u64, u64, Option<i64>);
        let mut connection = self.manager.clone();
        let (counts, users, sessions, cars, last_at): Counts =
            self.bounded(invocation.invoke_async(&mut connection)).await?;
        let count = |field: &str| counts.get(field).copied().unwrap_or_default();
        Ok(EventTotals {
            deeds: Deed::words()
                .map(|word| (word, count(&format!("deed:{word}"))))
                .collect(),
            users,
            sessions,
            cars,
            durations: count("durations"),
            duration_seconds: count("duration_seconds"),
            last_at: last_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
        })
    }

    async fn erase_people(&self, ids: &[String]) -> Result<Erased, StateError> {
        let people = self.people().await?;
        let ticket = self.confirmer.ticket().await?;
        let mut erased = Erased {
            events: 0,
            at: self.server_time().await?,
        };
        for id in ids {
            let script = self.event_write(&self.events.erase, &people.epoch);
            let (events, at) = self.erase_person(script, &people.keys, id).await?;
            erased.events += events;
            erased.at = at.max(erased.at);
        }
        self.erase_from_kept(ids).await?;
        // Whoever is told to be forgotten is forgotten also when the server's machine dies now.
        self.confirmer.confirmation(ticket).await?;
        Ok(erased)
    }

    /// Erases a person from the generation of the script; gives how many events that were, and when.
    async fn erase_person(
        &self,
        mut script: ScriptInvocation<'_>,
        keys: &PersonKeys,
        id: &str,
    ) -> Result<(usize, Timestamp), StateError> {
        script
            .arg(keys.index_name(id))
            .arg(erased_entry(keys, id))
            .arg(REMOVED_AT_ONCE);
        let mut events = 0;
        // In pieces: erasing somebody who did a hundred thousand things in one would stop the server for a second. The
        // first piece writes the ledger, so that what is left is erased whatever happens.
        loop {
            let answer = self.accepted(&script).await?;
            let (gone, is_more, at) = match answer.as_slice() {
                [gone, more, at] => (gone.parse::<usize>().ok(), more == "1", timestamp(at)),
                _ => (None, false, None),
            };
            let (Some(gone), Some(at)) = (gone, at) else {
                return Err(not_understood("no count"));
            };
            events += gone;
            if !is_more {
                return Ok((events, at));
            }
        }
    }

    /// What one can go back to must not have them either. Where nobody has a name yet there is nothing to erase, and
    /// going back applies the ledger.
    async fn erase_from_kept(&self, ids: &[String]) -> Result<(), StateError> {
        let mut connection = self.manager.clone();
        let kept: Option<String> = self.bounded(connection.hget(self.keys.kept(), "epoch")).await?;
        let Some(kept) = kept else {
            return Ok(());
        };
        let secret: Option<String> = self
            .bounded(connection.get(self.keys.person_secret(&kept)))
            .await?;
        let Some(keys) = secret.as_deref().map(PersonKeys::new) else {
            return Ok(());
        };
        for id in ids {
            let mut script = self.events.erase_kept.prepare_invoke();
            script
                .key(self.keys.kept())
                .key(self.keys.fence())
                .arg(&kept)
                .arg(self.keys.root(&kept));
            self.erase_person(script, &keys, id).await?;
        }
        Ok(())
    }

    async fn read_ledger(&self) -> Result<BTreeMap<String, Timestamp>, StateError> {
        let key = self.keys.ledger(&self.epoch().await?);
        let mut connection = self.manager.clone();
        let entries: Times = self.bounded(connection.hgetall(key)).await?;
        Ok(times(entries))
    }

    /// The server's clock, to the millisecond.
    pub(super) async fn server_time(&self) -> Result<Timestamp, StateError> {
        let mut connection = self.manager.clone();
        let time = redis::cmd("TIME");
        let (seconds, microseconds): (i64, i64) = self.bounded(time.query_async(&mut connection)).await?;
        Timestamp::from_millisecond(seconds.saturating_mul(1000).saturating_add(microseconds / 1000))
            .map_err(|error| StateError::Refused(format!("the server's clock is unusable: {error}")))
    }

    async fn forget_days_before(&self, day: Date) -> Result<usize, StateError> {
        let epoch = self.epoch().await?;
        let mut forgotten = 0;
        loop {
            let mut invocation = self.event_write(&self.events.forget, &epoch);
            invocation.arg(day.to_string()).arg(REMOVED_AT_ONCE);
            let answer = self.accepted(&invocation).await?;
            let [gone, more] = answer.as_slice() else {
                return Err(not_understood("no count"));
            };
            forgotten += gone.parse::<usize>().map_err(|_| not_understood(gone))?;
            if more != "1" {
                return Ok(forgotten);
            }
        }
    }

    async fn take_turn(&self) -> Result<bool, StateError> {
        self.epoch().await?;
        let mut invocation = self.events.take_turn.prepare_invoke();
        invocation
            .key(format!("{}:housekeeping", self.keys.prefix))
            .arg(HOUSEKEEPING_EVERY.as_millis() as u64);
        let mut connection = self.manager.clone();
        self.bounded(invocation.invoke_async(&mut connection)).await
    }
}

/// Reads what `record.lua` says of one event.
fn recorded(answer: &str) -> Option<Recorded> {
    let parts: Vec<&str> = answer.split(' ').collect();
    let receipt = |at: &str, first_of_user: &str, first_of_session: &str| {
        Some(Receipt {
            at: timestamp(at)?,
            first_of_user: first_of_user == "1",
            first_of_session: first_of_session == "1",
        })
    };
    match parts.as_slice() {
        ["stored", at, user, session] => receipt(at, user, session).map(Recorded::Stored),
        ["repeated", at, user, session] => receipt(at, user, session).map(Recorded::Repeated),
        ["differs"] => Some(Recorded::Differs),
        _ => None,
    }
}

pub(super) fn timestamp(milliseconds: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds.parse().ok()?).ok()
}

/// What cannot be read is left out rather than hiding the rest: it is of a newer version, or damaged. Erasure and
/// forgetting find it nevertheless.
fn readable(id: &str, text: &str) -> Option<Event> {
    format::read(id, text)
        .inspect_err(|reason| {
            tracing::warn!(event = id, reason, "left out a stored event that cannot be read")
        })
        .ok()
}

fn not_understood(answer: &str) -> StateError {
    StateError::Refused(format!("a script for events answered {answer:?}"))
}

impl Events for RedisState {
    fn record<'a>(&'a self, events: &'a [NewEvent]) -> BoxFuture<'a, Result<Vec<Recorded>, StateError>> {
        self.record_events(events).boxed()
    }

    fn events_of<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<Event>, StateError>> {
        self.read_events_of(id).boxed()
    }

    fn export(&self, limit: usize, before: Option<Cursor>) -> BoxFuture<'_, Result<Vec<Event>, StateError>> {
        async move {
            let epoch = self.epoch().await?;
            self.read_page(&epoch, limit, before).await
        }
        .boxed()
    }

    fn totals(&self) -> BoxFuture<'_, Result<EventTotals, StateError>> {
        self.read_totals().boxed()
    }

    fn erase<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<Erased, StateError>> {
        self.erase_people(ids).boxed()
    }

    fn person_keys(&self) -> BoxFuture<'_, Result<PersonKeys, StateError>> {
        async { Ok(self.people().await?.keys.clone()) }.boxed()
    }

    fn ledger(&self) -> BoxFuture<'_, Result<BTreeMap<String, Timestamp>, StateError>> {
        self.read_ledger().boxed()
    }

    fn today(&self) -> BoxFuture<'_, Result<Date, StateError>> {
        async {
            self.epoch().await?;
            Ok(day_of(self.server_time().await?))
        }
        .boxed()
    }

    fn forget_before(&self, day: Date) -> BoxFuture<'_, Result<usize, StateError>> {
        self.forget_days_before(day).boxed()
    }

    fn take_housekeeping_turn(&self) -> BoxFuture<'_, Result<bool, StateError>> {
        self.take_turn().boxed()
    }
}
