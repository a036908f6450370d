//! Opens a file to be imported, and shows how far it is read.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::Context;
use jiff::civil::Date;

use super::{say, say_over};
use crate::stock::StockFile;

/// How many bytes are read between two signs of progress.
const STEP: u64 = 1 << 20;

/// Reads a file, or the standard input for `-`.
pub(super) fn read(
    path: &Path,
    dealership: Option<&str>,
    today: Date,
    terminal: bool,
) -> anyhow::Result<StockFile> {
    let (source, name, length): (Box<dyn Read>, _, _) = if path == Path::new("-") {
        (
            Box::new(io::stdin().lock()),
            "the standard input".to_owned(),
            None,
        )
    } else {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("failed to read {name}"))?;
        let about = file.metadata().ok().filter(|about| about.is_file());
        (Box::new(file), name, about.map(|about| about.len()))
    };
    let read = StockFile::read(
        Watched {
            source,
            read: 0,
            length,
            terminal,
        },
        dealership,
        today,
    );
    if terminal {
        say_over("", "");
    }
    let file = read.with_context(|| format!("failed to import {name}"))?;
    for warning in file.warnings() {
        // A pointer has the file's own words, which are not a terminal's to obey.
        say(&format!(
            "warning: {} {}",
            warning.pointer.escape_debug(),
            warning.message
        ));
    }
    say(&format!("read {} cars from {name}", file.cars().len()));
    Ok(file)
}

/// Tells a person how much of a file is read.
struct Watched<Source> {
    source: Source,
    read: u64,
    length: Option<u64>,
    terminal: bool,
}

impl<Source: Read> Read for Watched<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let before = self.read / STEP;
        self.read += read as u64;
        let steps = self.read / STEP;
        if self.terminal && steps > before {
            let text = match self.length {
                Some(length) if length > 0 => format!("{} %", (self.read * 100 / length).min(100)),
                _ => format!("{steps} MiB"),
            };
            say_over(&format!("reading: {text}"), "");
        }
        Ok(read)
    }
}
