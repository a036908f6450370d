//! The process is told to stop.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::harness::process::{self, ServingProcess};

const BODY: &str = r#"{"orcamento_min": 50000, "orcamento_max": 90000, "uso_principal": "familia"}"#;

/// A questionnaire of which the first half is on its way.
fn half_sent(address: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).expect("it serves");
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a socket");
    let head = format!(
        "POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        BODY.len()
    );
    connection.write_all(head.as_bytes()).expect("it reads");
    // The interim answer proves that a worker has the request in hand.
    let mut line = String::new();
    let mut reader = BufReader::new(connection.try_clone().expect("a socket"));
    reader.read_line(&mut line).expect("an interim answer");
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    reader.read_line(&mut line).expect("its empty line");
    connection.write_all(&BODY.as_bytes()[..20]).expect("it reads");
    connection
}

fn status_of(address: &str, path: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address).ok()?;
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1).map(str::to_owned)
}

/// Prevents a rolling update from cutting off a buyer whose answer is being made.
#[test]
fn a_request_in_flight_is_answered_before_the_process_ends() {
    for signal in ["TERM", "INT"] {
        let mut serving = ServingProcess::start(&[]);
        let mut connection = half_sent(&serving.address);
        serving.process.signal(signal);
        let begun = Instant::now();
        while TcpStream::connect(&serving.address).is_ok() {
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "new connections are refused"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(
            serving.process.0.try_wait().expect("a child").is_none(),
            "it waits for the request"
        );
        connection
            .write_all(&BODY.as_bytes()[20..])
            .expect("it still reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("total_recommendations"), "{answer}");
        let status = serving.process.wait(Duration::from_secs(5)).expect("it ends");
        assert!(status.success(), "{signal}: {status}");
    }
}

/// Prevents traffic from being sent to a process that is about to stop: it says so while it still serves.
#[test]
fn readiness_fails_first() {
    let mut serving = ServingProcess::start(&["--readiness-delay-seconds", "2"]);
    assert_eq!(status_of(&serving.address, "/readyz").as_deref(), Some("200"));
    serving.process.signal("TERM");
    let begun = Instant::now();
    while status_of(&serving.address, "/readyz").as_deref() != Some("503") {
        assert!(begun.elapsed() < Duration::from_secs(1), "it says so at once");
        std::thread::sleep(Duration::from_millis(10));
    }
    for path in ["/livez", "/health", "/cars?limit=1"] {
        assert_eq!(
            status_of(&serving.address, path).as_deref(),
            Some("200"),
            "{path} is still served"
        );
    }
    assert!(
        serving
            .process
            .wait(Duration::from_secs(6))
            .expect("it ends")
            .success()
    );
}

/// Prevents a client that never finishes from keeping a node from being drained.
#[test]
fn a_request_that_never_ends_does_not_hold_the_process() {
    let mut serving = ServingProcess::start(&["--drain-seconds", "1"]);
    let _connection = half_sent(&serving.address);
    serving.process.signal("TERM");
    let begun = Instant::now();
    let status = serving.process.wait(Duration::from_secs(6)).expect("it ends");
    assert!(status.success(), "{status}");
    assert!(
        begun.elapsed() >= Duration::from_millis(900),
        "it gave the request its time"
    );
}

/// Prevents the container's health check from always or never failing.
#[test]
fn the_health_check_tells_a_live_service_from_none() {
    let serving = ServingProcess::start(&[]);
    let alive = process::run(&["healthcheck", "--listen", &serving.address]);
    assert!(alive.status.success(), "{alive:?}");
    let address = serving.address.clone();
    drop(serving);
    let dead = process::run(&["healthcheck", "--listen", &address]);
    assert_eq!(dead.status.code(), Some(1), "{dead:?}");
    assert!(!dead.stderr.is_empty(), "it says why");
}

/// Prevents a port in use from ending in anything but one line that names it.
#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = process::run(&["--listen", &address]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(&address), "{text}");
}
