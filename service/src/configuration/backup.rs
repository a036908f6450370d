//! What can be set for backups: flags of `backup` alone, each with its variable. `--target` is
//! `FACILIAUTO_BACKUP_TARGET`.

use std::{fmt, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use crate::backup::format::{manifest::Kind, name::BackupName};

/// What the variables of these flags begin with, after the prefix of all.
pub(super) const PREFIX: &str = "BACKUP_";

/// What the variables begin with that say by which right storage is used: as every program for S3 reads them.
const CREDENTIALS: &str = "AWS_";

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    #[command(flatten)]
    flags: BackupFlags,
    #[command(subcommand)]
    command: BackupSubcommand,
}

#[derive(Debug, Args)]
struct BackupFlags {
    /// Where backups are kept: a directory, or s3://BUCKET/PREFIX.
    #[arg(long, global = true, value_name = "URL")]
    target: Option<String>,
    /// Where the backup to restore is, when it is elsewhere; it is only read.
    #[arg(long, global = true, value_name = "URL")]
    source: Option<String>,
    /// For how many days backups are kept; the last good one is never removed.
    #[arg(long, global = true, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    keep_days: Option<u16>,
    /// Encrypt to these recipients of age, separated by commas.
    #[arg(long, global = true, value_name = "age1…", value_delimiter = ',')]
    encrypt_to: Vec<String>,
    /// A file with identities of age, for backups that are encrypted.
    #[arg(long, global = true, value_name = "FILE")]
    identity_file: Option<PathBuf>,
    /// A file that is kept in the backup: what the deployment was declared to be.
    #[arg(long, global = true, value_name = "FILE")]
    declared: Option<PathBuf>,
    /// A directory by which the phases of one restore know of each other.
    #[arg(long, global = true, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// The server of s3:// [default: AWS].
    #[arg(long, global = true, value_name = "URL")]
    s3_endpoint: Option<String>,
    /// The region of the bucket.
    #[arg(long, global = true, value_name = "REGION")]
    s3_region: Option<String>,
    /// The bucket stands in the path, not in the host, as most servers but AWS's have it.
    #[arg(long, global = true, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    s3_path_style: Option<bool>,
    /// A file with certificate authorities that are trusted beside the system's, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    s3_ca_file: Option<PathBuf>,
    /// As --s3-endpoint, of the source [default: the target's].
    #[arg(long, global = true, value_name = "URL")]
    source_s3_endpoint: Option<String>,
    /// As --s3-region, of the source.
    #[arg(long, global = true, value_name = "REGION")]
    source_s3_region: Option<String>,
    /// As --s3-path-style, of the source.
    #[arg(long, global = true, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    source_s3_path_style: Option<bool>,
    /// As --s3-ca-file, of the source.
    #[arg(long, global = true, value_name = "FILE")]
    source_s3_ca_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum BackupSubcommand {
    /// Make a backup, prove it by restoring it aside, then remove what is older than --keep-days.
    Run {
        /// Do not prove it: what it took is counted, and nothing is removed.
        #[arg(long)]
        no_verify: bool,
        /// Why it is made.
        #[arg(long, value_name = "KIND", default_value = "manual")]
        kind: RunKind,
    },
    /// Show the backups at the target.
    List {
        /// For people or for programs.
        #[arg(long, value_name = "FORM", default_value = "table")]
        output: ListOutput,
    },
    /// Prove a backup: read all of it and restore it aside.
    Verify {
        /// A name as `backup list` shows it, or latest.
        #[arg(value_name = "NAME")]
        name: Wanted,
    },
    /// Remove backups that are older than --keep-days, but never the last good one.
    Prune,
    /// Put a backup in place of what the store holds, or go back to what it held before.
    Restore {
        /// A name as `backup list` shows it, or latest.
        #[arg(value_name = "NAME", required_unless_present = "undo")]
        name: Option<Wanted>,
        /// Names this restore: the same id again is the same restore, and is done once.
        #[arg(long, value_name = "ID", value_parser = restore_id)]
        id: String,
        /// Go back to the generation that the last restore replaced, for as long as that is kept.
        #[arg(long, conflicts_with_all = ["name", "phase"])]
        undo: bool,
        /// Do one phase only; the others follow with the same --work-dir.
        #[arg(long, value_name = "PHASE", requires = "name")]
        phase: Option<Phase>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RunKind {
    Scheduled,
    Manual,
    BeforeUpgrade,
}

/// How backups are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    /// Columns.
    Table,
    /// One object a line.
    Json,
}

/// A step of a restore that a process of its own may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// Read the whole archive, and note that the restore has begun.
    Verify,
    /// Hold writes back and make a safety backup.
    Snapshot,
    /// Fill a new generation, compare it, switch to it.
    Load,
}

/// Which backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The last good one.
    Latest,
    /// This one.
    Named(BackupName),
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            name => name.parse().map(Self::Named).map_err(|error| format!("{error}")),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => formatter.write_str("latest"),
            Self::Named(name) => name.fmt(formatter),
        }
    }
}

/// Ids become names of files and stand in messages.
fn restore_id(text: &str) -> Result<String, String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if text.is_empty() || text.len() > 63 || text.starts_with('.') || !text.chars().all(allowed) {
        return Err("1 to 63 letters, digits, '-', '_' or '.', the first no '.'".to_owned());
    }
    Ok(text.to_owned())
}

/// Where a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Directory(PathBuf),
    /// In S3-compatible storage.
    Bucket {
        /// Its name.
        bucket: String,
        /// What the keys of all objects begin with; may be empty.
        prefix: String,
    },
}

impl Place {
    fn parse(text: &str, flag: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(format!("{flag} must name a bucket: s3://BUCKET/PREFIX"));
            }
            return Ok(Self::Bucket {
                bucket: bucket.to_owned(),
                prefix: prefix.trim_matches('/').to_owned(),
            });
        }
        let path = match text.split_once("://") {
            None => text,
            Some(("file", path)) if path.starts_with('/') => path,
            Some(_) => {
                return Err(format!(
                    "{flag} must be a directory, file:///DIRECTORY or s3://BUCKET/PREFIX"
                ));
            }
        };
        if path.is_empty() {
            return Err(format!("{flag} must not be empty"));
        }
        Ok(Self::Directory(path.into()))
    }
}

/// By which right storage is used. Never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(Vec<(String, String)>);

impl Credentials {
    /// Those among these variables.
    #[must_use]
    pub fn of(variables: &[(String, String)]) -> Self {
        let ours = variables
            .iter()
            .filter(|(name, value)| name.starts_with(CREDENTIALS) && !value.is_empty());
        Self(ours.cloned().collect())
    }

    /// Variables as every program for S3 reads them.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.variables().map(|(name, _)| name).collect();
        write!(formatter, "Credentials({names:?})")
    }
}

/// How storage is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// `None` = AWS.
    pub endpoint: Option<String>,
    /// `None` = `us-east-1`, which servers without regions take too.
    pub region: Option<String>,
    /// Whether the bucket stands in the path.
    pub path_style: bool,
    /// Authorities beside the system's.
    pub ca_file: Option<PathBuf>,
    /// By which right.
    pub credentials: Credentials,
}

/// A target, as set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSettings {
    /// Where.
    pub place: Place,
    /// How, where it is storage.
    pub s3: S3Settings,
}

/// What to do about backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupCommand {
    /// Make one.
    Run {
        /// Where.
        target: TargetSettings,
        /// For how many days the others are kept; `None` = nothing is removed.
        keep_days: Option<u16>,
        /// Whether it is proven.
        verify: bool,
        /// Whom it is encrypted to; nobody = it is not.
        encrypt_to: Vec<String>,
        /// What is kept of the declaration.
        declared: Option<PathBuf>,
        /// Why.
        kind: Kind,
    },
    /// Show them.
    List {
        /// Where.
        target: TargetSettings,
        /// How.
        output: ListOutput,
    },
    /// Prove one.
    Verify {
        /// Where.
        target: TargetSettings,
        /// Which.
        name: Wanted,
        /// What it may be encrypted with.
        identity_file: Option<PathBuf>,
    },
    /// Remove old ones.
    Prune {
        /// Where.
        target: TargetSettings,
        /// How old they may become.
        keep_days: u16,
    },
    /// Restore one.
    Restore(Box<RestoreSettings>),
    /// Go back.
    Undo {
        /// Names the going back.
        id: String,
    },
}

/// A restore, as set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreSettings {
    /// Which backup.
    pub name: Wanted,
    /// Which restore.
    pub id: String,
    /// Where it is noted, and the safety backup goes.
    pub target: TargetSettings,
    /// Where the backup is, when not there.
    pub source: Option<TargetSettings>,
    /// What it may be encrypted with.
    pub identity_file: Option<PathBuf>,
    /// Whom the safety backup is encrypted to.
    pub encrypt_to: Vec<String>,
    /// What of it, and by which directory the parts know of each other; `None` = all.
    pub phase: Option<(Phase, PathBuf)>,
}

impl BackupCommand {
    pub(super) fn resolve(typed: BackupArguments, credentials: Credentials) -> Result<Self, String> {
        let BackupArguments {
            flags:
                BackupFlags {
                    target,
                    source,
                    keep_days,
                    encrypt_to,
                    identity_file,
                    declared,
                    work_dir,
                    s3_endpoint,
                    s3_region,
                    s3_path_style,
                    s3_ca_file,
                    source_s3_endpoint,
                    source_s3_region,
                    source_s3_path_style,
                    source_s3_ca_file,
                },
            command,
        } = typed;
        let s3 = S3Settings {
            endpoint: s3_endpoint,
            region: s3_region,
            path_style: s3_path_style.unwrap_or(false),
            ca_file: s3_ca_file,
            credentials,
        };
        let target = target
            .map(|text| {
                Ok::<_, String>(TargetSettings {
                    place: Place::parse(&text, "--target")?,
                    s3: s3.clone(),
                })
            })
            .transpose()?;
        let needed = |target: Option<TargetSettings>| {
            target.ok_or("backup needs --target: a directory, or s3://BUCKET/PREFIX".to_owned())
        };
        Ok(match command {
            BackupSubcommand::Run { no_verify, kind } => Self::Run {
                target: needed(target)?,
                keep_days,
                verify: !no_verify,
                encrypt_to,
                declared,
                kind: match kind {
                    RunKind::Scheduled => Kind::Scheduled,
                    RunKind::Manual => Kind::Manual,
                    RunKind::BeforeUpgrade => Kind::BeforeUpgrade,
                },
            },
            BackupSubcommand::List { output } => Self::List {
                target: needed(target)?,
                output,
            },
            BackupSubcommand::Verify { name } => Self::Verify {
                target: needed(target)?,
                name,
                identity_file,
            },
            BackupSubcommand::Prune => Self::Prune {
                target: needed(target)?,
                keep_days: keep_days.ok_or("backup prune needs --keep-days")?,
            },
            BackupSubcommand::Restore { undo: true, id, .. } => Self::Undo { id },
            BackupSubcommand::Restore { name, id, phase, .. } => {
                let source = source
                    .map(|text| {
                        Ok::<_, String>(TargetSettings {
                            place: Place::parse(&text, "--source")?,
                            s3: S3Settings {
                                endpoint: source_s3_endpoint.or(s3.endpoint),
                                region: source_s3_region.or(s3.region),
                                path_style: source_s3_path_style.unwrap_or(s3.path_style),
                                ca_file: source_s3_ca_file.or(s3.ca_file),
                                credentials: s3.credentials,
                            },
                        })
                    })
                    .transpose()?;
                let phase = match (phase, work_dir) {
                    (None, _) => None,
                    (Some(phase), Some(directory)) => Some((phase, directory)),
                    (Some(_), None) => return Err("--phase needs --work-dir".to_owned()),
                };
                Self::Restore(Box::new(RestoreSettings {
                    name: name.ok_or("backup restore needs NAME, or --undo")?,
                    id,
                    target: needed(target)?,
                    source,
                    identity_file,
                    encrypt_to,
                    phase,
                }))
            }
        })
    }

    /// Whether it works on a store.
    #[must_use]
    pub const fn needs_store(&self) -> bool {
        match self {
            Self::Run { .. } | Self::Restore(_) | Self::Undo { .. } => true,
            Self::List { .. } | Self::Verify { .. } | Self::Prune { .. } => false,
        }
    }
}
