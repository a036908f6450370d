//! `GET /cars` and `GET /cars/{id}`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::application::TestApplication;

async fn list(application: &TestApplication, query: &str) -> Vec<Value> {
    let answer = application.get(&format!("/cars?limit=200&{query}")).await.ok();
    answer.as_array().expect("a list").clone()
}

/// Prevents an app from losing a field of a car that it reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_car_has_every_field_that_apps_read() {
    let application = TestApplication::embedded().await;
    let cars = list(&application, "").await;
    let id = cars[0]["id"].as_str().expect("an id");
    let car = application.get(&format!("/cars/{id}")).await.ok();
    assert_eq!(car, cars[0], "one car reads as in the list");
    for field in [
        "id",
        "nome",
        "marca",
        "modelo",
        "versao",
        "ano",
        "preco",
        "quilometragem",
        "combustivel",
        "cambio",
        "cor",
        "portas",
        "categoria",
        "imagens",
        "disponivel",
        "destaque",
        "score_familia",
        "score_economia",
        "score_performance",
        "score_conforto",
        "score_seguranca",
        "amostra",
        "dealership_id",
        "dealership_name",
        "dealership_city",
        "dealership_state",
        "dealership_phone",
        "dealership_whatsapp",
    ] {
        assert!(!car[field].is_null(), "{field}: {car}");
    }
    for field in ["id", "name", "city", "state", "phone", "whatsapp"] {
        assert_eq!(
            car["dealership"][field],
            car[format!("dealership_{field}")],
            "{field}"
        );
    }
    for quality in ["familia", "economia", "performance", "conforto", "seguranca"] {
        let score = car[format!("score_{quality}")].as_f64().expect("a score");
        assert!((0.0..=1.0).contains(&score), "{quality}: {score}");
    }
}

/// Prevents a filter from being read and not applied, or from letting the opposite through.
#[tokio::test(flavor = "multi_thread")]
async fn each_filter_keeps_exactly_what_it_says() {
    let application = TestApplication::embedded().await;
    let mut all = Vec::new();
    for category in ["Compacto", "Hatch", "Sedan", "SUV", "Van", "Pickup"] {
        let cars = list(&application, &format!("categoria={category}")).await;
        assert!(cars.iter().all(|car| car["categoria"] == category));
        all.extend(cars);
    }
    let seller = all[0]["dealership_id"].as_str().expect("an id").to_owned();
    let number = |car: &Value, field: &str| car[field].as_f64().expect("a number");
    type Keeps<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let cases: [(String, Keeps<'_>); 7] = [
        (
            format!("dealership_id={seller}"),
            Box::new(|car| car["dealership_id"] == seller),
        ),
        (
            "marca=vw".to_owned(),
            Box::new(|car| car["marca"] == "Volkswagen"),
        ),
        (
            "preco_min=90000".to_owned(),
            Box::new(|car| number(car, "preco") >= 90_000.0),
        ),
        (
            "preco_max=60000".to_owned(),
            Box::new(|car| number(car, "preco") <= 60_000.0),
        ),
        (
            "ano_min=2022".to_owned(),
            Box::new(|car| number(car, "ano") >= 2022.0),
        ),
        (
            "km_max=30000".to_owned(),
            Box::new(|car| number(car, "quilometragem") <= 30_000.0),
        ),
        (
            "estado=sp".to_owned(),
            Box::new(|car| car["dealership_state"] == "SP"),
        ),
    ];
    for (query, keeps) in cases {
        let ids =
            |cars: &[Value]| -> BTreeSet<String> { cars.iter().map(|car| car["id"].to_string()).collect() };
        let expected: Vec<Value> = all.iter().filter(|car| keeps(car)).cloned().collect();
        assert!(
            !expected.is_empty() && expected.len() < all.len(),
            "{query} tells cars apart"
        );
        assert_eq!(ids(&list(&application, &query).await), ids(&expected), "{query}");
    }
}

/// Prevents a page from repeating or skipping a car, in every order, ties included.
#[tokio::test(flavor = "multi_thread")]
async fn pages_together_are_the_whole_list() {
    let application = TestApplication::embedded().await;
    let total = application.get("/stats").await.ok()["available_cars"]
        .as_u64()
        .expect("a count") as usize;
    for (order, field, descending) in [
        ("id", "id", false),
        ("preco_asc", "preco", false),
        ("preco_desc", "preco", true),
        ("ano_desc", "ano", true),
        ("km_asc", "quilometragem", false),
    ] {
        let mut path = format!("/api/cars?ordenar={order}&limit=37");
        let mut cars = Vec::new();
        loop {
            let answer = application.get(&path).await;
            let link = answer.header("link").to_owned();
            cars.extend(answer.ok().as_array().expect("a list").clone());
            match link
                .strip_prefix('<')
                .and_then(|link| link.strip_suffix(">; rel=\"next\""))
            {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        let ids: BTreeSet<String> = cars.iter().map(|car| car["id"].to_string()).collect();
        assert_eq!((cars.len(), ids.len()), (total, total), "{order}");
        assert!(
            cars.windows(2).all(|pair| {
                let (first, second) = (&pair[0][field], &pair[1][field]);
                match (first.as_f64(), second.as_f64()) {
                    (Some(first), Some(second)) if descending => first >= second,
                    (Some(first), Some(second)) => first <= second,
                    _ => first.as_str() < second.as_str(),
                }
            }),
            "{order}"
        );
    }
}

/// Prevents an ill-typed filter from returning cars as if it had not been there.
#[tokio::test(flavor = "multi_thread")]
async fn ill_typed_queries_are_refused_and_unknown_parameters_named() {
    let application = TestApplication::embedded().await;
    for (query, pointer) in [
        ("preco_max=barato", "/preco_max"),
        ("ano_min=2020.5", "/ano_min"),
        ("km_max=-1", "/km_max"),
        ("limit=201", "/limit"),
        ("limit=0", "/limit"),
        ("categoria=Foguete", "/categoria"),
        ("estado=XX", "/estado"),
        ("ordenar=sorte", "/ordenar"),
        ("cursor=x", "/cursor"),
    ] {
        let problem = application.get(&format!("/cars?{query}")).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
    let answer = application.get("/cars?limit=1&colour=blue").await;
    assert_eq!(answer.header("x-ignored-parameters"), "colour");
    application.get("/cars/nobody").await.problem(404);
}
