//! What a command that runs as a Job tells of its end: one line of JSON, in the file that Kubernetes takes for the
//! termination message.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use serde::Serialize;

/// Bytes of a text as JSON has it: Kubernetes keeps 4 KiB of a termination message, and the rest of a line is short.
const LONGEST_TEXT: usize = 2048;

/// The line that tells how it went.
///
/// # Errors
/// When the report cannot be written as JSON.
pub(super) fn line(outcome: &anyhow::Result<impl Serialize>) -> serde_json::Result<String> {
    match outcome {
        Ok(report) => serde_json::to_string(report),
        Err(error) => {
            let text = format!("{error:#}");
            serde_json::to_string(&serde_json::json!({ "error": beginning(&text) }))
        }
    }
}

/// As much of a text as has room in a report.
pub(super) fn beginning(text: &str) -> &str {
    let mut bytes = 0;
    let end = text.char_indices().find(|(_, letter)| {
        bytes += match letter {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..' ' => "\\u0000".len(),
            other => other.len_utf8(),
        };
        bytes > LONGEST_TEXT
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// Writes the line to the report file, if there is one.
///
/// # Errors
/// The system's, with the file's name.
pub(super) fn write(file: Option<&Path>, line: &str) -> anyhow::Result<()> {
    match file {
        None => Ok(()),
        Some(path) => write_in_place(path, line)
            .with_context(|| format!("failed to write the report to {}", path.display())),
    }
}

/// Written in place: what Kubernetes mounts for it can be neither replaced nor renamed.
fn write_in_place(path: &Path, line: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    writeln!(file, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a report from being cut off by Kubernetes, after which it is no JSON and nobody knows why a Job failed.
    #[test]
    fn the_longest_text_of_any_letters_fits_into_a_termination_message() {
        for letter in [
            'a', 'ã', '€', '🚗', '"', '\\', '\n', '\u{8}', '\0', '\u{1f}', '\u{7f}', '\u{2028}',
        ] {
            let text: String = std::iter::repeat_n(letter, 5000).collect();
            let line = line(&Err::<(), _>(anyhow::anyhow!(text.clone()))).unwrap();
            assert!((2048..2100).contains(&line.len()), "{letter:?}: {}", line.len());
            let told: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(text.starts_with(told["error"].as_str().unwrap()), "{letter:?}");
        }
        assert_eq!(beginning("short"), "short");
    }
}
