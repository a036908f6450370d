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
                Ok(Verdict::Late) => {
                    "it was not on disk in time; appendfsync must be everysec or always".to_owned()
                }
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

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Instant,
    };

    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    const PATIENCE: Patience = Patience {
        connect: Duration::from_millis(500),
        respond: Duration::from_millis(500),
        whole: Duration::from_secs(2),
        confirm: Duration::from_millis(400),
    };

    /// What the server is to do with `WAITAOF`.
    #[derive(Clone, Copy, PartialEq)]
    enum Disk {
        Syncs(Duration),
        NeverSyncs,
        Refuses(&'static str),
        /// The connection breaks instead of an answer.
        Breaks,
    }

    /// A server that speaks just enough.
    struct Server {
        disk: Arc<Mutex<Disk>>,
        /// Names of the commands that came.
        heard: Arc<Mutex<Vec<String>>>,
        port: u16,
    }

    impl Server {
        async fn start(disk: Disk) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = Self {
                port: listener.local_addr().unwrap().port(),
                disk: Arc::new(Mutex::new(disk)),
                heard: Arc::default(),
            };
            let (disk, heard) = (Arc::clone(&server.disk), Arc::clone(&server.heard));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, Arc::clone(&disk), Arc::clone(&heard)));
                }
            });
            server
        }

        fn confirmer(&self) -> Confirmer {
            let client = Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
            Confirmer::start(client, "test:confirmed".to_owned(), PATIENCE)
        }

        fn heard(&self, name: &str) -> usize {
            self.heard
                .lock()
                .unwrap()
                .iter()
                .filter(|heard| *heard == name)
                .count()
        }
    }

    async fn converse(
        stream: TcpStream,
        disk: Arc<Mutex<Disk>>,
        heard: Arc<Mutex<Vec<String>>>,
    ) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut counter = 0;
        loop {
            let words = command(&mut stream).await?;
            let name = words[0].to_uppercase();
            heard.lock().unwrap().push(name.clone());
            let disk = *disk.lock().unwrap();
            let answer = match name.as_str() {
                "PING" => "+PONG\r\n".to_owned(),
                "EVALSHA" => {
                    counter += 1;
                    format!(":{counter}\r\n")
                }
                "WAITAOF" => match disk {
                    // The first asks before anything was written.
                    Disk::Syncs(_) | Disk::NeverSyncs | Disk::Breaks if counter == 0 => {
                        "*2\r\n:1\r\n:0\r\n".to_owned()
                    }
                    Disk::Syncs(after) => {
                        sleep(after).await;
                        "*2\r\n:1\r\n:0\r\n".to_owned()
                    }
                    Disk::NeverSyncs => {
                        sleep(Duration::from_millis(words[3].parse().unwrap())).await;
                        "*2\r\n:0\r\n:0\r\n".to_owned()
                    }
                    Disk::Refuses(error) => format!("-{error}\r\n"),
                    Disk::Breaks => return None,
                },
                _ => "+OK\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    /// A command as clients send it: an array of texts.
    async fn command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
        let words = number(stream).await?;
        let mut command = Vec::new();
        for _ in 0..words {
            let mut text = vec![0; number(stream).await? + 2];
            stream.read_exact(&mut text).await.ok()?;
            text.truncate(text.len() - 2);
            command.push(String::from_utf8(text).ok()?);
        }
        Some(command)
    }

    async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        line.trim_end().get(1..)?.parse().ok()
    }

    async fn write(confirmer: &Confirmer) -> Result<(), StateError> {
        let ticket = confirmer.ticket().await?;
        confirmer.confirmation(ticket).await
    }

    fn assert_unknown(outcome: Result<(), StateError>) {
        assert!(
            matches!(&outcome, Err(StateError::Reach(reason)) if reason.contains("not known")),
            "{outcome:?}"
        );
    }

    /// Prevents a disk that is slow from taking one writer at a time, and a writer from being answered by a
    /// wait that began before it wrote.
    #[tokio::test]
    async fn all_who_wait_share_the_next_round() {
        let server = Server::start(Disk::Syncs(Duration::from_millis(200))).await;
        let confirmer = server.confirmer();
        let ticket = confirmer.ticket().await.unwrap();
        let first = confirmer.confirmation(ticket);
        let late = async {
            while server.heard("EVALSHA") == 0 {
                tokio::task::yield_now().await;
            }
            let all: Vec<_> = (0..50).map(|_| confirmer.confirmation(ticket)).collect();
            futures::future::join_all(all).await
        };
        let (first, late) = futures::future::join(first, late).await;
        assert!(
            first.is_ok() && late.iter().all(Result::is_ok),
            "{first:?} {late:?}"
        );
        assert_eq!(
            server.heard("EVALSHA"),
            2,
            "one round for the first, one for the fifty"
        );
    }

    /// Prevents a write that the disk did not take in time from being acknowledged, or waited for without end.
    #[tokio::test]
    async fn a_disk_that_is_late_confirms_nothing() {
        let server = Server::start(Disk::NeverSyncs).await;
        let confirmer = server.confirmer();
        let begun = Instant::now();
        assert_unknown(write(&confirmer).await);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        *server.disk.lock().unwrap() = Disk::Syncs(Duration::ZERO);
        write(&confirmer).await.unwrap();
    }

    /// Prevents a server that cannot confirm from being waited for, and any other refusal from passing for that.
    #[tokio::test]
    async fn only_a_server_that_cannot_confirm_needs_not() {
        for error in [
            "ERR unknown command 'WAITAOF', with args beginning with: '1' '0' '1' ",
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
            "NOPERM User api has no permissions to run the 'waitaof' command",
        ] {
            let server = Server::start(Disk::Refuses(error)).await;
            let confirmer = server.confirmer();
            write(&confirmer).await.unwrap();
            assert_eq!(server.heard("EVALSHA"), 0, "nothing is written for it");
            *server.disk.lock().unwrap() = Disk::Syncs(Duration::ZERO);
            write(&confirmer).await.unwrap();
            assert_eq!(server.heard("EVALSHA"), 1, "it has learned to confirm");
        }
        let server = Server::start(Disk::Refuses("MISCONF the disk is broken")).await;
        assert_unknown(write(&server.confirmer()).await);
    }

    /// Prevents a server that was replaced after a write, and may have lost it, from confirming it; and a cut
    /// connection from ending all writes.
    #[tokio::test]
    async fn only_the_connection_of_the_ticket_confirms() {
        let server = Server::start(Disk::Breaks).await;
        let confirmer = server.confirmer();
        let ticket = confirmer.ticket().await.unwrap();
        assert_unknown(confirmer.confirmation(ticket).await);
        *server.disk.lock().unwrap() = Disk::Syncs(Duration::ZERO);
        write(&confirmer).await.unwrap();
        assert_ne!(confirmer.ticket().await.unwrap(), ticket);
        assert_unknown(confirmer.confirmation(ticket).await);
        write(&confirmer).await.unwrap();
    }

    /// Prevents a writer from writing what cannot be confirmed, and the connection from outliving its state.
    #[tokio::test]
    async fn without_a_connection_nothing_is_begun() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = nobody.local_addr().unwrap().port();
        drop(nobody);
        let client = Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let patience = Patience {
            whole: Duration::from_millis(300),
            ..PATIENCE
        };
        let confirmer = Confirmer::start(client, "test:confirmed".to_owned(), patience);
        let refused = confirmer.ticket().await;
        assert!(matches!(refused, Err(StateError::Reach(_))), "{refused:?}");

        let server = Server::start(Disk::Syncs(Duration::ZERO)).await;
        let confirmer = server.confirmer();
        write(&confirmer).await.unwrap();
        let standing = confirmer.standing.clone();
        drop(confirmer);
        timeout(Duration::from_secs(2), async {
            while standing.has_changed().is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("the task ends");
    }
}
