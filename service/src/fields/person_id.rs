//! What the id of a person or a thing may look like, as apps make them up: bounded, and fit for a line of text.

use serde_json::{Value, json};

/// Letters of the longest id.
const LONGEST: usize = 128;

/// Whether a text can be an id.
///
/// # Errors
/// What is wrong with it, in Portuguese.
pub fn check_id(id: &str) -> Result<(), String> {
    let letters = id.chars().count();
    if !(1..=LONGEST).contains(&letters) || id.trim().is_empty() || id.chars().any(char::is_control) {
        return Err(format!(
            "deve ter de 1 a {LONGEST} caracteres, sem caracteres de controle"
        ));
    }
    Ok(())
}

/// The same as JSON Schema.
#[must_use]
pub fn id_schema() -> Value {
    let no_control = "[^\\x00-\\x1f\\x7f-\\x9f]";
    let no_blank = "[^\\s\\x00-\\x1f\\x7f-\\x9f]";
    json!({
        "type": "string", "minLength": 1, "maxLength": LONGEST,
        "pattern": format!("^{no_control}*{no_blank}{no_control}*$"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents programs from being told to send an id that is refused, or not to send one that is taken.
    #[test]
    fn the_schema_takes_the_same_ids() {
        let validator = jsonschema::validator_for(&id_schema()).unwrap();
        let longest = "é".repeat(LONGEST);
        for good in ["a", " a ", "maria@exemplo", "João da Silva", "日本", &longest] {
            assert_eq!(check_id(good), Ok(()), "{good:?}");
            assert!(validator.is_valid(&json!(good)), "{good:?}");
        }
        let long = "a".repeat(LONGEST + 1);
        for bad in [
            "",
            " ",
            "\u{a0}\u{2003}",
            "a\nb",
            "a\n",
            "\u{0}",
            "a\u{7f}",
            "\u{85}a",
            &long,
        ] {
            assert!(check_id(bad).is_err(), "{bad:?}");
            assert!(!validator.is_valid(&json!(bad)), "{bad:?}");
        }
    }
}
