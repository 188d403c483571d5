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
fn rules_stay_as_they_are_with_their_comments() {
    let flags = [
        "--prometheus-url=https://prometheus.monitoring.svc:9090/k8s",
        "--prometheus-verb=post",
        "--prometheus-header=X-Scope-OrgID=team-a",
        "--prometheus-auth-incluster",
    ];
    let arguments = [&["prometheus-adapter", "prometheus-adapter.yaml"], &flags[..]].concat();
    insta::assert_snapshot!("import_prometheus_adapter", shown(&arguments));
}

/// The file as it lies in a cluster, and one whose keys share a line.
#[test]
fn rules_are_found_in_a_config_map_and_in_flow_style() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "{seriesQuery: a, resources: {template: '<<.Resource>>'}, \
                metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'}";
    let map =
        format!("kind: ConfigMap\ndata:\n  config.yaml: |\n    # kept\n    rules:\n    - {rule}\n");
    for (text, expected, told) in [
        (map, "# kept\nrules:\n- {seriesQuery: a, ", "no `--prometheus-url`"),
        (
            format!("{{rules: [{rule}]}}"),
            "rules:\n  - metricsQuery: \"sum(",
            "comments are not kept",
        ),
    ] {
        let path = folder.path().join("rules.yaml");
        fs::write(&path, text).unwrap();
        let (code, stdout, stderr) = import(&["prometheus-adapter", path.to_str().unwrap()]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains(expected), "{stdout}");
        assert!(stderr.contains(told), "{stderr}");
        fs::write(&path, stdout).unwrap();
        let output = foresail().arg("check").arg("--config").arg(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_is_no_configuration_of_rules_is_the_persons_input() {
    let folder = tempfile::tempdir().unwrap();
    for (text, sentence) in [
        ("ruels: []", "1:1: ruels: unknown key `ruels`"),
        ("rules: [", "not YAML"),
        ("rules: [{seriesQuery: a, metricsQuery: '<<.Serie>>'}]", "there is no field `.Serie`"),
        ("rules: []\n", "in what came out: sources[0].prometheus.url"),
    ] {
        let path = folder.path().join("rules.yaml");
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let (code, _, stderr) = import(&["prometheus-adapter", path, "--prometheus-url=localhost"]);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(sentence), "{stderr}");
    }
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
