//! Reads the data files cell by cell, so that every error can say file, row and field.

use std::str::FromStr;

use jiff::civil::Date;
use serde_json::Value;

use super::TableError;

/// What every data file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Changes whenever a figure changes.
    pub version: String,
    /// The day from which the figures hold.
    pub valid_from: Date,
    /// Where they come from.
    pub source: String,
    /// `high`, `medium` or `low`.
    pub confidence: String,
}

impl Provenance {
    fn from_fields(file: &'static str, field: impl Fn(&str) -> Option<String>) -> Result<Self, TableError> {
        let required = |name: &str| {
            field(name)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| TableError::new(file, None, name, "is missing from the head of the file"))
        };
        let confidence = required("confidence")?;
        if !["high", "medium", "low"].contains(&confidence.as_str()) {
            return Err(TableError::new(
                file,
                None,
                "confidence",
                "must be high, medium or low",
            ));
        }
        let valid_from = required("valid_from")?;
        Ok(Self {
            version: required("version")?,
            valid_from: valid_from.parse().map_err(|_| {
                TableError::new(file, None, "valid_from", format!("{valid_from:?} is no date"))
            })?,
            source: required("source")?,
            confidence,
        })
    }
}

/// A CSV file whose first lines are `# field: value` about the file itself.
pub(super) struct Sheet {
    pub(super) provenance: Provenance,
    pub(super) rows: Vec<Row>,
}

/// One record with the names of its columns.
pub(super) struct Row {
    file: &'static str,
    line: u64,
    headers: csv::StringRecord,
    record: csv::StringRecord,
}

impl Sheet {
    pub(super) fn read(file: &'static str, text: &str) -> Result<Self, TableError> {
        let provenance = Provenance::from_fields(file, |name| {
            text.lines()
                .take_while(|line| line.starts_with('#'))
                .filter_map(|line| line.trim_start_matches('#').split_once(':'))
                .find(|(key, _)| key.trim() == name)
                .map(|(_, value)| value.trim().to_owned())
        })?;
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let unreadable = |error: csv::Error| {
            let line = error.position().map(csv::Position::line);
            TableError::new(file, line, "row", error.to_string())
        };
        let headers = reader.headers().map_err(unreadable)?.clone();
        let rows = reader
            .records()
            .map(|record| {
                let record = record.map_err(unreadable)?;
                let line = record.position().map_or(0, csv::Position::line);
                Ok(Row {
                    file,
                    line,
                    headers: headers.clone(),
                    record,
                })
            })
            .collect::<Result<Vec<_>, TableError>>()?;
        if rows.is_empty() {
            return Err(TableError::new(file, None, "row", "the file has no rows"));
        }
        Ok(Self { provenance, rows })
    }
}

impl Row {
    pub(super) fn error(&self, field: &str, message: impl Into<String>) -> TableError {
        TableError::new(self.file, Some(self.line), field, message)
    }

    /// The cell, empty when nothing is known.
    pub(super) fn cell(&self, field: &str) -> Result<&str, TableError> {
        let column = self
            .headers
            .iter()
            .position(|header| header == field)
            .ok_or_else(|| TableError::new(self.file, None, field, "the file has no such column"))?;
        Ok(self.record.get(column).unwrap_or_default().trim())
    }

    pub(super) fn text(&self, field: &str) -> Result<&str, TableError> {
        let cell = self.cell(field)?;
        if cell.is_empty() {
            Err(self.error(field, "must not be empty"))
        } else {
            Ok(cell)
        }
    }

    pub(super) fn optional<T: FromStr + PartialOrd>(
        &self,
        field: &str,
        least: T,
        most: T,
    ) -> Result<Option<T>, TableError> {
        let cell = self.cell(field)?;
        if cell.is_empty() {
            return Ok(None);
        }
        let value = cell
            .parse::<T>()
            .map_err(|_| self.error(field, format!("{cell:?} is not a number that fits")))?;
        if value >= least && value <= most {
            Ok(Some(value))
        } else {
            Err(self.error(field, format!("{cell} is outside its bounds")))
        }
    }

    pub(super) fn number<T: FromStr + PartialOrd>(
        &self,
        field: &str,
        least: T,
        most: T,
    ) -> Result<T, TableError> {
        self.optional(field, least, most)?
            .ok_or_else(|| self.error(field, "must not be empty"))
    }

    /// `1`, `0` or, when not known, empty.
    pub(super) fn optional_flag(&self, field: &str) -> Result<Option<bool>, TableError> {
        match self.cell(field)? {
            "" => Ok(None),
            "0" => Ok(Some(false)),
            "1" => Ok(Some(true)),
            other => Err(self.error(field, format!("{other:?} is neither 0 nor 1"))),
        }
    }

    pub(super) fn flag(&self, field: &str) -> Result<bool, TableError> {
        self.optional_flag(field)?
            .ok_or_else(|| self.error(field, "must not be empty"))
    }
}

/// A JSON file, read by paths such as `anchors/economia/zero`.
pub(super) struct Document {
    pub(super) provenance: Provenance,
    file: &'static str,
    root: Value,
}

impl Document {
    pub(super) fn read(file: &'static str, text: &str) -> Result<Self, TableError> {
        let root: Value = serde_json::from_str(text).map_err(|error| {
            TableError::new(
                file,
                u64::try_from(error.line()).ok(),
                "document",
                error.to_string(),
            )
        })?;
        let provenance = Provenance::from_fields(file, |name| {
            root.get(name)
                .and_then(Value::as_str)
                .map(|text| text.trim().to_owned())
        })?;
        Ok(Self {
            provenance,
            file,
            root,
        })
    }

    pub(super) fn error(&self, path: &str, message: impl Into<String>) -> TableError {
        TableError::new(self.file, None, path, message)
    }

    fn value(&self, path: &str) -> Result<&Value, TableError> {
        self.root
            .pointer(&format!("/{path}"))
            .ok_or_else(|| self.error(path, "is missing"))
    }

    /// A number within bounds, both included.
    pub(super) fn number(&self, path: &str, least: f64, most: f64) -> Result<f64, TableError> {
        let number = self
            .value(path)?
            .as_f64()
            .ok_or_else(|| self.error(path, "must be a number"))?;
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err(self.error(path, format!("{number} is not within {least} to {most}")))
        }
    }

    /// A whole number within bounds, both included.
    pub(super) fn whole(&self, path: &str, least: u32, most: u32) -> Result<u32, TableError> {
        let number = self
            .value(path)?
            .as_u64()
            .ok_or_else(|| self.error(path, "must be a whole number"))?;
        u32::try_from(number)
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.error(path, format!("{number} is not within {least} to {most}")))
    }

    pub(super) fn text(&self, path: &str) -> Result<&str, TableError> {
        self.value(path)?
            .as_str()
            .ok_or_else(|| self.error(path, "must be a text"))
    }

    pub(super) fn names(&self, path: &str) -> Result<Vec<String>, TableError> {
        let object = self
            .value(path)?
            .as_object()
            .ok_or_else(|| self.error(path, "must be an object"))?;
        Ok(object.keys().cloned().collect())
    }

    pub(super) fn length(&self, path: &str) -> Result<usize, TableError> {
        Ok(self
            .value(path)?
            .as_array()
            .ok_or_else(|| self.error(path, "must be a list"))?
            .len())
    }

    /// `null` or a whole number.
    pub(super) fn optional_whole(&self, path: &str, most: u32) -> Result<Option<u32>, TableError> {
        if self.value(path)?.is_null() {
            Ok(None)
        } else {
            self.whole(path, 0, most).map(Some)
        }
    }
}
