//! The forms that a file may have, and what is read of those that are lists of cars.

use std::io::BufRead;

use jiff::civil::Date;

use super::{
    super::upload::{LineReader, Owner, Ration, Upload},
    StockError,
    document::{CARS, DEALERSHIPS},
    rationed::{Rationed, broken},
};
use crate::document::Value;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Document,
    Array,
    Lines,
}

impl Form {
    pub(super) fn of(head: &[u8]) -> Self {
        let head = head.trim_ascii_start();
        match head.first() {
            Some(b'[') => Self::Array,
            Some(b'{') => {
                let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let mut values = serde_json::Deserializer::from_slice(line).into_iter::<Value<'_>>();
                match values.next() {
                    Some(Ok(Value::Object(fields)))
                        if fields.keys().next().is_none()
                            || [DEALERSHIPS, CARS].iter().any(|name| fields.get(name).is_some()) =>
                    {
                        Self::Document
                    }
                    // What does not end in its line is no line.
                    Some(Err(error)) if error.is_eof() => Self::Document,
                    _ => Self::Lines,
                }
            }
            _ => Self::Lines,
        }
    }
}

/// Reads an array of cars.
pub(super) fn read_array(source: impl BufRead, owner: Owner, today: Date) -> Result<Upload, StockError> {
    let mut rows = Upload::new(owner, today, "carro", "");
    let ration = Ration::default();
    let mut document = serde_json::Deserializer::from_reader(Rationed {
        source,
        ration: &ration,
    });
    let mut refused = None;
    let read = rows.array(&mut document, &mut refused, &ration);
    match (read.and_then(|()| document.end()), refused) {
        (Ok(()), _) => Ok(rows),
        (Err(_), Some(refused)) => Err(refused.into()),
        (Err(error), None) => Err(broken(error, &ration)),
    }
}

/// Reads one car a line.
pub(super) fn read_lines(mut source: impl BufRead, owner: Owner, today: Date) -> Result<Upload, StockError> {
    let mut lines = LineReader::of(owner, today);
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() {
            return Ok(lines.finish()?);
        }
        let read = bytes.len();
        lines.push(bytes)?;
        source.consume(read);
    }
}
