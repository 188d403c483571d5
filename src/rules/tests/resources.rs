//! P11 to P19: which label names which resource.

use super::*;

#[test]
fn p11_to_p19_labels_name_resources_of_the_cluster() {
    let all = ["kube_namespace", "kube_pod", "kube_node", "foo"];
    for (case, resources, labels, expected) in [
        ("P11", STD, &["namespace", "pod", "container"][..], vec!["namespaces/x*", "pods/x"]),
        (
            "P12",
            "template: 'kube_<<.Resource>>'",
            &all,
            vec!["namespaces/x*", "nodes/x*", "pods/x"],
        ),
        (
            "P13",
            "template: 'kube_<<.Group>>_<<.Resource>>'",
            &["kube_apps_deployment"],
            vec!["deployments.apps/x"],
        ),
        // Upstream splits this label at the first `_` and never finds the group.
        (
            "P13, a group of several parts",
            "template: 'kube_<<.Group>>_<<.Resource>>'",
            &["kube_networking_k8s_io_ingress"],
            vec!["ingresses.networking.k8s.io/x"],
        ),
        ("P14", "template: <<.Resource>>", &["service", "job"], vec!["jobs.batch/x", "services/x"]),
        // Upstream registers the metric, and its queries ask by the label `pod`.
        ("P14, the plural", "template: <<.Resource>>", &["pods"], vec![]),
        (
            "P15",
            "overrides: {ingress: {group: networking.k8s.io, resource: ingress}}",
            &["ingress"],
            vec!["ingresses.networking.k8s.io/x"],
        ),
        (
            "P15, a group's beginning",
            "overrides: {ingress: {group: networking, resource: Ingresses}}",
            &["ingress"],
            vec!["ingresses.networking.k8s.io/x"],
        ),
        (
            "P18",
            "overrides: {namespace: {resource: namespace}, node: {resource: node}}",
            &["node"],
            vec!["nodes/x*"],
        ),
        // Upstream any label beside it, related or not, makes the metric a namespaced one.
        (
            "P18, beside other labels",
            "overrides: {node: {resource: node}}",
            &["node", "instance", "job"],
            vec!["nodes/x*"],
        ),
        ("P19", "template: '<<.Resource>>'", &["persistentvolume"], vec!["persistentvolumes/x*"]),
        // Upstream knows three root-scoped resources and no other.
        (
            "a root-scoped custom resource",
            "template: '<<.Resource>>'",
            &["widget"],
            vec!["widgets.example.com/x*"],
        ),
        (
            "an override goes before the template",
            "template: '<<.Resource>>', overrides: {pod_name: {resource: pod}}",
            &["pod", "pod_name"],
            vec!["pods/x"],
        ),
        ("neither", "namespaced: true", &["pod"], vec![]),
    ] {
        assert_eq!(metrics(&custom(resources, M1), &[shape("x", labels)]), expected, "{case}");
    }
}

/// Upstream the process ends.
#[test]
fn p16_a_rule_waits_for_the_resource_that_it_names() {
    let rule = rule_of(&file(
        "rules",
        "overrides: {gizmo: {group: example.com, resource: gizmo}}",
        "",
        M1,
    ));
    let missing = Bound::new(Arc::clone(&rule), &mapping()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the cluster has no resource `gizmo.example.com`, which the label `gizmo` names"
    );
    let gizmo = ObjectKind { api_version: "example.com/v1".into(), kind: "Gizmo".into() };
    let gizmos = KnownResource::of("gizmos", gizmo, true);
    let mut resources = mapping().resources().to_vec();
    resources.push(gizmos);
    let bound = Bound::new(rule, &RestMapping::new(resources)).unwrap();
    assert_eq!(metrics(&bound, &[shape("x", &["gizmo"])]), ["gizmos.example.com/x"]);
}

#[test]
fn p17_a_label_template_has_to_name_the_resource() {
    for (template, problem) in [
        ("kube_<<.Group>>", "the template makes one label of all resources"),
        ("<<.Resource>>-x", "the template makes no label of a series"),
        ("<<.Resourse>>", "line 1, column 3: there is no field `.Resourse`"),
    ] {
        let text = file("rules", &format!("template: '{template}'"), "", M1);
        assert_eq!(fault_of(&text).0, format!("rules[0].resources.template: {problem}"));
    }
}

/// Upstream all label sets of all series come over the wire.
#[test]
fn the_names_of_series_are_asked_for_without_their_labels() {
    let minute = std::time::Duration::from_secs(60);
    for (selector, label, expected) in [
        ("up", None, Some(r#"group by (__name__) (last_over_time(up[60s]))"#)),
        ("up", Some("pod"), Some(r#"group by (__name__) (last_over_time(up{pod!=""}[60s]))"#)),
        (
            r#"{__name__=~"^a_.*",x!="y"}"#,
            Some("pod"),
            Some(
                r#"group by (__name__) (last_over_time({__name__=~"^a_.*",pod!="",x!="y"}[60s]))"#,
            ),
        ),
        // VictoriaMetrics takes it, and refuses nothing that Prometheus does.
        (
            r#"{a="b" or c="d"}"#,
            Some("pod"),
            Some(
                r#"group by (__name__) (last_over_time({a="b", pod!="" or c="d", pod!=""}[60s]))"#,
            ),
        ),
    ] {
        let quoted = selector.replace('\'', "''");
        let text = file("rules", STD, "", M1)
            .replace("seriesQuery: x", &format!("seriesQuery: '{quoted}'"));
        assert_eq!(rule_of(&text).names_query(label, minute).as_deref(), expected, "{selector}");
    }
}

/// Upstream which of the two is asked with is decided by chance at each start.
#[test]
fn of_two_labels_of_one_resource_the_first_is_used_and_the_other_told() {
    let two = "overrides: {k8s_ns: {resource: namespace}, namespace: {resource: namespace}, pod: {resource: pod}}";
    let warnings = warnings_of(&file("rules", two, "", M1));
    let told = "rules[0].resources.overrides.namespace: `namespace` names the same resource as `k8s_ns`, which queries use";
    assert_eq!(warnings, [told]);
    assert_eq!(custom(two, M1).labels().label(&GroupResource::parse("namespaces")), Some("k8s_ns"));
}

#[test]
fn a_rule_that_can_never_answer_is_told() {
    for (list, resources, expected) in [
        (
            "rules",
            "",
            "rules[0].resources: no label names an object, so that the rule makes no metric",
        ),
        (
            "rules",
            "overrides: {pod: {resource: pod}}",
            "rules[0].resources: no label names the namespace: only objects that live in none are served",
        ),
        (
            "externalRules",
            "",
            "externalRules[0].resources: no label names the namespace, so that no query can be written",
        ),
    ] {
        assert_eq!(warnings_of(&file(list, resources, "", M1)), [expected]);
    }
    assert_eq!(
        warnings_of(&file("externalRules", "namespaced: false", "", M1)),
        Vec::<String>::new()
    );
}
