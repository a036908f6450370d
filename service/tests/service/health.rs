//! `/`, `/health`, `/livez`, `/readyz`, and that every path also answers under `/api`.

use faciliauto_service::routes::{ENDPOINTS, LIVENESS, READINESS, openapi};
use serde_json::{Value, json};

use crate::harness::application::TestApplication;

/// Prevents the first thing that everybody tries from failing.
#[tokio::test(flavor = "multi_thread")]
async fn with_no_settings_it_is_online_and_healthy_with_the_sample_stock() {
    let application = TestApplication::embedded().await;
    for root in ["/", "/api", "/api/"] {
        assert_eq!(
            application.get(root).await.ok(),
            json!({"status": "online", "service": "FacilIAuto API", "version": env!("CARGO_PKG_VERSION")})
        );
    }
    let health = application.get("/health").await.ok();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["store"], "memory");
    assert_eq!(health["sample"], true);
    assert!(
        health["dealerships"].as_u64().is_some_and(|count| count >= 8),
        "{health}"
    );
    assert!(
        health["cars"].as_u64().is_some_and(|count| count >= 300),
        "{health}"
    );
    for probe in [LIVENESS, READINESS] {
        assert_eq!(application.get(probe).await.status, 200, "{probe}");
    }
}

/// Prevents an endpoint from being reachable at one of its two paths only, and the table of endpoints, which
/// the operator's probes are checked against, from naming what is not served. What is sent is what the description
/// shows, so that an example that no app could send does not stay there either.
#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_answers_at_both_of_its_paths() {
    let application = TestApplication::embedded().await;
    let cars = application.get("/cars?limit=1").await.ok();
    let document = openapi::document();
    let example = |method: &str, path: &str| -> &Value {
        let operation = &document["paths"][path][method.to_lowercase()];
        &operation["requestBody"]["content"]["application/json"]["example"]
    };
    let given = example("POST", "/feedback");
    application.post("/feedback", given).await;
    for endpoint in ENDPOINTS {
        let id = if endpoint.path.starts_with("/cars") {
            &cars[0]["id"]
        } else {
            &cars[0]["dealership_id"]
        };
        let path = endpoint
            .path
            .replace("{id}", id.as_str().expect("an id"))
            .replace("{user_id}", given["user_id"].as_str().expect("an id"))
            .replace("{name}", "page-0123456789abcdef.css");
        for path in [path.clone(), format!("/api{path}")] {
            let answer = match endpoint.method {
                "GET" => application.get(&path).await,
                method => application.post(&path, example(method, endpoint.path)).await,
            };
            assert!(
                matches!(answer.status.as_u16(), 200 | 201),
                "{path}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
}
