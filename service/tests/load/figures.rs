//! What a drill measured.

use std::{env, fmt::Display, time::Duration};

/// The server that the drill runs on, where it is not the default: it becomes part of every figure's name.
const SERVER: &str = "FACILIAUTO_DRILL_SERVER";

/// Prints a figure on standard output: `drill.backup.seconds`, or `drill.backup.seconds.valkey-8.1`.
#[allow(clippy::print_stdout, reason = "figures are what a drill is run for")]
pub(crate) fn bench(name: &str, value: impl Display, unit: &str) {
    let server = env::var(SERVER).unwrap_or_default();
    let separator = if server.is_empty() { "" } else { "." };
    println!("BENCH {name}{separator}{server} {value} {unit}");
}

/// A time as its figure.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
