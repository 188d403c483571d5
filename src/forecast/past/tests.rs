//! Windows against their definitions, gaps, scales and the profile.

use super::*;
use proptest::prelude::*;

fn past(values: &[f64], level: f64) -> Past {
    Past::new(Steps::new(values, 99_999), Scale::new(level), 0)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

#[test]
fn short_gaps_are_bridged_and_long_ones_are_unknown_from_where_the_bridge_ends() {
    let mut values = vec![f64::NAN, 2.0, f64::NAN, -1.0, f64::INFINITY, 3.0];
    values.extend([f64::NAN; 7]);
    values.push(4.0);
    let mut bridge = Bridge::default();
    let found: Vec<f64> = values.iter().map(|it| bridge.over(*it)).collect();
    assert!(found[0].is_nan());
    assert_eq!(found[1..11], [2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
    assert!(found[11].is_nan() && found[12].is_nan());
    assert!(close(found[13], 4.0));
}

#[test]
fn steps_are_found_by_their_index() {
    let values = [1.0, f64::NAN, 3.0];
    let steps = Steps::new(&values, 12);
    assert_eq!((steps.oldest(), steps.newest()), (10, 12));
    for (index, value) in
        [(9, None), (10, Some(1.0)), (11, None), (12, Some(3.0)), (13, None), (i64::MIN, None)]
    {
        assert_eq!(steps.value(index), value, "{index}");
    }
    for (from, to, oldest, newest) in
        [(i64::MIN, i64::MAX, 10, 12), (11, 12, 11, 12), (10, 10, 10, 10), (11, 10, 11, 10)]
    {
        let part = steps.between(from, to);
        assert_eq!((part.oldest(), part.newest()), (oldest, newest), "{from} {to}");
    }
    assert_eq!(steps.between(20, 30).values.len(), 0);
    assert_eq!(steps.between(0, 5).values.len(), 0);
}

#[test]
fn the_scale_follows_the_level_that_is_hardly_exceeded() {
    let mut values = vec![40.0; 1000];
    values[..3].fill(4e6);
    for (values, level) in [
        (values.clone(), 40.0),
        (vec![0.0; 10], 1.0),
        (vec![], 1.0),
        (vec![f64::NAN], 1.0),
        ([vec![0.0; 999], vec![8.0]].concat(), 8.0),
    ] {
        assert_eq!(Steps::new(&values, 0).scale(), Scale::new(level));
    }
}

#[test]
fn the_profile_is_the_decayed_mean_around_the_same_time_of_earlier_seasons() {
    let values: Vec<f64> = (0..3 * SEASON).map(|at| (1 + at / SEASON) as f64).collect();
    let past = past(&values, 1.0);
    assert!(past.profile(SEASON - 1).is_nan());
    // Seasons of 1, 2 and 3: one back weighs 1, two back 0.7, three back 0.49.
    let [one, two, three] = [1.0, 2.0, 3.0].map(|it| past.height_of(it));
    let noon = SEASON / 2;
    assert!(close(past.profile(SEASON + noon), one));
    assert!(close(past.profile(2 * SEASON + noon), (two + 0.7 * one) / 1.7));
    assert!(close(past.profile(3 * SEASON + 20), (three + 0.7 * two + 0.49 * one) / 2.19));
    // At the edge it averages over both sides: five steps of one season, six of the next.
    assert!(close(
        past.profile(2 * SEASON),
        (5.0 * one + 6.0 * two) / 11.0 / 1.7 + 0.7 / 1.7 * one
    ));
    assert_eq!(past.profiles(0..5), None);
    assert_eq!(past.profiles(SEASON..SEASON + 5).map(<[f64]>::len), Some(5));
}

#[test]
fn the_phase_is_that_of_the_index() {
    let values = [1.0, 1.0, 1.0];
    for (newest, phase) in [(SEASON as i64 + 1, 1439), (1, 1439), (-1, 1437)] {
        assert_eq!(
            Past::new(Steps::new(&values, newest), Scale::new(1.0), 0).phase(0),
            phase,
            "{newest}"
        );
    }
}

proptest! {
    #[test]
    fn windows_are_as_they_are_defined(
        values in proptest::collection::vec(0.0..1e6, 70..200),
        at in 0usize..69,
        width in 1usize..80,
    ) {
        let past = past(&values, 40.0);
        let window = &values[(at + 1).saturating_sub(width)..=at];
        let count = window.len() as f64;
        let mean = window.iter().sum::<f64>() / count;
        prop_assert!((past.height_of_mean(at, width) - past.height_of(mean)).abs() < 1e-6);
        let heights: Vec<f64> = window.iter().map(|it| past.height_of(*it)).collect();
        let mean = heights.iter().sum::<f64>() / count;
        let variance = heights.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
        prop_assert!((past.deviation(at, width) - variance.sqrt()).abs() < 1e-5);
        let ahead = values[at + 1..].iter().take(width).copied().fold(0.0, larger);
        let is_whole = at + width < values.len();
        let peak = past.peak(at, width).map(|height| past.value_of(height));
        prop_assert_eq!(peak.is_some(), is_whole);
        prop_assert!(peak.is_none_or(|it| (it - ahead).abs() < 1e-6));
    }
}
