//! What is written of an exporter's pods.

use super::*;
use crate::policy::access::HeaderText;
use crate::policy::pods::{PodAuth, PodPage, PodPort};
use crate::policy::{Config, SourceKind, resolve};
use std::time::Duration;

fn config(scrape: &str) -> Config {
    let source = format!("{{name: gpus, scrape: {{{scrape}}}}}");
    let head = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsources: ";
    resolve::load(&format!("{head}[{source}]")).unwrap()
}

fn pages(keys: &str) -> PodPages {
    let place = "namespace: gpu-operator, selector: {matchLabels: {app: dcgm}}";
    let config = config(&format!("pods: {{{place}, {keys}}}"));
    let Some(SourceKind::Pods(pages)) = config.sources.first().map(|it| &it.kind) else {
        panic!("{keys}: {:?}", config.faults)
    };
    assert_eq!(config.sources[0].timeout, pages.page.timeout);
    PodPages::clone(pages)
}

#[test]
fn pods_of_an_exporter_are_written_as_those_of_a_signal() {
    let plain = pages("port: 9400");
    assert_eq!(plain.namespace.as_str(), "gpu-operator");
    assert!(!plain.includes_not_ready);
    let PodPage { port, path, tls, auth, headers, timeout } = &*plain.page;
    assert_eq!((port, &**path), (&PodPort::Number(9400), "/metrics"));
    assert!(tls.is_none() && auth.is_none() && headers.is_empty());
    assert_eq!(*timeout, Duration::from_secs(1));
    let full = pages(
        "port: gpu-metrics, path: /gpus, scheme: https, timeout: 2s, includeNotReady: true, \
         tls: {insecureSkipVerify: true}, auth: {bearer: {tokenFile: /t}}, headers: {X-A: {value: b}}",
    );
    let PodPage { port, path, tls, auth, headers, timeout } = &*full.page;
    assert_eq!((port, &**path), (&PodPort::Name("gpu-metrics".into()), "/gpus"));
    assert!(full.includes_not_ready && tls.as_ref().is_some_and(|it| it.skips_verify));
    assert_eq!(*auth, Some(PodAuth::Bearer { token_file: "/t".into() }));
    assert_eq!(headers["x-a"], HeaderText::Value("b".into()));
    assert_eq!(*timeout, Duration::from_secs(2));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    const PODS: &str = "pods: {namespace: n, selector: {matchLabels: {a: b}}, port: 1}";
    for (scrape, place, told) in [
        ("timeout: 1s", "scrape", "exactly one of `url` and `pods`"),
        (&format!("url: 'http://a', {PODS}"), "scrape", "exactly one of `url` and `pods`"),
        (&format!("{PODS}, timeout: 1s"), "scrape.timeout", "this `timeout` goes with `url`"),
        (&format!("{PODS}, auth: {{}}"), "scrape.auth", "this `auth` goes with `url`"),
        (&PODS.replace("namespace: n", "namespace: N"), "pods.namespace", "namespace"),
        (&PODS.replace("{a: b}", "{}"), "pods.selector", "selects every pod"),
        (&PODS.replace("port: 1", "port: 0"), "pods.port", "is no port"),
        (&PODS.replace("port: 1", "port: 1, timeout: 9s"), "pods.timeout", "at most 3s"),
        (&PODS.replace("port: 1", "port: 1, auth: {}"), "pods.auth", "exactly one way"),
        (&PODS.replace("port: 1", "port: 1, series: x"), "pods.series", "unknown key"),
        (&PODS.replace(", port: 1", ""), "pods", "port"),
    ] {
        let config = config(scrape);
        let shown: Vec<String> = config.faults.iter().map(ToString::to_string).collect();
        assert!(config.sources.is_empty() && config.faults.iter().all(|it| it.hint.is_some()));
        let first = shown.first().unwrap_or_else(|| panic!("{scrape}"));
        assert!(first.contains(place) && first.contains(told), "{scrape}: {shown:?}");
    }
}
