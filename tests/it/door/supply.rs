//! The HPAs, the starting pods and the scale targets as they are read from an API server.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use super::cluster::{Server, list, namespaces, until};
use foresail::cluster::hpas::HpaIndex;
use foresail::cluster::starts::StartIndex;
use foresail::cluster::targets::TargetIndex;
use foresail::domain::labels::Labels;
use foresail::domain::metric::Subject;
use foresail::domain::name::{MetricName, Namespace, ObjectName};
use foresail::domain::object::{ObjectKind, ObjectRef};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

fn hpa(name: &str, metric: &str, replicas: u32) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": "a", "name": name, "resourceVersion": "7"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "maxReplicas": 9,
            "metrics": [{"type": "External", "external": {"metric": {"name": metric},
                "target": {"type": "AverageValue", "averageValue": "8"}}}]},
        "status": {"currentReplicas": replicas, "desiredReplicas": replicas, "conditions": []}})
}

#[tokio::test]
async fn hpas_are_followed_and_their_status_is_no_change() {
    const HPAS: &str = "/apis/autoscaling/v2/namespaces/a/horizontalpodautoscalers";
    let (client, mut server) = Server::start();
    let index = Arc::new(HpaIndex::default());
    let (_wish, wanted) = watch::channel(namespaces(&["a"]));
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).watch(client, wanted, stop.clone()));
    let users = |metric: &str| {
        let (namespace, metric) = (Namespace::new("a").unwrap(), MetricName::new(metric).unwrap());
        let users = index.users_of(&namespace, &metric, &Subject::External, &Labels::default())?;
        Some(users.iter().map(|it| it.name.to_string()).collect::<Vec<_>>().join(" "))
    };

    let asked = server.expect(&format!("GET {HPAS}")).await;
    assert_eq!(users("demand"), None, "unknown is not none");
    let both = [hpa("one", "demand", 1), hpa("two", "other", 1)];
    asked.answer(StatusCode::OK, &list("HorizontalPodAutoscalerList", &both));
    until("the list is in", || users("demand").as_deref() == Some("one")).await;
    let events = server.expect(&format!("WATCH {HPAS}")).await.stream();

    let before = index.changes();
    events.send("MODIFIED", hpa("one", "demand", 5)).await;
    events.send("MODIFIED", hpa("two", "demand", 1)).await;
    until("the second uses it too", || users("demand").as_deref() == Some("one two")).await;
    assert_eq!(index.changes(), before + 1, "replica counts are no change");
    events.send("DELETED", hpa("one", "demand", 5)).await;
    until("one is gone", || users("demand").as_deref() == Some("two")).await;
    assert_eq!((users("other").as_deref(), index.n_hpas()), (Some(""), 1));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn starts_are_read_from_whole_pods() {
    const PODS: &str = "/api/v1/namespaces/a/pods";
    let pod = |status: &str| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "a", "name": "p", "uid": "u", "resourceVersion": "7",
                "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "llama"}},
            "spec": {"containers": []},
            "status": {"conditions": [{"type": "Ready", "status": status,
                "lastTransitionTime": "2026-01-01T00:01:00Z"}]}})
    };
    let (client, mut server) = Server::start();
    let index = Arc::new(StartIndex::default());
    let (_wish, wanted) = watch::channel(namespaces(&["a"]));
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).watch(client, wanted, stop.clone()));
    let ready = || {
        let ready = index.look(&Namespace::new("a").unwrap(), |pods| {
            pods.values().map(|it| it.ready.map(|at| at.to_string())).next()
        });
        ready.flatten()
    };
    let asked = server.expect(&format!("GET {PODS}")).await;
    assert!(!asked.accept.contains("PartialObjectMetadata"), "{}", asked.accept);
    asked.answer(StatusCode::OK, &list("PodList", &[pod("False")]));
    until("the list is in", || ready() == Some(None)).await;
    let events = server.expect(&format!("WATCH {PODS}")).await.stream();
    events.send("MODIFIED", pod("True")).await;
    until("it is ready", || ready() == Some(Some("2026-01-01T00:01:00Z".to_owned()))).await;
    stop.cancel();
    task.await.unwrap();
}

fn target(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    let kind = ObjectKind { api_version: api_version.into(), kind: kind.into() };
    let namespace = Some(Namespace::new("a").unwrap());
    ObjectRef { kind, namespace, name: ObjectName::new(name).unwrap() }
}

fn resources(group_version: &str, kind: &str, plural: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "APIResourceList", "groupVersion": group_version,
        "resources": [{"name": plural, "singularName": "", "namespaced": true, "kind": kind,
            "verbs": ["get"]}]})
}

fn scale(status: &Value) -> Value {
    json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {}, "spec": {"replicas": 1},
        "status": status})
}

#[tokio::test]
async fn any_kind_with_a_scale_tells_its_pods_and_one_that_does_not_holds_up_nobody() {
    let (client, mut server) = Server::start();
    let index = Arc::new(TargetIndex::default());
    let llama = target("apps/v1", "Deployment", "llama");
    let gone = target("apps/v1", "Deployment", "gone");
    let all = target("apps/v1", "Deployment", "open");
    let group = target("example.com/v1", "Chorus", "group");
    let unknown = target("example.com/v1", "Unheard", "of");
    let first = BTreeSet::from([llama.clone(), gone.clone(), all.clone(), unknown.clone()]);
    let (wish, wanted) = watch::channel(first.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).follow(client, wanted, stop.clone()));

    let apps = resources("apps/v1", "Deployment", "deployments");
    let custom = resources("example.com/v1", "Chorus", "choruses");
    server.expect("GET /apis/apps/v1").await.answer(StatusCode::OK, &apps);
    server.expect("GET /apis/example.com/v1").await.answer(StatusCode::OK, &custom);
    const DEPLOYMENTS: &str = "GET /apis/apps/v1/namespaces/a/deployments";
    server.expect(&format!("{DEPLOYMENTS}/gone/scale")).await.refuse(StatusCode::NOT_FOUND);
    let asked = server.expect(&format!("{DEPLOYMENTS}/llama/scale")).await;
    let status = json!({"replicas": 1, "selector": "app=llama,role in (leader)"});
    asked.answer(StatusCode::OK, &scale(&status));
    let asked = server.expect(&format!("{DEPLOYMENTS}/open/scale")).await;
    asked.answer(StatusCode::OK, &scale(&json!({"replicas": 1, "selector": ""})));
    until("three did not tell", || index.n_failing() == 3).await;
    let leader: Labels = [("app", "llama"), ("role", "leader")].into_iter().collect();
    assert!(index.selector(&llama).unwrap().matches(&leader));
    let others = [&gone, &all, &unknown].map(|it| index.selector(it));
    assert_eq!(others, [None, None, None], "nobody's pods, not everybody's");

    // Those that were asked a moment ago are not asked again because of a new one.
    let changes = index.changes();
    wish.send_replace(BTreeSet::from([llama.clone(), group.clone()]));
    server.expect("GET /apis/example.com/v1").await.answer(StatusCode::OK, &custom);
    let asked = server.expect("GET /apis/example.com/v1/namespaces/a/choruses/group/scale").await;
    asked.answer(StatusCode::OK, &scale(&json!({"replicas": 1, "selector": "voice=alto"})));
    until("the new one tells", || index.selector(&group).is_some()).await;
    assert!(index.changes() > changes && index.selector(&llama).is_some());
    until("nothing fails", || index.n_failing() == 0).await;

    wish.send_replace(BTreeSet::new());
    until("it is forgotten", || index.selector(&llama).is_none()).await;
    stop.cancel();
    task.await.unwrap();
}
