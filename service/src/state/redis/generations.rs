//! Generations in Redis.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, ready};

use super::RedisState;
use crate::state::{
    Head, StateError,
    events::{Cursor, Event},
    generations::{
        CarBatches, DealerRecords, Epoch, Fence, FillError, FilledDealer, GenerationOutline, Generations,
        KeptGeneration, Private, Room, SourceError,
    },
};

fn not_yet<'a, T: Send + 'a, E: From<StateError> + Send + 'a>() -> BoxFuture<'a, Result<T, E>> {
    let error = StateError::Refused("generations are not kept in Redis yet".to_owned());
    ready(Err(error.into())).boxed()
}

impl Generations for RedisState {
    fn generation(&self) -> BoxFuture<'_, Result<Option<Epoch>, StateError>> {
        not_yet()
    }

    fn generation_outline<'a>(
        &'a self,
        _: &'a Epoch,
    ) -> BoxFuture<'a, Result<GenerationOutline, StateError>> {
        not_yet()
    }

    fn dealer_records<'a>(
        &'a self,
        _: &'a Epoch,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<DealerRecords<'a>>, StateError>> {
        not_yet()
    }

    fn events_page<'a>(
        &'a self,
        _: &'a Epoch,
        _: usize,
        _: Option<Cursor>,
    ) -> BoxFuture<'a, Result<Vec<Event>, StateError>> {
        not_yet()
    }

    fn private<'a>(&'a self, _: &'a Epoch) -> BoxFuture<'a, Result<Private, StateError>> {
        not_yet()
    }

    fn raise_fence<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Fence, StateError>> {
        not_yet()
    }

    fn renew_fence<'a>(&'a self, _: &'a Fence) -> BoxFuture<'a, Result<Fence, StateError>> {
        not_yet()
    }

    fn lower_fence<'a>(&'a self, _: &'a Fence) -> BoxFuture<'a, Result<(), StateError>> {
        not_yet()
    }

    fn begin_generation<'a>(&'a self, _: &'a Fence) -> BoxFuture<'a, Result<Epoch, StateError>> {
        not_yet()
    }

    fn fill_dealer<'a>(
        &'a self,
        _: &'a Fence,
        _: &'a Epoch,
        _: FilledDealer,
        _: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), FillError>> {
        not_yet()
    }

    fn fill_events<'a>(
        &'a self,
        _: &'a Fence,
        _: &'a Epoch,
        _: &'a [Event],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        not_yet()
    }

    fn fill_private<'a>(
        &'a self,
        _: &'a Fence,
        _: &'a Epoch,
        _: &'a Private,
    ) -> BoxFuture<'a, Result<(), StateError>> {
        not_yet()
    }

    fn apply_ledgers<'a>(
        &'a self,
        _: &'a Fence,
        _: &'a Epoch,
        _: &'a [Private],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        not_yet()
    }

    fn switch<'a>(
        &'a self,
        _: &'a Fence,
        _: &'a Epoch,
        _: &'a str,
        _: Duration,
    ) -> BoxFuture<'a, Result<Head, StateError>> {
        not_yet()
    }

    fn kept(&self) -> BoxFuture<'_, Result<Option<KeptGeneration>, StateError>> {
        not_yet()
    }

    fn drop_generation<'a>(&'a self, _: &'a Epoch) -> BoxFuture<'a, Result<(), StateError>> {
        not_yet()
    }

    fn sweep_generations(&self) -> BoxFuture<'_, Result<usize, StateError>> {
        not_yet()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StateError>> {
        not_yet()
    }
}
