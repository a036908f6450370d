//! `POST /refine-recommendations`.

use serde_json::{Value, json};

use crate::harness::application::TestApplication;

fn profile() -> Value {
    json!({"orcamento_min": 50_000, "orcamento_max": 90_000, "uso_principal": "familia", "limit": 8,
        "marcas_preferidas": ["VW"], "tipos_preferidos": ["SUV"]})
}

fn judged(cars: &[(&str, &str)]) -> Value {
    cars.iter()
        .map(|(car, action)| json!({"car_id": car, "action": action}))
        .collect()
}

/// Ids of available cars, from those with the best value of a score to those with the worst.
async fn by_score(application: &TestApplication, score: &str) -> Vec<String> {
    let cars = application.get("/cars?limit=200").await.ok();
    let mut cars: Vec<(f64, String)> = cars
        .as_array()
        .expect("a list")
        .iter()
        .map(|car| {
            let id = car["id"].as_str().expect("an id").to_owned();
            (car[score].as_f64().expect("a score"), id)
        })
        .collect();
    cars.sort_by(|one, other| other.0.total_cmp(&one.0));
    cars.into_iter().map(|(_, id)| id).collect()
}

/// Prevents likes and dislikes from teaching nothing, from teaching the opposite, or from being explained with a weight
/// that the list was not made with.
#[tokio::test(flavor = "multi_thread")]
async fn likes_and_dislikes_move_priorities_and_the_list() {
    let application = TestApplication::embedded().await;
    let cars = by_score(&application, "score_seguranca").await;
    let (best, worst) = (&cars[..2], &cars[cars.len() - 2..]);
    let body = json!({
        "user_id": "maria", "session_id": "sessao-1", "current_profile": profile(),
        "feedbacks": judged(&[(&best[0], "liked"), (&best[1], "clicked_whatsapp"), (&worst[0], "disliked"),
            (&worst[1], "disliked"), (&cars[50], "viewed_details")]),
        "max_iterations": 3, "target_score": 0.99,
    });
    let answer = application.post("/refine-recommendations", &body).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.ok();
    assert_eq!(answer["user_id"], "maria");
    assert_eq!(answer["session_id"], "sessao-1");
    assert_eq!(answer["iteration"], 1);
    assert_eq!(answer["converged"], false);
    assert_eq!(answer["target_score"], 0.99);
    let recommendations = answer["recommendations"].as_array().expect("a list");
    assert_eq!(answer["total_recommendations"], recommendations.len());
    let highest = recommendations
        .iter()
        .map(|item| item["match_score"].as_f64().expect("a score"))
        .fold(0.0, f64::max);
    assert_eq!(answer["best_score"], highest);
    assert_eq!(answer["warnings"], json!([]));
    for field in ["filters", "alternatives", "catalog_version", "profile_summary"] {
        assert!(!answer[field].is_null(), "{field}");
    }

    let updated = &answer["updated_profile"];
    assert_eq!(updated["prioridades"]["seguranca"], 4, "{updated}");
    assert_eq!(updated["marcas_preferidas"], json!(["VW"]));
    assert_eq!(updated["tipos_preferidos"], json!(["SUV"]));
    let adjustments = &answer["weight_adjustments"];
    for weights in ["original_weights", "adjusted_weights"] {
        let sum: f64 = adjustments[weights]
            .as_object()
            .expect("weights")
            .values()
            .map(|weight| weight.as_f64().expect("a number"))
            .sum();
        assert_eq!(sum, 1.0, "{weights}");
    }
    let weight = |which: &str| adjustments[which]["seguranca"].as_f64().expect("a weight");
    assert!(weight("adjusted_weights") > weight("original_weights"));
    assert_eq!(adjustments["confidence_score"], 0.4);
    let reason = adjustments["adjustment_reason"].as_str().expect("a reason");
    assert!(reason.contains("segurança subiu de 3 para 4"), "{reason}");
    let insights = answer["insights"].as_array().expect("a list");
    assert_eq!(insights[0], reason);
    assert!(
        insights[1]
            .as_str()
            .expect("a text")
            .starts_with("1 avaliação não diz")
    );
    assert!(!answer["next_steps"].as_str().expect("a text").is_empty());

    // The same list as the new profile gets by itself.
    let mut new_profile = profile();
    new_profile["prioridades"] = updated["prioridades"].clone();
    let afresh = application.recommend(new_profile).await.ok();
    let before = application.recommend(profile()).await.ok();
    let ids = |answer: &Value| -> Vec<Value> {
        let list = answer["recommendations"].as_array().expect("a list");
        list.iter().map(|item| item["car"]["id"].clone()).collect()
    };
    assert_eq!(ids(&answer), ids(&afresh));
    let was = ids(&before);
    for (place, item) in recommendations.iter().enumerate() {
        let better = was
            .iter()
            .position(|id| *id == item["car"]["id"])
            .is_none_or(|was| was > place);
        assert_eq!(item["improved"], better, "{place}");
    }
}

/// Prevents one opinion from turning a profile upside down, and a list that stays from being called improved.
#[tokio::test(flavor = "multi_thread")]
async fn too_little_feedback_changes_nothing_and_says_so() {
    let application = TestApplication::embedded().await;
    let cars = by_score(&application, "score_conforto").await;
    let body = json!({"current_profile": profile(), "target_score": 0.1,
        "feedbacks": judged(&[(&cars[0], "liked"), ("no-such-car", "disliked")])});
    let answer = application.post("/api/refine-recommendations", &body).await.ok();
    assert_eq!(answer["user_id"], Value::Null);
    assert_eq!(answer["converged"], true);
    let adjustments = &answer["weight_adjustments"];
    assert_eq!(adjustments["original_weights"], adjustments["adjusted_weights"]);
    assert_eq!(adjustments["confidence_score"], 0.0);
    let reason = adjustments["adjustment_reason"].as_str().expect("a reason");
    assert!(reason.contains("Faltam 2 avaliações"), "{reason}");
    assert!(reason.contains("não está mais no estoque"), "{reason}");
    for item in answer["recommendations"].as_array().expect("a list") {
        assert_eq!(item["improved"], false);
    }
}

/// Prevents a mistake in the profile from pointing at a field that the app did not send there, and a bad feedback from
/// being passed over.
#[tokio::test(flavor = "multi_thread")]
async fn mistakes_point_into_the_document() {
    let application = TestApplication::embedded().await;
    let good = judged(&[("a", "liked")]);
    for (body, status, pointers) in [
        (json!({}), 422, json!(["/current_profile", "/feedbacks"])),
        (json!([]), 422, json!([""])),
        (
            json!({"current_profile": {"orcamento_min": "x", "orcamento_max": 1}, "feedbacks": [{"action": "amei"}, 7]}),
            422,
            json!([
                "/current_profile/orcamento_min",
                "/current_profile/uso_principal",
                "/feedbacks/0/car_id",
                "/feedbacks/0/action",
                "/feedbacks/1"
            ]),
        ),
        (
            json!({"current_profile": profile(), "feedbacks": good, "target_score": 1.1, "max_iterations": 0,
                "user_id": "a\u{7}", "session_id": "x".repeat(129)}),
            422,
            json!(["/user_id", "/session_id", "/max_iterations", "/target_score"]),
        ),
        (
            json!({"current_profile": profile(), "feedbacks": vec![json!({"car_id": "a", "action": "liked"}); 501]}),
            422,
            json!(["/feedbacks"]),
        ),
        (
            json!({"current_profile": {"orcamento_min": 2, "orcamento_max": 1, "uso_principal": "lazer"},
                "feedbacks": good}),
            400,
            json!(["/current_profile/orcamento_max"]),
        ),
    ] {
        let problem = application
            .post("/refine-recommendations", &body)
            .await
            .problem(status);
        let found: Value = problem["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["pointer"].clone())
            .collect();
        assert_eq!(found, pointers, "{problem}");
    }
    let empty = json!({"current_profile": profile(), "feedbacks": []});
    let problem = application
        .post("/refine-recommendations", &empty)
        .await
        .problem(400);
    assert_eq!(problem["type"], "urn:problem-type:faciliauto:no-feedback");

    let odd = json!({"current_profile": {"orcamento_min": 1, "orcamento_max": 90_000, "uso_principal": "lazer",
        "cor": "azul"}, "feedbacks": [{"car_id": "a", "action": "liked", "car_preco": 1, "humor": 1}], "extra": 1});
    let answer = application.post("/refine-recommendations", &odd).await.ok();
    let found: Vec<&str> = answer["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .map(|warning| warning["pointer"].as_str().expect("a pointer"))
        .collect();
    assert_eq!(found, ["/current_profile/cor", "/feedbacks/0/humor", "/extra"]);
}
