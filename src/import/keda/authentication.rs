//! Credentials that a trigger names: Secrets stay where they are, and everything else is told.

use crate::document::path::Path;
use crate::document::yaml::Node;
use crate::import::{Object, Remarks};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The TriggerAuthentications of the files, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Authentications<'n>(BTreeMap<(&'n str, &'n str), Object<'n>>);

/// What a trigger may show.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// References to Secrets, by parameter.
    pub(super) secrets: BTreeMap<String, Json>,
    /// Keys of a signal that stand for the identity of a pod.
    pub(super) identity: Vec<(&'static str, Json)>,
}

/// What a TriggerAuthentication has beside references to Secrets.
const ELSEWHERE: [&str; 9] = [
    "env",
    "configMapTargetRef",
    "filePath",
    "hashiCorpVault",
    "azureKeyVault",
    "gcpSecretManager",
    "awsSecretManager",
    "boundServiceAccountToken",
    "oauth2",
];

impl<'n> Authentications<'n> {
    pub(super) fn among(objects: &[Object<'n>]) -> Self {
        let is_one = |it: &&Object<'n>| it.kind() == "TriggerAuthentication";
        let found = objects.iter().filter(is_one).map(|it| {
            let metadata = |key| it.node.get("metadata").and_then(|it| it.get(key)?.text());
            let namespace = metadata("namespace").unwrap_or("default");
            ((namespace, metadata("name").unwrap_or_default()), *it)
        });
        Self(found.collect())
    }

    /// What a trigger's `authenticationRef` names.
    pub(super) fn of(&self, trigger: &Node, path: &Path, remarks: &mut Remarks<'_>) -> Shown {
        let Some(reference) = trigger.get("authenticationRef") else { return Shown::default() };
        let path = path.key("authenticationRef");
        let name = reference.get("name").and_then(Node::text).unwrap_or_default();
        if reference.get("kind").and_then(Node::text) == Some("ClusterTriggerAuthentication") {
            remarks.lost(
                &path,
                format!("ClusterTriggerAuthentication {name} names Secrets of KEDA's namespace"),
                "put the Secret into the policy's namespace and name it as `…From: {secretKeyRef: {name, key}}`",
            );
            return Shown::default();
        }
        let namespace = remarks.object.namespace();
        let Some(object) = self.0.get(&(namespace, name)) else {
            remarks.lost(
                &path,
                format!("TriggerAuthentication {namespace}/{name} is not in these files"),
                "name the file with it, too",
            );
            return Shown::default();
        };
        for key in ELSEWHERE {
            if object.at(&["spec", key]).is_some() {
                remarks.lost(
                    &path,
                    format!("TriggerAuthentication {name} has `{key}`, which has no equivalent"),
                    "put what it stands for into a Secret of the policy's namespace",
                );
            }
        }
        let keda = trigger.get("type").and_then(Node::text).unwrap_or_default();
        let identity = match object.at(&["spec", "podIdentity"]) {
            Some(identity) => pod_identity(identity, (keda, name), &path, remarks),
            None => Vec::new(),
        };
        let list = object.at(&["spec", "secretTargetRef"]).map(Node::elements).unwrap_or_default();
        let entry = |it: &Node| {
            let text = |key| it.get(key).and_then(Node::text);
            let secret = json!({"secretKeyRef": {"name": text("name")?, "key": text("key")?}});
            Some((text("parameter")?.to_owned(), secret))
        };
        Shown { secrets: list.iter().filter_map(entry).collect(), identity }
    }
}

/// The identity of KEDA's own pod at AWS is Foresail's here; no other one has an equivalent.
fn pod_identity(
    identity: &Node,
    (keda, name): (&str, &str),
    path: &Path,
    remarks: &mut Remarks<'_>,
) -> Vec<(&'static str, Json)> {
    let text = |key: &str| identity.get(key).and_then(Node::text);
    let provider = text("provider").unwrap_or_default();
    if keda != "aws-sqs-queue" || !matches!(provider, "aws" | "aws-eks") {
        if provider != "none" {
            remarks.lost(
                path,
                format!("TriggerAuthentication {name} has `podIdentity`, which has no equivalent"),
                "put what it stands for into a Secret of the policy's namespace",
            );
        }
        return Vec::new();
    }
    // Without a word KEDA takes with `aws` its own identity, and with `aws-eks` the workload's.
    let of_workload = text("identityOwner").map_or(provider == "aws-eks", |it| it == "workload");
    if of_workload {
        remarks.lost(
            path,
            format!("TriggerAuthentication {name} takes the role of the workload's ServiceAccount"),
            "write that role as `awsRoleArn`, and let Foresail's own role assume it",
        );
        return Vec::new();
    }
    match text("roleArn") {
        Some(role) => vec![("awsRoleArn", role.into())],
        None => vec![("identityOwner", "operator".into())],
    }
}
