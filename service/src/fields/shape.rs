//! What a reader of fields reads, as JSON Schema. The reader itself says it while it is run on nothing: a field that
//! it begins to read, or bounds otherwise, cannot be missing here or bounded differently.

use serde_json::{Map, Value, json};

/// The fields that an object may have.
#[derive(Debug, Default)]
pub struct Shape {
    /// Name, and schema of a value that was sent.
    fields: Map<String, Value>,
    required: Vec<String>,
    /// What is checked elsewhere than where the field is read.
    narrowed: Map<String, Value>,
    /// What fields say of each other.
    rules: Vec<Value>,
}

impl Shape {
    /// Notes a field.
    pub(super) fn field(&mut self, name: &str, schema: Value) {
        self.fields.insert(name.to_owned(), schema);
    }

    /// Notes that a field must be there.
    pub(super) fn require(&mut self, name: &str) {
        self.required.push(name.to_owned());
    }

    /// Notes more of a field.
    pub(super) fn narrow(&mut self, name: &str, keywords: Value) {
        self.narrowed.insert(name.to_owned(), keywords);
    }

    /// Notes what holds for the object as a whole.
    pub(super) fn rule(&mut self, schema: Value) {
        self.rules.push(schema);
    }

    /// Each field with the schema of a value that was sent, in the order of their names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Value)> {
        self.fields.iter().map(|(name, schema)| {
            let mut schema = schema.clone();
            if let (Some(schema), Some(Value::Object(more))) =
                (schema.as_object_mut(), self.narrowed.get(name))
            {
                schema.extend(more.clone());
            }
            (name.as_str(), schema)
        })
    }

    /// The same without a field, which is given otherwise.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.remove(name);
        self.required.retain(|required| required != name);
        self
    }

    /// Whether a field must be there.
    #[must_use]
    pub fn requires(&self, name: &str) -> bool {
        self.required.iter().any(|required| required == name)
    }

    /// The schema of an object in JSON. An optional field may also be null, which counts as not sent; fields that
    /// nobody knows are allowed, since they only bring a warning.
    #[must_use]
    pub fn schema(&self) -> Value {
        let properties: Map<String, Value> = self
            .fields()
            .map(|(name, schema)| {
                let schema = if self.requires(name) {
                    schema
                } else {
                    or_null(schema)
                };
                (name.to_owned(), schema)
            })
            .collect();
        let mut object = json!({"type": "object", "properties": properties});
        if !self.required.is_empty() {
            object["required"] = json!(self.required);
        }
        match self.rules.as_slice() {
            [] => {}
            [rule] => {
                for (keyword, value) in rule.as_object().into_iter().flatten() {
                    object[keyword] = value.clone();
                }
            }
            rules => object["allOf"] = json!(rules),
        }
        object
    }
}

/// The schema, with null beside what it allows.
fn or_null(mut schema: Value) -> Value {
    if let Some(alternatives) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        alternatives.push(json!({"type": "null"}));
        return schema;
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.clone(), "null"]);
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema
}

#[cfg(test)]
mod tests {
    use crate::fields::Fields;

    use super::*;

    /// Prevents a description that a program cannot rely on: each kind of field, with its bounds.
    #[test]
    fn a_reader_describes_what_it_reads() {
        let shape = Fields::describe(|fields| {
            fields.required("ano", |fields, name| fields.integer::<u16>(name, 1900..=2100));
            fields.word("cambio", &["manual", "cvt"], |_| Some(()));
            fields.flag("leilao");
            fields.narrow("cor", || json!({"maxLength": 20}));
            fields.text("cor");
            fields.object("dentro", |inner| {
                inner.required("preco", Fields::money);
                inner.word_or_words("tipos", &["SUV"], |_| Some(()));
            });
            fields.free_text("nota", 9);
            fields.objects("itens", 7, |inner| inner.required("ok", Fields::flag));
        });
        assert!(shape.requires("ano") && !shape.requires("cor"));
        let text = json!({"type": "string", "pattern": "\\S"});
        assert_eq!(
            shape.schema(),
            json!({
                "type": "object",
                "required": ["ano"],
                "properties": {
                    "ano": {"type": "integer", "minimum": 1900, "maximum": 2100},
                    "cambio": {"type": ["string", "null"], "enum": ["manual", "cvt", null]},
                    "leilao": {"type": ["boolean", "null"]},
                    "cor": {"type": ["string", "null"], "pattern": "\\S", "maxLength": 20},
                    "nota": {"type": ["string", "null"], "maxLength": 9},
                    "itens": {
                        "type": ["array", "null"],
                        "maxItems": 7,
                        "items": {
                            "type": "object",
                            "required": ["ok"],
                            "properties": {"ok": {"type": "boolean"}},
                        },
                    },
                    "dentro": {
                        "type": ["object", "null"],
                        "required": ["preco"],
                        "properties": {
                            "preco": {"type": "number", "minimum": 0.0, "maximum": 1e9},
                            "tipos": {"anyOf": [
                                {"type": "string", "enum": ["SUV"]},
                                {"type": "array", "items": {"type": "string", "examples": ["SUV"]}},
                                {"type": "null"},
                            ]},
                        },
                    },
                },
            }),
        );
        assert_eq!(
            shape
                .fields()
                .find(|(name, _)| *name == "cor")
                .map(|(_, schema)| schema["pattern"].clone()),
            Some(text["pattern"].clone())
        );
    }
}
