//! The reference of the custom resource as a page, made from its schema. Pure.

use std::fmt::Write as _;

use faciliauto_api::crd;
use serde_json::{Map, Value};

use crate::reconcile::conditions::glossary::CONDITIONS;

/// What stands above the tables.
const HEAD: &str = include_str!("reference_head.md");

/// An object that has a section of its own.
struct Section<'a> {
    /// Names of fields from the root on.
    path: Vec<String>,
    schema: &'a Value,
}

impl Section<'_> {
    fn title(&self) -> String {
        self.path.join(".").replace(".[]", "[]")
    }

    /// As web pages make it of a title.
    fn anchor(&self) -> String {
        let title = self.title().to_lowercase();
        title.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
    }
}

/// The page.
pub fn page() -> String {
    let schema = crd::schema();
    let mut text = HEAD.trim_end().to_owned();
    text.push('\n');
    rules(&schema, &mut text);
    let mut seen: Vec<Section<'_>> = Vec::new();
    for root in ["spec", "status"] {
        sections(
            vec![root.to_owned()],
            &schema["properties"][root],
            &mut seen,
            &mut text,
        );
        if root == "spec" {
            continue;
        }
        conditions(&mut text);
    }
    text
}

/// The section of an object, and those of the objects within it.
fn sections<'a>(path: Vec<String>, schema: &'a Value, seen: &mut Vec<Section<'a>>, text: &mut String) {
    let section = Section { path, schema };
    let _ = write!(text, "\n## {}\n\n", section.title());
    if let Some(description) = schema["description"].as_str() {
        let _ = write!(text, "{}\n\n", one_line(description));
    }
    let same = seen.iter().find(|other| {
        ["properties", "x-kubernetes-validations"]
            .iter()
            .all(|key| other.schema[*key] == schema[*key])
    });
    if let Some(same) = same {
        let _ = writeln!(text, "The same fields as [{}](#{}).", same.title(), same.anchor());
        return;
    }
    text.push_str("| field | type | default | bounds | what it is |\n| --- | --- | --- | --- | --- |\n");
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in &properties {
        let mut path = section.path.clone();
        path.push(name.clone());
        let default = if required.contains(&name.as_str()) {
            "required".to_owned()
        } else {
            default(field)
        };
        let _ = writeln!(
            text,
            "| `{name}` | {} | {default} | {} | {} |",
            kind(&path, field),
            bounds(field),
            escaped(&one_line(field["description"].as_str().unwrap_or_default()))
        );
    }
    rules(schema, text);
    let path = section.path.clone();
    seen.push(section);
    for name in properties.keys() {
        let field = &schema["properties"][name.as_str()];
        let mut path = path.clone();
        path.push(name.clone());
        if let Some((suffix, inner)) = own_section(&path, field) {
            path.extend(suffix.map(str::to_owned));
            sections(path, inner, seen, text);
        }
    }
}

/// The object that a field or its items are, when it has a section of its own; Kubernetes's own types have
/// their pages elsewhere.
fn own_section<'a>(path: &[String], field: &'a Value) -> Option<(Option<&'static str>, &'a Value)> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    if crd::is_embedded(&names) {
        return None;
    }
    if field["properties"].is_object() {
        return Some((None, field));
    }
    field["items"]["properties"]
        .is_object()
        .then(|| (Some("[]"), &field["items"]))
}

fn kind(path: &[String], field: &Value) -> String {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let of_kubernetes = if crd::is_embedded(&names) {
        ", as in Kubernetes"
    } else {
        ""
    };
    let link = |suffix: Option<&str>, inner: &Value| {
        let mut path = path.to_vec();
        path.extend(suffix.map(str::to_owned));
        let section = Section { path, schema: inner };
        format!("(#{})", section.anchor())
    };
    if let Some((suffix, inner)) = own_section(path, field) {
        let word = if suffix.is_some() {
            "list of objects"
        } else {
            "object"
        };
        return format!("[{word}]{}", link(suffix, inner));
    }
    if field["x-kubernetes-int-or-string"] == true {
        let word = if field["minimum"].is_number() {
            "integer or word"
        } else {
            "quantity"
        };
        return word.to_owned();
    }
    let word = |schema: &Value| match schema["type"].as_str() {
        Some("array") => "list".to_owned(),
        Some(word) => word.to_owned(),
        None => "any".to_owned(),
    };
    match field["type"].as_str() {
        Some("array") => format!("list of {}s{of_kubernetes}", word(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map of {}s", word(&field["additionalProperties"]))
        }
        _ => format!("{}{of_kubernetes}", word(field)),
    }
}

/// The default; of an object whose fields all have their own, nothing.
fn default(field: &Value) -> String {
    let default = &field["default"];
    if default.is_null() {
        return String::new();
    }
    let own = |name: &str| !field["properties"][name]["default"].is_null();
    if let Some(fields) = default.as_object()
        && field["properties"].is_object()
        && fields.keys().all(|name| own(name))
    {
        return String::new();
    }
    format!("`{}`", escaped(&default.to_string()))
}

fn bounds(field: &Value) -> String {
    let mut bounds = Vec::new();
    let number = |key: &str| field[key].as_i64();
    if let Some(words) = field["enum"].as_array() {
        let words: Vec<_> = words
            .iter()
            .filter_map(Value::as_str)
            .map(|word| format!("`{word}`"))
            .collect();
        bounds.push(words.join(", "));
    }
    match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => bounds.push(format!("{least} to {most}")),
        (Some(least), None) => bounds.push(format!("at least {least}")),
        (None, Some(most)) => bounds.push(format!("at most {most}")),
        (None, None) => {}
    }
    for (key, what) in [
        ("maxLength", "characters"),
        ("maxItems", "items"),
        ("maxProperties", "entries"),
    ] {
        if let Some(most) = number(key) {
            bounds.push(format!("at most {most} {what}"));
        }
    }
    for (schema, what) in [
        (field, ""),
        (&field["items"], "each "),
        (&field["additionalProperties"], "each "),
    ] {
        if let Some(pattern) = schema["pattern"].as_str() {
            bounds.push(format!("{what}`{}`", escaped(pattern)));
        }
    }
    bounds.join("; ")
}

fn rules(schema: &Value, text: &mut String) {
    let rules: Vec<&Map<String, Value>> = schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    if rules.is_empty() {
        return;
    }
    text.push_str("\nRules:\n\n");
    for rule in rules {
        let word = |key: &str| rule.get(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(text, "- {}  \n  `{}`", word("message"), word("rule"));
    }
}

fn conditions(text: &mut String) {
    text.push_str("\n## Conditions\n\n| condition | when it is true | reasons |\n| --- | --- | --- |\n");
    for condition in CONDITIONS {
        let reasons: Vec<_> = condition
            .reasons
            .iter()
            .map(|(reason, meaning)| format!("`{reason}`: {meaning}"))
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            condition.kind,
            condition.meaning,
            reasons.join("<br>")
        );
    }
}

/// Descriptions are wrapped as in the source.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
