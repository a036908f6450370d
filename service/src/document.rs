//! A JSON document that borrows its texts from what was read: names and texts without escapes are never copied, and an
//! object is one list instead of a tree of nodes.
//!
//! It means what the JSON library's own tree means: fields in the order of their names, of a name that stands twice the
//! last counts.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// What fields an object is laid out for once it has any.
const LIKELY_FIELDS: usize = 8;

/// Any JSON value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value<'text> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Cow<'text, str>),
    /// A list.
    Array(Vec<Value<'text>>),
    /// An object.
    Object(Object<'text>),
}

/// The fields of an object in the order of their names, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object<'text>(Vec<(Cow<'text, str>, Value<'text>)>);

impl<'text> Object<'text> {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value<'text>> {
        self.place(name).ok().map(|place| &self.0[place].1)
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Value<'text>> {
        self.place(name).ok().map(|place| self.0.remove(place).1)
    }

    /// Sets a field; gives back its value before.
    pub fn insert(&mut self, name: impl Into<Cow<'text, str>>, value: Value<'text>) -> Option<Value<'text>> {
        let name = name.into();
        match self.place(&name) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (name, value));
                None
            }
        }
    }

    /// The names of all fields.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// All fields, their values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value<'text>)> {
        self.0.iter_mut().map(|(name, value)| (&**name, value))
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name))
    }
}

impl<'text> FromIterator<(Cow<'text, str>, Value<'text>)> for Object<'text> {
    fn from_iter<Fields: IntoIterator<Item = (Cow<'text, str>, Value<'text>)>>(fields: Fields) -> Self {
        let mut fields: Vec<_> = fields.into_iter().collect();
        // Equal names stay in the order in which they came.
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        fields.dedup_by(|later, kept| {
            let twice = later.0 == kept.0;
            if twice {
                std::mem::swap(later, kept);
            }
            twice
        });
        Self(fields)
    }
}

impl<'text> Value<'text> {
    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is a text.
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// The text that it is.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number that it is written as, when it fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The number that it is.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The object that it is.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object<'text>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The object that it is, to be changed.
    pub fn as_object_mut(&mut self) -> Option<&mut Object<'text>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }
}

impl From<serde_json::Value> for Value<'_> {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(flag),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::String(Cow::Owned(text)),
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(fields) => {
                let fields = fields.into_iter();
                Self::Object(
                    fields
                        .map(|(name, value)| (Cow::Owned(name), Self::from(value)))
                        .collect(),
                )
            }
        }
    }
}

impl<'de: 'text, 'text> Deserialize<'de> for Value<'text> {
    fn deserialize<Source: Deserializer<'de>>(source: Source) -> Result<Self, Source::Error> {
        source.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<Failure>(self) -> Result<Value<'de>, Failure> {
        Ok(Value::Null)
    }

    fn visit_bool<Failure>(self, flag: bool) -> Result<Value<'de>, Failure> {
        Ok(Value::Bool(flag))
    }

    fn visit_u64<Failure>(self, number: u64) -> Result<Value<'de>, Failure> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<Failure>(self, number: i64) -> Result<Value<'de>, Failure> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<Failure>(self, number: f64) -> Result<Value<'de>, Failure> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_borrowed_str<Failure>(self, text: &'de str) -> Result<Value<'de>, Failure> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<Failure>(self, text: &str) -> Result<Value<'de>, Failure> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_string<Failure>(self, text: String) -> Result<Value<'de>, Failure> {
        Ok(Value::String(Cow::Owned(text)))
    }

    fn visit_seq<Items: SeqAccess<'de>>(self, mut source: Items) -> Result<Value<'de>, Items::Error> {
        let mut items = Vec::new();
        while let Some(item) = source.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<Fields: MapAccess<'de>>(self, mut source: Fields) -> Result<Value<'de>, Fields::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = source.next_entry()? {
            if fields.is_empty() {
                fields.reserve(LIKELY_FIELDS);
            }
            fields.push((name, value));
        }
        Ok(Value::Object(fields.into_iter().collect()))
    }
}

/// The name of a field. The library's own reading of `Cow` would copy it.
struct Name<'text>(Cow<'text, str>);

impl<'de: 'text, 'text> Deserialize<'de> for Name<'text> {
    fn deserialize<Source: Deserializer<'de>>(source: Source) -> Result<Self, Source::Error> {
        source.deserialize_str(AnyName).map(Self)
    }
}

struct AnyName;

impl<'de> Visitor<'de> for AnyName {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_borrowed_str<Failure>(self, name: &'de str) -> Result<Self::Value, Failure> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<Failure>(self, name: &str) -> Result<Self::Value, Failure> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of JSON that differ from what the library writes: spaces, escapes, names that stand twice.
    fn texts() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            Just(r#""a""#),
            Just(r#""b""#),
            Just(r#""\u0061""#),
            Just(r#""é\n""#),
            Just(r#""""#),
        ];
        let leaf = prop_oneof![
            word.clone().prop_map(str::to_owned),
            Just("null".to_owned()),
            any::<bool>().prop_map(|flag| flag.to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<u64>().prop_map(|number| number.to_string()),
            prop_oneof![Just("1e2"), Just("-0.0"), Just("5.0"), Just("-0"), Just("1E-400")]
                .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            let pair = (word.clone(), inner.clone()).prop_map(|(name, value)| format!("{name} :{value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(" , "))),
                prop::collection::vec(pair, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(","))),
            ]
        })
    }

    proptest! {
        /// Prevents a document from meaning anything else than in every other program that reads JSON.
        #[test]
        fn it_means_what_the_library_reads(text in texts()) {
            let ours: Value<'_> = serde_json::from_str(&text).unwrap();
            let library: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(ours, Value::from(library));
        }

        /// Prevents a text from being taken that is no JSON, or its place from being told wrongly.
        #[test]
        fn it_refuses_what_the_library_refuses(text in texts(), cut in any::<prop::sample::Index>()) {
            let cut = (0..=cut.index(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap();
            let place = |error: serde_json::Error| (error.line(), error.column());
            let ours = serde_json::from_str::<Value<'_>>(&text[..cut]).map(drop).map_err(place);
            let library = serde_json::from_str::<serde_json::Value>(&text[..cut]).map(drop).map_err(place);
            prop_assert_eq!(ours, library);
        }
    }

    /// Prevents a questionnaire from being copied word by word.
    #[test]
    fn texts_without_escapes_are_borrowed() {
        let text = r#"{"uso_principal": "familia", "escaped": "a\tb"}"#;
        let value: Value<'_> = serde_json::from_slice(text.as_bytes()).unwrap();
        let field = |name| value.as_object().and_then(|fields| fields.get(name));
        assert!(matches!(
            field("uso_principal"),
            Some(Value::String(Cow::Borrowed("familia")))
        ));
        assert!(matches!(field("escaped"), Some(Value::String(Cow::Owned(text))) if text == "a\tb"));
    }

    /// Prevents a document that nests without end from taking the stack with it.
    #[test]
    fn depth_is_bounded() {
        let text = "[".repeat(100_000);
        assert!(serde_json::from_str::<Value<'_>>(&text).is_err());
    }
}
