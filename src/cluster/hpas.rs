//! Which HPAs exist and what they ask for: a watch of the namespaces that have a policy.

use crate::cluster::Client;
use crate::cluster::namespaces::{Kind, Namespaces};
use crate::cluster::watching::Progress;
use crate::domain::hpa::{About, Hpa, HpaMetric, HpaUse, MetricTarget};
use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::name::{MetricName, Namespace, ObjectName};
use crate::domain::object::{ObjectKind, ObjectRef};
use crate::domain::quantity;
use crate::domain::selector::Selector;
use k8s_openapi::api::autoscaling::v2 as api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::runtime::watcher::ListSemantic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// The HPAs that are known, by namespace and name.
#[derive(Debug, Default)]
pub struct HpaIndex(Arc<Namespaces<Hpas>>);

#[derive(Debug)]
struct Hpas;

impl HpaIndex {
    /// Follows the HPAs of the `wanted` namespaces, whichever they are at any time, until `stop` is
    /// cancelled.
    pub async fn watch(
        self: Arc<Self>,
        client: Client,
        wanted: watch::Receiver<BTreeSet<Namespace>>,
        stop: CancellationToken,
    ) {
        Arc::clone(&self.0).watch(client, wanted, stop).await;
    }

    /// How the HPAs of `namespace` use this metric, by their names; `None` while the first list is
    /// not in.
    #[must_use]
    pub fn users_of(
        &self,
        namespace: &Namespace,
        metric: &MetricName,
        subject: &Subject,
        labels: &Labels,
    ) -> Option<Arc<[HpaUse]>> {
        self.0.look(namespace, |hpas| {
            hpas.values().filter_map(|it| it.use_of(namespace, metric, subject, labels)).collect()
        })
    }

    /// Grows with every change of what is known.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.0.changes()
    }

    /// How many HPAs are known.
    #[must_use]
    pub fn n_hpas(&self) -> usize {
        self.0.count()
    }

    /// How its watches are doing.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        self.0.progress()
    }
}

impl Kind for Hpas {
    type Object = api::HorizontalPodAutoscaler;
    type Kept = Hpa;

    const NAME: &'static str = "horizontalpodautoscalers";

    /// Whole objects, a few KiB each: in pages.
    fn list() -> ListSemantic {
        ListSemantic::MostRecent
    }

    fn put(hpas: &mut BTreeMap<ObjectName, Hpa>, name: ObjectName, object: Self::Object) -> bool {
        match read(&name, object) {
            Some(hpa) => hpas.insert(name, hpa.clone()) != Some(hpa),
            None => hpas.remove(&name).is_some(),
        }
    }
}

/// `None` for what the API server does not let in: unusable names, a negative count.
pub(super) fn read(name: &ObjectName, object: api::HorizontalPodAutoscaler) -> Option<Hpa> {
    let namespace = Namespace::new(object.metadata.namespace.as_deref()?).ok()?;
    let spec = object.spec;
    let down = spec.behavior.and_then(|it| it.scale_down?.stabilization_window_seconds);
    let down = down.and_then(|it| u64::try_from(it).ok()).map(Duration::from_secs);
    let metrics = spec.metrics.unwrap_or_default();
    Some(Hpa {
        target: ObjectRef {
            kind: kind(spec.scale_target_ref.api_version, spec.scale_target_ref.kind),
            namespace: Some(namespace.clone()),
            name: ObjectName::new(&spec.scale_target_ref.name).ok()?,
        },
        namespace,
        name: name.clone(),
        min_replicas: spec.min_replicas.and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
        max_replicas: u32::try_from(spec.max_replicas).ok()?,
        down_window: down.unwrap_or(limits::HPA_DOWN_WINDOW_DEFAULT),
        metrics: metrics.into_iter().filter_map(metric).collect(),
    })
}

/// `None` for metrics that do not come from here, and for those that no policy can publish.
fn metric(spec: api::MetricSpec) -> Option<HpaMetric> {
    let (about, metric, target) = if let Some(source) = spec.external {
        (About::External, source.metric, source.target)
    } else if let Some(source) = spec.pods {
        (About::Pods, source.metric, source.target)
    } else {
        let source = spec.object?;
        let object = source.described_object;
        let name = ObjectName::new(&object.name).ok()?;
        let about = About::Object { kind: kind(object.api_version, object.kind), name };
        (about, source.metric, source.target)
    };
    let average = target.average_value.map(|it| (MetricTarget::AverageValue as fn(_) -> _, it));
    let (make, value) =
        average.or_else(|| Some((MetricTarget::Value as fn(_) -> _, target.value?)))?;
    Some(HpaMetric {
        metric: MetricName::new(&metric.name).ok()?,
        about,
        selector: selector(metric.selector.unwrap_or_default())?,
        target: make(quantity::parse(&value.0).ok()?),
    })
}

fn kind(api_version: Option<String>, kind: String) -> ObjectKind {
    ObjectKind {
        api_version: api_version.unwrap_or_else(|| "v1".to_owned()).into(),
        kind: kind.into(),
    }
}

/// In the text form, which is how the HPA controller asks.
fn selector(selector: LabelSelector) -> Option<Selector> {
    let equal = selector.match_labels.unwrap_or_default().into_iter();
    let mut parts: Vec<String> = equal.map(|(key, value)| format!("{key}={value}")).collect();
    for wish in selector.match_expressions.unwrap_or_default() {
        let (key, values) = (wish.key, wish.values.unwrap_or_default().join(","));
        parts.push(match wish.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key,
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    let selector = Selector::parse(&parts.join(","));
    selector.inspect_err(|error| debug!(%error, "a metric of an HPA is left out")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// An HPA with these keys of its specification.
    fn hpa(keys: Value) -> Hpa {
        let mut spec = json!({
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
            "maxReplicas": 16,
        });
        let Value::Object(keys) = keys else { panic!("{keys}") };
        spec.as_object_mut().unwrap().extend(keys);
        let metadata = json!({"name": "llama", "namespace": "inference"});
        let object = serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
        read(&ObjectName::new("llama").unwrap(), object).unwrap()
    }

    #[test]
    fn what_is_left_out_has_the_controllers_defaults() {
        let bare = hpa(json!({}));
        assert_eq!((bare.min_replicas, bare.max_replicas), (1, 16));
        assert_eq!(bare.down_window, Duration::from_secs(300));
        assert_eq!(&*bare.target.kind.api_version, "apps/v1");
        assert_eq!(bare.target.namespace, Some(bare.namespace));
        let behavior = json!({"scaleDown": {"stabilizationWindowSeconds": 0}});
        let given = hpa(json!({"minReplicas": 0, "behavior": behavior}));
        assert_eq!((given.min_replicas, given.down_window), (0, Duration::ZERO));
    }

    /// `ABOUT metric VALUE` of each metric that is kept.
    fn shown(metrics: Value) -> String {
        let shown = hpa(json!({"metrics": metrics})).metrics.into_iter().map(|it| {
            let about = match it.about {
                About::External => "external".to_owned(),
                About::Pods => "pods".to_owned(),
                About::Object { kind, name } => {
                    format!("{} {} {name}", kind.api_version, kind.kind)
                }
            };
            let target = match it.target {
                MetricTarget::AverageValue(value) => format!("{} each", value.get()),
                MetricTarget::Value(value) => value.get().to_string(),
            };
            format!("{about}: {} {target}", it.metric)
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn metrics_of_the_three_types_are_read_and_others_left_out() {
        let average = json!({"type": "AverageValue", "averageValue": "2500m"});
        let value = json!({"type": "Value", "value": "1k"});
        let name = json!({"name": "demand"});
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "gateway"});
        let node = json!({"kind": "Node", "name": "n"});
        for (metric, expected) in [
            (
                json!({"type": "External", "external": {"metric": name, "target": average}}),
                "external: demand 2.5 each",
            ),
            (
                json!({"type": "External", "external": {"metric": name, "target": value}}),
                "external: demand 1000",
            ),
            (
                json!({"type": "Pods", "pods": {"metric": name, "target": average}}),
                "pods: demand 2.5 each",
            ),
            (
                json!({"type": "Object", "object": {"metric": name, "target": value, "describedObject": object}}),
                "apps/v1 Deployment gateway: demand 1000",
            ),
            (
                json!({"type": "Object", "object": {"metric": name, "target": value, "describedObject": node}}),
                "v1 Node n: demand 1000",
            ),
            (
                json!({"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 60}}}),
                "",
            ),
            (
                json!({"type": "External", "external": {"metric": {"name": "a/b"}, "target": value}}),
                "",
            ),
            (
                json!({"type": "External", "external": {"metric": name, "target": {"type": "Value"}}}),
                "",
            ),
        ] {
            assert_eq!(shown(json!([metric.clone()])), expected, "{metric}");
        }
    }

    #[test]
    fn a_label_selector_selects_in_its_text_form() {
        let operator = |operator: &str| {
            json!({"matchLabels": {"model": "llama"},
                "matchExpressions": [{"key": "tier", "operator": operator, "values": ["a", "b"]}]})
        };
        for (wish, expected) in [
            (json!({}), Some("")),
            (json!({"matchLabels": {"b": "2", "a": "1"}}), Some("a=1,b=2")),
            (operator("In"), Some("model=llama,tier in (a,b)")),
            (operator("NotIn"), Some("model=llama,tier notin (a,b)")),
            (operator("Exists"), Some("model=llama,tier")),
            (operator("DoesNotExist"), Some("model=llama,!tier")),
            (operator("Near"), None),
            (json!({"matchLabels": {"": "1"}}), None),
        ] {
            let expected = expected.map(|text| Selector::parse(text).unwrap());
            let read = selector(serde_json::from_value(wish.clone()).unwrap());
            assert_eq!(read, expected, "{wish}");
        }
    }
}
