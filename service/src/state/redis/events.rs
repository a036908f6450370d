//! What buyers did, in Redis.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt, ready};
use jiff::{Timestamp, civil::Date};

use super::RedisState;
use crate::state::{
    StateError,
    events::{Cursor, Erased, Event, EventTotals, Events, NewEvent, PersonKeys, Recorded},
};

fn not_yet<T>() -> Result<T, StateError> {
    Err(StateError::Refused("events are not kept in Redis yet".to_owned()))
}

impl Events for RedisState {
    fn record<'a>(&'a self, _events: &'a [NewEvent]) -> BoxFuture<'a, Result<Vec<Recorded>, StateError>> {
        ready(not_yet()).boxed()
    }

    fn events_of<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<Vec<Event>, StateError>> {
        ready(not_yet()).boxed()
    }

    fn export(
        &self,
        _limit: usize,
        _before: Option<Cursor>,
    ) -> BoxFuture<'_, Result<Vec<Event>, StateError>> {
        ready(not_yet()).boxed()
    }

    fn totals(&self) -> BoxFuture<'_, Result<EventTotals, StateError>> {
        ready(not_yet()).boxed()
    }

    fn erase<'a>(&'a self, _ids: &'a [String]) -> BoxFuture<'a, Result<Erased, StateError>> {
        ready(not_yet()).boxed()
    }

    fn person_keys(&self) -> BoxFuture<'_, Result<PersonKeys, StateError>> {
        ready(not_yet()).boxed()
    }

    fn ledger(&self) -> BoxFuture<'_, Result<BTreeMap<String, Timestamp>, StateError>> {
        ready(not_yet()).boxed()
    }

    fn today(&self) -> BoxFuture<'_, Result<Date, StateError>> {
        ready(not_yet()).boxed()
    }

    fn forget_before(&self, _day: Date) -> BoxFuture<'_, Result<usize, StateError>> {
        ready(not_yet()).boxed()
    }

    fn take_housekeeping_turn(&self) -> BoxFuture<'_, Result<bool, StateError>> {
        ready(not_yet()).boxed()
    }
}
