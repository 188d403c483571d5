//! Every route of the metrics APIs, and what lies beside them.

use super::*;
use proptest::prelude::*;

const P: &str = "/apis/custom.metrics.k8s.io/v1beta2";
const E: &str = "/apis/external.metrics.k8s.io/v1beta1";

fn custom(scope: Scope, resource: &str, object: &str, metric: &str) -> Ask {
    Ask::Custom(CustomAsk {
        version: Version::CustomV1Beta2,
        scope,
        resource: resource.into(),
        object: Wanted::parse(object),
        metric: metric.into(),
    })
}

fn within(namespace: &str) -> Scope {
    Scope::Namespace(namespace.into())
}

#[test]
fn every_route_of_custom_metrics_is_understood() {
    let unmatched = || Ask::Unmatched { is_api: true };
    for (path, expected) in [
        ("/nodes/n1/temp", custom(Scope::Root, "nodes", "n1", "temp")),
        ("/nodes/*/temp", custom(Scope::Root, "nodes", "*", "temp")),
        ("/nodes/%2A/temp", custom(Scope::Root, "nodes", "*", "temp")),
        ("/namespaces/ns/pods/p/m", custom(within("ns"), "pods", "p", "m")),
        ("/namespaces/ns/pods/*/m", custom(within("ns"), "pods", "*", "m")),
        ("/namespaces/ns/pod/p/a:b", custom(within("ns"), "pod", "p", "a:b")),
        ("/namespaces/ns/pods/p/a%3Ab", custom(within("ns"), "pods", "p", "a:b")),
        ("/namespaces/ns/pods/p/a%253Ab", custom(within("ns"), "pods", "p", "a%3Ab")),
        ("/namespaces/ns/pods/p/a%2Fb", custom(within("ns"), "pods", "p", "a/b")),
        ("/namespaces/ns/deployments.apps/d/m", custom(within("ns"), "deployments.apps", "d", "m")),
        ("/namespaces/ns/metrics/m", custom(Scope::Namespaces, "namespaces", "ns", "m")),
        ("/namespaces/*/metrics/m", custom(Scope::Namespaces, "namespaces", "*", "m")),
        ("/namespaces/ns/m", Ask::Malformed),
        ("/namespaces/ns/metrics", Ask::Malformed),
        ("/namespaces/ns/metrics/x/m", unmatched()),
        ("/blah", unmatched()),
        ("/nodes/foo", unmatched()),
        ("/namespaces/ns", unmatched()),
        ("/namespaces/ns/pods/bar", unmatched()),
        ("/namespaces/ns/pods/p/m/more", unmatched()),
        ("/nodes/n1/temp/more", unmatched()),
        ("/nodes/n1/temp/", unmatched()),
        ("/nodes//temp", unmatched()),
        ("/nodes/n1/%ff", unmatched()),
        ("/", unmatched()),
    ] {
        assert_eq!(parse(&format!("{P}{path}")), expected, "{path}");
    }
}

#[test]
fn every_route_of_external_metrics_is_understood() {
    let ask = |namespace: &str, metric: &str| {
        Ask::External(ExternalAsk { namespace: namespace.into(), metric: metric.into() })
    };
    let unmatched = || Ask::Unmatched { is_api: true };
    for (path, expected) in [
        ("/namespaces/ns/m", ask("ns", "m")),
        ("/namespaces/ns/a%3Ab", ask("ns", "a:b")),
        ("/namespaces/ns/m/more", unmatched()),
        ("/namespaces/ns", unmatched()),
        ("/m", unmatched()),
        ("/pods/p/m", unmatched()),
    ] {
        assert_eq!(parse(&format!("{E}{path}")), expected, "{path}");
    }
}

#[test]
fn every_document_is_understood() {
    let health =
        |probe, check: Option<&str>| Document::Health { probe, check: check.map(Into::into) };
    for (path, expected) in [
        ("/", Document::Root),
        ("/apis", Document::Groups),
        ("/apis/custom.metrics.k8s.io", Document::Group(Group::Custom)),
        ("/apis/external.metrics.k8s.io", Document::Group(Group::External)),
        ("/apis/custom.metrics.k8s.io/v1beta1", Document::Resources(Version::CustomV1Beta1)),
        ("/apis/custom.metrics.k8s.io/v1beta2", Document::Resources(Version::CustomV1Beta2)),
        ("/apis/external.metrics.k8s.io/v1beta1", Document::Resources(Version::ExternalV1Beta1)),
        ("/openapi/v2", Document::OpenApiV2),
        ("/openapi/v3", Document::OpenApiV3),
        (
            "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2",
            Document::OpenApiV3Of(Version::CustomV1Beta2),
        ),
        ("/version", Document::Build),
        ("/livez", health(Probe::Livez, None)),
        ("/readyz", health(Probe::Readyz, None)),
        ("/healthz", health(Probe::Healthz, None)),
        ("/livez/tick", health(Probe::Livez, Some("tick"))),
    ] {
        assert_eq!(parse(path), Ask::Document(expected), "{path}");
    }
}

#[test]
fn whatever_else_there_is_is_not_there() {
    for (path, is_api) in [
        ("", false),
        ("*", false),
        ("//", false),
        ("/apis/", true),
        ("/apis/other.group", true),
        ("/apis/custom.metrics.k8s.io/v1", true),
        ("/apis/external.metrics.k8s.io/v1beta2", true),
        ("/api", false),
        ("/openapi", false),
        ("/openapi/v3/apis", false),
        ("/openapi/v3/apis/apps/v1", false),
        ("/livez/a/b", false),
        ("/livez/", false),
        ("/version/x", false),
        ("/metrics", false),
    ] {
        assert_eq!(parse(path), Ask::Unmatched { is_api }, "{path}");
    }
}

fn wish(method: &Method, path: &str) -> String {
    match parse(path).attributes(method, path, &Selector::default()) {
        Attributes::Path { verb, path } => format!("{verb} {path}"),
        Attributes::Resource {
            verb,
            group,
            version,
            namespace,
            resource,
            subresource,
            name,
            selector,
        } => {
            assert!(selector.is_empty(), "{selector:?}");
            format!("{verb} {group}/{version} [{namespace}] [{resource}] [{subresource}] [{name}]")
        }
    }
}

#[test]
fn only_a_list_is_asked_about_with_its_selector_and_by_key() {
    let selector = Selector::parse("tier in (b,a),app=llama").unwrap();
    let keys = |method: &Method, path: &str| match parse(path).attributes(method, path, &selector) {
        Attributes::Resource { selector, .. } => {
            selector.iter().map(|it| it.key.to_string()).collect::<Vec<_>>()
        }
        Attributes::Path { .. } => Vec::new(),
    };
    let external = format!("{E}/namespaces/ns/m");
    assert_eq!(keys(&Method::GET, &external), ["app", "tier"]);
    for (method, path) in [
        (Method::POST, external),
        (Method::GET, format!("{P}/namespaces/ns/pods/*/m")),
        (Method::GET, format!("{P}/nodes/n1/m")),
        (Method::GET, "/version".to_owned()),
    ] {
        assert!(keys(&method, &path).is_empty(), "{method} {path}");
    }
}

#[test]
fn the_user_needs_what_existing_rbac_rules_grant() {
    let custom = "custom.metrics.k8s.io/v1beta2";
    for (method, path, expected) in [
        (
            Method::GET,
            format!("{P}/namespaces/ns/pods/p/m"),
            format!("get {custom} [ns] [pods] [m] [p]"),
        ),
        (
            Method::GET,
            format!("{P}/namespaces/ns/pods/*/m"),
            format!("get {custom} [ns] [pods] [m] [*]"),
        ),
        (
            Method::GET,
            format!("{P}/namespaces/ns/metrics/m"),
            format!("get {custom} [ns] [metrics] [] [m]"),
        ),
        (Method::GET, format!("{P}/nodes/n1/m"), format!("get {custom} [] [nodes] [m] [n1]")),
        (
            Method::GET,
            "/apis/custom.metrics.k8s.io/v1beta1/namespaces/ns/deployments.apps/d/m".to_owned(),
            "get custom.metrics.k8s.io/v1beta1 [ns] [deployments.apps] [m] [d]".to_owned(),
        ),
        (
            Method::GET,
            format!("{E}/namespaces/ns/m"),
            "list external.metrics.k8s.io/v1beta1 [ns] [m] [] []".to_owned(),
        ),
        (Method::DELETE, format!("{P}/nodes/n1/m"), format!("delete {custom} [] [nodes] [m] [n1]")),
        (Method::HEAD, format!("{P}/nodes/n1/m"), format!("get {custom} [] [nodes] [m] [n1]")),
        (Method::OPTIONS, format!("{P}/nodes/n1/m"), format!("options {P}/nodes/n1/m")),
        (Method::GET, P.to_owned(), format!("get {P}")),
        (Method::GET, format!("{P}/blah"), format!("get {P}/blah")),
        (Method::POST, "/version".to_owned(), "post /version".to_owned()),
        (Method::GET, "/%6Civez".to_owned(), "get /%6Civez".to_owned()),
    ] {
        assert_eq!(wish(&method, &path), expected, "{method} {path}");
    }
}

/// What paths are made of, right and wrong.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        P,
        E,
        "/apis",
        "/apis/",
        "/namespaces",
        "/namespaces/*",
        "/metrics",
        "/pods",
        "/%2A",
        "/*",
        "/",
        "//",
        "/deployments.apps",
        "/a%2Fb",
        "%",
        "%2",
        "%zz",
        "%00",
        "/..",
        "/.",
        "/livez",
        "/readyz",
        "/openapi",
        "/v2",
        "/v3",
        "/version",
        "?",
        "#",
        "/%E2%82",
        "/%e2%82%ac",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => "/[a-z0-9.:_-]{1,12}",
        1 => "/\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Whatever is asked for: read as a metric only where it names one, and never with an empty name.
    #[test]
    fn no_path_of_known_pieces_breaks_the_parser(pieces in prop::collection::vec(piece(), 0..9)) {
        let path = pieces.concat();
        let ask = parse(&path);
        let attributes = ask.attributes(&Method::GET, &path, &Selector::default());
        let is_metric = matches!(ask, Ask::Custom(_) | Ask::External(_));
        prop_assert_eq!(is_metric, matches!(attributes, Attributes::Resource { .. }), "{}", path);
        match &ask {
            Ask::Custom(ask) => {
                let names = [&ask.resource, &ask.metric];
                prop_assert!(names.iter().all(|it| !it.is_empty()), "{}", path);
                prop_assert!(ask.object != Wanted::One(String::new()), "{}", path);
                prop_assert!(ask.scope != Scope::Namespace(String::new()), "{}", path);
            }
            Ask::External(ask) => {
                prop_assert!(!ask.namespace.is_empty() && !ask.metric.is_empty(), "{}", path);
            }
            Ask::Document(_) | Ask::Malformed | Ask::Unmatched { .. } => {}
        }
    }

    #[test]
    fn no_path_breaks_the_parser(path in "[/%*.a-c0-9\\PC]{0,80}") {
        let ask = parse(&path);
        let is_metric = matches!(ask, Ask::Custom(_) | Ask::External(_));
        let attributes = ask.attributes(&Method::GET, &path, &Selector::default());
        prop_assert_eq!(is_metric, matches!(attributes, Attributes::Resource { .. }));
    }

    #[test]
    fn a_name_of_any_characters_arrives_as_it_is(name in "\\PC{1,40}") {
        let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("{E}/namespaces/ns/{encoded}");
        let expected = ExternalAsk { namespace: "ns".into(), metric: name.clone() };
        prop_assert_eq!(parse(&path), Ask::External(expected));
    }
}
