//! Holt's linear method with a damped trend (Gardner and McKenzie, "Forecasting trends in time
//! series", 1985).

use crate::forecast::past::{Past, larger};
use crate::forecast::point::{Point, number};

/// The share of a surprise that moves the level.
const LEVEL_SHARE: f64 = 0.5;
/// The share of a change of level that moves the trend.
const TREND_SHARE: f64 = 0.1;
/// What is left of the trend after a step.
const DAMPING: f64 = 0.9;

/// Level and trend of the heights; the level is NaN before the first known step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holt {
    level: f64,
    trend: f64,
}

impl Holt {
    pub(crate) fn new() -> Self {
        Self { level: f64::NAN, trend: 0.0 }
    }

    fn step(&mut self, value: f64) {
        if !self.level.is_finite() {
            (self.level, self.trend) = (value, 0.0);
            return;
        }
        let expected = self.level + DAMPING * self.trend;
        let level = expected + LEVEL_SHARE * (value - expected);
        self.trend =
            TREND_SHARE * (level - self.level) + (1.0 - TREND_SHARE) * DAMPING * self.trend;
        self.level = level;
    }

    fn ahead(&self, steps: usize) -> f64 {
        self.level + self.trend * damped(DAMPING, steps)
    }
}

impl Point for Holt {
    fn learn(&mut self, past: &Past, at: usize) {
        let height = past.height(at);
        if height.is_finite() {
            self.step(height);
        }
    }

    fn peak(&self, past: &Past, at: usize, horizon: usize) -> Option<f64> {
        number(past.height(at))?;
        // A damped trend never turns: the path is highest at one of its ends.
        number(larger(self.ahead(1), self.ahead(horizon)))
    }
}

/// How many undamped steps so many damped ones make: d + d² + … .
pub(crate) fn damped(damping: f64, steps: usize) -> f64 {
    let steps = i32::try_from(steps).unwrap_or(i32::MAX);
    damping * (1.0 - damping.powi(steps)) / (1.0 - damping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_trend_and_forecast_follow_the_formulas() {
        // Level, trend and the forecast five steps ahead, computed apart from this code.
        let mut holt = Holt { level: 10.0, trend: 0.0 };
        for value in [12.0, 11.0, 15.0, 14.0, 18.0] {
            holt.step(value);
        }
        for (found, expected) in
            [(holt.level, 15.951_524), (holt.trend, 0.455_525), (holt.ahead(5), 17.630_401)]
        {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
