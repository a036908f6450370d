//! The API over TLS: both versions of HTTP, renewal, and what browsers are told.

use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    time::{Duration, Instant},
};

use http_body_util::BodyExt;
use serde_json::Value;

use crate::harness::{
    application::TestApplication,
    eventually,
    process::{self, ServingProcess},
    tls::{Certificate, MountedPair, TlsClient},
};

/// Status, version of HTTP, what browsers are told of TLS, and the body; `None` when there is no answer.
async fn ask(client: &TlsClient, url: &str) -> Option<(u16, String, String, String)> {
    let response = client.get(url.parse().expect("an address")).await.ok()?;
    let header = response.headers().get("strict-transport-security");
    let told = header
        .map_or("", |value| value.to_str().expect("a text"))
        .to_owned();
    let (status, version) = (response.status().as_u16(), format!("{:?}", response.version()));
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, version, told, String::from_utf8_lossy(&body).into_owned()))
}

/// Prevents clients of either version from being left out, a browser from coming back without TLS, and a browser
/// that came without it from being sent where nobody speaks it.
#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken_and_browsers_told_to_stay() {
    let certificate = Certificate::new();
    let mounted = MountedPair::new(&certificate.pem, &certificate.key);
    let application = TestApplication::over_tls(&mounted).await;
    assert!(application.api.starts_with("https://"), "{}", application.api);
    for (http1_only, version) in [(false, "HTTP/2.0"), (true, "HTTP/1.1")] {
        let client = certificate.client(http1_only);
        for (path, wanted) in [("/livez", 200), ("/nada", 404), ("/cars?limit=x", 422)] {
            let url = format!("{}{path}", application.api);
            let (status, spoken, told, body) = ask(&client, &url).await.expect("an answer");
            assert_eq!(
                (status, spoken.as_str(), told.as_str()),
                (wanted, version, "max-age=31536000"),
                "{path}"
            );
            if wanted != 200 {
                let problem: Value = serde_json::from_str(&body).expect("JSON");
                assert_eq!(problem["status"], wanted);
            }
        }
    }
    let plain = TestApplication::embedded().await;
    let answer = plain.get("/livez").await;
    assert_eq!(answer.header("strict-transport-security"), "");
    // Who forgets TLS gets no answer, and is not left waiting for one.
    let forgotten = application.api.replace("https://", "http://");
    let asked = application.client.get(format!("{forgotten}/livez")).send();
    let answer = tokio::time::timeout(Duration::from_secs(8), asked).await;
    assert!(answer.expect("the connection is ended").is_err());
}

/// Prevents a certificate that was renewed in time from running out in memory, and half a renewal from ending
/// service.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let (old, new) = (Certificate::new(), Certificate::new());
    let mounted = MountedPair::new(&old.pem, &old.key);
    let application = TestApplication::over_tls(&mounted).await;
    let url = format!("{}/livez", application.api);
    // A connection lives on with the certificate that it began with: each question makes a new client.
    assert!(ask(&new.client(false), &url).await.is_none());
    mounted.swap(&new.pem, &old.key);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(
        ask(&old.client(false), &url).await.is_some(),
        "the old pair stays"
    );
    mounted.swap(&new.pem, &new.key);
    eventually("the new certificate is served", async || {
        ask(&new.client(false), &url).await
    })
    .await;
    assert!(ask(&old.client(false), &url).await.is_none());
}

/// Prevents clients that begin a handshake and say nothing from keeping a place for ever, or buyers out meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_is_ended() {
    let certificate = Certificate::new();
    let mounted = MountedPair::new(&certificate.pem, &certificate.key);
    let flags = mounted.flags();
    let mut arguments: Vec<&str> = flags.iter().map(String::as_str).collect();
    // More than the HTTP server waits for when nothing is said of it.
    arguments.extend(["--workers", "1"]);
    let serving = ServingProcess::start(&arguments);
    let begun = Instant::now();
    let silent: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect(&serving.address).expect("it listens"))
        .collect();
    let url = format!("https://{}/livez", serving.address);
    let asked = Instant::now();
    let (status, ..) = ask(&certificate.client(false), &url).await.expect("an answer");
    assert_eq!(status, 200);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    for mut connection in silent {
        connection
            .set_read_timeout(Some(Duration::from_secs(12)))
            .expect("a socket");
        match connection.read(&mut [0; 64]) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    }
}

/// Prevents the probe of the image from calling a service dead that speaks TLS.
#[test]
fn the_healthcheck_speaks_tls() {
    let certificate = Certificate::new();
    let mounted = MountedPair::new(&certificate.pem, &certificate.key);
    let flags = mounted.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let serving = ServingProcess::start(&flags);
    let listen = format!("--listen={}", serving.address);
    let with_tls: Vec<&str> = ["healthcheck", &listen].into_iter().chain(flags).collect();
    assert!(process::run(&with_tls).status.success());
    assert!(!process::run(&["healthcheck", &listen]).status.success());
}

/// Prevents a process from starting without the TLS that it was told to serve.
#[test]
fn a_pair_that_cannot_be_used_ends_the_start() {
    let (one, other) = (Certificate::new(), Certificate::new());
    let mounted = MountedPair::new(&one.pem, &other.key);
    let flags = mounted.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let ended = process::run(&flags);
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        said.contains("failed to prepare TLS: failed to put the certificate and the key together"),
        "{said}"
    );
}
