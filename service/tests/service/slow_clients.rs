//! Clients that send too slowly, too much, or nothing.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::application::TestApplication;

/// The head has 10 s; the rest is for a busy machine.
const BOUND: Duration = Duration::from_secs(14);

/// Sends `beginning`, then one byte of `drop` every half second, until the server ends the connection. Gives what
/// it answered and how long that took.
fn dribble(address: &str, beginning: &str, drop: &[u8]) -> (String, Duration) {
    let mut connection = TcpStream::connect(address).expect("it serves");
    connection
        .set_read_timeout(Some(Duration::from_millis(500)))
        .expect("a socket");
    connection.write_all(beginning.as_bytes()).expect("it reads");
    let begun = Instant::now();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while begun.elapsed() < Duration::from_secs(30) {
        match connection.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if connection.write_all(drop).is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

/// Prevents a handful of clients that never finish their heads from keeping a place each, and everybody else from
/// being served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn who_dribbles_is_ended_and_everybody_else_is_served() {
    let application = TestApplication::embedded().await;
    let address = application.api.trim_start_matches("http://").to_owned();
    let slow: Vec<_> = [
        ("GET /cars HTTP/1.1\r\nHost: x\r\nX-Slow: ", "a"),
        ("GET /ca", "r"),
        ("G", ""),
        ("", ""),
    ]
    .iter()
    .cycle()
    .take(40)
    .map(|(beginning, drop)| {
        let address = address.clone();
        thread::spawn(move || (beginning, dribble(&address, beginning, drop.as_bytes())))
    })
    .collect();
    for _ in 0..20 {
        let begun = Instant::now();
        application.recommend(json!({})).await.ok();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for client in slow {
        let (beginning, (answer, took)) = tokio::task::spawn_blocking(|| client.join().expect("no panic"))
            .await
            .expect("no panic");
        assert!(took < BOUND, "{beginning:?}: {took:?}");
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
            "{answer}"
        );
    }
}

/// Sends in small pieces until an answer comes, and gives what there is of it. A server that closes while much of what was
/// sent is still unread would have its answer thrown away by the kernel.
fn answer_while_sending(address: &str, head: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).expect("it serves");
    for piece in head.chunks(2048) {
        connection.write_all(piece).expect("it reads");
        connection
            .set_read_timeout(Some(Duration::from_millis(2)))
            .expect("a socket");
        if connection.peek(&mut [0]).is_ok() {
            break;
        }
    }
    connection
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a socket");
    let mut answer = Vec::new();
    // What was sent and not read may end the connection with a reset, once the answer is out.
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8(answer).expect("a text")
}

/// Prevents a head without end from filling the memory, and an answer about it from telling what serves here. The
/// server's first layer answers, below ours and with no way for us to say more: an empty body, and the connection ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() {
    let application = TestApplication::embedded().await;
    let address = application.api.trim_start_matches("http://").to_owned();
    let many: String = (0..200).map(|index| format!("X-{index}: a\r\n")).collect();
    for (head, status) in [
        (
            format!(
                "GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n",
                "a".repeat(1 << 20)
            ),
            431,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20)),
            431,
        ),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        ("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n".to_owned(), 400),
    ] {
        let address = address.clone();
        let answer = tokio::task::spawn_blocking(move || answer_while_sending(&address, head.as_bytes()));
        let answer = answer.await.expect("no panic").to_ascii_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, "");
        let names = head
            .lines()
            .skip(1)
            .filter_map(|line| Some(line.split_once(':')?.0));
        let names: Vec<&str> = names.filter(|name| *name != "date").collect();
        assert_eq!(names, ["content-length", "connection"], "{answer}");
    }
    application.get("/health").await.ok();
}
