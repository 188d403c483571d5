//! What describes a moment of the history, for the regression and for telling similar moments.
//!
//! All of it is in heights and, but for the level itself, relative to the moment's own value: what was
//! learnt at one load then holds at another.

use crate::forecast::past::{Past, SEASON, larger};
use std::f64::consts::TAU;

/// The numbers that the regression sees.
pub(crate) const RIDGE_FEATURES: usize = 33;
/// The numbers by which moments are compared, apart from the regression's prediction.
pub(crate) const ANALOG_FEATURES: usize = 8;

/// The past values that are looked at, in steps back: dense near now, spanning an hour of minutes.
const LAGS: [usize; 10] = [1, 2, 3, 5, 8, 13, 20, 30, 45, 60];
/// The widths of trailing means.
const MEANS: [usize; 4] = [3, 10, 30, 60];
/// The widths of trailing deviations.
const DEVIATIONS: [usize; 2] = [10, 60];
/// The widths of trailing maxima.
const MAXIMA: [usize; 3] = [10, 30, 60];
/// How far ahead the profile is looked at, whatever the horizon: what comes just after the peak
/// window tells whether the profile is rising.
const PROFILE_AHEAD: usize = 30;
/// The most steps back that all have to be known.
const RECENT: usize = 60;
/// The first step that can be described: a season and its edge are needed before it.
pub(crate) const FIRST: usize = SEASON + RECENT + 10;

/// The seasons, from the last one back, of which the first known one stands in for the last.
const STAND_IN_SEASONS: usize = 7;

/// What the regression sees of a moment, written into `row`. `false` where too little is known.
pub(crate) fn ridge(past: &Past, at: usize, horizon: usize, row: &mut Vec<f64>) -> bool {
    row.clear();
    ridge_row(past, at, horizon, row).is_some() && row.iter().all(|it| it.is_finite())
}

fn ridge_row(past: &Past, at: usize, horizon: usize, row: &mut Vec<f64>) -> Option<()> {
    if !is_describable(past, at) {
        return None;
    }
    let now = past.height(at);
    row.extend(LAGS.iter().map(|lag| past.height(at - lag) - now));
    row.extend(MEANS.iter().map(|width| past.height_of_mean(at, *width) - now));
    row.extend(DEVIATIONS.iter().map(|width| past.deviation(at, *width)));
    for width in MAXIMA {
        row.push(past.largest(at + 1 - width..at + 1)? - now);
    }
    let usual = past.profile(at);
    let usual_peak = past.profiles(at + 1..at + 1 + horizon)?.iter().copied().reduce(larger)?;
    let ahead = past.profiles(at + 1..at + 1 + PROFILE_AHEAD)?;
    row.push(usual - now);
    row.push(usual_peak - now);
    row.push(ahead.iter().sum::<f64>() / PROFILE_AHEAD as f64 - now);
    row.push((usual_peak - usual).clamp(0.0, f64::MAX));
    let (season, last_peak) = last_known_peak(past, at, horizon)?;
    let peak_of = |seasons| season_peak(past, at, horizon, seasons).unwrap_or(last_peak);
    row.push(last_peak - now);
    row.push(larger(last_peak, peak_of(2)) - now);
    row.push(last_peak - past.height(at - season * SEASON));
    row.push(peak_of(7) - now);
    row.push(past.height_of_mean(at, SEASON) - now);
    let phase = past.phase(at) as f64 / SEASON as f64 * TAU;
    row.extend([phase.sin(), phase.cos(), (2.0 * phase).sin(), (2.0 * phase).cos()]);
    row.push(1.0);
    debug_assert_eq!(row.len(), RIDGE_FEATURES);
    Some(())
}

/// What tells similar moments. `None` where too little is known.
pub(crate) fn analog(past: &Past, at: usize, horizon: usize) -> Option<[f64; ANALOG_FEATURES]> {
    if !is_describable(past, at) {
        return None;
    }
    let now = past.height(at);
    let largest_profile = |steps| -> Option<f64> {
        past.profiles(at + 1..at + 1 + steps)?.iter().copied().reduce(larger)
    };
    let features = [
        now,
        past.height_of_mean(at, 3),
        past.height_of_mean(at, 10),
        past.height_of_mean(at, 30),
        past.deviation(at, 10),
        past.largest(at - 9..at + 1)? - now,
        largest_profile(horizon)? - now,
        largest_profile(PROFILE_AHEAD)? - now,
    ];
    features.iter().all(|it| it.is_finite()).then_some(features)
}

/// The same window of the last season that is known, and how many seasons ago that was.
pub(crate) fn last_known_peak(past: &Past, at: usize, horizon: usize) -> Option<(usize, f64)> {
    (1..=STAND_IN_SEASONS)
        .find_map(|seasons| Some((seasons, season_peak(past, at, horizon, seasons)?)))
}

/// The peak so many seasons ago, from now to a step after the horizon.
fn season_peak(past: &Past, at: usize, horizon: usize, seasons: usize) -> Option<f64> {
    let same = at.checked_sub(seasons * SEASON)?;
    past.largest(same..same + horizon + 2)
}

fn is_describable(past: &Past, at: usize) -> bool {
    at >= FIRST && past.is_known(at - RECENT..at + 1)
}
