//! What the figures were measured on.

use std::fs;

use faciliauto_engine::InstructionSet;

/// Says on standard error which processor this is and what the engine can use of it.
pub(crate) fn describe() {
    let sets: Vec<&str> = InstructionSet::available().map(InstructionSet::word).collect();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    eprintln!("processor: {model}, {processors} of it");
    eprintln!("instruction sets: {}", sets.join(", "));
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        eprintln!("load before: {}", load.trim());
    }
}

/// Bytes that can still be had without swapping; `None` where the system does not say.
pub(crate) fn available_bytes() -> Option<u64> {
    let kilobytes = field("/proc/meminfo", "MemAvailable")?;
    let kilobytes: u64 = kilobytes.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The first `name: value` of a file under `/proc`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}
