//! Where backups are kept: a directory, or a bucket of S3-compatible storage, behind one trait.
//!
//! ```text
//!   <target>/lock                        who is at work
//!   <target>/<name>/manifest.json        written last: without it there is no backup
//!   <target>/<name>/stock.jsonl.zst …    families
//!   <target>/<name>/proof.json           when it was last proven
//!   <target>/restores/<id>.json          restores that were begun here
//! ```

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream::BoxStream};

use self::{directory::DirectoryTarget, s3::S3Target};
use super::format::name::BackupName;
use crate::configuration::backup::{Place, TargetSettings};

pub mod directory;
pub mod http;
pub mod lock;
pub mod s3;

/// Where restores are noted that were begun here.
pub const RESTORES: &str = "restores";

/// Why a target did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TargetError {
    /// There is nothing under that path.
    #[error("{0} is not there")]
    NotFound(String),
    /// It has no room.
    #[error("{0}")]
    Full(String),
    /// What is there is none of ours.
    #[error("{0}")]
    Foreign(String),
    /// It cannot be used as it is set.
    #[error("{0}")]
    Settings(String),
    /// It does not answer, or refuses.
    #[error("{0}")]
    Away(String),
}

/// A file as it comes in.
pub type FileStream = BoxStream<'static, Result<Bytes, TargetError>>;

/// Names what a small file holds, so that it can be replaced only while it holds that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVersion(pub(super) String);

/// What a small file holds, and the version by which it can be replaced.
pub type SmallFile = (Vec<u8>, FileVersion);

/// A place for backups.
pub trait Target: Send + Sync + fmt::Debug {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// The names of backups, whole or not, in no order. A target that is not there yet has none.
    fn names(&self) -> BoxFuture<'_, Result<Vec<BackupName>, TargetError>>;

    /// Reads a file.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileStream, TargetError>>;

    /// Writes a small file as a whole, in place of what was there.
    fn put<'a>(&'a self, path: &'a str, content: Vec<u8>) -> BoxFuture<'a, Result<(), TargetError>>;

    /// Writes a small file unless there is one: `None`.
    fn create<'a>(
        &'a self,
        path: &'a str,
        content: Vec<u8>,
    ) -> BoxFuture<'a, Result<Option<FileVersion>, TargetError>>;

    /// A small file with its version; `None` when there is none.
    fn look<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<SmallFile>, TargetError>>;

    /// Writes a small file in place of this version; `None` when it is another meanwhile.
    fn replace<'a>(
        &'a self,
        path: &'a str,
        content: Vec<u8>,
        version: &'a FileVersion,
    ) -> BoxFuture<'a, Result<Option<FileVersion>, TargetError>>;

    /// A backup that is not there until it is committed.
    fn begin<'a>(&'a self, name: &'a BackupName) -> BoxFuture<'a, Result<Box<dyn Draft>, TargetError>>;

    /// Removes a backup: from the first step on it is none.
    fn remove<'a>(&'a self, name: &'a BackupName) -> BoxFuture<'a, Result<(), TargetError>>;

    /// Removes what is left of backups that were never committed, or whose removal was cut off. Only whoever holds the
    /// lock may: nobody else writes then.
    fn sweep(&self) -> BoxFuture<'_, Result<(), TargetError>>;
}

/// A backup that is being written.
pub trait Draft: Send + Sync {
    /// Begins a file.
    fn create<'a>(&'a self, file: &'a str) -> BoxFuture<'a, Result<Box<dyn Upload>, TargetError>>;

    /// Makes it a backup, in one step: all its files are kept before.
    fn commit<'a>(self: Box<Self>, manifest: Vec<u8>) -> BoxFuture<'a, Result<(), TargetError>>;

    /// Removes what was written.
    fn abandon<'a>(self: Box<Self>) -> BoxFuture<'a, ()>;
}

/// A file that is being written.
pub trait Upload: Send {
    /// Adds to it.
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), TargetError>>;

    /// Ends it: it is kept when this answers.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), TargetError>>;

    /// Gives it up.
    fn abort(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// The target as set.
///
/// # Errors
/// Settings that make no target.
pub fn open(settings: &TargetSettings) -> Result<Arc<dyn Target>, TargetError> {
    Ok(match &settings.place {
        Place::Directory(path) => Arc::new(DirectoryTarget::new(path.clone())),
        Place::Bucket { bucket, prefix } => Arc::new(S3Target::new(bucket, prefix, &settings.s3)?),
    })
}

/// A small file as a whole; `most` bytes of it, more is refused.
///
/// # Errors
/// Those of the target.
pub async fn read_small(target: &dyn Target, path: &str, most: usize) -> Result<Vec<u8>, TargetError> {
    let mut stream = target.read(path).await?;
    let mut content = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        if content.len() + piece.len() > most {
            return Err(TargetError::Foreign(format!(
                "{path} in {} is longer than {most} bytes: it is none of ours",
                target.place()
            )));
        }
        content.extend_from_slice(&piece);
    }
    Ok(content)
}
