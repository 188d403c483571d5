//! Only changes that leave a band around the value passed on last are passed on.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::slot;
use jiff::Timestamp;
use std::time::Duration;

/// The sample, if it is further than the band from the last answer, or if the wall clock has
/// passed a multiple of `refresh` since the last sample; else the last answer.
///
/// Without the refresh two replicas that began at different times could differ by the band for
/// ever.
#[derive(Clone, Debug)]
pub(super) struct Deadband {
    band: f64,
    share: f64,
    refresh: Duration,
    /// The time of the last sample, and the last answer.
    state: Option<(Timestamp, Finite)>,
}

impl Deadband {
    pub(super) fn new(band: Finite, share: Finite, refresh: Duration) -> Self {
        Self { band: band.get(), share: share.get(), refresh, state: None }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let kept = self.state.filter(|(at, last)| {
            let share = self.share * last.get().abs();
            let reach = if share > self.band { share } else { self.band };
            let is_within = (sample.value.get() - last.get()).abs() <= reach;
            is_within && slot(*at, self.refresh) == slot(sample.at, self.refresh)
        });
        let answer = kept.map_or(sample.value, |(_, last)| last);
        self.state = Some((sample.at, answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::smooth::tests::{answers, exactly};

    #[test]
    fn small_changes_wait_for_the_refresh() {
        let number = |value| Finite::new(value).unwrap();
        for (band, share, expected) in [
            (2.0, 0.0, [100.0, 100.0, 103.0, 103.0, 104.0, 98.0]),
            (0.0, 0.05, [100.0, 100.0, 100.0, 100.0, 104.0, 98.0]),
            (3.5, 0.01, [100.0, 100.0, 100.0, 100.0, 104.0, 98.0]),
        ] {
            let refresh = Duration::from_secs(600);
            let mut deadband = Deadband::new(number(band), number(share), refresh);
            let series =
                [(0, 100.0), (15, 102.0), (30, 103.0), (599, 101.0), (600, 104.0), (615, 98.0)];
            let got = answers(|it| deadband.step(it), series);
            assert_eq!(got, exactly(expected), "{band} {share}");
        }
    }
}
