//! What a forecast says: the distribution of the peak, and what it rests on.

use crate::forecast::Model;
use crate::forecast::past::{Past, Scale, nearest_rank};

/// The distribution of the peak over the next steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// The model that made it.
    pub model: Model,
    /// What the model takes to be most likely, before uncertainty is added.
    pub point: f64,
    /// How many similar moments, or earlier errors, the distribution rests on.
    pub n_similar: usize,
    /// The forecasters that voted with their weights, which sum to 1; empty for models without a
    /// vote.
    pub weights: Vec<(&'static str, f64)>,
    distribution: Distribution,
}

/// Heights of peaks in ascending order, and how to read a quantile off them.
#[derive(Clone, Debug, PartialEq)]
enum Distribution {
    /// A sample: its members are equally likely.
    Sample { sorted: Vec<f64>, scale: Scale },
    /// Quantiles at these levels, both ascending.
    Levels { levels: &'static [f64], sorted: Vec<f64>, scale: Scale },
    /// The mean of the two quantiles.
    Mean(Box<[Peak; 2]>),
}

impl Peak {
    /// A distribution of these heights of equally likely peaks, of which there is at least one.
    pub(crate) fn sample(
        model: Model,
        past: &Past,
        height_point: f64,
        heights: Vec<f64>,
    ) -> Option<Self> {
        let sorted = ascending(heights)?;
        Some(Self {
            model,
            point: past.value_of(height_point),
            n_similar: sorted.len(),
            weights: Vec::new(),
            distribution: Distribution::Sample { sorted, scale: past.scale() },
        })
    }

    /// A distribution with these heights of peaks at these levels. Where they cross, they are sorted:
    /// the result is nearer to the true quantiles than the crossing ones (Chernozhukov,
    /// Fernández-Val and Galichon, "Quantile and probability curves without crossing", 2010).
    pub(crate) fn levels(
        model: Model,
        past: &Past,
        height_point: f64,
        levels: &'static [f64],
        heights: Vec<f64>,
    ) -> Option<Self> {
        let sorted = ascending(heights)?;
        Some(Self {
            model,
            point: past.value_of(height_point),
            n_similar: 0,
            weights: Vec::new(),
            distribution: Distribution::Levels { levels, sorted, scale: past.scale() },
        })
    }

    /// The mean of two distributions, quantile by quantile.
    pub(crate) fn mean(model: Model, one: Self, other: Self) -> Self {
        Self {
            model,
            point: f64::midpoint(one.point, other.point),
            n_similar: one.n_similar.max(other.n_similar),
            weights: Vec::new(),
            distribution: Distribution::Mean(Box::new([one, other])),
        }
    }

    /// What it takes beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        let distribution = match &self.distribution {
            Distribution::Sample { sorted, .. } | Distribution::Levels { sorted, .. } => {
                sorted.capacity() * size_of::<f64>()
            }
            Distribution::Mean(both) => {
                size_of_val(&**both) + both.iter().map(Self::heap_bytes).sum::<usize>()
            }
        };
        distribution + self.weights.capacity() * size_of::<(&'static str, f64)>()
    }

    /// The distributions that this one is the mean of: those of `residualAnalog` and `analog` for
    /// `blendedAnalog`, so that all three are had for the price of one; none for other models.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        match &self.distribution {
            Distribution::Mean(both) => both.as_slice(),
            Distribution::Sample { .. } | Distribution::Levels { .. } => &[],
        }
    }

    /// The value that the peak stays below with this probability. Never negative, never NaN, and
    /// never less for a higher probability.
    #[must_use]
    pub fn quantile(&self, probability: f64) -> f64 {
        match &self.distribution {
            Distribution::Sample { sorted, scale } => {
                let place = probability.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
                let below = nearest_rank(sorted.len(), probability);
                scale.value(between(sorted, below, place - below as f64))
            }
            Distribution::Levels { levels, sorted, scale } => {
                let below = levels.partition_point(|it| *it <= probability).saturating_sub(1);
                let at = |place: usize| levels.get(place).copied().unwrap_or(1.0);
                let share =
                    ((probability - at(below)) / (at(below + 1) - at(below))).clamp(0.0, 1.0);
                scale.value(between(sorted, below, share))
            }
            Distribution::Mean(both) => {
                let [one, other] = both.as_ref();
                f64::midpoint(one.quantile(probability), other.quantile(probability))
            }
        }
    }
}

/// Sorted, and `None` unless there is something and all of it is a number.
fn ascending(mut heights: Vec<f64>) -> Option<Vec<f64>> {
    heights.sort_unstable_by(f64::total_cmp);
    (!heights.is_empty() && heights.iter().all(|it| it.is_finite())).then_some(heights)
}

/// The number that lies this share of the way from one place to the next.
fn between(sorted: &[f64], below: usize, share: f64) -> f64 {
    let low = sorted.get(below).copied().unwrap_or(f64::NAN);
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    low + (high - low) * share
}
