//! Generations in Redis: the fence and the switch here, the rest in the files beside.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use redis::{AsyncCommands, Script, ScriptInvocation};

use super::{
    RedisState,
    dealers::{Times, times},
    events::timestamp,
    head_of,
    scripts::{on_a_full_server, with_room},
};
use crate::{
    random,
    state::{
        Head, StateError,
        events::{Cursor, Event},
        generations::{
            CarBatches, DealerRecords, Epoch, FENCE_LASTS, Fence, FillError, FilledDealer, GenerationOutline,
            Generations, KeptGeneration, Private, Room, SourceError, not_ready, secret_comes_first,
        },
    },
};

mod dropping;
mod filling;
mod ledgers;
mod reading;

/// The scripts, whose digests are made once.
pub(super) struct Scripts {
    fence: Script,
    begin: Script,
    kept: Script,
    dealer: Script,
    events: Script,
    hash: Script,
    /// The same for a full server: of what a ledger takes out and notes.
    hash_always: Script,
    secret: Script,
    removed: Script,
    ready: Script,
    switch: Script,
    drop: Script,
}

/// A script that fills, from its parts.
macro_rules! filling {
    ($begin:ident, $($part:literal),+) => {
        Script::new($begin!(include_str!("../generations/fill_check.lua"), $(include_str!($part)),+))
    };
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            fence: Script::new(on_a_full_server!(include_str!("../generations/fence.lua"))),
            begin: Script::new(with_room!(include_str!("../generations/fill_begin.lua"))),
            kept: Script::new(on_a_full_server!(include_str!("../generations/fill_kept.lua"))),
            dealer: filling!(with_room, "../generations/fill_dealer.lua"),
            events: filling!(
                with_room,
                "../event_indexes.lua",
                "../generations/fill_events.lua"
            ),
            hash: filling!(with_room, "../generations/fill_hash.lua"),
            hash_always: filling!(on_a_full_server, "../generations/fill_hash.lua"),
            secret: filling!(with_room, "../generations/fill_secret.lua"),
            removed: filling!(
                on_a_full_server,
                "../event_indexes.lua",
                "../generations/fill_removed.lua"
            ),
            ready: filling!(on_a_full_server, "../generations/fill_ready.lua"),
            switch: Script::new(on_a_full_server!(include_str!("../generations/switch.lua"))),
            drop: Script::new(on_a_full_server!(include_str!("../generations/drop.lua"))),
        }
    }
}

impl RedisState {
    /// What a script about a generation answers, without the first word, unless it refuses.
    async fn settled(
        &self,
        generation: &Epoch,
        invocation: &ScriptInvocation<'_>,
    ) -> Result<Vec<String>, StateError> {
        let mut connection = self.manager.clone();
        let mut answer: Vec<String> = self.bounded(invocation.invoke_async(&mut connection)).await?;
        if answer.is_empty() {
            return Err(not_understood("nothing"));
        }
        let mut detail = answer.split_off(1).into_iter();
        match answer[0].as_str() {
            "ok" => Ok(detail.collect()),
            "lost" => Err(StateError::FenceLost),
            "fenced" => Err(StateError::Fenced {
                holder: detail.next().unwrap_or_default(),
            }),
            "none" => Err(no_generation(generation)),
            "in-use" => Err(StateError::GenerationInUse(generation.to_string())),
            "unready" => Err(not_ready(generation, detail.next().unwrap_or_default())),
            "secret" => Err(secret_comes_first()),
            "incomplete" => Err(StateError::Commit {
                dealership: detail.next().unwrap_or_default(),
                reason: detail.next().unwrap_or_default(),
            }),
            other => Err(not_understood(other)),
        }
    }

    /// Gives the deadline.
    async fn move_fence(&self, step: &str, id: &str, token: &str) -> Result<Timestamp, StateError> {
        let mut invocation = self.generations.fence.prepare_invoke();
        invocation
            .key(self.keys.fence())
            .arg(step)
            .arg(id)
            .arg(token)
            .arg(FENCE_LASTS.as_millis() as u64);
        let answer = self.settled(&Epoch::new(""), &invocation).await?;
        let deadline = answer.first().and_then(|deadline| timestamp(deadline));
        deadline.ok_or_else(|| not_understood("no deadline"))
    }

    async fn raise(&self, id: &str) -> Result<Fence, StateError> {
        let ticket = self.confirmer.ticket().await?;
        let token = random::hexadecimal(16);
        let deadline = self.move_fence("raise", id, &token).await?;
        // A server that forgot it would let writes through that nobody restores.
        self.confirmer.confirmation(ticket).await?;
        Ok(Fence {
            id: id.to_owned(),
            token,
            deadline,
        })
    }

    async fn renew(&self, fence: &Fence) -> Result<Fence, StateError> {
        let deadline = self.move_fence("renew", &fence.id, &fence.token).await?;
        Ok(Fence {
            deadline,
            ..fence.clone()
        })
    }

    async fn switch_to(
        &self,
        fence: &Fence,
        to: &Epoch,
        restored_as: &str,
        keep: Duration,
    ) -> Result<Head, StateError> {
        let mut invocation = self.generations.switch.prepare_invoke();
        invocation
            .key(self.keys.generation())
            .key(self.keys.fence())
            .key(self.keys.kept())
            .key(self.keys.generations())
            .key(self.keys.catalog(to.as_str()))
            .arg(&fence.token)
            .arg(to.as_str())
            .arg(restored_as)
            .arg(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX))
            .arg(self.keys.channel());
        let ticket = self.confirmer.ticket().await?;
        let answer = self.settled(to, &invocation).await?;
        // What was written before is on disk before it.
        self.confirmer.confirmation(ticket).await?;
        let part = |index: usize| answer.get(index).map(String::as_str).unwrap_or_default();
        head_of(to.to_string(), (part(0).parse().ok(), part(1).parse().ok()))
            .ok_or_else(|| not_understood("no version"))
    }

    async fn read_kept(&self) -> Result<Option<KeptGeneration>, StateError> {
        let mut connection = self.manager.clone();
        let key = self.keys.kept();
        let (epoch, until, replaced_at): (Option<String>, Option<String>, Option<String>) = self
            .bounded(connection.hmget(key, &["epoch", "until", "replaced_at"]))
            .await?;
        let at = |text: Option<String>| timestamp(&text?);
        let (Some(epoch), Some(until), Some(replaced_at)) = (epoch, at(until), at(replaced_at)) else {
            return Ok(None);
        };
        let kept = KeptGeneration {
            epoch: Epoch::new(epoch),
            until,
            replaced_at,
        };
        Ok((self.server_time().await? < kept.until).then_some(kept))
    }

    async fn read_room(&self) -> Result<Option<Room>, StateError> {
        let mut connection = self.manager.clone();
        let mut command = redis::cmd("INFO");
        command.arg("memory");
        match self.bounded(command.query_async::<String>(&mut connection)).await {
            Ok(text) => Ok(Room::from_info(&text)),
            // Some managed servers let nobody ask.
            Err(StateError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn no_generation(generation: &Epoch) -> StateError {
    StateError::NoGeneration(generation.to_string())
}

fn not_understood(answer: &str) -> StateError {
    StateError::Refused(format!("a script for generations answered {answer:?}"))
}

impl Generations for RedisState {
    fn generation(&self) -> BoxFuture<'_, Result<Option<Epoch>, StateError>> {
        async {
            match self.epoch().await {
                Ok(epoch) => Ok(Some(Epoch::new(epoch))),
                Err(StateError::NotOpen) => Ok(None),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn generation_outline<'a>(
        &'a self,
        generation: &'a Epoch,
    ) -> BoxFuture<'a, Result<GenerationOutline, StateError>> {
        self.read_generation_outline(generation).boxed()
    }

    fn dealer_records<'a>(
        &'a self,
        generation: &'a Epoch,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<DealerRecords<'a>>, StateError>> {
        self.read_records(generation, id).boxed()
    }

    fn events_page<'a>(
        &'a self,
        generation: &'a Epoch,
        limit: usize,
        before: Option<Cursor>,
    ) -> BoxFuture<'a, Result<Vec<Event>, StateError>> {
        self.read_events_page(generation, limit, before).boxed()
    }

    fn private<'a>(&'a self, generation: &'a Epoch) -> BoxFuture<'a, Result<Private, StateError>> {
        async move {
            let (is_there, private) = self.read_private(generation).await?;
            is_there
                .then_some(private)
                .ok_or_else(|| no_generation(generation))
        }
        .boxed()
    }

    fn raise_fence<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Fence, StateError>> {
        self.raise(id).boxed()
    }

    fn renew_fence<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<Fence, StateError>> {
        self.renew(fence).boxed()
    }

    fn lower_fence<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<(), StateError>> {
        async move {
            self.move_fence("lower", &fence.id, &fence.token).await?;
            Ok(())
        }
        .boxed()
    }

    fn begin_generation<'a>(&'a self, fence: &'a Fence) -> BoxFuture<'a, Result<Epoch, StateError>> {
        self.begin(fence).boxed()
    }

    fn fill_dealer<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        dealer: FilledDealer,
        cars: CarBatches<'a, SourceError>,
    ) -> BoxFuture<'a, Result<(), FillError>> {
        self.write_dealer(fence, generation, dealer, cars).boxed()
    }

    fn fill_events<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        self.write_events(fence, generation, events).boxed()
    }

    fn fill_private<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        private: &'a Private,
    ) -> BoxFuture<'a, Result<(), StateError>> {
        self.write_private(fence, generation, private).boxed()
    }

    fn apply_ledgers<'a>(
        &'a self,
        fence: &'a Fence,
        generation: &'a Epoch,
        further: &'a [Private],
    ) -> BoxFuture<'a, Result<(), StateError>> {
        self.unite_ledgers(fence, generation, further).boxed()
    }

    fn switch<'a>(
        &'a self,
        fence: &'a Fence,
        to: &'a Epoch,
        restored_as: &'a str,
        keep: Duration,
    ) -> BoxFuture<'a, Result<Head, StateError>> {
        self.switch_to(fence, to, restored_as, keep).boxed()
    }

    fn kept(&self) -> BoxFuture<'_, Result<Option<KeptGeneration>, StateError>> {
        self.read_kept().boxed()
    }

    fn drop_generation<'a>(&'a self, generation: &'a Epoch) -> BoxFuture<'a, Result<(), StateError>> {
        async move { self.drop_one(generation).await.map(|_| ()) }.boxed()
    }

    fn sweep_generations(&self) -> BoxFuture<'_, Result<usize, StateError>> {
        self.sweep().boxed()
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StateError>> {
        self.read_room().boxed()
    }
}
