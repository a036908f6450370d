//! `/`, `/health`, `/livez`, `/readyz`, and that every path also answers under `/api`.

use faciliauto_service::routes::{ENDPOINTS, LIVENESS, READINESS};
use serde_json::json;

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
/// the operator's probes are checked against, from naming what is not served.
#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_answers_at_both_of_its_paths() {
    let application = TestApplication::embedded().await;
    let cars = application.get("/cars?limit=1").await.ok();
    for endpoint in ENDPOINTS {
        let id = if endpoint.path.starts_with("/cars") {
            &cars[0]["id"]
        } else {
            &cars[0]["dealership_id"]
        };
        // The one who gives feedback before, in the order of the table.
        let buyer = "9f0c2a4e-5b7d-4e1f-8a3b-0c1d2e3f4a5b";
        let path = endpoint
            .path
            .replace("{id}", id.as_str().expect("an id"))
            .replace("{user_id}", buyer)
            .replace("{name}", "page-0123456789abcdef.css");
        for path in [path.clone(), format!("/api{path}")] {
            let answer = match endpoint.method {
                "GET" => application.get(&path).await,
                _ => {
                    let questionnaire =
                        json!({"orcamento_min": 1, "orcamento_max": 90_000, "uso_principal": "lazer"});
                    let car = &cars[0]["id"];
                    let body = match endpoint.path {
                        "/recommend" => questionnaire,
                        "/refine-recommendations" => json!({"current_profile": questionnaire,
                            "feedbacks": [{"car_id": car, "action": "liked"}]}),
                        "/feedback" => json!({"user_id": buyer, "car_id": car, "action": "liked"}),
                        _ => json!({"session_id": buyer, "car_id": car, "interaction_type": "click"}),
                    };
                    application.post(&path, &body).await
                }
            };
            assert!(answer.status.is_success(), "{path}: {}", answer.text);
        }
    }
}
