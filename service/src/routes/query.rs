//! Query strings, read with the same care as bodies: every mistake with its pointer.

use std::borrow::Cow;

use actix_web::web;

use crate::{
    document::{Object, Value},
    error::ApiError,
    fields::{FieldError, Fields, Findings},
};

/// The parameters of a query, and which of them nobody knows.
pub(super) struct Query {
    values: Object<'static>,
    /// Names of parameters that came without a value.
    empty: Vec<String>,
}

impl Query {
    /// Reads a query string. Of a parameter that stands twice the last counts.
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|_| ApiError::BadRequest)?
            .into_inner();
        // An empty parameter, as forms send it, is one that was not filled in.
        let (empty, filled): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(_, value)| value.is_empty());
        Ok(Self {
            values: filled
                .into_iter()
                .map(|(name, value)| (Cow::Owned(name), Value::String(Cow::Owned(value))))
                .collect(),
            empty: empty.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// As [`Self::read`], but a parameter that nobody knows or that has no value is a mistake: what it should have asked
    /// for could be that nothing is written.
    pub(super) fn read_strictly<T>(
        mut self,
        numbers: &[&str],
        flags: &[&str],
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> Result<T, ApiError> {
        let mistake = |name: &str, code, message: &str| FieldError {
            pointer: format!("/{name}"),
            code,
            message: message.to_owned(),
        };
        let empty = std::mem::take(&mut self.empty);
        let (answer, unknown) = self.read(numbers, flags, read)?;
        let empty = empty.iter().map(|name| mistake(name, "empty", "não tem valor"));
        let unknown = unknown
            .iter()
            .map(|name| mistake(name, "unknown", "parâmetro desconhecido; nada foi gravado"));
        let mistakes: Vec<FieldError> = empty.chain(unknown).collect();
        if mistakes.is_empty() {
            Ok(answer)
        } else {
            Err(ApiError::InvalidFields(mistakes))
        }
    }

    /// Reads all parameters; gives back what was read and the names of those that were not.
    pub(super) fn read<T>(
        mut self,
        numbers: &[&str],
        flags: &[&str],
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> Result<(T, Vec<String>), ApiError> {
        // What is a text only because a query has nothing else becomes what it stands for.
        for (name, value) in self.values.iter_mut() {
            let Value::String(text) = &*value else { continue };
            if numbers.contains(&name)
                && let Ok(number) = serde_json::from_str(text.trim())
            {
                *value = Value::Number(number);
            } else if flags.contains(&name) {
                match text.trim().to_lowercase().as_str() {
                    "true" | "1" => *value = Value::Bool(true),
                    "false" | "0" => *value = Value::Bool(false),
                    _ => {}
                }
            }
        }
        let mut findings = Findings::default();
        let mut answer = None;
        if let Some(mut fields) = Fields::new(Value::Object(self.values), "", &mut findings) {
            answer = Some(read(&mut fields));
            fields.finish();
        }
        match answer {
            Some(answer) if findings.error_count == 0 => {
                let unknown = findings
                    .warnings
                    .iter()
                    .map(|warning| warning.pointer[1..].to_owned());
                Ok((answer, unknown.collect()))
            }
            _ => Err(ApiError::InvalidFields(findings.errors)),
        }
    }
}

/// A text as a part of a URL: all but RFC 3986's unreserved characters escaped.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 2);
    push_escaped(&mut escaped, text);
    escaped
}

/// Writes what [`escape`] gives back behind what is there.
pub(super) fn push_escaped(escaped: &mut String, text: &str) {
    let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a link whose text is cut at the first "&" or garbled at the first accent.
    #[test]
    fn escaped_texts_survive_a_url() {
        assert_eq!(escape("Olá & bem-vindo ~1"), "Ol%C3%A1%20%26%20bem-vindo%20~1");
    }

    /// Prevents `?preco_max=abc` from being taken as no filter at all.
    #[test]
    fn ill_typed_parameters_are_errors_and_unknown_ones_are_named() {
        let read = |text: &str| {
            Query::parse(text).unwrap().read(&["n"], &["f"], |fields| {
                (
                    fields.integer::<u32>("n", 0..=9),
                    fields.flag("f"),
                    fields.text("t"),
                )
            })
        };
        let ((n, f, t), unknown) = read("n=7&f=true&t=um+dois&u=1&empty=").unwrap();
        assert_eq!((n, f, t.as_deref()), (Some(7), Some(true), Some("um dois")));
        assert_eq!(unknown, ["u"]);
        for text in ["n=abc", "n=10", "n=1.5", "f=talvez"] {
            assert!(matches!(read(text), Err(ApiError::InvalidFields(_))), "{text}");
        }
    }

    /// Prevents a trial that is misspelt from being the real thing.
    #[test]
    fn where_something_is_written_every_parameter_must_be_understood() {
        let read = |text: &str| {
            let read = |fields: &mut Fields<'_>| fields.flag("dry_run");
            match Query::parse(text).unwrap().read_strictly(&[], &["dry_run"], read) {
                Ok(flag) => Ok(flag),
                Err(ApiError::InvalidFields(mistakes)) => {
                    let named = mistakes
                        .into_iter()
                        .map(|mistake| (mistake.pointer, mistake.code));
                    Err(named.collect::<Vec<_>>())
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("dry_run=true"), Ok(Some(true)));
        for (text, named) in [
            ("dryrun=true", vec![("/dryrun", "unknown")]),
            ("dry_run", vec![("/dry_run", "empty")]),
            ("dry_run=true&x=1&y=", vec![("/y", "empty"), ("/x", "unknown")]),
        ] {
            let named = named
                .into_iter()
                .map(|(pointer, code)| (pointer.to_owned(), code));
            assert_eq!(read(text), Err(named.collect()), "{text}");
        }
    }
}
