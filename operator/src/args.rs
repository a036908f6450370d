//! The one place that reads flags and environment.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::reconcile::validate::ReleaseDefaults;

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
    Crd,
    /// Print every object that a resource becomes, without a cluster
    Render(RenderSettings),
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
    /// Resources reconciled at the same time
    #[arg(long, env = "FACILIAUTO_OPERATOR_CONCURRENCY", default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Namespace that the operator runs in: network policies let its pods ask the API
    #[arg(long, env = "FACILIAUTO_OPERATOR_NAMESPACE", default_value = DEFAULT_NAMESPACE)]
    pub namespace: String,
    /// What resources that name no image get
    #[command(flatten)]
    pub images: DefaultImages,
}

/// Settings of `render`.
#[derive(Clone, Debug, Args)]
pub struct RenderSettings {
    /// File with FaciliAutoDeployments, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Namespace that the operator runs in: network policies let its pods ask the API
    #[arg(long, env = "FACILIAUTO_OPERATOR_NAMESPACE", default_value = DEFAULT_NAMESPACE)]
    pub namespace: String,
    /// What resources that name no image get
    #[command(flatten)]
    pub images: DefaultImages,
}

/// Settings of `healthcheck`.
#[derive(Clone, Debug, Args)]
pub struct HealthcheckSettings {
    /// Address that the running operator listens on
    #[arg(long, env = "FACILIAUTO_OPERATOR_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
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
