//! Files with one object, several, a configuration beside them, and none.

use super::*;

const POLICY: &str = "apiVersion: foresail.dev/v1alpha1
kind: MetricPolicy
metadata:
  name: llama
  namespace: inference
  uid: 3f0c
  labels: {team: serving}
spec:
  metric: {name: llama_demand, type: External}
  signals: {it: {source: default, prometheus: {query: 'sum(demand)'}}}
status: {value: '3'}
";

const CONFIG: &str = "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{name: default, prometheus: {url: 'http://prometheus:9090'}}]
policies: []
";

fn loaded(text: &str) -> Manifests {
    load(text, &Arc::default()).unwrap().unwrap()
}

fn keys(manifests: &Manifests) -> Vec<String> {
    manifests.config.policies.iter().map(|it| it.key.to_string()).collect()
}

fn unknown(manifests: &Manifests) -> Vec<&str> {
    manifests.unknown_sources.iter().map(SourceName::as_str).collect()
}

#[test]
fn an_object_as_it_is_applied_or_as_the_api_server_shows_it_is_a_policy() {
    let found = loaded(POLICY);
    assert_eq!(found.config.faults, vec![]);
    assert_eq!(keys(&found), ["inference/llama"]);
    assert_eq!(unknown(&found), ["default"]);
    let bare = POLICY.replace("  namespace: inference\n", "");
    assert_eq!(keys(&loaded(&bare)), ["default/llama"]);
    let cluster = POLICY
        .replace("kind: MetricPolicy", "kind: ClusterMetricPolicy")
        .replace("  namespace: inference\n", "")
        .replace("spec:\n", "spec:\n  namespace: platform\n");
    assert_eq!(keys(&loaded(&cluster)), ["platform/llama"]);
}

#[test]
fn several_documents_and_lists_hold_several_policies_and_others_are_passed_over() {
    let other = POLICY
        .replace("llama", "mistral")
        .replace("default", "page")
        .replace("prometheus: {query: 'sum(demand)'}", "scrape: {series: demand}");
    let hpa = "kind: HorizontalPodAutoscaler\nmetadata: {name: llama}\n";
    let found = loaded(&format!("---\n{POLICY}---\n{hpa}--- # the other\n{other}"));
    assert_eq!(keys(&found), ["inference/llama", "inference/mistral"]);
    assert_eq!(unknown(&found), ["default", "page"]);
    let indented: String = POLICY.lines().map(|line| format!("    {line}\n")).collect();
    let list = format!("kind: List\nitems:\n  -\n{indented}");
    assert_eq!(keys(&loaded(&list)), ["inference/llama"]);
}

#[test]
fn the_sources_of_a_configuration_beside_an_object_are_known() {
    let found = loaded(&format!("{CONFIG}---\n{POLICY}"));
    assert_eq!((keys(&found), unknown(&found)), (vec!["inference/llama".to_owned()], vec![]));
    let wrong = POLICY.replace("source: default", "source: other");
    assert_eq!(unknown(&loaded(&format!("{CONFIG}---\n{wrong}"))), ["other"]);
}

#[test]
fn faults_are_told_with_the_lines_of_the_file() {
    let (key, query) = (("type:", "tpye:"), ("sum(demand)", "sum(demand"));
    let [one, other] = [key, query].map(|(from, to)| POLICY.replace(from, to));
    let found = loaded(&format!("# first\n---\n{one}---\n{other}")).config;
    let lines: Vec<usize> = found.faults.iter().map(|it| it.position.unwrap().line).collect();
    assert_eq!(lines, [11, 24], "{:?}", found.faults);
    assert_eq!((found.policies.len(), found.broken.len()), (0, 2));
}

#[test]
fn files_of_other_kinds_are_for_other_readers() {
    assert!(load(CONFIG, &Arc::default()).unwrap().is_none());
    assert!(load("", &Arc::default()).unwrap().is_none());
    assert!(load("# no MetricPolicy here\nkind: Deployment\n", &Arc::default()).unwrap().is_none());
    assert!(load("kind: MetricPolicy\n  x: [\n", &Arc::default()).is_err());
}

#[test]
fn what_may_mislead_is_told_with_its_line() {
    let text = "
kind: MetricPolicy
apiVersion: foresail.dev/v1alpha1
metadata: {name: busy, namespace: inference}
spec:
  metric: {name: busy, type: External}
  signals:
    busy: {source: default, prometheus: {query: avg(DCGM_FI_DEV_GPU_UTIL)}}
";
    let Manifests { config, .. } = load(text, &Arc::default()).unwrap().unwrap();
    let [warning] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
    assert_eq!(warning.position.unwrap().line, 8);
    assert!(warning.problem.starts_with("DCGM_FI_DEV_GPU_UTIL is near"), "{warning}");
}
