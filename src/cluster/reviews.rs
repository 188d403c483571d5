//! Asks the cluster what a user may do, by SubjectAccessReview.

use crate::cluster::{Client, ClusterError, whole};
use crate::domain::identity::{Attributes, User};
use crate::domain::ports::{Access, ReviewFailed, Reviews};
use crate::domain::selector::{Condition, Requirement};
use k8s_openapi::api::authorization::v1::{
    LabelSelectorAttributes, NonResourceAttributes, ResourceAttributes, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use kube::Api;
use kube::api::PostParams;
use std::fmt;
use std::pin::Pin;

/// The cluster's authorizer.
pub struct ClusterReviews(Api<SubjectAccessReview>);

impl ClusterReviews {
    /// Asks through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(Api::all(client))
    }
}

impl Reviews for ClusterReviews {
    fn access<'a>(
        &'a self,
        user: &'a User,
        attributes: &'a Attributes,
    ) -> Pin<Box<dyn Future<Output = Result<Access, ReviewFailed>> + Send + 'a>> {
        Box::pin(async move {
            let answered = self
                .0
                .create(&PostParams::default(), &question(user, attributes))
                .await
                .map_err(|error| ReviewFailed(whole(&error).into()))?;
            let status = answered.status.ok_or(ReviewFailed(Box::new(ClusterError::NoDecision)))?;
            let reason = status.reason.filter(|reason| !reason.is_empty());
            let reason = reason.or(status.evaluation_error).unwrap_or_default();
            Ok(Access { allowed: status.allowed, reason })
        })
    }
}

impl fmt::Debug for ClusterReviews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterReviews").finish_non_exhaustive()
    }
}

fn question(user: &User, attributes: &Attributes) -> SubjectAccessReview {
    let User { name, uid, groups, extra } = user;
    let mut spec = SubjectAccessReviewSpec {
        user: Some(name.clone()),
        uid: uid.clone(),
        groups: some(groups.clone(), Vec::is_empty),
        extra: some(extra.clone(), |it| it.is_empty()),
        ..Default::default()
    };
    match attributes {
        Attributes::Path { verb, path } => {
            spec.non_resource_attributes =
                Some(NonResourceAttributes { path: Some(path.clone()), verb: Some(verb.clone()) });
        }
        Attributes::Resource {
            verb,
            group,
            version,
            namespace,
            resource,
            subresource,
            name,
            selector,
        } => {
            let text = |text: &String| some(text.clone(), String::is_empty);
            let requirements = selector.iter().filter_map(requirement).collect();
            let requirements = some(requirements, Vec::is_empty);
            spec.resource_attributes = Some(ResourceAttributes {
                verb: Some((*verb).to_owned()),
                group: Some((*group).to_owned()),
                version: Some((*version).to_owned()),
                namespace: text(namespace),
                resource: text(resource),
                subresource: text(subresource),
                name: text(name),
                // API servers before 1.31 know no such field and leave it out.
                label_selector: requirements.map(|it| LabelSelectorAttributes {
                    raw_selector: None,
                    requirements: Some(it),
                }),
                ..Default::default()
            });
        }
    }
    SubjectAccessReview { spec, ..Default::default() }
}

/// A demand in the words of Kubernetes, which has none for sizes here: as a selector only narrows, less of
/// it may be told, and its own authorizer does the same.
fn requirement(of: &Requirement) -> Option<LabelSelectorRequirement> {
    let (operator, values) = match &of.condition {
        Condition::In(values) => ("In", Some(values)),
        Condition::NotIn(values) => ("NotIn", Some(values)),
        Condition::Exists => ("Exists", None),
        Condition::Absent => ("DoesNotExist", None),
        Condition::Above(_) | Condition::Below(_) => return None,
    };
    let values = values.map(|it| it.iter().map(|it| it.to_string()).collect());
    let (key, operator) = (of.key.to_string(), operator.to_owned());
    Some(LabelSelectorRequirement { key, operator, values })
}

/// What is empty is left out, as Kubernetes writes it.
fn some<T>(value: T, is_empty: impl FnOnce(&T) -> bool) -> Option<T> {
    if is_empty(&value) { None } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::selector::Selector;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn resource(verb: &'static str, group: &'static str, of: [&str; 4]) -> Attributes {
        let [namespace, resource, subresource, name] = of.map(ToOwned::to_owned);
        Attributes::Resource {
            verb,
            group,
            version: "v1beta1",
            namespace,
            resource,
            subresource,
            name,
            selector: Vec::new(),
        }
    }

    #[test]
    fn what_a_list_demands_of_labels_is_told_as_far_as_there_are_words_for_it() {
        let text = "tier in (b,a),app=llama,x!=1,y notin (2),z,!w,rank>3,rank<5";
        let selector = Selector::parse(text).unwrap();
        let mut attributes = resource("list", EXTERNAL, ["ns", "demand", "", ""]);
        if let Attributes::Resource { selector: demanded, .. } = &mut attributes {
            *demanded = selector.requirements().to_vec();
        }
        let body = serde_json::to_value(question(&User::anonymous(), &attributes)).unwrap();
        let expected = json!({"requirements": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "app", "operator": "In", "values": ["llama"]},
            {"key": "x", "operator": "NotIn", "values": ["1"]},
            {"key": "y", "operator": "NotIn", "values": ["2"]},
            {"key": "z", "operator": "Exists"},
            {"key": "w", "operator": "DoesNotExist"},
        ]});
        assert_eq!(body["spec"]["resourceAttributes"]["labelSelector"], expected);
    }

    const CUSTOM: &str = "custom.metrics.k8s.io";
    const EXTERNAL: &str = "external.metrics.k8s.io";

    #[test]
    fn each_kind_of_request_is_asked_about_as_the_go_adapters_do() {
        let user = User {
            name: "jane".into(),
            uid: Some("7".into()),
            groups: vec!["dev".into(), "system:authenticated".into()],
            extra: BTreeMap::from([("scopes".into(), vec!["read".into()])]),
        };
        let cases: [(Attributes, Value); 6] = [
            (
                resource("get", CUSTOM, ["ns", "pods", "queue", "llama-0"]),
                json!({"resourceAttributes": {"verb": "get", "group": CUSTOM, "version": "v1beta1",
                    "namespace": "ns", "resource": "pods", "subresource": "queue", "name": "llama-0"}}),
            ),
            (
                resource("get", CUSTOM, ["ns", "deployments.apps", "queue", "*"]),
                json!({"resourceAttributes": {"verb": "get", "group": CUSTOM, "version": "v1beta1",
                    "namespace": "ns", "resource": "deployments.apps", "subresource": "queue",
                    "name": "*"}}),
            ),
            (
                resource("get", CUSTOM, ["ns", "metrics", "", "queue"]),
                json!({"resourceAttributes": {"verb": "get", "group": CUSTOM, "version": "v1beta1",
                    "namespace": "ns", "resource": "metrics", "name": "queue"}}),
            ),
            (
                resource("get", CUSTOM, ["", "nodes", "temperature", "node-1"]),
                json!({"resourceAttributes": {"verb": "get", "group": CUSTOM, "version": "v1beta1",
                    "resource": "nodes", "subresource": "temperature", "name": "node-1"}}),
            ),
            (
                resource("list", EXTERNAL, ["ns", "llama_demand", "", ""]),
                json!({"resourceAttributes": {"verb": "list", "group": EXTERNAL,
                    "version": "v1beta1", "namespace": "ns", "resource": "llama_demand"}}),
            ),
            (
                Attributes::Path { verb: "get".into(), path: "/metrics".into() },
                json!({"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}),
            ),
        ];
        for (attributes, mut spec) in cases {
            spec["user"] = json!("jane");
            spec["uid"] = json!("7");
            spec["groups"] = json!(["dev", "system:authenticated"]);
            spec["extra"] = json!({"scopes": ["read"]});
            let body = serde_json::to_value(question(&user, &attributes)).unwrap();
            let expected = json!({"apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview", "metadata": {}, "spec": spec});
            assert_eq!(body, expected);
        }
    }
}
