//! The past of one number: two weeks of it in the size of a picture, the last hour finer.
//!
//! In come live samples and samples of the past, in any order; out come means over the steps of a
//! wall-clock grid, so that all replicas mean the same by a step. A step of which nothing is known
//! is NaN, never zero. Bounded by construction; never asks the time.

mod gaps;
mod ring;

use crate::domain::limits;
use crate::domain::sample::Sample;
use jiff::{SignedDuration, Timestamp};
use ring::{Ring, Steps};
use std::ops::Range;
use std::time::Duration;

/// The past of one number.
///
/// **Who wins.** A step that live samples saw from its beginning is theirs: they are what was
/// published, and a source may say something else about a moment later. Everything else is the
/// backfill's: what nobody saw, and steps of which live samples saw only a part, because they began
/// in it or because some were missed. The two are never mixed in one step, since they may be apart by different times.
/// So replicas that were started at different times end up with the same steps: each either saw a
/// step whole, or has it from the same source, asked at the same instants.
///
/// **Steps without samples.** Where samples are further apart than steps, a sample also stands for
/// the steps after it which have none and begin within one interval. A step may be unknown for that
/// long, until the next sample is in.
#[derive(Clone, Debug)]
pub struct History {
    /// As many seasons as `limits::HISTORY_SEASONS`, and the step in progress.
    coarse: Ring,
    /// The last `limits::HISTORY_FINE_PART` of a season.
    fine: Ring,
    /// Steps that live samples missed or saw a part of, since that was asked last.
    gap: Option<Range<i64>>,
    steps_per_season: usize,
    step: Duration,
    fine_step: Duration,
}

impl History {
    /// Nothing is known yet about a number that is seen every `interval`, whose day repeats after
    /// `season`, and of which so many steps of a season are kept (at most
    /// `limits::HISTORY_STEPS_PER_SEASON`).
    #[must_use]
    pub fn new(season: Duration, steps_per_season: usize, interval: Duration) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        let per_season = steps_per_season.clamp(1, limits::HISTORY_STEPS_PER_SEASON);
        let places = limits::HISTORY_SEASONS.saturating_mul(per_season).saturating_add(1);
        let coarse = Ring::new(Steps::new(season, per_season), places, interval);
        let part = season / limits::HISTORY_FINE_PART;
        let most = u32::try_from(limits::HISTORY_FINE_STEPS_MAX).unwrap_or(u32::MAX);
        // A whole number of intervals, so that no step has one sample more than the next.
        let times = (part / most).as_millis().div_ceil(interval.as_millis()).max(1);
        let fine_step = interval.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
        let places = usize::try_from(part.as_millis() / fine_step.as_millis().max(1));
        let places = places.unwrap_or(usize::MAX).min(limits::HISTORY_FINE_STEPS_MAX);
        let fine = Ring::new(Steps::new(fine_step, 1), places.saturating_add(1), interval);
        let count = u32::try_from(per_season).unwrap_or(u32::MAX);
        let step = season / count;
        Self { coarse, fine, gap: None, steps_per_season: per_season, step, fine_step }
    }

    /// Takes one live sample. Ignored when it is not newer than the last one, or so far in the
    /// future that a clock must be wrong.
    pub fn record(&mut self, sample: Sample, now: Timestamp) {
        if sample.at <= latest(now) {
            let gap = self.coarse.record(sample);
            self.fine.record(sample);
            self.gap = match (self.gap.take(), gap) {
                (Some(known), Some(new)) => Some(known.start..new.end),
                (known, new) => known.or(new),
            };
        }
    }

    /// Takes all samples that there are of the whole steps `steps`, in any order; some from before
    /// may be among them, which only stand for steps that have none. A step that is not over at
    /// `now` is left alone, and so is one of which live samples saw the
    /// whole.
    pub fn fill(
        &mut self,
        steps: Range<i64>,
        samples: impl IntoIterator<Item = Sample>,
        now: Timestamp,
    ) {
        let mut samples: Vec<Sample> = samples.into_iter().collect();
        samples.sort_by_key(|it| it.at);
        samples.dedup_by_key(|it| it.at);
        let (begin, end) = (self.start_of(steps.start), self.start_of(steps.end));
        self.coarse.fill(steps.start..steps.end.min(self.index_of(now)), &samples);
        let fine = self.fine.steps;
        let is_cut = fine.start_of(fine.index_of(begin)) < begin;
        let first = fine.index_of(begin).saturating_add(i64::from(is_cut));
        self.fine.fill(first..fine.index_of(end.min(now)), &samples);
    }

    /// Forgets what lies in the future, after a clock that was wrong was set back.
    pub fn forget_the_future(&mut self, now: Timestamp) {
        self.gap = None;
        self.coarse.forget_after(self.coarse.steps.index_of(latest(now)));
        self.fine.forget_after(self.fine.steps.index_of(latest(now)));
    }

    /// The newest step that is over; `None` while nothing is known at all.
    #[must_use]
    pub fn last_complete(&self, now: Timestamp) -> Option<i64> {
        self.coarse.newest().map(|_| self.index_of(now).saturating_sub(1))
    }

    /// A value as a history keeps it, to be compared with what it kept: rounded to five digits; NaN
    /// where it is too large.
    #[must_use]
    pub fn kept(value: f64) -> f32 {
        Ring::kept(value)
    }

    /// The values of the steps `from..to`; NaN for each that is unknown.
    pub fn values(&self, from: i64, to: i64) -> impl Iterator<Item = f32> + '_ {
        (from..to).map(|index| self.coarse.value(index))
    }

    /// Appends the values of the steps `from..to` to `into`; NaN for each that is unknown. The quick
    /// way to many of them.
    pub fn copy(&self, from: i64, to: i64, into: &mut Vec<f32>) {
        self.coarse.copy(from, to, into);
    }

    /// The values of the last part of a season, oldest first, each with the beginning of its step;
    /// those that are unknown are left out. `fine_step` apart, or more.
    pub fn recent(&self) -> impl Iterator<Item = (Timestamp, f32)> + '_ {
        let indexes = self.fine.oldest().zip(self.fine.newest()).map(|(from, to)| from..=to);
        let values = indexes.into_iter().flatten().map(|it| (it, self.fine.value(it)));
        let known = values.filter(|(_, value)| !value.is_nan());
        known.map(|(index, value)| (self.fine.steps.start_of(index), value))
    }

    /// The share of the steps `from..to` that is known, from 0 to 1; 0 of no steps.
    #[must_use]
    pub fn coverage(&self, from: i64, to: i64) -> f64 {
        let (mut known, mut all) = (0_u32, 0_u32);
        for value in self.values(from, to) {
            known += u32::from(!value.is_nan());
            all += 1;
        }
        if all == 0 { 0.0 } else { f64::from(known) / f64::from(all) }
    }

    /// The oldest and the newest step that are known.
    #[must_use]
    pub fn known_span(&self) -> Option<(i64, i64)> {
        self.coarse.known_span()
    }

    /// The steps of which live samples turned out to have seen only a part, or nothing, since this
    /// was asked last: the one in which they began, and those between samples further apart than
    /// one and a half intervals. They wait to be filled.
    pub fn take_gap(&mut self) -> Option<Range<i64>> {
        self.gap.take()
    }

    /// The step in which `at` lies: whole steps since the epoch.
    #[must_use]
    pub fn index_of(&self, at: Timestamp) -> i64 {
        self.coarse.steps.index_of(at)
    }

    /// When a step begins.
    #[must_use]
    pub fn start_of(&self, index: i64) -> Timestamp {
        self.coarse.steps.start_of(index)
    }

    /// How long a step is.
    #[must_use]
    pub fn step(&self) -> Duration {
        self.step
    }

    /// How long a step of `recent` is: the interval, or some intervals.
    #[must_use]
    pub fn fine_step(&self) -> Duration {
        self.fine_step
    }

    /// After how many steps the day repeats.
    #[must_use]
    pub fn steps_per_season(&self) -> usize {
        self.steps_per_season
    }

    /// How much memory it takes, itself included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.coarse.heap_bytes() + self.fine.heap_bytes()
    }
}

/// Samples from after this are from a wrong clock.
fn latest(now: Timestamp) -> Timestamp {
    let jump = SignedDuration::try_from(limits::CLOCK_JUMP).unwrap_or(SignedDuration::MAX);
    now.checked_add(jump).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
