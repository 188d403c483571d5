//! The definitions of the policies' objects for the cluster, made from the types that read them.
//!
//! The schema of the wire shape becomes a structural one (`structural`); what a schema cannot say
//! of itself stands here: names, columns, bounds, and rules that the API server checks.

mod structural;

use crate::document::yaml::write;
use crate::domain::limits;
use crate::domain::policy_object::PolicyKind;
use crate::policy::status::{HPAS_MAX, PolicyStatus};
use crate::policy::wire::{self, API_GROUP, VERSION};
use serde_json::{Value as Json, json};
use structural::Structural;

pub use structural::Unsupported;

/// How many elements or bytes something may have: the type, its property, the number. The API
/// server estimates the cost of a rule from these.
const BOUNDS: &[(&str, &str, usize)] = &[
    ("MetricPolicySpec", "namespace", 63),
    ("MetricPolicySpec", "signals", limits::SIGNALS_MAX),
    ("MetricPolicySpec", "combine", limits::EXPRESSION_BYTES_MAX),
    ("MetricPolicySpec", "smooth", limits::SMOOTHING_STEPS_MAX),
    ("Metric", "name", 253),
    ("DescribedObject", "name", 253),
    ("ScaleTarget", "name", 253),
    ("Signal", "source", 63),
    ("SecretKeyRef", "name", 253),
    ("SecretKeyRef", "key", 253),
    ("PrometheusSignal", "query", limits::QUERY_BYTES_MAX),
    ("PodsSignal", "series", limits::QUERY_BYTES_MAX),
    ("ProfileSignal", "engine", 63),
    ("ProfileSignal", "podLabel", 253),
    ("ScheduleSignal", "windows", limits::schedule::WINDOWS_MAX),
    ("PolicyStatus", "hpas", HPAS_MAX),
];

/// Types of which exactly one property is given, apart from those named here.
const ONE_OF: &[(&str, &[&str])] =
    &[("Signal", &["source"]), ("SmoothStep", &[]), ("CredentialSource", &[])];

/// What the API server refuses beside what the schema says.
const RULES: &[Rule] = &[
    Rule {
        of: "Metric",
        needs: &["type", "describedObject"],
        rule: "(self.type == 'Object') == has(self.describedObject)",
        message: "an Object metric needs a `describedObject`, and no other metric has one",
    },
    Rule {
        of: "MetricPolicySpec",
        needs: &["signals"],
        rule: "size(self.signals) > 0",
        message: "a policy has at least one signal",
    },
    Rule {
        of: "MetricPolicySpec",
        needs: &["signals", "combine"],
        rule: "size(self.signals) < 2 || has(self.combine)",
        message: "`combine` is needed with more than one signal",
    },
    Rule {
        of: "MetricPolicySpec",
        needs: &["signals", "metric"],
        rule: "self.metric.type == 'Pods' || self.signals.all(name, \
               (!has(self.signals[name].prometheus) || \
               !has(self.signals[name].prometheus.podLabel)) && \
               (!has(self.signals[name].profile) || \
               !has(self.signals[name].profile.podLabel)))",
        message: "only a Pods metric has a `podLabel`",
    },
    Rule {
        of: "MetricPolicySpec",
        needs: &["signals", "metric"],
        rule: "self.metric.type != 'Pods' || self.signals.all(name, \
               has(self.signals[name].prometheus) || has(self.signals[name].pods) || \
               has(self.signals[name].profile))",
        message: "a page, a queue or a calendar gives one number, a Pods metric needs one for each pod",
    },
    Rule {
        of: "Signal",
        needs: &["source", "prometheus", "scrape", "profile"],
        rule: "has(self.source) == (has(self.prometheus) || has(self.scrape) || \
               (has(self.profile) && !has(self.profile.selector)))",
        message: "`prometheus`, `scrape` and a `profile` without `selector` need a `source`, the \
                  others say themselves where to read",
    },
    Rule {
        of: "ProfileSignal",
        needs: &["selector", "podPattern", "podLabel"],
        rule: "has(self.selector) ? !has(self.podPattern) && !has(self.podLabel) : \
               !has(self.port) && !has(self.scheme) && !has(self.path) && !has(self.timeout) && \
               !has(self.includeNotReady) && !has(self.tls) && !has(self.auth) && \
               !has(self.headers)",
        message: "`podPattern` and `podLabel` go with a prometheus source, keys of pages with a \
                  `selector`",
    },
    Rule {
        of: "ScheduleSignal",
        needs: &["windows"],
        rule: "size(self.windows) > 0",
        message: "a calendar has at least one window",
    },
    Rule {
        of: "ScheduleWindow",
        needs: &["start", "end", "from", "to", "duration"],
        rule: "has(self.start) ? !has(self.from) && !has(self.to) && \
               has(self.end) != has(self.duration) : has(self.from) && !has(self.end) && \
               has(self.to) != has(self.duration)",
        message: "expected `start` with one of `end` and `duration`, or `from` with one of `to` and \
                  `duration`",
    },
    Rule {
        of: "MetricPolicySpec",
        needs: &["metric", "forecast"],
        rule: "self.metric.type != 'Pods' || !has(self.forecast) || \
               (has(self.forecast.mode) && self.forecast.mode == 'Off')",
        message: "a forecast needs a total: use External or Object",
    },
    Rule {
        of: "Forecast",
        needs: &["quantile", "costRatio"],
        rule: "!has(self.quantile) || !has(self.costRatio)",
        message: "give `quantile` or `costRatio`, from which it is computed, not both",
    },
];

/// A rule for the objects of one type. It is left out where the type lacks a property that it
/// needs.
#[derive(Debug)]
struct Rule {
    of: &'static str,
    needs: &'static [&'static str],
    rule: &'static str,
    message: &'static str,
}

/// Both definitions as YAML, as `deploy/` has them.
///
/// # Errors
/// `Unsupported` when a type has a shape that the API server does not take; a test rules it out.
pub fn manifest() -> Result<String, Unsupported> {
    let documents = PolicyKind::ALL
        .map(|kind| definition(kind).map(|it| write::document(&it)))
        .into_iter()
        .collect::<Result<Vec<String>, Unsupported>>()?;
    let note = "# Made from the types in src/policy by `make crd`; a test compares.\n";
    Ok(format!("{note}{}", documents.join("---\n")))
}

/// The definition of one kind.
///
/// # Errors
/// As `manifest`.
pub fn definition(kind: PolicyKind) -> Result<Json, Unsupported> {
    let (singular, short, scope) = match kind {
        PolicyKind::Namespaced => ("metricpolicy", "mpol", "Namespaced"),
        PolicyKind::Cluster => ("clustermetricpolicy", "cmpol", "Cluster"),
    };
    let plural = kind.plural();
    Ok(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{API_GROUP}")},
        "spec": {
            "group": API_GROUP,
            "names": {
                "kind": kind.kind(),
                "listKind": format!("{}List", kind.kind()),
                "plural": plural,
                "singular": singular,
                "shortNames": [short],
                "categories": ["autoscaling"],
            },
            "scope": scope,
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns(kind),
                "schema": {"openAPIV3Schema": schema(kind)?},
            }],
        },
    }))
}

fn columns(kind: PolicyKind) -> Vec<Json> {
    let column = |name: &str, path: &str, about: &str| {
        let kind = if name == "Age" { "date" } else { "string" };
        json!({"name": name, "type": kind, "jsonPath": path, "description": about})
    };
    let namespace = column("Namespace", ".spec.namespace", "Where the metric is published");
    let ready = r#".status.conditions[?(@.type=="Ready")].status"#;
    let mut columns: Vec<Json> =
        (kind == PolicyKind::Cluster).then_some(namespace).into_iter().collect();
    columns.extend([
        column("Metric", ".spec.metric.name", "What is published"),
        column("Type", ".spec.metric.type", "The type of an HPA's metric that fits"),
        column("Value", ".status.lastValue", "The last published value"),
        column("Age", ".metadata.creationTimestamp", "How old the policy is"),
        column("Lead", ".status.leadTime", "How far ahead the forecast looks"),
        column("Model", ".status.model.name", "The forecast model in use"),
        column("Ready", ready, "Whether a value of the newest spec is served"),
    ]);
    columns
}

fn schema(kind: PolicyKind) -> Result<Json, Unsupported> {
    let policy = wire::policy_schema();
    let mut spec = Structural::new(&policy).of("MetricPolicySpec")?;
    settle_namespace(kind, &mut spec);
    let status: Json = schemars::schema_for!(PolicyStatus).into();
    let status = Structural::new(&status).root("PolicyStatus")?;
    let about = match kind {
        PolicyKind::Namespaced => "The recipe of one published metric.",
        PolicyKind::Cluster => {
            "The recipe of one published metric, for those who run the cluster: only they can edit \
             it, and its queries see all namespaces."
        }
    };
    Ok(json!({
        "type": "object",
        "description": about,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }))
}

/// A MetricPolicy publishes in the namespace that it is in; a ClusterMetricPolicy has to name one.
fn settle_namespace(kind: PolicyKind, spec: &mut Json) {
    const KEY: &str = "namespace";
    match kind {
        PolicyKind::Namespaced => {
            let properties = spec.get_mut("properties").and_then(Json::as_object_mut);
            properties.map(|it| it.remove(KEY));
        }
        PolicyKind::Cluster => {
            let required = spec.get_mut("required").and_then(Json::as_array_mut);
            if let Some(required) = required {
                required.push(KEY.into());
            }
        }
    }
}

#[cfg(test)]
mod tests;
