//! The policies in the cluster, their status and the Lease, against an API server of the test's own.

use super::cluster::{Events, Server, list, until};
use foresail::cluster::lease::Candidate;
use foresail::cluster::policies::{PolicyIndex, PolicySet};
use foresail::cluster::status::{Reports, StatusWriter};
use foresail::domain::policy_object::PolicyObjectId;
use foresail::policy::status::report::{Claim, ForecastState, Learned, PolicyReport};
use foresail::policy::status::{ConditionStatus, Reason};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const NAMESPACED: &str = "/apis/foresail.dev/v1alpha1/metricpolicies";
const CLUSTER: &str = "/apis/foresail.dev/v1alpha1/clustermetricpolicies";

fn policy(name: &str, generation: i64, status: &Value) -> Value {
    json!({"apiVersion": "foresail.dev/v1alpha1", "kind": "MetricPolicy",
        "metadata": {"namespace": "inference", "name": name, "uid": format!("uid-of-{name}"),
            "generation": generation, "resourceVersion": "7",
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"metric": {"name": name, "type": "External"}},
        "status": status})
}

/// What is known: name and generation of each object, and whether that is all.
fn known(set: &watch::Receiver<PolicySet>) -> (Vec<String>, bool) {
    let set = set.borrow();
    let shown = set.objects.iter().map(|it| format!("{} {}", it.id, it.generation));
    (shown.collect(), set.is_whole)
}

/// The watch of the kind that is there; the other one is refused.
async fn watched(server: &mut Server) -> Events {
    loop {
        let asked = server.next().await;
        if asked.what == format!("WATCH {NAMESPACED}") {
            return asked.stream();
        }
        assert_eq!(asked.what, format!("GET {CLUSTER}"));
        asked.refuse(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn objects_are_followed_and_a_write_of_the_status_is_no_change() {
    let (client, mut server) = Server::start();
    let (index, set) = PolicyIndex::new();
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).watch(client, stop.clone()));

    // Both kinds are asked for; the second is not there yet, which is no failure.
    server.expect(&format!("GET {NAMESPACED}")).await.answer(
        StatusCode::OK,
        &list("MetricPolicyList", &[policy("a", 1, &Value::Null), policy("b", 4, &Value::Null)]),
    );
    let events = watched(&mut server).await;
    until("all is known", || known(&set).1).await;
    let both = ["MetricPolicy inference/a 1", "MetricPolicy inference/b 4"].map(str::to_owned);
    assert_eq!(known(&set).0, both);
    assert_eq!((index.progress().failures(), index.progress().n_failing()), (0, 0));
    let first = &set.borrow().objects[0].clone();
    let text: Value = serde_json::from_str(first.text.as_ref().unwrap()).unwrap();
    let expected = json!({"apiVersion": "foresail.dev/v1alpha1", "kind": "MetricPolicy",
        "metadata": {"namespace": "inference", "name": "a"},
        "spec": {"metric": {"name": "a", "type": "External"}}});
    assert_eq!(text, expected);

    // The kind is asked for again and again.
    server.expect(&format!("GET {CLUSTER}")).await.refuse(StatusCode::NOT_FOUND);
    let mut changes = set.clone();
    changes.mark_unchanged();
    events.send("MODIFIED", policy("a", 1, &json!({"conditions": [{"type": "Ready"}]}))).await;
    let choice = json!({"model": "analog", "quantile": "0.95", "headroom": "1", "downWindow": "15m",
        "chosenAt": "2026-01-01T00:00:00Z"});
    let startup = json!({"time": "1m30s", "basis": "Measured", "starts": 3});
    let mut agreed = index.agreed();
    let odd = json!({"choice": choice, "startup": startup, "capacity": {"perPod": 7}});
    events.send("MODIFIED", policy("a", 1, &odd)).await;
    let next = json!({"choice": choice, "startup": startup, "values": 2});
    events.send("MODIFIED", policy("a", 1, &next)).await;
    events.send("MODIFIED", policy("b", 5, &Value::Null)).await;
    changes.changed().await.unwrap();
    let after = ["MetricPolicy inference/a 1", "MetricPolicy inference/b 5"].map(str::to_owned);
    assert_eq!(known(&set).0, after, "the writes of the status were not told, the edit was");
    let chosen: Vec<String> =
        agreed.borrow_and_update().iter().map(|(id, it)| format!("{id} {it:?}")).collect();
    let [only] = chosen.as_slice() else { panic!("{chosen:?}") };
    let parts = ["inference/a", "\"analog\"", "\"1m30s\"", "capacity: None"];
    assert!(parts.iter().all(|it| only.contains(it)), "a part that is none is left out: {only}");
    changes.mark_unchanged();
    events.send("DELETED", policy("a", 1, &Value::Null)).await;
    changes.changed().await.unwrap();
    assert_eq!(known(&set).0, ["MetricPolicy inference/b 5"]);
    until("what was chosen for it is forgotten", || index.agreed().borrow().is_empty()).await;
    stop.cancel();
    task.await.unwrap();
}

fn report(value: f64) -> PolicyReport {
    let claim = Claim::new(ConditionStatus::True, Reason::Published, "published");
    PolicyReport {
        uid: "uid-of-a".into(),
        generation: 1,
        ready: claim.clone(),
        fresh: claim,
        misleading: None,
        value: foresail::domain::finite::Finite::new(value),
        value_time: None,
        values: 1,
        forecast: ForecastState::NotConfigured,
        history: None,
        learned: Learned::default(),
    }
}

#[tokio::test]
async fn a_status_is_written_once_for_its_object_alone_and_a_failure_is_counted() {
    let (client, mut server) = Server::start();
    let (index, _set) = PolicyIndex::new();
    let mut writer = StatusWriter::new(client, index);
    let writes = writer.writes();
    let namespace = foresail::domain::name::Namespace::new("inference").ok();
    let name = foresail::domain::name::PolicyName::new("a").unwrap();
    let kind = foresail::domain::policy_object::PolicyKind::Namespaced;
    let reports: Reports = [(PolicyObjectId { namespace, name, kind }, report(1.0))].into();
    let patched = "PATCH /apis/foresail.dev/v1alpha1/namespaces/inference/metricpolicies/a/status";
    let now = Timestamp::UNIX_EPOCH;

    let serve = tokio::spawn(async move {
        let asked = server.expect(patched).await;
        assert_eq!(asked.body["metadata"], json!({"uid": "uid-of-a"}));
        assert_eq!(asked.body["status"]["conditions"][0]["reason"], "Published");
        assert_eq!(asked.body["status"]["lastValue"], "1");
        assert_eq!(
            asked.body["status"]["leadTime"],
            Value::Null,
            "what is not known any more goes"
        );
        asked.answer(StatusCode::OK, &policy("a", 1, &Value::Null));
        server.expect(patched).await.refuse(StatusCode::INTERNAL_SERVER_ERROR);
    });
    writer.round(&reports, now).await;
    assert_eq!((writes.written(), writes.failed()), (1, 0));
    // The second round has nothing new to say, whatever the value.
    writer.round(&reports, now).await;
    assert_eq!((writes.written(), writes.failed()), (1, 0));
    // Who leads again begins anew.
    writer.forget();
    writer.round(&reports, now).await;
    assert_eq!((writes.written(), writes.failed()), (1, 1));
    serve.await.unwrap();
}

#[tokio::test]
async fn a_free_lease_is_taken_renewed_lost_and_given_back() {
    const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let (client, mut server) = Server::start();
    let (candidate, leading) = Candidate::new(client, "pod-1", || Timestamp::UNIX_EPOCH);
    let stop = CancellationToken::new();
    let task = tokio::spawn(candidate.run(stop.clone()));
    let leads = || *leading.borrow();

    let one = format!("{LEASES}/foresail");
    let none = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
        "message": "leases.coordination.k8s.io \"foresail\" not found", "reason": "NotFound"});
    server.expect(&format!("GET {one}")).await.answer(StatusCode::NOT_FOUND, &none);
    let asked = server.expect(&format!("POST {LEASES}")).await;
    let mut lease = asked.body.clone();
    assert!(lease["spec"]["holderIdentity"].as_str().unwrap().starts_with("pod-1_"));
    asked.answer(StatusCode::CREATED, &lease);
    until("it leads", leads).await;

    // A renewal, then somebody else has it.
    server.expect(&format!("GET {one}")).await.answer(StatusCode::OK, &lease);
    let asked = server.expect(&format!("PUT {one}")).await;
    lease = asked.body.clone();
    asked.answer(StatusCode::OK, &lease);
    let mut other = lease.clone();
    other["spec"]["holderIdentity"] = json!("pod-2");
    server.expect(&format!("GET {one}")).await.answer(StatusCode::OK, &other);
    until("it leads no more", || !leads()).await;

    // The other one gave it back; then the end.
    other["spec"]["holderIdentity"] = json!("");
    server.expect(&format!("GET {one}")).await.answer(StatusCode::OK, &other);
    let asked = server.expect(&format!("PUT {one}")).await;
    lease = asked.body.clone();
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    asked.answer(StatusCode::OK, &lease);
    until("it leads again", leads).await;
    stop.cancel();
    let asked = server.expect(&format!("GET {one}")).await;
    asked.answer(StatusCode::OK, &lease);
    let asked = server.expect(&format!("PUT {one}")).await;
    assert_eq!(asked.body["spec"]["holderIdentity"], "");
    asked.answer(StatusCode::OK, &lease);
    tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap();
    assert!(!leads());
}
