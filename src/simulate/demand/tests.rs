//! The shape of the demand, its laws, and what is refused.

use std::time::Duration;

use proptest::prelude::*;

use super::{Demand, DemandSettings};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn calm() -> DemandSettings {
    DemandSettings { bursts_per_day: 0.0, ..DemandSettings::default() }
}

#[test]
fn a_day_has_its_peak_and_its_night() {
    // Mean 4, swing 0.6, peak at 15:00: 4 * 1.6 there, 4 * 0.4 twelve hours away, 4 at 9:00.
    let demand = Demand::new(1, calm()).unwrap();
    for (at, rate) in [(15 * HOUR, 6.4), (3 * HOUR, 1.6), (9 * HOUR, 4.0), (DAY + 15 * HOUR, 6.4)] {
        assert!((demand.rate_at(seconds(at)) - rate).abs() < 1e-9, "at {at} s");
    }
}

#[test]
fn a_weekend_is_quieter_and_comes_without_a_jump() {
    let demand = Demand::new(1, calm()).unwrap();
    let rate = |at: u64| demand.rate_at(seconds(at));
    for day in [5, 6, 12, 13] {
        assert!((rate(day * DAY + 15 * HOUR) - 3.2).abs() < 1e-9, "day {day}");
    }
    for day in [0, 4, 7, 11] {
        assert!((rate(day * DAY + 15 * HOUR) - 6.4).abs() < 1e-9, "day {day}");
    }
    for minute in 0..14 * 24 * 60 {
        let change = rate(60 * (minute + 1)) - rate(60 * minute);
        assert!(change.abs() < 0.05, "{change} at minute {minute}");
    }
}

#[test]
fn bursts_add_what_their_settings_say() {
    // A burst of height h adds h * (30 s / 2 + decay) requests per unit of mean rate, less the
    // e^-8 cut off; the mean height of a lognormal is size * exp(spread^2 / 2).
    let settings = DemandSettings { weekend_factor: 1.0, ..DemandSettings::default() };
    let added = 0.5 * (0.7_f64 * 0.7 / 2.0).exp() * (15.0 + 480.0) * 12.0 / 86_400.0;
    let (mut sum, mut count) = (0.0, 0);
    for seed in 0..20 {
        let demand = Demand::new(seed, settings.clone()).unwrap();
        let none = Demand::new(seed, calm()).unwrap();
        for minute in 60..5 * 24 * 60 {
            sum += demand.rate_at(seconds(60 * minute)) - none.rate_at(seconds(60 * minute));
            count += 1;
        }
    }
    let measured = sum / f64::from(count) / 4.0;
    // 1,200 bursts whose heights differ by a factor of 0.79: the standard error is 3.6 %.
    assert!((measured / added - 1.0).abs() < 0.12, "{measured} of {added}");
}

#[test]
fn arrivals_follow_the_rate_and_the_seed() {
    let settings = DemandSettings::default;
    let demand = Demand::new(7, settings()).unwrap();
    let step = seconds(15);
    let draws = |demand: &Demand| -> Vec<u64> {
        (0..DAY / 15).map(|place| demand.arrivals(seconds(15 * place), step)).collect()
    };
    let first = draws(&demand);
    assert_eq!(first, draws(&Demand::new(7, settings()).unwrap()));
    assert_ne!(first, draws(&Demand::new(8, settings()).unwrap()));

    let offered: f64 = (0..DAY / 15).map(|it| 15.0 * demand.rate_at(seconds(15 * it + 7))).sum();
    let arrived = first.iter().sum::<u64>() as f64;
    // Four standard errors of a Poisson count.
    assert!((arrived - offered).abs() < 4.0 * offered.sqrt(), "{arrived} of {offered}");
}

#[test]
fn a_long_step_offers_as_much_as_the_short_ones_in_it() {
    let demand = Demand::new(3, DemandSettings::default()).unwrap();
    let day = demand.arrivals(Duration::ZERO, seconds(DAY)) as f64;
    let short: u64 = (0..DAY / 60).map(|it| demand.arrivals(seconds(60 * it), seconds(60))).sum();
    let error = 4.0 * (2.0 * day).sqrt();
    assert!((day - short as f64).abs() < error, "{day} and {short}");
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let settings = DemandSettings::default;
    let cases = [
        (DemandSettings { mean_rate: f64::NAN, ..settings() }, "mean_rate is NaN"),
        (DemandSettings { mean_rate: -1.0, ..settings() }, "mean_rate is -1"),
        (DemandSettings { daily_swing: 1.1, ..settings() }, "daily_swing is 1.1"),
        (DemandSettings { peak_hour: 25.0, ..settings() }, "peak_hour is 25"),
        (DemandSettings { weekend_factor: f64::INFINITY, ..settings() }, "weekend_factor is inf"),
        (DemandSettings { bursts_per_day: 1e9, ..settings() }, "bursts_per_day is 1000000000"),
        (DemandSettings { burst_size: -0.5, ..settings() }, "burst_size is -0.5"),
        (DemandSettings { burst_spread: 4.0, ..settings() }, "burst_spread is 4"),
        (DemandSettings { burst_decay: Duration::ZERO, ..settings() }, "burst_decay is 0ns"),
        (DemandSettings { burst_decay: seconds(4 * HOUR), ..settings() }, "burst_decay is 14400s"),
    ];
    for (settings, begins) in cases {
        let message = Demand::new(1, settings).unwrap_err().to_string();
        assert!(message.starts_with(begins), "{message}");
    }
}

proptest! {
    #[test]
    fn the_rate_is_a_number_never_negative_and_grows_with_the_mean(
        seed in any::<u64>(),
        at in 0..400 * DAY,
        swing in 0.0..=1.0_f64,
        weekend_factor in 0.0..3.0_f64,
        mean_rate in 0.0..100.0_f64,
    ) {
        let one = DemandSettings {
            mean_rate: 1.0, daily_swing: swing, weekend_factor, ..DemandSettings::default()
        };
        let scaled = DemandSettings { mean_rate, ..one.clone() };
        let base = Demand::new(seed, one).unwrap().rate_at(seconds(at));
        let rate = Demand::new(seed, scaled).unwrap().rate_at(seconds(at));
        prop_assert!(base.is_finite() && base >= 0.0, "{base}");
        prop_assert!((rate - base * mean_rate).abs() <= 1e-9 * (1.0 + rate));
    }
}
