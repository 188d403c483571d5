//! A calendar: a number for each instant that is known beforehand, such as the pods that a match, a
//! campaign or the working day needs.
//!
//! A window has a value from its beginning to its end, and a ramp before and after; several at once
//! count by the largest, and outside of all there is nothing planned, which is zero and not unknown.
//! The ramp climbs in steps, `floor(share × steps) × value / steps`, as the ScalingSchedule of
//! kube-metrics-adapter does, so that each step exceeds the HPA's tolerance. Windows repeat by cron
//! (five fields, in a time zone that knows summer) or are once.

use crate::domain::finite::Finite;
use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use std::time::Duration;

/// What is planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// When which value is due.
    pub windows: Vec<Window>,
    /// How long before a window its value begins to be approached, and after it to be left.
    pub ramp: Duration,
    /// In how many steps; at least 1.
    pub steps: u32,
    /// How far ahead is looked: the value is the largest until then.
    pub ahead: Duration,
    /// Whose clock cron means.
    pub zone: TimeZone,
}

/// A value for some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// When.
    pub when: When,
    /// The value.
    pub value: Finite,
}

/// When a window is open.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// From one instant to before another.
    Once {
        /// The beginning.
        from: Timestamp,
        /// The end.
        to: Timestamp,
    },
    /// Again and again.
    Repeated {
        /// When it begins.
        start: Box<Cron>,
        /// When it ends.
        end: End,
    },
}

/// When a window that repeats ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// So long after it began.
    After(Duration),
    /// At the next of these moments.
    At(Box<Cron>),
}

impl Schedule {
    /// What is planned for the time from `at` until as far ahead as is looked.
    #[must_use]
    pub fn value(&self, at: Timestamp) -> Finite {
        let until = at.checked_add(self.ahead).unwrap_or(at);
        let due = self.windows.iter().filter_map(|window| {
            let share = self.share(&window.when, at, until);
            Finite::new(window.value.get() * share)
        });
        due.max().unwrap_or(Finite::ZERO)
    }

    /// The largest share of a window's value between two instants. Between ramps that fall and rise
    /// it lies at one of the ends, unless the window opens in between.
    fn share(&self, when: &When, at: Timestamp, until: Timestamp) -> f64 {
        let now = self.share_at(when, at);
        if now >= 1.0 || until <= at {
            return now;
        }
        let opens = self.next_start(when, at).is_some_and(|start| start <= until);
        let then = if opens { 1.0 } else { self.share_at(when, until) };
        if then > now { then } else { now }
    }

    fn share_at(&self, when: &When, at: Timestamp) -> f64 {
        if self.is_open(when, at) {
            return 1.0;
        }
        let before = self.next_start(when, at).map(|start| start.duration_since(at));
        let after = self.last_end(when, at).map(|end| at.duration_since(end));
        let shares = [before, after].into_iter().flatten().map(|it| self.ramp_share(it));
        shares.fold(0.0, |most, it| if it > most { it } else { most })
    }

    /// The share of the value this far from a window.
    fn ramp_share(&self, distance: SignedDuration) -> f64 {
        let (ramp, steps) = (self.ramp.as_secs_f64(), f64::from(self.steps));
        let distance = distance.as_secs_f64();
        if ramp <= 0.0 || distance >= ramp {
            return 0.0;
        }
        ((1.0 - distance / ramp) * steps).floor() / steps
    }

    fn is_open(&self, when: &When, at: Timestamp) -> bool {
        match when {
            When::Once { from, to } => *from <= at && at < *to,
            When::Repeated { start, end } => {
                let Some(began) = self.last(start, at) else { return false };
                match end {
                    End::After(length) => began.checked_add(*length).is_ok_and(|it| at < it),
                    End::At(end) => self.last(end, at).is_none_or(|it| it < began),
                }
            }
        }
    }

    /// When it opens next, after `at`.
    fn next_start(&self, when: &When, at: Timestamp) -> Option<Timestamp> {
        match when {
            When::Once { from, .. } => Some(*from).filter(|it| *it > at),
            When::Repeated { start, .. } => {
                let next = start.find_next_occurrence(&self.local(at), false).ok()?;
                Some(next.timestamp())
            }
        }
    }

    /// When it closed last, at or before `at`, at which it is not open.
    fn last_end(&self, when: &When, at: Timestamp) -> Option<Timestamp> {
        match when {
            When::Once { to, .. } => Some(*to).filter(|it| *it <= at),
            When::Repeated { start, end: End::After(length) } => {
                self.last(start, at)?.checked_add(*length).ok()
            }
            When::Repeated { end: End::At(end), .. } => self.last(end, at),
        }
    }

    fn last(&self, cron: &Cron, at: Timestamp) -> Option<Timestamp> {
        let last = cron.find_previous_occurrence(&self.local(at), true).ok()?;
        Some(last.timestamp())
    }

    fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(windows: Vec<Window>, ramp: u64, ahead: u64) -> Schedule {
        let [ramp, ahead] = [ramp, ahead].map(Duration::from_secs);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        Schedule { windows, ramp, steps: 10, ahead, zone }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn finite(value: f64) -> Finite {
        Finite::new(value).unwrap()
    }

    fn once(from: &str, to: &str, value: f64) -> Window {
        Window { when: When::Once { from: at(from), to: at(to) }, value: finite(value) }
    }

    fn cron(text: &str) -> Box<Cron> {
        Box::new(text.parse().unwrap())
    }

    fn repeated(start: &str, end: End, value: f64) -> Window {
        let when = When::Repeated { start: cron(start), end };
        Window { when, value: finite(value) }
    }

    #[test]
    fn a_window_has_its_value_from_its_beginning_to_before_its_end() {
        let plan = schedule(vec![once("2026-11-23T10:00:00Z", "2026-11-23T12:00:00Z", 8.0)], 0, 0);
        for (time, value) in [
            ("2026-11-23T09:59:59Z", 0.0),
            ("2026-11-23T10:00:00Z", 8.0),
            ("2026-11-23T11:59:59Z", 8.0),
            ("2026-11-23T12:00:00Z", 0.0),
        ] {
            assert_eq!(plan.value(at(time)).get(), value, "{time}");
        }
    }

    /// The worked example of kube-metrics-adapter's ramp: ten minutes, ten steps, a value of 100.
    #[test]
    fn a_ramp_climbs_in_steps_before_a_window_and_falls_after_it() {
        let windows = vec![once("2026-11-23T10:00:00Z", "2026-11-23T12:00:00Z", 100.0)];
        let plan = schedule(windows, 600, 0);
        for (time, value) in [
            ("2026-11-23T09:50:00Z", 0.0),
            ("2026-11-23T09:50:59Z", 0.0),
            ("2026-11-23T09:51:00Z", 10.0),
            ("2026-11-23T09:55:30Z", 50.0),
            ("2026-11-23T09:59:30Z", 90.0),
            ("2026-11-23T10:00:00Z", 100.0),
            ("2026-11-23T12:00:00Z", 100.0),
            ("2026-11-23T12:00:30Z", 90.0),
            ("2026-11-23T12:09:30Z", 0.0),
            ("2026-11-23T12:11:00Z", 0.0),
        ] {
            assert_eq!(plan.value(at(time)).get(), value, "{time}");
        }
    }

    #[test]
    fn of_windows_at_once_the_largest_counts() {
        let plan = schedule(
            vec![
                once("2026-11-23T10:00:00Z", "2026-11-23T14:00:00Z", 5.0),
                once("2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z", 9.0),
            ],
            0,
            0,
        );
        for (time, value) in [("10:30", 5.0), ("11:30", 9.0), ("12:30", 5.0), ("14:30", 0.0)] {
            assert_eq!(plan.value(at(&format!("2026-11-23T{time}:00Z"))).get(), value, "{time}");
        }
    }

    #[test]
    fn working_hours_follow_the_clock_of_their_zone_through_summer_and_winter() {
        for end in [End::At(cron("0 18 * * 1-5")), End::After(Duration::from_secs(10 * 3_600))] {
            let plan = schedule(vec![repeated("0 8 * * 1-5", end, 20.0)], 0, 0);
            for (time, value) in [
                // Berlin is an hour ahead of UTC in winter and two in summer.
                ("2026-01-12T06:59:59Z", 0.0),
                ("2026-01-12T07:00:00Z", 20.0),
                ("2026-01-12T16:59:59Z", 20.0),
                ("2026-01-12T17:00:00Z", 0.0),
                ("2026-07-13T06:00:00Z", 20.0),
                ("2026-07-13T16:00:00Z", 0.0),
                // A Saturday.
                ("2026-01-17T10:00:00Z", 0.0),
            ] {
                assert_eq!(plan.value(at(time)).get(), value, "{time}");
            }
        }
    }

    #[test]
    fn whoever_looks_ahead_sees_a_window_before_it_opens_and_until_it_closes() {
        let plan = schedule(vec![once("2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z", 8.0)], 0, 300);
        for (time, value) in [
            ("2026-11-23T09:54:59Z", 0.0),
            ("2026-11-23T09:55:00Z", 8.0),
            ("2026-11-23T10:00:59Z", 8.0),
            ("2026-11-23T10:01:00Z", 0.0),
        ] {
            assert_eq!(plan.value(at(time)).get(), value, "{time}");
        }
    }

    proptest! {
        #[test]
        fn a_value_lies_between_nothing_and_the_largest_of_the_windows(
            seconds in 1_790_000_000i64..1_800_000_000,
            ramp in 0u64..7_200,
            ahead in 0u64..7_200,
            values in proptest::collection::vec(0.0f64..1e6, 1..5),
        ) {
            let crons = ["0 8 * * 1-5", "30 */2 * * *", "15 3 1 * *", "0 0 * * SUN", "59 23 * * *"];
            let windows = values.iter().zip(crons).map(|(value, start)| {
                repeated(start, End::After(Duration::from_secs(1_800)), *value)
            });
            let plan = schedule(windows.collect(), ramp, ahead);
            let most = values.iter().copied().fold(0.0, f64::max);
            let now = Timestamp::from_second(seconds).unwrap();
            let value = plan.value(now).get();
            prop_assert!((0.0..=most).contains(&value));
            // Looking farther ahead never finds less.
            let farther = Schedule { ahead: plan.ahead + Duration::from_secs(3_600), ..plan };
            prop_assert!(farther.value(now).get() >= value);
        }
    }
}
