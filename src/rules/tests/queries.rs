//! P20 to P35: what is asked.

use super::*;

fn ask(
    bound: &Bound,
    (series, resource): (&str, &str),
    namespace: Option<&str>,
    names: &[&str],
    selector: &str,
) -> Result<String, CannotBuild> {
    let selector = SeriesSelector::parse(selector).unwrap_or_else(|bad| panic!("{bad}"));
    let resource = GroupResource::parse(resource);
    bound.query(&Ask {
        series,
        resource: &resource,
        namespace,
        objects: Objects::Named(names),
        selector: &selector,
    })
}

/// A template, the metric, names and a selector; in namespace `shop`.
type Case = (&'static str, &'static str, &'static [&'static str], &'static str, &'static str);

fn check(resources: &str, metric: (&str, &str), cases: &[Case]) {
    for (case, template, names, selector, expected) in cases {
        let bound = custom(resources, template);
        let query = ask(&bound, metric, Some("shop"), names, selector);
        assert_eq!(query.as_deref(), Ok(*expected), "{case}");
    }
}

#[test]
fn p20_to_p22_the_query_is_that_of_prometheus_adapter() {
    let literal = r#"sum(<<.Series>>{<<.LabelMatchers>>,job!="x"}) by (<<.GroupBy>>)"#;
    let p20 = r#"sum(app_queue_len{namespace="shop",pod=~"web-0|web-1",job!="x"}) by (pod)"#;
    check(STD, ("app_queue_len", "pods"), &[("P20", literal, &["web-0", "web-1"], "", p20)]);
    let p21 = r#"sum(rate(gw_hits_total{kube_namespace="shop",kube_service="checkout"}[1m])) by (kube_service)"#;
    let p22 = r#"sum(rate(gw_hits_total{model="llama",kube_namespace="shop",kube_service="checkout"}[1m])) by (kube_service)"#;
    check(
        "template: 'kube_<<.Resource>>'",
        ("gw_hits_total", "services"),
        &[("P21", M2, &["checkout"], "", p21), ("P22", M2, &["checkout"], "model=llama", p22)],
    );
}

#[test]
fn p23_to_p25_selectors_become_matchers() {
    let p23 = r#"sum(q{tier=~"a|b",namespace="shop",pod="a"}) by (pod)"#;
    let p24 = r#"sum(q{tier=~"a.*",namespace="shop",pod="a"}) by (pod)"#;
    let p25 = r#"sum(q{canary="",live!="",rank!~"c",tier!="x",zone!~"a|b",namespace="shop",pod="a"}) by (pod)"#;
    let twice = r#"sum(q{tier!="x",tier!="y",namespace="shop",pod="a"}) by (pod)"#;
    check(
        STD,
        ("q", "pods"),
        &[
            ("P23", M1, &["a"], "tier in (b,a)", p23),
            ("P24", M1, &["a"], "tier in (a.*)", p24),
            ("P25", M1, &["a"], "!canary,live,tier!=x,zone notin (b,a),rank notin (c)", p25),
            ("a key twice", M1, &["a"], "tier!=x,tier!=y", twice),
        ],
    );
}

/// Upstream it is that of a regular expression, and `axb` is asked for, too.
#[test]
fn a_dot_in_a_name_is_a_dot() {
    let two = r#"sum(q{namespace="shop",pod=~"a[.]b|c"}) by (pod)"#;
    let one = r#"sum(q{namespace="shop",pod="a.b"}) by (pod)"#;
    check(
        STD,
        ("q", "pods"),
        &[("two", M1, &["a.b", "c"], "", two), ("one", M1, &["a.b"], "", one)],
    );
}

/// Upstream a custom metric is "not found" and an external one an internal error; it is the request
/// that is wrong, and 400 is its answer.
#[test]
fn p26_what_promql_cannot_compare_is_the_requests_fault() {
    for selector in ["n>5", "n<5", "a=b,n>5"] {
        let error =
            ask(&custom(STD, M1), ("q", "pods"), Some("shop"), &["a"], selector).unwrap_err();
        assert_eq!(error, CannotBuild::Operator { label: "n".into() });
        assert!(error.is_of_the_request());
        let selector = SeriesSelector::parse(selector).unwrap();
        let error = external(STD, M1).external_query("q", Some("shop"), &selector).unwrap_err();
        assert_eq!(error, CannotBuild::Operator { label: "n".into() });
    }
    let error = ask(&custom(STD, M1), ("q", "pods"), Some("shop"), &["a"], "a/b=c").unwrap_err();
    assert_eq!((&error, error.is_of_the_request()), (&CannotBuild::NotALabel("a/b".into()), true));
}

#[test]
fn p27_p28_objects_of_the_root_scope_are_asked_without_a_namespace() {
    let nodes = custom("overrides: {namespace: {resource: namespace}, node: {resource: node}}", M1);
    let query = r#"sum(q{node="node1"}) by (node)"#;
    assert_eq!(ask(&nodes, ("q", "nodes"), None, &["node1"], "").as_deref(), Ok(query));
    assert_eq!(ask(&nodes, ("q", "nodes"), Some("shop"), &["node1"], "").as_deref(), Ok(query));
    let pods = custom(STD, M1);
    let query = r#"sum(q{namespace="ns1"}) by (namespace)"#;
    assert_eq!(ask(&pods, ("q", "namespaces"), None, &["ns1"], "").as_deref(), Ok(query));
}

#[test]
fn p29_p30_values_and_groups_are_given_to_the_template() {
    for (case, template, expected) in [
        (
            "P29",
            r#"<<index .LabelValuesByName "namespace">>: <<.LabelValuesByName.pod>>"#,
            "shop: a|b",
        ),
        ("P30", "<<.GroupBySlice>>", "[pod]"),
    ] {
        let query = ask(&custom(STD, template), ("q", "pods"), Some("shop"), &["a", "b"], "");
        assert_eq!(query.as_deref(), Ok(expected), "{case}");
    }
    let template = r#"<<index .LabelValuesByName "tier">>"#;
    let query =
        ask(&custom(STD, &format!("x{template}")), ("q", "pods"), None, &["a"], "tier=1,tier!=2");
    assert_eq!(query.as_deref(), Ok("x2"), "of several demands on one label the last one's");
}

/// Upstream only a request finds out.
#[test]
fn p31_a_template_that_prints_nothing_is_refused_when_it_is_read() {
    for template in ["", "<<if false>>x<<end>>", "<</* x */>>"] {
        let (problem, hint) = fault_of(&file("rules", STD, "", template));
        assert_eq!(problem, "rules[0].metricsQuery: the template prints nothing for this request");
        assert!(hint.contains("LabelMatchers"), "{hint}");
    }
    let sometimes = custom(STD, r#"<<if index .LabelValuesByName "tier">>x<<end>>y"#);
    assert_eq!(ask(&sometimes, ("q", "pods"), None, &["a"], "").as_deref(), Ok("y"));
    let out_of_range = "<<index .GroupBySlice 0>>";
    let (problem, _) = fault_of(&file("externalRules", STD, "", out_of_range));
    assert!(problem.contains("takes an element that is not there"), "{problem}");
}

#[test]
fn p32_to_p34_external_metrics_are_asked_by_namespace_unless_told_otherwise() {
    let own = "overrides: {k8s_ns: {resource: namespace}}";
    let all = "namespaced: false, overrides: {k8s_ns: {resource: namespace}}";
    let selected = "<<.Series>>{<<.LabelMatchers>>}";
    for (case, resources, template, expected) in [
        ("P32", own, selected, r#"q{team="core",k8s_ns="shop"}"#),
        ("P33", all, selected, r#"q{team="core"}"#),
        ("P34", own, "sum(<<.Series>>) by (<<.GroupBy>>)<<.GroupBySlice>>", "sum(q) by ()[]"),
    ] {
        let selector = SeriesSelector::parse("team=core").unwrap();
        let query = external(resources, template).external_query("q", Some("shop"), &selector);
        assert_eq!(query.as_deref(), Ok(expected), "{case}");
    }
}

#[test]
fn p35_an_external_metric_without_a_label_of_namespaces_cannot_be_asked() {
    let none = SeriesSelector::default();
    let bound = external("namespaced: true", M1);
    let error = bound.external_query("q", Some("shop"), &none).unwrap_err();
    assert_eq!(error.to_string(), "no label of the rule names namespaces");
    assert!(!error.is_of_the_request());
    let templated = external("template: kube_<<.Resource>>", "<<.Series>>{<<.LabelMatchers>>}");
    let query = templated.external_query("q", Some("shop"), &none);
    assert_eq!(query.as_deref(), Ok(r#"q{kube_namespace="shop"}"#));
}

#[test]
fn nobody_is_asked_for_nobody() {
    let bound = custom(STD, M1);
    assert_eq!(ask(&bound, ("q", "pods"), Some("shop"), &[], ""), Err(CannotBuild::NoObject));
    let error = ask(&bound, ("q", "services"), Some("shop"), &["a"], "").unwrap_err();
    assert_eq!(error.to_string(), "no label of the rule names services");
}

#[test]
fn all_objects_are_asked_for_without_their_names() {
    let resource = GroupResource::pods();
    let selector = SeriesSelector::parse("tier=a").unwrap();
    let query = custom(STD, M1).query(&Ask {
        series: "q",
        resource: &resource,
        namespace: Some("shop"),
        objects: Objects::All,
        selector: &selector,
    });
    assert_eq!(query.as_deref(), Ok(r#"sum(q{tier="a",namespace="shop",pod!=""}) by (pod)"#));
}
