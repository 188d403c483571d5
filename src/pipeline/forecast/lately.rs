//! What was forecast for the steps of late, for the down window: one number for each.

use crate::pipeline::forecast::Recent;
use std::collections::VecDeque;

/// Steps for which answers are kept: the longest down window, a day of minutes.
const STEPS_MAX: usize = 1_440;

/// The newest so many steps, without a hole between them.
#[derive(Debug, Default)]
pub(super) struct Lately {
    newest: i64,
    /// NaN where there was no forecast, or its gate was closed. The newest last.
    usable: VecDeque<f32>,
}

impl Lately {
    /// Takes the answers for some newer steps, oldest first. They take the place of those that are
    /// known for the same steps and later ones.
    pub(super) fn extend(&mut self, answers: Vec<Recent>) {
        // As much as will be needed, and no more: a thousand policies have one each.
        self.usable.reserve_exact(STEPS_MAX - self.usable.len());
        for Recent { at, usable } in answers {
            while self.newest >= at && self.usable.pop_back().is_some() {
                self.newest -= 1;
            }
            while !self.usable.is_empty() && self.newest + 1 < at {
                self.push(f32::NAN);
                self.newest += 1;
            }
            self.push(usable.map_or(f32::NAN, rounded_down));
            self.newest = at;
        }
    }

    /// What could be used at a step.
    pub(super) fn usable(&self, at: i64) -> Option<f64> {
        let back = usize::try_from(self.newest.checked_sub(at)?).ok()?;
        let place = self.usable.len().checked_sub(back + 1)?;
        self.usable.get(place).filter(|it| !it.is_nan()).copied().map(f64::from)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.usable.capacity() * size_of::<f32>()
    }

    fn push(&mut self, usable: f32) {
        if self.usable.len() >= STEPS_MAX {
            self.usable.pop_front();
        }
        self.usable.push_back(usable);
    }
}

/// The nearest number of half the size that is not larger: what is held may never be above what was
/// forecast, or the newest forecast would be held back by itself.
fn rounded_down(number: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
    let near = number as f32;
    if f64::from(near) > number { near.next_down() } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(steps: impl Iterator<Item = i64>, factor: f64) -> Vec<Recent> {
        steps.map(|at| Recent { at, usable: Some(at as f64 * factor) }).collect()
    }

    #[test]
    fn newer_answers_replace_and_skipped_steps_are_unknown() {
        let mut lately = Lately::default();
        assert_eq!(lately.usable(0), None);
        lately.extend(answers(10..=20, 1.0));
        lately.extend(answers(19..=20, 0.5));
        lately.extend(vec![Recent { at: 23, usable: None }]);
        lately.extend(answers(24..=24, 1.0));
        let found: Vec<Option<f64>> = (9..=25).map(|at| lately.usable(at)).collect();
        let whole = (10..=18).map(|at| Some(f64::from(at)));
        let expected: Vec<Option<f64>> = std::iter::once(None)
            .chain(whole)
            .chain([Some(9.5), Some(10.0), None, None, None, Some(24.0), None])
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_older_beginning_replaces_all() {
        let mut lately = Lately::default();
        lately.extend(answers(100..=200, 1.0));
        lately.extend(answers(50..=150, 2.0));
        assert_eq!(
            [49, 50, 150, 151].map(|at| lately.usable(at)),
            [None, Some(100.0), Some(300.0), None]
        );
    }

    #[test]
    fn only_the_longest_down_window_is_kept_and_room_for_no_more() {
        let mut lately = Lately::default();
        let count = i64::try_from(STEPS_MAX).unwrap();
        for at in 0..3 * count {
            lately.extend(answers(at..=at, 1.0));
        }
        assert_eq!(lately.usable(2 * count - 1), None);
        assert_eq!(lately.usable(2 * count), Some((2 * count) as f64));
        assert_eq!(lately.heap_bytes(), STEPS_MAX * size_of::<f32>());
    }

    #[test]
    fn what_is_kept_is_not_larger_than_what_was_forecast() {
        for number in [0.0, 0.1, 1.0 / 3.0, 123_456_789.1, 1e300, 1e-300] {
            let kept = f64::from(rounded_down(number));
            assert!(kept <= number, "{number} {kept}");
            assert!(kept >= number * (1.0 - 1e-6) - 1e-30 || number > 1e38, "{number} {kept}");
        }
    }
}
