//! What a span says of itself, as the JSON that lines of the log are made of. Every request has a span, and few requests
//! a line within it, so its fields are written as they come, without a map between.

use std::fmt::{self, Debug};

use serde::Serialize;
use tracing::{
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, FormattedFields, format::Writer},
};

/// Writes the fields of spans as one JSON object.
#[derive(Debug)]
pub(super) struct SpanFields;

impl<'writer> FormatFields<'writer> for SpanFields {
    fn format_fields<Fields: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: Fields,
    ) -> fmt::Result {
        writer.write_char('{')?;
        write_fields(&mut writer, true, &fields)?;
        writer.write_char('}')
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let is_first = match current.fields.pop() {
            Some(_) => current.fields.len() == 1,
            None => {
                current.fields.push('{');
                true
            }
        };
        write_fields(&mut current.as_writer(), is_first, fields)?;
        current.fields.push('}');
        Ok(())
    }
}

fn write_fields(writer: &mut Writer<'_>, is_first: bool, fields: &impl RecordFields) -> fmt::Result {
    let mut object = Object {
        writer,
        is_first,
        outcome: Ok(()),
    };
    fields.record(&mut object);
    object.outcome
}

/// An object that is being written.
struct Object<'a, 'writer> {
    writer: &'a mut Writer<'writer>,
    is_first: bool,
    outcome: fmt::Result,
}

impl Object<'_, '_> {
    fn field(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        let json = serde_json::to_string(value).map_err(|_| fmt::Error);
        self.outcome = self
            .outcome
            .and(json.and_then(|json| self.write(field, "", &json, "")));
    }

    fn write(&mut self, field: &Field, before: &str, value: &str, after: &str) -> fmt::Result {
        let begin = if self.is_first { "\"" } else { ",\"" };
        self.is_first = false;
        // Names of fields are words of ours, which need no escape.
        for part in [begin, field.name(), "\":", before, value, after] {
            self.writer.write_str(part)?;
        }
        Ok(())
    }
}

impl Visit for Object<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        if value.bytes().all(is_plain) {
            self.outcome = self.outcome.and_then(|()| self.write(field, "\"", value, "\""));
        } else {
            self.field(field, value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use serde_json::{Value, json};
    use tracing_subscriber::{fmt::layer, layer::SubscriberExt, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Prevents a line of the log from being no JSON, or from losing what its span says: texts that need escapes, values of
    /// every kind, fields that come later, a span without any.
    #[test]
    fn lines_say_what_their_span_says() {
        let kept = Kept::default();
        let sink = kept.clone();
        let lines = layer()
            .json()
            .with_span_list(false)
            .with_writer(move || sink.clone())
            .fmt_fields(SpanFields);
        tracing::subscriber::with_default(registry().with(lines), || {
            let span = tracing::info_span!(
                "request",
                plain = "a-1",
                quoted = "a \"b\" \\ ç\n",
                number = -7,
                share = 0.5,
                yes = true,
                kind = ?Some(1),
                later = tracing::field::Empty
            );
            span.record("later", "z");
            span.in_scope(|| tracing::info!("first"));
            let bare = tracing::info_span!("bare", later = tracing::field::Empty);
            bare.in_scope(|| tracing::info!("second"));
            bare.record("later", 2_u64);
            bare.in_scope(|| tracing::info!("third"));
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let spans: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["span"].clone())
            .collect();
        let first = json!({
            "name": "request", "plain": "a-1", "quoted": "a \"b\" \\ ç\n", "number": -7, "share": 0.5, "yes": true,
            "kind": "Some(1)", "later": "z",
        });
        assert_eq!(
            spans,
            [
                first,
                json!({"name": "bare"}),
                json!({"name": "bare", "later": 2})
            ]
        );
    }
}
