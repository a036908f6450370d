//! The JSON Schema of a row of stock: dealers check their files with it before they send them.

use std::{fs, path::PathBuf};

use faciliauto_service::{routes::openapi, stock::SAMPLE};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::harness::dealers::{Market, row};

fn published() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/stock-row.schema.json")
}

fn validator() -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&openapi::stock_row())
        .expect("a schema")
}

/// Prevents dealers from checking against a schema that the service has left behind.
#[test]
fn the_published_schema_is_the_program_s() {
    let current = format!("{:#}\n", openapi::stock_row());
    let text = fs::read_to_string(published()).unwrap_or_default();
    assert!(
        text == current,
        "docs/stock-row.schema.json is old: run `make generate`"
    );
    jsonschema::meta::validate(&openapi::stock_row()).expect("a valid schema of draft 2020-12");
}

/// Prevents a schema that refuses stock which the service takes.
#[test]
fn the_sample_stock_is_valid() {
    let validator = validator();
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    for car in sample["cars"].as_array().unwrap() {
        let mistakes: Vec<String> = validator
            .iter_errors(car)
            .map(|error| error.to_string())
            .collect();
        assert!(mistakes.is_empty(), "{car}: {mistakes:?}");
    }
}

/// Prevents schema and service from judging a row differently, in either direction.
#[tokio::test(flavor = "multi_thread")]
async fn schema_and_service_agree_on_rows() {
    let market = Market::in_memory().await;
    let token = market.dealership("a").await;
    let validator = validator();
    let mut rows = Vec::new();
    for (field, values) in [
        (
            "id",
            vec![
                json!(null),
                json!(""),
                json!("ç"),
                json!("a b"),
                json!("a".repeat(65)),
                json!(7),
                json!("A-z_0.9"),
            ],
        ),
        ("dealership_id", vec![json!(null), json!("a"), json!(7)]),
        ("marca", vec![json!(null), json!("  "), json!(1), json!("Ford")]),
        ("modelo", vec![json!(null), json!(""), json!([]), json!("Ka")]),
        (
            "ano",
            vec![
                json!(null),
                json!(1899),
                json!("2020"),
                json!(2020.5),
                json!(2020.0),
                json!(2101),
                json!(2026),
            ],
        ),
        (
            "preco",
            vec![
                json!(null),
                json!(0),
                json!(-1),
                json!("1"),
                json!(0.01),
                json!(100_000_001),
                json!(61_990.55),
            ],
        ),
        (
            "quilometragem",
            vec![json!(null), json!(-1), json!(0), json!(5_000_001), json!("0")],
        ),
        (
            "combustivel",
            vec![json!(null), json!("vento"), json!(1), json!("eletrico")],
        ),
        ("cambio", vec![json!(null), json!("nenhum"), json!("cvt")]),
        ("categoria", vec![json!(null), json!("Barco"), json!("SUV")]),
        ("versao", vec![json!(null), json!(""), json!(1), json!("GTI")]),
        ("portas", vec![json!(null), json!(0), json!(10), json!(4)]),
        (
            "imagens",
            vec![
                json!(null),
                json!([]),
                json!("x"),
                json!([1]),
                json!(["https://example.com/1.jpg"]),
            ],
        ),
        (
            "disponivel",
            vec![json!(null), json!("sim"), json!(0), json!(false)],
        ),
        (
            "equipamentos",
            vec![json!(null), json!(["isofix", "asas"]), json!({}), json!([null])],
        ),
        ("leilao", vec![json!(null), json!(1), json!(true)]),
        (
            "preco_fipe",
            vec![json!(null), json!(0), json!("1"), json!(60_000)],
        ),
        (
            "confirmado_em",
            vec![
                json!(null),
                json!("ontem"),
                json!("2026-13-01"),
                json!("2026-11-25"),
            ],
        ),
        ("campo_desconhecido", vec![json!(1)]),
    ] {
        for value in values {
            let mut changed = row("a-1", 60_000);
            changed[field] = value;
            rows.push(changed);
        }
    }
    let mut without = row("a-1", 60_000);
    without.as_object_mut().unwrap().remove("cambio");
    rows.extend([without, json!(7), json!(null), json!([])]);
    let (mut taken, mut refused) = (0, 0);
    for row in rows {
        let request = market
            .request(
                reqwest::Method::PUT,
                "/api/dealerships/a/stock?dry_run=true",
                &token,
            )
            .json(&json!([row]));
        let status = market.send(request).await.status.as_u16();
        assert!([200, 422].contains(&status), "{row}: {status}");
        assert_eq!(validator.is_valid(&row), status == 200, "{row}");
        if status == 200 {
            taken += 1;
        } else {
            refused += 1;
        }
    }
    assert!(taken > 25 && refused > 40, "{taken} {refused}");
}
