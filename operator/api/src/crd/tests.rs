use std::collections::BTreeSet;

use super::*;

/// Every schema node with its path.
fn walk(schema: &Value, path: String, visit: &mut dyn FnMut(&str, &Value)) {
    visit(&path, schema);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, format!("{path}.{name}"), visit);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            walk(&schema[key], format!("{path}[{key}]"), visit);
        }
    }
}

/// Prevents: a rule that the API server refuses as too dear, and a list that fills a request.
#[test]
fn everything_is_bounded() {
    let mut open = Vec::new();
    walk(&schema(), String::new(), &mut |path, node| {
        let has = |key: &str| !node[key].is_null();
        let is_open = match node["type"].as_str() {
            Some("string") => !(has("maxLength") || has("enum") || has("format")),
            Some("array") => !has("maxItems"),
            Some("object") => has("additionalProperties") && !has("maxProperties"),
            _ => false,
        };
        if is_open || has("nullable") {
            open.push(path.to_owned());
        }
    });
    assert_eq!(open, Vec::<String>::new());
}

/// Prevents: `kubectl explain` with nothing to say about a field of ours.
#[test]
fn every_field_of_ours_is_explained() {
    let mut silent = Vec::new();
    walk(&schema(), String::new(), &mut |path, node| {
        let embedded = EMBEDDED
            .iter()
            .any(|embedded| path.starts_with(&format!(".{}", embedded.join("."))));
        let is_field = !path.ends_with(']') && path.contains('.') && path != ".metadata";
        if is_field && !embedded && node["description"].as_str().is_none_or(str::is_empty) {
            silent.push(path.to_owned());
        }
    });
    assert_eq!(silent, Vec::<String>::new());
}

/// Prevents: a CRD that client-side `kubectl apply` cannot store in its annotation.
#[test]
fn definition_is_small_enough_for_client_side_apply() {
    let size = crd_yaml_value().to_string().len();
    assert!(size < 256 * 1024, "{size} bytes");
}

/// Prevents: a rule that says what is wrong in the language of the rule, not of the person.
#[test]
fn every_rule_says_what_to_change() {
    let mut messages = BTreeSet::new();
    walk(&schema(), String::new(), &mut |path, node| {
        for rule in node["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_default().to_owned();
            assert!(message.len() > 30, "{path}: {rule}");
            messages.insert(message);
        }
    });
    assert!(messages.len() >= 17, "{messages:#?}");
}

/// Prevents: a release that pins its image into every resource that was made under it.
#[test]
fn images_have_no_default_in_the_schema() {
    let schema = schema();
    let spec = &schema["properties"]["spec"]["properties"];
    for field in [
        &spec["image"]["properties"]["repository"],
        &spec["image"]["properties"]["tag"],
        &spec["redis"]["properties"]["managed"]["properties"]["image"],
    ] {
        assert!(field["type"] == "string" && field["default"].is_null(), "{field}");
    }
}
