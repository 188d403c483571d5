//! Writes the trace of an evaluation down, in as little as it takes.

use super::{BAND, Foreseen, Made, Path, Peak, Reading, Trace};
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::domain::supply::Supply;
use crate::forecast::forecaster::Forecast as Answer;
use crate::pipeline::emit::Emission;
use crate::pipeline::forecast::Told;
use crate::pipeline::outcome::{Outcome, Value};
use crate::pipeline::{Memory, Surroundings};
use crate::policy::Policy;
use crate::series::{Samples, Track, Window};
use std::sync::Arc;

/// What an evaluation went by and came to.
pub(in crate::pipeline) struct Seen<'a> {
    pub(in crate::pipeline) window: &'a Window,
    pub(in crate::pipeline) combined: &'a Samples,
    pub(in crate::pipeline) told: Option<Told>,
    pub(in crate::pipeline) emission: Emission,
    pub(in crate::pipeline) outcome: &'a Outcome,
    pub(in crate::pipeline) surroundings: &'a Surroundings,
}

impl Memory {
    /// Writes down what was seen, where traces are kept.
    pub(in crate::pipeline) fn trace(&mut self, policy: &Policy, seen: &Seen<'_>) {
        let Some(mut traces) = self.traces.take() else { return };
        let last = traces.newest().next();
        let objects = shown(policy, &seen.outcome.values);
        let trace = Trace {
            at: seen.surroundings.now,
            since: seen.surroundings.now,
            n_same: 1,
            signals: seen.window.signals.iter().map(reading).collect(),
            paths: objects.into_iter().map(|(it, value)| self.path(seen, it, value)).collect(),
            n_published: seen.outcome.values.len(),
            forecast: seen.told.and_then(|told| self.foreseen(policy, seen, told, last)),
            absent: seen.outcome.absent.clone().map(Box::new),
            supply: supply(seen.surroundings, last),
        };
        traces.push(trace);
        self.traces = Some(traces);
    }

    fn path(&self, seen: &Seen<'_>, object: Option<ObjectName>, value: Option<Value>) -> Path {
        let remembered = self.objects.get(&object);
        let observed = remembered.and_then(|it| it.smoothed);
        let told = seen.told.filter(|_| object.is_none()).map(|it| it.value);
        let demand = observed.map(|it| Sample { value: told.unwrap_or(it.value), ..it });
        Path {
            samples: seen
                .window
                .signals
                .iter()
                .map(|it| it.samples.get(&object).copied())
                .collect(),
            combined: seen.combined.get(&object).copied(),
            steps: remembered.map(|it| it.chain.answers().collect()).unwrap_or_default(),
            observed,
            emitted: demand.and_then(|it| seen.emission.apply(it)).map(|it| it.value),
            published: value.map(|it| (it.value, it.standing)),
            object,
        }
    }

    fn foreseen(
        &self,
        policy: &Policy,
        seen: &Seen<'_>,
        told: Told,
        last: Option<&Arc<Trace>>,
    ) -> Option<Box<Foreseen>> {
        let history = self.history.as_ref()?;
        let made = self.forecast.answer().map(|answer| {
            let at = history.start_of(answer.at + 1);
            let known = last.and_then(|it| it.forecast.as_ref()?.made.as_ref());
            // A forecast serves until the next step is over: its numbers are worked out once.
            known.filter(|it| it.at == at && it.is_of(answer)).map_or_else(
                || {
                    let steps = u32::try_from(self.forecast.horizon()).unwrap_or(u32::MAX);
                    Arc::new(Made {
                        at,
                        horizon: history.step().saturating_mul(steps),
                        peak: answer.peak.as_ref().map(Peak::of),
                        verdict: answer.verdict,
                    })
                },
                Arc::clone,
            )
        });
        let lead_time = policy.lead_time(seen.surroundings.supply.as_deref());
        Some(Box::new(Foreseen { told, lead_time, made }))
    }
}

impl Made {
    fn is_of(&self, answer: &Answer) -> bool {
        let point = |model, point: f64| (model, point.to_bits());
        self.verdict == answer.verdict
            && self.peak.as_ref().map(|it| point(it.model, it.point))
                == answer.peak.as_ref().map(|it| point(it.model, it.point))
    }
}

impl Peak {
    fn of(peak: &crate::forecast::peak::Peak) -> Self {
        Self {
            model: peak.model,
            point: peak.point,
            n_similar: peak.n_similar,
            weights: peak.weights.as_slice().into(),
            band: BAND.map(|it| peak.quantile(it)),
        }
    }
}

fn reading(track: &Track) -> Reading {
    Reading {
        n_objects: track.samples.len(),
        oldest: track.samples.values().map(|it| it.at).min(),
        trouble: track.trouble.as_deref().map(Into::into),
        note: track.note.as_deref().map(Into::into),
    }
}

/// The objects whose way is shown: the only number, published or not, or the pods with the largest
/// values, which decide what the HPA does.
fn shown(
    policy: &Policy,
    values: &[(Option<ObjectName>, Value)],
) -> Vec<(Option<ObjectName>, Option<Value>)> {
    if policy.subject != Subject::Pods {
        let only = values.iter().find(|(object, _)| object.is_none());
        return vec![(None, only.map(|(_, value)| *value))];
    }
    let mut largest: Vec<&(Option<ObjectName>, Value)> = Vec::new();
    for one in values {
        let smaller = |other: &&(Option<ObjectName>, Value)| other.1.value < one.1.value;
        let place = largest.iter().position(smaller).unwrap_or(largest.len());
        if place < limits::TRACE_OBJECTS_MAX {
            largest.insert(place, one);
            largest.truncate(limits::TRACE_OBJECTS_MAX);
        }
    }
    largest.into_iter().map(|(object, value)| (object.clone(), Some(*value))).collect()
}

/// The supply, in the place where the last trace keeps it if it did not change.
fn supply(surroundings: &Surroundings, last: Option<&Arc<Trace>>) -> Option<Arc<Supply>> {
    let supply = surroundings.supply.as_ref()?;
    let known = last.and_then(|it| it.supply.as_ref()).filter(|it| *it == supply);
    Some(Arc::clone(known.unwrap_or(supply)))
}
