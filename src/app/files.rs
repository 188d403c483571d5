//! Files that may change at any time: looked at again and again, off the runtime's own threads.

use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Lets `look` look at its files every `limits::FILES_POLL`, until `stop`. Reading and parsing take
/// long enough to be in the way of requests, so that happens on a thread for such work.
pub(super) async fn look_every<T: Send + 'static>(
    mut state: T,
    look: fn(&mut T),
    stop: CancellationToken,
) {
    let mut timer = interval(limits::FILES_POLL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(timer.tick()).await.is_some() {
        let looked = spawn_blocking(move || {
            look(&mut state);
            state
        });
        match looked.await {
            Ok(looked) => state = looked,
            // The runtime is going down, and nobody waits any more.
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                // A defect in a parser: what was read last stays in force.
                let error = ErrorChain(&error).to_string();
                tracing::error!(error, "the files are not followed any more");
                return stop.cancelled().await;
            }
        }
    }
}
