//! Forecasts beside the tick: a fit takes a good part of a second, and no evaluation waits for it.

use crate::app::supply::SupplyIndex;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::evaluation::Evaluation;
use crate::evaluation::forecasts::lead_time;
use crate::pipeline::Surroundings;
use crate::pipeline::forecast::Done;
use crate::policy::Policy;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::{Id, JoinError, JoinSet};

/// The forecasts that are being made.
#[derive(Debug, Default)]
pub(super) struct Foreseer {
    jobs: JoinSet<Done>,
    /// For whom a task makes one.
    makers: HashMap<Id, Arc<Policy>>,
}

impl Foreseer {
    /// Starts the forecasts that are due, as many as may be made at once.
    pub(super) fn start(
        &mut self,
        evaluation: &mut Evaluation,
        supply: Option<&SupplyIndex>,
        now: Timestamp,
    ) {
        while self.jobs.len() < limits::FORECASTS_AT_ONCE {
            let lead = |policy: &Policy| {
                lead_time(policy, supply.and_then(|it| it.for_policy(policy)).as_deref())
            };
            let Some((policy, job)) = evaluation.next_forecast(now, lead) else { return };
            let task = self.jobs.spawn_blocking(|| job.run());
            self.makers.insert(task.id(), policy);
        }
    }

    /// The next forecast that was made; `None` while none is being made.
    pub(super) async fn join_next(&mut self) -> Option<Result<(Id, Done), JoinError>> {
        self.jobs.join_next_with_id().await
    }

    /// Takes a forecast that was made.
    pub(super) fn take(
        &mut self,
        evaluation: &mut Evaluation,
        made: Result<(Id, Done), JoinError>,
        surroundings: impl Fn(&Policy) -> Surroundings,
    ) {
        let id = made.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(policy) = self.makers.remove(&id) else { return };
        match made {
            Ok((_, done)) => {
                evaluation.take_forecast(&policy, done, &surroundings(&policy));
            }
            Err(error) => {
                let (policy, error) = (&policy.key, ErrorChain(&error));
                tracing::error!(%policy, %error, "a forecast broke off");
                evaluation.drop_forecast(policy);
            }
        }
    }
}
