//! Whether errors have become one-sided: two cumulative sums, one for each side (Page, "Continuous
//! inspection schemes", 1954).

/// What is subtracted at each step: half the shift that matters, in standard deviations.
const SLACK: f64 = 0.5;
/// The sum that raises the alarm; without a change it is reached once in about 900 steps.
const ALARM: f64 = 5.0;

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
