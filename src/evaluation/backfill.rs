//! What is missing in the history of one policy, as chunks to be asked for one after the other.
//!
//! Newest first, so that the last hour is there first and then day after day. A chunk that failed
//! is asked for again later and stands in nobody's way meanwhile; what is known stays.

use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::evaluation::slot::replay;
use crate::evaluation::{Past, Recording};
use crate::pipeline::Memory;
use crate::policy::Policy;
use crate::published::Progress;
use crate::series::Window;
use crate::series::grid::Grid;
use crate::series::history::History;
use jiff::Timestamp;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// One chunk that is to be asked for.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Whose history it is.
    pub policy: Arc<Policy>,
    /// The steps of the history that it covers.
    pub steps: Range<i64>,
    /// What to ask for: those steps, and before them what the smoothing needs to settle.
    pub past: Past,
}

/// How a chunk could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFailure {
    /// The answer was too slow or too large: half of it may do.
    TooMuch,
    /// Anything else; the same may do later.
    Other,
}

/// The chunks of one policy that were not answered yet, in the order in which they are wanted.
#[derive(Debug)]
pub(super) struct Backfill {
    waiting: Vec<Waiting>,
    total: usize,
    /// The last part of a season, and anything as short, is asked for as finely as it is kept.
    fine: Cut,
    coarse: Cut,
    /// Whether there is nobody to ask.
    is_given_up: bool,
}

/// How a stretch of the past is cut into chunks.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// How far apart samples are.
    spacing: Duration,
    /// How many steps of the history one chunk has at most.
    steps_max: i64,
}

#[derive(Clone, Debug)]
struct Waiting {
    steps: Range<i64>,
    /// How far apart its samples are.
    spacing: Duration,
    failures: u32,
    /// Not to be asked for before.
    due: Timestamp,
    is_reading: bool,
}

/// Up to so many steps a gap joins one that is not over yet, so that a source which fails now and
/// then is not asked about each of its failures.
const JOINED_STEPS_MAX: i64 = 5;

impl Chunk {
    /// What the history gets from what was read for this chunk: combined and smoothed as if it had
    /// been read live, with a memory of its own.
    #[must_use]
    pub fn digest(&self, recording: &Recording) -> Vec<Sample> {
        let mut samples: Vec<Sample> = Vec::new();
        let mut window = Window::new(self.policy.signals.len());
        let mut memory = Memory::default();
        replay(&self.policy, &mut window, &mut memory, recording, |memory| {
            let newest = memory.smoothed(None);
            samples.extend(newest.filter(|it| samples.last().is_none_or(|last| last.at < it.at)));
        });
        samples
    }
}

impl Backfill {
    /// All that is missing in a history into which live samples began to come in the step with
    /// which `gap` begins.
    pub(super) fn plan(policy: &Policy, history: &History, gap: Range<i64>) -> Self {
        let per_season = index(history.steps_per_season());
        let part = (per_season / i64::from(limits::HISTORY_FINE_PART)).max(1);
        let spacing = spacing(policy.interval, history.step());
        let steps_max = steps_at_once(policy, spacing, history.step()).min(per_season);
        let edge = gap.start;
        let mut plan = Self {
            waiting: Vec::new(),
            total: 0,
            fine: Cut { spacing: history.fine_step(), steps_max: part },
            coarse: Cut { spacing, steps_max },
            is_given_up: false,
        };
        plan.add(history, edge - per_season * index(limits::HISTORY_SEASONS)..edge - part);
        plan.add(history, edge - part..edge);
        plan.add(history, gap);
        plan
    }

    /// Adds steps that are newer than all others: in front, and newest first, to be asked for once
    /// they are over. They join the newest ones where both are few.
    pub(super) fn add(&mut self, history: &History, gap: Range<i64>) {
        if self.is_given_up || self.waiting.len() >= limits::BACKFILL_CHUNKS_MAX {
            return;
        }
        let over = |end| {
            let settled = history.start_of(end).checked_add(limits::SETTLE);
            settled.unwrap_or(Timestamp::MAX)
        };
        if let Some(newest) = self.waiting.first_mut()
            && !newest.is_reading
            && (newest.steps.start..=newest.steps.end).contains(&gap.start)
            && gap.end - newest.steps.start <= JOINED_STEPS_MAX
        {
            newest.steps.end = newest.steps.end.max(gap.end);
            newest.due = newest.due.max(over(newest.steps.end));
            return;
        }
        let is_short = gap.end - gap.start <= self.fine.steps_max;
        let Cut { spacing, steps_max } = if is_short { self.fine } else { self.coarse };
        let mut pieces = Vec::new();
        let mut end = gap.end;
        while end > gap.start {
            let begin = (end - steps_max).max(gap.start);
            let (steps, due) = (begin..end, over(end));
            pieces.push(Waiting { steps, spacing, failures: 0, due, is_reading: false });
            end = begin;
        }
        self.total += pieces.len();
        self.waiting.splice(..0, pieces);
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { chunks_done: self.total - self.waiting.len(), chunks_total: self.total }
    }

    /// The next chunk to ask for, newest first; `None` while one is being read or none is due.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<(Range<i64>, Duration)> {
        if self.waiting.iter().any(|it| it.is_reading) {
            return None;
        }
        let next = self.waiting.iter_mut().find(|it| it.due <= now)?;
        next.is_reading = true;
        Some((next.steps.clone(), next.spacing))
    }

    /// When `next` has a chunk; `None` while one is being read or all are done.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let is_reading = self.waiting.iter().any(|it| it.is_reading);
        self.waiting.iter().filter(|_| !is_reading).map(|it| it.due).min()
    }

    /// The chunk was answered.
    pub(super) fn finish(&mut self, steps: &Range<i64>) {
        self.waiting.retain(|it| it.steps != *steps);
    }

    /// The chunk could not be had; it is wanted again, later each time.
    pub(super) fn fail(&mut self, steps: &Range<i64>, failure: ChunkFailure, now: Timestamp) {
        let found = self.waiting.iter().position(|it| it.steps == *steps);
        let Some((place, failed)) = found.and_then(|at| Some((at, self.waiting.get_mut(at)?)))
        else {
            return;
        };
        failed.is_reading = false;
        failed.due = now.checked_add(backoff(failed.failures)).unwrap_or(Timestamp::MAX);
        failed.failures = failed.failures.saturating_add(1);
        let length = failed.steps.end - failed.steps.start;
        if failure == ChunkFailure::TooMuch && length > limits::BACKFILL_CHUNK_STEPS_MIN {
            let middle = failed.steps.start + length / 2;
            let older = Waiting { steps: failed.steps.start..middle, ..failed.clone() };
            failed.steps.start = middle;
            self.waiting.insert(place + 1, older);
            self.total += 1;
        }
    }

    /// There is nothing to be had.
    pub(super) fn give_up(&mut self) {
        self.total -= self.waiting.len();
        self.waiting.clear();
        self.is_given_up = true;
    }
}

/// What to ask a source for, so that `steps` of a history can be filled.
pub(super) fn past(
    policy: &Policy,
    history: &History,
    steps: &Range<i64>,
    spacing: Duration,
) -> Past {
    let grid = Grid::new(spacing);
    let begin = history.start_of(steps.start);
    let warm_up = begin.checked_sub(warm_up(policy, spacing)).unwrap_or(Timestamp::MIN);
    let end = history.start_of(steps.end);
    let last = end.checked_sub(Duration::from_millis(1)).unwrap_or(Timestamp::MIN);
    Past { from: grid.at_or_before(warm_up), to: grid.at_or_before(last), step: spacing }
}

/// How far apart samples of the past are: a whole number of intervals, so that the source is asked
/// about instants at which it would have been read live, and few enough of them in a step.
fn spacing(interval: Duration, step: Duration) -> Duration {
    let most = interval.as_nanos() * u128::from(limits::BACKFILL_SAMPLES_PER_STEP);
    let times = step.as_nanos().div_ceil(most.max(1)).max(1);
    interval.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
}

/// How long before a chunk its smoothing begins: as long as it remembers, but no more than half of
/// what may be asked at once; and one sample at least, which may stand for the first steps.
fn warm_up(policy: &Policy, spacing: Duration) -> Duration {
    let half = u32::try_from(limits::BACKFILL_CHUNK_POINTS_MAX / 2).unwrap_or(u32::MAX);
    memory(policy).clamp(spacing, spacing.saturating_mul(half))
}

/// Filters in a row forget one after the other, so their memories add up.
pub(super) fn memory(policy: &Policy) -> Duration {
    let memories = policy.filters().map(|it| it.memory(policy.interval));
    memories.fold(Duration::ZERO, Duration::saturating_add)
}

/// How many steps of a history may be asked for at once.
fn steps_at_once(policy: &Policy, spacing: Duration, step: Duration) -> i64 {
    let points = u32::try_from(limits::BACKFILL_CHUNK_POINTS_MAX).unwrap_or(u32::MAX);
    let span = spacing.saturating_mul(points).saturating_sub(warm_up(policy, spacing) + spacing);
    let steps = span.as_nanos() / step.as_nanos().max(1);
    i64::try_from(steps).unwrap_or(i64::MAX).max(1)
}

/// How long to wait after a failure with so many before it: twice as long each time.
fn backoff(failures: u32) -> Duration {
    let doubled = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
    limits::BACKFILL_RETRY_MIN.saturating_mul(doubled).min(limits::BACKFILL_RETRY_MAX)
}

fn index(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
