//! What is known of the past when it is known late.

use super::scenario::Scenario;
use std::collections::VecDeque;

/// The signals of the last few steps.
#[derive(Debug)]
pub(super) struct Late {
    steps: usize,
    recent: VecDeque<f64>,
}

impl Late {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let delay = scenario.metric_delay.as_secs_f64() / scenario.load.step.as_secs_f64();
        Self { steps: whole(delay), recent: VecDeque::new() }
    }

    /// Takes what is true now and gives what is known of it; in the beginning the first value.
    pub(super) fn known(&mut self, now: f64) -> f64 {
        self.recent.push_back(now);
        if self.recent.len() > self.steps.saturating_add(1) {
            self.recent.pop_front();
        }
        self.recent.front().copied().unwrap_or(now)
    }
}

/// The steps that a time takes, the last one perhaps in part.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates at both ends, and no time is negative"
)]
pub(super) fn whole(number: f64) -> usize {
    number.ceil() as usize
}
