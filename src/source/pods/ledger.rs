//! What the counters of one pod counted lately: across restarts, and before anything is added up.

use crate::domain::limits;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The counters of one pod that one signal reads.
///
/// A counter that falls began anew at zero. One that is seen for the first time counted nothing
/// yet, as in Prometheus: since when it counts is not known.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What each series stood at.
    last: BTreeMap<u64, f64>,
    /// The groups in which increases are added up, in the order in which they were first seen.
    groups: Vec<u64>,
    /// What each group counted since the ledger began.
    totals: Vec<f64>,
    /// The totals at earlier scrapes, the newest last.
    marks: VecDeque<Mark>,
}

#[derive(Clone, Debug)]
struct Mark {
    at: Timestamp,
    totals: Box<[f64]>,
}

/// One counter of a page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Count {
    /// Which series.
    pub(super) series: u64,
    /// In which group it is added up.
    pub(super) group: u64,
    /// What it stands at.
    pub(super) value: f64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Increase {
    /// By group.
    pub(super) by_group: Vec<(u64, f64)>,
    /// In how many seconds.
    pub(super) seconds: f64,
}

/// The pod has more counters than are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Ledger {
    /// When the pod was read last.
    pub(super) fn seen(&self) -> Option<Timestamp> {
        self.marks.back().map(|it| it.at)
    }

    /// Takes the counters of one scrape. One for an instant that is not later changes nothing.
    pub(super) fn take(
        &mut self,
        at: Timestamp,
        counts: &[Count],
        window: Duration,
    ) -> Result<(), TooMany> {
        if counts.len() > limits::pods::COUNTERS_MAX {
            return Err(TooMany);
        }
        if let Some(seen) = self.seen() {
            if at == seen {
                return Ok(());
            }
            let gap = Duration::try_from(at.duration_since(seen));
            // After a long gap, or when the clock was set back, what was counted says nothing.
            if gap.is_err() || gap.is_ok_and(|it| it > limits::RATE_STALE) {
                *self = Self::default();
            }
        }
        for count in counts {
            let before = self.last.insert(count.series, count.value);
            let increase = match before {
                None => 0.0,
                Some(before) if count.value < before => count.value,
                Some(before) => count.value - before,
            };
            *self.total(count.group) += increase;
        }
        if self.last.len() > limits::pods::COUNTERS_MAX {
            let seen: Vec<u64> = counts.iter().map(|it| it.series).collect();
            self.last.retain(|series, _| seen.contains(series));
        }
        self.mark(at, window);
        Ok(())
    }

    fn total(&mut self, group: u64) -> &mut f64 {
        let place = self.groups.iter().position(|it| *it == group).unwrap_or_else(|| {
            self.groups.push(group);
            self.groups.len() - 1
        });
        if self.totals.len() <= place {
            self.totals.resize(place + 1, 0.0);
        }
        #[expect(clippy::indexing_slicing, reason = "made long enough above")]
        &mut self.totals[place]
    }

    /// Remembers where the totals stand, as finely as the window is divided, and as far back.
    fn mark(&mut self, at: Timestamp, window: Duration) {
        let part = window / limits::pods::WINDOW_PARTS;
        let oldest = at.checked_sub(window).unwrap_or(Timestamp::MIN);
        while self.marks.get(1).is_some_and(|it| it.at <= oldest) {
            self.marks.pop_front();
        }
        let mut newest = self.marks.iter().rev();
        if let (Some(last), Some(before)) = (newest.next(), newest.next())
            && last.at.duration_since(before.at).unsigned_abs() < part
        {
            self.marks.pop_back();
        }
        self.marks.push_back(Mark { at, totals: self.totals.as_slice().into() });
    }

    /// What was counted within the window, or since the pod was first read; `None` before the second
    /// scrape.
    pub(super) fn increase(&self) -> Option<Increase> {
        let (first, last) = (self.marks.front()?, self.marks.back()?);
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        let before = first.totals.iter().copied().chain(std::iter::repeat(0.0));
        let counted = self.groups.iter().zip(&self.totals).zip(before);
        let by_group = counted.map(|((group, total), before)| (*group, total - before)).collect();
        Some(Increase { by_group, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn count(series: u64, group: u64, value: f64) -> Count {
        Count { series, group, value }
    }

    fn taken(scrapes: &[(i64, &[Count])]) -> Ledger {
        let mut ledger = Ledger::default();
        for (second, counts) in scrapes {
            ledger.take(at(*second), counts, MINUTE).unwrap();
        }
        ledger
    }

    fn per_second(ledger: &Ledger) -> Option<f64> {
        let Increase { by_group, seconds } = ledger.increase()?;
        Some(by_group.iter().map(|(_, it)| it).sum::<f64>() / seconds)
    }

    #[test]
    fn the_first_scrape_counts_nothing_and_a_restart_counts_from_zero() {
        let scrapes: Vec<(i64, Count)> = [(0, 1_000.0), (15, 1_015.0), (30, 15.0), (45, 30.0)]
            .map(|(second, value)| (second, count(1, 0, value)))
            .to_vec();
        let mut ledger = Ledger::default();
        let mut got = Vec::new();
        for (second, count) in scrapes {
            ledger.take(at(second), &[count], MINUTE).unwrap();
            got.push(per_second(&ledger));
        }
        assert_eq!(got, [None, Some(1.0), Some(1.0), Some(1.0)]);
    }

    #[test]
    fn one_series_that_begins_anew_leaves_the_others_alone() {
        let ledger = taken(&[
            (0, &[count(1, 0, 100.0), count(2, 0, 500.0)]),
            (10, &[count(1, 0, 3.0), count(2, 0, 507.0)]),
        ]);
        assert_eq!(per_second(&ledger), Some(1.0));
        // One that appears later was not counted from a known zero.
        let ledger = taken(&[
            (0, &[count(1, 0, 100.0)]),
            (10, &[count(1, 0, 110.0), count(2, 1, 1e9)]),
            (20, &[count(1, 0, 120.0), count(2, 1, 1e9 + 20.0)]),
        ]);
        assert_eq!(ledger.increase().unwrap().by_group, [(0, 20.0), (1, 20.0)]);
    }

    #[test]
    fn the_window_moves_on_and_is_divided_into_few_parts() {
        let mut ledger = Ledger::default();
        let mut total = 0.0;
        for second in 0..2_000_i64 {
            total += if second < 1_900 { 100.0 } else { 1.0 };
            ledger.take(at(second), &[count(1, 0, total)], MINUTE).unwrap();
            assert!(ledger.marks.len() <= 20, "{}", ledger.marks.len());
        }
        assert_eq!(per_second(&ledger), Some(1.0));
        let seconds = ledger.increase().unwrap().seconds;
        assert!((60.0..=64.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_gap_is_bridged_by_its_mean_and_a_long_one_begins_anew() {
        let bridged = taken(&[(0, &[count(1, 0, 0.0)]), (200, &[count(1, 0, 200.0)])]);
        assert_eq!(per_second(&bridged), Some(1.0));
        let anew = taken(&[(0, &[count(1, 0, 0.0)]), (400, &[count(1, 0, 400.0)])]);
        assert_eq!(per_second(&anew), None);
        let set_back = taken(&[(400, &[count(1, 0, 9.0)]), (10, &[count(1, 0, 10.0)])]);
        assert_eq!(set_back.seen(), Some(at(10)));
    }

    #[test]
    fn more_counters_than_the_limit_are_refused_and_those_that_left_are_forgotten() {
        let most = u64::try_from(limits::pods::COUNTERS_MAX).unwrap();
        let many: Vec<Count> = (0..=most).map(|it| count(it, 0, 0.0)).collect();
        let mut ledger = Ledger::default();
        assert_eq!(ledger.take(at(0), &many, MINUTE), Err(TooMany));
        ledger.take(at(0), &many[1..], MINUTE).unwrap();
        let others: Vec<Count> = (0..10).map(|it| count(most + 1 + it, 0, 0.0)).collect();
        ledger.take(at(10), &others, MINUTE).unwrap();
        assert_eq!(ledger.last.len(), 10);
    }
}
