//! The compact library against exact arithmetic, and what the regression must see.

use super::*;
use crate::forecast::features::ANALOG_FEATURES;
use crate::forecast::past::{SEASON, Steps};
use crate::forecast::tests::rhythm;

const HORIZON: usize = 5;

/// Peaks by the same method without rounding.
fn exact(
    moments: &[Moment],
    features: &[f64; ANALOG_FEATURES],
    prediction: f64,
    weight: f64,
) -> Vec<f64> {
    let deviation = |feature: &dyn Fn(&Moment) -> f64| {
        let count = moments.len() as f64;
        let mean = moments.iter().map(feature).sum::<f64>() / count;
        (moments.iter().map(|it| (feature(it) - mean).powi(2)).sum::<f64>() / count).sqrt()
    };
    let scales: Vec<f64> =
        (0..ANALOG_FEATURES).map(|place| deviation(&|it| it.features[place])).collect();
    let scale = deviation(&|it| it.prediction) / weight;
    let distance = |it: &Moment| {
        let own: f64 = (0..ANALOG_FEATURES)
            .map(|place| ((it.features[place] - features[place]) / scales[place]).powi(2))
            .sum();
        if weight > 0.0 { own + ((it.prediction - prediction) / scale).powi(2) } else { own }
    };
    let mut order: Vec<(f64, f64)> = moments
        .iter()
        .map(|it| (distance(it), if weight > 0.0 { it.change - it.prediction } else { it.change }))
        .collect();
    order.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut changes: Vec<f64> = order[..NEIGHBOURS].iter().map(|it| it.1).collect();
    changes.sort_by(f64::total_cmp);
    changes
}

#[test]
fn a_byte_for_a_feature_is_enough() {
    let values = rhythm(5 * SEASON, 21);
    let steps = Steps::new(&values, 1_000_000);
    let past = Past::new(steps, steps.scale(), 0);
    let at = values.len() - 200;
    let fitted = Analogs::fit(Model::ResidualAnalog, &past, at, HORIZON).unwrap();
    let plain = Analogs::fit(Model::Analog, &past, at, HORIZON).unwrap();
    let mut row = Vec::new();
    let moments: Vec<Moment> = resolved(at, HORIZON)
        .filter(|it| is_kept(&past, *it))
        .filter_map(|it| moment(&past, it, HORIZON, &fitted.ridge, &mut row))
        .collect();
    let mut errors = Vec::new();
    for now in (at..at + 200).step_by(10) {
        let features = features::analog(&past, now, HORIZON).unwrap();
        let prediction = predict(&past, now, HORIZON, &fitted.ridge, &mut row).unwrap();
        for (model, weight) in [(&fitted, f64::from(PREDICTION_WEIGHT)), (&plain, 0.0)] {
            let peak = model.forecast(&past, now).unwrap();
            let changes = exact(&moments, &features, prediction, weight);
            let base = past.height(now) + if weight > 0.0 { prediction } else { 0.0 };
            for level in [0.5, 0.8, 0.9, 0.95] {
                let place = level * (NEIGHBOURS - 1) as f64;
                let below = changes[nearest_rank_of(place)];
                let above = changes[nearest_rank_of(place) + 1];
                let expected = past.value_of(base + below + (above - below) * place.fract());
                errors.push((peak.quantile(level) / expected - 1.0).abs());
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    let (median, worst) = (errors[errors.len() / 2], errors[errors.len() - 1]);
    assert!(median < 0.001 && worst < 0.02, "median {median}, worst {worst}");
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small place")]
fn nearest_rank_of(place: f64) -> usize {
    place.floor() as usize
}

#[test]
fn moments_resolved_since_the_fit_are_among_the_neighbours() {
    let mut values = rhythm(3 * SEASON, 22);
    // Since the fit, bursts of a kind that the past did not know: every twenty steps, a threefold.
    let from = values.len() - 200;
    for (place, value) in values[from..].iter_mut().enumerate() {
        if place % 20 < 5 {
            *value *= 3.0;
        }
    }
    let steps = Steps::new(&values, 1_000_000);
    let past = Past::new(steps, steps.scale(), 0);
    let mut learning = Analogs::fit(Model::Analog, &past, from, HORIZON).unwrap();
    let before = learning.library.len();
    let at = values.len() - 1;
    let forgetful = learning.forecast(&past, at).unwrap().quantile(0.95);
    (from + 1..=at).for_each(|step| learning.learn(&past, step));
    assert_eq!(learning.library.len() - before, 100 - usize::from(!is_kept(&past, at - HORIZON)));
    assert!(learning.forecast(&past, at).unwrap().quantile(0.95) > forgetful);
}
