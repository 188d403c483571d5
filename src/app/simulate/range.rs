//! Demand from a policy's own signals: range queries, combined as they would have been live.

use super::SimulationError;
use crate::domain::duration;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::pipeline::combine;
use crate::pipeline::facts::{Facts, Rates};
use crate::pipeline::smooth::Chain;
use crate::policy::smoothing::Smoothing;
use crate::policy::{Ask, Config, Policy, Signal, SourceKind};
use crate::replay::trace::{Content, Trace};
use crate::series::Window;
use crate::source::{Reach, Source};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

#[cfg(test)]
mod tests;

const DAY_SECONDS: i64 = 86_400;

/// A stretch of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    from: Timestamp,
    /// None is later.
    to: Timestamp,
}

impl Range {
    /// Reads `--from` and `--to`.
    pub(super) fn parse(
        from: &str,
        to: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, SimulationError> {
        let from = instant(from, now).map_err(SimulationError::Past)?;
        let to = to.map_or(Ok(now), |to| instant(to, now)).map_err(SimulationError::Past)?;
        if from < to {
            return Ok(Self { from, to });
        }
        Err(SimulationError::Past("--from is not before --to".to_owned()))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{from:.0} to {to:.0}")
    }
}

/// Reads the policy's signals over a range.
pub(super) async fn read(
    config: &Config,
    policy: &Policy,
    range: Range,
    reach: &Reach,
) -> Result<Trace, SimulationError> {
    let mut recordings = Vec::new();
    for signal in &policy.signals {
        if let Ask::Schedule(schedule) = &signal.ask {
            recordings.push(schedule.samples((range.from, range.to), policy.interval));
            continue;
        }
        let settings = config.sources.iter().find(|it| it.name == signal.source);
        let url = settings.map_or("", |it| match &it.kind {
            SourceKind::Prometheus { url, .. } | SourceKind::Scrape { url, .. } => url,
            SourceKind::Pods(_) => "",
        });
        let source = settings.and_then(|it| Source::new(it, reach).ok());
        let Some(source) = source.filter(Source::has_history) else {
            return Err(SimulationError::Past(format!(
                "source {} has no past to ask for; record the demand yourself and give it with \
                 --trace",
                signal.source
            )));
        };
        recordings.push(recording((&source, url), signal, range, policy.interval).await?);
    }
    let combined = combined(policy, &recordings);
    let midnight = range.from.as_second().div_euclid(DAY_SECONDS) * DAY_SECONDS;
    let midnight = Timestamp::from_second(midnight).unwrap_or(range.from);
    let seconds = |at: Timestamp| at.duration_since(midnight).as_secs_f64();
    let instants = recordings.iter().map(Vec::len).fold(0, usize::max);
    let samples: Vec<(f64, f64)> =
        combined.iter().map(|it| (seconds(it.at), it.value.get())).collect();
    if samples.is_empty() {
        let problem = format!("policy {} has no value in {range}", policy.key);
        return Err(SimulationError::Past(problem));
    }
    let without_value = instants.saturating_sub(samples.len());
    let content = Content::Samples { samples, unit: "the metric's unit" };
    Ok(Trace { midnight: Some(midnight), content, without_value, is_utc_assumed: false })
}

/// One signal over the range, in chunks that no server refuses.
async fn recording(
    (source, url): (&Source, &str),
    signal: &Signal,
    range: Range,
    step: Duration,
) -> Result<Vec<Sample>, SimulationError> {
    let points = u32::try_from(limits::BACKFILL_CHUNK_POINTS_MAX).unwrap_or(u32::MAX);
    let mut samples = Vec::new();
    let mut from = range.from;
    while from <= range.to {
        let last = from.checked_add(step.saturating_mul(points - 1)).unwrap_or(Timestamp::MAX);
        let to = last.min(range.to);
        let read = source.history(&signal.ask, (from, to), step).await;
        let read = read.map_err(|error| {
            let (source, name, error) = (&signal.source, &signal.name, ErrorChain(&error));
            let chunk = Range { from, to };
            SimulationError::Source {
                problem: format!("source {source} at {url}, signal {name}, {chunk}: {error}"),
                hint: "make sure that the server answers from here, with kubectl port-forward for \
                       one; or give the demand with --trace",
            }
        })?;
        samples.extend(read.into_iter().map(|(_, sample)| sample));
        match last.checked_add(step) {
            Ok(next) => from = next,
            Err(_) => break,
        }
    }
    Ok(samples)
}

/// The signals as one number over time. A counter's rate is taken here, since it is demand.
fn combined(policy: &Policy, recordings: &[Vec<Sample>]) -> Vec<Sample> {
    let is_rate = |it: &&Smoothing| matches!(it, Smoothing::Rate { .. });
    let rate: Vec<Smoothing> = policy.smooth.iter().filter(is_rate).copied().collect();
    let mut rate = Chain::new(&rate);
    let instants: BTreeSet<Timestamp> = recordings.iter().flatten().map(|it| it.at).collect();
    let mut window = Window::new(recordings.len());
    let mut unread: Vec<_> = recordings.iter().map(|it| it.iter().peekable()).collect();
    let mut rates = Rates::default();
    let mut combined = Vec::new();
    for at in instants {
        let oldest = at.checked_sub(policy.guard.max_age).unwrap_or(Timestamp::MIN);
        for (track, unread) in window.signals.iter_mut().zip(&mut unread) {
            while let Some(sample) = unread.next_if(|it| it.at <= at) {
                track.extend([(None, *sample)]);
            }
            track.expire(oldest);
        }
        rates.take(policy, &window, at);
        let facts = Facts { policy, window: &window, rates: &rates, pods: None };
        let sample = combine::all(&facts).samples.remove(&None);
        let sample = sample.map(|it| Sample { at, ..it });
        combined.extend(sample.and_then(|it| rate.step(it)));
    }
    combined
}

/// A date, or how long ago; else what may be said.
fn instant(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(ago) = duration::parse(text) {
        let ago = now.checked_sub(ago);
        return ago.map_err(|_| format!("`{text}` ago is too long ago"));
    }
    let dated = text.parse::<Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
    dated.map_err(|_| {
        format!(
            "`{text}` is neither a date such as `2026-11-01` or `2026-11-01T06:00:00Z` nor an age \
             such as `336h`"
        )
    })
}
