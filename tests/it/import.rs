//! `foresail import`: what other tools' manifests become, and what is told of the rest.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::{foresail, repository};
use std::fs;
use std::process::Output;

/// Exit code, stdout and stderr.
fn import(arguments: &[&str]) -> (i32, String, String) {
    let mut command = foresail();
    command.arg("import").args(arguments).current_dir(repository("tests/it/import"));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn shown(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = import(arguments);
    format!("exit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

#[test]
fn scaled_objects_become_policies_and_autoscalers() {
    insta::assert_snapshot!("import_keda", shown(&["keda", "keda.yaml"]));
}

/// What stdout holds of them is not sound either, and `foresail check` would say the same.
#[test]
fn a_login_that_has_no_equivalent_is_told_with_what_to_do() {
    let (code, _, stderr) = import(&["keda", "keda-refused.yaml"]);
    insta::assert_snapshot!("import_keda_refused", format!("exit code {code}\n{stderr}"));
}

#[test]
fn annotated_autoscalers_become_policies_and_plain_autoscalers() {
    let shown = shown(&["kube-metrics-adapter", "kube-metrics-adapter.yaml"]);
    insta::assert_snapshot!("import_kube_metrics_adapter", shown);
}

#[test]
fn what_comes_out_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    for (tool, file) in
        [("keda", "keda.yaml"), ("kube-metrics-adapter", "kube-metrics-adapter.yaml")]
    {
        let (_, stdout, _) = import(&[tool, file]);
        let path = folder.path().join(file);
        fs::write(&path, stdout).unwrap();
        let output = foresail().arg("check").arg("--config").arg(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_cannot_be_imported_is_the_persons_input() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let broken = write("broken.yaml", "a: 1\n---\nkind: [ScaledObject\n");
    let other = write("other.yaml", "kind: ConfigMap\n");
    for (file, sentence) in [
        (broken.as_str(), "broken.yaml:4:1: not YAML: "),
        (other.as_str(), "these files hold nothing to import"),
        ("missing.yaml", "error: failed to read `missing.yaml`: "),
    ] {
        let (code, stdout, stderr) = import(&["keda", file]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains(sentence), "{stderr}");
    }
}
