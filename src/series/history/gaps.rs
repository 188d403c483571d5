//! The steps of which live samples saw only a part: where they began, and where some were missed.

use crate::domain::limits;
use std::ops::Range;

/// Ranges of steps, in order and apart from each other; at most `limits::HISTORY_GAPS_MAX`.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps(Vec<Range<i64>>);

impl Gaps {
    /// Adds a range that begins in the last one or after it. When there are too many, the two
    /// oldest become one: a backfill may then replace what lies between them, by what is the same.
    pub(super) fn add(&mut self, gap: Range<i64>) {
        match self.0.last_mut().filter(|last| last.end >= gap.start) {
            Some(last) => last.end = last.end.max(gap.end),
            None => self.0.push(gap),
        }
        if self.0.len() > limits::HISTORY_GAPS_MAX {
            let oldest = self.0.remove(0);
            if let Some(next) = self.0.first_mut() {
                next.start = oldest.start;
            }
        }
    }

    pub(super) fn contains(&self, step: i64) -> bool {
        self.0.iter().any(|gap| gap.contains(&step))
    }

    /// Takes `steps` out.
    pub(super) fn close(&mut self, steps: &Range<i64>) {
        let left = self.0.iter().flat_map(|gap| {
            [gap.start..gap.end.min(steps.start), gap.start.max(steps.end)..gap.end]
        });
        self.0 = left.filter(|gap| !gap.is_empty()).collect();
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Range<i64>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn what_is_added_is_there_until_it_is_closed(
            gaps in prop::collection::vec((0_i64..20, 1_i64..5), 1..12),
            closed in (0_i64..150, 0_i64..40),
        ) {
            let (mut known, mut expected, mut end) = (Gaps::default(), BTreeSet::new(), 0);
            for (after, length) in gaps {
                let gap = end + after..end + after + length;
                expected.extend(gap.clone());
                end = gap.end;
                known.add(gap);
            }
            let closed = closed.0..closed.0 + closed.1;
            known.close(&closed);
            expected.retain(|it| !closed.contains(it));
            let left: BTreeSet<i64> = (0..400).filter(|it| known.contains(*it)).collect();
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn too_many_gaps_become_fewer_and_none_is_lost() {
        let mut gaps = Gaps::default();
        let count = i64::try_from(limits::HISTORY_GAPS_MAX).unwrap() + 10;
        for n in 0..count {
            gaps.add(n * 10..n * 10 + 1);
        }
        assert_eq!(gaps.0.len(), limits::HISTORY_GAPS_MAX);
        assert!((0..count).all(|n| gaps.contains(n * 10)));
        assert!(!gaps.contains(count * 10 - 5));
    }
}
