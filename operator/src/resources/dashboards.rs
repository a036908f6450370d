//! Dashboards about one system, one ConfigMap each, for the sidecar that hands them to Grafana.
//!
//! Every query is about the series of the API's Service: `namespace` and `service` are the labels that
//! a ServiceMonitor gives them. Which system is shown is a variable, so that one dashboard can be
//! turned to another system of the same cluster.

mod board;
mod business;
mod objectives;
mod overview;
mod performance;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

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

/// A query over the replicas that are shown: `§` stands for their labels.
fn query(text: &str) -> String {
    text.replace('§', REPLICAS)
}

/// A query over the whole system: `§` stands for its labels.
fn system_query(text: &str) -> String {
    text.replace('§', SYSTEM)
}

#[cfg(test)]
mod tests;
