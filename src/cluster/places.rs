//! Where pods can be reached: a watch with their status, in the namespaces where pages of pods are
//! read.

use crate::cluster::Client;
use crate::cluster::namespaces::{Kind, Namespaces, shared};
use crate::cluster::watching::Progress;
use crate::domain::labels::Labels;
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::pod_place::PodPlace;
use crate::domain::ports::{Places, PodsUnknown};
use crate::domain::selector::Selector;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::runtime::watcher::ListSemantic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The pods that are known with their places, by namespace and name.
#[derive(Debug, Default)]
pub struct PlaceIndex(Arc<Namespaces<PodPlaces>>);

#[derive(Debug)]
struct PodPlaces;

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq)]
struct Placed {
    labels: Labels,
    place: PodPlace,
}

impl PlaceIndex {
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

    /// How its watches are doing.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        self.0.progress()
    }
}

impl Places for PlaceIndex {
    fn places(
        &self,
        namespace: &Namespace,
        selector: &Selector,
    ) -> Result<Vec<PodPlace>, PodsUnknown> {
        let matching = self.0.look(namespace, |pods| {
            let matching = pods.values().filter(|it| selector.matches(&it.labels));
            matching.map(|it| it.place.clone()).collect()
        });
        matching.ok_or(PodsUnknown::NotSynced)
    }
}

impl Kind for PodPlaces {
    type Object = Pod;
    type Kept = Placed;

    const NAME: &'static str = "pod places";

    /// Whole pods, ten KiB or more each: in pages, of which one at a time is in memory.
    fn list() -> ListSemantic {
        ListSemantic::MostRecent
    }

    fn put(pods: &mut BTreeMap<ObjectName, Placed>, name: ObjectName, mut pod: Pod) -> bool {
        let labels = pod.metadata.labels.take().unwrap_or_default().into_iter().collect();
        let labels = shared(pods, &name, labels, |it| &it.labels);
        let placed = Placed { labels, place: place(name.clone(), pod) };
        let is_new = pods.get(&name) != Some(&placed);
        pods.insert(name, placed);
        is_new
    }
}

fn place(name: ObjectName, pod: Pod) -> PodPlace {
    let status = pod.status.unwrap_or_default();
    let mut conditions = status.conditions.iter().flatten();
    let has_ended = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
    let spec = pod.spec.unwrap_or_default();
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    PodPlace {
        name,
        uid: pod.metadata.uid.unwrap_or_default().into(),
        address: status.pod_ip.as_deref().and_then(|it| it.parse().ok()),
        ports: containers.flat_map(named_ports).collect(),
        is_ready: conditions.any(|it| it.type_ == "Ready" && it.status == "True"),
        is_leaving: has_ended || pod.metadata.deletion_timestamp.is_some(),
    }
}

fn named_ports(container: &Container) -> impl Iterator<Item = (Box<str>, u16)> {
    let ports = container.ports.iter().flatten();
    ports
        .filter_map(|it| Some((it.name.as_deref()?.into(), u16::try_from(it.container_port).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn placed(name: &str, status: &Value, leaving: bool) -> PodPlace {
        let mut metadata = json!({"name": name, "uid": "u-1", "labels": {"app": "llama"}});
        if leaving {
            metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        let spec = json!({
            "containers": [{"name": "engine", "ports": [
                {"name": "http", "containerPort": 8000}, {"containerPort": 9000},
            ]}],
            "initContainers": [{"name": "proxy", "restartPolicy": "Always", "ports": [
                {"name": "metrics", "containerPort": 9091},
            ]}],
        });
        let pod = json!({"metadata": metadata, "spec": spec, "status": status});
        let mut pods = BTreeMap::new();
        let name = ObjectName::new(name).unwrap();
        let pod: Pod = serde_json::from_value(pod).unwrap();
        assert!(PodPlaces::put(&mut pods, name.clone(), pod.clone()));
        assert!(!PodPlaces::put(&mut pods, name.clone(), pod), "nothing changed");
        pods.remove(&name).unwrap().place
    }

    #[test]
    fn a_pod_is_reached_at_its_address_and_by_the_names_of_its_ports() {
        let status =
            json!({"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]});
        let place = placed("a", &status, false);
        assert_eq!(place.address.unwrap().to_string(), "10.0.0.7");
        let ports: Vec<(&str, u16)> =
            place.ports.iter().map(|(name, port)| (&**name, *port)).collect();
        assert_eq!(ports, [("http", 8000), ("metrics", 9091)]);
        assert_eq!((&*place.uid, place.is_ready, place.is_leaving), ("u-1", true, false));
    }

    #[test]
    fn pods_that_are_not_ready_or_leave_are_known_as_such() {
        let not_ready = json!({"conditions": [{"type": "Ready", "status": "False"}]});
        let place = placed("a", &not_ready, false);
        assert_eq!((place.address, place.is_ready), (None, false));
        assert!(placed("a", &json!({"phase": "Succeeded"}), false).is_leaving);
        assert!(placed("a", &Value::Null, true).is_leaving);
    }
}
