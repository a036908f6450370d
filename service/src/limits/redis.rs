//! Decides together with all replicas, by one script in the shared store; alone while the store is late.
//!
//! | key under the prefix | holds |
//! | --- | --- |
//! | `limit-secret` | what addresses are hashed with; made once, by whichever replica comes first |
//! | `limit:<class>:<HMAC of the client>` | when it would have its whole burst again; always with a time to live |
//!
//! ```text
//!   closed ──three failures in a row──▶ open: the local limiter decides
//!     ▲                                   │
//!     └──────a probe, every 250 ms────────┘
//! ```
//!
//! The breaker is open until the first connection, and its connection is its own: a command waits for no
//! stock that is being read. The connection lives on a thread of its own for the same reason.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures::future::{BoxFuture, FutureExt};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client as RedisClient, ExistenceCheck, RedisResult, Script,
    ScriptInvocation, SetOptions, aio::MultiplexedConnection,
};
use ring::hmac;
use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, timeout},
};

use super::{
    Class, Decider, Quotas,
    client_address::Client,
    gcra::{Decision, Quota},
    local::LocalDecider,
};
use crate::{metrics::Metrics, random, state::connection::ConnectionSettings};

const SCRIPT: &str = include_str!("decide.lua");

/// How long a request waits for the store: what a healthy one takes a fraction of.
const DEADLINE: Duration = Duration::from_millis(5);

/// Failures in a row that open the breaker.
const FAILURES: u32 = 3;

/// How often an open breaker asks, and how long an attempt may take.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// Beyond the time after which a key says nothing any more.
const KEPT_BEYOND: u64 = 1000;

/// Bytes of an HMAC that stand in a key: nobody has 2^64 addresses to look for two that meet.
const HASH_BYTES: usize = 16;

/// What the script answers: 1 when allowed, when the whole burst is there again, the time.
type Answer = (u8, u64, u64);

/// A connection that works, and the secret that all replicas hash with.
struct Ready {
    connection: MultiplexedConnection,
    secret: hmac::Key,
}

/// The breaker: closed while there is something ready.
#[derive(Default)]
struct Breaker {
    ready: ArcSwapOption<Ready>,
    failures: AtomicU32,
    opened: Notify,
    attempted: Notify,
}

impl Breaker {
    fn close(&self, ready: Ready) {
        self.failures.store(0, Ordering::Relaxed);
        self.ready.store(Some(Arc::new(ready)));
    }

    fn succeeded(&self) {
        // Read first: a store on every request would have the processors pass the line around.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    fn failed(&self) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES {
            self.ready.store(None);
            self.opened.notify_one();
        }
    }
}

/// Decides by the shared store.
pub(crate) struct RedisDecider {
    local: LocalDecider,
    breaker: Arc<Breaker>,
    script: Script,
    key_prefix: String,
    quotas: Quotas,
    metrics: Metrics,
    /// Dropped with the decider, which ends the thread.
    _alive: oneshot::Sender<()>,
}

impl RedisDecider {
    /// Begins to connect, and waits for the first attempt to end, well or not.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(crate) async fn start(
        settings: ConnectionSettings,
        quotas: Quotas,
        metrics: Metrics,
    ) -> std::io::Result<Self> {
        let breaker = Arc::new(Breaker::default());
        let (alive, ended) = oneshot::channel::<()>();
        let key_prefix = settings.key_prefix.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let kept = Arc::clone(&breaker);
        thread::Builder::new().name("limits".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = keep_connected(&kept, &settings) => {}
                    _ = ended => {}
                }
            });
        })?;
        let _ = timeout(PROBE_EVERY, breaker.attempted.notified()).await;
        Ok(Self {
            local: LocalDecider::new(quotas, metrics.clone()),
            breaker,
            script: Script::new(SCRIPT),
            key_prefix,
            quotas,
            metrics,
            _alive: alive,
        })
    }

    async fn decide_together(&self, class: Class, client: Client) -> Option<Decision> {
        let ready = self.breaker.ready.load_full()?;
        let (key, quota) = (
            key_of(&self.key_prefix, class, client, &ready.secret),
            self.quotas.of(class),
        );
        let mut connection = ready.connection.clone();
        let invocation = invocation(&self.script, &key, quota);
        match timeout(DEADLINE, invocation.invoke_async::<Answer>(&mut connection)).await {
            Ok(Ok((allowed, whole_at, now))) => {
                self.breaker.succeeded();
                Some(Decision::describe(allowed == 1, whole_at, now, quota))
            }
            Ok(Err(_)) | Err(_) => {
                self.breaker.failed();
                None
            }
        }
    }
}

impl Decider for RedisDecider {
    fn decide(&self, class: Class, client: Client) -> BoxFuture<'_, Decision> {
        async move {
            match self.decide_together(class, client).await {
                Some(decision) => {
                    self.metrics.limit_decided("redis");
                    self.local.adopt(class, client, &decision);
                    decision
                }
                None => self.local.decide_now(class, client),
            }
        }
        .boxed()
    }
}

/// The script with its arguments. A server that forgot the script is given it again.
fn invocation<'script>(script: &'script Script, key: &str, quota: Quota) -> ScriptInvocation<'script> {
    let mut invocation = script.prepare_invoke();
    invocation
        .key(key)
        .arg(quota.interval)
        .arg(quota.whole())
        .arg(quota.whole() / 1000 + KEPT_BEYOND);
    invocation
}

fn key_of(prefix: &str, class: Class, client: Client, secret: &hmac::Key) -> String {
    let tag = hmac::sign(secret, &client.bytes());
    let hash = random::in_hexadecimal(&tag.as_ref()[..HASH_BYTES]);
    format!("{prefix}:limit:{}:{hash}", class.word())
}

/// Connects whenever the breaker is open, for as long as the decider lives.
async fn keep_connected(breaker: &Breaker, settings: &ConnectionSettings) {
    let mut told = false;
    loop {
        let attempt = timeout(PROBE_EVERY, connect(settings)).await;
        let attempt = attempt.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {PROBE_EVERY:?}")));
        match attempt {
            Ok(ready) => {
                breaker.close(ready);
                breaker.attempted.notify_one();
                tracing::info!("rate limits are shared through the store");
                breaker.opened.notified().await;
                tracing::warn!(
                    "the store is late or away: each replica counts alone until it answers in time"
                );
                told = true;
            }
            Err(error) => {
                breaker.attempted.notify_one();
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "rate limits cannot be shared: each replica decides alone");
                }
            }
        }
        sleep(PROBE_EVERY).await;
    }
}

/// Connects, agrees on the secret, and has the script decide once: a store that takes no writes shares nothing.
async fn connect(settings: &ConnectionSettings) -> anyhow::Result<Ready> {
    let client = RedisClient::open(settings.resolve()?)?;
    // Requests have their own deadline; this bounds what is left of one that was given up.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PROBE_EVERY))
        .set_response_timeout(Some(PROBE_EVERY));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let secret = agree_on_secret(&mut connection, &settings.key_prefix).await?;
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let script = Script::new(SCRIPT);
    script.load_async(&mut connection).await?;
    let key = format!("{}:limit:probe", settings.key_prefix);
    let probe = invocation(&script, &key, Quotas::default().other);
    timeout(DEADLINE, probe.invoke_async::<Answer>(&mut connection)).await??;
    Ok(Ready { connection, secret })
}

async fn agree_on_secret(connection: &mut MultiplexedConnection, prefix: &str) -> RedisResult<String> {
    let key = format!("{prefix}:limit-secret");
    let once = SetOptions::default().conditional_set(ExistenceCheck::NX);
    let _: Option<String> = connection
        .set_options(&key, random::hexadecimal(32), once)
        .await?;
    connection.get(&key).await
}
