//! Manifests that can be replayed, and a sentence for each that cannot.

use super::{Manifest, parse};
use crate::simulate::hpa::behavior::{Behavior, ScalingPolicy, SelectPolicy};
use std::time::Duration;

const HEAD: &str =
    "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n";
const METRIC: &str = "{type: External, external: {metric: {name: llama}, target: {type: \
                      AverageValue, averageValue: 800m}}}";

fn manifest(spec: &str) -> Manifest {
    parse(&format!("{HEAD}spec:\n{spec}")).unwrap()
}

#[test]
fn an_external_average_value_is_taken_with_its_limits() {
    let found = manifest(&format!("  minReplicas: 0\n  maxReplicas: 7\n  metrics: [{METRIC}]\n"));
    assert_eq!((found.metric.as_str(), found.target_milli), ("llama", 800));
    assert_eq!((found.spec.min_replicas, found.spec.max_replicas), (Some(0), 7));
    assert_eq!(found.spec.behavior, None);
}

#[test]
fn an_object_average_value_is_the_same_arithmetic() {
    let metric = METRIC.replace("External", "Object").replace("external", "object");
    let found = manifest(&format!("  maxReplicas: 7\n  metrics: [{metric}]\n"));
    assert_eq!((found.target_milli, found.spec.min_replicas), (800, None));
}

#[test]
fn behavior_is_filled_in_as_the_api_server_does() {
    let found = manifest(&format!(
        "  maxReplicas: 7\n  metrics: [{METRIC}]\n  behavior:\n    scaleDown:\n      \
         stabilizationWindowSeconds: 600\n      selectPolicy: Min\n      policies: [{{type: Pods, \
         value: 2, periodSeconds: 60}}]\n    scaleUp: {{tolerance: 50m}}\n"
    ));
    let mut expected = Behavior::default();
    expected.scale_up.tolerance = Some(0.05);
    expected.scale_down.stabilization_window = Some(Duration::from_secs(600));
    expected.scale_down.select_policy = SelectPolicy::Min;
    expected.scale_down.policies = vec![ScalingPolicy::pods(2, Duration::from_secs(60))];
    assert_eq!(found.spec.behavior, Some(expected));
}

#[test]
fn what_cannot_be_replayed_is_refused_with_its_line_and_a_way_out() {
    let metric = |from: &str, to: &str| METRIC.replace(from, to);
    let with = |metric: &str| format!("{HEAD}spec:\n  maxReplicas: 7\n  metrics: [{metric}]\n");
    let cases = [
        ("{".to_owned(), 2, "not YAML", "manifest of one HPA"),
        ("kind: Deployment\n".to_owned(), 1, "expected `autoscaling/v2`", "manifest of one HPA"),
        (HEAD.replace("v2", "v1"), 1, "found `autoscaling/v1`", "manifest of one HPA"),
        (HEAD.to_owned(), 1, "missing", "`spec`"),
        (format!("{HEAD}spec: {{maxReplicas: 7}}\n"), 4, "0 metrics", "leave the one"),
        (with(&format!("{METRIC}, {METRIC}")), 6, "2 metrics", "leave the one"),
        (with("{type: Resource}"), 6, "a metric of type Resource", "AverageValue"),
        (with(&metric("AverageValue,", "Value,")), 6, "a target of type Value", "AverageValue"),
        (with(&metric("800m", "many")), 6, "`many` is not a quantity", "1500m"),
        (with(&metric("800m", "0")), 6, "the target must be more than 0", "e.g."),
        (with(METRIC).replace("maxReplicas: 7", "x: 1"), 4, "`maxReplicas` is missing", "server"),
        (with(METRIC).replace(": 7", ": many"), 5, "not a whole number", "e.g."),
        (
            with(METRIC) + "  behavior: {scaleUp: {selectPolicy: Most}}\n",
            7,
            "`Most` is none of",
            "leave it out",
        ),
        (
            with(METRIC) + "  behavior: {scaleUp: {policies: [{type: Pods, value: 1}]}}\n",
            7,
            "needs `value` and `periodSeconds`",
            "e.g.",
        ),
    ];
    for (text, line, problem, hint) in cases {
        let faults = parse(&text).unwrap_err();
        let fault = &faults[0];
        assert!(fault.problem.contains(problem), "{text}\n{faults:?}");
        assert!(fault.hint.as_ref().unwrap().contains(hint), "{text}\n{faults:?}");
        assert_eq!(fault.position.unwrap().line, line, "{text}\n{faults:?}");
    }
}

#[test]
fn all_faults_are_told_in_one_pass() {
    let text = format!("{HEAD}spec:\n  minReplicas: -1\n  maxReplicas: x\n  metrics: []\n");
    assert_eq!(parse(&text).unwrap_err().len(), 3);
}
