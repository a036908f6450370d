//! Pages of other sites.

use reqwest::Method;
use serde_json::json;

use crate::harness::application::{Answer, TestApplication};

const OURS: &str = "https://loja.example";

async fn application() -> TestApplication {
    TestApplication::start(&[
        (
            "FACILIAUTO_CORS_ORIGINS",
            "http://localhost:5173, https://Loja.example",
        ),
        ("FACILIAUTO_LIMITS", "local"),
    ])
    .await
}

async fn ask(application: &TestApplication, method: Method, path: &str, origin: &str) -> Answer {
    let url = format!("{}{path}", application.api);
    let mut request = application
        .client
        .request(method.clone(), url)
        .header("origin", origin);
    if method == Method::OPTIONS {
        request = request.header("access-control-request-method", "POST");
    }
    application.send(request).await
}

fn varies_by_origin(answer: &Answer) -> bool {
    let values = answer.headers.get_all("vary").iter();
    values.into_iter().any(|value| value == "origin")
}

/// Prevents a configured page from being kept out, and from seeing of a refusal only that there was one.
#[tokio::test(flavor = "multi_thread")]
async fn a_configured_origin_reads_answers_and_problems() {
    let application = application().await;
    for (path, status) in [("/cars", 200), ("/nada", 404), ("/cars?limit=x", 422)] {
        for origin in [OURS, "http://localhost:5173"] {
            let answer = ask(&application, Method::GET, path, origin).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
            assert!(
                answer
                    .header("access-control-expose-headers")
                    .contains("X-Request-Id")
            );
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            assert!(varies_by_origin(&answer), "{path}");
        }
    }
}

/// Prevents a browser from not sending a questionnaire because its question before it was refused, counted
/// against the limit, or answered by a route.
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_before_anything_else() {
    let application = application().await;
    for _ in 0..30 {
        let answer = ask(&application, Method::OPTIONS, "/recommend", OURS).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        assert!(
            answer
                .header("access-control-allow-headers")
                .contains("content-type")
        );
        assert_eq!(answer.header("access-control-max-age"), "7200");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(varies_by_origin(&answer));
    }
    application.recommend(json!({})).await.ok();
}

/// Prevents a page that nobody configured from calling the API, also when its name begins or ends like ours.
#[tokio::test(flavor = "multi_thread")]
async fn other_origins_get_nothing() {
    let configured = application().await;
    let none = TestApplication::embedded().await;
    for origin in [
        "https://loja.example.evil",
        "http://loja.example",
        "https://loja.example:444",
        "null",
        "*",
    ] {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = ask(&configured, method.clone(), "/cars", origin).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
            assert!(
                varies_by_origin(&answer),
                "a cache must not keep this for the others"
            );
            if method == Method::OPTIONS {
                answer.problem(405);
            }
        }
    }
    let answer = ask(&none, Method::GET, "/cars", OURS).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert!(!varies_by_origin(&answer), "nothing depends on it");
}
