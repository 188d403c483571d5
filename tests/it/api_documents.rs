//! The documents that say what there is: kept, tagged, in the shapes that kube-apiserver asks for.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use crate::api_world::{Answer, E, P1, P2, World, good, one, put, snapshot};
use foresail::domain::metric::Subject;
use http::Method;
use ring::digest::{SHA512, digest};
use serde_json::Value;

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const V2_BETA_1: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

async fn groups(world: &World, accept: &str) -> Answer {
    world.ask(Method::GET, "/apis", &[("accept", accept)]).await
}

#[tokio::test]
async fn aggregated_discovery_names_every_resource_in_one_document() {
    let world = World::new();
    let answer = groups(&world, &format!("{V2},{V2_BETA_1},application/json")).await;
    assert_eq!((answer.code, answer.header("content-type")), (200, V2));
    assert_eq!((answer.header("vary"), answer.header("cache-control")), ("Accept", "public"));
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());

    let beta = groups(&world, V2_BETA_1).await;
    assert_eq!((beta.code, beta.header("content-type")), (200, V2_BETA_1));
    assert_eq!(beta.body, answer.body.replacen("/v2\"", "/v2beta1\"", 1));
}

/// The names of a version's resources, as client-go makes them from aggregated discovery.
fn names(document: &Value, group: &str, version: &str) -> Vec<(String, bool)> {
    let groups = document["items"].as_array().unwrap();
    let group = groups.iter().find(|it| it["metadata"]["name"] == group).unwrap();
    let versions = group["versions"].as_array().unwrap();
    let version = versions.iter().find(|it| it["version"] == version).unwrap();
    let mut names = Vec::new();
    for resource in version["resources"].as_array().unwrap() {
        let name = resource["resource"].as_str().unwrap().to_owned();
        let namespaced = resource["scope"] == "Namespaced";
        match resource.get("subresources") {
            None => names.push((name, namespaced)),
            Some(below) => {
                let below = below.as_array().unwrap().iter();
                names.extend(below.map(|it| {
                    (format!("{name}/{}", it["subresource"].as_str().unwrap()), namespaced)
                }));
            }
        }
    }
    names.sort();
    names
}

#[tokio::test]
async fn aggregated_discovery_says_what_the_plain_lists_say() {
    let world = World::new();
    let document: Value = serde_json::from_str(&groups(&world, V2).await.body).unwrap();
    for path in [P1, P2, E] {
        let list: Value = serde_json::from_str(&world.get(path).await.body).unwrap();
        let resources = list["resources"].as_array().unwrap().iter();
        let mut expected: Vec<(String, bool)> = resources
            .map(|it| (it["name"].as_str().unwrap().to_owned(), it["namespaced"] == true))
            .collect();
        expected.sort();
        let (group, version) = path.trim_start_matches("/apis/").split_once('/').unwrap();
        assert_eq!(names(&document, group, version), expected, "{path}");
    }
}

#[tokio::test]
async fn a_document_has_a_tag_and_who_has_it_is_told_so() {
    let world = World::new();
    for (path, accept) in [
        ("/apis", V2),
        ("/apis", "application/json"),
        ("/apis/custom.metrics.k8s.io", "application/yaml"),
        (P2, "application/vnd.kubernetes.protobuf"),
        (E, "application/json"),
        ("/openapi/v2", "application/json"),
        ("/openapi/v3", "*/*"),
        ("/openapi/v3/apis/custom.metrics.k8s.io/v1beta2?hash=0", "application/json"),
    ] {
        let answer = world.ask(Method::GET, path, &[("accept", accept)]).await;
        assert_eq!(answer.code, 200, "{path}");
        let hash: String =
            digest(&SHA512, &answer.bytes).as_ref().iter().map(|it| format!("{it:02X}")).collect();
        let etag = answer.header("etag").to_owned();
        assert_eq!(etag, format!("\"{hash}\""), "{path}");
        for (has, code) in [
            (etag.clone(), 304),
            (format!("\"old\", W/{etag}"), 304),
            ("*".to_owned(), 304),
            ("\"old\"".to_owned(), 200),
        ] {
            let headers = [("accept", accept), ("if-none-match", has.as_str())];
            let again = world.ask(Method::GET, path, &headers).await;
            assert_eq!((again.code, again.header("etag")), (code, etag.as_str()), "{path} {has}");
            assert_eq!(again.bytes.is_empty(), code == 304, "{path} {has}");
        }
    }
}

#[tokio::test]
async fn a_document_is_a_new_one_only_when_what_it_lists_changes() {
    let world = World::new();
    let before = groups(&world, V2).await;
    // New values are no news.
    let mut same = snapshot();
    put(&mut same, ("llama", "llama_demand"), Subject::External, &[], one(good(7.0)));
    world.published.replace(same);
    assert_eq!(groups(&world, V2).await.header("etag"), before.header("etag"));
    let mut more = snapshot();
    put(&mut more, ("more", "more_demand"), Subject::External, &[], one(good(7.0)));
    world.published.replace(more);
    let after = groups(&world, V2).await;
    assert_ne!(after.header("etag"), before.header("etag"));
    assert!(after.body.contains("more_demand") && world.get(E).await.body.contains("more_demand"));
    assert!(!world.get(P2).await.body.contains("more_demand"));
}

#[tokio::test]
async fn openapi_describes_the_own_paths() {
    let world = World::new();
    let v2: Value = serde_json::from_str(&world.get("/openapi/v2").await.body).unwrap();
    assert_eq!(v2["swagger"], "2.0");
    let root: Value = serde_json::from_str(&world.get("/openapi/v3").await.body).unwrap();
    let places = root["paths"].as_object().unwrap();
    assert_eq!(places.len(), 3);
    for (name, place) in places {
        let url = place["serverRelativeURL"].as_str().unwrap();
        let (path, hash) = url.split_once("?hash=").unwrap();
        assert_eq!(path, format!("/openapi/v3/{name}"));
        let answer = world.get(url).await;
        assert_eq!(answer.header("etag"), format!("\"{hash}\""), "{url}");
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(document["openapi"], "3.0.0");
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(v2["paths"].get(path).is_some(), "{path} is in both");
        }
    }
    let proto = [("accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")];
    let answer = world.ask(Method::GET, "/openapi/v2", &proto).await;
    answer.message(406, "NotAcceptable");
}
