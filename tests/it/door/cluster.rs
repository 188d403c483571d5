//! The cluster room against an API server of the test's own, faked where the client's requests
//! leave it. A request that a test does not expect is answered with 500 and fails the test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use foresail::cluster::Client;
use foresail::cluster::pods::PodIndex;
use foresail::cluster::reviews::ClusterReviews;
use foresail::cluster::trust;
use foresail::domain::error_chain::ErrorChain;
use foresail::domain::identity::{Attributes, User};
use foresail::domain::name::Namespace;
use foresail::domain::ports::{Pods, PodsUnknown, Reviews};
use foresail::domain::selector::Selector;
use http::{Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// One request of the client, and where its answer goes.
pub(super) struct Asked {
    pub(super) what: String,
    pub(super) accept: String,
    pub(super) body: Value,
    /// `If-None-Match`.
    pub(super) etag: Option<String>,
    answer: oneshot::Sender<Response<Body>>,
}

impl Asked {
    pub(super) fn answer(self, status: StatusCode, body: &Value) {
        self.send(status, Body::from(body.to_string()));
    }

    pub(super) fn refuse(self, status: StatusCode) {
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": "not today", "reason": "InternalError", "code": status.as_u16()});
        self.answer(status, &body);
    }

    /// Answers with a tag by which the client can ask again.
    pub(super) fn answer_tagged(self, etag: &str, body: &Value) {
        let mut response = response(StatusCode::OK, Body::from(body.to_string()));
        response.headers_mut().insert(header::ETAG, etag.parse().unwrap());
        drop(self.answer.send(response));
    }

    fn send(self, status: StatusCode, body: Body) {
        drop(self.answer.send(response(status, body)));
    }

    /// Answers a watch: what is sent goes out as events, and dropping the sender ends the watch.
    pub(super) fn stream(self) -> Events {
        let (sender, receiver) = mpsc::channel::<Value>(16);
        let lines = futures::stream::unfold(receiver, async |mut receiver| {
            let event = receiver.recv().await?;
            Some((Ok::<_, io::Error>(format!("{event}\n")), receiver))
        });
        self.send(StatusCode::OK, Body::from_stream(lines));
        Events(sender)
    }
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let response = Response::builder().status(status);
    response.header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

pub(super) struct Events(mpsc::Sender<Value>);

impl Events {
    pub(super) async fn send(&self, kind: &str, object: Value) {
        self.0.send(json!({"type": kind, "object": object})).await.unwrap();
    }
}

pub(super) struct Server(mpsc::Receiver<Asked>);

impl Server {
    pub(super) fn start() -> (Client, Self) {
        let (sender, receiver) = mpsc::channel(16);
        let router = Router::new().fallback(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default();
            let is_watch = query.contains("watch=true");
            let verb = if is_watch { "WATCH" } else { parts.method.as_str() };
            let selector = query.split('&').find(|it| it.starts_with("fieldSelector="));
            let what = format!("{verb} {} {}", parts.uri.path(), selector.unwrap_or_default());
            let accept = parts.headers.get(header::ACCEPT);
            let accept = accept.map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
            let body = body.collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (answer, answered) = oneshot::channel();
            let etag = parts.headers.get(header::IF_NONE_MATCH);
            let etag = etag.map(|it| it.to_str().unwrap().to_owned());
            let asked = Asked { what: what.trim().to_owned(), accept, body, etag, answer };
            sender.send(asked).await.unwrap();
            answered.await.unwrap()
        });
        (Client::new(router, "default"), Self(receiver))
    }

    pub(super) async fn next(&mut self) -> Asked {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.recv()).await;
        next.unwrap_or_else(|_| panic!("waited in vain for a request")).unwrap()
    }

    pub(super) async fn expect(&mut self, what: &str) -> Asked {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.recv()).await;
        let asked = next.unwrap_or_else(|_| panic!("waited in vain for {what}")).unwrap();
        assert_eq!(asked.what, what);
        asked
    }
}

/// Waits for what another task does; there is no event to wait for.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

fn pod(namespace: &str, name: &str, app: &str) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"namespace": namespace, "name": name, "resourceVersion": "7",
            "labels": {"app": app}}})
}

pub(super) fn list(kind: &str, items: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": "7"}, "items": items})
}

pub(super) fn namespaces(names: &[&str]) -> BTreeSet<Namespace> {
    names.iter().map(|name| Namespace::new(name).unwrap()).collect()
}

fn names(index: &PodIndex, namespace: &str, selector: &str) -> String {
    let selector = Selector::parse(selector).unwrap();
    match index.matching(&Namespace::new(namespace).unwrap(), &selector) {
        Ok(names) => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "),
        Err(PodsUnknown::NotSynced) => "not synced".to_owned(),
        Err(error) => panic!("{error}"),
    }
}

const PODS_OF_A: &str = "/api/v1/namespaces/a/pods";

#[tokio::test]
async fn pods_are_followed_and_the_last_content_outlives_a_broken_watch() {
    let (client, mut server) = Server::start();
    let index = Arc::new(PodIndex::default());
    let (_wish, wanted) = watch::channel(namespaces(&["a"]));
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).watch(client, wanted, stop.clone()));

    let asked = server.expect(&format!("GET {PODS_OF_A}")).await;
    assert!(asked.accept.contains("as=PartialObjectMetadataList"), "{}", asked.accept);
    assert_eq!(names(&index, "a", ""), "not synced");
    let pods = [pod("a", "p2", "llama"), pod("a", "p1", "llama"), pod("a", "p3", "mistral")];
    asked.answer(StatusCode::OK, &list("PartialObjectMetadataList", &pods));
    let asked = server.expect(&format!("WATCH {PODS_OF_A}")).await;
    assert!(asked.accept.contains("as=PartialObjectMetadata;"), "{}", asked.accept);
    until("the list is in", || index.is_synced()).await;
    assert_eq!(names(&index, "a", "app=llama"), "p1 p2");

    let events = asked.stream();
    events.send("ADDED", pod("a", "p0", "llama")).await;
    events.send("MODIFIED", pod("a", "p3", "llama")).await;
    events.send("DELETED", pod("a", "p2", "llama")).await;
    until("the events are in", || names(&index, "a", "app=llama") == "p0 p1 p3").await;

    drop(events);
    server.expect(&format!("WATCH {PODS_OF_A}")).await.refuse(StatusCode::INTERNAL_SERVER_ERROR);
    until("trouble is seen", || index.progress().n_failing() == 1).await;
    assert_eq!(names(&index, "a", "app=llama"), "p0 p1 p3");
    let events = server.expect(&format!("WATCH {PODS_OF_A}")).await.stream();
    events.send("ADDED", pod("a", "p4", "llama")).await;
    until("the watch works again", || index.progress().n_failing() == 0).await;
    assert_eq!(names(&index, "a", "app=llama"), "p0 p1 p3 p4");

    let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
        "message": "too old resource version", "reason": "Expired"});
    events.send("ERROR", gone).await;
    let asked = server.expect(&format!("GET {PODS_OF_A}")).await;
    assert_eq!(names(&index, "a", "app=llama"), "p0 p1 p3 p4");
    asked.answer(StatusCode::OK, &list("PartialObjectMetadataList", &[pod("a", "p9", "llama")]));
    until("the new list is in", || names(&index, "a", "") == "p9").await;
    assert_eq!(
        (index.progress().lists(), index.progress().failures(), index.progress().n_failing()),
        (2, 1, 0)
    );

    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn the_watched_namespaces_follow_the_wish() {
    let (client, mut server) = Server::start();
    let index = Arc::new(PodIndex::default());
    let (wish, wanted) = watch::channel(namespaces(&["a"]));
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).watch(client, wanted, stop.clone()));
    let kind = "PartialObjectMetadataList";
    let asked = server.expect(&format!("GET {PODS_OF_A}")).await;
    asked.answer(StatusCode::OK, &list(kind, &[pod("a", "p", "x")]));
    let of_a = server.expect(&format!("WATCH {PODS_OF_A}")).await.stream();

    wish.send_replace(namespaces(&["b"]));
    let asked = server.expect("GET /api/v1/namespaces/b/pods").await;
    assert_eq!(names(&index, "a", ""), "not synced");
    asked.answer(StatusCode::OK, &list(kind, &[pod("b", "q", "x")]));
    until("b is known", || names(&index, "b", "") == "q").await;
    let _of_b = server.expect("WATCH /api/v1/namespaces/b/pods").await.stream();
    tokio::time::timeout(Duration::from_secs(20), of_a.0.closed()).await.unwrap();

    let many: Vec<String> = (0..17).map(|number| format!("ns-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).chain(["b"]).collect();
    wish.send_replace(namespaces(&many));
    let asked = server.expect("GET /api/v1/pods").await;
    assert_eq!(names(&index, "b", ""), "q", "what is known stays until the list is in");
    let pods = [pod("ns-3", "p", "x"), pod("elsewhere", "p", "x"), pod("b", "r", "x")];
    asked.answer(StatusCode::OK, &list(kind, &pods));
    until("all are known", || index.is_synced()).await;
    assert_eq!(names(&index, "b", ""), "r");
    assert_eq!(names(&index, "ns-3", ""), "p");
    assert_eq!(names(&index, "ns-4", ""), "");
    assert_eq!(names(&index, "elsewhere", ""), "not synced");
    assert_eq!(index.n_pods(), 2);
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn the_front_proxys_trust_is_read_and_followed() {
    const MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
    const FIELDS: &str = "fieldSelector=metadata.name%3Dextension-apiserver-authentication";
    let map = |names: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "extension-apiserver-authentication", "resourceVersion": "8",
                "namespace": "kube-system"},
            "data": {"requestheader-allowed-names": names,
                "requestheader-client-ca-file": "-----BEGIN CERTIFICATE-----"}})
    };
    let (client, mut server) = Server::start();
    let (sender, receiver) = watch::channel(None);
    let stop = CancellationToken::new();
    let task = tokio::spawn(trust::watch(client, sender, stop.clone()));
    let allowed = || receiver.borrow().as_ref().map(|trust| trust.allowed_names.join(" "));
    let asked = server.expect(&format!("GET {MAPS} {FIELDS}")).await;
    asked.answer(StatusCode::OK, &list("ConfigMapList", &[map(r#"["first"]"#)]));
    until("the trust is in", || allowed().as_deref() == Some("first")).await;
    let events = server.expect(&format!("WATCH {MAPS} {FIELDS}")).await.stream();
    events.send("MODIFIED", map("broken")).await;
    events.send("MODIFIED", map(r#"["second"]"#)).await;
    until("the trust has changed", || allowed().as_deref() == Some("second")).await;
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_review_is_asked_for_and_its_answer_told() {
    const REVIEWS: &str = "POST /apis/authorization.k8s.io/v1/subjectaccessreviews";
    let (client, mut server) = Server::start();
    let reviews = Arc::new(ClusterReviews::new(client));
    let mut ask = async |answer: fn(Asked)| {
        let reviews = Arc::clone(&reviews);
        let asking = tokio::spawn(async move {
            let user =
                User { name: "jane".into(), uid: None, groups: Vec::new(), extra: BTreeMap::new() };
            let wish = Attributes::Path { verb: "get".into(), path: "/metrics".into() };
            reviews.access(&user, &wish).await.map_err(|error| ErrorChain(&error).to_string())
        });
        let asked = server.expect(REVIEWS).await;
        assert_eq!(asked.body["spec"]["user"], "jane");
        assert_eq!(asked.body["spec"]["nonResourceAttributes"]["path"], "/metrics");
        answer(asked);
        asking.await.unwrap()
    };
    fn review(status: &Value) -> Value {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {}, "status": status})
    }
    let access = ask(|asked| asked.answer(StatusCode::CREATED, &review(&json!({"allowed": true}))));
    assert!(access.await.unwrap().allowed);
    let access = ask(|asked| {
        let status = json!({"allowed": false, "reason": "", "evaluationError": "role not found"});
        asked.answer(StatusCode::CREATED, &review(&status));
    });
    let access = access.await.unwrap();
    assert_eq!((access.allowed, access.reason.as_str()), (false, "role not found"));
    let failed = ask(|asked| asked.refuse(StatusCode::FORBIDDEN)).await.unwrap_err();
    assert!(failed.starts_with("failed to ask the cluster"), "{failed}");
    assert!(failed.contains("not today"), "{failed}");
    let empty = ask(|asked| asked.answer(StatusCode::CREATED, &review(&Value::Null)));
    let failed = empty.await.unwrap_err();
    assert!(failed.ends_with("came back without a status"), "{failed}");
}
