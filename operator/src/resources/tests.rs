use super::*;

/// Prevents: an apply of every child after an update of a library that orders keys differently, and
/// a change of meaning that goes unnoticed.
#[test]
fn hash_is_of_the_meaning() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let hash = |text: &str| Child::new(Kind::Service, "a".to_owned(), parse(text)).hash;
    let base = hash(r#"{"metadata": {"name": "a"}, "spec": {"x": 1, "list": ["", "b"]}}"#);
    for same in [
        r#"{"spec": {"list": ["", "b"], "x": 1}, "metadata": {"name": "a"}}"#,
        r#"{"spec": {"list": ["", "b"], "x": 1, "none": null, "text": "", "map": {}, "items": []}, "metadata": {"name": "a"}}"#,
    ] {
        assert_eq!(hash(same), base, "{same}");
    }
    for other in [
        r#"{"metadata": {"name": "a"}, "spec": {"x": 2, "list": ["", "b"]}}"#,
        r#"{"metadata": {"name": "a"}, "spec": {"x": 1, "list": ["b", ""]}}"#,
        r#"{"metadata": {"name": "a"}, "spec": {"x": 1, "list": ["b"]}}"#,
        r#"{"metadata": {"name": "a"}, "spec": {"x": "1", "list": ["", "b"]}}"#,
        r#"{"metadata": {"name": "a"}, "spec": {"x": 1, "list": ["", "b"], "off": false}}"#,
    ] {
        assert_ne!(hash(other), base, "{other}");
    }
}

/// Prevents: an empty namespace selector, which means every namespace, being dropped from what is sent.
#[test]
fn what_is_sent_is_what_was_built() {
    let object = json!({"metadata": {"name": "a"}, "spec": {"namespaceSelector": {}}});
    let child = Child::new(Kind::Service, "a".to_owned(), object);
    assert_eq!(child.object["spec"], json!({"namespaceSelector": {}}));
    assert_eq!(
        child.object["metadata"]["annotations"][names::APPLIED],
        json!(child.hash)
    );
}
