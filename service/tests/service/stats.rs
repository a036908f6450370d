//! `/stats`, `/categories`, `/brands`, `/brands-models`, `/fuel-price`.

use crate::harness::application::TestApplication;

/// Prevents totals that do not add up, or that an old app does not find where it looks.
#[tokio::test(flavor = "multi_thread")]
async fn statistics_add_up() {
    let application = TestApplication::embedded().await;
    let answer = application.get("/stats").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let stats = answer.ok();
    for total in [
        "total_dealerships",
        "active_dealerships",
        "total_cars",
        "available_cars",
    ] {
        assert_eq!(stats[total], stats["platform"][total]);
        assert!(stats[total].as_u64().is_some_and(|count| count > 0), "{total}");
    }
    let sum = |map: &str| -> u64 {
        stats[map]
            .as_object()
            .expect("a map")
            .values()
            .map(|count| count.as_u64().expect("a count"))
            .sum()
    };
    assert_eq!(sum("cars_by_category"), stats["available_cars"]);
    assert_eq!(sum("cars_by_brand"), stats["available_cars"]);
    assert_eq!(sum("dealerships_by_state"), stats["total_dealerships"]);
    let (least, mean, most) = (
        &stats["price_range"]["min"],
        &stats["avg_price"],
        &stats["price_range"]["max"],
    );
    assert!(
        least.as_f64() < mean.as_f64() && mean.as_f64() < most.as_f64(),
        "{stats}"
    );
    assert!(
        stats["last_updated"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z')),
        "{stats}"
    );
}

/// Prevents a list for a form from being unsorted or from lacking what the stock has.
#[tokio::test(flavor = "multi_thread")]
async fn lists_for_forms_are_sorted_and_complete() {
    let application = TestApplication::embedded().await;
    let stats = application.get("/stats").await.ok();
    let keys = |map: &serde_json::Value| -> Vec<String> {
        map.as_object().expect("a map").keys().cloned().collect()
    };
    for (path, map) in [("/brands", "cars_by_brand"), ("/categories", "cars_by_category")] {
        let list = application.get(path).await.ok();
        let list: Vec<String> = list
            .as_array()
            .expect("a list")
            .iter()
            .map(|word| word.as_str().expect("a word").to_owned())
            .collect();
        assert_eq!(list, keys(&stats[map]), "{path}");
        assert!(list.is_sorted(), "{path}");
    }
    let models = application.get("/brands-models").await.ok();
    assert_eq!(keys(&models), keys(&stats["cars_by_brand"]));
    for path in ["/categories", "/brands", "/brands-models"] {
        let under = application.get(&format!("/api{path}")).await;
        assert_eq!(under.ok(), application.get(path).await.ok(), "{path}");
    }
    for models in models.as_object().expect("a map").values() {
        let models: Vec<&str> = models
            .as_array()
            .expect("a list")
            .iter()
            .map(|model| model.as_str().expect("a name"))
            .collect();
        assert!(!models.is_empty() && models.is_sorted(), "{models:?}");
    }
}

/// Prevents a price of energy without its day and source.
#[tokio::test(flavor = "multi_thread")]
async fn energy_prices_say_since_when() {
    let application = TestApplication::embedded().await;
    let answer = application.get("/fuel-price").await.ok();
    let prices = answer["prices"].as_array().expect("a list");
    assert_eq!(prices.len(), 5);
    for price in prices {
        assert!(
            price["price"].as_f64().is_some_and(|price| price > 0.0),
            "{price}"
        );
        assert_eq!(
            price["valid_from"].as_str().map(str::len),
            Some("2026-11-25".len()),
            "{price}"
        );
    }
}
