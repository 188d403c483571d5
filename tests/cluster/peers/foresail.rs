//! Foresail, once with a policy for each HPA and once with the rules that prometheus-adapter gets.

use std::fmt::Write as _;
use std::path::Path;

use crate::bed::Bed;

use super::fleet::{App, Fleet, Kind, Target};
use super::prometheus_adapter::{CONFIG, ask};
use super::server::{Ask, Server};

const BINARY: &str = env!("CARGO_BIN_EXE_foresail");

/// 1,000 metrics by 1,000 policies, evaluated every 15 s.
pub(crate) fn with_policies(bed: &Bed, fleet: &Fleet) -> Result<Server, String> {
    let mut config = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsources:\n  \
         - {{name: default, prometheus: {{url: '{}'}}}}\npolicies:\n",
        bed.prometheus.url()
    );
    let targets = fleet.targets();
    for target in &targets {
        config.push_str(&policy(target));
    }
    let asks = targets.iter().map(|target| Ask::new(target, &metric(target), "")).collect();
    Ok(start(bed, "foresail, 1 policy an HPA", &config, &[], asks))
}

/// The old adapter's file and its flag.
pub(crate) fn with_rules(bed: &Bed, fleet: &Fleet) -> Result<Server, String> {
    let flag = format!("--prometheus-url={}", bed.prometheus.url());
    let asks = fleet.targets().iter().map(ask).collect();
    Ok(start(bed, "foresail, prometheus-adapter's rules", CONFIG, &[flag], asks))
}

fn start(bed: &Bed, name: &'static str, config: &str, flags: &[String], asks: Vec<Ask>) -> Server {
    let mut adapter = bed.spawn_adapter_with(Path::new(BINARY), config, flags);
    adapter.wait_ready();
    let (port, pids) = (adapter.secure_port(), vec![adapter.process().pid()]);
    Server { name, port, pids, asks, running: Box::new(adapter) }
}

fn metric(target: &Target<'_>) -> String {
    format!("{}_{}", target.app.name, target.series())
}

fn policy(target: &Target<'_>) -> String {
    let App { namespace, name, .. } = target.app;
    let (metric, series) = (metric(target), target.series());
    let selected = format!("{series}{{namespace=\"{namespace}\",app=\"{name}\"}}");
    let (of, query) = match target.kind {
        Kind::Pods => ("type: Pods".to_owned(), format!("sum by (pod) ({selected})")),
        Kind::External => ("type: External".to_owned(), format!("sum({selected})")),
        Kind::Object => {
            let object = format!("{{apiVersion: apps/v1, kind: Deployment, name: {name}}}");
            (format!("type: Object, describedObject: {object}"), format!("sum({selected})"))
        }
    };
    let mut text = String::new();
    writeln!(
        text,
        "  - metadata: {{name: {}, namespace: {namespace}}}
    spec:
      metric: {{name: {metric}, {of}}}
      interval: 15s
      signals: {{series: {{source: default, prometheus: {{query: '{query}'}}}}}}",
        metric.replace('_', "-")
    )
    .unwrap();
    text
}
