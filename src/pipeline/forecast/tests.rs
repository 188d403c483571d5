//! What the forecast stage publishes, and when.

#![expect(clippy::float_cmp, reason = "values that must be exactly those of other stages")]

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::forecast::Model;
use crate::forecast::gate::Reason;
use crate::pipeline::forecast::{Bound, Chosen, Due, Stage, Verdict};
use crate::policy::forecast::{Choice, Forecast};
use crate::series::history::History;
use jiff::Timestamp;
use std::f64::consts::TAU;
use std::time::Duration;

const MINUTE: i64 = 60;
const DAY: i64 = 1_440;
/// A midnight.
const BEGIN: i64 = 20_000 * 86_400;

fn settings() -> Forecast {
    Forecast {
        is_shadow: false,
        model: Choice::Given(Model::ResidualAnalog),
        lead_time: Choice::Given(Duration::from_secs(180)),
        scale_target: None,
        quantile: Choice::Given(0.9),
        down_window: Choice::Given(Duration::ZERO),
        season: limits::SEASON_DEFAULT,
        max_wait: limits::MAX_WAIT_DEFAULT,
        late_share: 0.005,
        below_observed: false,
        over_history: 1.2,
        over_observed: 3.0,
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + minute * MINUTE).unwrap()
}

/// A daily rhythm with a jump every hour, and a little of what looks like chance.
fn rhythm(minute: i64) -> f64 {
    let phase = minute.rem_euclid(DAY) as f64 / DAY as f64 * TAU;
    let jump = if minute.rem_euclid(60) < 12 { 12.0 } else { 0.0 };
    20.0 - 10.0 * phase.cos() + jump + ((minute * 7_919) % 13) as f64 / 13.0
}

/// A history of the minutes before `end`.
fn history(end: i64, value: impl Fn(i64) -> f64) -> History {
    let mut history = History::new(
        limits::SEASON_DEFAULT,
        limits::HISTORY_STEPS_PER_SEASON,
        Duration::from_secs(60),
    );
    for minute in 0..end {
        let value = Finite::new(value(minute)).unwrap();
        history.record(Sample { at: at(minute), value }, at(minute));
    }
    history
}

/// The largest value of these minutes, as the history holds it.
fn highest(history: &History, minutes: std::ops::Range<i64>) -> f64 {
    let (from, to) = (history.index_of(at(minutes.start)), history.index_of(at(minutes.end)));
    f64::from(history.values(from, to).reduce(f32::max).unwrap())
}

fn lead() -> Duration {
    Duration::from_secs(180)
}

/// A stage that has answered for the last step before `minute`.
fn answered(settings: &Forecast, history: &History, minute: i64) -> Stage {
    let mut stage = Stage::default();
    let job = stage_job(&mut stage, settings, history, minute);
    stage.take(job.run());
    stage
}

fn stage_job(
    stage: &mut Stage,
    settings: &Forecast,
    history: &History,
    minute: i64,
) -> crate::pipeline::forecast::Job {
    stage.job(settings, history, lead(), true, at(minute)).unwrap()
}

fn observed(value: f64) -> Finite {
    Finite::new(value).unwrap()
}

#[test]
fn the_peak_ahead_is_published_before_it_comes() {
    let settings = settings();
    // Three minutes before a jump that comes every hour.
    let now = 4 * DAY + 13 * 60 - 3;
    let history = history(now, rhythm);
    let stage = answered(&settings, &history, now);
    let value = rhythm(now - 1);
    let told = stage.tell(&settings, &history, observed(value), at(now));
    assert_eq!((told.verdict, told.bound), (Verdict::Active, Bound::Forecast));
    assert!(told.value.get() > value + 9.0, "{} after {value}", told.value);
    assert!(told.value.get() < value + 16.0, "{} after {value}", told.value);
}

#[test]
fn a_shadow_is_shown_and_the_observed_value_published() {
    let settings = Forecast { is_shadow: true, ..settings() };
    let now = 4 * DAY + 13 * 60 - 3;
    let history = history(now, rhythm);
    let stage = answered(&settings, &history, now);
    let told = stage.tell(&settings, &history, observed(20.0), at(now));
    assert_eq!((told.verdict, told.value.get()), (Verdict::Shadow, 20.0));
    assert!(told.forecast.unwrap() > 30.0, "{told:?}");
}

#[test]
fn nothing_is_published_below_the_observed_value_unless_that_is_wanted() {
    let now = 4 * DAY + 13 * 60 - 3;
    let history = history(now, rhythm);
    for (below_observed, bound) in [(false, Bound::Observed), (true, Bound::Forecast)] {
        let settings = Forecast { below_observed, model: Choice::Auto, ..settings() };
        let mut stage = answered(&settings, &history, now);
        stage.choose(Chosen { headroom: 0.4, ..Chosen::default() });
        let value = rhythm(now - 1);
        let told = stage.tell(&settings, &history, observed(value), at(now));
        assert_eq!(told.bound, bound);
        assert_eq!(told.value.get() < value, below_observed, "{told:?}");
    }
}

#[test]
fn what_the_observed_value_rose_since_a_forecast_was_made_raises_it() {
    let now = 4 * DAY + 13 * 60 - 3;
    let history = history(now, rhythm);
    let known = f64::from(history.values(history.index_of(at(now - 1)), i64::MAX).next().unwrap());
    for (below_observed, rose, rise) in
        [(false, 0.0, 0.0), (false, 2.5, 2.5), (false, -2.5, 0.0), (true, 2.5, 0.0)]
    {
        let settings = Forecast { below_observed, ..settings() };
        let stage = answered(&settings, &history, now);
        let plain = stage.tell(&settings, &history, observed(known), at(now));
        let told = stage.tell(&settings, &history, observed(known + rose), at(now));
        // A history keeps five digits.
        assert!((f64::from(told.rise) - rise).abs() < 1e-3, "{told:?}");
        let raised = told.forecast.unwrap() - plain.forecast.unwrap();
        assert!((raised - rise).abs() < 1e-3, "{told:?}");
    }
}

#[test]
fn the_rounding_of_the_history_is_no_rise() {
    let now = 4 * DAY + 13 * 60 - 3;
    for value in [0.1, 13.37, 99_999.9, 1e7 / 3.0] {
        let history = history(now, |_| value);
        let stage = answered(&settings(), &history, now);
        let told = stage.tell(&settings(), &history, observed(value), at(now));
        assert_eq!(told.rise, 0.0, "{value}");
    }
}

#[test]
fn a_forecast_is_cut_by_its_limits() {
    let now = 4 * DAY + 13 * 60 - 3;
    let history = history(now, rhythm);
    let value = rhythm(now - 1);
    let settings = Forecast { over_observed: 1.1, ..settings() };
    let stage = answered(&settings, &history, now);
    let told = stage.tell(&settings, &history, observed(value), at(now));
    assert_eq!((told.bound, told.value.get()), (Bound::OverObserved, 1.1 * value));
    let highest = highest(&history, 0..now);
    let settings = Forecast { over_history: 1.0, over_observed: 100.0, ..settings };
    let stage = {
        let mut stage = answered(&settings, &history, now);
        stage.choose(Chosen { headroom: 10.0, ..Chosen::default() });
        stage
    };
    // A given model has no headroom, so the policy leaves the model to `auto` here.
    let settings = Forecast { model: Choice::Auto, ..settings };
    let told = stage.tell(&settings, &history, observed(value), at(now));
    assert_eq!((told.bound, told.value.get()), (Bound::OverHistory, highest));
}

#[test]
fn a_down_window_holds_the_largest_value_of_late_and_survives_a_restart() {
    let window = Duration::from_secs(15 * 60);
    let settings = Forecast { down_window: Choice::Given(window), ..settings() };
    let now = 4 * DAY + 13 * 60 + 20;
    let history = history(now, rhythm);
    let told = |stage: &Stage| stage.tell(&settings, &history, observed(15.0), at(now));
    let restarted = answered(&settings, &history, now);
    assert_eq!(told(&restarted).bound, Bound::DownWindow);
    let highest = highest(&history, now - 15..now);
    assert!(told(&restarted).value.get() >= highest, "{:?}", told(&restarted));
    // One that was there all the while says the same.
    let mut old = Stage::default();
    for minute in now - 30..=now {
        let past = self::history(minute, rhythm);
        let done = stage_job(&mut old, &settings, &past, minute).run();
        old.take(done);
    }
    assert_eq!(told(&old), told(&restarted));
}

#[test]
fn without_enough_history_or_skill_the_observed_value_is_published() {
    let settings = settings();
    let short = history(DAY, rhythm);
    let mut stage = Stage::default();
    assert!(stage.job(&settings, &short, lead(), true, at(DAY)).is_none());
    let told = stage.tell(&settings, &short, observed(20.0), at(DAY));
    assert_eq!((told.verdict, told.value.get()), (Verdict::WarmingUp, 20.0));
    // Of a random walk nobody knows more than where it is; only luck looks like skill.
    let n_gated = (1..=6).filter(|seed| is_gated_on_a_walk(&settings, *seed)).count();
    assert!(n_gated >= 4, "{n_gated}");
}

fn is_gated_on_a_walk(settings: &Forecast, seed: u64) -> bool {
    let mut random = seed;
    let mut value = 20.0;
    let walk: Vec<f64> = (0..3 * DAY)
        .map(|_| {
            // The generator of Knuth's MMIX; its high bits are the good ones.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            value *= 1.0 + 0.02 * ((random >> 33) as f64 / f64::from(1_u32 << 31) - 0.5);
            value
        })
        .collect();
    let now = 3 * DAY;
    let history = history(now, |minute| walk[usize::try_from(minute).unwrap()]);
    let settings = &Forecast { model: Choice::Given(Model::Linear), ..settings.clone() };
    let stage = answered(settings, &history, now);
    let told = stage.tell(settings, &history, observed(value), at(now));
    match told.verdict {
        Verdict::Gated(Reason::Unskilled) => {
            assert_eq!(told.value.get(), value);
            true
        }
        _ => false,
    }
}

#[test]
fn a_forecast_that_nothing_renews_is_dropped() {
    let settings = settings();
    let now = 4 * DAY + 13 * 60 - 3;
    let history = history(now, rhythm);
    let stage = answered(&settings, &history, now);
    for (later, verdict) in [(3, Verdict::Active), (4, Verdict::Late)] {
        let told = stage.tell(&settings, &history, observed(20.0), at(now + later));
        assert_eq!(told.verdict, verdict, "{later} minutes later");
    }
}

#[test]
fn a_change_of_what_is_wanted_makes_a_new_forecaster_and_drops_a_late_job() {
    let settings = settings();
    let now = 2 * DAY;
    let history = history(now, rhythm);
    let mut stage = answered(&settings, &history, now);
    assert!(stage.job(&settings, &history, lead(), true, at(now)).is_none(), "answered");
    let other = Forecast { quantile: Choice::Given(0.99), ..settings.clone() };
    let job = stage.job(&other, &history, lead(), true, at(now)).unwrap();
    assert!(stage.job(&other, &history, lead(), true, at(now)).is_none(), "away");
    stage.begin_anew();
    stage.take(job.run());
    assert!(stage.answer().is_none(), "a job for what is no longer wanted");
}

#[test]
fn the_score_is_replayed_once_the_history_is_whole_and_no_step_waits_for_it() {
    let settings = settings();
    let now = 4 * DAY + 13 * 60;
    let mut stage = Stage::default();
    let mut work = |minute: i64, is_whole: bool| {
        let history = history(minute, rhythm);
        let due = stage.due(&settings, &history, lead(), is_whole, at(minute));
        let job = stage.job(&settings, &history, lead(), is_whole, at(minute));
        assert_eq!(due.is_some(), job.is_some());
        job.into_iter().for_each(|it| stage.take(it.run()));
        due
    };
    assert_eq!(work(now, false), Some(Due::Fit));
    assert_eq!(work(now, false), None, "answered");
    // Whole by now.
    assert_eq!(work(now + 1, true), Some(Due::Step));
    assert_eq!(work(now + 1, true), Some(Due::Fit));
    assert_eq!(work(now + 1, true), None);
    assert_eq!(work(now + 2, true), Some(Due::Step));
}
