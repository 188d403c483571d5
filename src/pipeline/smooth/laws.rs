//! The laws of smoothing, over every kind of filter alone and several in a row.

use super::*;
use proptest::prelude::*;

/// How often the series come that must be forgotten.
const INTERVAL: Duration = Duration::from_secs(15);

/// What holds for a filter beyond what holds for all.
struct Laws {
    /// No answer lies outside the range of the values so far.
    stays_in_range: bool,
    /// A constant added to the values is added to the answers.
    shifts: bool,
    /// The past is forgotten after `memory()` whatever comes; else if what comes is constant.
    forgets_always: bool,
}

fn laws(setting: &Smoothing) -> Laws {
    let all = Laws { stays_in_range: true, shifts: true, forgets_always: true };
    match setting {
        Smoothing::Ewma { .. }
        | Smoothing::Hampel { .. }
        | Smoothing::Median { .. }
        | Smoothing::Kalman { .. }
        | Smoothing::WindowMax { .. }
        | Smoothing::WindowMin { .. }
        | Smoothing::WindowQuantile { .. }
        | Smoothing::Asymmetric { .. } => all,
        // A trend shoots past the end of a ramp.
        Smoothing::Holt { .. } => Laws { stays_in_range: false, ..all },
        // The speed is a share of the signal's size where no scale is given.
        Smoothing::OneEuro { scale, .. } => Laws { shifts: scale.is_some(), ..all },
        Smoothing::Deadband { share, .. } => Laws { shifts: *share == Finite::ZERO, ..all },
        // A quantile jumps between values when the weight below is almost its share.
        Smoothing::Percentile { .. } => Laws { shifts: false, forgets_always: false, ..all },
        // What it holds back for longer than its memory is not forgotten.
        Smoothing::SlewLimit { .. } => Laws { forgets_always: false, ..all },
        Smoothing::Rate { .. } => unreachable!("a rate has laws of its own"),
    }
}

/// The same filter for a metric in another unit.
fn scaled(setting: &Smoothing, factor: f64) -> Smoothing {
    let times = |value: Finite, factor: f64| number(value.get() * factor);
    match *setting {
        Smoothing::OneEuro { time_constant, speed, derivative, scale } => Smoothing::OneEuro {
            time_constant,
            speed,
            derivative,
            scale: scale.map(|it| times(it, factor)),
        },
        Smoothing::Kalman { process, measurement, initial } => Smoothing::Kalman {
            process: times(process, factor * factor),
            measurement: times(measurement, factor * factor),
            initial: times(initial, factor * factor),
        },
        Smoothing::Deadband { band, share, refresh } => {
            Smoothing::Deadband { band: times(band, factor), share, refresh }
        }
        Smoothing::SlewLimit { up_per_minute, down_per_minute } => Smoothing::SlewLimit {
            up_per_minute: up_per_minute.map(|it| times(it, factor)),
            down_per_minute: down_per_minute.map(|it| times(it, factor)),
        },
        other => other,
    }
}

fn number(value: f64) -> Finite {
    Finite::new(value).unwrap()
}

fn numbers(range: std::ops::Range<f64>) -> impl Strategy<Value = Finite> {
    range.prop_map(number)
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}

/// Whole numbers, so that sums and differences of them are exact.
fn whole(range: std::ops::Range<u32>) -> impl Strategy<Value = Finite> {
    range.prop_map(|it| number(f64::from(it)))
}

fn span(window: usize) -> Duration {
    INTERVAL * 2 * u32::try_from(window).unwrap()
}

/// Every kind of filter but the rate.
fn smoother() -> impl Strategy<Value = Smoothing> {
    let positive = || numbers(0.001..1_000.0);
    prop_oneof![
        seconds(1..600).prop_map(|half_life| Smoothing::Ewma { half_life }),
        (numbers(0.2..0.9), numbers(0.02..0.5), numbers(0.5..0.97), seconds(5..60)).prop_map(
            |(level, trend, damping, step)| Smoothing::Holt { level, trend, damping, step }
        ),
        (3usize..20, numbers(0.1..10.0)).prop_map(|(window, threshold)| Smoothing::Hampel {
            window,
            threshold,
            span: span(window)
        }),
        (3usize..20).prop_map(|window| Smoothing::Median { window, span: span(window) }),
        (
            seconds(5..300),
            numbers(0.0..10.0),
            seconds(5..100), // A full scale is of the size of the values.
            prop::option::of(whole(100_000..2_000_000))
        )
            .prop_map(|(time_constant, speed, derivative, scale)| Smoothing::OneEuro {
                time_constant,
                speed,
                derivative,
                scale
            }),
        (positive(), positive(), positive()).prop_map(|(process, measurement, initial)| {
            Smoothing::Kalman { process, measurement, initial }
        }),
        seconds(1..900).prop_map(|window| Smoothing::WindowMax { window }),
        seconds(1..900).prop_map(|window| Smoothing::WindowMin { window }),
        (seconds(1..900), numbers(0.0..1.0))
            .prop_map(|(window, quantile)| Smoothing::WindowQuantile { window, quantile }),
        (numbers(0.01..0.99), seconds(1..3_600))
            .prop_map(|(quantile, half_life)| Smoothing::Percentile { quantile, half_life }),
        (whole(0..100_000), prop_oneof![Just(Finite::ZERO), numbers(0.0..1.0)], seconds(1..900))
            .prop_map(|(band, share, refresh)| Smoothing::Deadband { band, share, refresh }),
        (seconds(0..300), seconds(0..300))
            .prop_map(|(up, down)| Smoothing::Asymmetric { up, down }),
        (prop::option::of(whole(50_000..1_000_000)), prop::option::of(whole(50_000..1_000_000)))
            .prop_map(|(up_per_minute, down_per_minute)| Smoothing::SlewLimit {
                up_per_minute,
                down_per_minute
            }),
    ]
}

fn chain() -> impl Strategy<Value = Vec<Smoothing>> {
    prop::collection::vec(smoother(), 1..4)
}

/// Gaps in milliseconds, now and then a long one.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 1i64..30_000, 1 => 30_000i64..1_000_000, 1 => 1_000_000i64..100_000_000]
}

/// Times in milliseconds and whole values.
fn series() -> impl Strategy<Value = Vec<(i64, f64)>> {
    prop::collection::vec((gap(), 0u32..1_000_000), 1..80).prop_map(|gaps| {
        let mut at = 0;
        let steps = gaps.into_iter().map(|(gap, value)| {
            at += gap;
            (at, f64::from(value))
        });
        steps.collect()
    })
}

/// What a chain answers to a series.
fn smoothed(settings: &[Smoothing], series: &[(i64, f64)]) -> Vec<f64> {
    go_on(&mut Chain::new(settings), series)
}

fn go_on(chain: &mut Chain, series: &[(i64, f64)]) -> Vec<f64> {
    let steps = series.iter().filter_map(|(millis, value)| {
        let at = Timestamp::from_millisecond(*millis).unwrap();
        let answer = chain.step(Sample { at, value: number(*value) })?;
        assert_eq!(answer.at, at, "a smoothed value is as old as its newest sample");
        Some(answer.value.get())
    });
    steps.collect()
}

/// A series on the grid of the interval, beginning after `begin` intervals.
fn on_the_grid(begin: usize, values: impl Iterator<Item = f64>) -> Vec<(i64, f64)> {
    let step = i64::try_from(INTERVAL.as_millis()).unwrap();
    let begin = i64::try_from(begin).unwrap();
    (begin..).zip(values).map(|(n, value)| (n * step, value)).collect()
}

proptest! {
    #[test]
    fn constant_in_is_constant_out(
        settings in chain(), series in series(), value in 0.0f64..1e6,
    ) {
        let series: Vec<(i64, f64)> = series.into_iter().map(|(at, _)| (at, value)).collect();
        for got in smoothed(&settings, &series) {
            prop_assert!((got - value).abs() <= value * 1e-12, "{} is not {}", got, value);
        }
    }

    #[test]
    fn another_unit_changes_nothing_but_the_unit(
        settings in chain(), series in series(), power in -8i32..8,
    ) {
        // With a power of two there is no rounding that could turn a comparison.
        let factor = 2.0_f64.powi(power);
        let other: Vec<Smoothing> = settings.iter().map(|it| scaled(it, factor)).collect();
        let moved: Vec<(i64, f64)> = series.iter().map(|(at, it)| (*at, it * factor)).collect();
        let expected: Vec<f64> =
            smoothed(&settings, &series).into_iter().map(|it| it * factor).collect();
        prop_assert_eq!(smoothed(&other, &moved), expected);
    }

    #[test]
    fn a_shift_passes_through(setting in smoother(), series in series(), shift in 0u32..1_000_000) {
        if !laws(&setting).shifts {
            return Ok(());
        }
        let shift = f64::from(shift);
        let moved: Vec<(i64, f64)> = series.iter().map(|(at, it)| (*at, it + shift)).collect();
        let plain = smoothed(&[setting], &series);
        for (got, plain) in smoothed(&[setting], &moved).into_iter().zip(plain) {
            let want = plain + shift;
            prop_assert!((got - want).abs() <= 1e-4, "{} is not {}", got, want);
        }
    }

    #[test]
    fn no_value_leaves_the_range_of_what_came_in(settings in chain(), series in series()) {
        if !settings.iter().all(|it| laws(it).stays_in_range) {
            return Ok(());
        }
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for ((_, value), got) in series.iter().zip(smoothed(&settings, &series)) {
            if *value < low { low = *value; }
            if *value > high { high = *value; }
            let slack = high * 1e-12;
            prop_assert!(got >= low - slack && got <= high + slack, "{} {}..{}", got, low, high);
        }
    }

    #[test]
    fn it_does_not_matter_where_a_series_is_cut(
        settings in chain(), series in series(), cut in any::<prop::sample::Index>(),
    ) {
        let (past, live) = series.split_at(cut.index(series.len()));
        let mut chain = Chain::new(&settings);
        let mut parts = go_on(&mut chain, past);
        // Whoever explains the chain in between changes nothing.
        prop_assert_eq!(chain.answers().count(), settings.len());
        parts.extend(go_on(&mut chain.clone(), live));
        prop_assert_eq!(parts, smoothed(&settings, &series));
    }

    #[test]
    fn the_most_extreme_values_are_survived(
        settings in chain(),
        values in prop::collection::vec(
            prop_oneof![
                Just(f64::MAX), Just(-f64::MAX), Just(f64::MIN_POSITIVE), Just(5e-324), Just(0.0),
                any::<f64>().prop_filter("finite", |it| it.is_finite()),
            ],
            1..40,
        ),
    ) {
        let is_limited = settings.iter().any(|it| matches!(it, Smoothing::SlewLimit { .. }));
        let mut chain = Chain::new(&settings);
        let begun = go_on(&mut chain, &on_the_grid(0, values.iter().copied()));
        prop_assert_eq!(begun.len(), values.len());
        // Days later nothing of it is left.
        let days: Vec<(i64, f64)> = (1..400).map(|n| (n * 86_400_000, 7.0)).collect();
        let last = go_on(&mut chain, &days).pop().unwrap();
        prop_assert!(is_limited || (last - 7.0).abs() < 1e-9, "{}", last);
    }

    #[test]
    fn a_signal_that_comes_back_after_a_long_gap_is_believed(
        settings in chain(), series in series(), value in 0u32..1_000_000,
    ) {
        let memory: Duration = settings.iter().map(|it| it.memory(INTERVAL)).sum();
        let gap = i64::try_from((memory * 10_000).as_millis()).unwrap();
        let mut chain = Chain::new(&settings);
        go_on(&mut chain, &series);
        let back = series.last().unwrap().0 + gap;
        let got = go_on(&mut chain, &[(back, f64::from(value))]).pop().unwrap();
        // A filter with a gain never believes quite all of it.
        prop_assert!((got - f64::from(value)).abs() < 1e4, "{} is not {}", got, value);
    }

    #[test]
    fn the_past_is_forgotten_after_the_backfill(
        setting in smoother(),
        pasts in prop::array::uniform2(prop::collection::vec(0u32..1_000_000, 1..30)),
        tail in prop::collection::vec(0u32..1_000_000, 50),
    ) {
        // Two replicas that began at different times agree once they have read the same history.
        let steps = setting.memory(INTERVAL).as_millis().div_ceil(INTERVAL.as_millis()) + 1;
        let steps = usize::try_from(steps).unwrap();
        let tail = if laws(&setting).forgets_always { tail } else { vec![tail[0]] };
        let history = tail.iter().cycle().take(steps).map(|it| f64::from(*it));
        let ends = pasts.map(|past| {
            let before = past.into_iter().map(f64::from);
            let mut chain = Chain::new(&[setting]);
            go_on(&mut chain, &on_the_grid(30 - before.len(), before));
            go_on(&mut chain, &on_the_grid(30, history.clone())).pop().unwrap()
        });
        // Of a million, 2^-30 is 0.001; of a percentile's bucket, a 32nd of a million, 2^-10 is 30.
        let slack = if matches!(setting, Smoothing::Percentile { .. }) { 31.0 } else { 0.05 };
        prop_assert!((ends[0] - ends[1]).abs() < slack, "{:?}", ends);
    }

    #[test]
    fn a_constant_increase_is_a_constant_rate(
        per_second in 0.0f64..1e4, begin in 0u32..1_000_000, series in series(),
        restarts in prop::collection::vec(any::<bool>(), 80),
    ) {
        let second = Duration::from_secs;
        for (least, most) in [(60, 300), (120, 120)] {
            let setting = Smoothing::Rate { least: second(least), most: second(most) };
            let mut chain = Chain::new(&[setting]);
            let (mut counter, mut before) = (f64::from(begin), None);
            for ((millis, _), is_restart) in series.iter().zip(&restarts) {
                let gap = before.map(|it| (millis - it) as f64 / 1e3);
                let counted = gap.unwrap_or_default() * per_second;
                // Whoever counts began anew just after the last sample. It is seen only if the
                // counter has not passed its old value since.
                let is_restart = *is_restart && counted < counter;
                counter = if is_restart { counted } else { counter + counted };
                before = Some(*millis);
                let at = Timestamp::from_millisecond(*millis).unwrap();
                let answer = chain.step(Sample { at, value: number(counter) });
                let is_known = gap.is_some_and(|it| it <= 300.0);
                prop_assert_eq!(answer.is_some(), is_known);
                if let Some(answer) = answer {
                    let got = answer.value.get();
                    // What is left of the digits of a large counter over a gap of a millisecond.
                    let slack = 1e-5 * (1.0 + per_second);
                    prop_assert!((got - per_second).abs() <= slack, "{} {}", got, per_second);
                }
            }
        }
    }

    #[test]
    fn where_a_counter_began_does_not_matter(series in series(), begin in 0u32..1_000_000) {
        let setting = Smoothing::Rate { least: Duration::from_secs(60), most: Duration::from_secs(300) };
        let count = |begin: f64| {
            let mut counter = begin;
            let counted: Vec<(i64, f64)> = series
                .iter()
                .map(|(at, events)| {
                    counter += events;
                    (*at, counter)
                })
                .collect();
            smoothed(&[setting], &counted)
        };
        prop_assert_eq!(count(0.0), count(f64::from(begin)));
    }
}
