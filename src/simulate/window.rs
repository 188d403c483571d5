//! The largest value of the last few steps, at a constant cost per step however long the window.

use std::collections::VecDeque;

/// A sliding maximum: only values that no later one exceeds are kept, so the first is the largest.
#[derive(Debug, Clone)]
pub(super) struct SlidingMax<T> {
    /// How many steps a value counts, that of its own included.
    steps: u32,
    /// Values and their steps, both in order: steps rise, values fall.
    entries: VecDeque<(u32, T)>,
}

impl<T: PartialOrd + Copy> SlidingMax<T> {
    /// A window of so many steps; in one of none, no value counts.
    pub(super) fn new(steps: u32) -> Self {
        Self { steps, entries: VecDeque::new() }
    }

    /// Adds a step's value. Steps never fall.
    pub(super) fn push(&mut self, step: u32, value: T) {
        if self.steps == 0 {
            return;
        }
        while self.entries.back().is_some_and(|(_, last)| *last <= value) {
            self.entries.pop_back();
        }
        self.entries.push_back((step, value));
        self.expire(step);
    }

    /// The largest value of the window that ends with this step.
    pub(super) fn max(&mut self, now: u32) -> Option<T> {
        self.expire(now);
        self.entries.front().map(|(_, value)| *value)
    }

    /// The largest value of the last `steps` steps, which are at most those of the window.
    pub(super) fn max_within(&self, steps: u32, now: u32) -> Option<T> {
        let young = self.entries.partition_point(|(at, _)| now.saturating_sub(*at) >= steps);
        self.entries.get(young).map(|(_, value)| *value)
    }

    fn expire(&mut self, now: u32) {
        while self.entries.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= self.steps) {
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SlidingMax;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_maximum_of_the_last_steps(
            values in prop::collection::vec(0..50_i32, 1..60),
            steps in 0..12_u32,
            fewer in 0..12_u32,
        ) {
            let mut window = SlidingMax::new(steps);
            for (step, value) in values.iter().enumerate() {
                let now = u32::try_from(step).unwrap();
                window.push(now, *value);
                let last = |steps: u32| {
                    let first = (step + 1).saturating_sub(usize::try_from(steps).unwrap());
                    values[first..=step].iter().max().copied()
                };
                prop_assert_eq!(window.max(now), last(steps));
                let fewer = fewer.min(steps);
                prop_assert_eq!(window.max_within(fewer, now), last(fewer));
            }
        }
    }
}
