//! The median of the last samples.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::pipeline::smooth::recent::Recent;
use std::time::Duration;

/// The median of the last samples, the newest included; late by half of them.
#[derive(Clone, Debug)]
pub(super) struct Median(Recent);

impl Median {
    pub(super) fn new(window: usize, span: Duration) -> Self {
        Self(Recent::by_count(window, span))
    }

    pub(super) fn step(&mut self, sample: Sample) -> Finite {
        self.0.push(sample);
        self.0.median().unwrap_or(sample.value)
    }
}
