//! The demand of the live proof: a daily rhythm, jobs that start on the hour, noise.
//!
//! A day lasts `DAY_SECONDS`, so that an hour lasts a minute. Any second can be asked for in any
//! order, and the same seed answers the same.

use std::f64::consts::TAU;

use foresail::simulate::random::Random;

/// Seconds of a compressed day: sixty times as fast as a real one.
pub(super) const DAY_SECONDS: i64 = 1_440;
/// Seconds of a compressed hour.
const HOUR_SECONDS: i64 = 60;
/// The mean of the rhythm, in what so many pods serve.
const MEAN: f64 = 8.0;
/// By how much of the mean the busiest moment of the day is above it.
const SWING: f64 = 0.3;
/// What the hourly jobs add, in pods: the mean, and the standard deviation from hour to hour.
const PULSE: (f64, f64) = (9.0, 1.5);
/// For how long, in seconds: twelve minutes of a real hour, give or take one.
const PULSE_SECONDS: i64 = 12;
/// The standard deviation of the demand of one second around its mean, as a share of it.
const NOISE: f64 = 0.05;

const PURPOSE_NOISE: u64 = 1;
const PURPOSE_PULSE: u64 = 2;

/// The demand of one seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    pub(super) seed: u64,
}

impl Rhythm {
    /// The work that arrives in a second of the wall clock, in what one pod does in a second.
    pub(super) fn at(self, second: i64) -> f64 {
        let mut random = self.random(PURPOSE_NOISE, second);
        let day = second.rem_euclid(DAY_SECONDS) as f64 / DAY_SECONDS as f64;
        let rhythm = MEAN * (1.0 + SWING * (TAU * (day - 0.6)).cos());
        let mean = rhythm + self.pulse(second);
        let demand = mean * (1.0 + NOISE * random.normal());
        if demand > 0.0 { demand } else { 0.0 }
    }

    /// The jobs of the hour: each hour a little stronger or weaker, earlier or later.
    fn pulse(self, second: i64) -> f64 {
        let hour = second.div_euclid(HOUR_SECONDS);
        let mut random = self.random(PURPOSE_PULSE, hour);
        let height = PULSE.0 + PULSE.1 * random.normal();
        let begin = i64::try_from(random.next_u64() % 3).unwrap();
        let length = PULSE_SECONDS - 1 + i64::try_from(random.next_u64() % 3).unwrap();
        let place = second.rem_euclid(HOUR_SECONDS);
        if (begin..begin + length).contains(&place) { height } else { 0.0 }
    }

    fn random(self, purpose: u64, place: i64) -> Random {
        Random::keyed(self.seed, purpose, u64::try_from(place).unwrap())
    }
}
