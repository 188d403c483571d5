//! The load offered to an inference service: a daily rhythm, quieter weekends, and bursts.
//!
//! In: a seed, settings, and a time. Out: the rate of requests at that time, and how many arrive in
//! a step. Both depend on nothing else, so any stretch of a run can be asked for in any order, and
//! the rate can be looked up ahead of time by whoever wants to judge a forecast.
//!
//! Time is counted from a Monday, 00:00.

use std::f64::consts::TAU;
use std::time::Duration;

use super::SimulateError;
use super::random::Random;

#[cfg(test)]
mod tests;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY_SECONDS: f64 = 86_400.0;
const WEEK_SECONDS: f64 = 7.0 * DAY_SECONDS;
const WEEKEND_BEGINS: f64 = 5.0 * DAY_SECONDS;
/// The weekend's level comes and goes over this time, not at one stroke of midnight.
const WEEKEND_RAMP_SECONDS: f64 = 2.0 * 3_600.0;
/// A burst reaches its height in this time.
const BURST_RISE_SECONDS: f64 = 30.0;
/// After so many of its decay times a burst is over: e^-8 of it is left, 0.03 %.
const BURST_DECAYS: f64 = 8.0;
/// The longest decay time: a burst then looks back 24 hours, which bounds the work of one rate.
const BURST_DECAY_MAX: Duration = Duration::from_secs(3 * 3_600);
/// The most bursts a day: bounds the work of one rate.
const BURSTS_PER_DAY_MAX: f64 = 1_000.0;
/// Arrivals of a long step are drawn from the rate at the middle of pieces no longer than this.
const PIECE_MAX: Duration = Duration::from_secs(15);
/// The most pieces of one step; longer steps have longer pieces.
const PIECES_MAX: u128 = 1_000;

/// What each stream of chance is for.
const PURPOSE_BURSTS: u64 = 1;
const PURPOSE_ARRIVALS: u64 = 2;

/// The shape of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct DemandSettings {
    /// Requests per second, the mean of a weekday without its bursts.
    pub mean_rate: f64,
    /// By how much of the mean the busiest moment of the day is above it (and the quietest below):
    /// 0 to 1.
    pub daily_swing: f64,
    /// The busiest hour of the day: 0 to 24.
    pub peak_hour: f64,
    /// What Saturday and Sunday are of a weekday: 0 or more, 1 for no difference.
    pub weekend_factor: f64,
    /// How many bursts begin in a day, in the mean.
    pub bursts_per_day: f64,
    /// The height of the median burst, as a share of `mean_rate`.
    pub burst_size: f64,
    /// How much bursts differ: the standard deviation of the logarithm of their height.
    pub burst_spread: f64,
    /// How long the median burst takes to fall to 37 % of its height.
    pub burst_decay: Duration,
}

/// The load of one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    seed: u64,
    settings: DemandSettings,
}

impl Default for DemandSettings {
    /// A service with a clear day and night, half the load at weekends, and a dozen bursts a day of
    /// which one or two double the load.
    fn default() -> Self {
        Self {
            mean_rate: 4.0,
            daily_swing: 0.6,
            peak_hour: 15.0,
            weekend_factor: 0.5,
            bursts_per_day: 12.0,
            burst_size: 0.5,
            burst_spread: 0.7,
            burst_decay: Duration::from_secs(480),
        }
    }
}

impl Demand {
    /// The load of this seed and shape.
    ///
    /// # Errors
    /// When a setting is not a number or lies outside its range.
    pub fn new(seed: u64, settings: DemandSettings) -> Result<Self, SimulateError> {
        let DemandSettings {
            mean_rate,
            daily_swing,
            peak_hour,
            weekend_factor,
            bursts_per_day,
            burst_size,
            burst_spread,
            burst_decay,
        } = &settings;
        check("mean_rate", *mean_rate, 1e6, "0 to 1000000")?;
        check("daily_swing", *daily_swing, 1.0, "0 to 1")?;
        check("peak_hour", *peak_hour, 24.0, "0 to 24")?;
        check("weekend_factor", *weekend_factor, 100.0, "0 to 100")?;
        check("bursts_per_day", *bursts_per_day, BURSTS_PER_DAY_MAX, "0 to 1000")?;
        check("burst_size", *burst_size, 1_000.0, "0 to 1000")?;
        check("burst_spread", *burst_spread, 3.0, "0 to 3")?;
        if burst_decay.is_zero() || *burst_decay > BURST_DECAY_MAX {
            let (setting, allowed) = ("burst_decay", "more than 0 s, at most 3 h");
            let value = format!("{burst_decay:?}");
            return Err(SimulateError::OutOfRange { setting, value, allowed });
        }
        Ok(Self { seed, settings })
    }

    /// Requests per second at a time: the rhythm and the bursts under way.
    #[must_use]
    pub fn rate_at(&self, at: Duration) -> f64 {
        self.rhythm_at(at) + self.bursts_at(at)
    }

    /// How many requests arrive from a time on within a step: a Poisson draw. Asked again for the
    /// same `from` and `step`, the answer is the same.
    #[must_use]
    pub fn arrivals(&self, from: Duration, step: Duration) -> u64 {
        let pieces = step.as_nanos().div_ceil(PIECE_MAX.as_nanos()).clamp(1, PIECES_MAX);
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let piece = step / pieces;
        let middles = (0..pieces).map(|place| from + piece * place + piece / 2);
        let mean = middles.map(|middle| self.rate_at(middle) * piece.as_secs_f64()).sum();
        let place = u64::try_from(from.as_nanos()).unwrap_or(u64::MAX);
        Random::keyed(self.seed, PURPOSE_ARRIVALS, place).poisson(mean)
    }

    /// The rate without bursts: a cosine over the day, scaled down at weekends.
    fn rhythm_at(&self, at: Duration) -> f64 {
        let seconds = at.as_secs_f64();
        let day = seconds / DAY_SECONDS - self.settings.peak_hour / 24.0;
        let daily = 1.0 + self.settings.daily_swing * (TAU * day).cos();
        let weekday = 1.0 + (self.settings.weekend_factor - 1.0) * weekend_share(seconds);
        self.settings.mean_rate * daily * weekday
    }

    /// The rate of the bursts that have begun and are not over. Each hour of the run draws its own
    /// bursts from its own stream.
    fn bursts_at(&self, at: Duration) -> f64 {
        let longest = self.settings.burst_decay.as_secs_f64() * BURST_DECAYS + BURST_RISE_SECONDS;
        let hour = at.as_secs() / HOUR.as_secs();
        let earliest = (at.as_secs_f64() - longest) / HOUR.as_secs_f64();
        // Hours before the start of the run have no bursts.
        let mut first = hour;
        while first > 0 && (first as f64) > earliest {
            first -= 1;
        }
        (first..=hour).map(|hour| self.bursts_of_hour(hour, at)).sum()
    }

    fn bursts_of_hour(&self, hour: u64, at: Duration) -> f64 {
        let settings = &self.settings;
        let decay = settings.burst_decay.as_secs_f64();
        let mut random = Random::keyed(self.seed, PURPOSE_BURSTS, hour);
        let count = random.poisson(settings.bursts_per_day / 24.0);
        let mut rate = 0.0;
        for _ in 0..count {
            let start = (hour as f64 + random.uniform()) * HOUR.as_secs_f64();
            let height = settings.burst_size * (settings.burst_spread * random.normal()).exp();
            let age = at.as_secs_f64() - start;
            if (0.0..BURST_RISE_SECONDS).contains(&age) {
                rate += height * age / BURST_RISE_SECONDS;
            } else if (BURST_RISE_SECONDS..BURST_RISE_SECONDS + BURST_DECAYS * decay).contains(&age)
            {
                rate += height * (-(age - BURST_RISE_SECONDS) / decay).exp();
            }
        }
        settings.mean_rate * rate
    }
}

/// How much of a weekend a moment is: 0 on a weekday, 1 on Saturday and Sunday, between the two
/// during the first hours of Saturday and of Monday.
fn weekend_share(seconds: f64) -> f64 {
    let of_week = seconds % WEEK_SECONDS;
    if of_week >= WEEKEND_BEGINS {
        ((of_week - WEEKEND_BEGINS) / WEEKEND_RAMP_SECONDS).clamp(0.0, 1.0)
    } else if seconds >= WEEK_SECONDS {
        (1.0 - of_week / WEEKEND_RAMP_SECONDS).clamp(0.0, 1.0)
    } else {
        // The run begins on a weekday; there was no weekend before it.
        0.0
    }
}

fn check(
    setting: &'static str,
    value: f64,
    max: f64,
    allowed: &'static str,
) -> Result<(), SimulateError> {
    if (0.0..=max).contains(&value) {
        return Ok(());
    }
    Err(SimulateError::OutOfRange { setting, value: value.to_string(), allowed })
}
