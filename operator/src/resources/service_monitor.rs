//! What makes Prometheus read the API's metrics.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{
    Kind,
    third_party::{MetricsEndpoint, ServiceMonitorSpec, ThirdParty},
};
use crate::{
    names,
    reconcile::validate::{Scrape, Validated},
};

pub(crate) fn build(validated: &Validated, scrape: &Scrape) -> ThirdParty<ServiceMonitorSpec> {
    let owner = &validated.owner;
    let Scrape {
        interval,
        timeout,
        labels,
    } = scrape;
    let spec = ServiceMonitorSpec {
        job_label: names::NAME.to_owned(),
        selector: LabelSelector {
            match_labels: Some(names::selector(&owner.name, names::API)),
            ..LabelSelector::default()
        },
        endpoints: vec![MetricsEndpoint {
            port: "metrics".to_owned(),
            path: "/metrics".to_owned(),
            interval: interval.clone(),
            scrape_timeout: timeout.clone(),
        }],
    };
    ThirdParty::new(
        Kind::ServiceMonitor,
        owner,
        names::MONITORING,
        labels,
        &Default::default(),
        spec,
    )
}
