//! What Linux says of the memory of a process.

/// A line of the status of a process, such as `VmRSS:` or `VmHWM:`; `None` once it has ended.
pub(crate) fn mebibytes(process: u32, line: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|text| text.strip_prefix(line))?;
    let kibibytes: f64 = value.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes / 1024.0)
}
