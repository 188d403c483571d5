//! Documents as kube-apiserver writes them, cut to what is told apart.

use super::*;
use serde_json::{Value, json};

fn resource(plural: &str, kind: &str, scope: &str, verbs: &[&str]) -> Value {
    json!({"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": scope, "singularResource": kind.to_lowercase(), "verbs": verbs,
        "subresources": [{"subresource": "status", "verbs": ["get"]}]})
}

fn document(items: &Value) -> Vec<u8> {
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items})
    .to_string()
    .into_bytes()
}

const ALL: &[&str] = &["create", "get", "list", "watch"];

/// `plural.group version/Kind`, with a star for the root scope.
fn shown(mapping: &RestMapping) -> Vec<String> {
    let all = mapping.resources().iter().map(|it| {
        let star = if it.is_namespaced { "" } else { "*" };
        let kind = &it.kind;
        format!("{}{star} {} {} {}", it.resource, kind.api_version, kind.kind, it.singular)
    });
    all.collect()
}

#[test]
fn each_resource_is_known_once_in_the_version_that_is_preferred() {
    let core = document(&json!([{"metadata": {}, "versions": [{"version": "v1", "resources": [
        resource("nodes", "Node", "Cluster", ALL),
        resource("pods", "Pod", "Namespaced", ALL),
        // Nothing of these is kept.
        resource("bindings", "Binding", "Namespaced", &["create"]),
        {"resource": "odd", "responseKind": null, "scope": "Namespaced", "verbs": ["list"]},
    ]}]}]));
    let mut plain = resource("gizmos", "Gizmo", "Namespaced", ALL);
    plain["singularResource"] = json!("");
    let groups = document(&json!([
        {"metadata": {"name": "example.com"}, "versions": [
            {"version": "v2", "freshness": "Current", "resources": [plain]},
            {"version": "v1", "resources": [
                resource("gizmos", "Gizmo", "Namespaced", ALL),
                resource("widgets", "Widget", "Cluster", ALL),
            ]},
        ]},
        {"metadata": {"name": "custom.metrics.k8s.io"}, "versions": [{"version": "v1beta2",
            "resources": [resource("pods", "MetricValueList", "Namespaced", &["get", "list"])]}]},
    ]));
    let mut offers = aggregated(&core).unwrap();
    offers.extend(aggregated(&groups).unwrap());
    let (mapping, left_out) = mapping(offers, &RestMapping::usual());
    let expected = [
        "nodes* v1 Node node",
        "pods v1 Pod pod",
        "gizmos.example.com example.com/v2 Gizmo gizmo",
        "widgets.example.com* example.com/v1 Widget widget",
    ];
    assert_eq!((shown(&mapping), left_out), (expected.map(str::to_owned).into(), 0));
}

#[test]
fn the_old_form_says_the_same() {
    let core = json!({"kind": "APIVersions", "versions": ["v1"]}).to_string();
    let groups = json!({"kind": "APIGroupList", "groups": [{"name": "example.com",
        "versions": [{"groupVersion": "example.com/v1", "version": "v1"},
            {"groupVersion": "example.com/v2", "version": "v2"}],
        "preferredVersion": {"groupVersion": "example.com/v2", "version": "v2"}}]})
    .to_string();
    assert_eq!(aggregated(core.as_bytes()), None);
    let mut offers = versions(core.as_bytes(), groups.as_bytes()).unwrap();
    let names: Vec<String> = offers.iter().map(Offer::api_version).collect();
    assert_eq!(names, ["v1", "example.com/v2", "example.com/v1"], "the preferred one first");
    let list = json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "pods", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ALL},
        {"name": "pods/status", "singularName": "", "namespaced": true, "kind": "Pod",
            "verbs": ["get"]},
        {"name": "namespaces", "singularName": "namespace", "namespaced": false,
            "kind": "Namespace", "verbs": ALL},
    ]});
    offers[0].resources = Some(resources(list.to_string().as_bytes()).unwrap());
    let (mapping, _) = mapping(offers, &RestMapping::default());
    assert_eq!(shown(&mapping), ["pods v1 Pod pod", "namespaces* v1 Namespace namespace"]);
    for broken in ["", "[]", r#"{"kind": "APIVersions"}"#] {
        assert!(versions(broken.as_bytes(), groups.as_bytes()).is_err(), "{broken}");
    }
}

#[test]
fn what_a_server_said_before_it_went_away_still_holds() {
    let with = |version: Value| {
        document(&json!([{"metadata": {"name": "example.com"}, "versions": [version]}]))
    };
    let gizmos = resource("gizmos", "Gizmo", "Namespaced", ALL);
    let known = with(json!({"version": "v1", "resources": [gizmos]}));
    let (known, _) = mapping(aggregated(&known).unwrap(), &RestMapping::default());
    let stale = with(json!({"version": "v1", "freshness": "Stale", "resources": []}));
    let (kept, _) = mapping(aggregated(&stale).unwrap(), &known);
    assert_eq!(shown(&kept), ["gizmos.example.com example.com/v1 Gizmo gizmo"]);
    let empty = with(json!({"version": "v1", "freshness": "Current", "resources": []}));
    assert_eq!(mapping(aggregated(&empty).unwrap(), &known).0, RestMapping::default());
}

#[test]
fn too_many_resources_are_counted_and_left_out() {
    let many: Vec<Value> = (0..RESOURCES_MAX + 3)
        .map(|number| resource(&format!("things{number}"), "Thing", "Namespaced", ALL))
        .collect();
    let many = document(&json!([{"metadata": {"name": "example.com"},
        "versions": [{"version": "v1", "resources": many}]}]));
    let (mapping, left_out) = mapping(aggregated(&many).unwrap(), &RestMapping::default());
    assert_eq!((mapping.resources().len(), left_out), (RESOURCES_MAX, 3));
}
