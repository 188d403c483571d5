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
    /// As how many days before the first what was expected of a candidate counts; they fade as days
    /// do. A day or two with a burst, or without one, say little of tomorrow, and among many
    /// candidates the one that they flatter most would win.
    pub expected_days: f64,
}

/// By what a candidate is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Record<'r> {
    /// The run of this candidate alone, with its hold.
    pub alone: &'r Run,
    /// The share of late work that was expected of it beforehand, 0 to 1, where something was.
    pub expected_late: Option<f64>,
}

/// Gives a step's value, or none.
pub type Publish<'a> = Box<dyn FnMut(usize, &Seen) -> Option<f64> + 'a>;

/// A way of publishing and what it would have cost by itself.
pub struct Candidate<'a> {
    /// Gives a step's value. It is asked only in steps for which it was chosen.
    pub publish: Publish<'a>,
    /// For how many steps a value is held when a later one is lower; 0 or 1 for not at all.
    pub hold_steps: u32,
    /// By what it is chosen.
    pub record: Record<'a>,
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
        Self { late_share_max: 0.005, decay: 1.0, expected_days: 0.0 }
    }
}

impl Rule {
    /// The cheapest candidate over the days before `day` among those that kept the share of late
    /// work; if none did, the one with the least late work. The earliest of equals; none without
    /// candidates.
    #[must_use]
    pub fn choose<'r>(
        &self,
        candidates: impl IntoIterator<Item = Record<'r>>,
        day: usize,
    ) -> Option<usize> {
        let key = |record: Record<'_>| {
            let late = self.late_share(record, day);
            // While no day was judged all are equal.
            let kept = days_before(record.alone, day) == 0 || late <= self.late_share_max;
            (if kept { 0.0 } else { late }, self.past(record.alone, day).pod_seconds)
        };
        let keys = candidates.into_iter().map(key).enumerate();
        // The first of equals stays, so that a choice does not change without a reason.
        let best = keys.reduce(|best, other| if other.1 < best.1 { other } else { best });
        best.map(|(place, _)| place)
    }

    /// The share of late work that a candidate is believed to have: the mean of what it had on the
    /// days before `day` and of what was expected, which stands for the days before those.
    #[must_use]
    pub fn late_share(&self, record: Record<'_>, day: usize) -> f64 {
        let known = self.past(record.alone, day).late_share();
        let Some(expected) = record.expected_late else { return known };
        let (mut days, mut weight) = (0.0, 1.0);
        for _ in 0..days_before(record.alone, day) {
            days += weight;
            weight *= self.decay;
        }
        let expected_days = self.expected_days * weight;
        let all = days + expected_days;
        if all > 0.0 { (known * days + expected * expected_days) / all } else { known }
    }

    /// The weighted totals of the days before `day`.
    #[must_use]
    pub fn past(&self, run: &Run, day: usize) -> Totals {
        let days = days_before(run, day);
        let mut past = Totals::default();
        let mut weight = 1.0;
        for part in run.days.iter().take(days).rev() {
            past.add(part, weight);
            weight *= self.decay;
        }
        past
    }
}

/// How many of the days before this one were run.
fn days_before(run: &Run, day: usize) -> usize {
    day.saturating_sub(run.first_day).min(run.days.len())
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
            let records = candidates.iter().map(|candidate| candidate.record);
            chosen = rule.choose(records, day).unwrap_or_default();
            if choices.last().is_none_or(|(_, last)| *last != chosen) {
                choices.push((day, chosen));
            }
        }
        let candidate = candidates.get_mut(chosen)?;
        hold.publish(candidate.hold_steps, step, (candidate.publish)(step, seen))
    })?;
    Ok(Forward { run, choices })
}

impl<'r> From<&'r Run> for Record<'r> {
    /// Of which nothing was expected.
    fn from(alone: &'r Run) -> Self {
        Self { alone, expected_late: None }
    }
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("hold_steps", &self.hold_steps)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
