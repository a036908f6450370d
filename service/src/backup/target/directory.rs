//! A directory: of a laptop, of a volume.
//!
//! A backup is written to a directory beside, whose name no backup has, synced, and renamed: there is the whole of it,
//! or nothing. Removing begins with a renaming as well.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};

use super::{Draft, FileStream, FileVersion, RESTORES, SmallFile, Target, TargetError, Upload};
use crate::{
    backup::format::{manifest, name::BackupName},
    random,
};

/// What the names of directories begin with that are no backups yet, or no longer.
const DRAFT: &str = ".draft-";
const REMOVED: &str = ".removed-";
/// And those of small files until all that they hold is there.
const NEW: &str = ".new-";
/// Whose lock by the system makes several steps on small files one.
const GUARD: &str = ".guard";

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// A directory with backups in it.
#[derive(Clone, Debug)]
pub struct DirectoryTarget {
    root: PathBuf,
}

impl DirectoryTarget {
    /// The directory need not be there yet: it is made when something is written.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Runs what may wait for a disk, on a thread that may wait.
    async fn off<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, TargetError> + Send + 'static,
    ) -> Result<T, TargetError> {
        let root = self.root.clone();
        off_thread(move || work(&root)).await
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TargetError> + Send + 'static,
) -> Result<T, TargetError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(TargetError::Away(format!(
            "the work on the disk ended early: {error}"
        )))
    })
}

/// Tells a full disk from one that is not there.
fn failed(action: &str, path: &Path, error: &io::Error) -> TargetError {
    let text = format!("failed to {action} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => TargetError::NotFound(path.display().to_string()),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            TargetError::Full(text)
        }
        _ => TargetError::Away(text),
    }
}

fn make_directory(path: &Path) -> Result<(), TargetError> {
    match fs::create_dir_all(path) {
        // Of the path that was to be made: what is missing is not what was asked for.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TargetError::Away(format!(
            "failed to make {}: {error}",
            path.display()
        ))),
        other => other.map_err(|error| failed("make", path, &error)),
    }
}

/// The names in a directory are kept once it is synced itself.
fn sync_directory(path: &Path) -> Result<(), TargetError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    match synced {
        // Some network file systems keep names at once and cannot be asked to.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        other => other.map_err(|error| failed("sync", path, &error)),
    }
}

/// A small file appears with all that it holds: written beside, synced, renamed.
fn put_whole(root: &Path, path: &str, content: &[u8]) -> Result<(), TargetError> {
    let place = root.join(path);
    let parent = place.parent().unwrap_or(root).to_path_buf();
    make_directory(&parent)?;
    let beside = parent.join(format!("{NEW}{}", random::hexadecimal(8)));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&beside, &place));
    if let Err(error) = renamed {
        let _ = fs::remove_file(&beside);
        return Err(match failed("write", &place, &error) {
            TargetError::NotFound(path) => {
                TargetError::Away(format!("{path} went away while it was written"))
            }
            other => other,
        });
    }
    sync_directory(&parent)
}

/// What is in a directory, with its paths; nothing when it is not there.
fn entries_of(directory: &Path) -> Result<Vec<(String, PathBuf)>, TargetError> {
    let listed = |error: io::Error| failed("list", directory, &error);
    let entries = match fs::read_dir(directory) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        other => other.map_err(listed)?,
    };
    entries
        .map(|entry| {
            let entry = entry.map_err(listed)?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.path()))
        })
        .collect()
}

fn is_backup(name: &str) -> bool {
    name.parse::<BackupName>().is_ok()
}

/// A small file that was never whole.
fn remove_new(path: &Path) -> Result<(), TargetError> {
    fs::remove_file(path).map_err(|error| failed("remove", path, &error))
}

/// What the file holds; `None` when there is none.
fn content_of(path: &Path) -> Result<Option<Vec<u8>>, TargetError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

fn version_of(content: &[u8]) -> FileVersion {
    FileVersion(String::from_utf8_lossy(content).into_owned())
}

/// While this lives nobody else changes a small file step by step, on any machine whose file system locks.
fn guard(root: &Path) -> Result<File, TargetError> {
    make_directory(root)?;
    let path = root.join(GUARD);
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| failed("open", &path, &error))?;
    match file.lock() {
        // Creation alone is one step everywhere; only whoever takes a dead one's lock over has several.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        other => other
            .map(|()| file)
            .map_err(|error| failed("lock", &path, &error)),
    }
}

impl Target for DirectoryTarget {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn names(&self) -> BoxFuture<'_, Result<Vec<BackupName>, TargetError>> {
        self.off(|root| {
            let entries = match fs::read_dir(root) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                other => other.map_err(|error| failed("list", root, &error))?,
            };
            let mut names = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|error| failed("list", root, &error))?;
                names.extend(entry.file_name().to_str().and_then(|name| name.parse().ok()));
            }
            Ok(names)
        })
        .boxed()
    }

    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileStream, TargetError>> {
        let path = self.root.join(path);
        async move {
            let opened = path.clone();
            let file =
                off_thread(move || File::open(&opened).map_err(|error| failed("open", &opened, &error)))
                    .await?;
            let pieces = stream::unfold(Some(file), move |file| {
                let path = path.clone();
                async move {
                    let mut file = file?;
                    let piece = off_thread(move || {
                        let mut piece = Vec::with_capacity(PIECE);
                        (&mut file)
                            .take(PIECE as u64)
                            .read_to_end(&mut piece)
                            .map_err(|error| failed("read", &path, &error))?;
                        Ok((piece, file))
                    });
                    match piece.await {
                        Ok((piece, _)) if piece.is_empty() => None,
                        Ok((piece, file)) => Some((Ok(Bytes::from(piece)), Some(file))),
                        Err(error) => Some((Err(error), None)),
                    }
                }
            });
            Ok(pieces.boxed())
        }
        .boxed()
    }

    fn put<'a>(&'a self, path: &'a str, content: Vec<u8>) -> BoxFuture<'a, Result<(), TargetError>> {
        let path = path.to_owned();
        self.off(move |root| {
            // Whoever sweeps must not take what is being written for what was left.
            let _guard = guard(root)?;
            put_whole(root, &path, &content)
        })
        .boxed()
    }

    fn create<'a>(
        &'a self,
        path: &'a str,
        content: Vec<u8>,
    ) -> BoxFuture<'a, Result<Option<FileVersion>, TargetError>> {
        let path = path.to_owned();
        self.off(move |root| {
            let _guard = guard(root)?;
            let place = root.join(&path);
            let opened = OpenOptions::new().write(true).create_new(true).open(&place);
            let mut file = match opened {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                other => other.map_err(|error| failed("make", &place, &error))?,
            };
            let written = file.write_all(&content).and_then(|()| file.sync_all());
            if let Err(error) = written {
                let _ = fs::remove_file(&place);
                return Err(failed("write", &place, &error));
            }
            Ok(Some(version_of(&content)))
        })
        .boxed()
    }

    fn look<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<SmallFile>, TargetError>> {
        let path = path.to_owned();
        self.off(move |root| {
            let content = content_of(&root.join(path))?;
            Ok(content.map(|content| {
                let version = version_of(&content);
                (content, version)
            }))
        })
        .boxed()
    }

    fn replace<'a>(
        &'a self,
        path: &'a str,
        content: Vec<u8>,
        version: &'a FileVersion,
    ) -> BoxFuture<'a, Result<Option<FileVersion>, TargetError>> {
        let (path, version) = (path.to_owned(), version.clone());
        self.off(move |root| {
            let _guard = guard(root)?;
            let found = content_of(&root.join(&path))?;
            if found.is_none_or(|found| version_of(&found) != version) {
                return Ok(None);
            }
            put_whole(root, &path, &content)?;
            Ok(Some(version_of(&content)))
        })
        .boxed()
    }

    fn begin<'a>(&'a self, name: &'a BackupName) -> BoxFuture<'a, Result<Box<dyn Draft>, TargetError>> {
        let name = name.clone();
        async move {
            let draft = self
                .off(move |root| {
                    make_directory(root)?;
                    let draft = DirectoryDraft {
                        root: root.to_owned(),
                        place: root.join(format!("{DRAFT}{name}")),
                        backup: root.join(name.as_str()),
                    };
                    if draft.backup.exists() {
                        return Err(TargetError::Away(format!(
                            "{} is there already",
                            draft.backup.display()
                        )));
                    }
                    fs::create_dir(&draft.place).map_err(|error| failed("make", &draft.place, &error))?;
                    Ok(draft)
                })
                .await?;
            Ok(Box::new(draft) as Box<dyn Draft>)
        }
        .boxed()
    }

    fn remove<'a>(&'a self, name: &'a BackupName) -> BoxFuture<'a, Result<(), TargetError>> {
        let name = name.clone();
        self.off(move |root| {
            let removed = root.join(format!("{REMOVED}{name}"));
            let place = root.join(name.as_str());
            fs::rename(&place, &removed).map_err(|error| failed("remove", &place, &error))?;
            sync_directory(root)?;
            fs::remove_dir_all(&removed).map_err(|error| failed("remove", &removed, &error))
        })
        .boxed()
    }

    fn sweep(&self) -> BoxFuture<'_, Result<(), TargetError>> {
        self.off(|root| {
            let _guard = guard(root)?;
            for (name, path) in entries_of(root)? {
                let rest = name.strip_prefix(DRAFT).or_else(|| name.strip_prefix(REMOVED));
                if rest.is_some_and(is_backup) {
                    fs::remove_dir_all(&path).map_err(|error| failed("remove", &path, &error))?;
                } else if name.starts_with(NEW) {
                    remove_new(&path)?;
                } else if name == RESTORES || is_backup(&name) {
                    for (name, path) in entries_of(&path)? {
                        if name.starts_with(NEW) {
                            remove_new(&path)?;
                        }
                    }
                }
            }
            Ok(())
        })
        .boxed()
    }
}

/// A directory that becomes a backup.
struct DirectoryDraft {
    root: PathBuf,
    place: PathBuf,
    backup: PathBuf,
}

impl Draft for DirectoryDraft {
    fn create<'a>(&'a self, file: &'a str) -> BoxFuture<'a, Result<Box<dyn Upload>, TargetError>> {
        let path = self.place.join(file);
        async move {
            let opened = path.clone();
            let file = off_thread(move || {
                let file = OpenOptions::new().write(true).create_new(true).open(&opened);
                file.map_err(|error| failed("make", &opened, &error))
            });
            let upload = FileUpload {
                file: Some(file.await?),
                path,
            };
            Ok(Box::new(upload) as Box<dyn Upload>)
        }
        .boxed()
    }

    fn commit<'a>(self: Box<Self>, manifest: Vec<u8>) -> BoxFuture<'a, Result<(), TargetError>> {
        off_thread(move || {
            put_whole(&self.place, manifest::FILE, &manifest)?;
            // A directory that is not empty is never replaced.
            fs::rename(&self.place, &self.backup).map_err(|error| failed("rename", &self.backup, &error))?;
            sync_directory(&self.root)
        })
        .boxed()
    }

    fn abandon<'a>(self: Box<Self>) -> BoxFuture<'a, ()> {
        // What cannot be removed now is swept later.
        off_thread(move || {
            let _ = fs::remove_dir_all(&self.place);
            Ok(())
        })
        .map(|_| ())
        .boxed()
    }
}

struct FileUpload {
    file: Option<File>,
    path: PathBuf,
}

impl Upload for FileUpload {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), TargetError>> {
        async move {
            let (file, path) = (self.file.take(), self.path.clone());
            let file = off_thread(move || {
                let mut file =
                    file.ok_or_else(|| TargetError::Away(format!("{} was given up", path.display())))?;
                file.write_all(&piece)
                    .map_err(|error| failed("write", &path, &error))?;
                Ok(file)
            });
            self.file = Some(file.await?);
            Ok(())
        }
        .boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), TargetError>> {
        off_thread(move || match &self.file {
            None => Err(TargetError::Away(format!("{} was given up", self.path.display()))),
            Some(file) => file
                .sync_all()
                .map_err(|error| failed("sync", &self.path, &error)),
        })
        .boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}
