//! Every answer that is an error, with the sentence that a person reads.

use crate::api_world::{E, P1, P2, Unknown, World, snapshot};
use foresail::domain::limits;
use foresail::domain::ports::PodsUnknown;
use http::Method;
use std::sync::Arc;

async fn check(world: &World, path: &str, (code, reason): (u16, &str), message: &str) {
    let answer = world.get(path).await;
    assert_eq!(answer.message(code, reason), message, "{path}");
}

const NOT_FOUND: (u16, &str) = (404, "NotFound");
const BAD: (u16, &str) = (400, "BadRequest");

#[tokio::test]
async fn an_external_metric_without_a_value_says_why() {
    let world = World::new();
    for (ask, message) in [
        (
            "dead_demand",
            "policy inference/dead: no sample for 3m10s: source default: connection refused",
        ),
        ("late_demand", "policy inference/late: evaluation is late; is Foresail overloaded?"),
        ("new_demand", "policy inference/new: not evaluated yet; it was loaded a moment ago"),
        (
            "broken_demand",
            "policy inference/broken is not valid: spec.combine: `wating` is not a signal",
        ),
        (
            "broken_demand?labelSelector=model%3Dx",
            "policy inference/broken is not valid: spec.combine: `wating` is not a signal",
        ),
        (
            "llama_demand?labelSelector=model%3Dx",
            "external metric llama_demand in namespace inference: its labels do not match the \
             selector (policy inference/llama)",
        ),
    ] {
        check(&world, &format!("{E}/namespaces/inference/{ask}"), NOT_FOUND, message).await;
    }
}

#[tokio::test]
async fn a_sum_is_refused_while_a_part_of_it_is_unknown() {
    let message =
        "policy inference/total-c: no sample for 3m10s: source default: connection refused";
    let path = format!("{E}/namespaces/inference/total:demand");
    check(&World::new(), &path, NOT_FOUND, message).await;
}

#[tokio::test]
async fn an_unknown_metric_is_named_with_its_neighbours() {
    let world = World::new();
    for (path, message) in [
        (
            format!("{E}/namespaces/inference/lama_demand"),
            "no policy publishes external metric lama_demand in namespace inference; near that: \
             external metric llama_demand in namespace inference",
        ),
        (
            format!("{P2}/namespaces/inference/pods/*/llama_demand?labelSelector=app%3Dllama"),
            "no policy publishes metric llama_demand of pods in namespace inference; near that: \
             external metric llama_demand in namespace inference",
        ),
        (
            format!("{E}/namespaces/elsewhere/llama_demand"),
            "no policy publishes external metric llama_demand in namespace elsewhere",
        ),
        (
            format!("{P1}/namespaces/inference/services/llama/rates"),
            "no policy publishes metric rates of services \"llama\" in namespace inference",
        ),
        (format!("{P1}/nodes/n1/a%2Fb"), "no policy publishes metric a/b of nodes \"n1\""),
    ] {
        check(&world, &path, NOT_FOUND, message).await;
    }
}

#[tokio::test]
async fn a_name_of_any_length_is_answered_in_a_short_message() {
    let path = format!("{E}/namespaces/inference/{}", "x".repeat(30_000));
    let message = World::new().get(&path).await.message(404, "NotFound");
    assert!(message.len() < 600, "{} bytes", message.len());
}

#[tokio::test]
async fn pods_without_a_value_are_counted_in_the_sentence() {
    let world = World::new();
    let in_queue = "(metric queue of pods in namespace inference)";
    let dead =
        "policy inference/dead-pods: no sample for 3m10s: source default: connection refused";
    for (ask, message) in [
        (
            "pods/*/queue?labelSelector=app%3Dother",
            format!(
                "policy inference/queue: no value for the pods asked for {in_queue}; pods that \
                 match the selector: 1, of these with a value: 0, other pods with a value: 3"
            ),
        ),
        (
            "pods/*/queue?labelSelector=app%3Dnobody",
            format!(
                "policy inference/queue: no value for the pods asked for {in_queue}; pods that \
                 match the selector: 0, of these with a value: 0, other pods with a value: 3"
            ),
        ),
        (
            "pods/llama-5/queue",
            format!(
                "policy inference/queue: no value for \"llama-5\" {in_queue}; objects with a value: 3"
            ),
        ),
        (
            "pods/llama-2/queue",
            format!(
                "policy inference/queue: no value for \"llama-2\" {in_queue}; objects with a value: 3"
            ),
        ),
        ("pods/*/dead_queue", dead.to_owned()),
        (
            "pods/*/dead_queue?labelSelector=app%3Dllama",
            format!("{dead}; pods that match the selector: 4"),
        ),
        (
            "pods/*/queue?metricLabelSelector=engine%3Dtgi",
            "metric queue of pods in namespace inference: its labels do not match the selector \
             (policy inference/queue)"
                .to_owned(),
        ),
    ] {
        check(&world, &format!("{P2}/namespaces/inference/{ask}"), NOT_FOUND, &message).await;
    }
}

#[tokio::test]
async fn an_object_that_no_policy_describes_is_told_from_one_without_a_value() {
    let world = World::new();
    let rps = format!("{P2}/namespaces/inference/deployments.apps");
    let message = "policy inference/rps-1: evaluation is late; is Foresail overloaded?";
    check(&world, &format!("{rps}/falcon/rps"), NOT_FOUND, message).await;
    let message = "no policy publishes metric rps of deployments.apps in namespace inference for \
                   \"other\", but for llama, falcon, zephyr";
    check(&world, &format!("{rps}/other/rps"), NOT_FOUND, message).await;
}

#[tokio::test]
async fn unknown_pods_are_not_taken_for_none() {
    let path = format!("{P2}/namespaces/inference/pods/*/queue?labelSelector=app%3Dllama");
    for (why, code, message) in [
        (PodsUnknown::NotSynced, (404, "NotFound"), "the list of pods has not been read yet"),
        (
            PodsUnknown::NoCluster,
            BAD,
            "pods cannot be selected by label without a cluster (--standalone)",
        ),
    ] {
        let world = World::with(snapshot(), Arc::new(Unknown(why)));
        let message = format!("metric queue of pods in namespace inference: {message}");
        check(&world, &path, code, &message).await;
        let all = format!("{P2}/namespaces/inference/pods/*/queue");
        assert_eq!(world.get(&all).await.code, 200);
    }
}

#[tokio::test]
async fn selectors_that_make_no_sense_are_refused() {
    let world = World::new();
    let queue = format!("{P2}/namespaces/inference/pods/*/queue");
    let long = "a".repeat(limits::SELECTOR_BYTES_MAX + 1);
    for (path, part) in [
        (
            format!("{queue}?labelSelector=a+in+x"),
            "labelSelector: `a in x` is not a label selector",
        ),
        (format!("{queue}?labelSelector={long}"), "longer than"),
        (
            format!("{queue}?metricLabelSelector=,"),
            "metricLabelSelector: `,` is not a label selector",
        ),
        (format!("{queue}?metricLabelSelector=a%3E1"), "cannot be repeated in the answer"),
        (format!("{queue}?fieldSelector=status.phase%3DRunning"), "only `metadata.name=NAME`"),
        (format!("{queue}?fieldSelector=metadata.name!%3Da"), "only `metadata.name=NAME`"),
        (format!("{queue}?fieldSelector=metadata.name%3Da,x%3Db"), "only `metadata.name=NAME`"),
        (
            format!("{P2}/namespaces/inference/pods/llama-0/queue?fieldSelector=metadata.name%3Da"),
            "is not the name in the path",
        ),
        (format!("{queue}?labelSelector=%ff"), "not UTF-8"),
        (format!("{P2}/nodes/*/temp?labelSelector=a%3Db"), "the labels of nodes are not watched"),
        (
            format!("{P2}/namespaces/*/metrics/tokens?labelSelector=a"),
            "the labels of namespaces are not watched",
        ),
        (
            format!("{P2}/namespaces/inference/deployments.apps/*/rps?labelSelector=a"),
            "the labels of deployments.apps are not watched",
        ),
        (
            format!("{E}/namespaces/inference/llama_demand?labelSelector=(("),
            "is not a label selector",
        ),
    ] {
        let message = world.get(&path).await.message(400, "BadRequest");
        assert!(message.contains(part), "{path}: {message}");
    }
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_refused_as_api_servers_refuse_them() {
    let world = World::new();
    let nowhere = "the server could not find the requested resource";
    for path in [
        format!("{P2}/blah"),
        format!("{P2}/nodes/foo"),
        format!("{P2}/namespaces/inference/pods/bar"),
        format!("{P2}/nodes/n1/temp/"),
        format!("{P2}/namespaces/inference/metrics/x/tokens"),
        format!("{E}/namespaces/inference/llama_demand/more"),
        format!("{E}/llama_demand"),
        format!("{E}/namespaces/inference"),
        "/apis/".to_owned(),
        "/apis/custom.metrics.k8s.io/v1".to_owned(),
        "/livez/nothing".to_owned(),
    ] {
        check(&world, &path, NOT_FOUND, nowhere).await;
        assert!(world.get(&path).await.body.contains(r#""details":{}"#), "{path}");
    }
    let malformed = world.get(&format!("{P2}/namespaces/inference/tokens")).await;
    assert!(malformed.message(400, "BadRequest").starts_with("invalid request path"));
    let root = world.get("/").await.body;
    for path in ["/nowhere", "/api", "/openapi", "/openapi/v3/apis/apps/v1", "/metrics"] {
        let answer = world.get(path).await;
        assert_eq!((answer.code, answer.body.as_str()), (404, root.as_str()), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let world = World::new();
    let metric = format!("{P2}/namespaces/inference/pods/*/queue");
    let external = format!("{E}/namespaces/inference/llama_demand");
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD] {
        for path in [&metric, &external] {
            let answer = world.ask(method.clone(), path, &[]).await;
            assert_eq!((answer.code, answer.header("allow")), (405, "GET"), "{method} {path}");
            // The answer to a HEAD has no body, whatever it is.
            if method != Method::HEAD {
                answer.message(405, "MethodNotAllowed");
            }
        }
    }
    let answer = world.ask(Method::POST, "/apis", &[]).await;
    answer.message(405, "MethodNotAllowed");
    assert_eq!(answer.header("allow"), "GET, HEAD");
    assert_eq!(world.ask(Method::HEAD, "/apis", &[]).await.code, 200);
    world.get(&format!("{external}?watch=true")).await.message(405, "MethodNotAllowed");
    assert_eq!(world.get(&format!("{metric}?watch=true")).await.code, 200);
}

#[tokio::test]
async fn what_is_not_json_is_not_acceptable() {
    let world = World::new();
    let metric = format!("{P2}/namespaces/inference/pods/*/queue");
    for accept in ["application/cbor", "text/html", "application/json;as=Table;v=v1;g=meta.k8s.io"]
    {
        for path in [metric.as_str(), P2] {
            let answer = world.ask(Method::GET, path, &[("accept", accept)]).await;
            let message = answer.message(406, "NotAcceptable");
            let expected = "only the following media types are accepted: application/json, \
                            application/yaml, application/vnd.kubernetes.protobuf";
            assert_eq!(message, expected, "{accept}");
        }
        assert_eq!(world.ask(Method::GET, "/livez", &[("accept", accept)]).await.code, 200);
    }
}

#[tokio::test]
async fn a_refusal_is_a_whole_status() {
    let world = World::new();
    let paths = [
        format!("{E}/namespaces/inference/dead_demand"),
        format!("{P2}/blah"),
        format!("{P2}/namespaces/inference/tokens"),
    ];
    insta::assert_snapshot!(world.shown(&paths).await);
}
