//! What buyers did before the drill began: a large number of events, through the API as all others.
//!
//! An HTTP client takes as long for a request as the API for its answer, and both have the same processors here. So
//! requests are written several at a time, one after another on one connection, and their answers are read behind.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::stock::{CARS_OF_EACH, DEALERS, car_id, mixed};

/// Connections to each replica.
const CONNECTIONS: usize = 8;

/// Requests that are under way on each.
const AT_ONCE: u64 = 16;

/// Buyers, each of whom did something several times.
const BUYERS: u64 = 20_000;

/// Before a request that was refused is sent again.
const PAUSE: Duration = Duration::from_millis(100);

/// All of them, on a machine that does other things besides.
const RECORDED: Duration = Duration::from_secs(600);

/// Has `count` events recorded by these replicas, `HOST:PORT`.
pub(crate) async fn record(replicas: &[String], count: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let mut connections = JoinSet::new();
    for replica in replicas.iter().cycle().take(CONNECTIONS * replicas.len()) {
        let (replica, next) = (replica.clone(), Arc::clone(&next));
        connections.spawn(async move { keep_recording(&replica, &next, count).await });
    }
    let recording = async {
        while let Some(ended) = connections.join_next().await {
            ended.expect("a connection").expect("events are recorded");
        }
    };
    let ended = timeout(RECORDED, recording).await;
    assert!(
        ended.is_ok(),
        "{count} events were not recorded within {RECORDED:?}"
    );
}

async fn keep_recording(replica: &str, next: &AtomicU64, count: u64) -> io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(replica).await?);
    stream.get_ref().set_nodelay(true)?;
    loop {
        let first = next.fetch_add(AT_ONCE, Ordering::Relaxed);
        if first >= count {
            return Ok(());
        }
        let mut open: Vec<u64> = (first..count.min(first + AT_ONCE)).collect();
        while !open.is_empty() {
            let requests: String = open.iter().map(|number| request(*number)).collect();
            stream.get_mut().write_all(requests.as_bytes()).await?;
            let mut refused = Vec::new();
            for number in open {
                if status(&mut stream).await? != 201 {
                    refused.push(number);
                }
            }
            open = refused;
            if !open.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn request(number: u64) -> String {
    let (path, body) = event(number);
    let (body, address) = (
        body.to_string(),
        format!("198.51.{}.{}", number % 4, number / 4 % 250),
    );
    format!(
        "POST {path} HTTP/1.1\r\nhost: drill\r\ncontent-type: application/json\r\nx-forwarded-for: {address}\r\n\
         idempotency-key: past-{number}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn event(number: u64) -> (&'static str, Value) {
    let chance = mixed(number);
    let car = car_id(chance as usize % DEALERS, (chance >> 8) as usize % CARS_OF_EACH);
    let (user, session) = (
        format!("past-{}", number % BUYERS),
        format!("visit-of-{}", number % BUYERS),
    );
    if number.is_multiple_of(4) {
        let body = json!({"user_id": user, "session_id": session, "car_id": car, "action": "liked", "rating": chance % 5 + 1});
        return ("/feedback", body);
    }
    let body = json!({
        "session_id": session, "user_id": user, "car_id": car, "interaction_type": "view_details",
        "duration_seconds": chance >> 20 & 0xff,
    });
    ("/api/interactions/track", body)
}

/// Reads an answer to its end.
async fn status(stream: &mut BufReader<TcpStream>) -> io::Result<u16> {
    let wrong = |what: &str| io::Error::other(format!("no answer of HTTP: {what}"));
    let (mut status, mut length, mut line) = (None, 0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end().to_ascii_lowercase();
        if status.is_none() {
            let word = text.split(' ').nth(1).and_then(|word| word.parse().ok());
            status = Some(word.ok_or_else(|| wrong(&text))?);
        } else if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| wrong(&text))?;
        } else if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    status.ok_or_else(|| wrong("no status"))
}
