//! Manifests that can be replayed, and a sentence for each that cannot.

use super::{Manifest, Published, parse};
use crate::simulate::hpa::behavior::{Behavior, ScalingPolicy, SelectPolicy};
use std::time::Duration;

const HEAD: &str =
    "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n";
const METRIC: &str = "{type: External, external: {metric: {name: llama}, target: {type: \
                      AverageValue, averageValue: 800m}}}";

fn llama() -> Published {
    let [policy, namespace, metric] = ["b/a", "b", "llama"].map(str::to_owned);
    Published { policy, namespace, metric, object: None }
}

fn service() -> Published {
    Published { object: Some(("Service".to_owned(), "chat".to_owned())), ..llama() }
}

fn manifest(spec: &str) -> Manifest {
    parse(&format!("{HEAD}spec:\n{spec}"), &llama()).unwrap()
}

#[test]
fn an_external_average_value_is_taken_with_its_limits() {
    let found = manifest(&format!("  minReplicas: 0\n  maxReplicas: 7\n  metrics: [{METRIC}]\n"));
    assert_eq!(found.target_milli, 800);
    assert_eq!((found.spec.min_replicas, found.spec.max_replicas), (Some(0), 7));
    assert_eq!(found.spec.behavior, None);
}

#[test]
fn an_object_average_value_is_the_same_arithmetic() {
    let metric = METRIC.replace("External", "Object").replace(
        "external: {",
        "object: {describedObject: {apiVersion: v1, kind: Service, name: chat}, ",
    );
    let text = format!("{HEAD}spec:\n  maxReplicas: 7\n  metrics: [{metric}]\n");
    let found = parse(&text, &service()).unwrap();
    assert_eq!((found.target_milli, found.spec.min_replicas), (800, None));
    // An HPA would find nothing under another type, object or namespace.
    for (text, published, problem) in [
        (text.clone(), llama(), "type Object, and policy b/a publishes llama as External"),
        (text.replace("chat", "other"), service(), "about Service `other`"),
        (text.replace("name: a}", "name: a, namespace: c}"), service(), "the HPA is in `c`"),
        (text.replace("llama", "other"), service(), "the metric `other`, and policy b/a publishes"),
    ] {
        let faults = parse(&text, &published).unwrap_err();
        assert!(faults[0].problem.contains(problem), "{faults:?}");
        assert!(faults[0].position.is_some() && faults[0].hint.is_some());
    }
}

#[test]
fn keys_that_no_hpa_has_are_faults_with_their_line() {
    let text = |more: &str| format!("{HEAD}spec:\n  maxReplicas: 7\n  metrics: [{METRIC}]\n{more}");
    for (more, problem, hint) in [
        (
            "  behavior: {scaledown: {stabilizationWindowSeconds: 900}}\n",
            "unknown key `scaledown`",
            "did you mean `scaleDown`?",
        ),
        (
            "  behavior: {scaleDown: {stabilisationWindow: 900}}\n",
            "unknown key `stabilisationWindow`",
            "did you mean `stabilizationWindowSeconds`?",
        ),
        ("  behavior: 5\n", "expected a mapping", "key: value"),
        ("  behavior: {scaleUp: {policies: 5}}\n", "no policy", "leave it out"),
        ("  bogus: 1\n", "unknown key `bogus`", "known here: "),
    ] {
        let faults = parse(&text(more), &llama()).unwrap_err();
        assert_eq!(faults.len(), 1, "{more}: {faults:?}");
        assert!(faults[0].problem.contains(problem), "{faults:?}");
        assert!(faults[0].hint.as_ref().unwrap().contains(hint), "{faults:?}");
        assert_eq!(faults[0].position.unwrap().line, 7, "{faults:?}");
    }
    assert!(parse(&text("  behavior: null\nstatus: {currentReplicas: 3}\n"), &llama()).is_ok());
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
        (with(METRIC).replace(": 7", ": 0"), 5, "0 is not within 1 and 10000", "`minReplicas`"),
        (with(METRIC).replace(": 7", ": 7\n  minReplicas: 9"), 5, "7 is not within 9", "`minRep"),
        (with(METRIC).replace(": 7", ": 99999"), 5, "99999 is not within", "at most 10000"),
        (with(&metric("800m", "1e30")), 6, "the target is more than 1e15", "64 bits"),
        (
            with(METRIC) + "  behavior: {scaleUp: {stabilizationWindowSeconds: 7200}}\n",
            7,
            "7200 is not within 0 and 3600",
            "API server",
        ),
        (with(METRIC) + "  behavior: {scaleUp: {tolerance: -0.1}}\n", 7, "negative", "a share"),
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
        let faults = parse(&text, &llama()).unwrap_err();
        let fault = &faults[0];
        assert!(fault.problem.contains(problem), "{text}\n{faults:?}");
        assert!(fault.hint.as_ref().unwrap().contains(hint), "{text}\n{faults:?}");
        assert_eq!(fault.position.unwrap().line, line, "{text}\n{faults:?}");
    }
}

#[test]
fn all_faults_are_told_in_one_pass() {
    let text = format!("{HEAD}spec:\n  minReplicas: -1\n  maxReplicas: x\n  metrics: []\n");
    assert_eq!(parse(&text, &llama()).unwrap_err().len(), 3);
}
