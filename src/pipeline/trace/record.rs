//! Writes the trace of an evaluation down, in as little as it takes.

use super::bytes::{self, Writer};
use super::ring::{Plan, Record, STANDINGS};
use super::{BAND, Made, Peak};
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::domain::supply::Supply;
use crate::forecast::forecaster::Forecast as Answer;
use crate::pipeline::combine::Combined;
use crate::pipeline::emit::Emission;
use crate::pipeline::forecast::{Chosen, Told};
use crate::pipeline::outcome::{Outcome, Value};
use crate::pipeline::{Memory, Remembered, Surroundings};
use crate::policy::Policy;
use crate::series::{Track, Window};
use std::sync::Arc;

/// What the first record of a policy begins with.
const BODY_BYTES: usize = 96;
/// How much longer than the last one a record may become without growing: two numbers.
const BODY_SPARE: usize = 18;

/// What an evaluation went by and came to.
pub(in crate::pipeline) struct Seen<'a> {
    pub(in crate::pipeline) window: &'a Window,
    pub(in crate::pipeline) combined: &'a Combined,
    pub(in crate::pipeline) told: Option<Told>,
    pub(in crate::pipeline) emission: Emission,
    pub(in crate::pipeline) outcome: &'a Outcome,
    pub(in crate::pipeline) surroundings: &'a Surroundings,
}

impl Memory {
    /// Writes down what was seen, where traces are kept.
    pub(in crate::pipeline) fn trace(&mut self, policy: &Policy, seen: &Seen<'_>) {
        let Some(mut traces) = self.traces.take() else { return };
        let last = traces.last();
        let at = bytes::nanos(seen.surroundings.now);
        let record = Record {
            at,
            since: at,
            n_same: 1,
            decided: seen.told.map(|it| (it.verdict, it.bound)),
            plan: seen.told.and_then(|it| self.plan(policy, seen, it.chosen, last)),
            supply: supply(seen.surroundings, last),
            body: Box::default(),
        };
        let mut body = Writer::new(last.map_or(BODY_BYTES, |it| it.body.len() + BODY_SPARE));
        body.count(seen.window.signals.len());
        seen.window.signals.iter().for_each(|it| write_track(&mut body, it));
        body.count(seen.outcome.values.len());
        if let (Some(told), Some(_)) = (seen.told, &record.plan) {
            body.finite(Some(told.value));
            body.number(told.forecast);
            body.number((told.rise > 0.0).then(|| told.rise.into()));
        }
        let absent = seen.outcome.absent.as_ref();
        body.text(absent.map(|it| it.why.as_str()));
        if let Some(absent) = absent {
            body.instant(absent.last);
        }
        if policy.subject == Subject::Pods {
            let largest = largest(&seen.outcome.values);
            body.count(largest.len());
            for (object, value) in largest {
                self.write_path(&mut body, &mut traces.kinds, seen, (object, Some(*value)));
            }
        } else {
            // The only number, published or not.
            let only = seen.outcome.values.iter().find(|(object, _)| object.is_none());
            body.count(1);
            let only = only.map(|(_, value)| *value);
            self.write_path(&mut body, &mut traces.kinds, seen, (&None, only));
        }
        traces.push(Record { body: body.finish(), ..record });
        self.traces = Some(traces);
    }

    fn write_path(
        &self,
        body: &mut Writer,
        kinds: &mut Vec<&'static str>,
        seen: &Seen<'_>,
        (object, value): (&Option<ObjectName>, Option<Value>),
    ) {
        let remembered = self.objects.get(object);
        let observed = remembered.and_then(Remembered::dated);
        let told = seen.told.filter(|_| object.is_none()).map(|it| it.value);
        let demand = observed.map(|it| Sample { value: told.unwrap_or(it.value), ..it });
        body.text(object.as_ref().map(ObjectName::as_str));
        for track in &seen.window.signals {
            body.sample(track.dated(object));
        }
        body.sample(seen.combined.dated(object));
        let n_steps = remembered.map_or(0, |it| it.chain.len());
        body.count(n_steps);
        for (idx, answer) in remembered.iter().flat_map(|it| it.chain.answers()).enumerate() {
            // The filters of a policy are the same for all its objects, at all times.
            if kinds.len() == idx {
                kinds.push(answer.kind);
            }
            body.finite(answer.value);
            body.span(answer.window);
        }
        body.sample(observed);
        body.finite(demand.and_then(|it| seen.emission.apply(it)).map(|it| it.value));
        body.finite(value.map(|it| it.value));
        if let Some(Value { standing, .. }) = value {
            let place = STANDINGS.iter().position(|it| *it == standing);
            body.byte(place.and_then(|it| u8::try_from(it).ok()).unwrap_or_default());
        }
    }

    /// What was to be done with a forecast: that of the last record, where nothing changed.
    fn plan(
        &self,
        policy: &Policy,
        seen: &Seen<'_>,
        chosen: Chosen,
        last: Option<&Record>,
    ) -> Option<Arc<Plan>> {
        let history = self.history.as_ref()?;
        let last = last.and_then(|it| it.plan.as_ref());
        let made = self.forecast.answer().map(|answer| {
            let at = history.start_of(answer.at + 1);
            let known = last.and_then(|it| it.made.as_ref());
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
        let plan = Plan { chosen, lead_time, made };
        let known = last.filter(|it| it.is_like(&plan)).map(Arc::clone);
        Some(known.unwrap_or_else(|| Arc::new(plan)))
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

fn write_track(body: &mut Writer, track: &Track) {
    body.count(track.samples.len());
    body.instant(track.oldest());
    body.text(track.trouble.as_deref());
    body.text(track.note.as_deref());
}

/// The pods whose way is shown: those with the largest values, which decide what the HPA does.
fn largest(values: &[(Option<ObjectName>, Value)]) -> Vec<&(Option<ObjectName>, Value)> {
    let mut largest: Vec<&(Option<ObjectName>, Value)> = Vec::new();
    for one in values {
        let smaller = |other: &&(Option<ObjectName>, Value)| other.1.value < one.1.value;
        let place = largest.iter().position(smaller).unwrap_or(largest.len());
        if place < limits::TRACE_OBJECTS_MAX {
            largest.insert(place, one);
            largest.truncate(limits::TRACE_OBJECTS_MAX);
        }
    }
    largest
}

/// The supply, in the place where the last trace keeps it if it did not change.
fn supply(surroundings: &Surroundings, last: Option<&Record>) -> Option<Arc<Supply>> {
    let supply = surroundings.supply.as_ref()?;
    let known = last.and_then(|it| it.supply.as_ref()).filter(|it| *it == supply);
    Some(Arc::clone(known.unwrap_or(supply)))
}
