//! Credentials that a trigger names: Secrets stay where they are, and everything else is told.

use crate::document::path::Path;
use crate::document::yaml::Node;
use crate::import::{Object, Remarks};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The TriggerAuthentications of the files, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Authentications<'n>(BTreeMap<(&'n str, &'n str), Object<'n>>);

/// What a TriggerAuthentication has beside references to Secrets.
const ELSEWHERE: [&str; 10] = [
    "podIdentity",
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

    /// The references to Secrets of a trigger's `authenticationRef`, by parameter.
    pub(super) fn of(
        &self,
        trigger: &Node,
        path: &Path,
        remarks: &mut Remarks<'_>,
    ) -> BTreeMap<String, Json> {
        let Some(reference) = trigger.get("authenticationRef") else { return BTreeMap::new() };
        let path = path.key("authenticationRef");
        let name = reference.get("name").and_then(Node::text).unwrap_or_default();
        if reference.get("kind").and_then(Node::text) == Some("ClusterTriggerAuthentication") {
            remarks.lost(
                &path,
                format!("ClusterTriggerAuthentication {name} names Secrets of KEDA's namespace"),
                "put the Secret into the policy's namespace and name it as `…From: {secretKeyRef: {name, key}}`",
            );
            return BTreeMap::new();
        }
        let namespace = remarks.object.namespace();
        let Some(object) = self.0.get(&(namespace, name)) else {
            remarks.lost(
                &path,
                format!("TriggerAuthentication {namespace}/{name} is not in these files"),
                "name the file with it, too",
            );
            return BTreeMap::new();
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
        let list = object.at(&["spec", "secretTargetRef"]).map(Node::elements).unwrap_or_default();
        let entry = |it: &Node| {
            let text = |key| it.get(key).and_then(Node::text);
            let secret = json!({"secretKeyRef": {"name": text("name")?, "key": text("key")?}});
            Some((text("parameter")?.to_owned(), secret))
        };
        list.iter().filter_map(entry).collect()
    }
}
