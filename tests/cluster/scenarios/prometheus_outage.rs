//! Prometheus goes away and comes back: held, refused with a sentence, resumed.

use std::time::Duration;

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::workload::Workload;
use crate::stage::{SOON, Stage, external, lines, page};

const NAMESPACE: &str = "outage";
const MAX_AGE: u64 = 3;
const HOLD: u64 = 5;

#[test]
fn value_is_held_then_refused_and_scaling_resumes_when_prometheus_returns() {
    let bed = Bed::exclusive();
    let set = |value: f64| bed.exporter.set("outage_demand", &[], value);
    set(40.0);
    let guard = format!("maxAge: {MAX_AGE}s, hold: {HOLD}s");
    let policy = Policy {
        namespace: NAMESPACE,
        name: "demand",
        metric: "name: llama_demand, type: External",
        query: "sum(outage_demand)",
        guard: &guard,
        ..Policy::default()
    };
    let stage = Stage::new(&bed, &config(&bed, &[policy]));
    let workload = Workload::new(&bed, NAMESPACE, Duration::ZERO);
    workload.scale_by("hpa-external.yaml", &[]);
    workload.wait_replicas(5);
    workload.wait_ready(5);

    // While it is down, nobody knows of the change. The value is served past maxAge …
    bed.prometheus.stop();
    set(80.0);
    let path = external(NAMESPACE, "llama_demand");
    wait_until(SOON, "an evaluation is held", || {
        let page = page(&stage.adapter).body;
        let held = lines(&page, "foresail_evaluations_total", &[r#"result="held""#]).next();
        seen(held.is_some(), page)
    });
    assert_eq!(stage.served(&path), Ok(40.0), "held");
    // … but not past maxAge and hold.
    let refusal = wait_until(SOON, "the value is refused", || {
        stage.served(&path).map_or_else(Ok, |value| Err(value.to_string()))
    });
    let (_, age) = refusal.split_once("policy outage/demand: no sample for ").expect(&refusal);
    let (age, _) = age.split_once('s').expect(&refusal);
    let age: u64 = age.parse().expect(&refusal);
    let due = MAX_AGE + HOLD..MAX_AGE + HOLD + 3;
    assert!(due.contains(&age), "refused at the age of {age} s instead of {due:?}");
    assert!(refusal.contains("source default: connection refused"), "{refusal}");

    // The HPA keeps its count and shows our sentence.
    stage.wait_asked(4, "external", 404);
    assert_eq!(workload.replicas(), 5);
    workload.wait_described(&[
        "FailedGetExternalMetric",
        "policy outage/demand: no sample for ",
        "source default: connection refused",
    ]);
    assert_eq!(stage.registration.available(), Ok(()));

    bed.prometheus.start_again();
    workload.wait_replicas(10);
    wait_until(SOON, "the HPA is content again", || {
        let conditions = workload.hpa()["status"]["conditions"].to_string();
        seen(conditions.contains("ValidMetricFound"), conditions)
    });
}
