//! What is not wrong with a policy and still may mislead, and what to use instead.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::policy::capacity::Emit;
use crate::policy::pods::{Across, PodReduce, PodsAsk};
use crate::policy::promql;
use crate::policy::{Ask, Combine, Policy, Reduce, Signal};

/// One thing that may mislead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What kind of thing it is.
    pub about: About,
    /// Where, why, and what to use instead.
    pub fault: Fault,
}

/// What kinds of things may mislead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// How long a GPU did anything at all.
    BusyGpu,
    /// How much memory of a GPU is taken.
    FullGpu,
    /// A mean where a total is divided.
    Mean,
}

/// Series that say how long a GPU did anything at all.
const BUSY: [&str; 5] = [
    "DCGM_FI_DEV_GPU_UTIL",
    "dcgm_gpu_utilization",
    "nv_gpu_utilization",
    "gpu_gfx_activity",
    "amd_gpu_gfx_activity",
];

/// Series that say how much memory of a GPU is taken.
const MEMORY: [&str; 5] = [
    "DCGM_FI_DEV_FB_USED",
    "dcgm_fb_used",
    "nv_gpu_memory_used_bytes",
    "gpu_used_vram",
    "amd_gpu_used_vram",
];

/// The warnings about the policy at `path`.
pub(super) fn of(policy: &Policy, path: &Path) -> Vec<Warning> {
    let path = path.key("spec").key("signals");
    let mut warnings = Vec::new();
    for signal in &policy.signals {
        let place = place(signal, path.key(signal.name.as_str()));
        warnings.extend(about_gpu(signal, &place));
        if matches!(policy.combine, Combine::Only) && is_mean(signal) {
            warnings.extend(about_total(policy, &place));
        }
    }
    warnings
}

fn place(signal: &Signal, path: Path) -> Path {
    let (kind, key) = match &signal.ask {
        Ask::Query { profile: None, .. } => ("prometheus", "query"),
        Ask::Query { profile: Some(_), .. } => ("profile", "signal"),
        Ask::Series { .. } => ("scrape", "series"),
        Ask::Pods(ask) if ask.profile.is_some() => ("profile", "signal"),
        Ask::Pods(_) => ("pods", "series"),
        Ask::Queue(_) | Ask::Schedule(_) => return path,
    };
    path.key(kind).key(key)
}

/// The series that a signal reads.
fn series(signal: &Signal) -> Vec<String> {
    match &signal.ask {
        Ask::Query { query, .. } => promql::series(query),
        Ask::Series { selector, .. } => vec![selector.name().to_owned()],
        Ask::Pods(ask) => ask.names().collect(),
        Ask::Queue(_) | Ask::Schedule(_) => Vec::new(),
    }
}

fn about_gpu(signal: &Signal, place: &Path) -> Option<Warning> {
    const HINT: &str = "scale on what the engine has to do, e.g. `profile: {engine: vllm, signal: \
                        demand}`; of the GPU, on tensorActive or dramActive";
    let series = series(signal);
    let found = |misleading: &[&str]| {
        series.iter().find(|it| misleading.contains(&it.as_str())).map(String::as_str)
    };
    let (about, problem) = if let Some(name) = found(&BUSY) {
        let why = "is near its largest as soon as an LLM engine has one request";
        (About::BusyGpu, format!("{name} {why}"))
    } else {
        let name = found(&MEMORY)?;
        let why = "does not change with load: LLM engines reserve their memory at the start";
        (About::FullGpu, format!("{name} {why}"))
    };
    Some(Warning { about, fault: Fault::new(place.clone(), problem).hint(HINT) })
}

/// Whether the number of a signal is a mean over pods or series.
fn is_mean(signal: &Signal) -> bool {
    match &signal.ask {
        Ask::Query { query, pod_label: None, .. } => promql::is_mean(query),
        Ask::Series { reduce, .. } => *reduce == Reduce::Avg,
        Ask::Pods(ask) => {
            let PodsAsk { across, .. } = &**ask;
            matches!(across, Across::One(PodReduce::Avg, _) | Across::Pooled(_))
        }
        Ask::Query { .. } | Ask::Queue(_) | Ask::Schedule(_) => false,
    }
}

/// What is divided by the capacity of a pod has to be a total.
fn about_total(policy: &Policy, place: &Path) -> Option<Warning> {
    let why = if policy.emit == Emit::DesiredReplicas {
        "`emit: desiredReplicas` divides by what a pod serves"
    } else if policy.capacity.per_pod.is_some() {
        "`capacity.perPod` is a share of a total"
    } else if policy.forecast.is_some() {
        "a forecast is of a total, which the HPA divides by an AverageValue"
    } else {
        return None;
    };
    let problem = format!("a mean over pods falls as pods are added, and {why}");
    let hint = "use a total, e.g. `sum(…)` or `signal: demand` of a profile";
    Some(Warning { about: About::Mean, fault: Fault::new(place.clone(), problem).hint(hint) })
}

#[cfg(test)]
mod tests {
    use crate::policy::resolve::load;

    fn warnings(signal: &str, more: &str) -> Vec<String> {
        let text = format!(
            "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{{name: default, prometheus: {{url: 'http://prometheus:9090'}}}}]
policies:
  - metadata: {{name: p, namespace: ml}}
    spec:
      metric: {{name: m, type: External}}
      signals: {{x: {signal}}}
      {more}
"
        );
        let config = load(&text).unwrap();
        assert_eq!(config.faults, []);
        let told = config.warnings.iter().map(|it| {
            assert!(it.position.is_some() && it.hint.is_some());
            it.to_string()
        });
        told.collect()
    }

    #[test]
    fn a_gpu_that_is_busy_or_full_says_little_about_load() {
        let query = |text: &str| format!("{{source: default, prometheus: {{query: '{text}'}}}}");
        let pods =
            "{pods: {selector: {matchLabels: {a: b}}, port: 1, series: DCGM_FI_DEV_FB_USED}}";
        let profile =
            |signal| format!("{{source: default, profile: {{engine: dcgm, signal: {signal}}}}}");
        let busy = "is near its largest as soon as an LLM engine has one request";
        for (signal, place, told) in [
            (query("avg(DCGM_FI_DEV_GPU_UTIL)"), "x.prometheus.query", busy),
            (query("sum({__name__=\"dcgm_gpu_utilization\"}) / 2"), "x.prometheus.query", busy),
            (profile("gpuUtilization"), "x.profile.signal", busy),
            (profile("memoryUsed"), "x.profile.signal", "does not change with load"),
            (pods.to_owned(), "x.pods.series", "does not change with load"),
        ] {
            let warnings = warnings(&signal, "");
            assert_eq!(warnings.len(), 1, "{signal}: {warnings:?}");
            assert!(warnings[0].contains(place) && warnings[0].contains(told), "{warnings:?}");
        }
        assert_eq!(warnings(&profile("dramActive"), ""), Vec::<String>::new());
        assert_eq!(warnings(&query("sum(DCGM_FI_DEV_GPU_UTILISED)"), ""), Vec::<String>::new());
    }

    #[test]
    fn a_mean_is_no_total() {
        let query = |text: &str| format!("{{source: default, prometheus: {{query: '{text}'}}}}");
        let usage = "{source: default, profile: {engine: vllm, signal: kvCacheUsage}}".to_owned();
        let pods =
            "{profile: {engine: vllm, signal: kvCacheUsage, selector: {matchLabels: {a: b}}}}";
        let capacity = "capacity: {perPod: 8}";
        let forecast = "forecast: {leadTime: 3m}";
        for (signal, more, is_warned) in [
            (query("avg(a)"), capacity, true),
            (query("(avg by () (a)) * 100"), forecast, true),
            (query("avg(a)"), "", false),
            (query("sum(avg_over_time(a[5m]))"), capacity, false),
            (usage.clone(), capacity, true),
            (usage.clone(), "", false),
            (pods.to_owned(), forecast, true),
            (
                "{source: default, profile: {engine: vllm, signal: demand}}".to_owned(),
                forecast,
                false,
            ),
        ] {
            let warnings = warnings(&signal, more);
            assert_eq!(warnings.len(), usize::from(is_warned), "{signal} {more}: {warnings:?}");
            assert!(
                warnings.iter().all(|it| it.contains("a mean over pods falls")),
                "{warnings:?}"
            );
        }
    }
}
