//! External metrics beside another server of them: the server that is asked for what is not known
//! here, and who owns their APIService.

mod owner;

use crate::api::External;
use crate::app::configuration::Loaded;
use crate::app::tasks::Tasks;
use crate::domain::error_chain::ErrorChain;
use crate::domain::fallback::Fallback;
use crate::policy::external::ExternalMetrics;
use crate::source::Reach;
use crate::source::fallback::FallbackServer;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(super) use owner::OwnerWatch;

/// What holds for external metrics, as the configuration in use says from now on.
pub(super) fn follow(
    mut loaded: watch::Receiver<Arc<Loaded>>,
    reach: Reach,
    tasks: &mut Tasks,
    stop: CancellationToken,
) -> watch::Receiver<External> {
    let mut known = loaded.borrow_and_update().config.external.clone();
    let (sender, receiver) = watch::channel(settled(&known, &reach));
    tasks.spawn("external-metrics", async move {
        while let Some(Ok(())) = stop.run_until_cancelled(loaded.changed()).await {
            let said = loaded.borrow_and_update().config.external.clone();
            if said != known {
                sender.send_replace(settled(&said, &reach));
                known = said;
            }
        }
        stop.cancelled().await;
    });
    receiver
}

fn settled(said: &ExternalMetrics, reach: &Reach) -> External {
    let ExternalMetrics { is_served, fallback } = said;
    let fallback = fallback.as_ref().and_then(|it| match FallbackServer::new(it, reach) {
        Ok(server) => Some(Arc::new(server) as Arc<dyn Fallback>),
        Err(error) => {
            let error = ErrorChain(&error).to_string();
            tracing::error!(server = %it.name, error, "the other server of external metrics cannot be asked");
            None
        }
    });
    External { is_served: *is_served, fallback }
}
