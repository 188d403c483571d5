//! How pods start: a watch with their status, in the namespaces where a lead time is measured.

use crate::cluster::Client;
use crate::cluster::namespaces::{Kind, Namespaces, shared};
use crate::cluster::watching::Progress;
use crate::domain::limits;
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::supply::{PodStart, StartKind, since};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use kube::runtime::watcher::ListSemantic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The pods that are known with their starts, by namespace and name.
#[derive(Debug, Default)]
pub struct StartIndex(Arc<Namespaces<Starts>>);

#[derive(Debug)]
struct Starts;

impl StartIndex {
    /// Follows the pods of the `wanted` namespaces, whichever they are at any time, until `stop` is
    /// cancelled.
    pub async fn watch(
        self: Arc<Self>,
        client: Client,
        wanted: watch::Receiver<BTreeSet<Namespace>>,
        stop: CancellationToken,
    ) {
        Arc::clone(&self.0).watch(client, wanted, stop).await;
    }

    /// Lets `look` see the pods of one namespace; `None` while its first list is not in.
    pub fn look<R>(
        &self,
        namespace: &Namespace,
        look: impl FnOnce(&BTreeMap<ObjectName, PodStart>) -> R,
    ) -> Option<R> {
        self.0.look(namespace, look)
    }

    /// Grows with every change of what is known.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.0.changes()
    }

    /// How its watches are doing.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        self.0.progress()
    }
}

impl Kind for Starts {
    type Object = Pod;
    type Kept = PodStart;

    const NAME: &'static str = "pod starts";

    /// Whole pods, ten KiB or more each: in pages, of which one at a time is in memory.
    fn list() -> ListSemantic {
        ListSemantic::MostRecent
    }

    fn put(pods: &mut BTreeMap<ObjectName, PodStart>, name: ObjectName, pod: Pod) -> bool {
        match read(pod) {
            Some(mut start) => {
                start.labels = shared(pods, &name, start.labels, |start| &start.labels);
                pods.insert(name, start.clone()) != Some(start)
            }
            None => pods.remove(&name).is_some(),
        }
    }
}

/// `None` for a pod without uid or creation time, which the API server always sets.
fn read(pod: Pod) -> Option<PodStart> {
    let metadata = pod.metadata;
    let created = metadata.creation_timestamp?.0;
    let status = pod.status.unwrap_or_default();
    let has_ended = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
    Some(PodStart {
        uid: metadata.uid?.into(),
        labels: metadata.labels.unwrap_or_default().into_iter().collect(),
        created,
        ready: became(&status, "Ready"),
        kind: kind(created, &status),
        has_restarted: containers(&status).any(|it| it.restart_count > 0),
        is_leaving: has_ended || metadata.deletion_timestamp.is_some(),
    })
}

/// When a condition became true, if it is.
fn became(status: &PodStatus, condition: &str) -> Option<Timestamp> {
    let mut conditions = status.conditions.iter().flatten();
    let found = conditions.find(|it| it.type_ == condition && it.status == "True")?;
    Some(found.last_transition_time.as_ref()?.0)
}

/// Whether a pod waited for its node or its images, as far as its status tells: events would tell
/// more, but they are many, short-lived, and not every cluster keeps them.
///
/// The kubelet pulls the image of an init container between the sandbox and that container, and the
/// images of the others after the last init container. Kubelets before 1.29 do not say when the
/// sandbox was ready; of their pods only those that waited for a node can be told.
fn kind(created: Timestamp, status: &PodStatus) -> StartKind {
    let waited = |from: Timestamp, to: Timestamp| since(from, to) > limits::COLD_WAIT;
    let Some(scheduled) = became(status, "PodScheduled") else { return StartKind::Untold };
    if waited(created, scheduled) {
        return StartKind::Cold;
    }
    let Some(sandbox) = became(status, "PodReadyToStartContainers") else {
        return StartKind::Untold;
    };
    let first_init = status.init_container_statuses.iter().flatten().filter_map(started).min();
    let main = status.container_statuses.iter().flatten().filter_map(started).max();
    let Some(main) = main else { return StartKind::Untold };
    let initialized = became(status, "Initialized").unwrap_or(sandbox);
    let has_pulled =
        first_init.is_some_and(|it| waited(sandbox, it)) || waited(sandbox.max(initialized), main);
    if has_pulled { StartKind::Cold } else { StartKind::Cached }
}

/// When a container was started.
fn started(container: &ContainerStatus) -> Option<Timestamp> {
    let state = container.state.as_ref()?;
    let running = state.running.as_ref().and_then(|it| it.started_at.as_ref());
    let ended = state.terminated.as_ref().and_then(|it| it.started_at.as_ref());
    Some(running.or(ended)?.0)
}

fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let init = status.init_container_statuses.iter().flatten();
    init.chain(status.container_statuses.iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// `2026-01-01T00:00:SSZ`.
    fn at(second: u64) -> String {
        format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60)
    }

    fn condition(name: &str, status: &str, second: u64) -> Value {
        json!({"type": name, "status": status, "lastTransitionTime": at(second)})
    }

    fn container(restarts: u32, state: &Value) -> Value {
        json!({"name": "engine", "image": "i", "imageID": "", "ready": true,
            "restartCount": restarts, "state": state})
    }

    fn running(second: u64) -> Value {
        container(0, &json!({"running": {"startedAt": at(second)}}))
    }

    fn start(status: Value) -> PodStart {
        let metadata = json!({"name": "p", "uid": "u", "creationTimestamp": at(0),
            "labels": {"app": "llama"}});
        let pod = json!({"metadata": metadata, "status": status});
        read(serde_json::from_value(pod).unwrap()).unwrap()
    }

    #[test]
    fn a_pod_is_ready_since_its_condition_became_true() {
        let created = start(Value::Null);
        assert_eq!((created.ready, created.kind), (None, StartKind::Untold));
        assert_eq!(created.created.to_string(), at(0));
        assert_eq!(created.labels.get("app"), Some("llama"));
        let ready = |status| start(json!({"conditions": [condition("Ready", status, 9)]})).ready;
        assert_eq!(ready("False"), None);
        assert_eq!(ready("Unknown"), None);
        assert_eq!(ready("True").unwrap().to_string(), at(9));
    }

    #[test]
    fn pods_that_end_and_containers_that_were_started_again_are_seen() {
        for (status, leaving, restarted) in [
            (json!({"phase": "Running"}), false, false),
            (json!({"phase": "Failed"}), true, false),
            (json!({"phase": "Succeeded"}), true, false),
            (json!({"containerStatuses": [container(0, &json!({}))]}), false, false),
            (json!({"containerStatuses": [container(1, &json!({}))]}), false, true),
            (json!({"initContainerStatuses": [container(2, &json!({}))]}), false, true),
        ] {
            let start = start(status.clone());
            assert_eq!((start.is_leaving, start.has_restarted), (leaving, restarted), "{status}");
        }
    }

    #[test]
    fn a_wait_for_a_node_or_an_image_tells_a_cold_start() {
        let conditions = |scheduled, sandbox, initialized| {
            json!([
                condition("PodScheduled", "True", scheduled),
                condition("PodReadyToStartContainers", "True", sandbox),
                condition("Initialized", "True", initialized),
            ])
        };
        let ended =
            |second| container(0, &json!({"terminated": {"startedAt": at(second), "exitCode": 0}}));
        let old_kubelet =
            json!([condition("PodScheduled", "True", 1), condition("Initialized", "True", 1),]);
        let unscheduled = json!([condition("PodScheduled", "False", 1)]);
        let none = json!([]);
        for (conditions, init, main, expected) in [
            (conditions(1, 3, 1), none.clone(), json!([running(5)]), StartKind::Cached),
            (conditions(40, 42, 40), none.clone(), json!([running(43)]), StartKind::Cold),
            (conditions(1, 3, 1), none.clone(), json!([running(90)]), StartKind::Cold),
            // The second container's image was pulled.
            (conditions(1, 3, 1), none.clone(), json!([running(4), running(70)]), StartKind::Cold),
            // A long init container is no pull, its own image may be one.
            (conditions(1, 3, 60), json!([ended(4)]), json!([running(62)]), StartKind::Cached),
            (conditions(1, 3, 60), json!([ended(50)]), json!([running(62)]), StartKind::Cold),
            (conditions(1, 3, 60), json!([ended(4)]), json!([running(80)]), StartKind::Cold),
            (old_kubelet, none.clone(), json!([running(90)]), StartKind::Untold),
            (unscheduled, none.clone(), none.clone(), StartKind::Untold),
            (conditions(1, 3, 1), none.clone(), none.clone(), StartKind::Untold),
        ] {
            let status = json!({"conditions": conditions, "initContainerStatuses": init,
                "containerStatuses": main});
            assert_eq!(start(status.clone()).kind, expected, "{status}");
        }
    }
}
