//! Configurations: the samples of `deploy/` made quick, and policies of one's own.

use crate::bed::Bed;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/samples/foresail.yaml");

/// One policy with one query; what a test does not name is quick.
#[derive(Debug, Clone)]
pub(crate) struct Policy<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// `name: …, type: …` and what else belongs to the metric.
    pub(crate) metric: &'a str,
    pub(crate) query: &'a str,
    /// The smoothing steps.
    pub(crate) smooth: &'a str,
    pub(crate) guard: &'a str,
}

impl Default for Policy<'_> {
    fn default() -> Self {
        Self {
            namespace: "default",
            name: "policy",
            metric: "name: metric, type: External",
            query: "vector(1)",
            smooth: "",
            guard: "maxAge: 10s, hold: 10s",
        }
    }
}

/// A configuration with the bed's Prometheus as the source `default`.
pub(crate) fn config(bed: &Bed, policies: &[Policy<'_>]) -> String {
    let mut text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsources:\n  \
         - {{name: default, prometheus: {{url: '{}', timeout: 1s}}}}\npolicies:\n",
        bed.prometheus.url()
    );
    if policies.is_empty() {
        text = text.replace("policies:", "policies: []");
    }
    for Policy { namespace, name, metric, query, smooth, guard } in policies {
        text.push_str(&format!(
            "  - metadata: {{name: {name}, namespace: {namespace}}}
    spec:
      metric: {{{metric}}}
      interval: 1s
      signals: {{signal: {{source: default, prometheus: {{query: '{query}'}}}}}}
      smooth: [{smooth}]
      guard: {{{guard}}}
"
        ));
    }
    text
}

/// The sample configuration of `deploy/`, moved to a namespace of its own and made quick: the
/// bed's Prometheus, an evaluation each second, nothing old, nothing smoothed, so that counts are
/// exact, and a gauge in the place of a rate.
#[track_caller]
pub(crate) fn sample(bed: &Bed, namespace: &str) -> String {
    let text = std::fs::read_to_string(SAMPLE).unwrap();
    let rate = r#"sum(rate(inference_objective_request_total{namespace="inference",model_name="llama"}[1m]))"#;
    let gauge = r#"sum(requests_per_second{namespace="inference",model_name="llama"})"#;
    let changes = [
        ("http://prometheus-operated.monitoring:9090", bed.prometheus.url().as_str()),
        ("interval: 15s", "interval: 1s"),
        ("      smooth: [{ewma: {halfLife: 30s}}]\n", ""),
        ("maxAge: 60s, hold: 2m", "maxAge: 2s, hold: 2s"),
        (rate, gauge),
        ("namespace: inference", &format!("namespace: {namespace}")),
        (r#"namespace="inference""#, &format!(r#"namespace="{namespace}""#)),
    ]
    .map(|(from, to)| (from.to_owned(), to.to_owned()));
    changed(&text, &changes)
}

/// Makes changes, each of which must find its place.
#[track_caller]
pub(crate) fn changed(text: &str, changes: &[(String, String)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from.as_str()), "the sample has no `{from}` any more:\n{text}");
        text.replace(from.as_str(), to)
    })
}
