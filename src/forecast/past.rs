//! The history on its regular grid, prepared so that the mean, the deviation and the usual value
//! of any window cost little.

mod bridge;

use self::bridge::Bridge;
use crate::forecast::HORIZON_MAX;
use std::ops::Range;

/// Steps in a season. All windows of all models are in steps, so that a compressed season is
/// forecast exactly as a day of minutes is.
pub const SEASON: usize = 1440;
/// Models are fitted anew this often, whenever the index of a step is a multiple of it.
pub const REFIT: usize = SEASON / 4;
/// Seasons that a history needs to hold.
pub const SEASONS_MAX: usize = 14;
/// Steps that a fit looks back on. A season less than the history holds, so that a replica that
/// starts can fit its models as the others did at the last refits, and see how they fared since.
pub const FIT_STEPS: usize = (SEASONS_MAX - 1) * SEASON;
/// Unknown steps in a row that are taken to be like the one before: as long as Prometheus itself
/// carries a sample on.
pub const BRIDGE_MAX: usize = 5;

/// The power of the scale: between logs and roots, where counts have an even spread. By simulation
/// over recorded loads both 0 and 0.5 cost more.
const POWER: f64 = 0.25;
/// What is added to values, as a share of the level that the history hardly exceeds. It decides below
/// which load relative changes stop to matter; the share stands for a third of a pod where the
/// highest load needs forty.
const OFFSET_SHARE: f64 = 0.0075;
/// The quantile that stands for the level which the history hardly exceeds.
const LEVEL_QUANTILE: f64 = 0.995;

/// Earlier seasons that make up the profile: a week of days.
const PROFILE_SEASONS: usize = 7;
/// The weight of a season relative to the one after it.
const PROFILE_DECAY: f64 = 0.7;
/// Steps to both sides that the profile averages over.
const PROFILE_HALF_WIDTH: usize = 5;

/// Values on the grid: NaN (or anything else that cannot be a demand) where they are unknown.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    values: &'a [f64],
    newest: i64,
}

impl<'a> Steps<'a> {
    /// These values, the last of them at the index `newest`: whole steps since the epoch, so that
    /// the time of day can be told from it and all replicas refit at the same time.
    #[must_use]
    pub fn new(values: &'a [f64], newest: i64) -> Self {
        Self { values, newest }
    }

    /// The index of the last value.
    #[must_use]
    pub fn newest(self) -> i64 {
        self.newest
    }

    /// The index of the first value.
    #[must_use]
    pub fn oldest(self) -> i64 {
        self.newest.saturating_sub_unsigned(self.values.len() as u64).saturating_add(1)
    }

    /// The values between two indices, both included, as far as there are any.
    #[must_use]
    pub fn between(self, from: i64, to: i64) -> Self {
        let to = to.clamp(self.oldest().saturating_sub(1), self.newest);
        let place = |index: i64| usize::try_from(index.saturating_sub(self.oldest())).unwrap_or(0);
        let values = self.values.get(place(from)..place(to.saturating_add(1))).unwrap_or_default();
        Self { values, newest: to }
    }

    /// The value at an index; `None` where it is unknown.
    #[must_use]
    pub fn value(self, index: i64) -> Option<f64> {
        let place = usize::try_from(index.checked_sub(self.oldest())?).ok()?;
        self.values.get(place).copied().filter(|it| is_demand(*it))
    }

    /// The values, oldest first.
    #[must_use]
    pub fn values(self) -> &'a [f64] {
        self.values
    }

    /// How many of the values are known.
    #[must_use]
    pub fn n_known(self) -> usize {
        self.values.iter().filter(|it| is_demand(**it)).count()
    }

    /// The scale on which these values are compared.
    #[must_use]
    pub fn scale(self) -> Scale {
        let mut known: Vec<f64> = self.values.iter().copied().filter(|it| is_demand(*it)).collect();
        known.sort_unstable_by(f64::total_cmp);
        let rank = nearest_rank(known.len(), LEVEL_QUANTILE);
        let level = known.get(rank).or(known.last()).copied().unwrap_or(0.0);
        let largest = known.last().copied().unwrap_or(0.0);
        // A history that is mostly zero is measured by its largest value, one of nothing but zeros
        // by anything.
        Scale::new(match (level > 0.0, largest > 0.0) {
            (true, _) => level,
            (false, true) => largest,
            (false, false) => 1.0,
        })
    }
}

/// Where a value stands among those of its history: the scale on which models work.
///
/// Heights are `((value + offset) / level)^POWER / POWER` (Box and Cox, "An analysis of
/// transformations", 1964). With a power of 0 they would be logs, on which a night's few requests
/// count as much as a day's many; with 1 the values themselves, on which only the day counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    level: f64,
}

impl Scale {
    /// For a history that hardly exceeds `level`, which is more than 0.
    #[must_use]
    pub fn new(level: f64) -> Self {
        Self { level }
    }

    /// The value that the history hardly exceeds.
    #[must_use]
    pub fn level(self) -> f64 {
        self.level
    }

    /// Where this value stands.
    #[must_use]
    pub fn height(self, value: f64) -> f64 {
        (value / self.level + OFFSET_SHARE).powf(POWER) / POWER
    }

    /// The value that stands there, never negative.
    #[must_use]
    pub fn value(self, height: f64) -> f64 {
        let share = (height * POWER).clamp(0.0, f64::MAX).powf(1.0 / POWER) - OFFSET_SHARE;
        (share * self.level).clamp(0.0, f64::MAX)
    }
}

/// The history up to some step, in heights, with running sums. Steps are counted from its beginning;
/// it may hold steps that lie in the future of the one asked about, and no answer looks at them.
#[derive(Debug)]
pub struct Past {
    oldest: i64,
    scale: Scale,
    /// Subtracted from heights before they are summed, which keeps the digits of small deviations.
    centre: Option<f64>,
    bridge: Bridge,
    /// NaN where unknown.
    height: Vec<f64>,
    /// One more than steps: what stands before each.
    sums: Vec<Sums>,
    profile: Vec<f64>,
    profile_from: usize,
}

/// Sums over known steps.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    known: f64,
    value: f64,
    height: f64,
    square: f64,
}

impl Past {
    /// Prepares these steps. The profile is kept from step `profile_from` on: all of it for a fit,
    /// that of the step asked about for a single forecast.
    #[must_use]
    pub fn new(steps: Steps<'_>, scale: Scale, profile_from: usize) -> Self {
        let mut past = Self {
            oldest: steps.oldest(),
            scale,
            centre: None,
            bridge: Bridge::default(),
            height: Vec::with_capacity(steps.values.len()),
            sums: Vec::with_capacity(steps.values.len() + 1),
            profile: Vec::new(),
            profile_from,
        };
        past.sums.push(Sums::default());
        past.extend(steps.values);
        past
    }

    /// Adds the next steps, as if they had been there from the beginning.
    pub(crate) fn extend(&mut self, values: &[f64]) {
        let mut sum = self.sums.last().copied().unwrap_or_default();
        for value in values {
            let value = self.bridge.over(*value);
            let height = self.scale.height(value);
            if value.is_finite() {
                let centred = height - *self.centre.get_or_insert(height);
                sum.known += 1.0;
                sum.value += value;
                sum.height += centred;
                sum.square += centred * centred;
            }
            self.height.push(height);
            self.sums.push(sum);
        }
        let end = self.height.len() + HORIZON_MAX;
        for at in self.profile_from + self.profile.len()..end {
            self.profile.push(self.usual(at).unwrap_or(f64::NAN));
        }
    }

    /// The index of the step after its last one.
    pub(crate) fn end(&self) -> i64 {
        self.index(self.len())
    }

    /// How many steps it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.height.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.height.is_empty()
    }

    /// The scale of its heights.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The value that this height stands for, never negative.
    #[must_use]
    pub fn value_of(&self, height: f64) -> f64 {
        self.scale.value(height)
    }

    /// The height that this value stands for.
    #[must_use]
    pub fn height_of(&self, value: f64) -> f64 {
        self.scale.height(value)
    }

    /// The height of a step; NaN where it is unknown.
    #[must_use]
    pub fn height(&self, at: usize) -> f64 {
        self.height.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The index of a step since the epoch.
    #[must_use]
    pub fn index(&self, at: usize) -> i64 {
        self.oldest.saturating_add_unsigned(at as u64)
    }

    /// How far into its season a step is.
    #[must_use]
    pub fn phase(&self, at: usize) -> usize {
        usize::try_from(self.index(at).rem_euclid(SEASON as i64)).unwrap_or(0)
    }

    /// Whether every step of the range is there and known.
    #[must_use]
    pub fn is_known(&self, range: Range<usize>) -> bool {
        let steps = range.len() as f64;
        range.end <= self.len() && self.sum(range).known >= steps
    }

    /// The height of the mean of the last `width` steps up to `at`; NaN if none of them is known.
    #[must_use]
    pub fn height_of_mean(&self, at: usize, width: usize) -> f64 {
        let sum = self.last(at, width);
        self.scale.height((sum.value / sum.known).clamp(0.0, f64::MAX))
    }

    /// The standard deviation of the heights of the last `width` steps up to `at`; NaN if none of them
    /// is known.
    #[must_use]
    pub fn deviation(&self, at: usize, width: usize) -> f64 {
        let sum = self.last(at, width);
        let mean = sum.height / sum.known;
        (sum.square / sum.known - mean * mean).clamp(0.0, f64::MAX).sqrt()
    }

    /// The largest height of a range; `None` unless all of it is known.
    #[must_use]
    pub fn largest(&self, range: Range<usize>) -> Option<f64> {
        if !self.is_known(range.clone()) {
            return None;
        }
        self.height.get(range)?.iter().copied().reduce(larger)
    }

    /// The height of the peak over the `horizon` steps after `at`; `None` unless all are known.
    #[must_use]
    pub fn peak(&self, at: usize, horizon: usize) -> Option<f64> {
        self.largest(at + 1..at + 1 + horizon)
    }

    /// What is usual at this step: the decayed mean of the heights around the same time of the seasons
    /// before. NaN where none is known, or before the step that profiles are kept from.
    #[must_use]
    pub fn profile(&self, at: usize) -> f64 {
        let place = at.checked_sub(self.profile_from);
        place.and_then(|it| self.profile.get(it)).copied().unwrap_or(f64::NAN)
    }

    /// The profile of a range; `None` unless it is kept and all known.
    #[must_use]
    pub fn profiles(&self, range: Range<usize>) -> Option<&[f64]> {
        let from = range.start.checked_sub(self.profile_from)?;
        let profile = self.profile.get(from..from + range.len())?;
        profile.iter().all(|it| it.is_finite()).then_some(profile)
    }

    fn usual(&self, at: usize) -> Option<f64> {
        let (mut weight, mut weights, mut weighted) = (1.0, 0.0, 0.0);
        for season in 1..=PROFILE_SEASONS {
            let Some(same) = at.checked_sub(season * SEASON) else { break };
            let from = same.saturating_sub(PROFILE_HALF_WIDTH);
            let to = same + PROFILE_HALF_WIDTH + 1;
            if to <= self.len() {
                let sum = self.sum(from..to);
                if sum.known > 0.0 {
                    let centre = self.centre.unwrap_or(0.0);
                    weighted += weight * (centre + sum.height / sum.known);
                    weights += weight;
                }
            }
            weight *= PROFILE_DECAY;
        }
        (weights > 0.0).then(|| weighted / weights)
    }

    fn last(&self, at: usize, width: usize) -> Sums {
        self.sum((at + 1).saturating_sub(width)..at + 1)
    }

    fn sum(&self, range: Range<usize>) -> Sums {
        let (Some(from), Some(to)) = (self.sums.get(range.start), self.sums.get(range.end)) else {
            return Sums::default();
        };
        Sums {
            known: to.known - from.known,
            value: to.value - from.value,
            height: to.height - from.height,
            square: to.square - from.square,
        }
    }
}

/// The larger of two numbers; the first when either is not one.
pub(crate) fn larger(one: f64, other: f64) -> f64 {
    if other > one { other } else { one }
}

/// The nearest number of half the size: all that features and errors need.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
pub(crate) fn single(number: f64) -> f32 {
    number as f32
}

/// The place of a quantile among so many sorted values.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a quantile lies between 0 and 1, and the count was a usize"
)]
pub(crate) fn nearest_rank(count: usize, quantile: f64) -> usize {
    (quantile.clamp(0.0, 1.0) * count.saturating_sub(1) as f64) as usize
}

fn is_demand(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

#[cfg(test)]
mod tests;
