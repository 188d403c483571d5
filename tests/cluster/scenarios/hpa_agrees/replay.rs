//! The simulator plays each HPA from what its controller read, and must come to the same counts.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use foresail::simulate::hpa::metric::Reading;
use foresail::simulate::hpa::{ControllerSettings, Decision, Hpa, Limit, Observation, Reason};
use jiff::Timestamp;

use super::api::Read;
use super::audit::Sync;
use super::plan::Plan;
use crate::bed::control_plane::DOWNSCALE_STABILIZATION;

/// Where the simulator's time starts, so that there is time before the first sync.
const BEFORE: Duration = Duration::from_secs(3_600);

/// How near in time another sync tells how long one took that wrote nothing.
const NEIGHBOURHOOD: Duration = Duration::from_secs(1);
/// No sync is thought to be quicker than this.
const QUICK: Duration = Duration::from_millis(20);

/// What was compared.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Those that were compared to the end.
    pub(super) histories: usize,
    pub(super) syncs: usize,
    /// Syncs that changed the count: up, down.
    pub(super) up: usize,
    pub(super) down: usize,
    /// Syncs in which at least one metric had no value.
    pub(super) failed: usize,
    /// Syncs that asked for no metric.
    pub(super) unasked: usize,
    /// Syncs in which a limit bound.
    pub(super) limited: usize,
    /// Syncs that stabilisation held back.
    pub(super) stabilized: usize,
    /// Syncs that a target was at zero replicas.
    pub(super) at_zero: usize,
    /// From an answer to the controller's last write of the same sync, the longest.
    pub(super) slowest: Duration,
}

/// When the controller's clock was read in one sync.
#[derive(Clone, Copy)]
struct Span {
    /// Not before this.
    from: Duration,
    /// For its arithmetic not after this.
    computed: Duration,
    /// And for what it notes not after this.
    noted: Duration,
}

/// How a comparison ended.
pub(super) enum End {
    /// Alike to the last sync.
    Alike,
    /// Alike up to a sync of which not all is known: it took so long that nobody can say on which side
    /// of a window's end the controller's clock was, and that decides; or the controller did not yet
    /// know that it was the one who had scaled to zero.
    Undecided(String),
    /// Not alike.
    Differs(String),
}

/// Plays one HPA.
pub(super) struct Replay<'a> {
    plan: &'a Plan,
    log: &'a Log<'a>,
    /// Each sync at the first time that it can have had.
    hpa: Hpa,
    /// Each sync at the last one.
    late: Hpa,
    /// What the HPA's status says.
    desired: Option<i32>,
    lines: Vec<String>,
    pub(super) compared: Compared,
}

/// What was written down while the HPAs were watched.
pub(super) struct Log<'a> {
    reads: &'a BTreeMap<String, Read>,
    start: Timestamp,
    /// When a sync that wrote something got its last answer, and how long after that it wrote.
    took: Vec<(Timestamp, Duration)>,
}

impl<'a> Log<'a> {
    pub(super) fn new(reads: &'a BTreeMap<String, Read>, syncs: &[&Sync]) -> Self {
        let start = syncs.iter().map(|sync| sync.began).min().expect("no sync at all");
        let took = syncs.iter().filter_map(|sync| {
            let answered = reads.get(sync.asked.last()?)?.answered;
            Some((answered, sync.wrote?.duration_since(answered).unsigned_abs()))
        });
        Self { reads, start, took: took.collect() }
    }

    /// How long the syncs around this time took from their last answer to their last write.
    fn took_around(&self, at: Timestamp) -> Duration {
        let near =
            |it: &&(Timestamp, Duration)| it.0.duration_since(at).unsigned_abs() < NEIGHBOURHOOD;
        let longest = self.took.iter().filter(near).map(|(_, took)| *took).max();
        longest.unwrap_or_default().max(QUICK)
    }

    fn time(&self, at: Timestamp) -> Duration {
        BEFORE.saturating_add(at.duration_since(self.start).try_into().unwrap())
    }
}

impl<'a> Replay<'a> {
    pub(super) fn new(plan: &'a Plan, log: &'a Log<'a>) -> Self {
        let settings = ControllerSettings {
            downscale_stabilization: DOWNSCALE_STABILIZATION,
            ..ControllerSettings::default()
        };
        let hpa = Hpa::with_settings(plan.spec.clone(), settings).unwrap();
        let (late, compared) = (hpa.clone(), Compared::default());
        Self { plan, log, hpa, late, desired: None, lines: Vec::new(), compared }
    }

    /// Plays all syncs; what differs is shown with what was before it.
    pub(super) fn run(&mut self, syncs: &[Sync]) -> End {
        for sync in syncs {
            match self.sync(sync) {
                End::Alike => {}
                End::Undecided(what) => return End::Undecided(self.shown(&what)),
                End::Differs(what) => return End::Differs(self.shown(&what)),
            }
        }
        End::Alike
    }

    fn shown(&self, what: &str) -> String {
        let spec = self.plan.hpa()["spec"].to_string();
        let from = self.lines.len().saturating_sub(25);
        format!("{}: {what}\n  {spec}\n  {}", self.plan.name, self.lines[from..].join("\n  "))
    }

    fn sync(&mut self, sync: &Sync) -> End {
        let reads: Option<Vec<&Read>> =
            sync.asked.iter().map(|id| self.log.reads.get(id)).collect();
        let Some(reads) = reads else {
            return End::Differs("a request for a metric did not reach the test".to_owned());
        };
        let readings: Vec<Reading> = reads.iter().map(|read| read.reading.clone()).collect();
        let observation = Observation {
            spec_replicas: sync.spec_replicas,
            status_replicas: sync.status_replicas,
            pods: reads.last().map_or(&[], |read| &read.pods),
            readings: &readings,
        };
        let span = self.span(sync, &reads);
        let Span { from, computed, noted } = span;
        // What is remembered as young as it can be, and as old as it can be.
        let youngest = self.late.clone().sync(from, &observation);
        let oldest = self.hpa.clone().sync(computed, &observation);
        let decision = self.hpa.sync(from, &observation);
        self.late.sync(noted, &observation);
        self.lines.push(line(sync, span, &observation, &decision));
        if youngest != decision || oldest != decision {
            let what = "when this sync or one before it read the clock is not known well enough";
            return End::Undecided(what.to_owned());
        }
        if sync.outdated && (sync.spec_replicas == 0 || decision.replicas == 0) {
            let what = "at zero the controller worked with an HPA older than its own last write";
            return End::Undecided(what.to_owned());
        }
        self.compared.count(sync, noted - from, &decision);
        let places: Vec<usize> = reads.iter().map(|read| read.place).collect();
        match self.compare(sync, &places, &decision) {
            Ok(()) => End::Alike,
            Err(what) => End::Differs(what),
        }
    }

    fn compare(
        &mut self,
        sync: &Sync,
        places: &[usize],
        decision: &Decision,
    ) -> Result<(), String> {
        let asks = matches!(decision.reason, Reason::Computed(_) | Reason::MetricsFailed);
        let metrics = if asks { self.plan.spec.metrics.len() } else { 0 };
        same("metrics asked for", places, &(0..metrics).collect::<Vec<_>>())?;
        same(
            "replicas of the target",
            sync.written.unwrap_or(sync.spec_replicas),
            decision.replicas,
        )?;
        if sync.outdated {
            return Ok(());
        }
        // A sync without a proposal leaves the count that its status shows.
        let expected = match decision.reason {
            Reason::MetricsFailed => self.desired.unwrap_or(0),
            _ => decision.replicas,
        };
        if let Some(shown) = &sync.shown {
            self.desired = Some(shown.desired_replicas);
            same("status.currentReplicas", shown.current_replicas, sync.spec_replicas)?;
            if let Reason::Computed(limit) = decision.reason {
                let reason = shown.limited.as_deref();
                same("reason of ScalingLimited", reason, Some(name(limit)))?;
            }
        }
        same("status.desiredReplicas", self.desired.unwrap_or(0), expected)
    }

    /// Between the last answer and the last write; where nothing was written, as long as the syncs
    /// around it took.
    fn span(&self, sync: &Sync, reads: &[&Read]) -> Span {
        let answered = match reads.last() {
            // At its first sync the controller notes the count before it asks.
            Some(read) if !self.lines.is_empty() => read.answered,
            _ => sync.began,
        };
        let from = self.log.time(answered);
        let until = |at: Option<Timestamp>| match at {
            Some(at) => self.log.time(at),
            None => from + self.log.took_around(answered),
        };
        Span { from, computed: until(sync.computed), noted: until(sync.wrote) }
    }
}

impl Compared {
    fn count(&mut self, sync: &Sync, took: Duration, decision: &Decision) {
        self.syncs += 1;
        self.up += usize::from(decision.replicas > sync.spec_replicas);
        self.down += usize::from(decision.replicas < sync.spec_replicas);
        self.failed += usize::from(!decision.failures.is_empty());
        self.unasked += usize::from(sync.asked.is_empty());
        let limited = matches!(decision.reason, Reason::Computed(limit) if limit != Limit::DesiredWithinRange);
        self.limited += usize::from(limited);
        self.stabilized += usize::from(decision.stabilized != decision.recommendation);
        self.at_zero += usize::from(sync.spec_replicas == 0);
        self.slowest = self.slowest.max(took);
    }

    /// The sum of both.
    pub(super) fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.syncs += other.syncs;
        self.up += other.up;
        self.down += other.down;
        self.failed += other.failed;
        self.unasked += other.unasked;
        self.limited += other.limited;
        self.stabilized += other.stabilized;
        self.at_zero += other.at_zero;
        self.slowest = self.slowest.max(other.slowest);
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, real: T, simulated: T) -> Result<(), String> {
    if real == simulated {
        return Ok(());
    }
    Err(format!("{what}: the controller {real:?}, the simulator {simulated:?}"))
}

fn name(limit: Limit) -> &'static str {
    match limit {
        Limit::DesiredWithinRange => "DesiredWithinRange",
        Limit::TooManyReplicas => "TooManyReplicas",
        Limit::TooFewReplicas => "TooFewReplicas",
        Limit::ScaleUpLimit => "ScaleUpLimit",
        Limit::ScaleDownLimit => "ScaleDownLimit",
    }
}

fn line(sync: &Sync, span: Span, observation: &Observation<'_>, decision: &Decision) -> String {
    let mut line = format!(
        "{:8.3}..{:8.3} spec {} status {}",
        (span.from - BEFORE).as_secs_f64(),
        (span.noted - BEFORE).as_secs_f64(),
        sync.spec_replicas,
        sync.status_replicas
    );
    if !observation.pods.is_empty() {
        let ready = observation.pods.iter().filter(|pod| pod.is_ready()).count();
        write!(line, " ready {ready}/{}", observation.pods.len()).unwrap();
    }
    let shown = sync.shown.as_ref().map(|shown| (shown.desired_replicas, shown.limited.as_deref()));
    write!(
        line,
        " | {:?} | controller wrote {:?} status {shown:?} | simulator {} {:?} of {:?} stabilized {:?}",
        observation.readings,
        sync.written,
        decision.replicas,
        decision.reason,
        decision.recommendation,
        decision.stabilized
    )
    .unwrap();
    line
}
