//! Changes as a unified diff. Pure.

use serde_json::{Value, json};
use similar::TextDiff;

use super::Change;
use crate::{
    cli::terminal::{Colour, Palette},
    names,
    reconcile::rollout::state,
};

/// Lines around each change.
const CONTEXT: usize = 3;

/// What the server counts and writes by itself, and our own notes about what we applied, which say
/// nothing to a person.
const NOISE: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "uid",
    "selfLink",
];

/// The changes as text; empty when there is none. Values of Secrets are not shown.
pub fn draw(changes: &[Change], palette: Palette) -> String {
    changes.iter().map(|change| draw_one(change, palette)).collect()
}

fn draw_one(change: &Change, palette: Palette) -> String {
    let (mut live, mut declared) = (change.live.clone(), change.declared.clone());
    if change.kind == "Secret" {
        mask(live.as_mut(), declared.as_mut());
    }
    let (before, after) = (
        live.map(yaml).unwrap_or_default(),
        declared.map(yaml).unwrap_or_default(),
    );
    if before == after {
        return String::new();
    }
    let place = format!("{} {}/{}", change.kind, change.namespace, change.name);
    let side = |exists: bool, word: &str| {
        let word = if exists { word } else { "absent" };
        format!("{place} ({word})")
    };
    let diff = TextDiff::from_lines(&before, &after);
    let unified = diff
        .unified_diff()
        .context_radius(CONTEXT)
        .header(
            &side(change.live.is_some(), "live"),
            &side(change.declared.is_some(), "declared"),
        )
        .to_string();
    let mut is_head = true;
    let mut text = String::new();
    for line in unified.lines() {
        is_head &= !line.starts_with("@@");
        let colour = match line.as_bytes().first() {
            _ if is_head => Some(Colour::Bold),
            Some(b'@') => Some(Colour::Cyan),
            Some(b'+') => Some(Colour::Green),
            Some(b'-') => Some(Colour::Red),
            _ => None,
        };
        match colour {
            Some(colour) => text.push_str(&palette.paint(colour, line)),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn yaml(mut object: Value) -> String {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !NOISE.contains(&key.as_str()));
        let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
        if let Some(annotations) = annotations {
            let common = [names::APPLIED, names::POD_TEMPLATE, names::POD_METADATA];
            for ours in common.into_iter().chain(state::ANNOTATIONS) {
                annotations.remove(ours);
            }
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    // A value that is JSON is YAML too, should the writer ever fail.
    serde_yaml::to_string(&object).unwrap_or_else(|_| object.to_string())
}

/// Hides the values of a Secret, but not which of them change.
fn mask(live: Option<&mut Value>, declared: Option<&mut Value>) {
    let data = |object: Option<&Value>| {
        let data = object.and_then(|object| object["data"].as_object());
        data.cloned().unwrap_or_default()
    };
    let (before, after) = (data(live.as_deref()), data(declared.as_deref()));
    let sides = [
        (live, &before, &after, "*** (before)"),
        (declared, &after, &before, "*** (after)"),
    ];
    for (object, values, others, shown) in sides {
        let Some(object) = object else { continue };
        for (key, value) in values {
            let differs = others.get(key).is_some_and(|other| other != value);
            object["data"][key] = json!(if differs { shown } else { "***" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &'static str, live: Value, declared: Value) -> Change {
        Change {
            kind,
            namespace: "lojas".to_owned(),
            name: "a".to_owned(),
            live: Some(live).filter(|live| !live.is_null()),
            declared: Some(declared).filter(|declared| !declared.is_null()),
        }
    }

    /// Prevents: a diff at rest, by what the server counts or by our own hash.
    #[test]
    fn what_the_server_writes_is_no_difference() {
        let live = json!({
            "kind": "Service", "spec": {"type": "ClusterIP"}, "status": {"loadBalancer": {}},
            "metadata": {"name": "a", "uid": "1", "resourceVersion": "2", "managedFields": [{}],
                "annotations": {names::APPLIED: "abc"}},
        });
        let mut declared = live.clone();
        declared["metadata"]["resourceVersion"] = json!("3");
        declared["metadata"]["annotations"] = Value::Null;
        declared["metadata"]
            .as_object_mut()
            .expect("metadata")
            .remove("annotations");
        declared["status"] = json!({"loadBalancer": {"ingress": []}});
        assert_eq!(draw(&[change("Service", live, declared)], Palette::COLOURED), "");
    }

    /// Prevents: a password in a terminal's scrollback or a pipeline's log.
    #[test]
    fn values_of_secrets_are_masked() {
        let live = json!({"kind": "Secret", "data": {"kept": "c2Vj", "moved": "b2xk", "gone": "eA=="}});
        let declared = json!({"kind": "Secret", "data": {"kept": "c2Vj", "moved": "bmV3", "made": "eQ=="}});
        let text = draw(&[change("Secret", live, declared)], Palette::PLAIN);
        let expected = "\
--- Secret lojas/a (live)
+++ Secret lojas/a (declared)
@@ -1,5 +1,5 @@
 data:
-  gone: '***'
   kept: '***'
-  moved: '*** (before)'
+  made: '***'
+  moved: '*** (after)'
 kind: Secret
";
        assert_eq!(text.replace('"', "'"), expected);
    }

    /// Prevents: colours on the wrong lines, and an object that is made or deleted read as changed.
    #[test]
    fn creation_and_deletion_are_told_and_coloured() {
        let object = json!({"kind": "Service", "spec": {"type": "ClusterIP"}});
        let made = draw(
            &[change("Service", Value::Null, object.clone())],
            Palette::COLOURED,
        );
        let expected = "\
\u{1b}[1m--- Service lojas/a (absent)\u{1b}[0m
\u{1b}[1m+++ Service lojas/a (declared)\u{1b}[0m
\u{1b}[36m@@ -0,0 +1,3 @@\u{1b}[0m
\u{1b}[32m+kind: Service\u{1b}[0m
\u{1b}[32m+spec:\u{1b}[0m
\u{1b}[32m+  type: ClusterIP\u{1b}[0m
";
        assert_eq!(made, expected);
        let gone = draw(&[change("Service", object, Value::Null)], Palette::PLAIN);
        assert!(
            gone.starts_with("--- Service lojas/a (live)\n+++ Service lojas/a (absent)\n"),
            "{gone}"
        );
    }
}
