//! `POST /recommend`.

use serde_json::{Value, json};

use crate::harness::application::TestApplication;

fn pointers(list: &Value) -> Vec<&str> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|item| item["pointer"].as_str().expect("a pointer"))
        .collect()
}

/// Every field that an app can send.
fn complete() -> Value {
    json!({
        "city": "Campinas", "state": "sp", "priorizar_proximas": true, "raio_maximo_km": 700,
        "frequencia_uso": "diaria", "tamanho_familia": 4, "necessita_espaco": true, "tem_criancas": true,
        "tem_idosos": false,
        "prioridades": {"economia": 4, "espaco": 5, "performance": 1, "conforto": 3, "seguranca": 5,
            "revenda": 2, "confiabilidade": 4, "custo_manutencao": 3},
        "marcas_preferidas": ["VW", "fiat"], "marcas_rejeitadas": ["Renault"],
        "tipos_preferidos": ["SUV", "sedan"], "combustivel_preferido": "Flex", "cambio_preferido": ["automático"],
        "ano_minimo": 2015, "ano_maximo": 2026, "km_maxima": 120_000, "must_haves": ["ar_condicionado"],
        "primeiro_carro": false, "experiencia_anos": 12,
        "financial_capacity": {"monthly_income_range": "8000-12000", "max_monthly_tco": 3500, "is_disclosed": true},
        "entrada": 20_000, "prazo_meses": 36, "taxa_mes": 0.019, "km_mes": 900, "limit": 3, "diversificar": true,
    })
}

/// Prevents an app from losing a field of the answer that it reads, and points from not summing to the match.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_every_field_that_apps_read() {
    let application = TestApplication::embedded().await;
    let answer = application.recommend(complete()).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.ok();
    assert_eq!(answer["total_recommendations"], 3);
    assert_eq!(answer["profile_summary"]["budget_range"], "R$ 50.000 - R$ 90.000");
    assert_eq!(answer["profile_summary"]["usage"], "familia");
    assert_eq!(answer["profile_summary"]["location"], "Campinas, SP");
    assert_eq!(
        answer["profile_summary"]["top_priorities"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert!(
        answer["catalog_version"]
            .as_str()
            .is_some_and(|version| version.ends_with(".1")),
        "{answer}"
    );
    assert!(answer.get("message").is_none(), "{answer}");
    for item in answer["recommendations"].as_array().expect("a list") {
        let percentage = item["match_percentage"].as_f64().expect("a percentage");
        let score = item["match_score"].as_f64().expect("a score");
        assert!((score * 100.0 - percentage).abs() < 1e-9, "{item}");
        let comparison = &item["comparison"];
        assert!(comparison["match_percentage"].is_f64(), "{item}");
        for side in ["advantage", "drawback"] {
            let difference = &comparison[side];
            assert!(
                difference.is_null()
                    || difference["points"].as_f64() > Some(0.0) && difference["criterion"].is_string(),
                "{item}"
            );
        }
        assert!(
            comparison["text"].as_str().expect("a sentence").ends_with('.'),
            "{item}"
        );
        assert_eq!(
            item["price_to_be_first"].is_null(),
            item["price_to_be_first_text"].is_null(),
            "{item}"
        );
        let tenths = |value: &Value| (value.as_f64().expect("a number") * 10.0).round() as i64;
        let contributions = item["contributions"].as_array().expect("a list");
        assert_eq!(
            contributions
                .iter()
                .map(|part| tenths(&part["points"]))
                .sum::<i64>(),
            tenths(&item["match_percentage"])
        );
        assert!(
            contributions
                .iter()
                .all(|part| !part["fact"].as_str().expect("a fact").is_empty())
        );
        assert!(!item["justification"].as_str().expect("a sentence").is_empty());
        assert!(item["attention_points"].is_array());
        let cost = &item["tco_breakdown"];
        let centavos = |part: &str| (cost[part].as_f64().expect("an amount") * 100.0).round() as i64;
        let running = ["fuel", "maintenance", "insurance", "ipva", "licensing"]
            .iter()
            .map(|part| centavos(&format!("{part}_monthly")))
            .sum::<i64>();
        assert_eq!(centavos("total_monthly"), running + centavos("financing_monthly"));
        assert_eq!(
            centavos("economic_total_monthly"),
            running + centavos("depreciation_monthly") + centavos("interest_monthly")
        );
        assert!(!cost["assumptions"].as_array().expect("a list").is_empty());
        assert!(
            item["fits_budget"].is_boolean() && item["budget_percentage"].is_f64(),
            "{item}"
        );
        assert!(["green", "yellow", "red"].contains(&item["financial_health"].as_str().expect("a word")));
        assert!(
            item["whatsapp_url"]
                .as_str()
                .expect("a link")
                .starts_with("https://wa.me/55")
        );
        assert!(item["car"]["preco"].as_f64().expect("a price") <= 90_000.0);
        assert_ne!(item["car"]["marca"], "Renault");
    }
    let filters: Vec<&str> = answer["filters"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|filter| filter["filter"].as_str().expect("a word"))
        .collect();
    for filter in [
        "orcamento_max",
        "tamanho_familia",
        "raio_maximo_km",
        "marcas_rejeitadas",
        "km_maxima",
        "ar_condicionado",
    ] {
        assert!(filters.contains(&filter), "{filters:?}");
    }
}

/// Prevents a field from being ignored in silence: what does not act yet, or is unknown, is named.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_used_is_named() {
    let application = TestApplication::embedded().await;
    let answer = application.recommend(complete()).await.ok();
    assert_eq!(pointers(&answer["warnings"]), Vec::<&str>::new());
    let answer = application
        .recommend(json!({
            "cor_preferida": "azul", "prioridades": {"beleza": 5}, "tipos_preferidos": ["SUV", "Foguete"],
            "must_haves": ["asa_delta", "isofix", "combustivel:querosene"], "marcas_preferidas": ["Tesla"],
            "financial_capacity": {"monthly_income_range": "3000-5000", "is_disclosed": false, "banco": "x"},
        }))
        .await
        .ok();
    let mut named = pointers(&answer["warnings"]);
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "/cor_preferida",
            "/financial_capacity/banco",
            "/financial_capacity/monthly_income_range",
            "/marcas_preferidas/0",
            "/must_haves/0",
            "/must_haves/2",
            "/prioridades/beleza",
            "/tipos_preferidos/1",
        ]
    );
    let first = &answer["recommendations"][0];
    assert!(
        first["financial_health"].is_null(),
        "an income that was not disclosed plays no part"
    );
}

/// Prevents variety from being left out where nothing is said about it, from costing the best car its place, and from
/// staying where it is not wanted; and a comparison from naming another car than the next of the list.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_varied_unless_the_pure_order_is_wanted() {
    let application = TestApplication::embedded().await;
    let ask = async |fields: Value| application.recommend(fields).await.ok();
    let varied = ask(json!({"limit": 20})).await;
    let pure = ask(json!({"limit": 20, "diversificar": false})).await;
    assert_eq!(
        varied["recommendations"],
        ask(json!({"limit": 20, "diversificar": true})).await["recommendations"]
    );
    assert_eq!(
        varied["recommendations"][0]["car"],
        pure["recommendations"][0]["car"]
    );
    assert_ne!(varied["recommendations"], pure["recommendations"]);
    let percentages: Vec<f64> = pure["recommendations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["match_percentage"].as_f64().expect("a percentage"))
        .collect();
    assert!(
        percentages.is_sorted_by(|one, next| one >= next),
        "{percentages:?}"
    );
    for answer in [&varied, &pure] {
        let items = answer["recommendations"].as_array().expect("a list");
        assert!(items[0]["price_to_be_first"].is_null(), "the first is the first");
        for pair in items.windows(2) {
            assert_eq!(pair[0]["comparison"]["car_id"], pair[1]["car"]["id"]);
            assert_eq!(
                pair[0]["comparison"]["match_percentage"],
                pair[1]["match_percentage"]
            );
            assert!(pair[1]["price_to_be_first"].as_f64() < pair[1]["car"]["preco"].as_f64());
        }
    }
}

/// Prevents a mistake from being taken for an answer, and an app from learning of its mistakes one by one.
#[tokio::test(flavor = "multi_thread")]
async fn missing_and_ill_typed_fields_are_all_named() {
    let application = TestApplication::embedded().await;
    let problem = application.post("/recommend", &json!({})).await.problem(422);
    assert_eq!(
        pointers(&problem["errors"]),
        ["/orcamento_min", "/orcamento_max", "/uso_principal"]
    );
    assert_eq!(problem["errors"][0]["code"], "missing");
    for (fields, pointer) in [
        (json!({"orcamento_max": "noventa mil"}), "/orcamento_max"),
        (json!({"orcamento_min": -1}), "/orcamento_min"),
        (json!({"orcamento_max": 1e300}), "/orcamento_max"),
        (json!({"uso_principal": "corrida"}), "/uso_principal"),
        (json!({"state": "ZZ"}), "/state"),
        (json!({"city": 7}), "/city"),
        (json!({"city": "Campinas", "state": "ZZ"}), "/state"),
        (json!({"priorizar_proximas": "sim"}), "/priorizar_proximas"),
        (
            json!({"city": "Campinas", "raio_maximo_km": 0}),
            "/raio_maximo_km",
        ),
        (json!({"frequencia_uso": "nunca"}), "/frequencia_uso"),
        (json!({"tamanho_familia": 0}), "/tamanho_familia"),
        (json!({"tem_criancas": "sim"}), "/tem_criancas"),
        (json!({"prioridades": {"economia": 6}}), "/prioridades/economia"),
        (json!({"prioridades": []}), "/prioridades"),
        (json!({"marcas_preferidas": "Fiat"}), "/marcas_preferidas"),
        (json!({"marcas_rejeitadas": [1]}), "/marcas_rejeitadas/0"),
        (
            json!({"combustivel_preferido": "querosene"}),
            "/combustivel_preferido",
        ),
        (json!({"ano_minimo": 2020.5}), "/ano_minimo"),
        (json!({"km_maxima": -5}), "/km_maxima"),
        (json!({"must_haves": {}}), "/must_haves"),
        (
            json!({"financial_capacity": {"max_monthly_tco": "x"}}),
            "/financial_capacity/max_monthly_tco",
        ),
        (json!({"prazo_meses": 97}), "/prazo_meses"),
        (json!({"taxa_mes": 1.9}), "/taxa_mes"),
        (json!({"limit": 51}), "/limit"),
        (json!({"diversificar": 1}), "/diversificar"),
    ] {
        let problem = application.recommend(fields.clone()).await.problem(422);
        assert_eq!(pointers(&problem["errors"]), [pointer], "{fields}");
    }
    let problem = application.post("/recommend", &json!([])).await.problem(422);
    assert_eq!(pointers(&problem["errors"]), [""]);
}

/// Prevents answers that exclude each other from being read one way or the other by luck.
#[tokio::test(flavor = "multi_thread")]
async fn contradictions_are_refused() {
    let application = TestApplication::embedded().await;
    for (fields, pointer) in [
        (json!({"orcamento_max": 49_999.99}), "/orcamento_max"),
        (json!({"orcamento_min": 0, "orcamento_max": 0}), "/orcamento_max"),
        (json!({"raio_maximo_km": 50}), "/raio_maximo_km"),
        (json!({"raio_maximo_km": 50, "state": "SP"}), "/raio_maximo_km"),
        (json!({"ano_minimo": 2022, "ano_maximo": 2021}), "/ano_maximo"),
        (
            json!({"marcas_preferidas": ["VW"], "marcas_rejeitadas": ["Volkswagen"]}),
            "/marcas_rejeitadas/0",
        ),
        (
            json!({"financial_capacity": {"monthly_income_range": "1-2"}}),
            "/financial_capacity/monthly_income_range",
        ),
    ] {
        let problem = application.recommend(fields.clone()).await.problem(400);
        assert_eq!(pointers(&problem["errors"]), [pointer], "{fields}");
    }
}

/// Prevents an empty list without a word on which wish emptied it.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_says_why() {
    let application = TestApplication::embedded().await;
    let answer = application
        .recommend(json!({"orcamento_min": 100, "orcamento_max": 200}))
        .await
        .ok();
    assert_eq!(answer["total_recommendations"], 0);
    assert_eq!(answer["recommendations"], json!([]));
    assert!(!answer["message"].as_str().expect("a sentence").is_empty());
    assert!(!answer["suggestion"].as_str().expect("a sentence").is_empty());
    assert_eq!(
        application
            .metric("recommendations_empty_total{cause=\"orcamento_max\"}")
            .await,
        Some(1.0)
    );
}
