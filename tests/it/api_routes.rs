//! Every route that answers, with the exact bytes of its answer.

use crate::api_world::{E, P1, P2, World, good, one, per_pod, put, snapshot, value};
use foresail::domain::limits;
use foresail::domain::metric::Subject;
use foresail::published::Snapshot;
use http::Method;
use jiff::SignedDuration;

fn paths(prefix: &str, paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| format!("{prefix}{path}")).collect()
}

const CUSTOM: [&str; 11] = [
    "/namespaces/inference/pods/*/queue",
    "/namespaces/inference/pods/*/queue?labelSelector=app%3Dllama",
    "/namespaces/inference/pods/%2A/queue?labelSelector=app+in+(llama,mistral)&fieldSelector=metadata.name%3Dllama-1",
    "/namespaces/inference/pods/*/queue?labelSelector=&metricLabelSelector=engine%3Dvllm,tier+in+(gpu,cpu),!x",
    "/namespaces/inference/pods/llama-1/queue",
    "/namespaces/inference/deployments.apps/llama/rps",
    "/namespaces/inference/deployments.apps/*/rps",
    "/namespaces/inference/metrics/tokens",
    "/namespaces/*/metrics/tokens",
    "/nodes/n1/temp",
    "/nodes/*/temp",
];

#[tokio::test]
async fn custom_metrics_v1beta1_answer_on_every_route() {
    insta::assert_snapshot!(World::new().shown(&paths(P1, &CUSTOM)).await);
}

#[tokio::test]
async fn custom_metrics_v1beta2_answer_on_every_route() {
    insta::assert_snapshot!(World::new().shown(&paths(P2, &CUSTOM)).await);
}

#[tokio::test]
async fn external_metrics_answer_with_what_the_selector_selects() {
    let asks = [
        "/namespaces/inference/llama_demand",
        "/namespaces/inference/llama_demand?labelSelector=model%3Dllama",
        "/namespaces/inference/total%3Ademand?labelSelector=model+in+(a,b)",
        "/namespaces/inference/total:demand?labelSelector=model!%3Dc&fieldSelector=ignored&watch=0",
    ];
    insta::assert_snapshot!(World::new().shown(&paths(E, &asks)).await);
}

#[tokio::test]
async fn the_singular_and_a_missing_group_are_understood() {
    let world = World::new();
    for (path, same) in [
        ("pod/llama-1/queue", "pods/llama-1/queue"),
        ("pod/*/queue?labelSelector=app%3Dllama", "pods/*/queue?labelSelector=app%3Dllama"),
        ("deployment.apps/llama/rps", "deployments.apps/llama/rps"),
        ("deployments/llama/rps", "deployments.apps/llama/rps"),
        ("deployment/llama/rps", "deployments.apps/llama/rps"),
    ] {
        let given = world.get(&format!("{P2}/namespaces/inference/{path}")).await;
        let expected = world.get(&format!("{P2}/namespaces/inference/{same}")).await;
        assert_eq!((given.code, given.body), (200, expected.body), "{path}");
    }
}

#[tokio::test]
async fn one_object_is_answered_whatever_its_labels() {
    let world = World::new();
    for path in ["/nodes/n1/temp", "/namespaces/inference/pods/llama-0/queue"] {
        let path = format!("{P2}{path}?labelSelector=foo%3Dbar&watch=true");
        assert_eq!(world.get(&path).await.code, 200, "{path}");
    }
}

#[tokio::test]
async fn discovery_lists_what_is_published() {
    let asks =
        ["/", "/apis", "/apis/custom.metrics.k8s.io", "/apis/external.metrics.k8s.io", P1, P2, E];
    insta::assert_snapshot!(World::new().shown(&paths("", &asks)).await);
}

#[tokio::test]
async fn an_empty_list_has_a_placeholder() {
    let world = World::new();
    world.published.replace(Snapshot::default());
    insta::assert_snapshot!(world.shown(&paths("", &[P1, P2, E])).await);
}

#[tokio::test]
async fn a_long_list_is_cut_and_what_is_left_out_is_counted_and_served() {
    let world = World::new();
    let mut snapshot = snapshot();
    for idx in 0..limits::documents::METRICS_LISTED {
        let name = format!("metric_{idx:05}");
        put(&mut snapshot, ("many", &name), Subject::External, &[], one(good(1.0)));
    }
    world.published.replace(snapshot);
    let list = world.get(E).await;
    assert_eq!(list.body.matches("\"verbs\"").count(), limits::documents::METRICS_LISTED);
    assert_eq!(
        world
            .get(&format!("{E}/namespaces/inference/total:demand?labelSelector=model%3Da"))
            .await
            .code,
        200
    );
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &world.registry).unwrap();
    let gauge = r#"foresail_api_discovery_left_out_metrics{group="external.metrics.k8s.io"} 6"#;
    assert!(text.contains(gauge), "{text}");
}

#[tokio::test]
async fn health_and_version_answer_without_a_source() {
    let asks = [
        "/livez",
        "/livez?verbose",
        "/livez/tick",
        "/livez/ping",
        "/healthz",
        "/readyz",
        "/readyz?verbose&exclude=config",
        "/readyz/config",
    ];
    insta::assert_snapshot!(World::new().shown(&paths("", &asks)).await);
    let version = World::new().get("/version").await;
    let expected = concat!("\"gitVersion\":\"v", env!("CARGO_PKG_VERSION"), "\"");
    assert!(version.code == 200 && version.body.contains(expected), "{}", version.body);
}

#[tokio::test]
async fn people_get_indented_json() {
    let world = World::new();
    let path = format!("{P2}/nodes/n1/temp");
    let by_curl = world.ask(Method::GET, &path, &[("user-agent", "curl/8.14")]).await;
    insta::assert_snapshot!(by_curl.body);
    assert_eq!(world.get(&format!("{path}?pretty=true")).await.body, by_curl.body);
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_an_api_server() {
    let world = World::new();
    for path in [&format!("{P2}/nodes/n1/temp"), P2, "/livez", "/nowhere", &format!("{P2}/nowhere")]
    {
        let answer = world.ask(Method::GET, path, &[("audit-id", "b0a7")]).await;
        assert_eq!(answer.header("cache-control"), "no-cache, private", "{path}");
        assert_eq!(answer.header("audit-id"), "b0a7", "{path}");
        assert_ne!(answer.header("content-type"), "", "{path}");
    }
}

#[tokio::test]
async fn requests_are_counted_and_timed_by_route() {
    let world = World::new();
    world.get(&format!("{P2}/namespaces/inference/pods/*/queue")).await;
    world.get(&format!("{P2}/namespaces/inference/pods/*/queue")).await;
    world.get(&format!("{E}/namespaces/inference/none")).await;
    world.get("/livez").await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &world.registry).unwrap();
    for line in [
        r#"foresail_api_requests_total{group="custom.metrics.k8s.io",route="objects",code="200"} 2"#,
        r#"foresail_api_requests_total{group="external.metrics.k8s.io",route="external",code="404"} 1"#,
        r#"foresail_api_requests_total{group="",route="health",code="200"} 1"#,
        r#"foresail_api_request_duration_seconds_count{route="objects"} 2"#,
        r#"foresail_api_request_duration_seconds_bucket{le="1.0",route="objects"} 2"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_reader_sees_the_newest_snapshot() {
    let world = World::new();
    let path = format!("{E}/namespaces/inference/llama_demand");
    let mut snapshot = Snapshot::default();
    put(&mut snapshot, ("llama", "llama_demand"), Subject::External, &[], one(good(2.0)));
    world.published.replace(snapshot);
    assert!(world.get(&path).await.body.contains(r#""value":"2""#));
}

#[tokio::test]
async fn a_value_is_served_up_to_the_instant_at_which_it_ends_and_not_after() {
    let world = World::new();
    let path = format!("{E}/namespaces/inference/edge");
    for (left_ns, code) in [(1, 200), (0, 200), (-1, 404)] {
        let mut snapshot = Snapshot::default();
        let last = value(1.0, SignedDuration::from_secs(60), SignedDuration::from_nanos(left_ns));
        put(&mut snapshot, ("edge", "edge"), Subject::External, &[], one(last));
        world.published.replace(snapshot);
        assert_eq!(world.get(&path).await.code, code, "{left_ns} ns left");
    }
}

#[tokio::test]
async fn two_policies_share_a_metric_sorted_and_without_doubles() {
    let world = World::new();
    let mut snapshot = Snapshot::default();
    for (policy, values) in [
        ("b", [("pod-0", good(20.0)), ("pod-2", good(22.0))]),
        ("a", [("pod-1", good(11.0)), ("pod-2", good(12.0))]),
    ] {
        put(&mut snapshot, (policy, "queue"), Subject::Pods, &[], per_pod(&values));
    }
    world.published.replace(snapshot);
    let body = world.get(&format!("{P2}/namespaces/inference/pods/*/queue")).await.body;
    let list: serde_json::Value = serde_json::from_str(&body).unwrap();
    let items = list.get("items").unwrap().as_array().unwrap();
    let text =
        |item: &serde_json::Value, path| item.pointer(path).unwrap().as_str().unwrap().to_owned();
    let shown: Vec<(String, String)> =
        items.iter().map(|it| (text(it, "/describedObject/name"), text(it, "/value"))).collect();
    let expected = [("pod-0", "20"), ("pod-1", "11"), ("pod-2", "12")];
    assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}
