//! What clients send in quantity stays bounded: names of series, memory of an upload, heads.

use std::io::Write;

use actix_web::web::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::{StreamExt, stream};
use http_body_util::Empty;
use reqwest::Method;

use crate::harness::{
    application::TestApplication,
    dealers::{ADMIN, AdminFile},
    process::ServingProcess,
    tls::{Certificate, MountedPair},
};

const REQUESTS: usize = 10_000;

/// Something that a scan would ask for; the same shapes come again every 720 requests, with other words in them.
fn odd(application: &TestApplication, index: usize) -> reqwest::RequestBuilder {
    let word = format!("w{index}w");
    let paths = [
        format!("/{word}"),
        format!("/cars/{word}"),
        format!("/api/cars/{word}"),
        format!("/api/{word}/cars"),
        format!("/dealerships/{word}"),
        format!("/dealerships/{word}/stock"),
        format!("/api/dealerships/{word}/cars/{word}"),
        format!("/assets/{word}"),
        format!("/recommend?{word}={word}"),
        format!("/%63ars/%77{word}"),
        format!("//{word}//"),
        format!("/cars/{word}%2F{word}"),
    ];
    let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", &word, "get",
    ];
    let hosts = ["x", &word, "127.0.0.1:1", "a.example", "[::1]", "é"];
    let path = &paths[index % paths.len()];
    let method = methods[index / paths.len() % methods.len()];
    let host = hosts[index / (paths.len() * methods.len()) % hosts.len()];
    application
        .client
        .request(
            Method::from_bytes(method.as_bytes()).expect("a method"),
            format!("{}{path}", application.api),
        )
        .header("host", host.as_bytes())
        .header("x-request-id", &word)
        .header("user-agent", &word)
}

async fn ask(application: &TestApplication, numbers: std::ops::Range<usize>) {
    stream::iter(numbers)
        .map(|index| odd(application, index).send())
        .buffer_unordered(8)
        .for_each(|answer| async move {
            let _ = answer.expect("an answer").bytes().await;
        })
        .await;
}

async fn series(application: &TestApplication) -> (usize, String) {
    let url = format!("{}/metrics", application.metrics);
    let answer = application.client.get(url).send().await.expect("an answer");
    let text = answer.text().await.expect("a body");
    (text.lines().filter(|line| !line.starts_with('#')).count(), text)
}

/// Prevents whoever scans for addresses from filling the memory of the process and of the database of metrics, a
/// series for each word of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_adds_no_series_of_its_own() {
    let application = TestApplication::embedded().await;
    ask(&application, 0..1440).await;
    let (after_each_shape, _) = series(&application).await;
    ask(&application, 1440..REQUESTS).await;
    let (after_all, text) = series(&application).await;
    assert_eq!(after_all, after_each_shape);
    assert!(after_all < 3000, "{after_all}");
    let made_up = text
        .lines()
        .find(|line| line.contains("w1") && line.contains("1w"));
    assert_eq!(made_up, None);
    application.get("/health").await.ok();
}

/// Prevents a quarter of a megabyte on the wire from becoming a quarter of a gigabyte in memory, or from being
/// unpacked without end.
#[tokio::test(flavor = "multi_thread")]
async fn lines_beyond_the_bound_are_refused_and_were_never_held() {
    let admins = AdminFile::new();
    let path = admins.path();
    let serving = ServingProcess::start(&["--admin-token-file", path.to_str().expect("a path")]);
    let client = reqwest::Client::new();
    let url = format!("http://{}/api/dealerships/loja", serving.address);
    let record = serde_json::json!({"name": "Loja", "city": "Recife", "state": "PE"});
    let made = client.put(&url).bearer_auth(ADMIN).json(&record).send().await;
    assert_eq!(made.expect("an answer").status(), 201);
    let before = serving.process.peak_mebibytes();
    let line = [vec![b' '; (64 << 10) - 1], vec![b'\n']].concat();
    let lines = (256 << 20) / line.len();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..lines {
        packed.write_all(&line).expect("memory");
    }
    packed.write_all(b"\n").expect("memory");
    let packed = packed.finish().expect("memory");
    assert!(packed.len() < 4 << 20, "{}", packed.len());
    let put = client
        .put(format!("{url}/stock"))
        .bearer_auth(ADMIN)
        .header("content-type", "application/x-ndjson")
        .header("content-encoding", "gzip")
        .body(packed);
    let answer = put.send().await.expect("an answer");
    assert_eq!(answer.status(), 413, "{}", answer.text().await.expect("a body"));
    let grown = serving.process.peak_mebibytes() - before;
    assert!(grown < 64.0, "{grown} MiB more");
}

/// Prevents whoever knows no token from filling the memory with a few KiB that unpack to gigabytes: the limit must
/// count while a body is unpacked, not afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_never_becomes_a_large_one() {
    let serving = ServingProcess::start(&[]);
    let client = reqwest::Client::new();
    let ask = async |encoding: &str, body: Vec<u8>| {
        assert!(body.len() < 64 << 10, "{}", body.len());
        let post = client
            .post(format!("http://{}/recommend", serving.address))
            .header("content-type", "application/json")
            .header("content-encoding", encoding)
            .body(body);
        post.send().await.expect("an answer").status().as_u16()
    };
    let zeros = vec![b' '; 1 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).expect("memory");
    for _ in 0..48 {
        gzip.write_all(&zeros).expect("memory");
    }
    for _ in 0..1024 {
        zstd.write_all(&zeros).expect("memory");
    }
    // What any request takes is taken before.
    assert_eq!(ask("identity", b"{}".to_vec()).await, 422);
    let before = serving.process.peak_mebibytes();
    assert_eq!(ask("gzip", gzip.finish().expect("memory")).await, 413);
    assert_eq!(ask("zstd", zstd.finish().expect("memory")).await, 413);
    let grown = serving.process.peak_mebibytes() - before;
    assert!(grown < 16.0, "{grown} MiB more");
}

/// Prevents a head that is small on the wire, as HTTP/2 packs them, from being taken where HTTP/1.1 refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_head_over_http2_is_a_problem() {
    let certificate = Certificate::new();
    let mounted = MountedPair::new(&certificate.pem, &certificate.key);
    let application = TestApplication::over_tls(&mounted).await;
    let client = certificate.client(false);
    for (headers, length, status) in [(1, 100_000, 200), (2, 70_000, 431), (97, 1, 431), (90, 1, 200)] {
        let mut request = hyper::Request::get(format!("{}/livez", application.api));
        for index in 0..headers {
            request = request.header(format!("x-{index}"), "a".repeat(length));
        }
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let answer = client.request(request).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{headers} of {length}");
        assert_eq!(format!("{:?}", answer.version()), "HTTP/2.0");
        if status == 431 {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
    }
}
