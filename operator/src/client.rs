//! The client of the API server: bounded in every direction, each request counted.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use http::Request;
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, retry::RetryPolicy},
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{
    BoxError,
    buffer::BufferLayer,
    retry::RetryLayer,
    util::{MapErrLayer, MapRequestLayer},
};

use crate::{
    args::Cluster,
    health::Health,
    lease::{Leadership, fence::FenceLayer},
    metrics::Metrics,
};

/// Longest time that one call may take, retries included. Far below a reconcile's own bound, far
/// above what a busy API server needs.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Waits for `call`, but not forever: a connection that hangs has no other bound.
///
/// # Errors
/// What the call says, or a timeout.
pub async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(result) => result,
        Err(elapsed) => Err(kube::Error::Service(elapsed.into())),
    }
}

/// Where the cluster is: as the flags name it, or else the environment, a kubeconfig first, then the
/// pod's own.
///
/// # Errors
/// When there is none, or what is there cannot be used.
pub async fn find_cluster(cluster: &Cluster) -> anyhow::Result<Config> {
    let Cluster {
        kubeconfig,
        context,
        namespace,
    } = cluster;
    let options = KubeConfigOptions {
        context: context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = match (kubeconfig, context) {
        (Some(path), _) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("failed to read the kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .with_context(|| format!("failed to use the kubeconfig {}", path.display()))?
        }
        (None, Some(context)) => Config::from_kubeconfig(&options)
            .await
            .with_context(|| format!("failed to use the context {context} of the kubeconfig"))?,
        (None, None) => Config::infer()
            .await
            .context("failed to find a cluster: set KUBECONFIG, or run in a pod")?,
    };
    if let Some(namespace) = namespace {
        config.default_namespace.clone_from(namespace);
    }
    config.connect_timeout = Some(Duration::from_secs(5));
    // The default retries for minutes, on every verb; a reconcile would hang instead of backing off.
    config.default_retry = false;
    Ok(config)
}

/// A client for a person's commands: nothing is counted.
///
/// # Errors
/// When the configuration cannot be used.
pub fn for_a_person(config: Config) -> anyhow::Result<Client> {
    Client::try_from(config).context("failed to set up the client")
}

/// A client for the operator. With a leadership it writes only while that is held.
///
/// # Errors
/// When the configuration cannot be used.
pub fn connect(
    config: Config,
    metrics: Metrics,
    health: Arc<Health>,
    leadership: Option<Leadership>,
) -> anyhow::Result<Client> {
    let policy = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(2), 4, true)
        .context("failed to set up retries")?;
    let observe = MapRequestLayer::new(move |request: Request<Body>| {
        let call = ApiCall::of(request.method(), request.uri());
        metrics.count_api_request(&call);
        if matches!(call.verb, "list" | "watch") {
            health.watch_attempted(awaited(&call, request.uri()));
        }
        request
    });
    Ok(ClientBuilder::try_from(config)
        .context("failed to set up the client")?
        // Beneath the retries: each attempt is a write of its own.
        .with_layer(&FenceLayer(leadership))
        .with_layer(&observe)
        .with_layer(&BufferLayer::new(1024))
        .with_layer(&RetryLayer::new(policy))
        .with_layer(&MapErrLayer::new(BoxError::from))
        .build())
}

/// Plural name of the kind that a watch is for: while a cluster lacks a kind, the watch on its
/// definition stands in for the kind's own.
fn awaited<'a>(call: &'a ApiCall, uri: &'a http::Uri) -> &'a str {
    let parameters = uri.query().unwrap_or_default().split('&');
    let definition = parameters
        .filter_map(|parameter| parameter.strip_prefix("fieldSelector=metadata.name%3D"))
        .find_map(|name| name.split('.').next());
    definition
        .filter(|_| call.resource == "customresourcedefinitions")
        .unwrap_or(&call.resource)
}

/// What a request does, in Kubernetes's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// `get`, `list`, `watch`, `create`, `apply`, `patch`, `update` or `delete`.
    pub verb: &'static str,
    /// Plural name of the resource, with a subresource after a slash.
    pub resource: String,
}

impl ApiCall {
    /// Reads a call off its method and address.
    pub fn of(method: &http::Method, uri: &http::Uri) -> Self {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        match parts.next() {
            Some("api") => drop(parts.next()),
            _ => drop((parts.next(), parts.next())),
        }
        let rest: Vec<&str> = parts.collect();
        let rest = match rest.as_slice() {
            ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
            rest => rest,
        };
        let (resource, name, subresource) = match rest {
            [] => ("discovery", None, None),
            [resource] => (*resource, None, None),
            [resource, name] => (*resource, Some(*name), None),
            [resource, name, subresource, ..] => (*resource, Some(*name), Some(*subresource)),
        };
        let query = uri.query().unwrap_or_default();
        let verb = match method.as_str() {
            "GET" if query.contains("watch=true") => "watch",
            "GET" if name.is_some() => "get",
            "GET" => "list",
            "POST" => "create",
            "PATCH" if query.contains("force=true") => "apply",
            "PATCH" => "patch",
            "PUT" => "update",
            "DELETE" => "delete",
            _ => "other",
        };
        let resource = subresource.map_or_else(|| resource.to_owned(), |sub| format!("{resource}/{sub}"));
        Self { verb, resource }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents: an operator that is restarted because a cluster lacks a kind: for as long as it does,
    /// only the kind's definition is watched.
    #[test]
    fn a_watch_on_a_definition_counts_for_its_kind() {
        let uri = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldSelector=metadata.name%3D\
                   httproutes.gateway.networking.k8s.io&watch=true";
        for (uri, kind) in [
            (uri, "httproutes"),
            (
                "/api/v1/pods?fieldSelector=metadata.name%3Da.b&watch=true",
                "pods",
            ),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(awaited(&ApiCall::of(&http::Method::GET, &uri), &uri), kind);
        }
    }

    /// Prevents: the count of writes, by which zero is proven, missing a kind of write.
    #[test]
    fn calls_are_told_apart() {
        for (method, uri, verb, resource) in [
            ("GET", "/api/v1/namespaces/lojas/secrets/a", "get", "secrets"),
            ("GET", "/api/v1/configmaps?labelSelector=x", "list", "configmaps"),
            (
                "GET",
                "/apis/apps/v1/deployments?watch=true&x=y",
                "watch",
                "deployments",
            ),
            ("POST", "/api/v1/namespaces/lojas/secrets?", "create", "secrets"),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/lojas/deployments/a?force=true",
                "apply",
                "deployments",
            ),
            (
                "PATCH",
                "/apis/faciliauto.com/v1alpha1/namespaces/l/faciliautodeployments/a/status?force=true",
                "apply",
                "faciliautodeployments/status",
            ),
            (
                "PATCH",
                "/api/v1/namespaces/lojas/services/a?",
                "patch",
                "services",
            ),
            (
                "DELETE",
                "/apis/autoscaling/v2/namespaces/l/horizontalpodautoscalers/a",
                "delete",
                "horizontalpodautoscalers",
            ),
            ("GET", "/api/v1/namespaces/lojas", "get", "namespaces"),
        ] {
            let call = ApiCall::of(&method.parse().unwrap(), &uri.parse().unwrap());
            assert_eq!(
                (call.verb, call.resource.as_str()),
                (verb, resource),
                "{method} {uri}"
            );
        }
    }
}
