//! One family on its way from the target: file → age → zstd → digest → records.
//!
//! ```text
//!   a task that downloads ──pieces──▶ a thread that unpacks and reads ──batches──▶ next
//! ```
//!
//! Records come before the digests of all of them are known: they are good once the reader has said that there are no
//! more. Nothing counts on them before.

use std::io::{self, BufRead, BufReader, Read};

use age::DecryptError;
use bytes::{Buf, Bytes};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{
    archive::Archive,
    error::BackupError,
    format::{families::Family, manifest::FamilyFacts},
    pace::Pacer,
    packing::Lines,
    target::{FileStream, TargetError},
};
use crate::random::in_hexadecimal;

/// Records that are handed on at once.
const BATCH: usize = 1000;

/// Batches of records, and pieces, that may wait.
const WAITING: usize = 2;

/// No row is longer; more is no row.
const LONGEST_LINE: u64 = 8 << 20;

/// As a power of two: 8 MiB, four times what we write with. An archive that asks for more is none of ours.
const WIDEST_WINDOW: u32 = 23;

/// Reads a record of its line, or says what is wrong with it.
pub(super) type ReadLine<T> = fn(&str) -> Result<T, String>;

/// Records of a family, in order.
pub(super) struct FamilyReader<T> {
    family: Family,
    waiting: std::vec::IntoIter<T>,
    incoming: Receiver<Result<Step<T>, BackupError>>,
    ended: bool,
}

enum Step<T> {
    Batch(Vec<T>),
    /// All were read, and they are what the manifest says.
    End,
}

impl<T: Send + 'static> FamilyReader<T> {
    pub(super) fn start(archive: &Archive, family: Family, read: ReadLine<T>) -> Self {
        let (sender, incoming) = mpsc::channel(WAITING);
        tokio::spawn(carry(archive.clone(), family, read, sender));
        Self {
            family,
            waiting: Vec::new().into_iter(),
            incoming,
            ended: false,
        }
    }

    /// Waits until there is a record at hand, or none any more.
    async fn fill(&mut self) -> Result<(), BackupError> {
        while self.waiting.len() == 0 && !self.ended {
            match self.incoming.recv().await {
                Some(Ok(Step::Batch(batch))) => self.waiting = batch.into_iter(),
                Some(Ok(Step::End)) => self.ended = true,
                Some(Err(error)) => return Err(error),
                None => {
                    return Err(BackupError::Other(format!(
                        "the reading of {} ended early",
                        self.family.word()
                    )));
                }
            }
        }
        Ok(())
    }

    /// The next, which stays.
    pub(super) async fn peek(&mut self) -> Result<Option<&T>, BackupError> {
        self.fill().await?;
        Ok(self.waiting.as_slice().first())
    }

    /// The next.
    pub(super) async fn next(&mut self) -> Result<Option<T>, BackupError> {
        self.fill().await?;
        Ok(self.waiting.next())
    }

    /// Those that come next, as many as are at hand and fit, `most` at most; none when the next does not fit.
    pub(super) async fn next_while(
        &mut self,
        most: usize,
        fits: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, BackupError> {
        self.fill().await?;
        let number = self
            .waiting
            .as_slice()
            .iter()
            .take(most)
            .take_while(|record| fits(record))
            .count();
        Ok(self.waiting.by_ref().take(number).collect())
    }
}

async fn carry<T: Send + 'static>(
    archive: Archive,
    family: Family,
    read: ReadLine<T>,
    sender: Sender<Result<Step<T>, BackupError>>,
) {
    let outcome = match archive.facts(family) {
        Ok(facts) => {
            let facts = facts.clone();
            unpack(&archive, facts, read, sender.clone()).await
        }
        Err(error) => Err(error),
    };
    // Whoever has gone does not want to know.
    let _ = sender.send(outcome.map(|()| Step::End)).await;
}

async fn unpack<T: Send + 'static>(
    archive: &Archive,
    facts: FamilyFacts,
    read: ReadLine<T>,
    sender: Sender<Result<Step<T>, BackupError>>,
) -> Result<(), BackupError> {
    let stream = match archive.read(&facts.file).await {
        Err(TargetError::NotFound(_)) => return Err(archive.damaged(format!("{} is not there", facts.file))),
        other => other?,
    };
    let (pieces, incoming) = mpsc::channel(WAITING);
    let unpacking = {
        let archive = archive.clone();
        tokio::task::spawn_blocking(move || {
            let mut file = Pieces {
                incoming,
                current: Bytes::new(),
                hash: Sha256::new(),
                bytes: 0,
                failure: None,
            };
            read_all(&archive, &facts, &mut file, read, &sender)
        })
    };
    forward(stream, pieces).await;
    unpacking
        .await
        .map_err(|error| BackupError::Other(format!("failed to unpack: {error}")))?
}

/// Until all is handed on, or nobody takes it.
async fn forward(mut stream: FileStream, pieces: Sender<Result<Bytes, TargetError>>) {
    while let Some(piece) = stream.next().await {
        if pieces.send(piece).await.is_err() {
            return;
        }
    }
}

/// What comes in, as a reader; counted and digested as it passes.
struct Pieces {
    incoming: Receiver<Result<Bytes, TargetError>>,
    current: Bytes,
    hash: Sha256,
    bytes: u64,
    /// What really happened, where a reader can tell only that something did.
    failure: Option<TargetError>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.incoming.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.current = piece,
                Some(Err(failure)) => {
                    let text = failure.to_string();
                    self.failure = Some(failure);
                    return Err(io::Error::other(text));
                }
            }
        }
        let number = buffer.len().min(self.current.len());
        let piece = self.current.split_to(number);
        piece.as_ref().copy_to_slice(&mut buffer[..number]);
        self.hash.update(&piece);
        self.bytes += number as u64;
        Ok(number)
    }
}

fn read_all<T>(
    archive: &Archive,
    facts: &FamilyFacts,
    file: &mut Pieces,
    read: ReadLine<T>,
    sender: &Sender<Result<Step<T>, BackupError>>,
) -> Result<(), BackupError> {
    let outcome = open_and_read(archive, facts, file, read, sender);
    if let Err(Stop::Gone) = outcome {
        return Ok(());
    }
    // To its end, whatever became of it: a file that was changed is damaged, with the right key or without.
    let rest = io::copy(file, &mut io::sink());
    if let Some(failure) = file.failure.take() {
        return Err(failure.into());
    }
    rest.map_err(|error| BackupError::Other(format!("failed to read {}: {error}", facts.file)))?;
    let sha256 = in_hexadecimal(&std::mem::take(&mut file.hash).finalize());
    if (file.bytes, sha256.as_str()) != (facts.file_bytes, facts.file_sha256.as_str()) {
        return Err(archive.damaged(format!(
            "{} has {} bytes with the SHA-256 {sha256}, the manifest says {} with {}",
            facts.file, file.bytes, facts.file_bytes, facts.file_sha256
        )));
    }
    match outcome {
        Ok(()) | Err(Stop::Gone) => Ok(()),
        Err(Stop::Damaged(reason)) => Err(archive.damaged(format!("{}: {reason}", facts.file))),
        Err(Stop::Locked) => Err(archive.wrong_key()),
    }
}

/// Why reading stopped before its end.
enum Stop {
    /// Nobody wants more.
    Gone,
    /// No key fits.
    Locked,
    Damaged(String),
}

fn open_and_read<T>(
    archive: &Archive,
    facts: &FamilyFacts,
    file: &mut Pieces,
    read: ReadLine<T>,
    sender: &Sender<Result<Step<T>, BackupError>>,
) -> Result<(), Stop> {
    let pacer = Pacer::begin(archive.pace());
    if !archive.manifest().is_encrypted() {
        return read_packed(facts, file, read, sender, pacer);
    }
    match archive.keys().unwrap_input(file) {
        Err(DecryptError::NoMatchingKeys) => Err(Stop::Locked),
        Err(error) => Err(Stop::Damaged(format!("it cannot be decrypted: {error}"))),
        Ok(plain) => read_packed(facts, plain, read, sender, pacer),
    }
}

fn read_packed<T>(
    facts: &FamilyFacts,
    packed: impl Read,
    read: ReadLine<T>,
    sender: &Sender<Result<Step<T>, BackupError>>,
    mut pacer: Pacer,
) -> Result<(), Stop> {
    let damaged = |error: io::Error| Stop::Damaged(format!("it cannot be unpacked: {error}"));
    let mut decoder = zstd::stream::read::Decoder::new(packed).map_err(damaged)?;
    decoder.window_log_max(WIDEST_WINDOW).map_err(damaged)?;
    let mut plain = BufReader::new(decoder);
    let mut content = Lines::default();
    let mut batch = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut plain)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(damaged)?;
        if length == 0 {
            break;
        }
        content.add(&line);
        content.records += 1;
        let number = content.records;
        if number > facts.records || content.bytes > facts.bytes {
            return Err(Stop::Damaged(format!(
                "it has more than the {} records and {} bytes that the manifest promises",
                facts.records, facts.bytes
            )));
        }
        let text = line
            .strip_suffix(b"\n")
            .ok_or_else(|| Stop::Damaged(format!("line {number} has no end")))?;
        let record = std::str::from_utf8(text)
            .map_err(|error| error.to_string())
            .and_then(read)
            .map_err(|reason| Stop::Damaged(format!("line {number}: {reason}")))?;
        batch.push(record);
        if batch.len() == BATCH {
            send(&mut batch, sender)?;
            pacer.begin_again();
        }
        pacer.rest_here();
    }
    if !batch.is_empty() {
        send(&mut batch, sender)?;
    }
    let (records, bytes) = (content.records, content.bytes);
    if (records, bytes) != (facts.records, facts.bytes) {
        return Err(Stop::Damaged(format!(
            "it has {records} records in {bytes} bytes, the manifest promises {} in {}",
            facts.records, facts.bytes
        )));
    }
    let sha256 = content.sha256();
    if sha256 != facts.sha256 {
        return Err(Stop::Damaged(format!(
            "its records have the SHA-256 {sha256}, the manifest says {}",
            facts.sha256
        )));
    }
    Ok(())
}

fn send<T>(batch: &mut Vec<T>, sender: &Sender<Result<Step<T>, BackupError>>) -> Result<(), Stop> {
    sender
        .blocking_send(Ok(Step::Batch(std::mem::take(batch))))
        .map_err(|_| Stop::Gone)
}
