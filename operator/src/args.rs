//! The one place that reads flags and environment.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{area::WatchedNamespaces, reconcile::validate::ReleaseDefaults};

/// Keeps FacilIAuto systems alive on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "faciliauto-operator", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch FaciliAutoDeployments and keep them alive, until SIGTERM
    Run(RunSettings),
    /// Print the CustomResourceDefinition
    Crd(CrdSettings),
    /// Print what the operator may do, as manifests
    Rbac(RbacSettings),
    /// Print every object that a resource becomes, without a cluster
    Render(RenderSettings),
    /// Show what would change in the cluster if a file were applied
    Diff(DiffSettings),
    /// Show what became of resources: conditions, objects, pods, events
    Status(StatusSettings),
    /// Make a backup now
    Backup(BackupSettings),
    /// Put a backup in place of what is there, and show how far it is
    Restore(RestoreSettings),
    /// Print the script that teaches a shell to complete this command
    Completions(CompletionsSettings),
    /// Ask a running operator on this machine whether it is alive
    Healthcheck(HealthcheckSettings),
}

/// Settings of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunSettings {
    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "FACILIAUTO_OPERATOR_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Level of the log, or a filter such as info,kube=debug
    #[arg(long, env = "FACILIAUTO_OPERATOR_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// Shape of the log
    #[arg(long, env = "FACILIAUTO_OPERATOR_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
    /// Namespaces that are looked after, separated by commas, 20 at most; a Role in each is enough then.
    /// Default: all of the cluster
    #[arg(
        long,
        env = "FACILIAUTO_OPERATOR_WATCH_NAMESPACES",
        value_name = "NAMES",
        default_value = ""
    )]
    pub watch_namespaces: WatchedNamespaces,
    /// Resources reconciled at the same time
    #[arg(long, env = "FACILIAUTO_OPERATOR_CONCURRENCY", default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Namespace that the operator runs in: its Lease is there, and network policies let its pods ask the
    /// API. Default: the one of the pod, or of the kubeconfig's context
    #[arg(long, env = "FACILIAUTO_OPERATOR_NAMESPACE",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,
    /// Name of this process in the Lease by which one of several leads: unique, and kept over a restart
    /// of the same process. Default: made up from the machine's name
    #[arg(long, env = "FACILIAUTO_OPERATOR_IDENTITY", value_name = "NAME",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub identity: Option<String>,
    /// Namespace of that Lease. Default: the operator's own
    #[arg(long, env = "FACILIAUTO_OPERATOR_LEASE_NAMESPACE", value_name = "NAMESPACE",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub lease_namespace: Option<String>,
    /// What resources that name no image get
    #[command(flatten)]
    pub images: DefaultImages,
}

/// Which cluster, and where in it, as kubectl takes it.
#[derive(Clone, Debug, Default, Args)]
pub struct Cluster {
    /// Path of the kubeconfig; default: what KUBECONFIG names, or ~/.kube/config
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace; default: the one of the context
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// Settings of `crd`.
#[derive(Clone, Debug, Args)]
pub struct CrdSettings {
    /// Shape of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    pub output: CrdFormat,
}

/// Shape of the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CrdFormat {
    /// For a cluster
    Yaml,
    /// For a person: the reference of every field
    Markdown,
}

/// Settings of `rbac`.
#[derive(Clone, Debug, Args)]
pub struct RbacSettings {
    /// Roles for these namespaces, separated by commas, in place of the ClusterRole and its binding
    #[arg(long, value_name = "NAMES", default_value = "", hide_default_value = true)]
    pub namespaces: WatchedNamespaces,
    /// Where the operator runs
    #[command(flatten)]
    pub operator: OperatorNamespace,
}

/// Settings of `render`.
#[derive(Clone, Debug, Args)]
pub struct RenderSettings {
    /// File with FaciliAutoDeployments, or - for standard input
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where the operator runs
    #[command(flatten)]
    pub operator: OperatorNamespace,
    /// What resources that name no image get
    #[command(flatten)]
    pub images: DefaultImages,
}

/// Settings of `diff`. It exits with 0 when nothing would change, 1 when something would, 2 when that
/// cannot be told.
#[derive(Clone, Debug, Args)]
pub struct DiffSettings {
    /// File with FaciliAutoDeployments, or - for standard input
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Which cluster
    #[command(flatten)]
    pub cluster: Cluster,
    /// Where the operator runs
    #[command(flatten)]
    pub operator: OperatorNamespace,
    /// What resources that name no image get; as the operator in the cluster is set
    #[command(flatten)]
    pub images: DefaultImages,
}

/// Settings of `status`.
#[derive(Clone, Debug, Args)]
pub struct StatusSettings {
    /// Name of one resource; default: all of the namespace
    #[arg(value_name = "NAME", conflicts_with = "all_namespaces")]
    pub name: Option<String>,
    /// Those of every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Shape of the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "tree")]
    pub output: OutputFormat,
    /// Which cluster
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Settings of `backup`.
#[derive(Clone, Debug, Args)]
pub struct BackupSettings {
    /// Name of the resource
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Wait until it is made and proven; exits with 1 when it fails
    #[arg(long)]
    pub wait: bool,
    /// Which cluster
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Settings of `restore`. It exits with 1 when the restore fails.
#[derive(Clone, Debug, Args)]
pub struct RestoreSettings {
    /// Name of the resource
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Name of the backup, or latest
    #[arg(long, value_name = "BACKUP", required_unless_present = "undo", conflicts_with = "undo",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub from: Option<String>,
    /// A word for this restore, each used once. Default: made up from the time
    #[arg(long, value_name = "ID", conflicts_with = "undo",
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub id: Option<String>,
    /// A PersistentVolumeClaim with the backups of another system. Default: this one's own backups
    #[arg(long, value_name = "CLAIM", conflicts_with = "undo")]
    pub source_claim: Option<String>,
    /// Do not wait until it has ended
    #[arg(long, conflicts_with = "undo")]
    pub no_wait: bool,
    /// Take the last restore back: what was there before it is kept for 24 hours
    #[arg(long)]
    pub undo: bool,
    /// Which cluster
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Settings of `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsSettings {
    /// The shell
    pub shell: Shell,
}

/// Shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For a person
    Tree,
    /// For a program
    Json,
}

/// Settings of `healthcheck`.
#[derive(Clone, Debug, Args)]
pub struct HealthcheckSettings {
    /// Address that the running operator listens on
    #[arg(long, env = "FACILIAUTO_OPERATOR_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
}

/// Where the operator runs that a command speaks of.
#[derive(Clone, Debug, Args)]
pub struct OperatorNamespace {
    /// Namespace that the operator runs in: network policies let its pods ask the API
    #[arg(long, env = "FACILIAUTO_OPERATOR_NAMESPACE", value_name = "NAME", default_value = DEFAULT_NAMESPACE)]
    pub operator_namespace: String,
}

/// Images for resources that name none; a mirror's names go here.
#[derive(Clone, Debug, Args)]
pub struct DefaultImages {
    /// Registry and name of the API's image
    #[arg(
        long,
        env = "FACILIAUTO_OPERATOR_SERVICE_REPOSITORY",
        default_value = "ghcr.io/faciliauto/service"
    )]
    pub service_repository: String,
    /// Image of the managed Redis
    #[arg(
        long,
        env = "FACILIAUTO_OPERATOR_REDIS_IMAGE",
        default_value = "docker.io/library/redis:8.2-alpine"
    )]
    pub redis_image: String,
}

impl DefaultImages {
    /// What stands in no resource, for an operator in `namespace`.
    pub fn defaults(self, namespace: String) -> ReleaseDefaults {
        let Self {
            service_repository,
            redis_image,
        } = self;
        ReleaseDefaults {
            operator_namespace: namespace,
            service_repository,
            service_tag: env!("CARGO_PKG_VERSION").to_owned(),
            redis_image,
        }
    }
}

/// Shape of the log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// For a person at a terminal
    Text,
}

/// Where `manifests/install` puts the operator.
const DEFAULT_NAMESPACE: &str = "faciliauto-system";

const DEFAULT_LISTEN: &str = "0.0.0.0:8080";

/// Under which name the program was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Its own, or any other.
    Operator,
    /// `kubectl-faciliauto`, by which `kubectl faciliauto` finds it.
    Plugin,
    /// `kubectl_complete-faciliauto`, which kubectl asks how to complete the other.
    PluginCompletion,
}

impl Program {
    /// The file name of the plugin.
    pub const PLUGIN: &str = "kubectl-faciliauto";

    /// Tells it by the path with which the program was called.
    pub fn of(path: &Path) -> Self {
        match path.file_stem().and_then(|name| name.to_str()) {
            Some(Self::PLUGIN) => Self::Plugin,
            Some("kubectl_complete-faciliauto") => Self::PluginCompletion,
            _ => Self::Operator,
        }
    }

    /// The name by which a shell knows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Operator => "faciliauto-operator",
            Self::Plugin | Self::PluginCompletion => Self::PLUGIN,
        }
    }

    /// The command line: in a plugin, that of a person, who runs no operator with it.
    pub fn command(&self) -> clap::Command {
        let command = Arguments::command();
        if *self == Self::Operator {
            return command;
        }
        command
            .name("kubectl faciliauto")
            .bin_name("kubectl faciliauto")
            .about("Shows and checks FacilIAuto systems on Kubernetes.")
            .mut_subcommand("run", |run| run.hide(true))
            .mut_subcommand("healthcheck", |healthcheck| healthcheck.hide(true))
    }

    /// Reads the command line, the program's own name first.
    ///
    /// # Errors
    /// When it does not read as one, or help is asked for.
    pub fn parse(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
        Arguments::from_arg_matches(&self.command().try_get_matches_from(arguments)?)
    }
}
