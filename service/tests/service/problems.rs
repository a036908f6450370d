//! Every refusal has one form, whoever makes it.

use std::io::{Read, Write};

use reqwest::Method;

use crate::harness::application::TestApplication;

/// Prevents a program from meeting an empty or plain body where it expects a problem.
#[tokio::test(flavor = "multi_thread")]
async fn every_source_of_errors_answers_with_a_problem() {
    let application = TestApplication::embedded().await;
    let client = &application.client;
    let post = |body: Vec<u8>, kind: &'static str| {
        client
            .post(format!("{}/recommend", application.api))
            .header("content-type", kind)
            .body(body)
    };
    let json_type = "application/json";
    for (request, status, kind) in [
        (
            client.get(format!("{}/nada", application.api)),
            404,
            "route-not-found",
        ),
        (
            client.get(format!("{}/api/nada", application.api)),
            404,
            "route-not-found",
        ),
        (
            client.get(format!("{}/metrics", application.api)),
            404,
            "route-not-found",
        ),
        (
            post(b"{\"orcamento_min\":".to_vec(), json_type),
            400,
            "broken-json",
        ),
        (post(b"".to_vec(), json_type), 400, "broken-json"),
        (
            post([b"[".repeat(500), b"]".repeat(500)].concat(), json_type),
            400,
            "broken-json",
        ),
        (post(b"\xff".to_vec(), json_type), 400, "broken-json"),
        (
            post(b"a=1".to_vec(), "application/x-www-form-urlencoded"),
            415,
            "unsupported-media-type",
        ),
        (post(vec![b' '; (64 << 10) + 1], json_type), 413, "body-too-large"),
        (
            post(b"not gzip".to_vec(), json_type).header("content-encoding", "gzip"),
            400,
            "broken-body",
        ),
        (
            post(b"{}".to_vec(), json_type).header("content-encoding", "compress"),
            415,
            "unsupported-media-type",
        ),
        (
            client
                .post(format!("{}/feedback", application.api))
                .header("content-type", json_type)
                .header("content-encoding", "gzip, gzip")
                .body("{}"),
            415,
            "unsupported-media-type",
        ),
        (
            client
                .get(format!("{}/cars", application.api))
                .header("accept-encoding", "identity;q=0"),
            406,
            "not-acceptable",
        ),
    ] {
        let problem = application.send(request).await.problem(status);
        assert_eq!(problem["type"], format!("urn:problem-type:faciliauto:{kind}"));
    }
}

/// Prevents a small compressed body from becoming a large one in memory.
#[tokio::test(flavor = "multi_thread")]
async fn the_limit_counts_what_a_body_unpacks_to() {
    let application = TestApplication::embedded().await;
    let packed = zstd::encode_all(vec![b' '; 8 << 20].as_slice(), 3).unwrap();
    assert!(packed.len() < 4096);
    let request = application
        .client
        .post(format!("{}/recommend", application.api))
        .header("content-type", "application/json")
        .header("content-encoding", "zstd")
        .body(packed);
    application.send(request).await.problem(413);
}

/// Prevents a client from having to guess which method a path takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_names_the_right_one() {
    let application = TestApplication::embedded().await;
    for (method, path, allow) in [
        (Method::DELETE, "/cars", "GET, HEAD"),
        (Method::POST, "/api/health", "GET, HEAD"),
        (Method::GET, "/recommend", "POST"),
        (Method::POST, "/api/users/x/data", "GET, HEAD, DELETE"),
        (Method::DELETE, "/dealerships/x", "GET, HEAD, PUT"),
        (Method::POST, "/api/dealerships/x/stock", "GET, HEAD, PUT"),
        (Method::PUT, "/dealerships/x/token", "POST, DELETE"),
        (Method::GET, "/dealerships/x/cars/y", "PATCH"),
    ] {
        let request = application
            .client
            .request(method, format!("{}{path}", application.api));
        let answer = application.send(request).await;
        assert_eq!(answer.header("allow"), allow, "{path}");
        answer.problem(405);
    }
    let head = application
        .send(application.client.head(format!("{}/cars", application.api)))
        .await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}

/// Prevents a request that is no HTTP from taking the server down.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_on_the_wire_is_refused() {
    let application = TestApplication::embedded().await;
    let address = application.api.trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        connection.write_all(b"nonsense\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    application.get("/health").await.ok();
}
