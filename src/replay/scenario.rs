//! What all ways of publishing that are compared have in common: demand, pods and autoscaler.

use super::load::{Load, Work};
use super::player;
use crate::domain::duration::Shown;
use crate::policy::Policy;
use crate::policy::forecast::{Choice, Forecast};
use crate::simulate::SimulateError;
use crate::simulate::hpa::metric::{MetricSpec, TotalTarget};
use crate::simulate::hpa::{ControllerSettings, HpaSpec};
use crate::simulate::judge::Seen;
use crate::simulate::judge::lead_time::LeadTime;
use std::time::Duration;

/// How many pods the busiest half percent of the time needs where nothing tells a pod's capacity.
pub const PODS_WANTED: f64 = 40.0;
/// And which share of the time needs fewer.
pub const PODS_WANTED_SHARE: f64 = 0.995;
/// Replicas where no HPA names a maximum.
const REPLICAS_MAX_DEFAULT: i32 = 200;
/// The HPA reads thousandths of a metric, so a target of a few of them would be read coarsely.
const TARGET_MILLI_MIN: f64 = 1_000.0;
/// In how much time the policy wants what waits to be worked off.
pub const DRAIN: Duration = Duration::from_secs(60);
/// What waits in a fluid is lost beyond this.
pub const BACKLOG_MAX: Duration = Duration::from_secs(60);

/// A demand, the pods that serve it, the policy and the autoscaler.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The demand.
    pub load: Load,
    /// The policy, as it is replayed.
    pub policy: Policy,
    /// Whether a `rate` step was taken out of it.
    pub had_rate: bool,
    /// The autoscaler.
    pub hpa: HpaSpec,
    /// What it aims at for each pod, in thousandths of the metric.
    pub target_milli: i64,
    /// The controller's flags.
    pub controller: ControllerSettings,
    /// The demand that fills one pod.
    pub capacity: f64,
    /// Where that comes from.
    pub capacity_from: CapacityFrom,
    /// By what the recorded values were multiplied so that the HPA can read them.
    pub scaled_by: f64,
    /// From asking for a pod to its first work, in the mean.
    pub lead_time: Duration,
    /// How far pods are apart in that.
    pub spread: Spread,
    /// Work that waits longer than this is late.
    pub slo: Duration,
    /// How late the signals are known; whole steps.
    pub metric_delay: Duration,
    /// Whether the policy sees the queue that its own decisions make.
    pub feedback: Feedback,
    /// The periods of the score.
    pub score: Score,
}

/// Where the capacity of a pod comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacityFrom {
    /// It was given.
    Given,
    /// `capacity.perPod` of the policy.
    Policy,
    /// The HPA's target.
    Hpa,
    /// A pod serves one request at once.
    OneRequest,
    /// So that the busiest half percent needs forty pods.
    Demand,
}

/// What the policy sees of the simulated queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// Requests: in flight and waiting. A fluid: the newest sample and the backlog, which is to be
    /// worked off within [`DRAIN`].
    Queue,
    /// Nothing: demand alone.
    None,
}

/// Into which periods a run is divided, and which of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// The length of a period, in steps.
    pub period: usize,
    /// The first period that counts; those before are history.
    pub from: usize,
}

/// How far the lead times of pods are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Their standard deviation as a share of their mean; 0 where all pods take the same.
    pub variation: f64,
    /// What decides the draws.
    pub seed: u64,
}

/// What a person may have said; the rest follows from the demand.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The autoscaler, with its target in thousandths.
    pub hpa: Option<(HpaSpec, i64)>,
    /// The demand that fills one pod.
    pub pod_capacity: Option<f64>,
    /// From asking for a pod to its first work, in the mean.
    pub lead_time: Duration,
    /// How far pods are apart in that.
    pub spread: Spread,
    /// Work that waits longer than this is late.
    pub slo: Duration,
    /// From the beginning of the recording on, what is history.
    pub score_from: Option<Duration>,
    /// How late the signals are known.
    pub metric_delay: Duration,
    /// Whether the policy is to see demand alone.
    pub no_feedback: bool,
}

impl Scenario {
    /// Puts together what was said and what follows.
    ///
    /// # Errors
    /// When something lies outside its range.
    pub fn new(mut load: Load, policy: &Policy, wishes: Wishes) -> Result<Self, SimulateError> {
        let Wishes { hpa, pod_capacity, lead_time, spread, slo, .. } = wishes;
        let Wishes { score_from, metric_delay, no_feedback, .. } = wishes;
        let own = policy.capacity.per_pod.map(|it| it.get());
        let of_hpa = hpa.as_ref().map(|(_, target)| *target as f64 / 1e3);
        let is_requests = matches!(load.work, Work::Requests { .. });
        let choices = [
            (pod_capacity, CapacityFrom::Given),
            (own, CapacityFrom::Policy),
            (of_hpa, CapacityFrom::Hpa),
            (is_requests.then_some(1.0), CapacityFrom::OneRequest),
        ];
        let known = choices.into_iter().find_map(|(capacity, from)| Some((capacity?, from)));
        let mut scaled_by = 1.0;
        let (capacity, capacity_from) = match known {
            Some((capacity, from)) if is_requests => (capacity.ceil(), from),
            Some(known) => known,
            None => {
                let milli = load.quantile(PODS_WANTED_SHARE) / PODS_WANTED * 1e3;
                while milli > 0.0 && milli * scaled_by < TARGET_MILLI_MIN && scaled_by < 1e12 {
                    scaled_by *= 10.0;
                }
                load.scale(scaled_by);
                (greater((milli * scaled_by).round(), 1.0) / 1e3, CapacityFrom::Demand)
            }
        };
        if !(capacity.is_finite() && capacity > 0.0) {
            let (setting, value) = ("pod capacity", capacity.to_string());
            let allowed = "a number, more than 0";
            return Err(SimulateError::OutOfRange { setting, value, allowed });
        }
        let (hpa, target_milli) = hpa.unwrap_or_else(|| plain_hpa(milli_of(capacity)));
        let (policy, had_rate) = player::prepared(policy, lead_time);
        let score = Score::of(&load, score_from)?;
        Ok(Self {
            load,
            policy,
            had_rate,
            hpa,
            target_milli,
            controller: ControllerSettings::default(),
            capacity,
            capacity_from,
            scaled_by,
            lead_time,
            spread,
            slo,
            metric_delay,
            feedback: if no_feedback { Feedback::None } else { Feedback::Queue },
            score,
        })
    }

    /// What the policy's combined signals are at the beginning of a step.
    #[must_use]
    pub fn observed(&self, step: usize, seen: &Seen) -> f64 {
        match (&self.load.work, self.feedback) {
            (_, Feedback::None) => self.undisturbed(step),
            (Work::Requests { .. }, Feedback::Queue) => seen.in_service + seen.waiting,
            (Work::Samples { .. }, Feedback::Queue) => {
                self.undisturbed(step) + seen.backlog / DRAIN.as_secs_f64()
            }
        }
    }

    /// What they are where nothing ever waits.
    #[must_use]
    pub fn undisturbed(&self, step: usize) -> f64 {
        let known = match &self.load.work {
            // The mean of a step is known when it is over.
            Work::Requests { offered, .. } => {
                step.checked_sub(1).and_then(|it| offered.mean.get(it))
            }
            Work::Samples { newest, .. } => newest.get(step),
        };
        known.copied().unwrap_or(0.0)
    }

    /// The lead times of pods.
    #[must_use]
    pub fn lead_times(&self) -> LeadTime {
        let Spread { variation, seed } = self.spread;
        match self.lead_time {
            mean if variation > 0.0 => LeadTime::Lognormal { mean, variation, seed },
            fixed => LeadTime::Fixed(fixed),
        }
    }

    /// The forecast's settings, where the policy leaves it to Foresail which one to use.
    #[must_use]
    pub fn left_to_auto(&self) -> Option<&Forecast> {
        self.policy.forecast.as_ref().filter(|it| it.model == Choice::Auto)
    }

    /// How many requests a pod serves at once.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number, more than 0; the conversion saturates"
    )]
    pub fn concurrency(&self) -> u32 {
        self.capacity as u32
    }
}

impl Score {
    /// Days for a recording of two days and more, else hours, else minutes; what counts begins
    /// after seven days or half of the recording, whichever is less, at the beginning of a period.
    fn of(load: &Load, from: Option<Duration>) -> Result<Self, SimulateError> {
        let steps = load.end - load.first;
        let step = load.step.as_secs_f64();
        let span = steps as f64 * step;
        let lengths = [(86_400.0, 2.0), (3_600.0, 4.0), (60.0, 0.0)];
        let fits = |(length, least): (f64, f64)| (span >= length * least).then_some(length);
        let length = lengths.into_iter().find_map(fits).unwrap_or(60.0);
        let period = place(length / step).max(1);
        let wanted = match from {
            Some(from) => place(from.as_secs_f64() / step),
            None => (steps / 2).min(place(7.0 * 86_400.0 / step)),
        };
        let begin = load.first.saturating_add(wanted);
        let from = begin.div_ceil(period);
        if from.saturating_mul(period) >= load.end {
            let (setting, allowed) = ("score-from", "less than the recording's length");
            let value = Shown(Duration::from_secs_f64(wanted as f64 * step)).to_string();
            return Err(SimulateError::OutOfRange { setting, value, allowed });
        }
        Ok(Self { period, from })
    }

    /// The first step that counts.
    #[must_use]
    pub fn first_step(&self) -> usize {
        self.from * self.period
    }
}

/// An autoscaler with the API server's defaults.
fn plain_hpa(target_milli: i64) -> (HpaSpec, i64) {
    let hpa = HpaSpec {
        min_replicas: Some(1),
        max_replicas: REPLICAS_MAX_DEFAULT,
        metrics: vec![MetricSpec::External { target: TotalTarget::AverageValue(target_milli) }],
        behavior: None,
    };
    (hpa, target_milli)
}

fn greater(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates at both ends, and no length is negative"
)]
fn place(number: f64) -> usize {
    number as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the conversion saturates")]
fn milli_of(value: f64) -> i64 {
    (value * 1e3).round() as i64
}
