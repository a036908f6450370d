//! What is measured. Names are a contract with dashboards and alerts; labels are bounded: route patterns,
//! never paths. The registry is owned and handed in, so that two applications in one process do not meet.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use faciliauto_engine::questionnaire::Usage;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::{catalogue::Showroom, clock::Clock, limits::Class, response_cache::Miss};

/// `Content-Type` of [`render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// 0.5 s is the latency objective and 1 s the alert: both must be bounds.
const REQUEST_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// The engine alone: from microseconds at a few hundred cars to tens of milliseconds at a million.
const RECOMMENDATION_BUCKETS: [f64; 10] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0,
];

const SCORE_BUCKETS: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Linux counts processor time in hundredths of a second on every platform that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Cow<'static, str>,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: Cow<'static, str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct UsageLabels {
    usage: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CauseLabels {
    cause: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MissLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ImportLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DeciderLabels {
    decider: &'static str,
}

/// What became of a stock that the store announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportResult {
    /// It is served.
    Applied,
    /// It makes no catalogue.
    Refused,
    /// It cannot be read.
    Unreadable,
}

impl ImportResult {
    const ALL: [Self; 3] = [Self::Applied, Self::Refused, Self::Unreadable];

    const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Everything that code counts. Cloning shares the counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Requests that have no answer yet.
    pub requests_in_flight: Gauge,
    recommendations: Family<UsageLabels, Counter>,
    recommendation_duration: Histogram,
    recommendation_match_score: Histogram,
    recommendations_empty: Family<CauseLabels, Counter>,
    cache_hits: Counter,
    cache_misses: Family<MissLabels, Counter>,
    stock_imports: Family<ImportLabels, Counter>,
    rate_limited: Family<ClassLabels, Counter>,
    rate_limit_decisions: Family<DeciderLabels, Counter>,
}

impl Metrics {
    /// Registers all names.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            request_duration: Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS)),
            requests_in_flight: Gauge::default(),
            recommendations: Family::default(),
            recommendation_duration: Histogram::new(RECOMMENDATION_BUCKETS),
            recommendation_match_score: Histogram::new(SCORE_BUCKETS),
            recommendations_empty: Family::default(),
            cache_hits: Counter::default(),
            cache_misses: Family::default(),
            stock_imports: Family::default(),
            rate_limited: Family::default(),
            rate_limit_decisions: Family::default(),
        };
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            metrics.request_duration.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests that have no answer yet",
            metrics.requests_in_flight.clone(),
        );
        registry.register(
            "recommendations",
            "Questionnaires answered",
            metrics.recommendations.clone(),
        );
        registry.register_with_unit(
            "recommendation_duration",
            "Time that the engine takes for a questionnaire",
            Unit::Seconds,
            metrics.recommendation_duration.clone(),
        );
        registry.register(
            "recommendation_match_score",
            "Match of each recommended car, 0 to 1",
            metrics.recommendation_match_score.clone(),
        );
        registry.register(
            "recommendations_empty",
            "Questionnaires that no car matched, by the wish that excluded most",
            metrics.recommendations_empty.clone(),
        );
        registry.register(
            "cache_hits",
            "Questionnaires answered with an answer made before",
            metrics.cache_hits.clone(),
        );
        registry.register(
            "cache_misses",
            "Questionnaires whose answer had to be made, by why it was not there",
            metrics.cache_misses.clone(),
        );
        for miss in Miss::ALL {
            metrics
                .cache_misses
                .get_or_create_owned(&MissLabels { reason: miss.word() });
        }
        registry.register(
            "stock_imports",
            "Stocks that the store announced",
            metrics.stock_imports.clone(),
        );
        registry.register(
            "rate_limited",
            "Requests refused because their address asked too often",
            metrics.rate_limited.clone(),
        );
        registry.register(
            "rate_limit_decisions",
            "Requests counted against a limit, by who decided: a replica alone, or all through Redis",
            metrics.rate_limit_decisions.clone(),
        );
        registry.register(
            "build",
            "The program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(Process));
        // An alert on the first failure needs the zero before it.
        for result in ImportResult::ALL {
            metrics.stock_imports.get_or_create_owned(&ImportLabels {
                result: result.word(),
            });
        }
        for decider in ["local", "redis"] {
            metrics
                .rate_limit_decisions
                .get_or_create_owned(&DeciderLabels { decider });
        }
        for class in Class::ALL {
            metrics
                .rate_limited
                .get_or_create_owned(&ClassLabels { class: class.word() });
        }
        metrics
    }

    /// Registers what is read off the showroom at each scrape. `redis_up` exists only where a Redis is set.
    pub fn register_showroom(registry: &mut Registry, showroom: Arc<Showroom>, clock: Clock, shared: bool) {
        registry.register_collector(Box::new(ShowroomCollector {
            showroom,
            clock,
            shared,
        }));
    }

    /// Counts an answered request.
    pub fn request(&self, method: &'static str, route: Cow<'static, str>, status: u16, took: Duration) {
        self.request_duration
            .get_or_create_owned(&RouteLabels {
                method,
                route: route.clone(),
            })
            .observe(took.as_secs_f64());
        self.requests
            .get_or_create_owned(&RequestLabels {
                method,
                route,
                status,
            })
            .inc();
    }

    /// Counts a request that was refused because its address asked too often.
    pub(crate) fn limited(&self, class: Class) {
        self.rate_limited
            .get_or_create_owned(&ClassLabels { class: class.word() })
            .inc();
    }

    /// Counts a decision about a limit, by a word for who made it.
    pub(crate) fn limit_decided(&self, decider: &'static str) {
        self.rate_limit_decisions
            .get_or_create_owned(&DeciderLabels { decider })
            .inc();
    }

    /// Counts how long the engine took for a questionnaire.
    pub fn recommendation_made(&self, took: Duration) {
        self.recommendation_duration.observe(took.as_secs_f64());
    }

    /// Counts whether an answer was there already.
    pub(crate) fn cached(&self, found: Result<(), Miss>) {
        match found {
            Ok(()) => self.cache_hits.inc(),
            Err(miss) => self
                .cache_misses
                .get_or_create_owned(&MissLabels { reason: miss.word() })
                .inc(),
        };
    }

    /// Counts an answered questionnaire, with the match of each car in thousandths.
    pub fn recommendation(&self, usage: Usage, matches: impl Iterator<Item = u16>) {
        self.recommendations
            .get_or_create_owned(&UsageLabels { usage: usage.word() })
            .inc();
        for tenths in matches {
            self.recommendation_match_score
                .observe(f64::from(tenths) / 1000.0);
        }
    }

    /// Counts a questionnaire that no car matched. `cause` is a word of the closed list of filters.
    pub fn empty_recommendation(&self, cause: String) {
        self.recommendations_empty
            .get_or_create_owned(&CauseLabels { cause })
            .inc();
    }

    /// Counts a stock that the store announced.
    pub fn import(&self, result: ImportResult) {
        let result = match result {
            ImportResult::Applied => "applied",
            ImportResult::Refused => "refused",
            ImportResult::Unreadable => "unreadable",
        };
        self.stock_imports
            .get_or_create_owned(&ImportLabels { result })
            .inc();
    }
}

/// All metrics in the OpenMetrics text format.
///
/// # Errors
/// Never for a text in memory; the format's own signature has it.
pub fn render(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)?;
    Ok(text)
}

#[derive(Debug)]
struct ShowroomCollector {
    showroom: Arc<Showroom>,
    clock: Clock,
    shared: bool,
}

impl Collector for ShowroomCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let served = self.showroom.served();
        let count = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        let cars = count(served.as_ref().map_or(0, |served| served.catalogue.len()));
        cars.encode(encoder.encode_descriptor(
            "cars_total",
            "Cars in the catalogue in memory",
            None,
            cars.metric_type(),
        )?)?;
        let bare = count(served.as_ref().map_or(0, |served| served.without_image));
        bare.encode(encoder.encode_descriptor(
            "cars_without_image",
            "Cars in the catalogue in memory that have no picture",
            None,
            bare.metric_type(),
        )?)?;
        if let Some(served) = served {
            let age = self
                .clock
                .now()
                .duration_since(served.head.changed_at)
                .as_secs_f64()
                .max(0.0);
            let age = ConstGauge::new(age);
            age.encode(encoder.encode_descriptor(
                "catalog_age",
                "Time since the stock in memory was changed",
                Some(&Unit::Seconds),
                age.metric_type(),
            )?)?;
        }
        if self.shared {
            let up = ConstGauge::new(i64::from(self.showroom.store().answers()));
            up.encode(encoder.encode_descriptor(
                "redis_up",
                "Whether the store answered when it was last asked",
                None,
                up.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

/// `process_*` from `/proc`, on systems that have it.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
            return Ok(());
        };
        // The name of the program may hold spaces and brackets: fields count from behind it. Field 0 is the
        // state; 11 and 12 are processor time in user and kernel mode; 19 is the start since boot.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<f64>().ok())
                .unwrap_or_default()
                / TICKS_PER_SECOND
        };
        let cpu = ConstCounter::new(ticks(11) + ticks(12));
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "Processor time in user and kernel mode",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?)?;
        if let Some(boot) = line_value("/proc/stat", "btime ") {
            let start = ConstGauge::new(boot as f64 + ticks(19));
            start.encode(encoder.encode_descriptor(
                "process_start_time",
                "Start of the process, since the Unix epoch",
                Some(&Unit::Seconds),
                start.metric_type(),
            )?)?;
        }
        if let Some(kibibytes) = line_value("/proc/self/status", "VmRSS:") {
            let resident = ConstGauge::<i64>::new(i64::try_from(kibibytes * 1024).unwrap_or(i64::MAX));
            resident.encode(encoder.encode_descriptor(
                "process_resident_memory",
                "Memory that is really there",
                Some(&Unit::Bytes),
                resident.metric_type(),
            )?)?;
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            let open = ConstGauge::<i64>::new(i64::try_from(files.count()).unwrap_or(i64::MAX));
            open.encode(encoder.encode_descriptor(
                "process_open_fds",
                "Open files and sockets",
                None,
                open.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

/// The first number on the line of a `/proc` file that begins with `key`.
fn line_value(path: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
