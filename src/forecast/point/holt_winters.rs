//! Holt-Winters: level, damped trend and a season, each smoothed exponentially, additive in heights
//! (Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd ed., 8.3).

use crate::forecast::past::{Past, SEASON, larger, single};
use crate::forecast::point::holt::damped;
use crate::forecast::point::{Point, number};

/// Steps that share one seasonal value: with one value for each step, a season would be learnt
/// from a single noisy sample a day.
const BIN: usize = 5;
const BINS: usize = SEASON / BIN;
/// The share of a change of level that moves the trend.
const TREND_SHARE: f64 = 0.02;
/// What is left of the trend after a step.
const DAMPING: f64 = 0.97;
/// The shares of a surprise that move the level and, over a bin, the season: tried in turn, and
/// those are kept that would have been best on the past. People cannot set these by hand.
const SHARES: [(f64, f64); 6] =
    [(0.1, 0.1), (0.1, 0.3), (0.3, 0.1), (0.3, 0.3), (0.6, 0.1), (0.6, 0.3)];
/// The seasons at the end of the past on which shares are compared.
const COMPARED_SEASONS: usize = 3;
/// Every how many steps shares are compared.
const COMPARED_STRIDE: usize = 7;

/// The state after the last step.
#[derive(Clone, Debug)]
pub(crate) struct HoltWinters {
    level: f64,
    trend: f64,
    season: Vec<f32>,
    level_share: f64,
    season_share: f64,
}

impl HoltWinters {
    /// The shares that would have forecast the peaks up to `at` best, ready to learn the past from
    /// the beginning. `None` with less than two seasons, the least that tells a season from a trend.
    pub(crate) fn fit(past: &Past, at: usize, horizon: usize) -> Option<Self> {
        if at + 1 < 2 * SEASON {
            return None;
        }
        let compared_from = (at + 1).saturating_sub(COMPARED_SEASONS * SEASON);
        let error = |fitted: &Self| {
            let mut fitted = fitted.clone();
            let (mut error, mut count) = (0.0, 0.0);
            for step in 0..=at {
                fitted.learn(past, step);
                if step >= compared_from
                    && step % COMPARED_STRIDE == 0
                    && step + horizon <= at
                    && let Some(forecast) = fitted.peak(past, step, horizon)
                    && let Some(peak) = past.peak(step, horizon)
                {
                    error += (forecast - peak).abs();
                    count += 1.0;
                }
            }
            if count > 0.0 { error / count } else { f64::INFINITY }
        };
        let season = first_season(past)?;
        let candidates = SHARES.iter().map(|&(level_share, season_share)| Self {
            level: f64::NAN,
            trend: 0.0,
            season: season.clone(),
            level_share,
            season_share: season_share / BIN as f64,
        });
        candidates
            .map(|candidate| (error(&candidate), candidate))
            .min_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, candidate)| candidate)
    }

    fn season(&self, past: &Past, at: usize) -> f64 {
        self.season.get(past.phase(at) / BIN).copied().map_or(0.0, f64::from)
    }
}

impl Point for HoltWinters {
    fn learn(&mut self, past: &Past, at: usize) {
        let height = past.height(at);
        if !height.is_finite() {
            return;
        }
        let season = self.season(past, at);
        if !self.level.is_finite() {
            self.level = height - season;
            return;
        }
        let expected = self.level + DAMPING * self.trend;
        let surprise = height - season - expected;
        let level = expected + self.level_share * surprise;
        self.trend =
            TREND_SHARE * (level - self.level) + (1.0 - TREND_SHARE) * DAMPING * self.trend;
        self.level = level;
        if let Some(bin) = self.season.get_mut(past.phase(at) / BIN) {
            *bin += single(self.season_share * surprise);
        }
    }

    fn peak(&self, past: &Past, at: usize, horizon: usize) -> Option<f64> {
        number(past.height(at))?;
        let ahead = (1..=horizon).map(|steps| {
            self.level + self.trend * damped(DAMPING, steps) + self.season(past, at + steps)
        });
        number(ahead.reduce(larger)?)
    }

    fn heap_bytes(&self) -> usize {
        self.season.capacity() * size_of::<f32>()
    }
}

/// How far each bin of the first season lies from that season's mean; `None` where nothing of it is
/// known. Unknown bins begin at the mean.
fn first_season(past: &Past) -> Option<Vec<f32>> {
    let mut sums = vec![(0.0, 0.0); BINS];
    for step in 0..SEASON {
        let height = past.height(step);
        if let Some((sum, count)) =
            sums.get_mut(past.phase(step) / BIN).filter(|_| height.is_finite())
        {
            *sum += height;
            *count += 1.0;
        }
    }
    let (sum, count) = sums.iter().fold((0.0, 0.0), |all, bin| (all.0 + bin.0, all.1 + bin.1));
    if count == 0.0 {
        return None;
    }
    let mean = sum / count;
    let season = |&(sum, count): &(f64, f64)| {
        if count > 0.0 { single(sum / count - mean) } else { 0.0 }
    };
    Some(sums.iter().map(season).collect())
}
