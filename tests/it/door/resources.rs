//! The cluster's resources, as an API server of the test's own tells them.

use super::cluster::{Server, until};
use foresail::cluster::resources::Discovery;
use foresail::domain::object::GroupResource;
use foresail::rules::resources::RestMapping;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

fn document(group: &str, plural: &str, kind: &str) -> Value {
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": [{"metadata": {"name": group}, "versions": [{"version": "v1",
            "resources": [{"resource": plural, "responseKind": {"kind": kind},
                "scope": "Namespaced", "singularResource": "", "verbs": ["list"]}]}]}]})
}

fn names(mapping: &RestMapping) -> Vec<String> {
    mapping.resources().iter().map(|it| it.resource.to_string()).collect()
}

/// Answers the two questions whether anything changed, and gives out both documents.
async fn tell(server: &mut Server, tag: &str, groups: &Value) {
    let core = document("", "pods", "Pod");
    for (path, document) in [("/api", &core), ("/apis", groups)] {
        let asked = server.expect(&format!("GET {path}")).await;
        assert!(asked.accept.starts_with("application/json;g=apidiscovery.k8s.io;v=v2;"));
        asked.answer_tagged(tag, document);
    }
    for (path, document) in [("/api", &core), ("/apis", groups)] {
        server.expect(&format!("GET {path}")).await.answer_tagged(tag, document);
    }
}

#[tokio::test]
async fn new_definitions_are_seen_and_the_last_good_ones_outlive_a_failure() {
    let (client, mut server) = Server::start();
    let mut discovery = Discovery::new(client, Duration::from_millis(20));
    let counts = discovery.counts();
    let first = tokio::spawn(async move {
        let found = discovery.first().await;
        (discovery, found)
    });
    tell(&mut server, "\"one\"", &document("apps", "deployments", "Deployment")).await;
    let (discovery, found) = first.await.unwrap();
    assert_eq!(names(&found), ["pods", "deployments.apps"]);
    let (sender, mapping) = watch::channel(Arc::new(found));
    let stop = CancellationToken::new();
    let task = tokio::spawn(discovery.follow(sender, stop.clone()));

    // Nothing changed: two questions, and no document.
    for path in ["/api", "/apis"] {
        let asked = server.expect(&format!("GET {path}")).await;
        assert_eq!(asked.etag.as_deref(), Some("\"one\""));
        asked.answer(StatusCode::NOT_MODIFIED, &Value::Null);
    }
    let groups = document("example.com", "gizmos", "Gizmo");
    tell(&mut server, "\"two\"", &groups).await;
    until("the new one is known", || names(&mapping.borrow()).len() == 2).await;
    let gizmos = GroupResource::parse("gizmos.example.com");
    until("it is known", || mapping.borrow().is_namespaced(&gizmos) == Some(true)).await;

    server.expect("GET /api").await.refuse(StatusCode::INTERNAL_SERVER_ERROR);
    server.expect("GET /apis").await.refuse(StatusCode::INTERNAL_SERVER_ERROR);
    server.expect("GET /api").await.refuse(StatusCode::INTERNAL_SERVER_ERROR);
    until("the failure is counted", || counts.failures() == 1).await;
    assert_eq!(mapping.borrow().is_namespaced(&gizmos), Some(true), "the last good one stays");
    // Everything is read again after a failure, whatever the tags were.
    tell(&mut server, "\"two\"", &document("example.com", "widgets", "Widget")).await;
    let widgets = GroupResource::parse("widgets.example.com");
    until("the next is known", || mapping.borrow().is_namespaced(&widgets).is_some()).await;
    assert_eq!((counts.resources(), counts.left_out(), counts.failures()), (2, 0, 1));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn an_older_api_server_is_asked_for_each_version() {
    let (client, mut server) = Server::start();
    let mut discovery = Discovery::new(client, Duration::from_millis(20));
    let first = tokio::spawn(async move { discovery.first().await });
    let core = json!({"kind": "APIVersions", "versions": ["v1"]});
    let version = |group: &str| json!({"groupVersion": format!("{group}/v1"), "version": "v1"});
    let group = |name: &str| {
        json!({"name": name, "versions": [version(name)],
        "preferredVersion": version(name)})
    };
    let groups = json!({"kind": "APIGroupList", "groups": [group("apps"), group("lost.io")]});
    for _ in ["asked whether they changed", "read"] {
        server.expect("GET /api").await.answer(StatusCode::OK, &core);
        server.expect("GET /apis").await.answer(StatusCode::OK, &groups);
    }
    let list = |name: &str, kind: &str| {
        json!({"kind": "APIResourceList", "resources": [{"name": name, "singularName": "",
            "namespaced": true, "kind": kind, "verbs": ["get", "list"]}]})
    };
    server.expect("GET /api/v1").await.answer(StatusCode::OK, &list("pods", "Pod"));
    let asked = server.expect("GET /apis/apps/v1").await;
    asked.answer(StatusCode::OK, &list("deployments", "Deployment"));
    server.expect("GET /apis/lost.io/v1").await.refuse(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(names(&first.await.unwrap()), ["pods", "deployments.apps"]);
}

#[tokio::test]
async fn without_an_answer_rules_begin_with_what_every_cluster_has() {
    let (client, mut server) = Server::start();
    let mut discovery = Discovery::new(client, Duration::from_millis(20));
    let counts = discovery.counts();
    let first = tokio::spawn(async move { discovery.first().await });
    let _unanswered = server.expect("GET /api").await;
    let found = tokio::time::timeout(Duration::from_secs(20), first).await.unwrap().unwrap();
    assert_eq!((found, counts.failures()), (RestMapping::usual(), 1));
}
