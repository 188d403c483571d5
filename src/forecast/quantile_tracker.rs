//! A quantile of a stream that may change: adaptive conformal inference in its simplest form, a
//! gradient step on the pinball loss for each residual (Gibbs and Candès, 2021; Angelopoulos and
//! others, "Conformal PID control", 2023).

/// The running estimate of one quantile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuantileTracker {
    level: f64,
    estimate: f64,
}

impl QuantileTracker {
    /// Begins at an estimate of the quantile at `level`.
    pub(crate) fn new(level: f64, estimate: f64) -> Self {
        Self { level, estimate }
    }

    /// Takes in a residual: up by `rate` times the level if it was above the estimate, down by the
    /// rest of the rate if not. In the long run the share of residuals above is as wanted, whatever
    /// their distribution does.
    pub(crate) fn learn(&mut self, residual: f64, rate: f64) {
        let above = if residual > self.estimate { 1.0 } else { 0.0 };
        self.estimate += rate * (above - (1.0 - self.level));
    }

    pub(crate) fn estimate(self) -> f64 {
        self.estimate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_the_formula() {
        let mut tracker = QuantileTracker::new(0.9, 0.0);
        for residual in [1.0, -1.0, 2.0, 0.0, 3.0, -2.0, 1.0, 0.0] {
            tracker.learn(residual, 0.5);
        }
        assert!((tracker.estimate() - 1.10).abs() < 1e-12);
    }

    #[test]
    fn the_share_above_becomes_as_wanted() {
        let mut tracker = QuantileTracker::new(0.8, 50.0);
        let mut above = 0;
        // The residuals 0 to 99 in a scattered order; the first half of them is for settling.
        for step in 0..20_000_u32 {
            let residual = f64::from(step * 37 % 100);
            if step >= 10_000 && residual > tracker.estimate() {
                above += 1;
            }
            tracker.learn(residual, 1.0);
        }
        assert!((1_950..=2_050).contains(&above), "{above}");
    }
}
