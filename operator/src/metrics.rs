//! The operator's metrics, in a registry of their own that is passed around.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use faciliauto_api::FaciliAutoDeployment;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::{client::ApiCall, health::Health, lease::Leadership, reconcile::backups::deadlines};

/// The content type of the exposition, word for word: Prometheus parses by it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the operator counts. Cloning shares the counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciliations: Counter,
    errors: Family<Category, Counter>,
    duration: Histogram,
    api_requests: Family<Call, Counter>,
    watch_errors: Family<Watch, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Category {
    category: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Call {
    verb: &'static str,
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Watch {
    kind: String,
}

impl Metrics {
    /// Registers the metrics of the operator and of its process.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciliations: Counter::default(),
            errors: Family::default(),
            // From a store lookup to a bring-up against a slow API server.
            duration: Histogram::new(exponential_buckets(0.001, 4.0, 9)),
            api_requests: Family::default(),
            watch_errors: Family::default(),
        };
        registry.register(
            "faciliauto_reconciliations",
            "Times a resource was looked at",
            metrics.reconciliations.clone(),
        );
        registry.register(
            "faciliauto_reconcile_errors",
            "Reconciliations that failed, by category",
            metrics.errors.clone(),
        );
        registry.register_with_unit(
            "faciliauto_reconcile_duration",
            "Time that looking at a resource took",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "faciliauto_api_requests",
            "Requests to the API server, retries included",
            metrics.api_requests.clone(),
        );
        registry.register(
            "faciliauto_watch_errors",
            "Watches that failed and were begun again",
            metrics.watch_errors.clone(),
        );
        registry.register(
            "build",
            "The running build",
            Info::new(vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
        );
        registry.register_collector(Box::new(Process::started_now()));
        metrics
    }

    /// Counts one look at a resource; `category` names the failure, if it failed.
    pub fn count_reconciliation(&self, took: Duration, category: Option<&'static str>) {
        self.reconciliations.inc();
        self.duration.observe(took.as_secs_f64());
        if let Some(category) = category {
            self.errors.get_or_create(&Category { category }).inc();
        }
    }

    /// Counts one request to the API server.
    pub fn count_api_request(&self, call: &ApiCall) {
        self.api_requests
            .get_or_create(&Call {
                verb: call.verb,
                kind: call.resource.clone(),
            })
            .inc();
    }

    /// Counts one failure of a watch.
    pub fn count_watch_error(&self, kind: &str) {
        self.watch_errors
            .get_or_create(&Watch {
                kind: kind.to_owned(),
            })
            .inc();
    }
}

/// The exposition of everything in `registry`.
///
/// # Errors
/// When a collector fails to write.
pub fn exposition(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)?;
    Ok(text)
}

/// Age of every watch, computed when asked.
#[derive(Debug)]
pub struct WatchAges(pub Arc<Health>);

impl Collector for WatchAges {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "faciliauto_watch_age",
            "Time since the watch was begun or renewed",
            Some(&Unit::Seconds),
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (kind, age) in self.0.watch_ages() {
            ConstGauge::new(age.as_secs_f64()).encode(family.encode_family(&[("kind", kind.as_str())])?)?;
        }
        Ok(())
    }
}

/// Whether this process leads, looked up when asked.
#[derive(Debug)]
pub struct Leader(pub Leadership);

impl Collector for Leader {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let leads = ConstGauge::new(i64::from(self.0.is_held()));
        leads.encode(encoder.encode_descriptor(
            "faciliauto_leader",
            "1 in the operator that leads, 0 in one that stands by",
            None,
            leads.metric_type(),
        )?)
    }
}

/// Number of resources by their Ready condition, counted when asked.
pub struct ResourcesByReadiness<F>(pub F);

impl<F> fmt::Debug for ResourcesByReadiness<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ResourcesByReadiness")
    }
}

impl<F> Collector for ResourcesByReadiness<F>
where
    F: Fn() -> Vec<(&'static str, i64)> + Send + Sync + 'static,
{
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "faciliauto_resources",
            "Resources by their Ready condition",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (ready, count) in (self.0)() {
            ConstGauge::new(count).encode(family.encode_family(&[("ready", ready)])?)?;
        }
        Ok(())
    }
}

/// Number of resources that are paused, counted when asked.
///
/// A family of its own: `faciliauto_resources` counts each resource once, by its Ready condition, and a
/// paused one may be Ready or not. None where nothing is said.
pub struct PausedResources<F>(pub F);

impl<F> fmt::Debug for PausedResources<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PausedResources")
    }
}

impl<F> Collector for PausedResources<F>
where
    F: Fn() -> Option<i64> + Send + Sync + 'static,
{
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(count) = (self.0)() else {
            return Ok(());
        };
        let count = ConstGauge::new(count);
        count.encode(encoder.encode_descriptor(
            "faciliauto_paused_resources",
            "Resources that are left as they are because spec.paused is true",
            None,
            count.metric_type(),
        )?)
    }
}

/// When one resource's backups were made and have to be made, in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupTimes {
    /// The resource's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When the last one that counts was finished.
    pub last_success: Option<i64>,
    /// When one was last proven.
    pub last_verified: Option<i64>,
    /// Until when the next has to be there.
    pub due: Option<i64>,
    /// Until when the next proof has to be there.
    pub verification_due: Option<i64>,
    /// When one last failed that none has made good.
    pub last_failure: Option<i64>,
}

impl BackupTimes {
    /// As the status of a resource tells them.
    pub fn of(resource: &FaciliAutoDeployment) -> Self {
        let status = resource.status.as_ref();
        let status = status
            .and_then(|status| status.backup.clone())
            .unwrap_or_default();
        let due = deadlines(resource, &status);
        let seconds = |time: Time| time.0.as_second();
        Self {
            namespace: resource.namespace().unwrap_or_default(),
            name: resource.name_any(),
            last_success: status.last_success_time.map(seconds),
            last_verified: status.last_verified_time.map(seconds),
            due: due.backup.map(Timestamp::as_second),
            verification_due: due.proof.map(Timestamp::as_second),
            last_failure: status.last_failure.map(|failure| seconds(failure.time)),
        }
    }
}

/// The backups of every resource, looked up when asked. None where nothing is said.
///
/// Ages would go on growing while the operator is away and its last value is remembered; moments do not.
pub struct Backups<F>(pub F);

impl<F> fmt::Debug for Backups<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Backups")
    }
}

/// A family: its name, its help, and which time it is of.
type BackupFamily = (&'static str, &'static str, fn(&BackupTimes) -> Option<i64>);

const BACKUP_FAMILIES: [BackupFamily; 5] = [
    (
        "faciliauto_backup_last_success_timestamp",
        "When the last backup that counts was finished",
        |times| times.last_success,
    ),
    (
        "faciliauto_backup_last_verified_timestamp",
        "When a backup was last proven by restoring it aside",
        |times| times.last_verified,
    ),
    (
        "faciliauto_backup_due_timestamp",
        "Until when the next backup has to be there, by the schedule",
        |times| times.due,
    ),
    (
        "faciliauto_backup_verification_due_timestamp",
        "Until when the next proof of a backup has to be there, by the schedule",
        |times| times.verification_due,
    ),
    (
        "faciliauto_backup_last_failure_timestamp",
        "When a backup last failed; absent once one has counted since",
        |times| times.last_failure,
    ),
];

impl<F> Collector for Backups<F>
where
    F: Fn() -> Vec<BackupTimes> + Send + Sync + 'static,
{
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let all = (self.0)();
        for (name, help, time) in BACKUP_FAMILIES {
            let mut family = encoder.encode_descriptor(
                name,
                help,
                Some(&Unit::Seconds),
                prometheus_client::metrics::MetricType::Gauge,
            )?;
            for times in &all {
                let Some(time) = time(times) else {
                    continue;
                };
                let labels = [
                    ("namespace", times.namespace.as_str()),
                    ("name", times.name.as_str()),
                ];
                ConstGauge::new(time).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// `process_*`, read from /proc when asked.
#[derive(Debug)]
struct Process {
    started: f64,
}

/// Clock ticks a second in /proc/self/stat: fixed in Linux's interface to user space.
const TICKS: f64 = 100.0;
/// Bytes of a page on the platforms that images are built for.
const PAGE: i64 = 4096;

impl Process {
    fn started_now() -> Self {
        Self {
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64(),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
            return Ok(());
        };
        // After the name in parentheses, which may hold spaces: state is 0, utime 11, stime 12, rss 21.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let number = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<i64>().ok())
                .unwrap_or_default()
        };
        #[allow(clippy::cast_precision_loss)] // ticks of a process stay far below 2^52
        let cpu = ConstCounter::new((number(11) + number(12)) as f64 / TICKS);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "CPU time used",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?)?;
        let memory = ConstGauge::new(number(21) * PAGE);
        memory.encode(encoder.encode_descriptor(
            "process_resident_memory",
            "Memory in use",
            Some(&Unit::Bytes),
            memory.metric_type(),
        )?)?;
        let files = std::fs::read_dir("/proc/self/fd")
            .map(Iterator::count)
            .unwrap_or_default();
        let files = ConstGauge::new(i64::try_from(files).unwrap_or(i64::MAX));
        files.encode(encoder.encode_descriptor(
            "process_open_fds",
            "Open files",
            None,
            files.metric_type(),
        )?)?;
        let started = ConstGauge::new(self.started);
        started.encode(encoder.encode_descriptor(
            "process_start_time",
            "When the process started",
            Some(&Unit::Seconds),
            started.metric_type(),
        )?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Prevents: a backup that failed of which no alert can be written, and one that is told of when all is well again.
    #[test]
    fn times_of_backups_are_those_of_the_status() {
        let resource = |name: &str, backup: Value| -> FaciliAutoDeployment {
            serde_json::from_value(json!({
                "apiVersion": "faciliauto.com/v1alpha1", "kind": "FaciliAutoDeployment",
                "metadata": {"name": name, "namespace": "lojas"},
                "spec": {"backup": {"timeZone": "UTC"}}, "status": {"backup": backup},
            }))
            .expect("a resource")
        };
        let failed = resource(
            "ensaio",
            json!({
                "lastSuccessTime": "1970-01-02T02:00:01Z", "lastVerifiedTime": "1970-01-02T02:00:02Z",
                "lastFailure": {"time": "1970-01-03T02:00:03Z", "code": "full-target", "message": "It is full."},
            }),
        );
        let well = resource("producao", json!({"lastSuccessTime": "1970-01-02T02:00:04Z"}));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Backups(move || {
            [&failed, &well].map(BackupTimes::of).to_vec()
        })));
        let page = exposition(&registry).expect("a page");
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let [failed, well] =
            ["ensaio", "producao"].map(|name| format!("{{namespace=\"lojas\",name=\"{name}\"}}"));
        let expected = [
            format!("faciliauto_backup_last_success_timestamp_seconds{failed} 93601"),
            format!("faciliauto_backup_last_success_timestamp_seconds{well} 93604"),
            format!("faciliauto_backup_last_verified_timestamp_seconds{failed} 93602"),
            format!("faciliauto_backup_due_timestamp_seconds{failed} 187200"),
            format!("faciliauto_backup_due_timestamp_seconds{well} 187200"),
            format!("faciliauto_backup_verification_due_timestamp_seconds{failed} 223200"),
            format!("faciliauto_backup_last_failure_timestamp_seconds{failed} 180003"),
        ];
        assert_eq!(samples, expected);
    }
}
