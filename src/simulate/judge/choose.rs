//! Which of several ways of publishing to use tomorrow, by what each would have cost so far; and
//! what one gets who chooses so every day.

use crate::simulate::SimulateError;

use super::{Hold, Run, Seen, Setting, Totals, Workload, run};

/// How to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The share of the work that may be late, 0 to 1.
    pub late_share_max: f64,
    /// How much a day counts relative to the day after it: 1 for all days alike.
    pub decay: f64,
}

/// Gives a step's value, or none.
pub type Publish<'a> = Box<dyn FnMut(usize, &Seen) -> Option<f64> + 'a>;

/// A way of publishing and what it would have cost by itself.
pub struct Candidate<'a> {
    /// Gives a step's value. It is asked only in steps for which it was chosen.
    pub publish: Publish<'a>,
    /// For how many steps a value is held when a later one is lower; 0 or 1 for not at all.
    pub hold_steps: u32,
    /// The run of this candidate alone, with its hold.
    pub alone: &'a Run,
}

/// A run in which the way of publishing was chosen anew at every midnight.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// The run.
    pub run: Run,
    /// The days on which the choice changed, counted from the start of the demand, and to which
    /// candidate; the first day's choice included.
    pub choices: Vec<(usize, usize)>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { late_share_max: 0.005, decay: 1.0 }
    }
}

impl Rule {
    /// The cheapest candidate over the days before `day` among those that kept the share of late
    /// work; if none did, the one with the least late work. The earliest of equals; none without
    /// candidates.
    #[must_use]
    pub fn choose<'r>(
        &self,
        candidates: impl IntoIterator<Item = &'r Run>,
        day: usize,
    ) -> Option<usize> {
        let key = |run: &Run| {
            let past = self.past(run, day);
            let late = past.late_share();
            let kept = late <= self.late_share_max;
            (if kept { 0.0 } else { late }, past.pod_seconds)
        };
        let keys = candidates.into_iter().map(key).enumerate();
        // The first of equals stays, so that a choice does not change without a reason.
        let best = keys.reduce(|best, other| if other.1 < best.1 { other } else { best });
        best.map(|(place, _)| place)
    }

    /// The weighted totals of the days before `day`.
    #[must_use]
    pub fn past(&self, run: &Run, day: usize) -> Totals {
        let days = day.saturating_sub(run.first_day).min(run.days.len());
        let mut past = Totals::default();
        let mut weight = 1.0;
        for part in run.days.iter().take(days).rev() {
            past.add(part, weight);
            weight *= self.decay;
        }
        past
    }
}

/// Runs the setting's steps with the candidate that the rule chooses at the beginning of each day,
/// looking only at the days before. It is one run: pods, backlog and the autoscaler's memory carry
/// over, and a hold counts the values that were published. The run begins with just the pods that its
/// first step needs; to score from a day on, begin a day earlier and ask [`Run::since`].
///
/// # Errors
/// When the setting lies outside its range, or there is no candidate.
pub fn forward(
    setting: &Setting,
    workload: &mut impl Workload,
    candidates: &mut [Candidate<'_>],
    rule: &Rule,
) -> Result<Forward, SimulateError> {
    if candidates.is_empty() {
        return Err(SimulateError::OutOfRange {
            setting: "candidates",
            value: "none".to_owned(),
            allowed: "at least one",
        });
    }
    let longest = candidates.iter().map(|candidate| candidate.hold_steps).max();
    let mut hold = Hold::new(longest.unwrap_or_default());
    let mut choices: Vec<(usize, usize)> = Vec::new();
    let (mut today, mut chosen) = (None, 0);
    let steps_per_day = setting.steps_per_day.max(1);
    let run = run(setting, workload, |step, seen| {
        let day = step / steps_per_day;
        if today != Some(day) {
            today = Some(day);
            let runs = candidates.iter().map(|candidate| candidate.alone);
            chosen = rule.choose(runs, day).unwrap_or_default();
            if choices.last().is_none_or(|(_, last)| *last != chosen) {
                choices.push((day, chosen));
            }
        }
        let candidate = candidates.get_mut(chosen)?;
        hold.publish(candidate.hold_steps, step, (candidate.publish)(step, seen))
    })?;
    Ok(Forward { run, choices })
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("hold_steps", &self.hold_steps)
            .field("alone", &self.alone)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
