//! What is chosen for histories of known kinds.

use super::*;
use crate::forecast::Model;
use crate::simulate::random::Random;

/// Days of demand in pods: a rhythm with a jump at the same minutes of every hour, and noise.
pub(super) fn rhythm(seasons: usize) -> Vec<f64> {
    let mut random = Random::new(7);
    (0..seasons * SEASON)
        .map(|minute| {
            let phase = (minute % SEASON) as f64 / SEASON as f64 * std::f64::consts::TAU;
            let jump = if minute % 60 < 15 { 14.0 } else { 0.0 };
            (18.0 - 8.0 * phase.cos() + jump) * (0.04 * random.normal()).exp()
        })
        .collect()
}

pub(super) fn question(values: &[f64]) -> Question<'_> {
    Question {
        steps: Steps::new(values, 20_000 * 1_440 - 1),
        step: Duration::from_secs(60),
        horizon: 9,
        lead_time: Duration::from_secs(180),
        pod_capacity: Some(1.0),
        max_wait: Duration::from_secs(10),
        late_share: 0.005,
        drain: None,
        down_stabilization: None,
        given: Given::default(),
    }
}

#[test]
fn where_peaks_can_be_foreseen_a_forecast_is_chosen_and_cheaper() {
    let values = rhythm(4);
    let choice = choose(&question(&values)).unwrap().unwrap();
    assert_ne!(choice.chosen.model, Model::Naive);
    assert!(choice.cost_to_naive < 0.95, "{choice:?}");
    assert!(choice.late_share <= 0.005, "{choice:?}");
    assert_eq!(choice.seasons, 2);
}

#[test]
fn a_constant_load_needs_no_forecast() {
    let values = vec![12.0; 3 * SEASON];
    let choice = choose(&question(&values)).unwrap().unwrap();
    assert_eq!((choice.chosen.model, choice.chosen.headroom), (Model::Naive, 1.0));
    assert!((choice.cost_to_naive - 1.0).abs() < 1e-12);
}

#[test]
fn a_short_history_gives_no_choice() {
    let values = rhythm(2);
    assert_eq!(choose(&question(&values)).unwrap(), None);
}

#[test]
fn demand_between_means_goes_through_the_middles_of_their_steps() {
    // A sync stands for the demand in its own middle.
    let ramp = finer(&[0.0, 8.0, 16.0]);
    assert_eq!(ramp, [0.0, 0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 16.0, 16.0]);
}

#[test]
fn a_forecast_is_raised_by_what_came_since_and_no_candidate_has_a_low_quantile() {
    let values = rhythm(3);
    let ground = Ground::new(&question(&values)).unwrap();
    let all = candidates::all(Duration::from_secs(60), Given::default());
    assert!(all.iter().all(|it| it.is_naive() || it.chosen.quantile >= candidates::QUANTILE_MIN));
    let it = all.iter().find(|it| !it.is_naive() && it.chosen.headroom > 1.0).unwrap();
    let (place, known) = (WARM_UP + 50, values[WARM_UP + 50]);
    let value = |observed| it.value_since(ground.foretold(), place, (known, observed));
    assert!((it.value(ground.foretold(), place, known) - value(known)).abs() < 1e-12);
    let raised = value(known + 100.0) - value(known);
    assert!(raised >= it.chosen.headroom * 100.0 - 1e-9, "{raised}");
    assert!(value(known - 5.0) <= value(known));
}

#[test]
fn a_candidate_is_judged_with_the_samples_that_came_since_the_forecast() {
    let values = rhythm(3);
    let ground = Ground::new(&question(&values)).unwrap();
    let it = ground.candidates().into_iter().find(|it| !it.is_naive()).unwrap();
    assert_eq!(it.chosen.down_window, Duration::ZERO);
    // The jump by 14 at the full hour, of which the last whole minute knows nothing.
    let jump = WARM_UP + 120;
    let mut publish = ground.publish(&it);
    let mut published = |part: usize| {
        let sync = jump * SYNCS_PER_STEP + part;
        let seen = Seen::default();
        let observed = (values[jump - 1], ground.demand()[sync - 1]);
        let expected = it.value_since(ground.foretold(), jump - 1, observed);
        let value = publish(sync, &seen).unwrap();
        assert!((value - expected).abs() < 1e-9, "{part}: {value} {expected}");
        value
    };
    let (first, third) = (published(0), published(2));
    assert!(third > first + 5.0, "{first} {third}");
}

#[test]
fn less_late_work_is_expected_of_who_publishes_more_and_nothing_of_what_is_given() {
    let step = Duration::from_secs(60);
    let expected = |quantile, headroom, lead_time| {
        let it = candidates::candidate(Model::Analog, quantile, headroom, Duration::ZERO, 0);
        it.expected_late(lead_time).unwrap()
    };
    let five_minutes = Duration::from_secs(300);
    for (quantile, headroom, lead_time, late) in [
        (0.88, 1.0, five_minutes, 0.01),
        (0.94, 1.0, five_minutes, 0.005),
        (0.94, 1.12, five_minutes, 0.001_61),
        (0.94, 1.0, five_minutes * 2, 0.008_706),
        (0.94, 1.0, five_minutes / 5, 0.001_38),
        (0.94, 1.0, Duration::ZERO, 0.0),
    ] {
        let found = expected(quantile, headroom, lead_time);
        assert!((found - late).abs() < 1e-6, "{quantile} x{headroom} {lead_time:?}: {found}");
    }
    let is_none = |it: &Candidate| it.expected_late(five_minutes).is_none();
    let all = candidates::all(step, Given::default());
    assert!(all.iter().all(|it| is_none(it) == it.is_naive()));
    let given = Given { quantile: Some(0.9), down_window: None };
    assert!(candidates::all(step, given).iter().all(is_none));
}

#[test]
fn what_the_policy_gives_is_what_is_judged() {
    let values = rhythm(4);
    let window = Duration::from_secs(600);
    // Not one of the quantiles that are tried.
    let given = Given { quantile: Some(0.93), down_window: Some(window) };
    let given = Question { given, ..question(&values) };
    let ground = Ground::new(&given).unwrap();
    let all = ground.candidates();
    let is_given = |it: &Candidate| (it.chosen.quantile, it.chosen.down_window) == (0.93, window);
    assert!(all.iter().all(is_given), "{all:?}");
    assert_eq!(all.iter().filter(|it| !it.is_naive()).count(), 6);
    // Its forecasts lie between those of its neighbours among the quantiles that are tried.
    let tried = Ground::new(&question(&values)).unwrap().candidates();
    let value_of = |all: &[Candidate], quantile: f64| {
        let is_it =
            |it: &&Candidate| !it.is_naive() && it.chosen.quantile.total_cmp(&quantile).is_eq();
        let it = all.iter().find(is_it).unwrap();
        it.value(ground.foretold(), WARM_UP + 45, 1.0)
    };
    let (low, high) = (value_of(&tried, 0.92), value_of(&tried, 0.94));
    let between = value_of(&all, 0.93);
    assert!(low <= between && between <= high && low < high, "{low} {between} {high}");
    let chosen = choose(&given).unwrap().unwrap().chosen;
    assert_eq!((chosen.quantile, chosen.down_window), (0.93, window));
}
