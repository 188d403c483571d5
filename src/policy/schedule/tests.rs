//! A value for each instant, as the windows say.

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
        assert_eq!(plan.value(at(time)), finite(value), "{time}");
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
        assert_eq!(plan.value(at(time)), finite(value), "{time}");
    }
}

#[test]
fn a_window_that_ends_when_the_next_one_begins_stays_open() {
    let end = End::At(cron("0 0 * * 2-6"));
    let plan = schedule(vec![repeated("0 0 * * 1-5", end, 20.0)], 0, 0);
    for (time, value) in [
        // Sunday, Monday, Tuesday; Friday, Saturday.
        ("2026-01-11T22:59:59Z", 0.0),
        ("2026-01-11T23:00:00Z", 20.0),
        ("2026-01-12T23:00:00Z", 20.0),
        ("2026-01-16T22:59:59.9Z", 20.0),
        ("2026-01-16T23:00:00Z", 0.0),
    ] {
        assert_eq!(plan.value(at(time)), finite(value), "{time}");
    }
}

#[test]
fn the_hour_that_summer_takes_or_gives_twice_does_not_lose_a_window() {
    let end = End::After(Duration::from_secs(1_800));
    let plan = schedule(vec![repeated("30 2 * * *", end, 7.0)], 0, 0);
    let value = |time: &str| plan.value(at(time)).get();
    // 02:30 is left out on 29 March, and is there twice on 25 October.
    let spring: Vec<f64> = ["01:00", "01:30", "02:00"]
        .iter()
        .map(|time| value(&format!("2026-03-29T{time}:00Z")))
        .collect();
    assert!(spring.contains(&7.0), "{spring:?}");
    let autumn = [value("2026-10-25T00:30:00Z"), value("2026-10-25T01:30:00Z")];
    assert!(autumn.contains(&7.0), "{autumn:?}");
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
        assert_eq!(plan.value(at(&format!("2026-11-23T{time}:00Z"))), finite(value), "{time}");
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
            assert_eq!(plan.value(at(time)), finite(value), "{time}");
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
        assert_eq!(plan.value(at(time)), finite(value), "{time}");
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
        let most = values.iter().copied().map(finite).max().unwrap();
        let now = Timestamp::from_second(seconds).unwrap();
        let value = plan.value(now);
        prop_assert!((Finite::ZERO..=most).contains(&value));
        // Looking farther ahead never finds less.
        let farther = Schedule { ahead: plan.ahead + Duration::from_secs(3_600), ..plan };
        prop_assert!(farther.value(now) >= value);
    }

    #[test]
    fn a_way_through_the_past_finds_what_each_instant_finds_alone(
        seconds in 1_790_000_000i64..1_800_000_000,
        step in 1u64..20_000,
        ramp in 0u64..7_200,
        ahead in 0u64..7_200,
    ) {
        let for_hours = |hours: u64| End::After(Duration::from_secs(hours * 3_600));
        let plan = schedule(
            vec![
                repeated("0 8 * * 1-5", End::At(cron("30 17 * * *")), 3.0),
                repeated("0 0 * * 6", for_hours(40), 2.0),
                repeated("0 * * * *", for_hours(1), 1.0),
                once("2026-11-23T10:00:00Z", "2026-12-23T12:00:00Z", 2.5),
            ],
            ramp,
            ahead,
        );
        let [from, to] = [0, 2_000_000].map(|it| Timestamp::from_second(seconds + it).unwrap());
        let samples = plan.samples((from, to), Duration::from_secs(step));
        prop_assert_eq!(samples.len() as u64, 2_000_000 / step + 1);
        prop_assert_eq!(samples[0].at, from);
        for sample in samples.iter().step_by(samples.len() / 50 + 1) {
            prop_assert_eq!(sample.value, plan.value(sample.at));
        }
    }
}
