//! `GET /dealerships` and `GET /dealerships/{id}`.

use crate::harness::application::TestApplication;

/// Prevents an app from losing a field of a dealership that it reads, and totals from being invented.
#[tokio::test(flavor = "multi_thread")]
async fn a_dealership_has_every_field_and_true_totals() {
    let application = TestApplication::embedded().await;
    let list = application.get("/dealerships?active_only=true").await.ok();
    let list = list.as_array().expect("a list");
    assert!(list.len() >= 8);
    let dealership = &list[0];
    let id = dealership["id"].as_str().expect("an id");
    assert_eq!(
        &application.get(&format!("/dealerships/{id}")).await.ok(),
        dealership
    );
    for field in [
        "id",
        "name",
        "city",
        "state",
        "region",
        "phone",
        "whatsapp",
        "email",
        "website",
        "latitude",
        "longitude",
        "active",
        "verified",
        "premium",
        "total_cars",
        "avg_price",
    ] {
        assert!(!dealership[field].is_null(), "{field}: {dealership}");
    }
    let cars = application
        .get(&format!("/cars?limit=200&dealership_id={id}"))
        .await
        .ok();
    let prices: Vec<f64> = cars
        .as_array()
        .expect("a list")
        .iter()
        .map(|car| car["preco"].as_f64().expect("a price"))
        .collect();
    assert_eq!(dealership["total_cars"], prices.len());
    let mean = prices.iter().sum::<f64>() / prices.len() as f64;
    assert!((dealership["avg_price"].as_f64().expect("a price") - mean).abs() < 0.01);
    application.get("/dealerships/nobody").await.problem(404);
    application
        .get("/dealerships?active_only=perhaps")
        .await
        .problem(422);
}
