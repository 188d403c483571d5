//! The choices of `auto` beside the tick: each is some seconds of simulation.

use crate::app::choices::{Choices, ChosenBy};
use crate::app::supply::SupplyIndex;
use crate::domain::error_chain::ErrorChain;
use crate::domain::name::PolicyKey;
use crate::evaluation::Evaluation;
use crate::evaluation::choices::{ChoiceMade, InForce};
use crate::evaluation::forecasts::lead_time;
use crate::policy::Policy;
use crate::simulate::SimulateError;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// The choice that is being made: one at a time, so that it takes one core at most.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    job: JoinSet<Made>,
    /// For whom.
    policy: Option<Arc<Policy>>,
}

/// What a choice came to.
pub(super) type Made = Result<ChoiceMade, SimulateError>;

impl Chooser {
    /// Starts the next choice that is due, if none is being made.
    pub(super) fn start(
        &mut self,
        evaluation: &mut Evaluation,
        (supply, choices): (Option<&SupplyIndex>, &Choices),
        now: Timestamp,
    ) {
        if !self.job.is_empty() {
            return;
        }
        let next = evaluation.next_choice(now, |policy| {
            let supply = supply.and_then(|it| it.for_policy(policy));
            let is_ours = choices.chosen_by(&policy.key) != ChosenBy::AnotherReplica;
            is_ours.then(|| (lead_time(policy, supply.as_deref()), supply))
        });
        let Some((policy, job)) = next else { return };
        self.policy = Some(policy);
        self.job.spawn_blocking(|| job.run());
    }

    /// The choice that was made; `None` while none is being made.
    pub(super) async fn join_next(&mut self) -> Option<Result<Made, JoinError>> {
        self.job.join_next().await
    }

    /// Takes a choice that was made.
    pub(super) fn take(
        &mut self,
        evaluation: &mut Evaluation,
        choices: &Choices,
        made: Result<Made, JoinError>,
    ) {
        let Some(policy) = self.policy.take() else { return };
        let key = &policy.key;
        match made {
            Ok(Ok(made)) => match choices.chosen_by(key) {
                ChosenBy::Everyone => {
                    if let Some(new) = evaluation.take_choice(&policy, made) {
                        tell(key, new);
                    }
                }
                ChosenBy::ThisReplica => {
                    if let Some(new) = evaluation.hand_out(&policy, made) {
                        choices.put(key, new.into());
                        tell(key, new);
                    }
                }
                // The Lease was lost meanwhile.
                ChosenBy::AnotherReplica => {}
            },
            Ok(Err(error)) => {
                let error = ErrorChain(&error);
                tracing::warn!(policy = %key, %error, "auto cannot choose; the last choice stays");
            }
            Err(error) => {
                let error = ErrorChain(&error);
                tracing::error!(policy = %key, %error, "a choice broke off; the last one stays");
            }
        }
    }
}

fn tell(policy: &PolicyKey, InForce { choice, .. }: InForce) {
    let chosen = choice.chosen;
    tracing::info!(
        %policy,
        model = chosen.model.name(),
        quantile = chosen.quantile,
        headroom = chosen.headroom,
        down_window = ?chosen.down_window,
        late_percent = 100.0 * choice.late_share,
        cost_to_naive = choice.cost_to_naive,
        seasons = choice.seasons,
        "auto has chosen"
    );
}
