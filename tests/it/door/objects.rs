//! Objects other than pods, followed when somebody asks, against an API server of the test's own.

#![expect(clippy::panic, reason = "a test fails loudly")]

use super::cluster::{Server, list, until};
use foresail::cluster::objects::ObjectIndex;
use foresail::domain::limits::on_demand::COLLECTIONS_MAX;
use foresail::domain::name::Namespace;
use foresail::domain::object::{Collection, GroupResource, ObjectKind};
use foresail::domain::ports::{Objects, ObjectsUnknown};
use foresail::domain::selector::Selector;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn collection(resource: &str, api_version: &str, kind: &str, namespace: &str) -> Collection {
    let kind = ObjectKind { api_version: api_version.into(), kind: kind.into() };
    Collection {
        resource: GroupResource::parse(resource),
        kind: Arc::new(kind),
        namespace: Namespace::new(namespace).ok(),
    }
}

fn object(name: &str, tier: &str) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {
        "name": name, "resourceVersion": "7", "labels": {"tier": tier}}})
}

fn names(index: &ObjectIndex, of: &Collection, selector: &str) -> Result<String, ObjectsUnknown> {
    let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{error}"));
    let names = index.matching(of, &selector)?;
    Ok(names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" "))
}

/// Has a collection followed, as a request does.
fn ask(index: &Arc<ObjectIndex>, of: &Collection) {
    let (index, of) = (Arc::clone(index), of.clone());
    tokio::spawn(async move { index.want(&of).await });
}

const LIST: &str = "PartialObjectMetadataList";

#[tokio::test]
async fn objects_are_followed_by_their_metadata_once_somebody_asks() {
    let (client, mut server) = Server::start();
    let index = Arc::new(ObjectIndex::default());
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).watch(client, stop.clone()));
    let services = collection("services", "v1", "Service", "shop");
    let gizmos = collection("gizmos.example.com", "example.com/v2", "Gizmo", "");
    assert_eq!(names(&index, &services, ""), Err(ObjectsUnknown::NotSynced));

    let path = "/api/v1/namespaces/shop/services";
    ask(&index, &services);
    let asked = server.expect(&format!("GET {path}")).await;
    assert!(asked.accept.contains("as=PartialObjectMetadataList"), "{}", asked.accept);
    asked.answer(StatusCode::OK, &list(LIST, &[object("b", "gpu"), object("a", "cpu")]));
    let events = server.expect(&format!("WATCH {path}")).await.stream();
    until("the list is in", || names(&index, &services, "") == Ok("a b".to_owned())).await;
    assert_eq!(names(&index, &services, "tier=gpu"), Ok("b".to_owned()));
    events.send("ADDED", object("c", "gpu")).await;
    events.send("DELETED", object("b", "gpu")).await;
    let changed = || names(&index, &services, "tier in (gpu)") == Ok("c".to_owned());
    until("the events are in", changed).await;

    ask(&index, &gizmos);
    let path = "/apis/example.com/v2/gizmos";
    let asked = server.expect(&format!("GET {path}")).await;
    asked.answer(StatusCode::OK, &list(LIST, &[object("g", "gpu")]));
    until("root-scoped ones, too", || names(&index, &gizmos, "") == Ok("g".to_owned())).await;
    assert_eq!((index.n_collections(), index.n_objects()), (2, 3));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn what_may_not_be_listed_says_which_right_is_missing_until_it_is_given() {
    let (client, mut server) = Server::start();
    let index = Arc::new(ObjectIndex::default());
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&index).watch(client, stop.clone()));
    let ingresses =
        collection("ingresses.networking.k8s.io", "networking.k8s.io/v1", "Ingress", "a");
    let path = "GET /apis/networking.k8s.io/v1/namespaces/a/ingresses";
    ask(&index, &ingresses);
    server.expect(path).await.refuse(StatusCode::FORBIDDEN);
    let said = || names(&index, &ingresses, "").unwrap_err().to_string();
    let rule =
        r#"{apiGroups: ["networking.k8s.io"], resources: [ingresses], verbs: [list, watch]}"#;
    until("the refusal is known", || said().contains(rule)).await;
    assert!(said().contains("ServiceAccount"), "{}", said());
    server.expect(path).await.refuse(StatusCode::NOT_FOUND);
    until("that it is gone is known", || said().contains("no such resource")).await;
    server.expect(path).await.answer(StatusCode::OK, &list(LIST, &[object("i", "x")]));
    until("the right is there", || names(&index, &ingresses, "") == Ok("i".to_owned())).await;
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn no_more_kinds_and_places_are_followed_than_the_limit_says() {
    let index = Arc::new(ObjectIndex::default());
    let of = |number: usize| collection("services", "v1", "Service", &format!("ns-{number}"));
    for number in 0..COLLECTIONS_MAX {
        ask(&index, &of(number));
    }
    until("all are taken up", || index.n_collections() == COLLECTIONS_MAX).await;
    let said = names(&index, &of(COLLECTIONS_MAX), "").unwrap_err();
    assert!(matches!(said, ObjectsUnknown::Unlisted(_)), "{said}");
    assert_eq!(index.turned_away(), 1);
    assert_eq!(names(&index, &of(0), ""), Err(ObjectsUnknown::NotSynced));
}
