//! The value changes at most so fast.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::seconds_between;
use jiff::Timestamp;

const SECONDS_PER_MINUTE: f64 = 60.0;

/// The sample, or what can be reached from the last answer in the time between: a long gap allows
/// a large change.
#[derive(Clone, Debug)]
pub(super) struct SlewLimit {
    up_per_minute: Option<Finite>,
    down_per_minute: Option<Finite>,
    state: Option<(Timestamp, Finite)>,
}

impl SlewLimit {
    pub(super) fn new(up_per_minute: Option<Finite>, down_per_minute: Option<Finite>) -> Self {
        Self { up_per_minute, down_per_minute, state: None }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        let mut answer = sample.value;
        if let Some((at, before)) = self.state {
            let minutes = seconds_between(at, sample.at) / SECONDS_PER_MINUTE;
            let reach = |speed: Finite| Finite::new(before.get() + speed.get() * minutes);
            let negative = |speed: Finite| Finite::new(-speed.get());
            // No limit within the range of floats is no limit.
            if let Some(most) = self.up_per_minute.and_then(reach) {
                answer = answer.min(most);
            }
            if let Some(least) = self.down_per_minute.and_then(negative).and_then(reach) {
                answer = answer.max(least);
            }
        }
        self.state = Some((sample.at, answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::smooth::tests::{answers, exactly};

    #[test]
    fn each_direction_has_its_own_limit() {
        let series = [(0, 10.0), (30, 20.0), (60, 20.0), (90, 0.0), (150, 0.0), (3_600, 500.0)];
        for (up, down, expected) in [
            (Some(8.0), Some(4.0), [10.0, 14.0, 18.0, 16.0, 12.0, 472.0]),
            (None, Some(4.0), [10.0, 20.0, 20.0, 18.0, 14.0, 500.0]),
            (Some(8.0), None, [10.0, 14.0, 18.0, 0.0, 0.0, 460.0]),
        ] {
            let [up, down] = [up, down].map(|it| it.and_then(Finite::new));
            let mut filter = SlewLimit::new(up, down);
            assert_eq!(answers(|it| filter.step(it), series), exactly(expected));
        }
    }
}
