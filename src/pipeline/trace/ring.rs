//! The traces of the last evaluations of one policy, as records of few bytes.

use super::bytes::{Reader, instant};
use super::{Foreseen, Made, Path, Reading, Trace};
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::domain::supply::{LeadTime, Supply};
use crate::forecast::past::single;
use crate::pipeline::forecast::{Bound, Chosen, Told, Verdict};
use crate::pipeline::outcome::{Absence, Standing};
use crate::pipeline::smooth::Answer;
use std::collections::VecDeque;
use std::sync::Arc;

/// The last `limits::TRACES_MAX` of them, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// The kinds of the policy's filters, which no record repeats.
    pub(super) kinds: Vec<&'static str>,
    records: VecDeque<Record>,
}

/// One evaluation.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The instant for which it was made, in nanoseconds since the epoch.
    pub(super) at: i64,
    /// The first one that came to the same.
    pub(super) since: i64,
    pub(super) n_same: u32,
    /// Whether a forecast was used, and what decided the value.
    pub(super) decided: Option<(Verdict, Bound)>,
    /// What was to be done with it.
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) supply: Option<Arc<Supply>>,
    /// Signals, values and paths, as `record` writes them.
    pub(super) body: Box<[u8]>,
}

/// What stays for some evaluations of a policy that forecasts.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) chosen: Chosen,
    pub(super) lead_time: LeadTime,
    pub(super) made: Option<Arc<Made>>,
}

impl Plan {
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let Self { chosen, lead_time, made } = self;
        *chosen == other.chosen
            && *lead_time == other.lead_time
            && is_same(made.as_ref(), other.made.as_ref())
    }
}

/// The place of a standing in a record.
pub(super) const STANDINGS: [Standing; 2] = [Standing::Fresh, Standing::Held];

impl Traces {
    /// All of them, newest first.
    pub fn newest(&self) -> impl Iterator<Item = Arc<Trace>> + '_ {
        // Nothing but `record` writes records.
        self.records.iter().rev().filter_map(|it| it.trace(&self.kinds)).map(Arc::new)
    }

    pub(super) fn last(&self) -> Option<&Record> {
        self.records.back()
    }

    /// Takes a newer one. It takes the place of the last where both say the same, so that an outage
    /// does not push out what was before it.
    pub(super) fn push(&mut self, record: Record) {
        if let Some(last) = self.records.back_mut().filter(|last| last.is_like(&record)) {
            last.at = record.at;
            last.n_same = last.n_same.saturating_add(1);
            return;
        }
        if self.records.len() >= limits::TRACES_MAX {
            self.records.pop_front();
        } else if self.records.len() == self.records.capacity() {
            // No more than there will be.
            let more = limits::TRACES_MAX - self.records.len();
            self.records.reserve_exact(more.min(self.records.len().max(FIRST_RECORDS)));
        }
        self.records.push_back(record);
    }

    /// What they take, itself and what only they share included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let ring = self.records.capacity() * size_of::<Record>();
        let bodies: usize = self.records.iter().map(|it| it.body.len()).sum();
        let mut plans: Vec<&Arc<Plan>> =
            self.records.iter().filter_map(|it| it.plan.as_ref()).collect();
        plans.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let made = |it: &Made| {
            let weights = it.peak.as_ref().map_or(0, |it| size_of_val(&*it.weights));
            size_of_val(it) + weights
        };
        let shared = |it: &&Arc<Plan>| size_of_val(&***it) + it.made.as_deref().map_or(0, made);
        size_of::<Self>() + ring + bodies + plans.iter().map(shared).sum::<usize>()
    }
}

/// Records that there is room for at first.
const FIRST_RECORDS: usize = 4;

impl Record {
    /// Whether it says what `other` says but for the instant.
    fn is_like(&self, other: &Self) -> bool {
        let Self { at: _, since: _, n_same: _, decided, plan, supply, body } = self;
        *decided == other.decided
            && is_same(plan.as_ref(), other.plan.as_ref())
            && is_same(supply.as_ref(), other.supply.as_ref())
            && *body == other.body
    }

    /// What it says, in full.
    fn trace(&self, kinds: &[&'static str]) -> Option<Trace> {
        let mut body = Reader::new(&self.body);
        let n_signals = body.count()?;
        let signals = (0..n_signals).map(|_| reading(&mut body)).collect::<Option<_>>()?;
        let n_published = body.count()?;
        let forecast = match (self.decided, self.plan.as_deref()) {
            (Some((verdict, bound)), Some(Plan { chosen, lead_time, made })) => {
                let (value, forecast) = (body.finite()??, body.number()?);
                let (rise, chosen) = (body.number()?.map_or(0.0, single), *chosen);
                let told = Told { value, chosen, forecast, rise, verdict, bound };
                let (lead_time, made) = (*lead_time, made.clone());
                Some(Box::new(Foreseen { told, lead_time, made }))
            }
            _ => None,
        };
        let absent = body.text()?.map(str::to_owned);
        let absent = match absent {
            Some(why) => Some(Box::new(Absence { last: body.instant()?, why })),
            None => None,
        };
        let n_paths = body.count()?;
        let paths = (0..n_paths).map(|_| path(&mut body, n_signals, kinds));
        Some(Trace {
            at: instant(self.at),
            since: instant(self.since),
            n_same: self.n_same,
            signals,
            paths: paths.collect::<Option<_>>()?,
            n_published,
            forecast,
            absent,
            supply: self.supply.clone(),
        })
    }
}

fn reading(body: &mut Reader<'_>) -> Option<Reading> {
    let (n_objects, oldest) = (body.count()?, body.instant()?);
    Some(Reading { n_objects, oldest, trouble: body.text()?.map(Into::into) })
}

fn path(body: &mut Reader<'_>, n_signals: usize, kinds: &[&'static str]) -> Option<Path> {
    let object = match body.text()? {
        Some(name) => Some(ObjectName::new(name).ok()?),
        None => None,
    };
    let samples = (0..n_signals).map(|_| body.sample()).collect::<Option<_>>()?;
    let combined = body.sample()?;
    let n_steps = body.count()?;
    let answer =
        |kind: &&'static str| Some(Answer { kind, value: body.finite()?, window: body.span()? });
    let steps = kinds.get(..n_steps)?.iter().map(answer).collect::<Option<_>>()?;
    let (observed, emitted) = (body.sample()?, body.finite()?);
    let published = match body.finite()? {
        Some(value) => Some((value, *STANDINGS.get(usize::from(body.byte()?))?)),
        None => None,
    };
    Some(Path { object, samples, combined, steps, observed, emitted, published })
}

/// Whether both are one and the same; `record` keeps what did not change.
fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
