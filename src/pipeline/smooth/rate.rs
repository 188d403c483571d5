//! The rate of one counter, over a window that is as long as the traffic demands.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::{Slots, seconds_between};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// What the counter counted, divided by the time between the first and the last sample of the
/// window, per second.
///
/// The window W is the shortest that solves `W = clamp(400 / rate, least, most)` for the rate over
/// W itself: walking back from the newest sample, it ends where it holds 400 events, or at `most`.
/// So it becomes short as soon as traffic rises. It holds two samples at least, so that a gap is
/// bridged by its mean.
///
/// A counter that falls has begun anew at zero. One that was not seen for `RATE_STALE` begins
/// anew, too: what it counted meanwhile says nothing about now.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    least: Duration,
    most: Duration,
    slots: Slots,
    last: Option<Sample>,
    /// What was counted between neighbouring samples, the newest last.
    counts: VecDeque<Count>,
    window: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    from: Timestamp,
    to: Timestamp,
    events: f64,
}

impl Rate {
    pub(super) fn new(least: Duration, most: Duration) -> Self {
        let (slots, counts) = (Slots::of(most), VecDeque::new());
        Self { least, most, slots, last: None, counts, window: None }
    }

    /// The window of the newest rate, from its first to its last sample.
    pub(super) fn window(&self) -> Option<Duration> {
        self.window
    }

    /// The rate, once there are two samples.
    pub(super) fn step(&mut self, sample: Sample) -> Option<Finite> {
        let before = self.last.replace(sample)?;
        let stale_after = limits::RATE_STALE.max(self.most);
        if seconds_between(before.at, sample.at) > stale_after.as_secs_f64() {
            self.counts.clear();
            self.window = None;
            return None;
        }
        self.count(before, sample);
        let oldest = sample.at.checked_sub(self.most).unwrap_or(Timestamp::MIN);
        while self.counts.front().is_some_and(|it| it.to <= oldest) {
            self.counts.pop_front();
        }
        self.read()
    }

    fn count(&mut self, before: Sample, now: Sample) {
        let counted = if now.value < before.value { Finite::ZERO } else { before.value };
        // Zero only where a counter is negative, which none is.
        let events = Finite::new(now.value.get() - counted.get());
        let events = events.unwrap_or(Finite::ZERO).max(Finite::ZERO).get();
        match self.counts.back_mut() {
            Some(newest) if self.slots.share_one(newest.to, now.at) => {
                newest.to = now.at;
                newest.events += events;
            }
            _ => self.counts.push_back(Count { from: before.at, to: now.at, events }),
        }
    }

    fn read(&mut self) -> Option<Finite> {
        let now = self.counts.back()?.to;
        let (least, most) = (self.least.as_secs_f64(), self.most.as_secs_f64());
        let (mut events, mut seconds) = (0.0, 0.0);
        for count in self.counts.iter().rev() {
            events += count.events;
            seconds = seconds_between(count.from, now);
            if seconds >= most || (seconds >= least && events >= limits::RATE_EVENTS) {
                break;
            }
        }
        self.window = Duration::try_from_secs_f64(seconds).ok();
        Finite::new(events / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn automatic() -> Rate {
        Rate::new(limits::RATE_WINDOW_MIN, limits::RATE_WINDOW_MAX)
    }

    fn sample(second: i64, value: f64) -> Sample {
        let at = Timestamp::from_second(second).unwrap();
        Sample { at, value: Finite::new(value).unwrap() }
    }

    fn seconds(rate: &Rate) -> Option<u64> {
        rate.window().map(|it| it.as_secs())
    }

    #[test]
    fn the_window_is_400_events_long_within_its_bounds() {
        for (per_second, expected) in
            [(0.0, 300), (0.5, 300), (1.0, 300), (2.0, 200), (4.0, 100), (10.0, 60), (1e6, 60)]
        {
            let mut rate = automatic();
            let mut last = None;
            for second in 0..=400_i32 {
                last = rate.step(sample(second.into(), f64::from(second) * per_second));
            }
            assert_eq!(last, Finite::new(per_second));
            assert_eq!(seconds(&rate), Some(expected), "{per_second}/s");
        }
    }

    #[test]
    fn a_restart_counts_from_zero_and_the_first_sample_makes_no_rate() {
        let mut rate = automatic();
        let series = [(0, 1_000.0), (15, 1_015.0), (30, 15.0), (45, 30.0)];
        let got = series.map(|(second, value)| rate.step(sample(second, value)).map(Finite::get));
        assert_eq!(got, [None, Some(1.0), Some(1.0), Some(1.0)]);
    }

    #[test]
    fn a_short_gap_is_bridged_and_a_long_one_begins_anew() {
        let mut rate = automatic();
        let series = [(0, 0.0), (15, 15.0), (215, 215.0), (600, 600.0), (615, 1_200.0)];
        let got = series.map(|(second, value)| rate.step(sample(second, value)).map(Finite::get));
        assert_eq!(got, [None, Some(1.0), Some(1.0), None, Some(40.0)]);
    }

    #[test]
    fn rising_traffic_shortens_the_window_at_once() {
        let mut rate = automatic();
        let mut counter = 0.0;
        for step in 0..40 {
            counter += 15.0 * if step < 36 { 1.0 } else { 20.0 };
            rate.step(sample(step * 15, counter));
        }
        assert_eq!(seconds(&rate), Some(60));
    }

    #[test]
    fn fast_samples_share_slots_and_lose_no_event() {
        let mut rate = automatic();
        let mut last = None;
        for n in 0..100_000_i32 {
            let at = Timestamp::from_millisecond(i64::from(n) * 20).unwrap();
            last = rate.step(Sample { at, value: Finite::new(f64::from(n) * 0.02).unwrap() });
            assert!(rate.counts.len() <= limits::SMOOTHING_SAMPLES_MAX + 2);
        }
        assert!((last.unwrap().get() - 1.0).abs() < 1e-9, "{last:?}");
    }
}
