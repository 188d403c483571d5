//! When the gate opens and closes, and what it reports.

use super::*;
use crate::forecast::Model;
use crate::forecast::past::{Past, Scale, Steps};

const HORIZON: usize = 3;

/// A forecast that is sure of a value, up to a per cent to both sides.
fn peak(value: f64) -> Peak {
    let values = [1.0];
    let past = Past::new(Steps::new(&values, 0), Scale::new(1.0), 0);
    let heights =
        (-10..=10).map(|it| past.height_of(value * (1.0 + f64::from(it) / 1000.0))).collect();
    Peak::sample(Model::Naive, &past, past.height_of(value), heights).unwrap()
}

/// Runs so many steps of a metric at `value` with these two forecasts.
fn run(gate: &mut Gate, at: &mut i64, steps: usize, value: f64, model: f64, naive: f64) {
    for _ in 0..steps {
        *at += 1;
        gate.learn(*at, Some(value));
        gate.issue(*at, &peak(model), &peak(naive));
    }
}

#[test]
fn the_gate_opens_on_skill_and_closes_when_it_is_lost() {
    let (mut gate, mut at) = (Gate::new(HORIZON, 0.9), 0);
    assert_eq!(gate.verdict(at).reason, Reason::Stale);
    run(&mut gate, &mut at, RESOLVED_MIN + HORIZON - 1, 10.0, 10.0, 9.0);
    assert_eq!((gate.verdict(at).reason, gate.verdict(at).n_resolved), (Reason::WarmingUp, 59));
    run(&mut gate, &mut at, 1, 10.0, 10.0, 9.0);
    let open = gate.verdict(at);
    assert!(open.is_open && open.reason == Reason::Skilled && open.skill.unwrap() > 0.9);
    // As good as "no change" from here on: the old skill keeps the gate open while it is in the
    // window, and it closes when none is left.
    run(&mut gate, &mut at, WINDOW - 10, 10.0, 10.0, 10.0);
    assert!(gate.verdict(at).is_open, "{:?}", gate.verdict(at));
    run(&mut gate, &mut at, 20, 10.0, 10.0, 10.0);
    assert_eq!(gate.verdict(at).reason, Reason::Unskilled);
    assert_eq!(gate.verdict(at).n_resolved, WINDOW);
}

#[test]
fn between_the_two_bars_the_gate_stays_as_it_is() {
    // At the quantile 0.5 the loss is half the error: an error of 0.98 beside 1 is a skill of 2 %,
    // enough to stay open, not enough to open. The forecasts' 0.5 quantiles are their values.
    for (first, is_open) in [(9.8, true), (9.0, false)] {
        let (mut gate, mut at) = (Gate::new(HORIZON, 0.5), 0);
        run(&mut gate, &mut at, WINDOW, 10.0, first, 9.0);
        // One-sided errors raise the alarm as well, which is another test's matter.
        gate.closed_until = None;
        assert_eq!(gate.is_skilled, is_open);
        run(&mut gate, &mut at, WINDOW + HORIZON, 10.0, 9.02, 9.0);
        assert_eq!(gate.is_skilled, is_open, "{:?}", gate.verdict(at));
    }
}

#[test]
fn one_sided_errors_close_the_gate_for_a_while() {
    for shifted in [13.0, 7.0] {
        let (mut gate, mut at) = (Gate::new(HORIZON, 0.9), 0);
        run(&mut gate, &mut at, 100, 10.0, 10.0, 9.0);
        assert!(gate.verdict(at).is_open);
        // Two forecasts that are far off are a burst; a few more make it a change.
        run(&mut gate, &mut at, 2 * HORIZON, shifted, 10.0, 9.0);
        assert_ne!(gate.verdict(at).reason, Reason::ChangePoint, "{shifted}");
        run(&mut gate, &mut at, 3 * HORIZON, shifted, 10.0, 9.0);
        assert_eq!(gate.verdict(at).reason, Reason::ChangePoint, "{shifted}");
        assert!(!gate.verdict(at).is_open);
        run(
            &mut gate,
            &mut at,
            usize::try_from(CLOSED_AFTER_CHANGE).unwrap() + 20,
            shifted,
            shifted,
            9.0,
        );
        assert_ne!(gate.verdict(at).reason, Reason::ChangePoint, "{shifted}");
    }
}

#[test]
fn a_silent_metric_closes_the_gate_and_its_return_opens_it() {
    let (mut gate, mut at) = (Gate::new(HORIZON, 0.9), 0);
    run(&mut gate, &mut at, 100, 10.0, 10.0, 9.0);
    for silent in 1..=10 {
        at += 1;
        gate.learn(at, None);
        assert_eq!(gate.verdict(at).is_open, silent <= STALE_AFTER, "{silent}");
    }
    assert_eq!(gate.verdict(at).reason, Reason::Stale);
    run(&mut gate, &mut at, 1, 10.0, 10.0, 9.0);
    assert!(gate.verdict(at).is_open);
}

#[test]
fn coverage_is_the_share_of_peaks_below_the_quantile_served() {
    let (mut gate, mut at) = (Gate::new(1, 0.9), 0);
    // Every tenth value is above the forecast; the first is not forecast, the last not resolved.
    for step in 0..201 {
        let value = if step % 10 == 9 { 12.0 } else { 10.0 };
        run(&mut gate, &mut at, 1, value, 11.0, 11.0);
    }
    let verdict = gate.verdict(at);
    assert_eq!((verdict.n_resolved, verdict.coverage), (200, Some(0.9)));
    assert!(verdict.skill.unwrap().abs() < 1e-12);
}

#[test]
fn where_nothing_moves_there_is_no_skill_to_have() {
    let (mut gate, mut at) = (Gate::new(HORIZON, 1.0), 0);
    let zero = {
        let values = [0.0];
        let past = Past::new(Steps::new(&values, 0), Scale::new(1.0), 0);
        Peak::sample(Model::Naive, &past, 0.0, vec![0.0]).unwrap()
    };
    for _ in 0..200 {
        at += 1;
        gate.learn(at, Some(0.0));
        gate.issue(at, &zero, &zero);
    }
    assert_eq!(gate.verdict(at).reason, Reason::Unskilled);
    assert_eq!(gate.verdict(at).skill, Some(0.0));
}

#[test]
fn the_pinball_loss_charges_each_side_its_price() {
    for (forecast, actual, loss) in [(10.0, 12.0, 1.8), (12.0, 10.0, 0.2), (5.0, 5.0, 0.0)] {
        assert!((pinball(0.9, forecast, actual) - loss).abs() < 1e-12);
    }
}
