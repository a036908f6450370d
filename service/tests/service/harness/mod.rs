//! What the tests start: applications in this process, the real program, Redis, a line to cut, and certificates.

pub(crate) mod application;
pub(crate) mod buyers;
pub(crate) mod cutter;
pub(crate) mod dealers;
pub(crate) mod fixtures;
pub(crate) mod generations;
pub(crate) mod journal;
pub(crate) mod mortal;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod redis_server;
pub(crate) mod tls;

use std::time::{Duration, Instant};

/// Asks again until there is an answer, for at most ten seconds.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it did not happen within 10 s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
