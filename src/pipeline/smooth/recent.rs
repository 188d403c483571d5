//! The samples of a window with their values in order, for medians and quantiles.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::Slots;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// The newest samples: no more than a count, and none older than a span.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    count: usize,
    span: Duration,
    slots: Slots,
    samples: VecDeque<(Timestamp, Finite)>,
    /// The values of `samples`, ascending.
    sorted: Vec<Finite>,
}

impl Recent {
    /// A window by time. Samples that come faster than its slots share one, of which the newest
    /// stands for all.
    pub(super) fn by_time(span: Duration) -> Self {
        let count = limits::SMOOTHING_SAMPLES_MAX;
        Self { slots: Slots::of(span), ..Self::by_count(count, span) }
    }

    /// A window by count.
    pub(super) fn by_count(count: usize, span: Duration) -> Self {
        let (samples, sorted) = (VecDeque::new(), Vec::new());
        Self { count, span, slots: Slots::none(), samples, sorted }
    }

    pub(super) fn push(&mut self, sample: Sample) {
        let Sample { at, value } = sample;
        if let Some((newest, _)) = self.samples.back()
            && self.slots.share_one(*newest, at)
        {
            let gone = self.samples.pop_back();
            self.forget(gone);
        }
        let oldest = at.checked_sub(self.span).unwrap_or(Timestamp::MIN);
        while self.samples.front().is_some_and(|(at, _)| *at <= oldest)
            || self.samples.len() >= self.count
        {
            let gone = self.samples.pop_front();
            self.forget(gone);
        }
        self.samples.push_back((at, value));
        let place = self.sorted.partition_point(|it| *it < value);
        self.sorted.insert(place, value);
    }

    fn forget(&mut self, gone: Option<(Timestamp, Finite)>) {
        if let Some((_, value)) = gone
            && let Ok(place) = self.sorted.binary_search(&value)
        {
            self.sorted.remove(place);
        }
    }

    /// The samples, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Finite> {
        self.samples.iter().rev().map(|(_, value)| *value)
    }

    /// The median; `None` before the first sample.
    pub(super) fn median(&self) -> Option<Finite> {
        middle(self.sorted.iter().map(|it| it.get()), self.sorted.len())
    }

    /// The median distance from `middle_value`.
    pub(super) fn median_distance(&self, middle_value: Finite) -> Option<Finite> {
        let from = middle_value.get();
        let place = self.sorted.partition_point(|it| *it <= middle_value);
        let (below, above) = self.sorted.split_at(place);
        let mut below = below.iter().rev().map(|it| from - it.get()).peekable();
        let mut above = above.iter().map(|it| it.get() - from).peekable();
        // Both ascend, so that the nearer one comes next.
        let nearest_first = std::iter::from_fn(|| match (below.peek(), above.peek()) {
            (Some(down), Some(up)) if down <= up => below.next(),
            (Some(_), None) => below.next(),
            _ => above.next(),
        });
        middle(nearest_first, self.sorted.len())
    }

    /// A quantile, between two neighbours in proportion (type 7 of Hyndman and Fan).
    pub(super) fn quantile(&self, quantile: Finite) -> Option<Finite> {
        let last = self.sorted.len().checked_sub(1)?;
        let place = quantile.get() * last as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count that is far below 2^32, and the whole part is wanted"
        )]
        let below = place as usize;
        let low = *self.sorted.get(below)?;
        let high = self.sorted.get(below + 1).copied().unwrap_or(low);
        Some(super::between(low, high, place - below as f64))
    }
}

/// The middle of `count` ascending numbers, or the mean of the two in the middle.
fn middle(mut ascending: impl Iterator<Item = f64>, count: usize) -> Option<Finite> {
    let low = ascending.nth(count.checked_sub(1)? / 2)?;
    let high = if count.is_multiple_of(2) { ascending.next()? } else { low };
    Finite::new(f64::midpoint(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(values: &[f64]) -> Recent {
        let mut recent = Recent::by_count(99, Duration::from_secs(1_000));
        for (second, value) in (0i64..).zip(values) {
            let at = Timestamp::from_second(second).unwrap();
            recent.push(Sample { at, value: Finite::new(*value).unwrap() });
        }
        recent
    }

    #[test]
    fn medians_and_quantiles_are_those_of_the_textbook() {
        for (values, median, distance, upper) in [
            (&[7.0][..], 7.0, 0.0, 7.0),
            (&[1.0, 2.0], 1.5, 0.5, 1.9),
            (&[10.0, 11.0, 10.0, 12.0, 40.0], 11.0, 1.0, 28.8),
            (&[4.0, 1.0, 3.0, 2.0], 2.5, 1.0, 3.7),
            (&[5.0, 5.0, 5.0, 9.0], 5.0, 0.0, 7.8),
        ] {
            let recent = recent(values);
            let middle = recent.median().unwrap();
            let high = recent.quantile(Finite::new(0.9).unwrap()).unwrap();
            let got = [middle.get(), recent.median_distance(middle).unwrap().get(), high.get()];
            for (got, want) in got.into_iter().zip([median, distance, upper]) {
                assert!((got - want).abs() < 1e-12, "{values:?}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn a_window_that_is_full_stays_within_its_limit() {
        let second = |n: i64| Timestamp::from_millisecond(n).unwrap();
        let mut recent = Recent::by_time(Duration::from_secs(60));
        for n in 0..100_000 {
            let value = Finite::new(f64::from(u32::try_from(n).unwrap())).unwrap();
            recent.push(Sample { at: second(n), value });
        }
        let kept = recent.samples.len();
        assert_eq!(kept, recent.sorted.len());
        assert!((500..=limits::SMOOTHING_SAMPLES_MAX).contains(&kept), "{kept}");
        let oldest = recent.sorted.first().unwrap().get();
        assert!((39_999.0..40_200.0).contains(&oldest), "the window is still 60 s: {oldest}");
        let median = recent.median().unwrap().get();
        assert!((69_700.0..70_300.0).contains(&median), "{median}");
    }
}
