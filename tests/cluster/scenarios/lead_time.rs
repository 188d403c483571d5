//! How long pods take to start is measured from the pods of the HPA that uses the metric, follows
//! when it changes, and outlives Foresail as long as the pods do. A policy can count the same pods.

use std::time::Duration;

use crate::bed::Bed;
use crate::bed::adapter::Adapter;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, changed, config};
use crate::stage::workload::Workload;
use crate::stage::{Stage, external, foresail, lines, metric, page};

const NAMESPACE: &str = "lead-time";
const POLICY: [&str; 2] = [r#"namespace="lead-time""#, r#"policy="auto""#];
/// Conditions carry whole seconds, and a busy machine binds and updates pods late.
const LATE: f64 = 4.0;
/// A roll-out, two pods at a time.
const DEADLINE: Duration = Duration::from_secs(90);

#[test]
fn the_lead_time_is_measured_from_the_pods_of_the_hpa_that_uses_the_metric() {
    let bed = Bed::exclusive();
    let demand = |value: f64| bed.exporter.set("lead_time_demand", &[], value);
    demand(4.0);
    let policy = Policy {
        namespace: NAMESPACE,
        name: "auto",
        metric: "name: llama_demand, type: External",
        query: "sum(lead_time_demand)",
        ..Policy::default()
    };
    // What is published is 4 and a hundred for each ready pod, by the capacity of a pod.
    let counting = Policy {
        name: "counting",
        metric: "name: llama_replicas, type: External",
        query: "4 * vector(1)",
        guard: "maxAge: 10s, hold: 0s",
        ..policy.clone()
    };
    let smooth = "      smooth: []\n";
    let forecast = (smooth.to_owned(), format!("{smooth}      forecast: {{leadTime: auto}}\n"));
    let guard = "      guard: {maxAge: 10s, hold: 0s}\n";
    let keys = "      combine: signal + 100 * readyPods\n      capacity: {perPod: 8}\n      \
                emit: desiredReplicas\n";
    let target = (
        "forecast: {leadTime: auto}\n".to_owned() + guard,
        format!("forecast: {{leadTime: auto, scaleTarget: {{name: llama}}}}\n{keys}{guard}"),
    );
    let text = changed(&config(&bed, &[policy, counting]), &[forecast, target]);
    let stage = Stage::new(&bed, &text);
    let workload = Workload::new(&bed, NAMESPACE, Duration::from_secs(6));
    stage.wait_served(&external(NAMESPACE, "llama_demand"), 4.0);
    let adapter = &stage.adapter;
    wait(adapter, "foresail_policy_hpas", |it| it == Some(0.0));
    assert_eq!(of_policy(adapter, "foresail_policy_pod_startup_seconds"), None);

    // One start is not enough to believe in six seconds.
    workload.scale_by("hpa-external.yaml", &[]);
    wait(adapter, "foresail_policy_hpas", |it| it == Some(1.0));
    wait(adapter, "foresail_policy_pod_startup_seconds", |it| it == Some(60.0));
    wait(adapter, "foresail_policy_pods_ready", |it| it == Some(1.0));
    let replicas = external(NAMESPACE, "llama_replicas");
    stage.wait_served(&replicas, 13.0);

    // ceil(30 / 8) = 4: three more pods, on their way for six seconds.
    demand(30.0);
    wait(adapter, "foresail_policy_pods_starting", |it| it == Some(3.0));
    workload.wait_ready(4);
    wait(adapter, "foresail_policy_pod_startup_seconds", |it| is_about(it, 6.0));
    wait(adapter, "foresail_policy_pods_starting", |it| it == Some(0.0));
    assert_eq!(of_policy(adapter, "foresail_policy_pods_ready"), Some(4.0));
    stage.wait_served(&replicas, 51.0);
    assert_eq!(starts(adapter), Some(4.0));

    workload.change_lead_time(Duration::from_secs(15));
    wait(adapter, "foresail_policy_pod_startup_seconds", |it| is_about(it, 15.0));
    wait_until(DEADLINE, "the roll-out is done", || {
        let seen_starts = starts(adapter);
        seen(seen_starts >= Some(8.0), format!("{seen_starts:?}"))
    });
    workload.wait_ready(4);

    // One that starts now has only the pods that live to learn from.
    let later = bed.start_adapter(foresail(), &text);
    wait(&later, "foresail_policy_pod_startup_seconds", |it| is_about(it, 15.0));
    assert_eq!(starts(&later), Some(4.0));
    drop(later);

    workload.delete_hpa();
    wait(adapter, "foresail_policy_hpas", |it| it == Some(0.0));
    assert_eq!(of_policy(adapter, "foresail_policy_pod_startup_seconds"), None);
    for gauge in ["foresail_supply_watches_failing", "foresail_scale_targets_failing"] {
        let failing = Some(metric(adapter, gauge, &[]));
        assert_eq!(failing, Some(0.0), "{gauge}: {}", adapter.log());
    }
}

/// No shorter than the delay, and not much longer.
fn is_about(measured: Option<f64>, delay: f64) -> bool {
    measured.is_some_and(|it| (delay..delay + LATE).contains(&it))
}

fn starts(adapter: &Adapter) -> Option<f64> {
    Some(metric(adapter, "foresail_pod_starts_total", &[]))
}

fn of_policy(adapter: &Adapter, name: &str) -> Option<f64> {
    let page = page(adapter);
    lines(&page.body, name, &POLICY).map(|(_, value)| value).next()
}

#[track_caller]
fn wait(adapter: &Adapter, name: &str, holds: impl Fn(Option<f64>) -> bool) {
    wait_until(DEADLINE, &format!("{name} is what it should be"), || {
        let value = of_policy(adapter, name);
        seen(holds(value), format!("{value:?}\n{}", page(adapter).body))
    });
}
