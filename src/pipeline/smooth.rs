//! Smoothing: filters that know the time between samples, one after the other.

mod ewma;

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::policy::Smoothing;
use ewma::Ewma;

/// The filters of one object, in the policy's order.
#[derive(Clone, Debug)]
pub struct Chain(Vec<Filter>);

/// Every kind of filter: a closed set, so that a new one is missed nowhere.
#[derive(Clone, Debug)]
enum Filter {
    Ewma(Ewma),
}

impl Chain {
    /// The filters for these settings, with nothing seen yet.
    #[must_use]
    pub fn new(settings: &[Smoothing]) -> Self {
        let filters = settings.iter().map(|setting| match setting {
            Smoothing::Ewma { half_life } => Filter::Ewma(Ewma::new(*half_life)),
        });
        Self(filters.collect())
    }

    /// Takes one sample, newer than all before it; answers the smoothed one of the same time.
    pub fn step(&mut self, sample: Sample) -> Sample {
        let value = self
            .0
            .iter_mut()
            .fold(sample.value, |value, filter| filter.step(Sample { at: sample.at, value }));
        Sample { at: sample.at, value }
    }
}

impl Filter {
    fn step(&mut self, sample: Sample) -> Finite {
        match self {
            Self::Ewma(ewma) => ewma.step(sample),
        }
    }
}

#[cfg(test)]
mod tests;
