//! A bucket of S3-compatible storage.
//!
//! There is no renaming there: the manifest is written last, and what has none is no backup. The lock rests on
//! conditional writes (`If-None-Match: *` and `If-Match`), which AWS and most others know.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture};
use object_store::{
    Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
    UpdateVersion,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut},
    path::Path,
};

use super::{
    Draft, FileStream, FileVersion, SmallFile, Target, TargetError, Upload,
    http::{Connector, with_cause},
    read_small,
};
use crate::{
    backup::format::{manifest, name::BackupName},
    configuration::backup::S3Settings,
};

/// Bytes of a part: S3 takes 10,000 of 5 MiB at least, so a family may have 80 GB.
const PART: usize = 8 << 20;

/// How long one request is tried again: a server that restarts is back by then, and the lock still holds.
const RETRY: Duration = Duration::from_secs(60);

/// What servers call a bucket that has no room. Names and times stand in the same text: no number alone would do.
const FULL: [&str; 4] = [
    "QuotaExceeded",
    "StorageFull",
    "InsufficientStorage",
    "507 Insufficient Storage",
];

/// A bucket, from a prefix on.
#[derive(Clone, Debug)]
pub struct S3Target {
    store: Arc<dyn ObjectStore>,
    bucket: String,
    prefix: Path,
    part: usize,
}

impl S3Target {
    /// Nothing is asked of the server yet.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn new(bucket: &str, prefix: &str, settings: &S3Settings) -> Result<Self, TargetError> {
        Self::trying_for(RETRY, bucket, prefix, settings)
    }

    /// The same, where a request that failed is tried again for so long.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn trying_for(
        patience: Duration,
        bucket: &str,
        prefix: &str,
        settings: &S3Settings,
    ) -> Result<Self, TargetError> {
        let S3Settings {
            endpoint,
            region,
            path_style,
            ca_file,
            credentials,
        } = settings;
        let unusable = |error: Error| {
            TargetError::Settings(format!("failed to use s3://{bucket}: {}", with_cause(&error)))
        };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in credentials.variables() {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_bucket_name(bucket)
            .with_virtual_hosted_style_request(!path_style)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // One by one: many servers do not know the deletion of several at once.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                retry_timeout: patience,
                ..RetryConfig::default()
            })
            .with_http_connector(Connector::new(ca_file.as_deref()).map_err(TargetError::Settings)?);
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = endpoint {
            let endpoint = endpoint.trim_end_matches('/');
            builder = builder.with_allow_http(endpoint.starts_with("http://"));
            // Where the bucket is part of the host the library wants it there already.
            builder = builder.with_endpoint(match endpoint.split_once("://") {
                Some((scheme, host)) if !path_style => format!("{scheme}://{bucket}.{host}"),
                _ => endpoint.to_owned(),
            });
        }
        Path::parse(prefix).map_err(|error| {
            TargetError::Settings(format!("failed to use the prefix {prefix:?}: {error}"))
        })?;
        let store = builder.build().map_err(unusable)?;
        Ok(Self::over(Arc::new(store), bucket, prefix))
    }

    /// Over any store of objects.
    #[must_use]
    pub fn over(store: Arc<dyn ObjectStore>, bucket: &str, prefix: &str) -> Self {
        Self {
            store,
            bucket: bucket.to_owned(),
            prefix: Path::from(prefix),
            part: PART,
        }
    }

    /// The same, where files go in parts of so many bytes at least: servers take 5 MiB and more, but for the last.
    #[must_use]
    pub fn in_parts_of(self, bytes: usize) -> Self {
        Self { part: bytes, ..self }
    }

    fn path(&self, path: &str) -> Path {
        let parts = self.prefix.parts().map(|part| part.as_ref().to_owned());
        Path::from_iter(parts.chain(path.split('/').map(str::to_owned)))
    }

    async fn objects(&self, name: &BackupName) -> Result<Vec<Path>, TargetError> {
        let within = self.path(name.as_str());
        let listed = self.store.list(Some(&within)).map_ok(|object| object.location);
        listed
            .try_collect()
            .await
            .map_err(|error| self.failed("list", name.as_str(), &error))
    }

    async fn remove_objects(&self, name: &BackupName) -> Result<(), TargetError> {
        for object in self.objects(name).await? {
            self.delete(&object).await?;
        }
        Ok(())
    }

    async fn delete(&self, object: &Path) -> Result<(), TargetError> {
        match self.store.delete(object).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", self.name_of(object), &error)),
        }
    }

    async fn put_as(
        &self,
        path: &str,
        content: Vec<u8>,
        mode: PutMode,
    ) -> Result<Option<FileVersion>, TargetError> {
        let options = PutOptions {
            mode: mode.clone(),
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&self.path(path), content.into(), options)
            .await
        {
            Ok(done) => done.e_tag.map(|tag| Some(FileVersion(tag))).ok_or_else(|| {
                TargetError::Settings(format!(
                    "the server of s3://{} answers a write without an ETag, which the lock needs",
                    self.bucket
                ))
            }),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(None),
            Err(Error::NotFound { .. }) if matches!(mode, PutMode::Update(_)) => Ok(None),
            Err(Error::NotImplemented { .. }) => Err(TargetError::Settings(format!(
                "the server of s3://{} does not know conditional writes (If-None-Match, If-Match), which the lock needs",
                self.bucket
            ))),
            Err(error) => Err(self.failed("write", path, &error)),
        }
    }

    /// What an object is called below the prefix.
    fn name_of<'a>(&self, object: &'a Path) -> &'a str {
        let name = object.as_ref();
        let below = name.strip_prefix(self.prefix.as_ref()).unwrap_or(name);
        below.trim_start_matches('/')
    }

    /// Tells a full bucket from one that is not there.
    fn failed(&self, action: &str, path: &str, error: &Error) -> TargetError {
        let cause = with_cause(error);
        let text = format!("failed to {action} {path} in {}: {cause}", self.place());
        match error {
            _ if cause.contains("NoSuchBucket") => TargetError::Settings(format!(
                "the bucket {} is not there: make it first, or correct its name",
                self.bucket
            )),
            Error::NotFound { .. } => TargetError::NotFound(format!("{path} in {}", self.place())),
            _ if FULL.iter().any(|word| cause.contains(word)) => TargetError::Full(text),
            _ => TargetError::Away(text),
        }
    }
}

impl Target for S3Target {
    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    fn names(&self) -> BoxFuture<'_, Result<Vec<BackupName>, TargetError>> {
        async move {
            let listed = self.store.list_with_delimiter(Some(&self.prefix)).await;
            let listed = listed.map_err(|error| self.failed("list", "backups", &error))?;
            let names = listed.common_prefixes.iter();
            Ok(names.filter_map(|path| path.filename()?.parse().ok()).collect())
        }
        .boxed()
    }

    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<FileStream, TargetError>> {
        async move {
            let found = self.store.get(&self.path(path)).await;
            let found = found.map_err(|error| self.failed("read", path, &error))?;
            let (target, path) = (self.clone(), path.to_owned());
            Ok(found
                .into_stream()
                .map_err(move |error| target.failed("read", &path, &error))
                .boxed())
        }
        .boxed()
    }

    fn put<'a>(&'a self, path: &'a str, content: Vec<u8>) -> BoxFuture<'a, Result<(), TargetError>> {
        async move {
            let put = self.store.put(&self.path(path), content.into()).await;
            put.map(|_| ())
                .map_err(|error| self.failed("write", path, &error))
        }
        .boxed()
    }

    fn create<'a>(
        &'a self,
        path: &'a str,
        content: Vec<u8>,
    ) -> BoxFuture<'a, Result<Option<FileVersion>, TargetError>> {
        self.put_as(path, content, PutMode::Create).boxed()
    }

    fn look<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<SmallFile>, TargetError>> {
        async move {
            let found = match self.store.get(&self.path(path)).await {
                Err(Error::NotFound { .. }) => return Ok(None),
                other => other.map_err(|error| self.failed("read", path, &error))?,
            };
            let version = FileVersion(found.meta.e_tag.clone().unwrap_or_default());
            let content = found.bytes().await;
            let content = content.map_err(|error| self.failed("read", path, &error))?;
            Ok(Some((content.to_vec(), version)))
        }
        .boxed()
    }

    fn replace<'a>(
        &'a self,
        path: &'a str,
        content: Vec<u8>,
        version: &'a FileVersion,
    ) -> BoxFuture<'a, Result<Option<FileVersion>, TargetError>> {
        let version = UpdateVersion {
            e_tag: Some(version.0.clone()),
            version: None,
        };
        self.put_as(path, content, PutMode::Update(version)).boxed()
    }

    fn begin<'a>(&'a self, name: &'a BackupName) -> BoxFuture<'a, Result<Box<dyn Draft>, TargetError>> {
        async move {
            if !self.objects(name).await?.is_empty() {
                return Err(TargetError::Away(format!(
                    "{name} is in {} already",
                    self.place()
                )));
            }
            let draft = S3Draft {
                target: self.clone(),
                name: name.clone(),
            };
            Ok(Box::new(draft) as Box<dyn Draft>)
        }
        .boxed()
    }

    fn remove<'a>(&'a self, name: &'a BackupName) -> BoxFuture<'a, Result<(), TargetError>> {
        async move {
            self.delete(&self.path(&format!("{name}/{}", manifest::FILE)))
                .await?;
            self.remove_objects(name).await
        }
        .boxed()
    }

    fn sweep(&self) -> BoxFuture<'_, Result<(), TargetError>> {
        async move {
            for name in self.names().await? {
                let manifest = self.path(&format!("{name}/{}", manifest::FILE));
                match self.store.head(&manifest).await {
                    Err(Error::NotFound { .. }) => self.remove_objects(&name).await?,
                    Err(error) => return Err(self.failed("look at", self.name_of(&manifest), &error)),
                    Ok(_) => {}
                }
            }
            Ok(())
        }
        .boxed()
    }
}

struct S3Draft {
    target: S3Target,
    name: BackupName,
}

impl Draft for S3Draft {
    fn create<'a>(&'a self, file: &'a str) -> BoxFuture<'a, Result<Box<dyn Upload>, TargetError>> {
        let upload = S3Upload {
            target: self.target.clone(),
            path: format!("{}/{file}", self.name),
            waiting: BytesMut::new(),
            parts: None,
        };
        async move { Ok(Box::new(upload) as Box<dyn Upload>) }.boxed()
    }

    fn commit<'a>(self: Box<Self>, content: Vec<u8>) -> BoxFuture<'a, Result<(), TargetError>> {
        async move {
            let path = format!("{}/{}", self.name, manifest::FILE);
            if self.target.create(&path, content.clone()).await?.is_some() {
                return Ok(());
            }
            // An answer that was lost on its way: the manifest is there all the same.
            let found = read_small(&self.target, &path, manifest::LONGEST).await?;
            if found == content {
                return Ok(());
            }
            Err(TargetError::Away(format!(
                "{path} in {} was written by somebody else meanwhile",
                self.target.place()
            )))
        }
        .boxed()
    }

    fn abandon<'a>(self: Box<Self>) -> BoxFuture<'a, ()> {
        // What cannot be removed now is swept later.
        async move {
            let _ = self.target.remove_objects(&self.name).await;
        }
        .boxed()
    }
}

struct S3Upload {
    target: S3Target,
    path: String,
    waiting: BytesMut,
    parts: Option<Box<dyn MultipartUpload>>,
}

impl S3Upload {
    async fn send_part(&mut self) -> Result<(), TargetError> {
        let part = PutPayload::from(self.waiting.split().freeze());
        let sent = match &mut self.parts {
            Some(parts) => parts.put_part(part).await,
            parts @ None => {
                let path = self.target.path(&self.path);
                match self.target.store.put_multipart(&path).await {
                    // Kept before anything is sent: whoever stops meanwhile has something to abort.
                    Ok(begun) => parts.insert(begun).put_part(part).await,
                    Err(error) => Err(error),
                }
            }
        };
        sent.map_err(|error| self.target.failed("write", &self.path, &error))
    }

    async fn end(&mut self) -> Result<(), TargetError> {
        if self.parts.is_none() {
            let content = self.waiting.split().freeze();
            return self.target.put(&self.path, content.to_vec()).await;
        }
        if !self.waiting.is_empty() {
            self.send_part().await?;
        }
        match &mut self.parts {
            None => Ok(()),
            Some(parts) => {
                let completed = parts.complete().await;
                completed
                    .map(|_| ())
                    .map_err(|error| self.target.failed("write", &self.path, &error))
            }
        }
    }
}

impl Upload for S3Upload {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), TargetError>> {
        async move {
            self.waiting.extend_from_slice(&piece);
            if self.waiting.len() >= self.target.part {
                self.send_part().await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<(), TargetError>> {
        async move {
            let ended = self.end().await;
            if ended.is_err() {
                self.abort().await;
            }
            ended
        }
        .boxed()
    }

    fn abort(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            if let Some(parts) = &mut self.parts {
                let _ = parts.abort().await;
            }
        }
        .boxed()
    }
}
