//! Reads the fields of a JSON object one by one: every mistake is collected with its pointer, not only the
//! first, and what nobody asked for is named at the end, so that nothing is ignored in silence.

use std::{borrow::Cow, ops::RangeInclusive};

use faciliauto_engine::stock::Centavos;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

pub use person_id::{check_id, id_schema};
pub use shape::Shape;

use crate::document::{Object, Value};

mod person_id;
mod shape;

/// More mistakes than this help nobody, and an answer must not grow with what was sent.
const MOST_LISTED: usize = 100;

/// The largest amount of money taken, in reais: keeps every sum far from the end of its integer.
const MOST_REAIS: f64 = 1e9;

/// A mistake in one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people, in Portuguese.
    pub message: String,
}

/// Something accepted, but not used as the sender may think.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Warning {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// A sentence for people, in Portuguese.
    pub message: String,
}

/// What was found wrong or unused so far.
#[derive(Debug, Default)]
pub struct Findings {
    /// Mistakes, at most a hundred.
    pub errors: Vec<FieldError>,
    /// How many mistakes there are, listed or not.
    pub error_count: usize,
    /// Things not used, at most a hundred.
    pub warnings: Vec<Warning>,
}

impl Findings {
    /// Notes a mistake.
    pub fn error(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.error_count += 1;
        if self.errors.len() < MOST_LISTED {
            self.errors.push(FieldError {
                pointer: pointer.into(),
                code,
                message: message.into(),
            });
        }
    }

    /// Notes all that was found elsewhere, behind what was found so far.
    pub fn append(&mut self, later: Self) {
        self.error_count += later.error_count;
        self.errors.extend(later.errors);
        self.errors.truncate(MOST_LISTED);
        self.warnings.extend(later.warnings);
        self.warnings.truncate(MOST_LISTED);
    }

    /// Notes something that is accepted and not used.
    pub fn warn(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.warnings.len() < MOST_LISTED {
            self.warnings.push(Warning {
                pointer: pointer.into(),
                message: message.into(),
            });
        }
    }
}

/// Pointer of a field of the object at `parent`.
#[must_use]
pub fn pointer(parent: &str, name: &str) -> String {
    if name.contains(['~', '/']) {
        format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
    } else {
        [parent, "/", name].concat()
    }
}

/// The bit of a name; several names share one.
fn name_bit(name: &str) -> u64 {
    let ends = name.bytes().next().zip(name.bytes().next_back());
    let mixed = ends.map_or(0, |(first, last)| usize::from(first) * 7 + usize::from(last));
    1 << ((mixed + name.len()) % 64)
}

/// An object that is being read.
pub struct Fields<'reading> {
    pointer: String,
    values: Object<'reading>,
    /// A bit for each name that is there, by [`name_bit`]: most fields that are asked for are not.
    names: u64,
    findings: &'reading mut Findings,
    /// Set while nothing is read and the reader only says what it would read.
    shape: Option<Shape>,
}

impl<'reading> Fields<'reading> {
    /// Begins to read an object that stands at `pointer`, which is empty for the whole document.
    ///
    /// `None`, with the mistake noted, when the value is no object.
    pub fn new(
        value: impl Into<Value<'reading>>,
        pointer: impl Into<String>,
        findings: &'reading mut Findings,
    ) -> Option<Self> {
        let pointer = pointer.into();
        match value.into() {
            Value::Object(values) => Some(Self {
                pointer,
                names: values.keys().fold(0, |names, name| names | name_bit(name)),
                values,
                findings,
                shape: None,
            }),
            other => {
                findings.error(
                    pointer,
                    "type",
                    format!("deve ser um objeto, e não {}", kind_of(&other)),
                );
                None
            }
        }
    }

    /// What a reader reads, as it says itself when it is run on nothing: every accessor notes its field and gives
    /// back `None`.
    pub fn describe(read: impl FnOnce(&mut Fields<'_>)) -> Shape {
        let mut fields = Fields {
            pointer: String::new(),
            values: Object::default(),
            names: 0,
            findings: &mut Findings::default(),
            shape: Some(Shape::default()),
        };
        read(&mut fields);
        fields.shape.unwrap_or_default()
    }

    fn note(&mut self, name: &str, schema: impl FnOnce() -> serde_json::Value) {
        if let Some(shape) = &mut self.shape {
            shape.field(name, schema());
        }
    }

    /// Says what holds of a field beyond what its accessor checks, in keywords of JSON Schema. Reads nothing.
    pub fn narrow(&mut self, name: &str, keywords: impl FnOnce() -> serde_json::Value) {
        if let Some(shape) = &mut self.shape {
            shape.narrow(name, keywords());
        }
    }

    /// Says what holds of fields together, as a JSON Schema of the object. Reads nothing.
    pub fn rule(&mut self, schema: impl FnOnce() -> serde_json::Value) {
        if let Some(shape) = &mut self.shape {
            shape.rule(schema());
        }
    }

    /// Pointer of a field.
    #[must_use]
    pub fn pointer(&self, name: &str) -> String {
        pointer(&self.pointer, name)
    }

    /// Whether the field was sent and is not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.may_have(name) && self.values.get(name).is_some_and(|value| !value.is_null())
    }

    fn may_have(&self, name: &str) -> bool {
        self.names & name_bit(name) != 0
    }

    /// Notes a mistake in a field.
    pub fn error(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        let pointer = self.pointer(name);
        self.findings.error(pointer, code, message);
    }

    /// Notes that a field is accepted and not used.
    pub fn warn(&mut self, name: &str, message: impl Into<String>) {
        let pointer = self.pointer(name);
        self.findings.warn(pointer, message);
    }

    /// Notes that an item of a list is accepted and not used.
    pub fn warn_at(&mut self, name: &str, index: usize, message: impl Into<String>) {
        let pointer = format!("{}/{index}", self.pointer(name));
        self.findings.warn(pointer, message);
    }

    /// Reads a field that must be there.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&mut Self, &str) -> Option<T>) -> Option<T> {
        if let Some(shape) = &mut self.shape {
            shape.require(name);
            return read(self, name);
        }
        if !self.has(name) {
            self.values.remove(name);
            self.error(name, "missing", "é obrigatório");
            return None;
        }
        read(self, name)
    }

    /// A text that is not blank.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.borrowed_text(name).map(Cow::into_owned)
    }

    /// A text that is not blank, as it stands in the document.
    pub fn borrowed_text(&mut self, name: &str) -> Option<Cow<'reading, str>> {
        self.note(name, || json!({"type": "string", "pattern": "\\S"}));
        match self.take(name)? {
            Value::String(text) if text.trim().is_empty() => {
                self.error(name, "empty", "não pode ser vazio");
                None
            }
            Value::String(text) => Some(text),
            other => self.ill_typed(name, "um texto", &other),
        }
    }

    /// True or false.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.note(name, || json!({"type": "boolean"}));
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            other => self.ill_typed(name, "true ou false", &other),
        }
    }

    /// A whole number within bounds. `5.0` counts as whole, as in JSON Schema.
    pub fn integer<T: TryFrom<i64>>(&mut self, name: &str, bounds: RangeInclusive<i64>) -> Option<T> {
        self.note(
            name,
            || json!({"type": "integer", "minimum": bounds.start(), "maximum": bounds.end()}),
        );
        let value = self.take(name)?;
        let whole = value.as_i64().or_else(|| {
            let number = value.as_f64()?;
            // Beyond 2^53 a float no longer tells neighbours apart.
            (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
        });
        match whole {
            None if value.is_number() => {
                self.error(name, "type", "deve ser um número inteiro");
                None
            }
            None => self.ill_typed(name, "um número inteiro", &value),
            Some(number) if !bounds.contains(&number) => {
                self.error(
                    name,
                    "range",
                    format!("deve ficar entre {} e {}", bounds.start(), bounds.end()),
                );
                None
            }
            Some(number) => T::try_from(number).ok(),
        }
    }

    /// A number within bounds.
    pub fn number(&mut self, name: &str, bounds: RangeInclusive<f64>) -> Option<f64> {
        self.note(
            name,
            || json!({"type": "number", "minimum": bounds.start(), "maximum": bounds.end()}),
        );
        let value = self.take(name)?;
        match value.as_f64() {
            None => self.ill_typed(name, "um número", &value),
            Some(number) if !bounds.contains(&number) => {
                self.error(
                    name,
                    "range",
                    format!("deve ficar entre {} e {}", bounds.start(), bounds.end()),
                );
                None
            }
            Some(number) => Some(number),
        }
    }

    /// An amount of money in reais, to the centavo.
    pub fn money(&mut self, name: &str) -> Option<Centavos> {
        self.number(name, 0.0..=MOST_REAIS)
            .map(|reais| Centavos((reais * 100.0).round() as u64))
    }

    /// A word of a closed list; another is a mistake.
    pub fn word<T>(
        &mut self,
        name: &str,
        allowed: &[&str],
        from_word: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        if self.shape.is_some() {
            self.note(name, || json!({"type": "string", "enum": allowed}));
            return None;
        }
        let text = self.borrowed_text(name)?;
        let value = from_word(&text);
        if value.is_none() {
            self.error(
                name,
                "unknown",
                format!("valor desconhecido; use um destes: {}", allowed.join(", ")),
            );
        }
        value
    }

    /// A list of words of a closed list; those that are not in it are named in a warning.
    pub fn words<T>(
        &mut self,
        name: &str,
        allowed: &[&str],
        from_word: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.shape.is_some() {
            self.note(name, || list_of(allowed));
            return None;
        }
        let texts = self.borrowed_texts(name)?;
        let mut values = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match from_word(text) {
                Some(value) => values.push(value),
                None => self.warn_at(name, index, "valor desconhecido; não foi usado"),
            }
        }
        Some(values)
    }

    /// One word, which must be known, or a list of words, of which the unknown are named in a warning.
    pub fn word_or_words<T>(
        &mut self,
        name: &str,
        allowed: &[&str],
        from_word: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.shape.is_some() {
            let one = json!({"type": "string", "enum": allowed});
            self.note(name, || json!({"anyOf": [one, list_of(allowed)]}));
            return None;
        }
        if self.may_have(name) && self.values.get(name).is_some_and(Value::is_string) {
            return self.word(name, allowed, from_word).map(|value| vec![value]);
        }
        self.words(name, allowed, from_word)
    }

    /// A list of texts.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let texts = self.borrowed_texts(name)?;
        Some(texts.into_iter().map(Cow::into_owned).collect())
    }

    fn borrowed_texts(&mut self, name: &str) -> Option<Vec<Cow<'reading, str>>> {
        self.note(name, || json!({"type": "array", "items": {"type": "string"}}));
        let items = match self.take(name)? {
            Value::Array(items) => items,
            other => return self.ill_typed(name, "uma lista", &other),
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text),
                other => {
                    let pointer = format!("{}/{index}", self.pointer(name));
                    let message = format!("deve ser um texto, e não {}", kind_of(&other));
                    self.findings.error(pointer, "type", message);
                }
            }
        }
        Some(texts)
    }

    /// A list of at most `most` objects; a longer one is a mistake. `None` when it was not sent or is no list; an object
    /// with a mistake is left out, with the mistake noted.
    pub fn objects<T>(
        &mut self,
        name: &str,
        most: usize,
        mut read: impl FnMut(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.shape.is_some() {
            let inside = Self::describe(|fields| drop(read(fields))).schema();
            self.note(
                name,
                || json!({"type": "array", "maxItems": most, "items": inside}),
            );
            return None;
        }
        let items = match self.take(name)? {
            Value::Array(items) => items,
            other => return self.ill_typed(name, "uma lista", &other),
        };
        if items.len() > most {
            self.error(name, "range", format!("deve ter no máximo {most} itens"));
            return None;
        }
        let list = self.pointer(name);
        let mut objects = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            if let Some(mut inner) = Fields::new(item, format!("{list}/{index}"), self.findings) {
                objects.extend(read(&mut inner));
                inner.finish();
            }
        }
        Some(objects)
    }

    /// The id of a person or a thing, as apps make them up: bounded, and fit for a line of text.
    pub fn id(&mut self, name: &str) -> Option<String> {
        if self.shape.is_some() {
            self.note(name, id_schema);
            return None;
        }
        let id = self.text(name)?;
        if let Err(message) = check_id(&id) {
            self.error(name, "format", message);
            return None;
        }
        Some(id)
    }

    /// A text of bounded length, which may be empty.
    pub fn free_text(&mut self, name: &str, most_letters: usize) -> Option<String> {
        self.note(name, || json!({"type": "string", "maxLength": most_letters}));
        match self.take(name)? {
            Value::String(text) if text.chars().count() > most_letters => {
                self.error(
                    name,
                    "range",
                    format!("deve ter no máximo {most_letters} caracteres"),
                );
                None
            }
            Value::String(text) => Some(text.into_owned()),
            other => self.ill_typed(name, "um texto", &other),
        }
    }

    /// Takes fields out that are accepted and not used, whatever they hold. They are not described either: older apps
    /// send them, and no other should begin to.
    pub fn pass_over(&mut self, names: &[&str]) {
        for name in names {
            self.values.remove(name);
        }
    }

    /// An object inside this one.
    pub fn object(&mut self, name: &str, read: impl FnOnce(&mut Fields<'_>)) {
        if self.shape.is_some() {
            let inside = Self::describe(read).schema();
            self.note(name, || inside);
            return;
        }
        let Some(value) = self.take(name) else { return };
        let pointer = self.pointer(name);
        if let Some(mut inner) = Fields::new(value, pointer, self.findings) {
            read(&mut inner);
            inner.finish();
        }
    }

    /// Takes a field out as it is; null counts as not sent.
    pub fn take(&mut self, name: &str) -> Option<Value<'reading>> {
        if !self.may_have(name) {
            return None;
        }
        self.values.remove(name).filter(|value| !value.is_null())
    }

    /// Ends reading: every field that was not read is unknown and named in a warning.
    pub fn finish(self) {
        for name in self.values.keys() {
            let pointer = self.pointer(name);
            self.findings.warn(pointer, "campo desconhecido; não foi usado");
        }
    }

    fn ill_typed<T>(&mut self, name: &str, wanted: &str, found: &Value<'_>) -> Option<T> {
        self.error(
            name,
            "type",
            format!("deve ser {wanted}, e não {}", kind_of(found)),
        );
        None
    }
}

/// Words that are known are examples: others are taken, and named in a warning.
fn list_of(known: &[&str]) -> serde_json::Value {
    json!({"type": "array", "items": {"type": "string", "examples": known}})
}

fn kind_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true ou false",
        Value::Number(_) => "um número",
        Value::String(_) => "um texto",
        Value::Array(_) => "uma lista",
        Value::Object(_) => "um objeto",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value, read: impl FnOnce(&mut Fields<'_>)) -> Findings {
        let mut findings = Findings::default();
        if let Some(mut fields) = Fields::new(value, "", &mut findings) {
            read(&mut fields);
            fields.finish();
        }
        findings
    }

    /// Prevents an error message from pointing at the wrong place of a nested document.
    #[test]
    fn mistakes_carry_their_pointer() {
        let findings = read(
            json!({"a/b": {"limit": 51}, "list": ["x", 1], "extra~": 1}),
            |fields| {
                fields.object("a/b", |inner| {
                    assert_eq!(inner.integer::<u8>("limit", 1..=50), None);
                    assert_eq!(inner.required("name", Fields::text), None);
                });
                assert_eq!(fields.texts("list"), Some(vec!["x".to_owned()]));
            },
        );
        let pointers: Vec<_> = findings
            .errors
            .iter()
            .map(|error| (error.pointer.as_str(), error.code))
            .collect();
        assert_eq!(
            pointers,
            [
                ("/a~1b/limit", "range"),
                ("/a~1b/name", "missing"),
                ("/list/1", "type")
            ]
        );
        assert_eq!(findings.warnings[0].pointer, "/extra~0");
    }

    /// Prevents a price with centavos from being rounded away from what was typed.
    #[test]
    fn money_is_exact_to_the_centavo() {
        for (reais, centavos) in [
            (json!(52_990), 5_299_000),
            (json!(52_990.29), 5_299_029),
            (json!(0.1), 10),
        ] {
            read(json!({"preco": reais}), |fields| {
                assert_eq!(fields.money("preco"), Some(Centavos(centavos)));
            });
        }
        assert_eq!(
            read(json!({"preco": -1}), |fields| assert_eq!(
                fields.money("preco"),
                None
            ))
            .errors[0]
                .code,
            "range"
        );
    }

    /// Prevents an answer from growing without bound with the number of mistakes sent.
    #[test]
    fn mistakes_are_all_counted_and_a_hundred_listed() {
        let findings = read(json!({"list": vec![1; 250]}), |fields| drop(fields.texts("list")));
        assert_eq!((findings.errors.len(), findings.error_count), (100, 250));
    }
}
