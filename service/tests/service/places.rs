//! Where a buyer is: `city`, `state`, `priorizar_proximas` and `raio_maximo_km` of `POST /recommend`.

use serde_json::{Value, json};

use crate::harness::application::TestApplication;

/// Prevents a buyer from reading another place than the one that was used, or a list without distances.
#[tokio::test(flavor = "multi_thread")]
async fn a_city_brings_distances_and_its_state() {
    let application = TestApplication::embedded().await;
    let answer = application
        .recommend(json!({"city": "sao paulo", "limit": 3}))
        .await
        .ok();
    assert_eq!(answer["profile_summary"]["location"], "São Paulo, SP");
    assert_eq!(answer["warnings"], json!([]));
    for item in answer["recommendations"].as_array().expect("a list") {
        assert!(item["distance_km"].is_u64(), "{item}");
        let parts = item["contributions"].as_array().expect("a list");
        let said = parts.iter().find(|part| part["criterion"] == "distancia");
        assert!(said.is_some(), "{parts:?}");
        // Taxes are the buyer's, not the dealer's.
        let assumptions = item["tco_breakdown"]["assumptions"].to_string();
        assert!(assumptions.contains("ao ano em SP"), "{assumptions}");
    }
    let indifferent = application
        .recommend(json!({"city": "São Paulo", "priorizar_proximas": false}))
        .await
        .ok();
    assert!(!indifferent.to_string().contains("distancia"), "{indifferent}");
    assert!(indifferent["recommendations"][0]["distance_km"].is_u64());
}

/// Prevents a buyer who names only the state from getting distances that nobody can know.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_alone_is_a_place_too() {
    let application = TestApplication::embedded().await;
    let answer = application.recommend(json!({"state": "sp"})).await.ok();
    assert_eq!(answer["profile_summary"]["location"], "SP");
    let first = &answer["recommendations"][0];
    assert!(first.get("distance_km").is_none(), "{first}");
    assert!(
        first["contributions"].to_string().contains("seu estado"),
        "{first}"
    );
    let nowhere = application
        .recommend(json!({"priorizar_proximas": true}))
        .await
        .ok();
    assert_eq!(nowhere["warnings"][0]["pointer"], "/priorizar_proximas");
    assert!(nowhere["profile_summary"]["location"].is_null());
}

fn only_error(problem: &Value) -> (&str, &str, &str) {
    let errors = problem["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 1, "{problem}");
    let text = |name: &str| errors[0][name].as_str().expect("a text");
    (text("pointer"), text("code"), text("message"))
}

/// Prevents a slip of the finger from ending in a refusal without a way out.
#[tokio::test(flavor = "multi_thread")]
async fn a_city_that_is_not_known_or_not_one_is_refused_with_a_way_out() {
    let application = TestApplication::embedded().await;
    let unknown = application
        .recommend(json!({"city": "Canpinas"}))
        .await
        .problem(422);
    assert_eq!(
        only_error(&unknown),
        (
            "/city",
            "unknown",
            "não encontramos a cidade \"Canpinas\"; você quis dizer Campinas/SP, Canoinhas/SC ou Carpina/PE?"
        )
    );
    let elsewhere = application
        .recommend(json!({"city": "Campinas", "state": "AC", "raio_maximo_km": 50}))
        .await
        .problem(422);
    assert!(
        only_error(&elsewhere)
            .2
            .starts_with("não encontramos a cidade \"Campinas\" em AC; você quis dizer "),
        "{elsewhere}"
    );
    let ambiguous = application
        .recommend(json!({"city": "bom jesus"}))
        .await
        .problem(422);
    assert_eq!(
        only_error(&ambiguous),
        (
            "/state",
            "missing",
            "há mais de uma cidade com o nome \"bom jesus\": informe também o estado (PB, PI, RN, RS ou SC)"
        )
    );
    let long = application
        .recommend(json!({"city": "x".repeat(5_000)}))
        .await
        .problem(422);
    assert!(only_error(&long).2.len() < 300, "{long}");
}

/// Prevents a radius that finds little from ending the search: what comes close is offered apart, saying why.
#[tokio::test(flavor = "multi_thread")]
async fn alternatives_stand_apart_and_say_what_was_given_up() {
    let application = TestApplication::embedded().await;
    let answer = application
        .recommend(json!({"city": "Manaus", "raio_maximo_km": 100, "limit": 4}))
        .await
        .ok();
    assert_eq!(answer["total_recommendations"], 0);
    assert!(
        answer["suggestion"]
            .as_str()
            .expect("a sentence")
            .contains("o raio de 100 km"),
        "{answer}"
    );
    let alternatives = answer["alternatives"].as_array().expect("a list");
    assert_eq!(alternatives.len(), 4);
    for item in alternatives {
        assert_eq!(item["relaxed"], json!(["raio_maximo_km"]));
        assert!(item["distance_km"].as_u64().expect("a distance") > 100);
        assert!(
            item["car"]["preco"].is_f64() && item["tco_breakdown"].is_object(),
            "{item}"
        );
    }
    let enough = application.recommend(json!({})).await.ok();
    assert_eq!(enough["alternatives"], json!([]));
    assert!(enough["recommendations"][0].get("relaxed").is_none());
}
