//! What is not on offer: a car that was sold, and all cars of a dealership that does not sell any more.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    dealers::{ADMIN, Market, row},
    eventually,
};

/// A row of another brand and category than the others.
fn other(id: &str, price: u32, brand: &str, model: &str, category: &str) -> Value {
    let mut row = row(id, price);
    row["marca"] = json!(brand);
    row["modelo"] = json!(model);
    row["categoria"] = json!(category);
    row
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|item| item["id"].as_str().expect("an id"))
        .collect()
}

/// Prevents a buyer from being sent to a car that is sold or to a seller who is gone, by whichever route, and totals from
/// counting them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sold_or_not_sold_any_more_is_offered_nowhere() {
    let market = Market::in_memory().await;
    let application = &market.application;
    let (a, b) = (market.dealership("a").await, market.dealership("b").await);
    let stock = json!([row("a-1", 61_000), other("a-2", 55_000, "Renault", "Kwid", "SUV"),]);
    market.put_stock("a", &a, &stock).await.ok();
    let stock = json!([other("b-1", 72_000, "Toyota", "Corolla", "Sedan")]);
    market.put_stock("b", &b, &stock).await.ok();
    market
        .patch("a", "a-2", &a, json!({"disponivel": false}))
        .await
        .ok();
    let record = json!({"name": "Loja b", "city": "Curitiba", "state": "PR", "active": false});
    let put = market
        .request(Method::PUT, "/api/dealerships/b", ADMIN)
        .json(&record);
    let version = market.send(put).await.ok()["catalog_version"].clone();
    eventually("it is served", async || {
        (application.get("/health").await.ok()["catalog_version"] == version).then_some(())
    })
    .await;

    assert_eq!(ids(&application.get("/cars").await.ok()), ["a-1"]);
    for (filter, found) in [
        ("dealership_id=a", vec!["a-1"]),
        ("dealership_id=b", vec![]),
        ("marca=Renault", vec![]),
    ] {
        let cars = application.get(&format!("/cars?{filter}")).await.ok();
        assert_eq!(ids(&cars), found, "{filter}");
    }
    for sold in ["a-2", "b-1"] {
        let car = application.get(&format!("/cars/{sold}")).await.ok();
        assert_eq!(car["disponivel"], false, "{sold} is shown to who has its link");
    }
    let all = application.get("/dealerships").await.ok();
    assert_eq!(ids(&all), ["a", "b"]);
    let totals = |list: &Value| -> Vec<Value> {
        let list = list.as_array().expect("a list").iter();
        list.map(|dealership| json!([dealership["total_cars"], dealership["avg_price"]]))
            .collect()
    };
    assert_eq!(totals(&all), [json!([1, 61_000.0]), json!([0, null])]);
    let active = application.get("/dealerships?active_only=true").await.ok();
    assert_eq!(ids(&active), ["a"]);

    let mut stats = application.get("/stats").await.ok();
    for changing in ["last_updated", "catalog_version"] {
        stats[changing] = json!(null);
    }
    let totals =
        json!({"total_dealerships": 2, "active_dealerships": 1, "total_cars": 3, "available_cars": 1});
    let mut expected = json!({
        "platform": totals, "avg_price": 61_000.0, "price_range": {"min": 61_000.0, "max": 61_000.0},
        "cars_by_category": {"Hatch": 1}, "cars_by_brand": {"Fiat": 1}, "dealerships_by_state": {"PE": 1, "PR": 1},
        "last_updated": null, "catalog_version": null,
    });
    for (name, total) in totals.as_object().expect("an object") {
        expected[name] = total.clone();
    }
    assert_eq!(stats, expected);
    assert_eq!(application.get("/categories").await.ok(), json!(["Hatch"]));
    assert_eq!(application.get("/brands").await.ok(), json!(["Fiat"]));
    assert_eq!(
        application.get("/brands-models").await.ok(),
        json!({"Fiat": ["Argo"]})
    );

    let answer = application.recommend(json!({"limit": 50})).await.ok();
    let recommended: Vec<&Value> = answer["recommendations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["car"]["id"])
        .collect();
    assert_eq!(recommended, ["a-1"]);
    assert_eq!(answer["alternatives"], json!([]), "nor as what comes close");
}
