//! `foresail crd`, and the definitions that `deploy/` has.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{foresail, repository};
use foresail::policy::resolve::objects::manifests;
use foresail::policy::status::Reason;
use std::fs;
use std::sync::Arc;

const FILE: &str = "deploy/kustomize/base/crds.yaml";

fn printed() -> String {
    let output = foresail().arg("crd").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_definitions_in_deploy_are_what_the_binary_prints() {
    let (path, printed) = (repository(FILE), printed());
    // How `make crd` writes them; what is written is compared all the same.
    if std::env::vars().any(|(name, _)| name == "FORESAIL_WRITE_CRDS") {
        fs::write(&path, &printed).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == printed,
        "{FILE} differs from what `foresail crd` prints: run `make crd`"
    );
}

#[test]
fn both_kinds_are_defined_with_names_that_kubectl_takes() {
    let printed = printed();
    let documents: Vec<&str> = printed.split("---\n").collect();
    let expected =
        [("metricpolicies", "mpol", "Namespaced"), ("clustermetricpolicies", "cmpol", "Cluster")];
    assert_eq!(documents.len(), expected.len());
    for (document, (plural, short, scope)) in documents.iter().zip(expected) {
        for line in [
            "kind: CustomResourceDefinition".to_owned(),
            format!("  name: {plural}.foresail.dev"),
            format!("      - {short}"),
            format!("  scope: {scope}"),
        ] {
            assert!(document.lines().any(|it| it == line), "{line} in\n{document}");
        }
    }
}

#[test]
fn the_sample_policies_are_sound() {
    for sample in ["metric-policy.yaml", "cluster-metric-policy.yaml", "forecast.yaml"] {
        let path = repository("deploy/samples").join(sample);
        let output = foresail().arg("check").arg("--config").arg(&path).output().unwrap();
        assert!(output.status.success(), "{sample}: {output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("0 sources, 1 policy, no faults"), "{told}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("not looked at: default"), "{told}");
    }
}

#[test]
fn the_sample_of_an_engine_is_sound_both_ways() {
    let text = fs::read_to_string(repository("deploy/samples/vllm.yaml")).unwrap();
    let manifests = manifests::load(&text, &Arc::default()).unwrap().unwrap();
    assert_eq!(manifests.config.faults, []);
    assert_eq!(manifests.config.policies.len(), 2);
}

#[test]
fn the_readme_explains_every_reason_of_a_condition() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- reasons -->").unwrap();
    let (table, _) = rest.split_once("<!-- /reasons -->").unwrap();
    let told: Vec<&str> =
        table.lines().filter_map(|it| it.strip_prefix("| `")?.split('`').next()).collect();
    let known: Vec<String> = Reason::ALL.iter().map(|it| format!("{it:?}")).collect();
    assert_eq!(told, known);
    let listed = printed();
    assert!(known.iter().all(|it| listed.contains(&format!("- {it}\n"))), "in the schema");
}
