//! What the server of a shared store says of itself.

use jiff::Timestamp;

/// Figures of a server at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerFigures {
    /// Memory that it has taken for what it holds.
    pub memory_used_bytes: u64,
    /// Keys that it dropped to make room, since it was started. None of them was durable.
    pub evicted_keys: u64,
    /// When it last wrote all that it holds to its disk, or when it was started.
    pub last_save: Timestamp,
}

impl ServerFigures {
    /// Out of the answer to `INFO`; `None` when something is missing.
    #[must_use]
    pub fn from_info(text: &str) -> Option<Self> {
        let number = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .and_then(|value| value.trim_end().parse::<u64>().ok())
        };
        let last_save = i64::try_from(number("rdb_last_save_time")?).ok()?;
        Some(Self {
            memory_used_bytes: number("used_memory")?,
            evicted_keys: number("evicted_keys")?,
            last_save: Timestamp::from_second(last_save).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a figure from being taken for another whose name begins alike.
    #[test]
    fn figures_are_found_by_their_names() {
        let text = "# Memory\r\nused_memory_human:1.00M\r\nused_memory:1048577\r\nmaxmemory:0\r\n\
                    # Persistence\r\nrdb_last_save_time:1790000000\r\n# Stats\r\nevicted_keys:3\r\n";
        let expected = ServerFigures {
            memory_used_bytes: 1_048_577,
            evicted_keys: 3,
            last_save: Timestamp::from_second(1_790_000_000).unwrap(),
        };
        assert_eq!(ServerFigures::from_info(text), Some(expected));
        assert_eq!(
            ServerFigures::from_info(&text.replace("evicted_keys:3", "")),
            None
        );
        assert_eq!(ServerFigures::from_info(""), None);
    }
}
