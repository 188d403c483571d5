//! Ways in which access can be written, and mistaken.

use super::*;
use crate::policy::resolve::load;
use crate::policy::{Config, SourceKind};

fn config(url: &str, keys: &str) -> Config {
    load(&format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsources:\n  - name: s\n    prometheus:\n      url: {url}\n{}",
        keys.lines().map(|line| format!("      {line}\n")).collect::<String>()
    ))
    .unwrap()
}

fn access(keys: &str) -> Access {
    let config = config("https://prometheus:9090", keys);
    assert_eq!(config.faults, vec![], "{keys}");
    let Some(SourceKind::Prometheus { access, .. }) = config.sources.first().map(|it| &it.kind)
    else {
        panic!("no source: {keys}")
    };
    (**access).clone()
}

#[test]
fn each_way_is_settled() {
    assert_eq!(access(""), Access::default());
    let (username, password_file) = ("u".into(), "/p".into());
    assert_eq!(
        access("auth: {basic: {username: u, passwordFile: /p}}").authentication,
        Some(Authentication::Basic { username, password_file })
    );
    assert_eq!(
        access("auth: {bearer: {tokenFile: /t}}").authentication,
        Some(Authentication::Bearer { token_file: "/t".into() })
    );
    let headers = access("headers: {X-Scope-OrgID: {value: a|b}, X-Key: {valueFile: /k}}").headers;
    assert_eq!(
        headers,
        BTreeMap::from([
            ("x-key".into(), HeaderText::File("/k".into())),
            ("x-scope-orgid".into(), HeaderText::Value("a|b".into())),
        ])
    );
    let own = Some(("/c".into(), "/k".into()));
    let (ca_file, server_name) = (Some("/a".into()), Some("prometheus.example".into()));
    assert_eq!(
        access("tls: {caFile: /a, certFile: /c, keyFile: /k, serverName: prometheus.example}").tls,
        Tls { ca_file, own, server_name }
    );
}

#[test]
fn a_page_takes_the_same_keys_as_a_prometheus() {
    let keys = "auth: {bearer: {tokenFile: /t}}, headers: {X-Key: {valueFile: /k}}, \
                tls: {caFile: /a, serverName: pages.example}";
    let load = |url: &str| {
        let source = format!("{{name: s, scrape: {{url: '{url}', {keys}}}}}");
        load(&format!(
            "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsources: [{source}]"
        ))
        .unwrap()
    };
    let config = load("https://page:9400/metrics");
    assert_eq!(config.faults, vec![]);
    let Some(SourceKind::Scrape { access, .. }) = config.sources.first().map(|it| &it.kind) else {
        panic!("no source")
    };
    assert_eq!(
        **access,
        self::access(&keys.replace(", headers", "\nheaders").replace(", tls", "\ntls"))
    );
    let fault = load("http://page:9400/metrics").faults.remove(0);
    assert!(fault.to_string().contains("sources[0].scrape.tls: "), "{fault}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    const HTTPS: &str = "https://p:1";
    for (url, keys, place, problem) in [
        (HTTPS, "auth: {}", "auth", "exactly one way"),
        (
            HTTPS,
            "auth: {basic: {username: u, passwordFile: /p}, bearer: {tokenFile: /t}}",
            "auth",
            "exactly one way",
        ),
        (HTTPS, "auth: {basic: {username: 'a:b', passwordFile: /p}}", "username", "`:`"),
        (HTTPS, "auth: {bearer: {tokenFile: ' '}}", "tokenFile", "the path of a file"),
        (HTTPS, "headers: {X: {value: a, valueFile: /b}}", "headers.X", "exactly one"),
        (HTTPS, "headers: {X: {}}", "headers.X", "exactly one"),
        (HTTPS, "headers: {'a b': {value: a}}", "headers", "name of a header"),
        (HTTPS, "headers: {X: {value: \"a\\nb\"}}", "headers.X", "text of a header"),
        (HTTPS, "headers: {Host: {value: a}}", "headers.Host", "itself"),
        (HTTPS, "headers: {X: {value: a}, x: {value: b}}", "headers.x", "twice"),
        (
            HTTPS,
            "auth: {bearer: {tokenFile: /t}}\nheaders: {Authorization: {valueFile: /b}}",
            "headers.Authorization",
            "`auth` writes",
        ),
        (HTTPS, "tls: {certFile: /c}", "tls", "belong together"),
        (HTTPS, "tls: {serverName: 10.0.0.1}", "serverName", "name of the DNS"),
        (HTTPS, "tls: {serverName: 'a:9090'}", "serverName", "name of the DNS"),
        (HTTPS, "tls: {serverName: 'a b'}", "serverName", ""),
        ("http://p:1", "tls: {caFile: /a}", "tls", "speaks http"),
        (HTTPS, "auth: {aws: {roleArn: reader}}", "auth.aws.roleArn", "ARN of a role"),
        (HTTPS, "auth: {aws: {externalId: x}}", "auth.aws.externalId", "no role"),
        (HTTPS, "parameters: {query: x}", "parameters.query", "itself"),
    ] {
        let config = config(url, keys);
        assert_eq!(config.sources.len(), 0, "{keys}");
        let told = config.faults.iter().any(|fault| {
            fault.path.to_string().contains(place) && fault.to_string().contains(problem)
        });
        assert!(told, "{keys}: {:?}", config.faults);
        assert!(config.faults.iter().all(|it| it.hint.is_some()), "{keys}: {:?}", config.faults);
    }
}
