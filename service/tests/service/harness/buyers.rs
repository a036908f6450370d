//! What buyers and visitors send.

use reqwest::Method;
use serde_json::{Value, json};

use super::application::{Answer, TestApplication};

/// Ids of cars on offer, in the order of their ids.
pub(crate) async fn cars(application: &TestApplication, count: usize) -> Vec<String> {
    let cars = application.get(&format!("/cars?limit={count}")).await.ok();
    let cars = cars.as_array().expect("a list");
    assert_eq!(cars.len(), count);
    cars.iter()
        .map(|car| car["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// A feedback as the smallest app sends it.
pub(crate) fn feedback(user: &str, car: &str, action: &str) -> Value {
    json!({"user_id": user, "car_id": car, "action": action})
}

/// An interaction as the smallest app sends it.
pub(crate) fn interaction(session: &str, car: &str, kind: &str) -> Value {
    json!({"session_id": session, "car_id": car, "interaction_type": kind})
}

/// The document with other fields.
pub(crate) fn with(mut document: Value, fields: Value) -> Value {
    let whole = document.as_object_mut().expect("an object");
    for (name, value) in fields.as_object().expect("an object") {
        whole.insert(name.clone(), value.clone());
    }
    document
}

/// Lets the clock of the store go on, so that what comes next is newer: it counts milliseconds.
pub(crate) async fn a_moment_passes() {
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
}

/// Sends a document under a name of its own.
pub(crate) async fn post_once(application: &TestApplication, path: &str, body: &Value, name: &str) -> Answer {
    let request = application
        .client
        .post(format!("{}{path}", application.api))
        .header("idempotency-key", name)
        .json(body);
    application.send(request).await
}

/// Asks for something of a person with their key.
pub(crate) async fn with_key(application: &TestApplication, method: Method, path: &str, key: &str) -> Answer {
    let request = application
        .client
        .request(method, format!("{}{path}", application.api))
        .header("x-user-key", key);
    application.send(request).await
}
