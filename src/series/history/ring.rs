//! Numbers on a regular wall-clock grid: the newest so many steps, each the mean of its samples.

use crate::domain::sample::Sample;
use crate::series::history::gaps::Gaps;
use jiff::Timestamp;
use std::ops::Range;
use std::time::Duration;

/// The grid: so many steps in so many milliseconds, counted since the epoch. Two numbers, because a
/// season need not be a whole number of milliseconds times its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    millis: i64,
    count: i64,
}

impl Steps {
    /// `count` steps in `span`, both at least one.
    pub(super) fn new(span: Duration, count: usize) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self { millis: millis.max(1), count: i64::try_from(count).unwrap_or(i64::MAX).max(1) }
    }

    /// The step in which `at` lies.
    pub(super) fn index_of(self, at: Timestamp) -> i64 {
        let product = i128::from(at.as_millisecond()) * i128::from(self.count);
        let index = product.div_euclid(i128::from(self.millis));
        i64::try_from(index).unwrap_or(if index < 0 { i64::MIN } else { i64::MAX })
    }

    /// The first millisecond of a step.
    pub(super) fn start_of(self, index: i64) -> Timestamp {
        let product = i128::from(index) * i128::from(self.millis);
        let count = i128::from(self.count);
        let millis = product.div_euclid(count) + i128::from(product.rem_euclid(count) != 0);
        let limit = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
        i64::try_from(millis)
            .ok()
            .and_then(|it| Timestamp::from_millisecond(it).ok())
            .unwrap_or(limit)
    }
}

/// The newest steps of a grid. An unknown one is NaN, never zero.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) steps: Steps,
    /// By index modulo their number.
    values: Box<[Packed]>,
    /// The newest step that has a place; those before it, as many as there are places, have too.
    newest: Option<i64>,
    /// Before this step none is known.
    first: i64,
    /// The step into which live samples go.
    open: Option<Open>,
    /// Of what live samples saw only a part.
    gaps: Gaps,
    /// The newest live sample.
    last: Option<Sample>,
    /// How long a sample stands for steps that have none of their own.
    stands_for: Duration,
}

/// A mean in the making.
#[derive(Clone, Copy, Debug)]
struct Open {
    index: i64,
    sum: f64,
    count: u32,
}

impl Open {
    fn of(index: i64) -> Self {
        Self { index, sum: 0.0, count: 0 }
    }

    fn add(&mut self, sample: Sample) {
        self.sum += sample.value.get();
        self.count = self.count.saturating_add(1);
    }

    /// NaN where the mean is too large for 32 bits.
    fn mean(self) -> f32 {
        compact(self.sum / f64::from(self.count))
    }
}

impl Ring {
    /// A value as it is after it was kept.
    pub(super) fn kept(value: f64) -> f32 {
        Packed::of(compact(value)).value()
    }

    pub(super) fn new(steps: Steps, places: usize, stands_for: Duration) -> Self {
        let values = vec![Packed::of(f32::NAN); places.max(1)].into_boxed_slice();
        let gaps = Gaps::default();
        let (newest, first) = (None, i64::MAX);
        Self { steps, values, newest, first, open: None, gaps, last: None, stands_for }
    }

    /// Takes one live sample; one that is not newer than the last changes nothing. Answers the
    /// steps of which live samples turn out to have seen only a part, if there are new ones.
    pub(super) fn record(&mut self, sample: Sample) -> Option<Range<i64>> {
        if self.last.is_some_and(|last| last.at >= sample.at) {
            return None;
        }
        let index = self.steps.index_of(sample.at);
        self.advance(index);
        let gap = match self.last {
            Some(last) => {
                self.carry(last, index);
                self.gap(last, sample)
            }
            None => Some(index..index.saturating_add(1)),
        };
        if let Some(gap) = &gap {
            self.gaps.add(gap.clone());
        }
        self.last = Some(sample);
        let mut open = match self.open.filter(|it| it.index == index) {
            Some(open) => open,
            // What was backfilled is whole.
            None if !self.value(index).is_nan() => return gap,
            None => Open::of(index),
        };
        open.add(sample);
        self.put(index, open.mean());
        self.open = Some(open);
        gap
    }

    /// The steps between two samples of which one or more in between were missed.
    fn gap(&self, last: Sample, next: Sample) -> Option<Range<i64>> {
        let usual = last.at.checked_add(self.stands_for.saturating_mul(3) / 2);
        let is_missed = usual.is_ok_and(|usual| next.at > usual);
        let (from, to) = (self.steps.index_of(last.at), self.steps.index_of(next.at));
        is_missed.then(|| from.max(self.oldest().unwrap_or(from))..to.saturating_add(1))
    }

    /// Takes all samples there are of `steps`, and some from before, sorted by time; writes those
    /// steps of which nothing is known, and those of which live samples saw only a part.
    pub(super) fn fill(&mut self, steps: Range<i64>, samples: &[Sample]) {
        let mut open: Option<Open> = None;
        let mut before: Option<Sample> = None;
        for sample in samples {
            let index = self.steps.index_of(sample.at);
            if index >= steps.end {
                break;
            }
            if let Some(done) = open.filter(|it| it.index != index) {
                self.complete(done);
            }
            if let Some(before) = before {
                self.carry_into(before, index, &steps);
            }
            before = Some(*sample);
            if index >= steps.start {
                let mut it = open.filter(|it| it.index == index).unwrap_or(Open::of(index));
                it.add(*sample);
                open = Some(it);
            }
        }
        if let Some(done) = open {
            self.complete(done);
        }
        if let Some(before) = before {
            self.carry_into(before, steps.end, &steps);
        }
        // Of what was not among these samples the source knows nothing.
        self.gaps.close(&steps);
    }

    /// Drops everything from after the step `latest`.
    pub(super) fn forget_after(&mut self, latest: i64) {
        let Some(newest) = self.newest.filter(|newest| *newest > latest) else { return };
        for index in latest.max(self.oldest_place(newest).saturating_sub(1))..newest {
            self.put(index.saturating_add(1), f32::NAN);
        }
        self.newest = Some(latest);
        self.open = None;
        self.gaps.clear();
        self.last = None;
    }

    /// The newest step that has a place: the newest of which anything was known.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// The oldest step that has a place.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.newest.map(|newest| self.oldest_place(newest))
    }

    /// The oldest and the newest step that are known.
    pub(super) fn known_span(&self) -> Option<(i64, i64)> {
        let (oldest, newest) = (self.oldest()?.max(self.first), self.newest?);
        let is_known = |index: &i64| !self.value(*index).is_nan();
        Some(((oldest..=newest).find(is_known)?, (oldest..=newest).rev().find(is_known)?))
    }

    /// The value of one step; NaN when it is unknown.
    pub(super) fn value(&self, index: i64) -> f32 {
        let place = self.place(index).and_then(|place| self.values.get(place));
        place.copied().map_or(f32::NAN, Packed::value)
    }

    /// Appends the values of `from..to`, in at most two runs.
    pub(super) fn copy(&self, from: i64, to: i64, into: &mut Vec<f32>) {
        let length = |from: i64, to: i64| usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        let end = into.len().saturating_add(length(from, to));
        let oldest = self.oldest().unwrap_or(to).clamp(from, to.max(from));
        into.resize(into.len().saturating_add(length(from, oldest)), f32::NAN);
        if let Some(begin) = self.place(oldest) {
            let run = self.newest.map_or(0, |it| length(oldest, to.min(it.saturating_add(1))));
            let (head, tail) = self.values.split_at_checked(begin).unwrap_or_default();
            into.extend(tail.iter().chain(head).take(run).map(|it| it.value()));
        }
        into.resize(end, f32::NAN);
    }

    /// How much it takes, apart from itself.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.values) + self.gaps.heap_bytes()
    }

    fn complete(&mut self, done: Open) {
        if self.gaps.contains(done.index) {
            // The part that live samples saw gives way to the whole.
            self.open = self.open.filter(|it| it.index != done.index);
            self.put(done.index, done.mean());
        } else {
            self.put_unknown(done.index, done.mean());
        }
    }

    /// Lets a sample stand for the steps between it and `next` that begin soon enough after it.
    fn carry(&mut self, sample: Sample, next: i64) {
        let from = self.steps.index_of(sample.at).saturating_add(1);
        self.carry_into(sample, next, &(from..next));
    }

    fn carry_into(&mut self, sample: Sample, next: i64, steps: &Range<i64>) {
        let until = sample.at.checked_add(self.stands_for).unwrap_or(Timestamp::MAX);
        let begin = self.steps.index_of(sample.at).saturating_add(1).max(steps.start);
        let begin = begin.max(self.oldest().unwrap_or(begin));
        for index in begin..next.min(steps.end) {
            if self.steps.start_of(index) >= until {
                return;
            }
            self.put_unknown(index, compact(sample.value.get()));
        }
    }

    fn put_unknown(&mut self, index: i64, value: f32) {
        self.advance(index);
        if self.value(index).is_nan() {
            self.put(index, value);
        }
    }

    fn put(&mut self, index: i64, value: f32) {
        if let Some(place) = self.place(index).and_then(|it| self.values.get_mut(it)) {
            *place = Packed::of(value);
            if !value.is_nan() {
                self.first = self.first.min(index);
            }
        }
    }

    /// Makes room up to the step `to`, in the places of the oldest.
    fn advance(&mut self, to: i64) {
        let Some(newest) = self.newest else {
            self.newest = Some(to);
            return;
        };
        if to <= newest {
            return;
        }
        self.newest = Some(to);
        for index in newest.saturating_add(1).max(self.oldest_place(to))..=to {
            self.put(index, f32::NAN);
        }
    }

    fn oldest_place(&self, newest: i64) -> i64 {
        newest.saturating_sub(self.places()).saturating_add(1)
    }

    fn places(&self) -> i64 {
        i64::try_from(self.values.len()).unwrap_or(i64::MAX)
    }

    fn place(&self, index: i64) -> Option<usize> {
        let newest = self.newest?;
        let has_place = index <= newest && index >= self.oldest_place(newest);
        has_place.then(|| usize::try_from(index.rem_euclid(self.places())).ok()).flatten()
    }
}

/// A number in 32 bits. NaN where it is too large.
fn compact(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is the point; see below")]
    let compact = value as f32;
    if compact.is_finite() { compact } else { f32::NAN }
}

/// A number that is not negative, or NaN, in 24 bits: the exponent of 32 bits and five digits, which is
/// more than any signal has. The byte that this saves is 20 MiB of a thousand histories.
#[derive(Clone, Copy, Debug)]
struct Packed([u8; 3]);

/// The bits of the mantissa that are rounded away.
const ROUNDED_BITS: u32 = 7;
/// Half of the last bit that is kept.
const HALF: u32 = 1 << (ROUNDED_BITS - 1);

impl Packed {
    /// Nothing that is asked for is less than nothing.
    fn of(value: f32) -> Self {
        let bits = if value < 0.0 { 0 } else { value.abs().to_bits() };
        let rounded = bits.saturating_add(HALF) >> ROUNDED_BITS;
        let rounded = if f32::from_bits(rounded << ROUNDED_BITS).is_infinite() {
            rounded - 1
        } else {
            rounded
        };
        let [_, high, middle, low] = rounded.to_be_bytes();
        Self([high, middle, low])
    }

    fn value(self) -> f32 {
        let Self([high, middle, low]) = self;
        f32::from_bits(u32::from_be_bytes([0, high, middle, low]) << ROUNDED_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_packed_number_has_five_digits(value in prop::num::f32::POSITIVE) {
            let packed = Packed::of(value).value();
            prop_assert!(packed.is_finite());
            let error = (f64::from(packed) - f64::from(value)).abs();
            prop_assert!(error <= f64::from(value) * 1e-5 + 1e-43, "{value} {packed}");
            prop_assert_eq!(Packed::of(packed).value().to_bits(), packed.to_bits());
        }
    }

    #[test]
    fn what_is_unknown_stays_unknown_and_nothing_stays_nothing() {
        assert!(Packed::of(f32::NAN).value().is_nan());
        for (value, packed) in
            [(0.0, 0.0), (-0.0, 0.0), (-3.0, 0.0), (1.0, 1.0), (65_537.0, 65_537.0)]
        {
            assert_eq!(Packed::of(value).value().to_bits(), f32::to_bits(packed));
        }
        assert!(Packed::of(f32::MAX).value().is_finite());
    }
}
