//! The log: one JSON object a line on the standard output. No line holds a path, a query, a body, an
//! address or anything else of a buyer.

mod span_fields;

use std::{
    io::{self, IsTerminal},
    panic::PanicHookInfo,
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    filter::Targets,
    fmt::{MakeWriter, layer},
    layer::SubscriberExt,
    registry,
};

use self::span_fields::SpanFields;
use crate::configuration::LogLevel;

/// Logs from here on, for the whole process; a panic is logged like anything else.
pub fn start<Sink>(level: LogLevel, sink: Sink)
where
    Sink: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // The HTTP server says at `info` how many threads it starts, and names addresses at `debug`.
    let quiet = ["actix_server", "actix_http", "mio", "rustls"];
    let targets = Targets::new()
        .with_default(level)
        .with_targets(quiet.map(|target| (target, LevelFilter::WARN)));
    let lines = layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(sink)
        .fmt_fields(SpanFields);
    let subscriber = registry().with(targets).with(lines);
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
