//! What may be said about another server of external metrics.

use crate::policy::Config;
use crate::policy::external::{ExternalMetrics, FallbackIdentity};
use crate::policy::resolve::load;

fn read(external: &str) -> Result<Config, Vec<String>> {
    let head = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n";
    let read = load(&format!("{head}externalMetrics: {external}\n"));
    read.map_err(|faults| faults.iter().map(|it| format!("{}: {}", it.path, it.problem)).collect())
}

const SERVICE: &str = "service: {namespace: keda, name: adapter}";
const CA: &str = "tls: {caFile: /ca.crt}";
const PAIR: &str = "tls: {caFile: /ca.crt, certFile: /own.crt, keyFile: /own.key}";

#[test]
fn everything_is_served_by_foresail_alone_unless_something_else_is_said() {
    for said in ["{}", "{serve: true}"] {
        assert_eq!(read(said).unwrap().external, ExternalMetrics::default(), "{said}");
    }
    assert!(!read("{serve: false}").unwrap().external.is_served);
}

#[test]
fn a_server_is_a_service_or_a_url_asked_as_an_account_or_as_the_caller() {
    for (said, name, url, identity) in [
        (
            format!("{SERVICE}, tokenFile: /token, {CA}"),
            "Service keda/adapter",
            "https://adapter.keda.svc:443",
            FallbackIdentity::Account,
        ),
        (
            format!("service: {{namespace: keda, name: adapter, port: 6443}}, {PAIR}"),
            "Service keda/adapter",
            "https://adapter.keda.svc:6443",
            FallbackIdentity::Account,
        ),
        (
            "url: 'https://10.0.0.1:6443/', identity: Account, tokenFile: /token".to_owned(),
            "https://10.0.0.1:6443",
            "https://10.0.0.1:6443",
            FallbackIdentity::Account,
        ),
        (
            format!("{SERVICE}, identity: Caller, {PAIR}"),
            "Service keda/adapter",
            "https://adapter.keda.svc:443",
            FallbackIdentity::Caller,
        ),
    ] {
        let config = read(&format!("{{fallback: {{{said}}}}}")).unwrap();
        let fallback = config.external.fallback.unwrap();
        let found = (&*fallback.name, &*fallback.url, fallback.identity);
        assert_eq!(found, (name, url, identity), "{said}");
        assert!(config.warnings.is_empty(), "{said}: {:?}", config.warnings);
    }
}

#[test]
fn what_could_not_work_or_would_give_something_away_is_refused() {
    let both = "url: 'https://a', service: {namespace: keda, name: adapter}";
    for (said, expected) in [
        (
            format!("{{serve: false, fallback: {{{SERVICE}, tokenFile: /token, {CA}}}}}"),
            "externalMetrics.fallback: nobody is asked for what is not served",
        ),
        (
            format!("{{fallback: {{{both}, tokenFile: /token, {CA}}}}}"),
            "externalMetrics.fallback: expected exactly one of `service` and `url`",
        ),
        (
            format!("{{fallback: {{tokenFile: /token, {CA}}}}}"),
            "externalMetrics.fallback: expected exactly one of `service` and `url`",
        ),
        (
            format!("{{fallback: {{{SERVICE}, tokenFile: /token}}}}"),
            "externalMetrics.fallback: expected `tls.caFile`: no authority of the machine knows a Service",
        ),
        (
            "{fallback: {url: 'http://a', tokenFile: /token}}".to_owned(),
            "externalMetrics.fallback.url: expected an https URL",
        ),
        (
            format!("{{fallback: {{{SERVICE}, {CA}}}}}"),
            "externalMetrics.fallback: nothing proves to the server who asks",
        ),
        (
            format!("{{fallback: {{{SERVICE}, tokenFile: /token, {PAIR}}}}}"),
            "externalMetrics.fallback.tokenFile: a token beside a client's certificate: two accounts",
        ),
        (
            format!("{{fallback: {{{SERVICE}, identity: Caller, tokenFile: /token, {CA}}}}}"),
            "externalMetrics.fallback.identity: a caller can only be named with a front proxy's certificate",
        ),
        (
            format!("{{fallback: {{{SERVICE}, identity: Caller, tokenFile: /token, {PAIR}}}}}"),
            "externalMetrics.fallback.tokenFile: a token beside a caller's name: two identities",
        ),
        (
            format!(
                "{{fallback: {{service: {{namespace: keda, name: a, port: 0}}, tokenFile: /t, {CA}}}}}"
            ),
            "externalMetrics.fallback.service.port: 0 is no port",
        ),
    ] {
        assert_eq!(read(&said).unwrap_err(), [expected], "{said}");
    }
    let faults = read("{fallback: {service: {namespace: K_, name: _}, tokenfile: x}}").unwrap_err();
    assert!(faults.len() >= 4, "all at once: {faults:?}");
}

#[test]
fn foresail_s_own_token_is_not_shown_to_others_without_a_warning() {
    let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let config = read(&format!("{{fallback: {{{SERVICE}, tokenFile: {token}, {CA}}}}}")).unwrap();
    let problems: Vec<&str> = config.warnings.iter().map(|it| it.problem.as_str()).collect();
    let expected =
        "the token of Foresail's own account: the server could use it for all that Foresail may";
    assert_eq!(problems, [expected]);
}
