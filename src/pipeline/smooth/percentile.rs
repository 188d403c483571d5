//! A quantile of all values, the older the lighter: a histogram that decays.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::{between, seconds_between};
use jiff::Timestamp;
use std::time::Duration;

/// Bits of a float below those that name its bucket: sign, exponent and five bits remain, so that
/// a bucket is at most 1/32 wide.
const BITS_BELOW: u32 = 52 - 5;
/// New samples weigh twice as much every half-life rather than all old ones half as much; after
/// so many half-lives all weights are brought down at once.
const DOUBLINGS_MAX: f64 = 64.0;
/// A bucket that weighs less than this, when a new sample weighs one, is forgotten.
const WEIGHT_MIN: f64 = 1e-12;

/// The smallest value below which lies the quantile's share of the weight, to within a bucket.
///
/// Each bucket answers with the mean of its own values. When there are more buckets than
/// `limits::PERCENTILE_BUCKETS_MAX`, the two lowest become one. After a gap of many half-lives
/// only the newest sample has weight.
#[derive(Clone, Debug)]
pub(super) struct Percentile {
    quantile: f64,
    half_life: Duration,
    /// The time at which a sample weighs one.
    origin: Option<Timestamp>,
    /// Ascending.
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    name: u64,
    weight: f64,
    mean: Finite,
}

impl Bucket {
    fn with(self, weight: f64, mean: Finite) -> Self {
        let share = weight / (self.weight + weight);
        Self { weight: self.weight + weight, mean: between(self.mean, mean, share), ..self }
    }
}

impl Percentile {
    pub(super) fn new(quantile: Finite, half_life: Duration) -> Self {
        Self { quantile: quantile.get(), half_life, origin: None, buckets: Vec::new() }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let weight = self.weigh(sample.at);
        let name = name(sample.value);
        let place = self.buckets.partition_point(|it| it.name < name);
        match self.buckets.get_mut(place) {
            Some(bucket) if bucket.name == name => *bucket = bucket.with(weight, sample.value),
            _ => self.buckets.insert(place, Bucket { name, weight, mean: sample.value }),
        }
        if self.buckets.len() > limits::PERCENTILE_BUCKETS_MAX {
            let lowest = self.buckets.remove(0);
            if let Some(next) = self.buckets.first_mut() {
                *next = next.with(lowest.weight, lowest.mean);
            }
        }
        self.read().unwrap_or(sample.value)
    }

    /// The weight of a sample of this time.
    fn weigh(&mut self, at: Timestamp) -> f64 {
        let origin = *self.origin.get_or_insert(at);
        let doublings = seconds_between(origin, at) / self.half_life.as_secs_f64();
        if doublings <= DOUBLINGS_MAX {
            return doublings.exp2();
        }
        let left = (-doublings).exp2();
        self.buckets.retain_mut(|it| {
            it.weight *= left;
            it.weight > WEIGHT_MIN
        });
        self.origin = Some(at);
        1.0
    }

    fn read(&self) -> Option<Finite> {
        let total: f64 = self.buckets.iter().map(|it| it.weight).sum();
        let wanted = total * self.quantile;
        let mut below = 0.0;
        let found = self.buckets.iter().find(|it| {
            below += it.weight;
            below >= wanted
        });
        // Rounding may leave the last sum a little short of the total.
        found.or(self.buckets.last()).map(|it| it.mean)
    }
}

/// The bucket of a value. The order of positive floats is that of their bits; zero, and what is
/// less, share the first bucket.
fn name(value: Finite) -> u64 {
    if value.is_negative() { 0 } else { value.get().to_bits() >> BITS_BELOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(quantile: f64) -> Percentile {
        Percentile::new(Finite::new(quantile).unwrap(), Duration::from_secs(600))
    }

    fn sample(second: i64, value: f64) -> Sample {
        let at = Timestamp::from_second(second).unwrap();
        Sample { at, value: Finite::new(value).unwrap() }
    }

    #[test]
    fn the_quantile_is_right_to_within_a_bucket() {
        let mut percentile = filter(0.9);
        // All of one age: a permutation of 1 to 100 within a second's thousandth of a half-life.
        let mut last = 0.0;
        for n in 0..100_i32 {
            let millis = i64::from(n);
            let at = Timestamp::from_millisecond(millis).unwrap();
            let value = Finite::new(f64::from((n * 37) % 100 + 1)).unwrap();
            last = percentile.step(Sample { at, value }).get();
        }
        assert!((last - 90.0).abs() <= 90.0 / 32.0, "{last}");
    }

    #[test]
    fn a_sample_weighs_half_after_a_half_life() {
        let mut percentile = filter(0.6);
        percentile.step(sample(0, 10.0));
        // The older one has a third of the weight and the newer one two thirds.
        assert_eq!(percentile.step(sample(600, 1.0)), Finite::new(1.0).unwrap());
        let mut percentile = filter(0.7);
        percentile.step(sample(0, 10.0));
        assert_eq!(percentile.step(sample(600, 1.0)), Finite::new(10.0).unwrap());
    }

    #[test]
    fn many_different_values_share_the_lowest_bucket() {
        let mut percentile = filter(0.99);
        let mut value = 1.0;
        let mut last = 0.0;
        for n in 0..100_000 {
            value = if value > 1e12 { 1e-9 } else { value * 1.01 };
            last = percentile.step(sample(n, value)).get();
            assert!(percentile.buckets.len() <= limits::PERCENTILE_BUCKETS_MAX);
        }
        assert!(last > 1e11, "the largest values keep their buckets: {last}");
    }
}
