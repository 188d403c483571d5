//! Tells who owns the APIService of external metrics, once for each change: in the log, as an event of
//! the cluster, and in a metric.

use crate::app::configuration::Loaded;
use crate::app::tasks::Tasks;
use crate::cluster::Client;
use crate::cluster::external_api::{self, API_SERVICE, Announcer, Owner};
use crate::domain::error_chain::ErrorChain;
use crate::telemetry::process;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Who looks, and who is told.
pub(in crate::app) struct OwnerWatch {
    client: Client,
    /// The Service in front of Foresail.
    service: String,
    loaded: watch::Receiver<Arc<Loaded>>,
    /// Only one replica writes events.
    leading: watch::Receiver<bool>,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    is_warning: bool,
    reason: &'static str,
    note: String,
}

impl OwnerWatch {
    pub(in crate::app) fn new(
        client: &Client,
        service: String,
        loaded: &watch::Receiver<Arc<Loaded>>,
        leading: &watch::Receiver<bool>,
    ) -> Self {
        Self { client: client.clone(), service, loaded: loaded.clone(), leading: leading.clone() }
    }

    /// Looks and tells until `stop`; answers the owner as it is known.
    pub(in crate::app) fn start(
        self,
        tasks: &mut Tasks,
        stop: &CancellationToken,
    ) -> watch::Receiver<Owner> {
        let Self { client, service, loaded, leading } = self;
        let (sender, owner) = watch::channel(Owner::Unknown);
        let announcer = Announcer::new(client.clone(), &service, &process::host());
        let looking = external_api::watch(client, service, sender, stop.clone());
        tasks.spawn("external-api", looking);
        let teller = Teller { owner: owner.clone(), loaded, leading, announcer };
        tasks.spawn("external-api-owner", teller.run(stop.clone()));
        owner
    }
}

struct Teller {
    owner: watch::Receiver<Owner>,
    loaded: watch::Receiver<Arc<Loaded>>,
    leading: watch::Receiver<bool>,
    announcer: Announcer,
}

impl Teller {
    async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.tell()).await;
        stop.cancelled().await;
    }

    async fn tell(&mut self) {
        let (mut logged, mut announced) = (None, None);
        loop {
            let finding = self.finding();
            if finding != logged {
                if let Some(finding) = &finding {
                    log(finding);
                }
                logged.clone_from(&finding);
            }
            // What is as it should be is worth an event only after something that was not.
            let had_warned = announced.as_ref().is_some_and(|it: &Finding| it.is_warning);
            if let Some(finding) = finding.filter(|it| it.is_warning || had_warned)
                && *self.leading.borrow_and_update()
                && announced.as_ref() != Some(&finding)
            {
                self.announce(&finding).await;
                announced = Some(finding);
            }
            let changed = tokio::select! {
                changed = self.owner.changed() => changed,
                changed = self.loaded.changed() => changed,
                changed = self.leading.changed() => changed,
            };
            if changed.is_err() {
                // Whoever tells about one of them is gone: the adapter is ending.
                return;
            }
        }
    }

    fn finding(&mut self) -> Option<Finding> {
        let is_served = self.loaded.borrow_and_update().config.external.is_served;
        finding(&self.owner.borrow_and_update(), is_served)
    }

    async fn announce(&self, finding: &Finding) {
        let Finding { is_warning, reason, note } = finding;
        let told = self.announcer.tell(*is_warning, reason, note.clone()).await;
        if let Err(error) = told {
            warn!(error = %ErrorChain(&error), "the cluster cannot be told about an APIService");
        }
    }
}

fn log(finding: &Finding) {
    let Finding { is_warning, reason, note } = finding;
    if *is_warning {
        warn!(reason, "{note}");
    } else {
        info!(reason, "{note}");
    }
}

fn finding(owner: &Owner, is_served: bool) -> Option<Finding> {
    let finding = |is_warning, reason, note| Some(Finding { is_warning, reason, note });
    match (owner, is_served) {
        (Owner::Unknown, _) | (Owner::Nobody, false) => None,
        (Owner::Other(other), true) => finding(
            true,
            "ExternalMetricsOwnedElsewhere",
            format!(
                "APIService {API_SERVICE} belongs to {other} and is left alone: HPAs read its external metrics, not \
                 Foresail's; custom metrics are served. Publish as Pods or Object metrics, lead the APIService to \
                 Foresail with {other} as `externalMetrics.fallback`, or say `externalMetrics.serve: false`"
            ),
        ),
        (Owner::Other(other), false) => finding(
            false,
            "ExternalMetricsOwnedElsewhere",
            format!("APIService {API_SERVICE} belongs to {other}, as the configuration expects"),
        ),
        (Owner::Foresail, true) => finding(
            false,
            "ExternalMetricsOwned",
            format!("APIService {API_SERVICE} leads to Foresail"),
        ),
        (Owner::Foresail, false) => finding(
            true,
            "ExternalMetricsNotServed",
            format!(
                "APIService {API_SERVICE} leads to Foresail, whose configuration says `externalMetrics.serve: \
                 false`: the API is unavailable, and namespaces cannot be deleted. Delete the APIService, lead it \
                 to another server, or serve"
            ),
        ),
        (Owner::Nobody, true) => finding(
            false,
            "ExternalMetricsUnowned",
            format!("there is no APIService {API_SERVICE}: HPAs can read no external metrics"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_keeps_an_hpa_from_its_metric_is_a_warning() {
        let other = || Owner::Other("keda/keda-operator-metrics-apiserver".to_owned());
        for (owner, is_served, expected) in [
            (Owner::Unknown, true, None),
            (Owner::Unknown, false, None),
            (Owner::Nobody, true, Some((false, "ExternalMetricsUnowned"))),
            (Owner::Nobody, false, None),
            (Owner::Foresail, true, Some((false, "ExternalMetricsOwned"))),
            (Owner::Foresail, false, Some((true, "ExternalMetricsNotServed"))),
            (other(), true, Some((true, "ExternalMetricsOwnedElsewhere"))),
            (other(), false, Some((false, "ExternalMetricsOwnedElsewhere"))),
        ] {
            let found = finding(&owner, is_served);
            // An event's note has room for a thousand characters.
            assert!(found.as_ref().is_none_or(|it| it.note.len() < 1_000), "{found:?}");
            let found = found.map(|it| (it.is_warning, it.reason));
            assert_eq!(found, expected, "{owner:?}, served: {is_served}");
        }
    }
}
