//! Logs: fields, then a short sentence.

use std::io::Write;

use tracing_subscriber::{EnvFilter, fmt};

use crate::args::LogFormat;

/// Installs the process's log sink. A filter that cannot be read becomes `info`, with a warning: a
/// slip in a log setting must not stop an operator.
pub fn install(filter: &str, format: LogFormat) {
    let (filter, problem) = match EnvFilter::try_new(filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.init(),
    }
    if let Some(error) = problem {
        tracing::warn!(%error, "the log filter cannot be read, info it is");
    }
}

/// Tells a person at a terminal why the program ends: the error and what caused it, in one line.
pub fn report(error: &anyhow::Error) {
    // Nothing is left to tell it to when standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "faciliauto-operator: {error:#}");
}
