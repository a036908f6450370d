use std::collections::BTreeSet;

use super::*;

fn panels(document: &Value) -> Vec<Value> {
    document["panels"].as_array().cloned().unwrap_or_default()
}

/// Prevents: a panel that nobody can read without asking its author, and two that cover each other.
#[test]
fn every_panel_has_its_place_a_unit_and_says_what_it_shows() {
    let operator = ("operator", operator_document("faciliauto-system"));
    for (word, document) in documents("lojas", "producao").into_iter().chain([operator]) {
        let mut taken = BTreeSet::new();
        for panel in panels(&document) {
            let place = &panel["gridPos"];
            let number = |key: &str| place[key].as_u64().expect("a number");
            for x in number("x")..number("x") + number("w") {
                assert!(x < 24, "{word}: {panel}");
                for y in number("y")..number("y") + number("h") {
                    assert!(taken.insert((x, y)), "{word}: {panel} covers another");
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            let length = |field: &Value| field.as_str().unwrap_or_default().len();
            assert!(length(&panel["title"]) > 2, "{word}: {panel}");
            assert!(length(&panel["description"]) > 20, "{word}: {panel}");
            assert!(
                length(&panel["fieldConfig"]["defaults"]["unit"]) > 0,
                "{word}: {panel}"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{word}: {panel}");
            for target in panel["targets"].as_array().expect("queries") {
                let text = target["expr"].as_str().expect("a query");
                assert!(!text.contains(['§', '¶']), "{text}");
                let windows = text.match_indices('[').map(|(at, _)| &text[at..]);
                let fixed = [
                    "[30d]",
                    "[3d]",
                    "[1d]",
                    "[6h]",
                    "[1h]",
                    "[$__range]",
                    "[$__rate_interval]",
                ];
                for window in windows {
                    assert!(fixed.iter().any(|fixed| window.starts_with(fixed)), "{text}");
                }
            }
        }
    }
}

/// Prevents: links to a dashboard that die with an update, and two systems that share one dashboard.
#[test]
fn identifiers_are_for_ever_and_of_one_system() {
    let uids = |namespace: &str, name: &str| -> Vec<String> {
        let documents = documents(namespace, name);
        documents
            .iter()
            .map(|(_, document)| document["uid"].as_str().expect("a uid").to_owned())
            .collect()
    };
    let ours = uids("lojas", "producao");
    assert_eq!(ours[0], names::dashboard_uid("lojas", "producao", "overview"));
    let mut all = BTreeSet::new();
    for uid in ours
        .iter()
        .chain(&uids("lojas", "ensaio"))
        .chain(&uids("outras", "producao"))
    {
        assert!(uid.len() == 14 && uid.starts_with("fad-"), "{uid}");
        assert!(all.insert(uid.clone()), "{uid} twice");
    }
}
