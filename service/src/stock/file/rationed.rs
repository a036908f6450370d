//! A document that gives out one row's worth at a time.

use std::io::{self, Read};

use super::{
    super::upload::{Ration, Unreadable},
    StockError,
};

/// Gives out no more than is left of a ration.
pub(super) struct Rationed<'file, Source> {
    pub(super) source: Source,
    pub(super) ration: &'file Ration,
}

impl<Source: Read> Read for Rationed<'_, Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.ration.take(buffer.len()) {
            0 => Err(io::Error::other("a row is too long")),
            most => self.source.read(&mut buffer[..most]),
        }
    }
}

/// Why a document could not be read on.
pub(super) fn broken(error: serde_json::Error, ration: &Ration) -> StockError {
    if let Some(row) = ration.exceeded_by().filter(|_| error.is_io()) {
        return Unreadable::LongRow(row).into();
    }
    if error.is_io() {
        return StockError::Read(error.into());
    }
    StockError::Unreadable(Unreadable::Broken {
        line: error.line(),
        column: error.column(),
    })
}
