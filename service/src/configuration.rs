//! Every setting of the program, read once: what was typed ([`Arguments`]) becomes what the program
//! needs ([`Settings`]). Nothing else reads flags or the environment.
//!
//! Each flag has a variable: `--key-prefix` is `FACILIAUTO_KEY_PREFIX`. A flag wins over its variable.

use std::{
    borrow::Cow,
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use self::backup::{BackupArguments, BackupCommand, Credentials};
use crate::{
    cors::AllowedOrigins,
    limits::{Quotas, gcra::Quota},
    state::connection::{ConnectionSettings, Secret, UrlSource},
    tls::TlsFiles,
};

pub mod backup;

/// What every variable of ours begins with.
const PREFIX: &str = "FACILIAUTO_";

/// Keys of Redis may not hold a glob or a space: the prefix is also a pattern of the access list.
const KEY_PREFIX_LONGEST: usize = 200;

/// Recommends used cars from the live stock of many dealerships.
///
/// With no flags it serves at once: sample stock, state in memory. With --redis-url it is one replica of
/// many. Each flag can also be given as a variable: --key-prefix is FACILIAUTO_KEY_PREFIX.
#[derive(Debug, Parser)]
#[command(name = "faciliauto-service", version, args_override_self = true)]
struct Arguments {
    /// Where the API listens.
    #[arg(long, global = true, value_name = "ADDRESS", default_value = "0.0.0.0:8000")]
    listen: SocketAddr,
    /// Where /metrics listens.
    #[arg(long, global = true, value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    metrics_listen: SocketAddr,
    /// A file with the certificate of the API and those it rests on, PEM: it is served over TLS alone.
    #[arg(long, global = true, value_name = "FILE")]
    tls_certificate_file: Option<PathBuf>,
    /// A file with the certificate's private key, PEM; both are read again when they change.
    #[arg(long, global = true, value_name = "FILE")]
    tls_key_file: Option<PathBuf>,
    /// Redis or Valkey to keep state in: redis://USER@HOST:PORT, or rediss:// for TLS.
    #[arg(long, global = true, value_name = "URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// A file that holds the URL.
    #[arg(long, global = true, value_name = "FILE")]
    redis_url_file: Option<PathBuf>,
    /// A file that holds the password, in place of the one in the URL.
    #[arg(long, global = true, value_name = "FILE")]
    redis_password_file: Option<PathBuf>,
    /// A file with certificate authorities that are trusted beside the system's, PEM: for a rediss:// of a network
    /// with its own.
    #[arg(long, global = true, value_name = "FILE")]
    trust_ca_file: Option<PathBuf>,
    /// What every key and channel in Redis begins with.
    #[arg(long, global = true, value_name = "PREFIX", default_value = "faciliauto", value_parser = key_prefix)]
    key_prefix: String,
    /// A file with tokens of administrators, one a line; without it nobody is one.
    #[arg(long, global = true, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// The least severe lines that are logged.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    log_level: LogLevel,
    /// Log one in COUNT requests that went well; 0 = none of them. Refusals and errors are always logged.
    #[arg(long, global = true, value_name = "COUNT", default_value_t = 1)]
    access_log_sample: u32,
    /// How long requests in flight may take after SIGTERM.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(0..=3600))]
    drain_seconds: u64,
    /// How long /readyz refuses while everything else is still served, after SIGTERM and before draining.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(0..=3600))]
    readiness_delay_seconds: u64,
    /// Threads that serve requests [default: one for each processor].
    #[arg(long, global = true, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Who counts how often an address asks [default: redis where a Redis is set, otherwise local].
    #[arg(long, global = true, value_name = "WHO")]
    limits: Option<Limits>,
    /// How often an address may ask for recommendations: so many a second, and so many at once from idle.
    #[arg(long, global = true, value_name = "A_SECOND/AT_ONCE", default_value = "2/5")]
    limit_recommend: Quota,
    /// The same for /stats.
    #[arg(long, global = true, value_name = "A_SECOND/AT_ONCE", default_value = "10/20")]
    limit_stats: Quota,
    /// The same for everything else.
    #[arg(long, global = true, value_name = "A_SECOND/AT_ONCE", default_value = "10/10")]
    limit_default: Quota,
    /// For how long an answer to the same questions is sent again; 0 = never.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(0..=86_400))]
    cache_ttl_seconds: u64,
    /// How much memory those answers may take; 0 = none is kept.
    #[arg(long, global = true, value_name = "BYTES", default_value_t = 8 << 20,
          value_parser = clap::value_parser!(u64).range(0..=1 << 40))]
    cache_max_bytes: u64,
    /// Proxies of our own that append to X-Forwarded-For; 0 = the header is ignored.
    #[arg(long, global = true, value_name = "COUNT", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(0..=16))]
    trusted_hops: u8,
    /// Origins whose pages may call the API from a browser, separated by commas: https://HOST,https://HOST:PORT.
    #[arg(long, global = true, value_name = "ORIGINS")]
    cors_origins: Option<AllowedOrigins>,
    /// Anybody may read anybody's feedback history, as older apps expect; otherwise only with its key.
    #[arg(long, global = true, value_name = "true|false", num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    open_history: bool,
    /// For how many days backups are kept: an erasure says by when the last one with a person's data is gone.
    #[arg(long, global = true, value_name = "DAYS", default_value_t = 7,
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    backup_retention_days: u16,
    /// Where `import`, `backup` and `redis acl sync` write their report, one line of JSON.
    #[arg(long, global = true, value_name = "FILE")]
    report_file: Option<PathBuf>,
    /// A file of users as Redis's `aclfile` has them, for `redis acl sync`.
    #[arg(long, global = true, value_name = "FILE")]
    redis_acl_file: Option<PathBuf>,
    /// Users, separated by commas, that `redis acl sync` removes when the file does not know them.
    #[arg(long, global = true, value_name = "NAMES", value_delimiter = ',')]
    redis_own_users: Vec<String>,
    #[command(subcommand)]
    command: Option<CommandArguments>,
}

#[derive(Debug, Subcommand)]
enum CommandArguments {
    /// Write stock into Redis; the first import also opens the store.
    Import(ImportArguments),
    /// Look after the Redis that state is kept in.
    #[command(subcommand)]
    Redis(RedisArguments),
    /// Make backups of what Redis holds, prove them, and restore them.
    Backup(Box<BackupArguments>),
    /// Ask the service on this machine whether it lives; exit 0 or 1.
    Healthcheck,
    /// Print what the API takes and answers, for programs.
    Schema {
        /// Which description.
        #[arg(value_name = "WHICH")]
        which: SchemaKind,
    },
}

#[derive(Debug, Subcommand)]
enum RedisArguments {
    /// Who may log in.
    #[command(subcommand)]
    Acl(AclArguments),
}

#[derive(Debug, Subcommand)]
enum AclArguments {
    /// Bring the users of --redis-acl-file to a running Redis, and cut nobody who is connected.
    Sync,
}

/// What can be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// A row of a dealer's stock, as JSON Schema.
    StockRow,
    /// The whole API, as OpenAPI.
    Openapi,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).multiple(false))]
struct ImportArguments {
    /// The sample stock of the program; nothing is done when the store is open already.
    #[arg(long, group = "source")]
    sample: bool,
    /// No stock at all; nothing is done when the store is open already.
    #[arg(long, group = "source")]
    none: bool,
    /// A file, or - for the standard input: replaces the stock of each dealership in it, all of it or nothing.
    ///
    /// Either one document {"dealerships": […], "cars": […]}, or cars alone of dealerships that are there: a JSON array,
    /// or one car a line. Packed with gzip or not. Every bad row is named, and then nothing is written. A car that its
    /// dealer marked sold in the last 24 hours stays sold.
    #[arg(value_name = "FILE", group = "source")]
    file: Option<PathBuf>,
    /// Whose cars a file has that is a list of cars: its rows need not name their dealership_id.
    #[arg(long, value_name = "ID", requires = "file", conflicts_with_all = ["sample", "none"])]
    dealership: Option<String>,
    /// Write only over the stock of this ETag, which GET /dealerships/ID/stock gives; then no car stays sold.
    #[arg(long, value_name = "ETAG", requires = "dealership", conflicts_with_all = ["sample", "none"])]
    if_match: Option<String>,
    /// Check everything and write nothing.
    #[arg(long, requires = "file", conflicts_with_all = ["sample", "none"])]
    dry_run: bool,
}

/// The least severe lines that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what somebody must look at.
    Error,
    /// And what may become that.
    Warn,
    /// And one line for each request.
    Info,
    /// And what it does in between.
    Debug,
    /// Everything.
    Trace,
}

/// What the process is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve the API.
    Serve,
    /// Write stock into the store.
    Import(ImportSource),
    /// Bring users to a running Redis.
    SyncUsers(UsersSource),
    /// Make, prove or restore backups.
    Backup(Box<BackupCommand>),
    /// Ask a running service whether it lives.
    Healthcheck,
    /// Print a description.
    Schema(SchemaKind),
}

/// The users that a Redis is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersSource {
    /// A file as Redis's `aclfile` has them.
    pub file: PathBuf,
    /// Users that are removed when the file does not know them.
    pub own_users: Vec<String>,
}

/// Who counts how often an address asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Limits {
    /// Nobody: every request is let through.
    Off,
    /// Each process for itself.
    Local,
    /// All replicas together, in Redis.
    Redis,
}

/// What answers that are sent again may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How old one may become; zero = none is kept.
    pub lifetime: Duration,
    /// Bytes of all of them together; 0 = none is kept.
    pub most_bytes: u64,
}

/// Where imported stock comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportSource {
    /// The sample stock that is compiled in.
    Sample,
    /// Nowhere: the store is opened empty.
    Nothing,
    /// A file.
    File(ImportFile),
}

/// A file to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFile {
    /// Where it is; `-` = the standard input.
    pub path: PathBuf,
    /// Whose cars it has when it is a list of cars; `None` = each row says it.
    pub dealership: Option<String>,
    /// ETags one of which the stock of that dealership must have.
    pub if_match: Option<String>,
    /// Whether everything is checked and nothing written.
    pub dry_run: bool,
}

/// Everything that can be set, with every default resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What to do.
    pub command: Command,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where `/metrics` listens.
    pub metrics_listen: SocketAddr,
    /// What the API is served over TLS with; `None` = without TLS.
    pub tls: Option<TlsFiles>,
    /// Where state is kept; `None` = in memory, for as long as the process lives.
    pub redis: Option<ConnectionSettings>,
    /// Where the administrators' tokens are; `None` = nobody is one.
    pub admin_token_file: Option<PathBuf>,
    /// The least severe lines that are logged.
    pub log_level: LogLevel,
    /// Of how many requests that went well one is logged; 1 = all of them, 0 = none.
    pub access_log_sample: u32,
    /// How long requests in flight may take once the process is told to stop.
    pub drain: Duration,
    /// How long `/readyz` refuses before the drain begins.
    pub readiness_delay: Duration,
    /// Threads that serve requests.
    pub workers: usize,
    /// Who counts how often an address asks; [`Limits::Redis`] only where there is one.
    pub limits: Limits,
    /// How often an address may ask, where somebody counts.
    pub quotas: Quotas,
    /// What answers that are sent again may take.
    pub cache: CacheSettings,
    /// How many proxies of our own append to `X-Forwarded-For`; 0 = the header is ignored.
    pub trusted_hops: usize,
    /// Origins whose pages may call the API from a browser.
    pub cors_origins: AllowedOrigins,
    /// Whether anybody may read anybody's feedback history.
    pub open_history: bool,
    /// For how many days backups are kept.
    pub backup_retention_days: u16,
    /// Where `import`, `backup` and `redis acl sync` report.
    pub report_file: Option<PathBuf>,
    /// Variables that begin like ours and mean nothing: a warning, never an error, because Kubernetes
    /// itself adds some to a pod beside a Service called `faciliauto`.
    pub unknown_variables: Vec<String>,
}

impl Settings {
    /// Reads settings from a command line, whose first item is the program's name, and from variables.
    ///
    /// An empty variable counts as unset.
    ///
    /// # Errors
    /// The error of the command line, which also carries the texts of `--help` and `--version`.
    pub fn parse(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, clap::Error> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let mut command = Self::command_line(&environment);
        let mut arguments = arguments.into_iter().map(Into::into);
        let program = arguments.next().unwrap_or_else(|| "faciliauto-service".into());
        let (from_environment, unknown_variables) = as_flags(&command, &environment);
        let line = std::iter::once(program).chain(from_environment).chain(arguments);
        let matches = command.try_get_matches_from_mut(line)?;
        let typed = Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        Self::resolve(typed, unknown_variables, Credentials::of(&environment))
            .map_err(|message| command.error(clap::error::ErrorKind::ArgumentConflict, message))
    }

    /// The command line, each flag with the name of its variable in its help. Variables of the flags of `backup` are
    /// their defaults: other commands do not have these flags.
    fn command_line(environment: &[(String, String)]) -> clap::Command {
        Arguments::command()
            .mut_args(|argument| with_variable(argument, ""))
            .mut_subcommand("backup", |backup| {
                backup.mut_args(|argument| {
                    let variable = argument.get_long().map(|long| variable_of(backup::PREFIX, long));
                    let given = environment
                        .iter()
                        .find(|(name, value)| Some(name) == variable.as_ref() && !value.is_empty());
                    let argument = with_variable(argument, backup::PREFIX);
                    match given {
                        Some((_, value)) if argument.is_global_set() => argument.default_value(value.clone()),
                        _ => argument,
                    }
                })
            })
    }

    fn resolve(
        typed: Arguments,
        unknown_variables: Vec<String>,
        credentials: Credentials,
    ) -> Result<Self, Cow<'static, str>> {
        let Arguments {
            listen,
            metrics_listen,
            tls_certificate_file,
            tls_key_file,
            redis_url,
            redis_url_file,
            redis_password_file,
            trust_ca_file,
            key_prefix,
            admin_token_file,
            log_level,
            access_log_sample,
            drain_seconds,
            readiness_delay_seconds,
            workers,
            limits,
            limit_recommend,
            limit_stats,
            limit_default,
            cache_ttl_seconds,
            cache_max_bytes,
            trusted_hops,
            cors_origins,
            open_history,
            backup_retention_days,
            report_file,
            redis_acl_file,
            redis_own_users,
            command,
        } = typed;
        let tls = match (tls_certificate_file, tls_key_file) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => return Err("--tls-certificate-file needs --tls-key-file".into()),
            (None, Some(_)) => return Err("--tls-key-file needs --tls-certificate-file".into()),
        };
        let url = match (redis_url, redis_url_file) {
            (Some(_), Some(_)) => {
                return Err(
                    "--redis-url and --redis-url-file (or their variables) exclude each other".into(),
                );
            }
            (Some(url), None) => Some(UrlSource::Given(Secret::new(url))),
            (None, Some(file)) => Some(UrlSource::File(file)),
            (None, None) => None,
        };
        let redis = match (url, redis_password_file) {
            (Some(url), password_file) => Some(ConnectionSettings {
                url,
                password_file,
                trust_ca_file,
                key_prefix,
            }),
            (None, Some(_)) => {
                return Err("--redis-password-file needs --redis-url or --redis-url-file".into());
            }
            (None, None) => None,
        };
        let limits = match (limits, &redis) {
            (Some(Limits::Redis), None) => {
                return Err("--limits redis needs --redis-url or --redis-url-file".into());
            }
            (Some(limits), _) => limits,
            (None, Some(_)) => Limits::Redis,
            (None, None) => Limits::Local,
        };
        let command = match command {
            None => Command::Serve,
            Some(CommandArguments::Healthcheck) => Command::Healthcheck,
            Some(CommandArguments::Schema { which }) => Command::Schema(which),
            Some(CommandArguments::Import(_)) if redis.is_none() => {
                return Err(
                    "import needs --redis-url or --redis-url-file: without it there is no store to write to"
                        .into(),
                );
            }
            Some(CommandArguments::Backup(backup)) => {
                let backup = BackupCommand::resolve(*backup, credentials)?;
                if backup.needs_store() && redis.is_none() {
                    return Err(
                        "this needs --redis-url or --redis-url-file: the store to back up or restore".into(),
                    );
                }
                Command::Backup(Box::new(backup))
            }
            Some(CommandArguments::Redis(RedisArguments::Acl(AclArguments::Sync))) => {
                if redis.is_none() {
                    return Err("redis acl sync needs --redis-url or --redis-url-file".into());
                }
                let file = redis_acl_file.ok_or("redis acl sync needs --redis-acl-file")?;
                Command::SyncUsers(UsersSource {
                    file,
                    own_users: redis_own_users,
                })
            }
            Some(CommandArguments::Import(import)) => Command::Import(match import.file {
                Some(path) => ImportSource::File(ImportFile {
                    path,
                    dealership: import.dealership,
                    if_match: import.if_match,
                    dry_run: import.dry_run,
                }),
                None if import.sample => ImportSource::Sample,
                None => ImportSource::Nothing,
            }),
        };
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            command,
            listen,
            metrics_listen,
            tls,
            redis,
            admin_token_file,
            log_level,
            access_log_sample,
            drain: Duration::from_secs(drain_seconds),
            readiness_delay: Duration::from_secs(readiness_delay_seconds),
            workers: workers.map_or_else(processors, usize::from),
            limits,
            quotas: Quotas {
                recommend: limit_recommend,
                stats: limit_stats,
                other: limit_default,
            },
            cache: CacheSettings {
                lifetime: Duration::from_secs(cache_ttl_seconds),
                most_bytes: cache_max_bytes,
            },
            trusted_hops: usize::from(trusted_hops),
            cors_origins: cors_origins.unwrap_or_default(),
            open_history,
            backup_retention_days,
            report_file,
            unknown_variables,
        })
    }

    /// The address at which a process on the same machine reaches the API.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        let host = match self.listen.ip() {
            address if !address.is_unspecified() => address,
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        SocketAddr::new(host, self.listen.port())
    }
}

/// Our variables as flags, to be placed before those of the command line, and the names of the others.
fn as_flags(command: &clap::Command, environment: &[(String, String)]) -> (Vec<OsString>, Vec<String>) {
    let variables = |command: &clap::Command, prefix: &str| -> Vec<(String, String)> {
        command
            .get_arguments()
            .filter(|argument| argument.is_global_set())
            .filter_map(|argument| argument.get_long())
            .map(|long| (variable_of(prefix, long), long.to_owned()))
            .collect()
    };
    let known = variables(command, "");
    let of_backup = command
        .find_subcommand("backup")
        .map(|backup| variables(backup, backup::PREFIX))
        .unwrap_or_default();
    let mut flags = Vec::new();
    let mut unknown = Vec::new();
    for (name, value) in environment {
        if !name.starts_with(PREFIX) {
            continue;
        }
        match known.iter().find(|(variable, _)| variable == name) {
            Some(_) if value.is_empty() => {}
            Some((_, long)) => flags.push(format!("--{long}={value}").into()),
            None if of_backup.iter().any(|(variable, _)| variable == name) => {}
            None => unknown.push(name.clone()),
        }
    }
    unknown.sort();
    (flags, unknown)
}

/// A flag that all of a command's own commands take, with the name of its variable in its help.
fn with_variable(argument: clap::Arg, prefix: &str) -> clap::Arg {
    match argument.get_long() {
        Some(long) if argument.is_global_set() => {
            let help = argument.get_help().cloned().unwrap_or_default();
            let variable = variable_of(prefix, long);
            argument.help(format!("{help} [env: {variable}]"))
        }
        _ => argument,
    }
}

fn variable_of(prefix: &str, long: &str) -> String {
    format!("{PREFIX}{prefix}{}", long.replace('-', "_").to_uppercase())
}

fn key_prefix(text: &str) -> Result<String, String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || ":._-".contains(letter);
    if text.is_empty() || text.len() > KEY_PREFIX_LONGEST || !text.chars().all(allowed) {
        return Err(format!(
            "1 to {KEY_PREFIX_LONGEST} letters, digits, ':', '.', '_' or '-'"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
