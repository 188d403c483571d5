//! The page of self metrics: it parses, and it has what the README promises.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

use crate::support::adapter::repository;
use crate::support::adapter::{
    Adapter, config, external, foreseeing, page_signal, prometheus, query_signal, scrape,
};
use crate::support::web::{Behaviour, Web};
use foresail::source::exposition::{self, Format};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The families of a page: name to type.
fn families(page: &str) -> BTreeMap<String, String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|it| it.split_once(' ').unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// The page of an adapter that has read, failed, served and refused.
async fn page() -> String {
    let web = Web::start().await;
    web.show("/page", "q 6\n");
    web.set("/prom", Behaviour::Answer(500, Vec::new()));
    web.set(
        "/rules",
        Behaviour::Engines(vec![
            ("last_over_time(depth", vec![("__name__", "depth")], 1.0),
            ("sum(depth", vec![], 3.0),
        ]),
    );
    let sources = [
        scrape("page", &web.url("/page")),
        prometheus("prom", &web.url("/prom")),
        prometheus("rules", &web.url("/rules")),
    ];
    let rules = "externalRules:
- seriesQuery: depth
  source: rules
  resources: {namespaced: false}
  metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>})
";
    let policies = [
        external("good", "200ms", &page_signal("page"))
            .replace("interval", "capacity: {perPod: 2}, interval"),
        external("bad", "200ms", &query_signal("prom", "q")),
        foreseeing("ahead", &page_signal("page")),
    ];
    let adapter = Adapter::start(&format!("{}{rules}", config(&sources, &policies))).await;
    adapter.serves("depth", "3").await;
    adapter.serves("good", "6").await;
    adapter.serves("ahead", "6").await;
    adapter.refuses("bad", &["answered 500"]).await;
    for group in ["custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1"] {
        assert_eq!(adapter.get(&format!("/apis/{group}")).await.unwrap().code, 200);
    }
    assert_eq!(adapter.get_with("/apis", "wrong-token-0123456789").await.unwrap().code, 401);
    adapter.observe("/metrics").await.unwrap().body
}

#[tokio::test]
async fn the_page_can_be_read_by_our_own_parser_and_has_help_for_everything() {
    let page = page().await;
    assert!(page.ends_with("# EOF\n"), "{page}");
    let mut names: Vec<String> = Vec::new();
    for line in exposition::lines(page.as_bytes(), Format::Text) {
        let line = line.unwrap_or_else(|bad| panic!("{bad:?} in\n{page}"));
        assert!(line.value.is_finite() && line.value >= 0.0, "{line:?}");
        names.push(line.name.into_owned());
    }
    let families = families(&page);
    for name in &names {
        let family = ["_total", "_bucket", "_sum", "_count", ""]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|it| families.contains_key(*it));
        assert!(family.is_some(), "{name} has no type");
    }
    for family in families.keys() {
        let help = page.lines().filter(|it| it.starts_with(&format!("# HELP {family} "))).count();
        assert_eq!(help, 1, "{family}");
        assert_eq!(page.matches(&format!("# TYPE {family} ")).count(), 1, "{family}");
    }
    for line in [
        r#"foresail_policy_value{namespace="inference",policy="good"} 6.0"#,
        r#"foresail_policy_pod_capacity{namespace="inference",policy="good"} 2.0"#,
        r#"foresail_policy_ready{namespace="inference",policy="good"} 1"#,
        r#"foresail_policy_ready{namespace="inference",policy="bad"} 0"#,
        r#"foresail_forecast_gate_open{namespace="inference",policy="ahead"} 0.0"#,
        r#"foresail_forecast_model_info{namespace="inference",policy="ahead",model="analog"} 1"#,
        r#"foresail_rule_answers{rule="externalRules[0]"} 1.0"#,
        r#"foresail_config_loads_total{result="loaded"} 1"#,
        r#"foresail_refused_requests_total{reason="wrong_token"} 1"#,
    ] {
        assert!(page.lines().any(|it| it == line), "{line} in\n{page}");
    }
}

/// A metric as people look for it: name of its samples, type, labels.
type Metric = (String, String, BTreeSet<String>);

/// The README's table, without what needs a cluster or a past.
fn promised() -> BTreeSet<Metric> {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- metrics -->").unwrap();
    let (table, _) = rest.split_once("<!-- /metrics -->").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let absent = ["(with a cluster)", "(once forecasts were judged)"];
    rows.filter(|row| absent.iter().all(|it| !row.contains(it)))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [_, name, kind, labels, _, _] = cells.as_slice() else { panic!("{row}") };
            let labels = labels.split(", ").filter(|it| *it != "–").map(str::to_owned).collect();
            (name.trim_matches('`').to_owned(), (*kind).to_owned(), labels)
        })
        .collect()
}

/// What the page has.
fn served(page: &str) -> BTreeSet<Metric> {
    let metric = |(name, kind): (String, String)| {
        let sample = match kind.as_str() {
            "counter" => format!("{name}_total"),
            "histogram" => format!("{name}_bucket"),
            _ => name.clone(),
        };
        let lines = page.lines().filter_map(|line| line.strip_prefix(&sample)?.strip_prefix('{'));
        // Every second piece between quotes is a label's name.
        let names =
            lines.filter_map(|it| it.split_once('}')).flat_map(|it| it.0.split('"').step_by(2));
        let names = names.map(|it| it.trim_matches([',', '=']).to_owned());
        let labels = names.filter(|it| !it.is_empty() && it != "le").collect();
        (if kind == "counter" { sample } else { name }, kind, labels)
    };
    families(page).into_iter().map(metric).collect()
}

#[tokio::test]
async fn the_readmes_table_is_what_the_page_has() {
    let (promised, served) = (promised(), served(&page().await));
    let missing: Vec<&Metric> = promised.difference(&served).collect();
    let untold: Vec<&Metric> = served.difference(&promised).collect();
    assert!(missing.is_empty() && untold.is_empty(), "missing {missing:#?}\nuntold {untold:#?}");
}
