//! Cost against lateness: what a way of publishing costs at a given share of late work, whatever
//! its headroom.

use crate::simulate::SimulateError;

use super::{Run, Totals, greater, lesser};

/// One run of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The headroom, quantile or target of this run.
    pub knob: f64,
    /// The share of the work that was late, 0 to 1.
    pub late_share: f64,
    /// Pod-seconds.
    pub cost: f64,
}

/// The runs of one sweep.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frontier {
    /// In the order of the sweep.
    pub points: Vec<Point>,
}

impl Point {
    /// The point of these totals.
    #[must_use]
    pub fn of(knob: f64, totals: &Totals) -> Self {
        Self { knob, late_share: totals.late_share(), cost: totals.pod_seconds }
    }
}

impl Frontier {
    /// Runs once per knob and scores each run from a day on.
    ///
    /// # Errors
    /// What the first failed run says.
    pub fn sweep(
        knobs: impl IntoIterator<Item = f64>,
        since_day: usize,
        mut run: impl FnMut(f64) -> Result<Run, SimulateError>,
    ) -> Result<Self, SimulateError> {
        let points = knobs
            .into_iter()
            .map(|knob| Ok(Point::of(knob, &run(knob)?.since(since_day))))
            .collect::<Result<_, SimulateError>>()?;
        Ok(Self { points })
    }

    /// The least cost at this share of late work: on the lower envelope of the points, straight
    /// between two of them, as if one could use each for a part of the time. None if every point is
    /// later than that.
    #[must_use]
    pub fn cost_at(&self, late_share: f64) -> Option<f64> {
        let (kept, broken): (Vec<&Point>, Vec<&Point>) =
            self.points.iter().partition(|point| point.late_share <= late_share);
        let cheapest = kept.iter().map(|point| point.cost).reduce(lesser)?;
        let between = kept.iter().flat_map(|kept| {
            let cheaper = broken.iter().filter(|broken| broken.cost < kept.cost);
            cheaper.map(|broken| {
                let span = greater(broken.late_share - kept.late_share, f64::MIN_POSITIVE);
                let part = (late_share - kept.late_share) / span;
                kept.cost + (broken.cost - kept.cost) * part
            })
        });
        Some(between.fold(cheapest, lesser))
    }
}

#[cfg(test)]
mod tests {
    use super::{Frontier, Point};

    fn frontier(points: &[(f64, f64)]) -> Frontier {
        let point = |&(late_share, cost)| Point { knob: 0.0, late_share, cost };
        Frontier { points: points.iter().map(point).collect() }
    }

    #[test]
    fn the_cost_lies_on_the_lower_envelope() {
        let points = [(0.0, 100.0), (0.004, 80.0), (0.006, 90.0), (0.02, 60.0), (0.05, 70.0)];
        let it = frontier(&points);
        for (late_share, cost) in [
            (0.0, 100.0),
            (0.002, 90.0),
            (0.004, 80.0),
            // Between (0.004, 80) and (0.02, 60); the dearer point at 0.006 does not matter.
            (0.012, 70.0),
            (0.02, 60.0),
            (0.9, 60.0),
        ] {
            let found = it.cost_at(late_share).unwrap();
            assert!((found - cost).abs() < 1e-9, "{found} at {late_share}");
        }
    }

    #[test]
    fn what_no_point_reaches_has_no_cost() {
        assert_eq!(frontier(&[(0.02, 60.0)]).cost_at(0.01), None);
        assert_eq!(Frontier::default().cost_at(0.01), None);
    }
}
