//! The choices of `auto` beside the tick: each is some seconds of simulation.

use crate::app::choices::{Choices, ChosenBy};
use crate::app::supply::SupplyIndex;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::evaluation::Evaluation;
use crate::evaluation::choices::{ChoiceMade, Judged};
use crate::evaluation::forecasts::lead_time;
use crate::pipeline::Surroundings;
use crate::policy::Policy;
use crate::simulate::SimulateError;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::{JoinError, JoinSet};

/// The choice that is being made: one at a time, so that it takes one core at most.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    job: JoinSet<Made>,
    /// For whom.
    policy: Option<Arc<Policy>>,
    /// Since when nothing was due.
    idle_since: Option<Instant>,
}

/// What a choice came to.
pub(super) type Made = Result<ChoiceMade, SimulateError>;

impl Chooser {
    /// Starts the next choice that is due, if none is being made.
    pub(super) fn start(
        &mut self,
        evaluation: &mut Evaluation,
        supply: Option<&SupplyIndex>,
        choices: &Choices,
        now: Timestamp,
    ) {
        let is_early = self.idle_since.is_some_and(|it| it.elapsed() < limits::CHOICE_LOOK);
        if !self.job.is_empty() || is_early {
            return;
        }
        let is_wanted = |policy: &Policy, at| match choices.chosen_by(&policy.key) {
            ChosenBy::Everyone => true,
            ChosenBy::AnotherReplica => false,
            // A holder before this one may have chosen.
            ChosenBy::ThisReplica => choices.newest(&policy.key).is_none_or(|it| it.at < at),
        };
        let next = evaluation.next_choice(now, is_wanted, |policy| {
            let supply = supply.and_then(|it| it.for_policy(policy));
            (lead_time(policy, supply.as_deref()), Surroundings { now, supply })
        });
        let Some((policy, job)) = next else {
            self.idle_since = Some(Instant::now());
            return;
        };
        self.idle_since = None;
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
            Ok(Ok(made)) => {
                if let Some(Judged { dated, choice }) = evaluation.take_choice(&policy, made) {
                    // The choice for all comes back by way of the status, to this replica, too.
                    match choices.chosen_by(key) {
                        ChosenBy::Everyone => evaluation.choose(key, dated.chosen),
                        ChosenBy::ThisReplica => choices.put(key, dated),
                        ChosenBy::AnotherReplica => {}
                    }
                    let chosen = choice.chosen;
                    tracing::info!(
                        policy = %key,
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
            }
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
