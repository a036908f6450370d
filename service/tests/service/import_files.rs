//! What `faciliauto-service import` takes: lists of cars in every form, for one dealership and for several, with conditions
//! and as a trial.

use std::{fs, io::Write, process::Command};

use faciliauto_service::state::State;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    harness::{
        dealers::{ADMIN, Market},
        fixtures::{car_row, dealership_row},
        process::PROGRAM,
    },
    import::Importer,
    state::redis_state,
};

/// Dealerships a, b and c with a car each.
fn with_three() -> Importer {
    let importer = Importer::new();
    let cars = ["a", "b", "c"].map(|dealer| car_row(&format!("{dealer}-1"), dealer));
    let dealerships = ["a", "b", "c"].map(dealership_row);
    importer.import_file(&json!({"dealerships": dealerships, "cars": cars}));
    importer
}

fn lines(rows: &[Value]) -> Vec<u8> {
    rows.iter()
        .map(|row| format!("{row}\n"))
        .collect::<String>()
        .into_bytes()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// A row as its own dealer sends it.
fn own_row(id: &str) -> Value {
    let mut row = car_row(id, "");
    row.as_object_mut().unwrap().remove("dealership_id");
    row
}

/// Prevents what a dealer can send from being refused where an operator has it in a file, or comes by a pipe.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_in_as_a_dealer_would_send_it() {
    let importer = with_three();
    let path = importer.folder.path().join("list");
    let path = path.to_str().unwrap();
    for (number, pack) in [(10, false), (20, true)] {
        let rows = [
            own_row(&format!("a-{number}")),
            own_row(&format!("a-{}", number + 1)),
        ];
        let array = serde_json::to_vec(&rows).unwrap();
        for bytes in [lines(&rows), array] {
            let bytes = if pack { packed(&bytes) } else { bytes };
            fs::write(path, &bytes).unwrap();
            for (source, input) in [(path, &b""[..]), ("-", &bytes)] {
                let (output, report) = importer.run_with(&["--dealership", "a", source], input);
                assert!(output.status.success(), "{output:?}");
                assert_eq!(
                    (&report["imported"], &report["cars"]),
                    (&json!(true), &json!(4)),
                    "{report}"
                );
                let said = String::from_utf8(output.stderr).unwrap();
                assert!(said.contains("read 2 cars from "), "{said}");
                let expected = [
                    format!("a-{number}"),
                    format!("a-{}", number + 1),
                    "b-1".into(),
                    "c-1".into(),
                ];
                assert_eq!(importer.ids().await, expected);
            }
        }
    }
    // Emptied on purpose.
    let (output, report) = importer.run_with(&["--dealership", "a", "-"], b"[]");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(report["dealerships"], 3, "{report}");
    assert_eq!(importer.ids().await, ["b-1", "c-1"]);
}

/// Prevents a list of several dealers from touching those that it does not name, or from losing a record.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_several_replaces_the_stock_of_each_that_it_names() {
    let importer = with_three();
    let before = redis_state(&importer.redis).stock().await.unwrap().unwrap();
    let rows = [car_row("c-2", "c"), car_row("a-2", "a"), car_row("c-3", "c")];
    let (output, report) = importer.run_with(&["-"], &packed(&lines(&rows)));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&report["cars"], &report["dealerships"]),
        (&json!(4), &json!(3)),
        "{report}"
    );
    assert_eq!(importer.ids().await, ["a-2", "b-1", "c-2", "c-3"]);
    let after = redis_state(&importer.redis).stock().await.unwrap().unwrap();
    let records = |stock: &faciliauto_service::state::StoredStock| -> Vec<_> {
        stock
            .dealers
            .iter()
            .map(|dealer| dealer.dealership.clone())
            .collect()
    };
    assert_eq!(records(&after), records(&before));
}

/// Prevents an operator from having to import once for each mistake, or something from being written beside them.
#[tokio::test(flavor = "multi_thread")]
async fn every_bad_row_of_a_list_is_named_and_nothing_written() {
    let importer = with_three();
    let before = importer.redis.dump("*");
    let mut rows: Vec<Value> = (0..150)
        .map(|number| {
            let mut row = own_row(&format!("a-{number}"));
            row["ano"] = json!("dois mil");
            row
        })
        .collect();
    rows[7] = own_row("b-1");
    rows[9] = car_row("a-900", "b");
    let (output, report) = importer.run_with(&["--dealership", "a", "-"], &packed(&lines(&rows)));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    for place in [
        "/0/ano linha 1: ",
        "/9/dealership_id linha 10: ",
        "/98/ano linha 99: ",
    ] {
        assert!(said.contains(&format!("\n  {place}")), "{place} {said}");
    }
    // 149 of rows by themselves; the id of another dealership, found last, is counted.
    assert!(
        said.contains("150 mistakes") && said.contains("\n  and 50 more"),
        "{said}"
    );
    assert!(
        report["error"].as_str().unwrap().contains("150 mistakes"),
        "{report}"
    );

    let refused = |arguments: &[&str], input: &[u8], expected: &str| {
        let (output, report) = importer.run_with(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{expected}");
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(expected), "{expected}: {error}");
    };
    refused(
        &["-"],
        &lines(&[car_row("x", "nobody")]),
        "/0/dealership_id linha 1: ",
    );
    refused(&["-"], &lines(&[car_row("b-1", "a")]), "/0/id linha 1: ");
    refused(
        &["--dealership", "nobody", "-"],
        &lines(&[own_row("x")]),
        "no dealership \"nobody\"",
    );
    refused(&["-"], b"[]", "empty list");
    refused(&["--dealership", "a", "-"], b"", "n\u{e3}o h\u{e1} linhas");
    refused(
        &["--dealership", "a", "-"],
        br#"{"dealerships": [], "cars": []}"#,
        "names its dealerships itself",
    );
    let whole = packed(&lines(&[own_row("x"), own_row("y")]));
    refused(
        &["--dealership", "a", "-"],
        &whole[..whole.len() - 9],
        "failed to read the stock",
    );
    assert_eq!(importer.redis.dump("*"), before, "nothing was written");

    let closed = Importer::new();
    let (output, report) = closed.run_with(&["-"], &lines(&[car_row("x", "a")]));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        report["error"].as_str().unwrap().contains("/0/dealership_id"),
        "{report}"
    );
    assert!(closed.redis.keys("*").is_empty(), "nothing opened the store");
}

/// Prevents a trial from writing, or from accepting what an import would refuse.
#[tokio::test(flavor = "multi_thread")]
async fn a_trial_checks_everything_and_writes_nothing() {
    let importer = with_three();
    let before = importer.redis.dump("*");
    let (output, report) = importer.run_with(
        &["--dry-run", "--dealership", "a", "-"],
        &lines(&[own_row("a-5"), own_row("a-6")]),
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&report["dry_run"], &report["imported"], &report["cars"]),
        (&json!(true), &json!(false), &json!(4)),
        "{report}"
    );
    let (output, _) = importer.run_with(&["--dry-run", "-"], &lines(&[car_row("b-1", "a")]));
    assert_eq!(output.status.code(), Some(1), "another has this id");
    assert_eq!(importer.redis.dump("*"), before, "nothing was written");

    let closed = Importer::new();
    let document = json!({"dealerships": [dealership_row("a")], "cars": [car_row("a-1", "a")]}).to_string();
    let (output, report) = closed.run_with(&["--dry-run", "-"], document.as_bytes());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (&report["cars"], &report["generation"]),
        (&json!(1), &json!("")),
        "{report}"
    );
    assert!(closed.redis.keys("*").is_empty(), "nothing opened the store");
}

/// Prevents an import from writing over what its operator never saw, and a sale from winning over one who did.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_is_met_or_nothing_is_written() {
    let importer = with_three();
    let market = Market::on(&importer.redis).await;
    let sold = market
        .patch("a", "a-1", ADMIN, json!({"disponivel": false}))
        .await
        .ok();
    let etag = sold["etag"].as_str().unwrap();
    let bare = etag.trim_matches('"');
    let rows = lines(&[own_row("a-1"), own_row("a-2")]);
    let with =
        |condition: &str| importer.run_with(&["--dealership", "a", "--if-match", condition, "-"], &rows);

    let (output, report) = with("\"0123\"");
    assert_eq!(output.status.code(), Some(1));
    let error = report["error"].as_str().unwrap();
    assert!(
        error.contains("another than --if-match says") && error.contains(etag),
        "{error}"
    );
    assert_eq!(importer.ids().await, ["a-1", "b-1", "c-1"]);

    for condition in [bare, "*"] {
        let (output, _) = with(condition);
        assert!(output.status.success(), "{output:?}");
        let stored = redis_state(&importer.redis).stock().await.unwrap().unwrap();
        let on_offer: Vec<bool> = stored.dealers[0].cars.iter().map(|car| car.available).collect();
        assert_eq!(on_offer, [true, true], "whoever saw the sale wins over it");
    }
    let (output, report) = with(bare);
    assert_eq!(output.status.code(), Some(1), "it was another stock: {report}");
}

/// Prevents imports that meet from losing one, or a mark of a sale that came between.
#[tokio::test(flavor = "multi_thread")]
async fn imports_that_meet_all_go_in() {
    let importer = with_three();
    std::thread::scope(|scope| {
        for dealer in ["a", "b", "c"] {
            let importer = &importer;
            scope.spawn(move || {
                for round in 0..3 {
                    let rows = [10, 11].map(|car| own_row(&format!("{dealer}-{round}-{car}")));
                    let (output, _) =
                        importer.run_with_report(dealer, &["--dealership", dealer, "-"], &lines(&rows));
                    assert!(output.status.success(), "{output:?}");
                }
            });
        }
    });
    let expected = ["a", "b", "c"].map(|dealer| [10, 11].map(|car| format!("{dealer}-2-{car}")));
    assert_eq!(importer.ids().await, expected.concat());
}

/// Prevents a command that an operator copies from the document from doing something else than it says.
#[tokio::test(flavor = "multi_thread")]
async fn the_document_s_commands_work() {
    let document = include_str!("../../../docs/api.md");
    let blocks = document
        .split("\n```console\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next());
    let commands: Vec<&str> = blocks
        .filter(|block| block.contains(" import "))
        .flat_map(str::lines)
        .collect();
    assert_eq!(commands.len(), 3, "{commands:?}");

    let importer = Importer::new();
    let folder = importer.folder.path();
    let document = json!({"dealerships": [dealership_row("loja-1"), dealership_row("loja-2")], "cars": []});
    fs::write(folder.join("records.json"), document.to_string()).unwrap();
    let [one, other] = [
        lines(&[car_row("y-1", "loja-2")]),
        lines(&[car_row("x-2", "loja-1")]),
    ];
    let files = [
        ("estoque.ndjson.gz", lines(&[own_row("x-1")])),
        ("parte-1.gz", one),
        ("parte-2.gz", other),
    ];
    for (name, rows) in files {
        fs::write(folder.join(name), packed(&rows)).unwrap();
    }
    let run = |command: &str| {
        let script = command.replace("redis://redis:6379", &importer.redis.url());
        let output = Command::new("bash")
            .args([
                "-euo",
                "pipefail",
                "-c",
                &format!("faciliauto-service() {{ {PROGRAM} \"$@\"; }}\n{script}"),
            ])
            .env("FACILIAUTO_KEY_PREFIX", "test")
            .current_dir(folder)
            .output()
            .expect("bash runs");
        assert!(output.status.success(), "{command}: {output:?}");
    };
    run("faciliauto-service --redis-url redis://redis:6379 import records.json");
    let mut there = Vec::new();
    for command in commands {
        run(command);
        there.push(importer.ids().await);
    }
    assert_eq!(there, [vec![], vec!["x-1"], vec!["x-2", "y-1"]]);
}
