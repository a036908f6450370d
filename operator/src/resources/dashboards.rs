//! Dashboards about one system, one ConfigMap each, for the sidecar that hands them to Grafana.
//!
//! Every query is about the series of the API's Service: `namespace` and `service` are the labels that
//! a ServiceMonitor gives them. Which system is shown is a variable, so that one dashboard can be
//! turned to another system of the same cluster.
//!
//! One more is about the operator itself. It is no child of any system and comes with the install.

mod board;
mod business;
mod objectives;
mod operator;
mod overview;
mod performance;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::{
    names,
    reconcile::validate::{Owner, Validated},
    resources::metadata,
};
use board::Board;

/// Annotation by which the sidecar sorts dashboards into a folder.
const FOLDER: &str = "grafana_folder";

/// Labels of the series of the system that is shown.
const SYSTEM: &str = "namespace=\"$namespace\",service=\"$instance\"";

/// The same, of the replicas that are shown.
const REPLICAS: &str = "namespace=\"$namespace\",service=\"$instance\",pod=~\"$pod\"";

/// The dashboards, the one to look at first at the head.
fn boards() -> [Board; 4] {
    [
        overview::board(),
        business::board(),
        performance::board(),
        objectives::board(),
    ]
}

pub(crate) fn build(validated: &Validated, labels: &BTreeMap<String, String>) -> Vec<ConfigMap> {
    let owner = &validated.owner;
    boards()
        .into_iter()
        .map(|board| config_map(owner, &board, labels))
        .collect()
}

/// The dashboards of the system `name` in `namespace`, each with the word that its names are made of.
pub fn documents(namespace: &str, name: &str) -> Vec<(&'static str, Value)> {
    boards()
        .iter()
        .map(|board| (board.word, board.document(namespace, name)))
        .collect()
}

/// Labels of the series of the operator, as the PodMonitor of the install makes them.
const OPERATOR: &str = "namespace=\"$namespace\",container=\"operator\"";

/// The dashboard about the operator that runs in `namespace`.
pub fn operator_document(namespace: &str) -> Value {
    operator::board().operator_document(namespace)
}

/// The same as a ConfigMap for the install, in YAML.
///
/// # Errors
/// When it cannot be written as YAML.
pub fn operator_manifest(namespace: &str) -> anyhow::Result<String> {
    let document = serde_json::to_string_pretty(&operator_document(namespace))?;
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "faciliauto-operator-dashboard",
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": names::FIELD_MANAGER,
                "app.kubernetes.io/part-of": "faciliauto",
                "grafana_dashboard": "1",
            },
            "annotations": {FOLDER: "FacilIAuto"},
        },
        "data": {"faciliauto-operator.json": document + "\n"},
    });
    let text = serde_yaml::to_string(&object)?;
    Ok(format!(
        "# Generated from operator/src/resources/dashboards/operator.rs by `make generate`.\n{text}"
    ))
}

fn config_map(owner: &Owner, board: &Board, labels: &BTreeMap<String, String>) -> ConfigMap {
    let Owner { name, namespace, .. } = owner;
    let mut metadata = metadata(owner, names::dashboard(name, board.word), names::MONITORING);
    let mut all = labels.clone();
    all.extend(metadata.labels.take().unwrap_or_default());
    metadata.labels = Some(all);
    metadata.annotations = Some([(FOLDER.to_owned(), "FacilIAuto".to_owned())].into());
    // The sidecar writes the files of all namespaces into one folder.
    let file = format!("{namespace}-{name}-{}.json", board.word);
    ConfigMap {
        metadata,
        data: Some([(file, board.document(namespace, name).to_string())].into()),
        ..ConfigMap::default()
    }
}

/// A query over the replicas that are shown: `§` stands for their labels, `¶` for those of the operator.
fn query(text: &str) -> String {
    text.replace('§', REPLICAS).replace('¶', OPERATOR)
}

/// A query over the whole system: `§` stands for its labels.
fn system_query(text: &str) -> String {
    text.replace('§', SYSTEM)
}

#[cfg(test)]
mod tests;
