//! Who answers for external.metrics.k8s.io in this cluster: the one APIService of it, followed, and what
//! the cluster's people are told about it as an event.

use crate::cluster::watching::{Progress, follow};
use crate::cluster::{Client, whole};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Api;
use kube::runtime::events::{Event as Told, EventType, Recorder, Reporter};
use kube::runtime::watcher::{self, Event, watcher};
use std::fmt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

/// The APIService; a cluster has room for one server behind it.
pub const API_SERVICE: &str = "v1beta1.external.metrics.k8s.io";

/// Who answers for external.metrics.k8s.io.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// That is not known yet.
    #[default]
    Unknown,
    /// There is no APIService.
    Nobody,
    /// This Foresail.
    Foresail,
    /// The server behind this Service, as `namespace/name`.
    Other(String),
}

/// Follows the APIService and tells its owner, as seen by the Foresail behind `service` of the client's own
/// namespace, until `stop` is cancelled. While it cannot be seen, what was seen last stays.
pub async fn watch(
    client: Client,
    service: String,
    owner: watch::Sender<Owner>,
    stop: CancellationToken,
) {
    let own = format!("{}/{service}", client.default_namespace());
    let api: Api<APIService> = Api::all(client);
    let config = watcher::Config::default().fields(&format!("metadata.name={API_SERVICE}"));
    let progress = Progress::default();
    let mut is_listed = false;
    let take = |event: Event<APIService>| {
        let seen = match event {
            Event::Init => {
                is_listed = false;
                return;
            }
            Event::InitApply(found) | Event::Apply(found) => {
                is_listed = true;
                of(&found, &own)
            }
            Event::InitDone if is_listed => return,
            Event::InitDone | Event::Delete(_) => Owner::Nobody,
        };
        owner.send_if_modified(|known| {
            let is_new = *known != seen;
            *known = seen;
            is_new
        });
    };
    let events = follow(watcher(api, config), &progress, take);
    stop.run_until_cancelled(events.instrument(info_span!("external-api"))).await;
}

fn of(found: &APIService, own: &str) -> Owner {
    let service = found.spec.as_ref().and_then(|it| it.service.as_ref());
    let Some(service) = service else {
        return Owner::Other("kube-apiserver itself".to_owned());
    };
    let part = |it: &Option<String>| it.clone().unwrap_or_default();
    let leads_to = format!("{}/{}", part(&service.namespace), part(&service.name));
    if leads_to == own { Owner::Foresail } else { Owner::Other(leads_to) }
}

/// Tells the cluster's people something, as events of Foresail's Service.
pub struct Announcer {
    recorder: Recorder,
    service: ObjectReference,
}

/// An event could not be written, in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("failed to write an event: {0}")]
pub struct NotAnnounced(String);

impl Announcer {
    /// One who speaks for the replica `host` behind `service` of the client's own namespace.
    #[must_use]
    pub fn new(client: Client, service: &str, host: &str) -> Self {
        let service = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Service".to_owned()),
            name: Some(service.to_owned()),
            namespace: Some(client.default_namespace().to_owned()),
            ..ObjectReference::default()
        };
        let reporter = Reporter {
            controller: "foresail.dev/adapter".to_owned(),
            instance: Some(host.to_owned()),
        };
        Self { recorder: Recorder::new(client, reporter), service }
    }

    /// Writes one event about the APIService.
    ///
    /// # Errors
    /// `NotAnnounced` when it cannot be written.
    pub async fn tell(
        &self,
        is_warning: bool,
        reason: &'static str,
        note: String,
    ) -> Result<(), NotAnnounced> {
        let about = ObjectReference {
            api_version: Some("apiregistration.k8s.io/v1".to_owned()),
            kind: Some("APIService".to_owned()),
            name: Some(API_SERVICE.to_owned()),
            ..ObjectReference::default()
        };
        let event = Told {
            type_: if is_warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(note),
            action: "Serve".to_owned(),
            secondary: Some(about),
        };
        let written = self.recorder.publish(&event, &self.service).await;
        written.map_err(|error| NotAnnounced(whole(&error)))
    }
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").field("service", &self.service.name).finish_non_exhaustive()
    }
}
