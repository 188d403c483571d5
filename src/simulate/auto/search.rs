//! The search among the candidates: few of them are run, and none twice.
//!
//! Candidates that differ in nothing but their quantile (without a forecast: in their headroom) form a
//! ladder: further up less work is late, and it costs more. So the lowest rung that keeps late
//! work within the objective is found by halving, and a ladder is left as soon as one of its rungs
//! is late and yet dearer than what was found elsewhere. A run knows nothing of later days, so
//! that one run of the whole history answers for every day in it.

use crate::simulate::SimulateError;
use crate::simulate::judge::choose::Rule;
use crate::simulate::judge::{Run, Totals};

use super::candidates::Candidate;
use super::{Choice, Ground, rule};

#[cfg(test)]
mod tests;

/// The candidates of one ground, with the runs that were needed so far.
#[derive(Debug)]
pub struct Search<'g> {
    ground: &'g Ground,
    rule: Rule,
    /// Those without a forecast first.
    ladders: Vec<Ladder>,
    n_runs: usize,
}

/// Candidates that differ in one number, the most frugal first.
#[derive(Debug)]
struct Ladder(Vec<Rung>);

#[derive(Debug)]
struct Rung {
    candidate: Candidate,
    /// `None` until it was needed.
    run: Option<Run>,
}

/// A rung and what it would have cost.
#[derive(Clone, Copy, Debug)]
struct Found {
    candidate: Candidate,
    past: Totals,
    /// The share of late work that it is believed to have.
    late_share: f64,
    /// Whether that is within the objective.
    is_kept: bool,
}

impl<'g> Search<'g> {
    /// Nothing was run yet. `late_share` is the share of the work that may be late.
    #[must_use]
    pub fn new(ground: &'g Ground, late_share: f64) -> Self {
        Self::among(&ground.candidates(), ground, late_share)
    }

    fn among(all: &[Candidate], ground: &'g Ground, late_share: f64) -> Self {
        let ladders = all.chunk_by(is_same_ladder).map(|rungs| {
            Ladder(rungs.iter().map(|it| Rung { candidate: *it, run: None }).collect())
        });
        let (mut naive, others): (Vec<Ladder>, Vec<Ladder>) = ladders.partition(Ladder::is_naive);
        naive.extend(others);
        Self { ground, rule: rule(late_share), ladders: naive, n_runs: 0 }
    }

    /// Chooses by the seasons of the ground before this one, counted from the ground's first;
    /// `None` when none of them was judged. The same whatever was asked before.
    ///
    /// # Errors
    /// When the question's numbers lie outside their range.
    pub fn choose(&mut self, season: usize) -> Result<Option<Choice>, SimulateError> {
        let judged = self.ground.judged();
        let seasons = season.min(judged.end).saturating_sub(judged.start);
        if seasons == 0 {
            return Ok(None);
        }
        let (mut best, mut naive): (Option<Found>, Option<Found>) = (None, None);
        let mut last: Option<(bool, usize)> = None;
        for ladder in &mut self.ladders {
            let is_naive = ladder.is_naive();
            // Neighbours keep the objective from about the same rung on.
            let near = last.filter(|it| it.0 == is_naive).map(|it| it.1);
            let first = near.unwrap_or(ladder.0.len() / 2);
            let mut climb = Climb { ground: self.ground, rule: &self.rule, season, n_runs: 0 };
            let (found, place) = climb.lowest(ladder, first, best.as_ref())?;
            self.n_runs += climb.n_runs;
            best = better(best, found);
            if is_naive {
                naive = best;
            }
            last = Some((is_naive, place));
        }
        Ok(best.zip(naive).map(|(best, naive)| Choice {
            chosen: best.candidate.chosen,
            late_share: best.past.late_share(),
            cost_to_naive: best.past.pod_seconds / naive.past.pod_seconds,
            seasons,
        }))
    }

    /// How many candidates were run so far.
    #[must_use]
    pub fn n_runs(&self) -> usize {
        self.n_runs
    }
}

impl Ladder {
    fn is_naive(&self) -> bool {
        self.0.first().is_some_and(|it| it.candidate.is_naive())
    }
}

/// One ladder's turn.
struct Climb<'c> {
    ground: &'c Ground,
    rule: &'c Rule,
    season: usize,
    n_runs: usize,
}

impl Climb<'_> {
    /// The lowest rung that keeps the objective, or that is as good as the highest if none does; none if the ladder can
    /// do no better than `best`. And the place where the search ended, which began at `first`: it
    /// goes on from there in strides that double, until it is between two rungs.
    fn lowest(
        &mut self,
        ladder: &mut Ladder,
        first: usize,
        best: Option<&Found>,
    ) -> Result<(Option<Found>, usize), SimulateError> {
        let last = ladder.0.len().saturating_sub(1);
        let (mut low, mut high) = (0, last);
        let (mut is_late_seen, mut is_kept_seen) = (false, false);
        let mut place = first.min(last);
        let mut stride = 1;
        loop {
            let Some(found) = self.at(ladder, place)? else { return Ok((None, place)) };
            if found.is_kept {
                (high, is_kept_seen) = (place, true);
                if low == high {
                    return Ok((Some(found), place));
                }
            } else if place == last {
                // Where more helps no further, it is only dearer.
                let is_moot = best.is_some_and(|best| best.is_kept);
                let found = if is_moot { found } else { self.as_good(ladder, last, found)? };
                return Ok((Some(found), place));
            } else if best.is_some_and(|best| best.is_kept && !found.is_cheaper_than(best)) {
                return Ok((None, place));
            } else {
                (low, is_late_seen) = (place + 1, true);
            }
            place = match (is_late_seen, is_kept_seen) {
                (true, false) => (low + stride - 1).min(high),
                (false, true) => high.saturating_sub(stride),
                _ => usize::midpoint(low, high),
            };
            stride *= 2;
        }
    }

    /// The lowest rung that is no later than the highest one, which is late.
    fn as_good(
        &mut self,
        ladder: &mut Ladder,
        last: usize,
        highest: Found,
    ) -> Result<Found, SimulateError> {
        let (mut low, mut high, mut best) = (0, last, highest);
        while low < high {
            let place = usize::midpoint(low, high);
            match self.at(ladder, place)? {
                Some(found) if found.late_share <= highest.late_share => {
                    (high, best) = (place, found);
                }
                _ => low = place + 1,
            }
        }
        Ok(best)
    }

    fn at(&mut self, ladder: &mut Ladder, place: usize) -> Result<Option<Found>, SimulateError> {
        let Some(rung) = ladder.0.get_mut(place) else { return Ok(None) };
        let run = match &mut rung.run {
            Some(run) => run,
            none => {
                self.n_runs += 1;
                none.insert(self.ground.judge(&rung.candidate)?)
            }
        };
        let past = self.rule.past(run, self.season);
        let record = self.ground.record(&rung.candidate, run);
        let late_share = self.rule.late_share(record, self.season);
        let is_kept = late_share <= self.rule.late_share_max;
        Ok(Some(Found { candidate: rung.candidate, past, late_share, is_kept }))
    }
}

impl Found {
    fn is_cheaper_than(&self, other: &Self) -> bool {
        self.past.pod_seconds < other.past.pod_seconds
    }

    /// As [`Rule::choose`] compares: kept ones by their cost, others by their lateness first.
    fn key(&self) -> (f64, f64) {
        let late = if self.is_kept { 0.0 } else { self.late_share };
        (late, self.past.pod_seconds)
    }
}

/// The better of two; of equals the first.
fn better(one: Option<Found>, other: Option<Found>) -> Option<Found> {
    match (one, other) {
        (Some(one), Some(other)) if other.key() < one.key() => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

/// Whether they differ in their quantile alone, or in the headroom of what was observed.
fn is_same_ladder(one: &Candidate, other: &Candidate) -> bool {
    let (one_chosen, other_chosen) = (one.chosen, other.chosen);
    let is_same = one_chosen.model == other_chosen.model
        && one_chosen.down_window == other_chosen.down_window;
    let headroom = one_chosen.headroom.total_cmp(&other_chosen.headroom);
    is_same && (one.is_naive() || headroom.is_eq())
}
