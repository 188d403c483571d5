//! The room's one source of chance: a small seeded generator and the distributions drawn from it.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", OOPSLA 2014): one 64-bit addition and a mix per number, and any two keys give
//! unrelated streams. That is what the demand needs, which draws every hour's bursts and every
//! step's arrivals from a stream of its own, so that they do not depend on the order of asking.

use statrs::distribution::{ContinuousCDF, Normal};

/// The step between two states: 2^64 divided by the golden ratio, made odd.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// Above this mean the sum for an exact Poisson draw would start too close to the smallest `f64`
/// (e^-745 is 0) and grow long, while the distribution is all but normal: its skew is below 0.05.
const EXACT_POISSON_MEAN_MAX: f64 = 500.0;

/// A stream of random numbers, decided by its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of this seed that belongs to a purpose and its place, unrelated to all others.
    #[must_use]
    pub fn keyed(seed: u64, purpose: u64, place: u64) -> Self {
        let seed = Self::new(seed).next_u64();
        let purpose = Self::new(seed ^ purpose).next_u64();
        Self::new(purpose ^ Self::new(place).next_u64())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number between 0 and 1, both excluded.
    pub fn uniform(&mut self) -> f64 {
        // 52 bits and a half step stay exact in an f64 and never reach either end.
        let steps = (self.next_u64() >> 12) as f64;
        (steps + 0.5) / (1_u64 << 52) as f64
    }

    /// A draw from the normal distribution with mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        Normal::standard().inverse_cdf(self.uniform())
    }

    /// A draw from the Poisson distribution with this mean; 0 if the mean is 0, negative or NaN.
    ///
    /// By inversion: one uniform number, and the first count whose cumulated probability exceeds it.
    /// statrs finds that count by bisection over an incomplete gamma function, far more work for the
    /// small means drawn here at every step; for large means its normal distribution is used.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean.is_nan() || mean <= 0.0 {
            return 0;
        }
        if mean > EXACT_POISSON_MEAN_MAX {
            return round_to_count(mean + mean.sqrt() * self.normal());
        }
        let uniform = self.uniform();
        let mut probability = (-mean).exp();
        let mut cumulated = probability;
        let mut count = 0_u64;
        // Rounding can leave the sum short of a number very close to 1: the probability that is left
        // no longer moves the sum then, and that count is the answer.
        while cumulated < uniform && ((count as f64) < mean || probability > f64::EPSILON) {
            count += 1;
            probability *= mean / count as f64;
            cumulated += probability;
        }
        count
    }
}

/// The nearest whole count, 0 for what is negative or NaN.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates at both ends, and below 0 that is the rule stated above"
)]
pub(super) fn round_to_count(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_stream_is_splitmix64() {
        // The reference implementation's first numbers for seed 1234567.
        let mut random = Random::new(1_234_567);
        let numbers: Vec<u64> = (0..4).map(|_| random.next_u64()).collect();
        let expected: [u64; 4] = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn draws_have_the_mean_and_variance_of_their_distribution() {
        // 20,000 draws: the mean lies within four of its standard errors, the variance within 5 %.
        let draws = 20_000;
        for (mean, seed) in [(0.02, 1), (0.7, 2), (12.0, 3), (499.0, 4), (501.0, 5), (60_000.0, 6)]
        {
            let mut random = Random::new(seed);
            let counts: Vec<f64> = (0..draws).map(|_| random.poisson(mean) as f64).collect();
            let average = counts.iter().sum::<f64>() / f64::from(draws);
            let squares = counts.iter().map(|count| (count - average).powi(2)).sum::<f64>();
            let variance = squares / f64::from(draws);
            let error = (mean / f64::from(draws)).sqrt();
            assert!((average - mean).abs() < 4.0 * error, "mean {average} of {mean}");
            let slack = if mean < 0.1 { 0.15 } else { 0.05 };
            assert!((variance / mean - 1.0).abs() < slack, "variance {variance} of {mean}");
        }
    }

    #[test]
    fn a_poisson_draw_without_a_mean_is_zero() {
        for mean in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(Random::new(1).poisson(mean), 0, "mean {mean}");
        }
    }

    #[test]
    fn keys_give_streams_of_their_own() {
        let first = |seed, purpose, place| Random::keyed(seed, purpose, place).next_u64();
        let numbers =
            [first(1, 1, 1), first(1, 1, 2), first(1, 2, 1), first(2, 1, 1), first(1, 2, 2)];
        let distinct: std::collections::BTreeSet<u64> = numbers.into_iter().collect();
        assert_eq!(distinct.len(), numbers.len());
        assert_eq!(first(1, 1, 1), first(1, 1, 1));
    }
}
