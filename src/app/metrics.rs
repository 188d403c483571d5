//! What the tick, the sources and the configuration count, for `/metrics`.

pub(crate) mod backfill;

use crate::app::policies::Verdicts;
use crate::domain::name::{PolicyKey, SourceName};
use crate::domain::policy_object::PolicyKind;
use crate::pipeline::outcome::{Outcome, Standing};
use crate::policy::{Config, Policy};
use crate::source::Reason;
use backfill::BackfillMetrics;
use jiff::SignedDuration;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Number = Gauge<f64, AtomicU64>;
type MakeHistogram = fn() -> Histogram;

/// Seconds from a grid instant to its published value, and of one read: from a millisecond to
/// the tick's deadline.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0];

/// Every metric of this room. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    tick: TickMetrics,
    backfill: BackfillMetrics,
    reads: Family<ReadLabels, Counter>,
    read_seconds: Family<SourceLabels, Histogram, MakeHistogram>,
    untold_ages: Family<SourceLabels, Counter>,
    loads: Family<LoadLabels, Counter>,
    faults: Gauge,
    policies: Family<OriginLabels, Gauge>,
}

/// What the tick counts.
#[derive(Clone, Debug)]
pub(crate) struct TickMetrics {
    ready: Family<PolicyLabels, Gauge>,
    values: Family<PolicyLabels, Gauge>,
    value: Family<PolicyLabels, Number>,
    sample_time: Family<PolicyLabels, Number>,
    pod_capacity: Family<PolicyLabels, Number>,
    evaluations: Family<EvaluationLabels, Counter>,
    evicted: Counter,
    samples: Gauge,
    delay_seconds: Histogram,
    /// The policies that have metrics.
    known: Arc<Mutex<BTreeSet<PolicyKey>>>,
}

/// What one source counts.
#[derive(Clone, Debug)]
pub(crate) struct SourceMetrics {
    source: String,
    reads: Family<ReadLabels, Counter>,
    seconds: Histogram,
    untold_ages: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    namespace: String,
    policy: String,
}

impl From<&PolicyKey> for PolicyLabels {
    fn from(key: &PolicyKey) -> Self {
        Self { namespace: key.namespace.to_string(), policy: key.name.to_string() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EvaluationLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    source: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OriginLabels {
    origin: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabels {
    result: &'static str,
}

impl Metrics {
    /// Makes the metrics and puts them into `registry`, whose prefix is `foresail`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let histogram: MakeHistogram = || Histogram::new(SECONDS);
        let metrics = Self {
            tick: TickMetrics::register(registry),
            backfill: BackfillMetrics::register(registry),
            reads: Family::default(),
            read_seconds: Family::new_with_constructor(histogram),
            untold_ages: Family::default(),
            loads: Family::default(),
            faults: Gauge::default(),
            policies: Family::default(),
        };
        registry.register("source_reads", "Reads of a source by result", metrics.reads.clone());
        registry.register_with_unit(
            "source_read_duration",
            "How long a read of a source took",
            Unit::Seconds,
            metrics.read_seconds.clone(),
        );
        let help = "Answers of a source that did not tell how old their samples are";
        registry.register("source_untold_ages", help, metrics.untold_ages.clone());
        let help = "Times the configuration was loaded or refused";
        registry.register("config_loads", help, metrics.loads.clone());
        let help = "Faults in the configuration that is in use";
        registry.register("config_faults", help, metrics.faults.clone());
        let help = "Policies that run and that are refused, by where they come from";
        registry.register("policies", help, metrics.policies.clone());
        metrics
    }

    pub(crate) fn tick(&self) -> TickMetrics {
        self.tick.clone()
    }

    pub(crate) fn backfill(&self) -> BackfillMetrics {
        self.backfill.clone()
    }

    pub(crate) fn source(&self, name: &SourceName) -> SourceMetrics {
        let labels = SourceLabels { source: name.to_string() };
        let seconds = self.read_seconds.get_or_create(&labels).clone();
        let untold_ages = self.untold_ages.get_or_create(&labels).clone();
        SourceMetrics { source: labels.source, reads: self.reads.clone(), seconds, untold_ages }
    }

    pub(crate) fn config_loaded(&self, config: &Config) {
        self.loads.get_or_create(&LoadLabels { result: "loaded" }).inc();
        self.faults.set(i64::try_from(config.faults.len()).unwrap_or(i64::MAX));
        self.count("file", config.policies.len(), config.broken.len());
    }

    /// The objects of the cluster were taken over.
    pub(crate) fn joined(&self, verdicts: &Verdicts) {
        for kind in PolicyKind::ALL {
            let own = || verdicts.iter().filter(|(id, _)| id.kind == kind).map(|(_, it)| it);
            let running = own().filter(|it| it.running.is_some()).count();
            self.count(kind.kind(), running, own().filter(|it| it.refused.is_some()).count());
        }
    }

    /// A policy that was refused after an edit may run as it was before.
    fn count(&self, origin: &'static str, running: usize, refused: usize) {
        for (state, count) in [("running", running), ("refused", refused)] {
            let labels = OriginLabels { origin, state };
            self.policies.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// The file could not be read.
    pub(crate) fn config_unreadable(&self) {
        self.loads.get_or_create(&LoadLabels { result: "unreadable" }).inc();
    }

    /// The file cannot be used as a whole.
    pub(crate) fn config_refused(&self) {
        self.loads.get_or_create(&LoadLabels { result: "refused" }).inc();
    }
}

impl TickMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            ready: Family::default(),
            values: Family::default(),
            value: Family::default(),
            sample_time: Family::default(),
            pod_capacity: Family::default(),
            evaluations: Family::default(),
            evicted: Counter::default(),
            samples: Gauge::default(),
            delay_seconds: Histogram::new(SECONDS),
            known: Arc::default(),
        };
        let help = "Whether a policy publishes a value (1) or not (0)";
        registry.register("policy_ready", help, metrics.ready.clone());
        let help = "How many values a policy publishes";
        registry.register("policy_values", help, metrics.values.clone());
        let help = "The published value of a policy with one value";
        registry.register("policy_value", help, metrics.value.clone());
        registry.register_with_unit(
            "policy_sample_timestamp",
            "The time of the oldest sample behind the published values of a policy",
            Unit::Seconds,
            metrics.sample_time.clone(),
        );
        let help = "What one pod serves when it is full, in the unit of a policy's signals";
        registry.register("policy_pod_capacity", help, metrics.pod_capacity.clone());
        let help = "Evaluations by what they came to";
        registry.register("evaluations", help, metrics.evaluations.clone());
        let help = "Objects forgotten because a policy had too many";
        registry.register("evicted_objects", help, metrics.evicted.clone());
        registry.register("samples", "Samples held", metrics.samples.clone());
        registry.register_with_unit(
            "evaluation_delay",
            "From the grid instant of an evaluation to its value",
            Unit::Seconds,
            metrics.delay_seconds.clone(),
        );
        metrics
    }

    /// Forgets the policies that are gone or changed, and marks those that publish nothing yet.
    pub(crate) fn configure(&self, config: &Config, begun: &BTreeSet<PolicyKey>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = config.broken.iter().filter_map(|it| it.key.as_ref());
        let good = config.policies.iter().map(|it| &it.key);
        let wanted: BTreeSet<PolicyKey> = good.chain(broken).cloned().collect();
        for key in known.difference(&wanted).chain(begun) {
            let labels = PolicyLabels::from(key);
            self.ready.remove(&labels);
            self.values.remove(&labels);
            self.value.remove(&labels);
            self.sample_time.remove(&labels);
            self.pod_capacity.remove(&labels);
        }
        for key in &wanted {
            // A policy without a value yet counts as one without; one with keeps what it has.
            drop(self.ready.get_or_create(&PolicyLabels::from(key)));
        }
        *known = wanted;
    }

    pub(crate) fn observe(&self, policy: &Policy, outcome: &Outcome, delay: SignedDuration) {
        let labels = PolicyLabels::from(&policy.key);
        let count = i64::try_from(outcome.values.len()).unwrap_or(i64::MAX);
        self.ready.get_or_create(&labels).set(i64::from(count > 0));
        self.values.get_or_create(&labels).set(count);
        match outcome.values.as_slice() {
            [(_, only)] => {
                self.value.get_or_create(&labels).set(only.value.get());
            }
            _ => {
                self.value.remove(&labels);
            }
        }
        match outcome.values.iter().map(|(_, value)| value.at).min() {
            Some(oldest) => {
                let seconds = oldest.duration_since(jiff::Timestamp::UNIX_EPOCH).as_secs_f64();
                self.sample_time.get_or_create(&labels).set(seconds);
            }
            None => {
                self.sample_time.remove(&labels);
            }
        }
        match outcome.pod_capacity {
            Some(capacity) => {
                self.pod_capacity.get_or_create(&labels).set(capacity.value.get());
            }
            None => {
                self.pod_capacity.remove(&labels);
            }
        }
        let is_fresh = outcome.values.iter().any(|(_, it)| it.standing == Standing::Fresh);
        let result = match (is_fresh, count > 0) {
            (true, _) => "fresh",
            (false, true) => "held",
            (false, false) => "absent",
        };
        self.evaluations.get_or_create(&EvaluationLabels { result }).inc();
        self.evicted.inc_by(u64::try_from(outcome.evicted).unwrap_or(u64::MAX));
        self.delay_seconds.observe(delay.as_secs_f64());
    }

    /// Notes how many samples are held.
    pub(crate) fn hold(&self, samples: usize) {
        self.samples.set(i64::try_from(samples).unwrap_or(i64::MAX));
    }
}

impl SourceMetrics {
    /// Counts one read; `failed` is `None` for a good one.
    pub(crate) fn observe(&self, took: Duration, failed: Option<Reason>) {
        let result = failed.map_or("ok", Reason::label);
        let labels = ReadLabels { source: self.source.clone(), result };
        self.reads.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts answers that did not tell how old their samples are.
    pub(crate) fn ages_untold(&self, count: u64) {
        self.untold_ages.inc_by(count);
    }
}
