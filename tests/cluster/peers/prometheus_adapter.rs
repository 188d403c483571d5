//! prometheus-adapter, of whose binary the person who has one gives the path.

use std::fs;
use std::path::Path;

use crate::bed::Bed;
use crate::bed::ports::free_port;

use super::fleet::{Fleet, Target};
use super::framework::flags;
use super::server::{Ask, Server};

/// Where the binary is; the Go module proxy does not serve its sources.
const BINARY: &str = "PROMETHEUS_ADAPTER";

/// Its configuration, which Foresail reads, too.
pub(crate) const CONFIG: &str = r#"
rules:
  - seriesQuery: '{__name__=~"^engine_running_.*",namespace!="",pod!=""}'
    resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
  - seriesQuery: '{__name__=~"^gateway_requests_.*",namespace!="",deployment!=""}'
    resources:
      overrides: {namespace: {resource: namespace}, deployment: {group: apps, resource: deployment}}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
externalRules:
  - seriesQuery: '{__name__=~"^queue_depth_.*",namespace!="",queue!=""}'
    resources: {overrides: {namespace: {resource: namespace}}}
    metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
"#;

/// What an HPA asks whoever serves these rules.
pub(crate) fn ask(target: &Target<'_>) -> Ask {
    Ask::new(target, &target.series(), &format!("queue%3D{}", target.app.name))
}

/// Starts it with its default flags.
pub(crate) fn start(bed: &Bed, fleet: &Fleet) -> Result<Server, String> {
    let binary = std::env::var_os(BINARY)
        .ok_or(format!("{BINARY}=path names no binary of it, and no registry has one"))?;
    let config = bed.folder().join("prometheus-adapter.yaml");
    fs::write(&config, CONFIG).map_err(|error| error.to_string())?;
    let port = free_port();
    let mut arguments = flags(bed, "prometheus-adapter", port);
    arguments.push(format!("--config={}", config.display()));
    arguments.push(format!("--prometheus-url={}", bed.prometheus.url()));
    let process = bed.start_program("prometheus-adapter", Path::new(&binary), &arguments);
    let asks = fleet.targets().iter().map(ask).collect();
    let pids = vec![process.pid()];
    Ok(Server { name: "prometheus-adapter", port, pids, asks, running: Box::new(process) })
}
