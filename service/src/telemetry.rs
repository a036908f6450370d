//! The log: one JSON object a line on the standard output. No line holds a path, a query, a body, an
//! address or anything else of a buyer.

use std::{
    io::{self, IsTerminal},
    panic::PanicHookInfo,
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::configuration::LogLevel;

/// Logs from here on, for the whole process; a panic is logged like anything else.
pub fn start<Sink>(level: LogLevel, sink: Sink)
where
    Sink: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // The HTTP server says at `info` how many threads it starts, and names addresses at `debug`.
    let filter = EnvFilter::new(format!(
        "{level},actix_server=warn,actix_http=warn,mio=warn,rustls=warn"
    ));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(sink)
        .finish();
    // Already set: only in a process that runs several applications, such as a test.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Whether a person watches the standard error.
#[must_use]
pub fn on_terminal() -> bool {
    io::stderr().is_terminal()
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message = text
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(place, panic = message, "a thread panicked");
}
