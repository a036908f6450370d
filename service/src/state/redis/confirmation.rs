//! Confirms that what was written is on the server's disk, for all writers together.
//!
//! `WAITAOF` waits for the writes of its own connection, and holds that connection up meanwhile. So one
//! connection does nothing else: it writes a little, which goes into the append-only file behind everything
//! that was written before, and waits until that is on disk. Whoever came until then is answered by that one
//! wait; whoever comes later, by the next.
//!
//! ```text
//!   writer ─ticket──▶ write ──▶ wait ─┐
//!   writer ─ticket──▶ write ──▶ wait ─┼─▶ INCR <prefix>:confirmed ─▶ WAITAOF 1 0 ─▶ all answered
//!   writer ─ticket──▶ write ──▶ wait ─┘
//! ```
//!
//! A server that was replaced between a write and its confirmation may have lost the write and would confirm
//! all the same. So a writer takes a ticket first, which names the connection that there is: only that very
//! connection confirms, and when it is lost, nobody knows.
//!
//! A server without `WAITAOF` (Redis before 7.2) or without an append-only file has nothing to wait for. It
//! is asked again for each round, which costs a fraction of a millisecond, so that a server that learns it
//! is noticed at once.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Script, aio::MultiplexedConnection};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use super::{Patience, failure};
use crate::state::StateError;

/// Counts the rounds. A full server must confirm what it has written, and a removal on a full server too.
const CONFIRM: &str = "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])";

/// How soon a lost connection is noticed while nobody writes: the next writer then finds a new one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two attempts to connect.
const CONNECT_EVERY: Duration = Duration::from_millis(250);

/// Beyond the time that the server itself waits.
const BEYOND: Duration = Duration::from_millis(500);

/// Names a connection, by how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// A writer that waits.
struct Waiting {
    ticket: Ticket,
    answer: oneshot::Sender<Verdict>,
}

/// What a round told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    OnDisk,
    /// The server does not confirm.
    NothingToWaitFor,
    Late,
    /// The connection, or the ticket's, is of no use any more.
    Lost(String),
}

/// Where writers wait. The connection ends with it and with those who wait.
pub(super) struct Confirmer {
    waiting: mpsc::UnboundedSender<Waiting>,
    /// The connection that there is, or why there is none.
    standing: watch::Receiver<Result<Ticket, String>>,
    patience: Patience,
}

impl Confirmer {
    /// Begins to connect, within the runtime of the caller.
    pub(super) fn start(client: Client, key: String, patience: Patience) -> Self {
        let (waiting, arriving) = mpsc::unbounded_channel();
        let (stands, standing) = watch::channel(Err("not connected yet".to_owned()));
        let line = Line {
            client,
            key,
            patience,
            script: Script::new(CONFIRM),
        };
        tokio::spawn(line.keep(arriving, stands));
        Self {
            waiting,
            standing,
            patience,
        }
    }

    /// What to hold before a write is sent.
    ///
    /// # Errors
    /// [`StateError::Reach`] without a connection: then nothing need be written.
    pub(super) async fn ticket(&self) -> Result<Ticket, StateError> {
        let mut standing = self.standing.clone();
        if let Ok(Ok(stands)) = timeout(self.patience.whole, standing.wait_for(Result::is_ok)).await
            && let Ok(ticket) = &*stands
        {
            return Ok(*ticket);
        }
        let reason = self.standing.borrow().as_ref().err().cloned();
        Err(StateError::Reach(reason.unwrap_or_else(|| {
            format!("no connection within {:?}", self.patience.whole)
        })))
    }

    /// Waits until what was written under the ticket is on disk.
    pub(super) fn confirmation(&self, ticket: Ticket) -> BoxFuture<'static, Result<(), StateError>> {
        let (answer, answered) = oneshot::channel();
        // A line that is gone drops the answer, which tells as much.
        let _ = self.waiting.send(Waiting { ticket, answer });
        async move {
            let reason = match answered.await {
                Ok(Verdict::OnDisk | Verdict::NothingToWaitFor) => return Ok(()),
                Ok(Verdict::Late) => "not confirmed to be on disk in time".to_owned(),
                Ok(Verdict::Lost(reason)) => reason,
                Err(_) => "nobody confirms writes any more".to_owned(),
            };
            Err(StateError::Reach(format!(
                "it is not known whether what was written is kept: {reason}"
            )))
        }
        .boxed()
    }
}

/// The connection that confirms, made anew whenever it is lost.
struct Line {
    client: Client,
    key: String,
    patience: Patience,
    script: Script,
}

impl Line {
    async fn keep(
        self,
        mut arriving: mpsc::UnboundedReceiver<Waiting>,
        stands: watch::Sender<Result<Ticket, String>>,
    ) {
        let mut connections = 0;
        while !arriving.is_closed() {
            let reason = match self.connect().await {
                Ok(connection) => {
                    connections += 1;
                    let ticket = Ticket(connections);
                    let _ = stands.send_replace(Ok(ticket));
                    self.serve(connection, ticket, &mut arriving).await
                }
                Err(error) => failure(error).to_string(),
            };
            let _ = stands.send_replace(Err(reason.clone()));
            // Who arrived meanwhile wrote under a connection that is gone.
            while let Ok(waiting) = arriving.try_recv() {
                let _ = waiting.answer.send(Verdict::Lost(reason.clone()));
            }
            sleep(CONNECT_EVERY).await;
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.patience.connect))
            .set_response_timeout(Some(self.patience.confirm + BEYOND));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Confirms until the connection is lost, and says how; or until nobody can ask any more.
    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        ticket: Ticket,
        arriving: &mut mpsc::UnboundedReceiver<Waiting>,
    ) -> String {
        let mut confirms = Confirms::default();
        loop {
            let first = tokio::select! {
                first = arriving.recv() => first,
                () = sleep(LOOK_EVERY) => {
                    let ping = redis::cmd("PING");
                    match timeout(self.patience.respond, ping.query_async::<()>(&mut connection)).await {
                        Ok(Ok(())) => continue,
                        Ok(Err(error)) => return failure(error).to_string(),
                        Err(_) => return format!("no answer within {:?}", self.patience.respond),
                    }
                }
            };
            let Some(first) = first else {
                return String::new();
            };
            let mut round = vec![first];
            while let Ok(waiting) = arriving.try_recv() {
                round.push(waiting);
            }
            let verdict = match self.round(&mut connection, &mut confirms).await {
                Ok(verdict) => verdict,
                Err(error) => Verdict::Lost(failure(error).to_string()),
            };
            for waiting in round {
                let verdict = match &verdict {
                    Verdict::OnDisk | Verdict::Late if waiting.ticket != ticket => {
                        Verdict::Lost("the connection was lost meanwhile".to_owned())
                    }
                    verdict => verdict.clone(),
                };
                let _ = waiting.answer.send(verdict);
            }
            if let Verdict::Lost(reason) = verdict {
                return reason;
            }
        }
    }

    async fn round(
        &self,
        connection: &mut MultiplexedConnection,
        confirms: &mut Confirms,
    ) -> RedisResult<Verdict> {
        if !confirms.known {
            // Nothing was written on this connection: a server that confirms answers at once.
            match wait(connection, Duration::from_millis(1)).await {
                Ok(_) => confirms.known = true,
                Err(error) => return confirms.lacks(error),
            }
        }
        let _: u64 = self.script.key(&self.key).invoke_async(connection).await?;
        match wait(connection, self.patience.confirm).await {
            Ok(true) => Ok(Verdict::OnDisk),
            Ok(false) => Ok(Verdict::Late),
            Err(error) => confirms.lacks(error),
        }
    }
}

/// Whether the server of a connection confirms.
#[derive(Default)]
struct Confirms {
    known: bool,
    told: bool,
}

impl Confirms {
    /// Takes errors that mean that there is nothing to wait for.
    fn lacks(&mut self, error: RedisError) -> RedisResult<Verdict> {
        self.known = false;
        let said = error.detail().unwrap_or_default();
        let lacks = said.contains("unknown command") || said.contains("appendonly is disabled");
        if !lacks && error.code() != Some("NOPERM") {
            return Err(error);
        }
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                reason = said,
                "the store does not confirm writes: what is acknowledged is written, and may be lost with its node"
            );
        }
        Ok(Verdict::NothingToWaitFor)
    }
}

/// Whether everything written on this connection is on disk within the bound.
async fn wait(connection: &mut MultiplexedConnection, bound: Duration) -> RedisResult<bool> {
    let (on_disk, _replicas): (u64, u64) = redis::cmd("WAITAOF")
        .arg(1)
        .arg(0)
        .arg(bound.as_millis() as u64)
        .query_async(connection)
        .await?;
    Ok(on_disk > 0)
}
