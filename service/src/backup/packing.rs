//! One family on its way to the target: lines → digest → zstd → age → file.
//!
//! ```text
//!   write ──lines──▶ a thread that packs ──pieces──▶ a task that uploads
//! ```
//!
//! Both lines are bounded, so a slow target slows the reading of the store, and memory stays what it is.

use std::io::{self, Write};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    encryption::Seal,
    error::BackupError,
    format::{families::Family, manifest::FamilyFacts},
    pace::{Pace, Pacer},
    target::Upload,
};
use crate::random::in_hexadecimal;

/// zstd's own default: a higher level takes more time than it saves space on rows of JSON.
const LEVEL: i32 = 3;

/// Bytes that are handed to the target at once.
const PIECE: usize = 256 << 10;

/// Bytes of lines that are packed at once, well within a piece of work.
const AT_ONCE: usize = 16 << 10;

/// Batches of lines, and pieces, that may wait.
const WAITING: usize = 2;

/// Lines of a family and what is known of them so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) records: u64,
    pub(super) bytes: u64,
    hash: Sha256,
}

impl Lines {
    pub(super) fn add(&mut self, lines: &[u8]) {
        self.bytes += lines.len() as u64;
        self.hash.update(lines);
    }

    pub(super) fn sha256(self) -> String {
        in_hexadecimal(&self.hash.finalize())
    }
}

/// A family that is being written.
pub(super) struct FamilyWriter {
    family: Family,
    records: u64,
    lines: Option<Sender<Vec<u8>>>,
    unwanted: CancellationToken,
    work: Option<JoinHandle<Result<Packed, BackupError>>>,
}

struct Packed {
    lines: Lines,
    file_bytes: u64,
    file_sha256: String,
}

impl FamilyWriter {
    pub(super) fn start(family: Family, upload: Box<dyn Upload>, seal: Option<Seal>, pace: Pace) -> Self {
        let (lines, incoming) = mpsc::channel(WAITING);
        let unwanted = CancellationToken::new();
        let work = carry(incoming, upload, seal, pace, unwanted.clone());
        Self {
            family,
            records: 0,
            lines: Some(lines),
            unwanted,
            work: Some(tokio::spawn(work)),
        }
    }

    /// Adds whole lines.
    pub(super) async fn write(&mut self, lines: Vec<u8>, records: u64) -> Result<(), BackupError> {
        self.records += records;
        let sent = match &self.lines {
            Some(sender) if !lines.is_empty() => sender.send(lines).await.is_ok(),
            _ => true,
        };
        if sent {
            return Ok(());
        }
        // Whoever receives has ended, and says why.
        self.lines = None;
        self.end().await.map(|_| ())
    }

    /// Ends the file and says what it holds.
    pub(super) async fn finish(mut self, encrypted: bool) -> Result<FamilyFacts, BackupError> {
        self.lines = None;
        let Packed {
            lines,
            file_bytes,
            file_sha256,
        } = self.end().await?;
        Ok(FamilyFacts {
            family: self.family,
            records: self.records,
            bytes: lines.bytes,
            sha256: lines.sha256(),
            file: self.family.file(encrypted),
            file_bytes,
            file_sha256,
        })
    }

    /// Gives the file up: nothing is at work on it any more when this answers.
    pub(super) async fn give_up(mut self) {
        self.unwanted.cancel();
        let _ = self.end().await;
    }

    async fn end(&mut self) -> Result<Packed, BackupError> {
        let work = self.work.take();
        let work = work.ok_or_else(|| BackupError::Other(format!("{} was given up", self.family.word())))?;
        work.await
            .map_err(|error| BackupError::Other(format!("failed to write {}: {error}", self.family.word())))?
    }
}

/// What is left unfinished is no longer wanted; what is at the target of it goes, if there is time for that.
impl Drop for FamilyWriter {
    fn drop(&mut self) {
        self.unwanted.cancel();
    }
}

async fn carry(
    lines: Receiver<Vec<u8>>,
    mut upload: Box<dyn Upload>,
    seal: Option<Seal>,
    pace: Pace,
    unwanted: CancellationToken,
) -> Result<Packed, BackupError> {
    let sent = tokio::select! {
        sent = send(lines, upload.as_mut(), seal, pace) => sent,
        () = unwanted.cancelled() => Err(BackupError::Other("it is not wanted any more".to_owned())),
    };
    match sent {
        Ok(packed) => {
            upload.finish().await?;
            Ok(packed)
        }
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

async fn send(
    lines: Receiver<Vec<u8>>,
    upload: &mut dyn Upload,
    seal: Option<Seal>,
    pace: Pace,
) -> Result<Packed, BackupError> {
    let (pieces, mut packed) = mpsc::channel(WAITING);
    let packing = tokio::task::spawn_blocking(move || pack(lines, pieces, seal.as_ref(), pace));
    while let Some(piece) = packed.recv().await {
        upload.write(piece).await?;
    }
    packing
        .await
        .map_err(|error| BackupError::Other(format!("failed to pack: {error}")))?
        .map_err(|error| BackupError::Other(format!("failed to pack: {error}")))
}

fn pack(
    mut lines: Receiver<Vec<u8>>,
    pieces: Sender<Bytes>,
    seal: Option<&Seal>,
    pace: Pace,
) -> io::Result<Packed> {
    let mut content = Lines::default();
    let pieces = Pieces {
        buffer: Vec::with_capacity(PIECE),
        hash: Sha256::new(),
        bytes: 0,
        pieces,
    };
    let pieces = match seal {
        None => compress(&mut lines, &mut content, pieces, pace)?,
        Some(seal) => compress(&mut lines, &mut content, seal.wrap(pieces)?, pace)?.finish()?,
    };
    let (file_bytes, file_sha256) = pieces.finish()?;
    Ok(Packed {
        lines: content,
        file_bytes,
        file_sha256,
    })
}

fn compress<W: Write>(
    lines: &mut Receiver<Vec<u8>>,
    content: &mut Lines,
    output: W,
    pace: Pace,
) -> io::Result<W> {
    let mut encoder = zstd::stream::write::Encoder::new(output, LEVEL)?;
    encoder.include_checksum(true)?;
    let mut pacer = Pacer::begin(pace);
    while let Some(batch) = lines.blocking_recv() {
        pacer.begin_again();
        for part in batch.chunks(AT_ONCE) {
            content.add(part);
            encoder.write_all(part)?;
            pacer.rest_here();
        }
    }
    encoder.finish()
}

/// Gathers what is written into pieces, and sends them.
struct Pieces {
    buffer: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    pieces: Sender<Bytes>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.pieces
            .blocking_send(piece.into())
            .map_err(|_| io::Error::other("the target takes no more"))
    }

    fn finish(mut self) -> io::Result<(u64, String)> {
        if !self.buffer.is_empty() {
            self.send()?;
        }
        Ok((self.bytes, in_hexadecimal(&self.hash.finalize())))
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
