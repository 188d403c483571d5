//! A quantile of the values of a window.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::recent::Recent;
use std::time::Duration;

/// A quantile of the samples that are younger than the window is long. After a long gap only the
/// newest is.
#[derive(Clone, Debug)]
pub(super) struct WindowQuantile {
    recent: Recent,
    quantile: Finite,
}

impl WindowQuantile {
    pub(super) fn new(window: Duration, quantile: Finite) -> Self {
        Self { recent: Recent::by_time(window), quantile }
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        self.recent.push(sample);
        self.recent.quantile(self.quantile).unwrap_or(sample.value)
    }
}
