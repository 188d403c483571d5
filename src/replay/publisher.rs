//! The ways of publishing, each as what gives a step's value.

use super::auto::Dated;
use super::comparison::Way;
use super::late::whole;
use super::player::{Player, Published};
use super::scenario::Scenario;
use crate::pipeline::trace::Trace;
use crate::simulate::judge::Workload;
use crate::simulate::judge::oracle::foresight;
use std::sync::Arc;

/// Gives each step's value.
pub(super) enum Publisher<'s> {
    Policy {
        player: Box<Player<'s>>,
        scenario: &'s Scenario,
        /// Those that are still to come.
        choices: &'s [Dated],
    },
    Observed,
    /// What each step's peak asks for.
    Known(Vec<f64>),
}

impl<'s> Publisher<'s> {
    pub(super) fn new(
        scenario: &'s Scenario,
        choices: &'s [Dated],
        way: Way,
        workload: &impl Workload,
    ) -> Self {
        match way {
            Way::Policy => {
                let player = Box::new(Player::new(&scenario.policy));
                Self::Policy { player, scenario, choices }
            }
            Way::Reactive(_) => Self::Observed,
            Way::Clairvoyant => {
                let need: Vec<f64> =
                    (0..scenario.load.end).map(|step| f64::from(workload.need(step))).collect();
                // To be ready in time, pods are asked for a lead time and two syncs ahead.
                let lead = scenario.lead_time.as_secs_f64() / scenario.load.step.as_secs_f64();
                let ahead = u32::try_from(whole(lead)).unwrap_or(u32::MAX).saturating_add(2);
                let target = scenario.target_milli as f64;
                let asks = foresight(&need, ahead).into_iter().map(|pods| pods * target / 1e3);
                Self::Known(asks.collect())
            }
        }
    }

    pub(super) fn publish(&mut self, step: usize, observed: f64) -> Option<Published> {
        match self {
            Self::Policy { player, scenario, choices } => {
                while let Some((next, later)) = choices.split_first().filter(|it| it.0.step <= step)
                {
                    player.choose(next.choice.chosen);
                    *choices = later;
                }
                player.step(scenario.load.time(step), observed)
            }
            Self::Observed => Some(Published { value: observed, band: None }),
            Self::Known(asks) => {
                asks.get(step).map(|value| Published { value: *value, band: None })
            }
        }
    }

    /// How the policy came to its newest value; `None` for the others.
    pub(super) fn trace(&self) -> Option<Arc<Trace>> {
        match self {
            Self::Policy { player, .. } => player.trace(),
            Self::Observed | Self::Known(_) => None,
        }
    }
}
