//! What every answer carries.

use crate::harness::{application::TestApplication, process::ServingProcess};

/// Prevents an answer, good or bad, from leaving without the headers that protect a browser.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_security_headers() {
    let application = TestApplication::embedded().await;
    for path in ["/", "/cars", "/nada", "/cars?limit=x"] {
        let answer = application.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
    }
}

/// Prevents a person who reports a request id from being told that it does not exist, and a log from being
/// written into by whoever chooses an id.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_taken_when_fit_and_made_otherwise() {
    let application = TestApplication::embedded().await;
    let ask = |id: &'static str| {
        application
            .client
            .get(format!("{}/nada", application.api))
            .header("x-request-id", id)
    };
    let taken = application.send(ask("app-7.b_1")).await;
    assert_eq!(taken.header("x-request-id"), "app-7.b_1");
    taken.problem(404);
    for unfit in ["", "a b", "\"},{\"", &"x".repeat(129)] {
        let request = application
            .client
            .get(format!("{}/nada", application.api))
            .header("x-request-id", unfit);
        let made = application.send(request).await;
        assert_eq!(made.header("x-request-id").len(), 32, "{unfit:?}");
        made.problem(404);
    }
}

/// Prevents answers from being sent at full size to clients that can unpack them.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_as_the_client_likes() {
    let application = TestApplication::embedded().await;
    for encoding in ["gzip", "br", "zstd"] {
        let request = application
            .client
            .get(format!("{}/cars?limit=200", application.api))
            .header("accept-encoding", encoding);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert!(
            response.headers()["vary"]
                .to_str()
                .unwrap()
                .contains("accept-encoding")
        );
        let packed = response.bytes().await.unwrap();
        let plain = application.get("/cars?limit=200").await.text;
        assert!(
            packed.len() * 3 < plain.len(),
            "{encoding}: {} of {}",
            packed.len(),
            plain.len()
        );
        if encoding == "zstd" {
            assert_eq!(zstd::decode_all(packed.as_ref()).unwrap(), plain.as_bytes());
        }
    }
}

/// Prevents a path, a query or an answer of a buyer from standing in the log, and a request from having no
/// line or two.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_line_of_json_without_anything_of_the_buyer() {
    let mut serving = ServingProcess::start(&[]);
    let client = reqwest::Client::new();
    let url = format!("http://{}", serving.address);
    client
        .get(format!("{url}/cars/secretcar?estado=SP"))
        .header("x-request-id", "one")
        .send()
        .await
        .unwrap();
    let body = serde_json::json!({"orcamento_min": 1, "orcamento_max": 2, "uso_principal": "lazer",
        "financial_capacity": {"monthly_income_range": "12000+"}, "city": "Quixeramobim"});
    client
        .post(format!("{url}/recommend"))
        .header("x-request-id", "two")
        .json(&body)
        .send()
        .await
        .unwrap();
    serving.process.signal("TERM");
    let log = serving.rest_of_log();
    for (id, method, route, status) in [
        ("one", "GET", "/cars/{id}", 404),
        ("two", "POST", "/recommend", 200),
    ] {
        let lines: Vec<_> = log.iter().filter(|line| line["request_id"] == id).collect();
        assert_eq!(lines.len(), 1, "{log:?}");
        assert_eq!(
            (&lines[0]["method"], &lines[0]["route"]),
            (&method.into(), &route.into())
        );
        assert_eq!(lines[0]["status"], status);
        assert!(lines[0]["microseconds"].is_u64());
    }
    let text = format!("{log:?}");
    for private in ["secretcar", "Quixeramobim", "12000", "estado"] {
        assert!(!text.contains(private), "{private}");
    }
}

/// Prevents a sampled log from leaving out what went wrong, or from naming every request all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_sampled_log_names_few_requests_and_every_refusal() {
    let mut serving = ServingProcess::start(&["--access-log-sample", "4", "--limits", "off"]);
    let client = reqwest::Client::new();
    for number in 0..8 {
        for path in ["brands", "nada"] {
            let url = format!("http://{}/{path}", serving.address);
            let request = client.get(url).header("x-request-id", format!("{path}-{number}"));
            request.send().await.unwrap();
        }
    }
    serving.process.signal("TERM");
    let log = serving.rest_of_log();
    let named = |path: &str| {
        let ids = log.iter().filter_map(|line| line["request_id"].as_str());
        ids.filter(|id| id.starts_with(path)).collect::<Vec<_>>()
    };
    assert_eq!(named("brands"), ["brands-0", "brands-4"]);
    assert_eq!(named("nada").len(), 8, "{log:?}");
}
