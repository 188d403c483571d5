//! kube-apiserver takes Foresail for an API server like any other, whatever its sources do.

use serde_json::Value;

use crate::bed::Bed;
use crate::bed::http::Reply;
use crate::bed::kubectl::Kubectl;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::{SOON, Stage, custom, external, quantity};

const NAMESPACE: &str = "api-is-served";
const P1: &str = "/apis/custom.metrics.k8s.io/v1beta1";
const P2: &str = "/apis/custom.metrics.k8s.io/v1beta2";
const E: &str = "/apis/external.metrics.k8s.io/v1beta1";

/// A metric for every route: of pods, of a namespaced object, of objects without a namespace, of
/// the namespace itself, and of nothing.
fn every_kind(bed: &Bed) -> String {
    let object = |metric: &'static str, name: &'static str| Policy {
        namespace: NAMESPACE,
        name,
        metric,
        ..Policy::default()
    };
    config(
        bed,
        &[
            Policy {
                query: r#"sum by (pod) (served_queue{namespace="api-is-served"})"#,
                ..object("name: queue, type: Pods", "queue")
            },
            object(
                "name: rps, type: Object, describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}",
                "rps",
            ),
            object(
                "name: temperature, type: Object, describedObject: {apiVersion: v1, kind: Node, name: node-0}",
                "temperature",
            ),
            object(
                "name: tokens, type: Object, describedObject: {apiVersion: v1, kind: Namespace, name: api-is-served}",
                "tokens",
            ),
            object("name: demand, type: External, labels: {model: llama}", "demand"),
        ],
    )
}

fn set_queue(bed: &Bed) {
    for (pod, value) in [("llama-0", 3.0), ("llama-1", 0.5)] {
        bed.exporter.set("served_queue", &[("namespace", NAMESPACE), ("pod", pod)], value);
    }
}

#[test]
fn every_route_answers_through_kube_apiserver() {
    let bed = Bed::exclusive();
    set_queue(&bed);
    let stage = Stage::new(&bed, &every_kind(&bed));
    let queue = custom(NAMESPACE, "pods", "llama-0", "queue");
    stage.wait_served(&queue, 3.0);
    stage.wait_served(&external(NAMESPACE, "demand"), 1.0);
    for prefix in [P1, P2] {
        let version = prefix.trim_start_matches("/apis/");
        for (path, values) in [
            // C1 and C2, C3 and C4, C5 and C6 of the routes.
            ("/nodes/node-0/temperature", vec![1.0]),
            ("/nodes/*/temperature", vec![1.0]),
            ("/namespaces/api-is-served/pods/llama-1/queue", vec![0.5]),
            ("/namespaces/api-is-served/deployments.apps/llama/rps", vec![1.0]),
            ("/namespaces/api-is-served/pods/*/queue", vec![3.0, 0.5]),
            ("/namespaces/api-is-served/pods/%2A/queue", vec![3.0, 0.5]),
            ("/namespaces/api-is-served/metrics/tokens", vec![1.0]),
            ("/namespaces/*/metrics/tokens", vec![1.0]),
        ] {
            let list = bed.kubectl.raw(&format!("{prefix}{path}"));
            check_list(&list, "MetricValueList", version, &values);
        }
    }
    for query in ["", "?labelSelector=", "?labelSelector=model%3Dllama", "?labelSelector=model"] {
        let list = bed.kubectl.raw(&format!("{}{query}", external(NAMESPACE, "demand")));
        check_list(&list, "ExternalMetricValueList", E.trim_start_matches("/apis/"), &[1.0]);
    }
}

#[track_caller]
fn check_list(list: &Value, kind: &str, version: &str, values: &[f64]) {
    assert_eq!((&list["kind"], &list["apiVersion"]), (&kind.into(), &version.into()), "{list}");
    let items = list["items"].as_array().unwrap();
    let served: Vec<f64> = items.iter().map(|item| quantity(&item["value"])).collect();
    assert_eq!(served, values, "{list}");
    for item in items {
        let at: jiff::Timestamp = item["timestamp"].as_str().unwrap().parse().unwrap();
        assert_eq!(at.subsec_nanosecond(), 0, "whole seconds: {item}");
    }
}

#[test]
fn refusals_are_statuses_with_their_code_and_reason() {
    let bed = Bed::exclusive();
    set_queue(&bed);
    let stage = Stage::new(&bed, &every_kind(&bed));
    stage.wait_served(&external(NAMESPACE, "demand"), 1.0);
    let get = |path: &str| {
        let url = format!("{}{path}", bed.control_plane.server());
        bed.http.get(&url, &[("Authorization", "Bearer admin")]).unwrap()
    };
    for (path, code, reason, says) in [
        (format!("{P1}/nodes/node-0/unknown"), 404, "NotFound", "unknown"),
        (format!("{P2}/namespaces/{NAMESPACE}/pods/none/queue"), 404, "NotFound", "queue"),
        // C7, C8, a trailing slash, and a resource called metrics.
        (format!("{P2}/namespaces/{NAMESPACE}/pods"), 400, "BadRequest", "invalid request path"),
        (format!("{P2}/blah"), 404, "NotFound", "could not find the requested resource"),
        (format!("{P2}/nodes/node-0"), 404, "NotFound", "could not find the requested resource"),
        (
            format!("{P2}/nodes/node-0/temperature/"),
            404,
            "NotFound",
            "could not find the requested resource",
        ),
        (format!("{P1}/namespaces/{NAMESPACE}/metrics/a/b"), 404, "NotFound", "could not find"),
        (
            format!("{P1}/namespaces/{NAMESPACE}/pods/*/queue?labelSelector=a%20b"),
            400,
            "BadRequest",
            "labelSelector",
        ),
        // E1 of an unknown metric, E2, E3 twice, E4.
        (external(NAMESPACE, "unknown"), 404, "NotFound", "unknown"),
        (external(NAMESPACE, "demand/more"), 404, "NotFound", "could not find"),
        (format!("{E}/demand"), 404, "NotFound", "could not find"),
        (format!("{E}/namespaces/{NAMESPACE}"), 404, "NotFound", "could not find"),
        (external(NAMESPACE, "demand?watch=true"), 405, "MethodNotAllowed", "does not allow"),
    ] {
        check_status(&path, &get(&path), code, reason, says);
    }
    let demand = external(NAMESPACE, "demand");
    let url = format!("{}{demand}", bed.control_plane.server());
    let posted = bed.http.post_form(&url, &[]).unwrap();
    assert_eq!(posted.status, 403, "nobody may create metrics: {}", posted.body);
    // kubectl makes a sentence of the Status.
    let said = bed.kubectl.fails(&format!("get --raw {}", external(NAMESPACE, "unknown")));
    assert!(said.contains("Error from server (NotFound): ") && said.contains("unknown"), "{said}");
}

#[track_caller]
fn check_status(path: &str, reply: &Reply, code: u16, reason: &str, says: &str) {
    let status = reply.json();
    let seen = (reply.status, &status["kind"], &status["apiVersion"], &status["status"]);
    assert_eq!(seen, (code, &"Status".into(), &"v1".into(), &"Failure".into()), "{path}: {status}");
    assert_eq!((&status["reason"], &status["code"]), (&reason.into(), &code.into()), "{path}");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains(says), "{path}: {message}");
}

#[test]
fn api_resources_lists_the_metrics_without_a_warning() {
    let bed = Bed::exclusive();
    let listed = {
        let stage = Stage::new(&bed, &every_kind(&bed));
        stage.wait_served(&external(NAMESPACE, "demand"), 1.0);
        api_resources(&bed.kubectl)
    };
    for (group, name, kind) in [
        ("custom.metrics.k8s.io/v1beta2", "pods/queue", "MetricValueList"),
        ("custom.metrics.k8s.io/v1beta2", "nodes/temperature", "MetricValueList"),
        ("external.metrics.k8s.io/v1beta1", "demand", "ExternalMetricValueList"),
    ] {
        let is_it = |it: &(String, String, String)| *it == (name.into(), group.into(), kind.into());
        assert!(listed.iter().any(is_it), "no {name} of {group} in {listed:?}");
    }
}

#[test]
fn an_adapter_without_policies_is_available_and_lists_placeholders() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    let listed = api_resources(&bed.kubectl);
    for group in ["custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1"] {
        let found = listed.iter().filter(|(_, it, _)| it == group).count();
        assert_eq!(found, 1, "one placeholder of {group} in {listed:?}");
    }
    let error = stage.served(&external("default", "demand")).unwrap_err();
    assert!(error.contains("(NotFound)"), "{error}");
}

/// Name, group and version, and kind of everything that `kubectl api-resources` lists, subresources
/// included as discovery has them.
fn api_resources(kubectl: &Kubectl) -> Vec<(String, String, String)> {
    let output = kubectl.run("api-resources --cached=false");
    assert!(output.success && output.stderr.is_empty(), "a warning: {}", output.stderr);
    let mut listed = Vec::new();
    for version in [P1, P2, E] {
        let list = kubectl.raw(version);
        assert_eq!(list["kind"], "APIResourceList");
        for resource in list["resources"].as_array().unwrap() {
            let text = |key: &str| resource[key].as_str().unwrap().to_owned();
            let group = version.trim_start_matches("/apis/").to_owned();
            listed.push((text("name"), group, text("kind")));
        }
    }
    listed
}

#[test]
fn namespaces_come_and_go_while_prometheus_is_down() {
    let bed = Bed::exclusive();
    bed.prometheus.stop();
    // Started without any source: it is ready, registered and listed all the same.
    let stage = Stage::new(&bed, &every_kind(&bed));
    bed.kubectl.ok("create namespace while-down");
    bed.kubectl.ok("create configmap something --namespace while-down");
    bed.kubectl.ok("delete namespace while-down --timeout 30s");
    wait_until(SOON, "the refusal names the source", || {
        let error = stage.served(&external(NAMESPACE, "demand")).unwrap_err();
        let sentence =
            "policy api-is-served/demand: no sample yet: source default: connection refused";
        seen(error.contains(sentence), error)
    });
    assert_eq!(stage.registration.available(), Ok(()));
    bed.prometheus.start_again();
    stage.wait_served(&external(NAMESPACE, "demand"), 1.0);
}
