//! Whether errors have become one-sided: two cumulative sums, one for each side (Page, "Continuous
//! inspection schemes", 1954).

/// What is subtracted at each step: half the shift that matters, in standard deviations.
const SLACK: f64 = 0.5;
/// The sum that raises the alarm; without a change it is reached once in about 900 steps.
const ALARM: f64 = 5.0;

/// How much of its weight an error keeps at each step in the mean and the size that errors are
/// measured by.
const KEPT: f64 = 0.99;
/// A single error counts so much at most in that mean and size.
const ERROR_MAX: f64 = 5.0;
/// A measured error counts so much at most in the sums, so that it takes four in a row to raise the
/// alarm, not one burst. Measured so and cut here, errors on seven recorded series raised it once
/// in 250 to 560 steps, as the formula promises for two sides; taken as they came, once in 55.
const DEVIATIONS_MAX: f64 = 2.0;

/// Errors measured by what they were of late. Those of a model in use have heavier tails than its
/// quantiles say, and its median is a little off; neither is a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standard {
    mean: f64,
    square: f64,
}

impl Standard {
    /// As if errors had been as the model says.
    pub(crate) fn new() -> Self {
        Self { mean: 0.0, square: 1.0 }
    }

    /// The error in deviations from the errors before it, which it then joins. The size is taken to
    /// be 1 at least: a model is not wrong because it became better than it says.
    pub(crate) fn measure(&mut self, error: f64) -> f64 {
        let error = error.clamp(-ERROR_MAX, ERROR_MAX);
        let deviation = error - self.mean;
        let size = self.square.clamp(1.0, f64::MAX).sqrt();
        self.mean = KEPT * self.mean + (1.0 - KEPT) * error;
        self.square = KEPT * self.square + (1.0 - KEPT) * deviation * deviation;
        (deviation / size).clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX)
    }
}

/// The two sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChangePoint {
    above: f64,
    below: f64,
}

impl ChangePoint {
    /// Takes in a standardised error. After an alarm it begins anew.
    pub(crate) fn learn(&mut self, error: f64) -> bool {
        self.above = (self.above + error - SLACK).clamp(0.0, f64::MAX);
        self.below = (self.below - error - SLACK).clamp(0.0, f64::MAX);
        let is_alarm = self.above >= ALARM || self.below >= ALARM;
        if is_alarm {
            *self = Self::default();
        }
        is_alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERRORS: [f64; 7] = [0.2, -0.1, 0.8, 1.5, 2.1, 1.9, 2.4];
    const SUMS: [f64; 7] = [0.0, 0.0, 0.3, 1.3, 2.9, 4.3, 6.2];

    #[test]
    fn a_lasting_shift_raises_the_alarm_and_lone_bursts_do_not() {
        let alarms = |error: fn(usize) -> f64| {
            let (mut standard, mut detector) = (Standard::new(), ChangePoint::default());
            (0..300).filter(|step| detector.learn(standard.measure(error(*step)))).count()
        };
        assert_eq!(alarms(|step| if step % 10 == 0 { 1e9 } else { -0.3 }), 0);
        assert!(alarms(|step| if step < 100 { 0.0 } else { 3.0 }) > 0);
        assert!(alarms(|step| if step < 100 { 0.0 } else { -3.0 }) > 0);
        assert_eq!(alarms(|_| 0.0), 0);
    }

    #[test]
    fn the_sums_follow_the_formula_on_both_sides() {
        for side in [1.0, -1.0] {
            let mut detector = ChangePoint::default();
            for (error, sum) in ERRORS.iter().zip(SUMS) {
                let is_alarm = detector.learn(side * error);
                assert_eq!(is_alarm, sum >= ALARM, "{sum}");
                let found = if side > 0.0 { detector.above } else { detector.below };
                let expected = if is_alarm { 0.0 } else { sum };
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }
}
