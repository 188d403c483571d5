//! The smoothing steps of a policy, settled: every parameter has its value and lies in its range.

use crate::domain::finite::Finite;
use crate::domain::limits;
use std::time::Duration;

/// One smoothing step. The filters themselves are in `pipeline::smooth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Smoothing {
    /// Exponentially weighted moving average.
    Ewma {
        /// The age at which a sample weighs half.
        half_life: Duration,
    },
    /// Holt's double exponential smoothing with a damped trend.
    Holt {
        /// The weight of a new value in the level, within one `step`.
        level: Finite,
        /// The weight of a new slope in the trend, within one `step`.
        trend: Finite,
        /// What is left of the trend after one `step`; below one.
        damping: Finite,
        /// The time that the three are meant for.
        step: Duration,
    },
    /// Outliers replaced by the median of the last samples (Hampel's identifier).
    Hampel {
        /// How many samples, the newest included.
        window: usize,
        /// How many (robust) standard deviations make an outlier.
        threshold: Finite,
        /// Samples older than this do not count, however few are left.
        span: Duration,
    },
    /// The median of the last samples.
    Median {
        /// How many samples, the newest included.
        window: usize,
        /// Samples older than this do not count, however few are left.
        span: Duration,
    },
    /// A low-pass filter whose cutoff rises with the speed of the signal (One Euro filter).
    OneEuro {
        /// The time constant while the signal is calm.
        time_constant: Duration,
        /// By how many hertz the cutoff rises for a speed of one full scale in a second.
        speed: Finite,
        /// The time constant of the speed's own low-pass filter.
        derivative: Duration,
        /// The full scale, in the metric's unit; without it, the signal's own present size.
        scale: Option<Finite>,
    },
    /// A Kalman filter for a level that wanders.
    Kalman {
        /// The variance by which the level wanders in a second.
        process: Finite,
        /// The variance of one sample around the level.
        measurement: Finite,
        /// The variance of the level after the first sample.
        initial: Finite,
    },
    /// The largest value of a window.
    WindowMax {
        /// How long it is.
        window: Duration,
    },
    /// The smallest value of a window.
    WindowMin {
        /// How long it is.
        window: Duration,
    },
    /// A quantile of the values of a window.
    WindowQuantile {
        /// How long it is.
        window: Duration,
        /// Which quantile, from zero to one.
        quantile: Finite,
    },
    /// A quantile of all values, the older the lighter.
    Percentile {
        /// Which quantile, from zero to one.
        quantile: Finite,
        /// The age at which a sample weighs half.
        half_life: Duration,
    },
    /// Changes within a band are not passed on.
    Deadband {
        /// Half the band's width, in the metric's unit.
        band: Finite,
        /// Half the band's width as a share of the value passed on last; the wider one counts.
        share: Finite,
        /// The value is passed on whenever the wall clock passes a multiple of this.
        refresh: Duration,
    },
    /// Two half-lives: one for rising, one for falling values.
    Asymmetric {
        /// The half-life of the difference while the signal is above the value; may be zero.
        up: Duration,
        /// The half-life of the difference while the signal is below the value; may be zero.
        down: Duration,
    },
    /// The value changes at most so fast, in the metric's unit per minute.
    SlewLimit {
        /// How fast it may rise; without it, at once.
        up_per_minute: Option<Finite>,
        /// How fast it may fall; without it, at once.
        down_per_minute: Option<Finite>,
    },
    /// The rate of one counter, per second.
    Rate {
        /// The window is at least this long.
        least: Duration,
        /// The window is about this long when few events happen.
        most: Duration,
    },
}

impl Smoothing {
    /// The rate of a counter over a window that fits the traffic.
    #[must_use]
    pub fn automatic_rate(interval: Duration) -> Self {
        let least = limits::RATE_WINDOW_MIN.max(interval * limits::RATE_INTERVALS_MIN);
        Self::Rate { least, most: limits::RATE_WINDOW_MAX.max(least) }
    }

    /// How far back a sample still shows in the published value, with a sample every `interval`;
    /// what is older cannot make two replicas differ.
    ///
    /// Where the effect of a sample fades without ever ending, 2^-30 of it is left. A percentile
    /// ends earlier, at 2^-10 of the weight, and a slew limit may hold back for longer than
    /// `limits::SLEW_MEMORY` what rose or fell much faster than it allows.
    #[must_use]
    pub fn memory(&self, interval: Duration) -> Duration {
        let halvings = f64::from(limits::BACKFILL_HALF_LIVES);
        match *self {
            Self::Ewma { half_life } => half_life.saturating_mul(limits::BACKFILL_HALF_LIVES),
            Self::Asymmetric { up, down } => {
                up.max(down).saturating_mul(limits::BACKFILL_HALF_LIVES)
            }
            Self::Percentile { half_life, .. } => {
                half_life.saturating_mul(limits::PERCENTILE_HALF_LIVES)
            }
            Self::Holt { level, trend, damping, step } => {
                let left = holt_left(level.get(), trend.get(), damping.get());
                fading(left, step, halvings)
            }
            Self::OneEuro { time_constant, derivative, .. } => {
                let part = |constant| fading(low_pass_left(constant, interval), interval, halvings);
                part(time_constant).saturating_add(part(derivative))
            }
            Self::Kalman { process, measurement, .. } => {
                fading(kalman_left(process, measurement, interval), interval, halvings)
            }
            Self::Hampel { span, .. } | Self::Median { span, .. } => span,
            Self::WindowMax { window }
            | Self::WindowMin { window }
            | Self::WindowQuantile { window, .. } => window,
            Self::Rate { most, .. } => most,
            Self::Deadband { refresh, .. } => refresh.saturating_add(interval),
            Self::SlewLimit { .. } => limits::SLEW_MEMORY,
        }
    }

    /// The time over which the step averages, with a sample every `interval`: a window's whole
    /// length, and the half-life of what fades. Zero for a step that does not average.
    #[must_use]
    pub fn averaged_over(&self, interval: Duration) -> Duration {
        match *self {
            Self::Ewma { half_life } | Self::Percentile { half_life, .. } => half_life,
            Self::Asymmetric { up, down } => up.max(down),
            Self::Holt { level, step, .. } => fading(1.0 - level.get(), step, 1.0),
            Self::OneEuro { time_constant, .. } => {
                fading(low_pass_left(time_constant, interval), interval, 1.0)
            }
            Self::Kalman { process, measurement, .. } => {
                fading(kalman_left(process, measurement, interval), interval, 1.0)
            }
            Self::Median { window, .. } => {
                interval.saturating_mul(u32::try_from(window).unwrap_or(u32::MAX))
            }
            Self::WindowMax { window }
            | Self::WindowMin { window }
            | Self::WindowQuantile { window, .. } => window,
            Self::Rate { least, .. } => least,
            Self::Hampel { .. } | Self::Deadband { .. } | Self::SlewLimit { .. } => Duration::ZERO,
        }
    }
}

/// How long it takes until something of which `left` remains after each `step` has been halved so
/// many times; a week at most.
fn fading(left: f64, step: Duration, halvings: f64) -> Duration {
    let steps = halvings * std::f64::consts::LN_2 / -left.ln();
    let time = Duration::try_from_secs_f64(step.as_secs_f64() * steps);
    time.unwrap_or(limits::DURATION_MAX).min(limits::DURATION_MAX)
}

/// What a low-pass filter of this time constant keeps of an old difference over one `interval`.
fn low_pass_left(constant: Duration, interval: Duration) -> f64 {
    1.0 / (1.0 + interval.as_secs_f64() / constant.as_secs_f64())
}

/// What the Kalman filter keeps of an old difference over one `interval`, once its gain is steady:
/// `1 - K` with `K = (-r + sqrt(r^2 + 4r)) / 2` and `r = q dt / R`.
fn kalman_left(process: Finite, measurement: Finite, interval: Duration) -> f64 {
    let r = process.get() * interval.as_secs_f64() / measurement.get();
    // The same without the cancellation of large r: K = 2 / (1 + sqrt(1 + 4/r)).
    1.0 - 2.0 / (1.0 + (1.0 + 4.0 / r).sqrt())
}

/// What damped Holt keeps of an old difference over one step: the larger eigenvalue of the matrix
/// that takes level and trend to the next step, `[[1-a, (1-a)phi], [-ab, phi(1-ab)]]`.
fn holt_left(level: f64, trend: f64, damping: f64) -> f64 {
    let half_trace = f64::midpoint(1.0 - level, damping * (1.0 - level * trend));
    let determinant = (1.0 - level) * damping;
    let discriminant = half_trace * half_trace - determinant;
    if discriminant < 0.0 { determinant.sqrt() } else { half_trace + discriminant.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> Finite {
        Finite::new(value).unwrap()
    }

    #[test]
    fn the_steady_gain_is_that_of_the_riccati_equation() {
        // Iterated P = P(1-K) + q dt, K = P/(P+R), for q = 0.01 per second, R = 4 and 15 s.
        let mut variance = 4.0;
        let mut gain = 0.0;
        for _ in 0..1_000 {
            variance += 0.01 * 15.0;
            gain = variance / (variance + 4.0);
            variance *= 1.0 - gain;
        }
        let left = kalman_left(number(0.01), number(4.0), Duration::from_secs(15));
        assert!((1.0 - left - gain).abs() < 1e-12, "{left} {gain}");
    }

    #[test]
    fn holt_fades_by_its_larger_eigenvalue() {
        // A difference of one in the level, stepped by hand towards zero.
        let (level, trend, damping) = (0.5, 0.1, 0.9);
        let (mut value, mut slope) = (1.0_f64, 0.0_f64);
        let mut ratio = 0.0;
        for _ in 0..60 {
            let expected = value + damping * slope;
            let next = expected * (1.0 - level);
            slope = trend * (next - value) + (1.0 - trend) * damping * slope;
            ratio = next / value;
            value = next;
        }
        let left = holt_left(level, trend, damping);
        assert!((left - ratio).abs() < 1e-6, "{left} {ratio}");
    }
}
