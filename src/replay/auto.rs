//! What `auto` would have chosen at each midnight of a recording.
//!
//! A choice rests on the history that the policy would have had then, as a backfill reads it: the
//! recorded demand, smoothed, without what waited because of the policy's own decisions. It is
//! made by the code that makes it live, from the same question, and knows nothing of later days.

use super::late::{Late, whole};
use super::player::Player;
use super::scenario::{Feedback, Scenario};
use crate::forecast::past::{SEASON, Steps};
use crate::pipeline::forecast::{Given, horizon};
use crate::policy::forecast::Forecast;
use crate::series::history::History;
use crate::simulate::SimulateError;
use crate::simulate::auto::search::Search;
use crate::simulate::auto::{Choice, Ground, Question};
use jiff::Timestamp;

#[cfg(test)]
mod tests;

/// A choice and when it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dated {
    /// The first step for which it is in force.
    pub step: usize,
    /// The choice, and what it would have cost before.
    pub choice: Choice,
}

/// The parts of which [`choices`] tells that they are done.
pub(super) const PARTS: u32 = 3;

/// What was recorded, on the grid of a history.
struct Recorded {
    /// The first one is known.
    values: Vec<f64>,
    /// The index of the first value.
    first: i64,
    history: History,
}

/// The choices of the policy from the beginning of the score on, the first of them at the midnight
/// before; none before there are days to judge. `None` when the policy leaves nothing to choose.
///
/// # Errors
/// When the scenario's numbers lie outside their range.
pub(super) fn choices(
    scenario: &Scenario,
    mut tell: impl FnMut(u32),
) -> Result<Option<Vec<Dated>>, SimulateError> {
    let Some(forecast) = scenario.left_to_auto() else { return Ok(None) };
    let mut choices = Vec::new();
    let Some(recorded) = Recorded::of(scenario) else { return Ok(Some(choices)) };
    tell(1);
    let Recorded { values, first, history } = &recorded;
    let load = &scenario.load;
    let midnight = |step: usize| {
        let index = history.index_of(load.time(step));
        index - index.rem_euclid(SEASON as i64)
    };
    // What comes after the last choice is of no use to any.
    let last = midnight(load.end.saturating_sub(1));
    let count = usize::try_from(last - first).unwrap_or(0).min(values.len());
    let values = values.get(..count).unwrap_or_default();
    let question = question(scenario, forecast, Steps::new(values, last - 1));
    let Some(ground) = Ground::new(&question) else { return Ok(Some(choices)) };
    tell(2);
    let mut search = Search::new(&ground, question.late_share);
    let scored = midnight(scenario.score.first_step());
    let seasons = values.len() / SEASON;
    for season in 1..=seasons {
        let index = last - ((seasons - season) * SEASON) as i64;
        if index < scored {
            continue;
        }
        if let Some(choice) = search.choose(season)? {
            let step = step_at(scenario, history.start_of(index));
            choices.push(Dated { step, choice });
        }
    }
    tell(3);
    Ok(Some(choices))
}

/// The question that is asked live, for this scenario's pods.
fn question<'v>(scenario: &Scenario, forecast: &Forecast, steps: Steps<'v>) -> Question<'v> {
    let lead = scenario.policy.lead_time(None);
    let behavior = scenario.hpa.behavior.as_ref();
    let own = behavior.and_then(|it| it.scale_down.stabilization_window);
    let step = forecast.step();
    Question {
        steps,
        step,
        horizon: horizon(lead.total(), step),
        lead_time: lead.startup.time,
        pod_capacity: Some(scenario.capacity),
        max_wait: scenario.slo,
        late_share: forecast.late_share,
        drain: (scenario.feedback == Feedback::Queue).then_some(step),
        down_stabilization: Some(own.unwrap_or(scenario.controller.downscale_stabilization)),
        given: Given::by(forecast),
    }
}

impl Recorded {
    /// Lets the policy read the recording without forecasting; `None` when it keeps no history.
    fn of(scenario: &Scenario) -> Option<Self> {
        let load = &scenario.load;
        let season = SEASON as i64;
        let mut player = Player::observing(&scenario.policy);
        let mut late = Late::new(scenario);
        let mut values = Vec::new();
        let first = player.history()?.index_of(load.time(load.first));
        let mut next = first;
        for step in load.first..load.end {
            let now = load.time(step);
            player.step(now, late.known(scenario.undisturbed(step)));
            let history = player.history()?;
            // A history forgets what is two weeks old.
            if history.index_of(now) >= next + 2 * season {
                history.copy(next, next + season, &mut values);
                next += season;
            }
        }
        let history = player.history()?;
        history.copy(next, history.index_of(load.time(load.end)), &mut values);
        let unknown = values.iter().take_while(|it| it.is_nan()).count();
        let values: Vec<f64> = values.iter().skip(unknown).copied().map(f64::from).collect();
        let first = first.saturating_add_unsigned(unknown as u64);
        Some(Self { values, first, history: history.clone() })
    }
}

/// The first step that does not begin before an instant.
fn step_at(scenario: &Scenario, at: Timestamp) -> usize {
    let since = at.duration_since(scenario.load.midnight).as_secs_f64();
    whole(since / scenario.load.step.as_secs_f64())
}
