//! Prints what the API takes and answers, for programs that check it beforehand.

use std::io::{self, Write};

use serde_json::Value;

use crate::{configuration::SchemaKind, routes::openapi};

/// Prints a description.
///
/// # Errors
/// Those of the standard output.
pub fn run(which: SchemaKind) -> io::Result<()> {
    let schema: Value = match which {
        SchemaKind::StockRow => openapi::stock_row(),
        SchemaKind::Openapi => openapi::document(),
    };
    writeln!(io::stdout(), "{schema:#}")
}
