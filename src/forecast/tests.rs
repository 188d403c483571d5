//! Laws that hold for every model, and what forecasting has to achieve.

use crate::forecast::Model;
use crate::forecast::forecaster::{Forecast, Forecaster};
use crate::forecast::gate::{Reason, Verdict, pinball};
use crate::forecast::past::{Past, SEASON, Steps};
use crate::forecast::peak::Peak;
use proptest::prelude::*;

/// An index at a refit boundary, at midnight, some decades after the epoch.
const MIDNIGHT: i64 = 20_000 * SEASON as i64;
const HORIZON: usize = 5;
const LEVELS: [f64; 7] = [0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 1.0];

/// Steps of the SplitMix64 generator as normal deviates, by the sum of twelve uniform ones.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 12) as f64 / (1_u64 << 52) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A daily rhythm with noise, and a burst of ten minutes on every hour of office time.
pub(crate) fn rhythm(steps: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise::new(seed);
    let value = |step: usize| {
        let phase = (step % SEASON) as f64 / SEASON as f64;
        let day = 20.0 - 12.0 * (phase * std::f64::consts::TAU).cos();
        let is_burst = (0.35..0.75).contains(&phase) && step % 60 < 10;
        let burst = if is_burst { 12.0 } else { 0.0 };
        (day + burst) * (0.05 * noise.normal()).exp()
    };
    (0..steps).map(value).collect()
}

fn random_walk(steps: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise::new(seed);
    let mut height = 3.0;
    let mut step = || {
        height += 0.03 * noise.normal() - 0.0005 * (height - 3.0);
        f64::exp(height)
    };
    (0..steps).map(|_| step()).collect()
}

fn forecast(model: Model, values: &[f64], horizon: usize) -> Option<Peak> {
    let steps = Steps::new(values, MIDNIGHT - 1);
    let past = Past::new(steps, steps.scale(), 0);
    let at = values.len().checked_sub(1)?;
    model.fit(&past, at, horizon)?.forecast(&past, at)
}

#[test]
fn a_constant_history_forecasts_its_constant() {
    for constant in [0.0, 1e-3, 1.0, 40.0, 9e15] {
        let values = vec![constant; 3 * SEASON];
        for model in Model::ALL {
            let peak = forecast(model, &values, HORIZON).unwrap();
            for level in LEVELS {
                let found = peak.quantile(level);
                let error = (found - constant).abs();
                assert!(
                    error <= 1e-6 * constant + 1e-12,
                    "{model:?} {level}: {found} of {constant}"
                );
            }
        }
    }
}

#[test]
fn quantiles_are_numbers_that_never_fall_and_never_are_negative() {
    let mut spiky = vec![0.0; 3 * SEASON];
    for step in (0..spiky.len()).step_by(397) {
        spiky[step] = 1e6;
    }
    *spiky.last_mut().unwrap() = 1e12;
    for values in [rhythm(3 * SEASON, 1), random_walk(3 * SEASON, 2), spiky] {
        for model in Model::ALL {
            let peak = forecast(model, &values, HORIZON).unwrap();
            assert_eq!(peak.model, model);
            let mut last = 0.0;
            for percent in 0..=100 {
                let found = peak.quantile(f64::from(percent) / 100.0);
                assert!(found.is_finite() && found >= last, "{model:?} {percent}: {found} {last}");
                last = found;
            }
            for level in [-1.0, 2.0, f64::INFINITY] {
                assert!(peak.quantile(level).is_finite());
            }
        }
    }
}

#[test]
fn quantiles_scale_with_the_history() {
    let values = rhythm(3 * SEASON, 3);
    for scale in [1e-6, 1000.0] {
        let scaled: Vec<f64> = values.iter().map(|it| it * scale).collect();
        for model in Model::ALL {
            let (one, other) = (
                forecast(model, &values, HORIZON).unwrap(),
                forecast(model, &scaled, HORIZON).unwrap(),
            );
            for level in LEVELS {
                let (expected, found) = (one.quantile(level) * scale, other.quantile(level));
                let error = (found - expected).abs() / expected;
                assert!(error < 2e-3, "{model:?} {level}: {found} {expected}");
            }
        }
    }
}

#[test]
fn a_short_history_is_not_fitted() {
    for steps in [0, 1, 59, SEASON] {
        let values = rhythm(steps, 4);
        for model in [
            Model::ResidualAnalog,
            Model::Analog,
            Model::BlendedAnalog,
            Model::Ensemble,
            Model::HoltWinters,
        ] {
            assert_eq!(forecast(model, &values, HORIZON), None, "{model:?} {steps}");
        }
    }
    let unknown = vec![f64::NAN; 3 * SEASON];
    for model in Model::ALL {
        assert_eq!(forecast(model, &unknown, HORIZON), None, "{model:?}");
        assert_eq!(forecast(model, &rhythm(3 * SEASON, 5), 0), None, "{model:?}");
    }
}

#[test]
fn a_hole_around_now_leaves_no_forecast_and_an_older_one_does_no_harm() {
    let whole = rhythm(4 * SEASON, 6);
    let end = whole.len();
    for (from, to, is_answered) in
        [(end - 10, end, false), (end - 4, end, true), (end - SEASON - 30, end - SEASON + 30, true)]
    {
        let mut values = whole.clone();
        values[from..to].fill(f64::NAN);
        for model in Model::ALL {
            let peak = forecast(model, &values, HORIZON);
            assert_eq!(peak.is_some(), is_answered, "{model:?} {from}..{to}");
            assert!(peak.is_none_or(|it| it.quantile(0.9).is_finite()));
        }
    }
}

/// The forecasts of the last steps, by steps of different sizes.
fn in_batches(values: &[f64], mut forecaster: Forecaster, batches: &[usize]) -> Vec<Forecast> {
    let newest = MIDNIGHT - 1;
    let total: usize = batches.iter().sum();
    let mut forecasts = Vec::new();
    let mut at = newest + 1 - i64::try_from(total).unwrap();
    for batch in batches {
        let last = at + i64::try_from(*batch).unwrap() - 1;
        // Nothing later than the batch is shown.
        let seen = Steps::new(values, newest).between(i64::MIN, last);
        forecaster.replay(seen, at..=last, |it| forecasts.push(it));
        at = last + 1;
    }
    forecasts
}

#[test]
fn batches_do_not_change_the_answers() {
    let mut values = rhythm(3 * SEASON, 7);
    let end = values.len();
    values[end - 300..end - 280].fill(f64::NAN);
    values[end - 100..end - 97].fill(f64::NAN);
    // The batches cross a refit boundary and end within the gaps.
    for model in Model::ALL {
        let new = || Forecaster::new(model, HORIZON, 0.9);
        let all = in_batches(&values, new(), &[400]);
        assert_eq!(all.len(), 400);
        assert!(all.last().unwrap().peak.is_some());
        let batches = [30, 72, 1, 1, 196, 2, 98];
        let split = in_batches(&values, new(), &batches);
        let mut keeping = new();
        keeping.keep_past();
        let kept = in_batches(&values, keeping, &batches);
        for ((one, split), kept) in all.iter().zip(&split).zip(&kept) {
            assert_eq!(one, split, "{model:?} at {}", one.at - MIDNIGHT);
            assert_eq!(one, kept, "{model:?} at {}", one.at - MIDNIGHT);
        }
    }
}

#[test]
fn a_restarted_replica_gives_the_same_answer() {
    let values = rhythm(4 * SEASON, 8);
    let model = Model::ResidualAnalog;
    let newest = MIDNIGHT + 17;
    let steps = Steps::new(&values, newest);
    let mut running = Forecaster::new(model, HORIZON, 0.9);
    // Longer than the restarted one looks back: what was before is forgotten.
    running.replay(steps, newest - 1500..=newest - 1, |_| ());
    let mut restarted = Forecaster::resume(model, HORIZON, 0.9, steps);
    let answer = running.step(steps).unwrap();
    assert_eq!(Some(&answer), restarted.step(steps).as_ref());
    assert_eq!(answer.verdict.reason, Reason::Skilled);
    // Asking twice changes nothing, and a longer memory is not looked at.
    assert_eq!(Some(&answer), running.step(steps).as_ref());
}

#[test]
fn older_history_than_a_fit_looks_at_changes_nothing() {
    let values = rhythm(15 * SEASON, 9);
    let newest = MIDNIGHT + 3;
    let answer = |values: &[f64]| {
        Forecaster::new(Model::ResidualAnalog, HORIZON, 0.9).step(Steps::new(values, newest))
    };
    let all = answer(&values);
    assert!(all.as_ref().unwrap().peak.is_some());
    assert_eq!(all, answer(&values[SEASON..]));
}

#[test]
fn history_that_is_filled_in_is_learnt_at_once() {
    let values = rhythm(3 * SEASON, 13);
    let newest = MIDNIGHT + 17;
    let mut partly = values.clone();
    partly[..2 * SEASON].fill(f64::NAN);
    let mut forecaster = Forecaster::new(Model::Analog, HORIZON, 0.9);
    let before = forecaster.step(Steps::new(&partly, newest - 1)).unwrap();
    assert_eq!((before.peak, before.verdict.reason), (None, Reason::WarmingUp));
    let steps = Steps::new(&values, newest);
    let after = forecaster.step(steps).unwrap();
    assert!(after.peak.is_some());
    let fresh = Forecaster::new(Model::Analog, HORIZON, 0.9).step(steps).unwrap();
    assert_eq!(after.peak, fresh.peak);
}

/// Pinball losses of a model and of "no change" over the last day, and the verdicts of its last
/// quarter.
fn losses(model: Model, values: &[f64], probability: f64) -> (f64, f64, Vec<Verdict>) {
    let newest = MIDNIGHT - 1;
    let steps = Steps::new(values, newest);
    let mut forecaster = Forecaster::new(model, HORIZON, probability);
    let (mut sums, mut verdicts) = ((0.0, 0.0), Vec::new());
    forecaster.replay(steps, newest - SEASON as i64..=newest, |it| {
        let from = usize::try_from(it.at - steps.oldest()).unwrap() + 1;
        if let Some(actual) = values.get(from..from + HORIZON)
            && let (Some(peak), Some(naive)) = (&it.peak, &it.naive)
        {
            let actual =
                actual.iter().copied().reduce(|one, other| if other > one { other } else { one });
            let loss =
                |peak: &Peak| pinball(probability, peak.quantile(probability), actual.unwrap());
            sums.0 += loss(peak);
            sums.1 += loss(naive);
        }
        if it.at > newest - SEASON as i64 / 4 {
            verdicts.push(it.verdict);
        }
    });
    (sums.0, sums.1, verdicts)
}

#[test]
fn a_daily_rhythm_is_forecast_better_than_by_no_change() {
    let values = rhythm(5 * SEASON, 10);
    for (model, skill) in [
        (Model::ResidualAnalog, 0.4),
        (Model::Analog, 0.4),
        (Model::BlendedAnalog, 0.4),
        (Model::Ensemble, 0.2),
        (Model::Profile, 0.1),
    ] {
        let (loss, naive, verdicts) = losses(model, &values, 0.9);
        assert!(loss < (1.0 - skill) * naive, "{model:?}: {loss} of {naive}");
        let n_open = verdicts.iter().filter(|it| it.is_open).count();
        assert!(n_open > verdicts.len() * 3 / 4, "{model:?}: {n_open} of {}", verdicts.len());
        let coverage = verdicts.last().unwrap().coverage.unwrap();
        assert!((0.8..=1.0).contains(&coverage), "{model:?}: {coverage}");
    }
}

#[test]
fn on_a_random_walk_neither_trend_nor_profile_passes_the_gate() {
    for seed in 0..3 {
        let values = random_walk(5 * SEASON, seed);
        for model in [Model::Linear, Model::Profile, Model::Naive] {
            let (_, _, verdicts) = losses(model, &values, 0.9);
            let n_open = verdicts.iter().filter(|it| it.is_open).count();
            assert_eq!(n_open, 0, "{model:?}: {:?}", verdicts.last());
        }
    }
}

#[test]
fn an_ensemble_tells_its_weights_and_analogs_how_many_moments_are_similar() {
    let values = rhythm(3 * SEASON, 11);
    let ensemble = forecast(Model::Ensemble, &values, HORIZON).unwrap();
    let sum: f64 = ensemble.weights.iter().map(|(_, weight)| weight).sum();
    assert!((sum - 1.0).abs() < 1e-9 && ensemble.weights.len() == 6, "{:?}", ensemble.weights);
    let analog = forecast(Model::BlendedAnalog, &values, HORIZON).unwrap();
    assert_eq!((analog.n_similar, analog.weights.len()), (250, 0));
}

#[test]
fn a_blend_is_the_mean_of_the_two_models_and_carries_them() {
    let values = rhythm(3 * SEASON, 14);
    let alone = |model| forecast(model, &values, HORIZON).unwrap();
    let parts = [alone(Model::ResidualAnalog), alone(Model::Analog)];
    let blended = alone(Model::BlendedAnalog);
    assert_eq!(blended.parts(), parts);
    for level in LEVELS {
        let mean = f64::midpoint(parts[0].quantile(level), parts[1].quantile(level));
        assert!((blended.quantile(level) - mean).abs() < 1e-12 * mean, "{level}");
    }
    assert!(parts[0].parts().is_empty());
}

#[test]
fn what_is_kept_of_two_weeks_fits_the_budget() {
    let values = rhythm(15 * SEASON, 12);
    for model in [Model::BlendedAnalog, Model::Ensemble, Model::HoltWinters] {
        let mut forecaster = Forecaster::new(model, HORIZON, 0.9);
        let newest = MIDNIGHT + 300;
        forecaster.replay(Steps::new(&values, newest), newest - 300..=newest, |_| ());
        assert!(forecaster.bytes() < 144 * 1024, "{model:?}: {}", forecaster.bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever comes in, holes and nonsense included, what comes out are ascending numbers.
    #[test]
    fn no_history_makes_nonsense(
        seed in 0u64..1_000_000,
        spikes in proptest::collection::vec((0usize..3000, 0.0..1e15), 0..6),
        holes in proptest::collection::vec((0usize..3000, 1usize..200), 0..4),
        horizon in 1usize..90,
    ) {
        let mut values = rhythm(3000, seed);
        for (at, value) in spikes {
            values[at] = value;
        }
        for (at, width) in holes {
            let to = (at + width).min(values.len());
            values[at..to].fill(if width % 2 == 0 { f64::NAN } else { -1.0 });
        }
        for model in [Model::BlendedAnalog, Model::Ensemble, Model::HoltWinters, Model::Linear] {
            if let Some(peak) = forecast(model, &values, horizon) {
                let quantiles = LEVELS.map(|level| peak.quantile(level));
                prop_assert!(quantiles.iter().all(|it| it.is_finite() && *it >= 0.0));
                prop_assert!(quantiles.is_sorted(), "{model:?} {quantiles:?}");
                prop_assert!(peak.point.is_finite() && peak.point >= 0.0);
            }
        }
    }
}
