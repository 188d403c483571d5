//! Before one server takes the place of another: every metric of every HPA, asked of both.

use std::process::Command;

use crate::bed::Bed;
use crate::bed::adapter::Adapter;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::workload::Workload;
use crate::stage::{SOON, Stage, external, foresail};

const NAMESPACE: &str = "compared";

const HPA: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llama, namespace: compared}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llama}
  maxReplicas: 1
  metrics:
    - type: External
      external: {metric: {name: compared_demand}, target: {type: AverageValue, averageValue: 10}}
    - type: Pods
      pods: {metric: {name: compared_running}, target: {type: AverageValue, averageValue: 10}}
    - type: Object
      object:
        describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}
        metric: {name: compared_waiting}
        target: {type: Value, value: 10}
";

#[test]
fn what_another_server_would_answer_otherwise_is_seen_before_it_is_registered() {
    let bed = Bed::exclusive();
    bed.exporter.set("compared_demand", &[], 40.0);
    let workload = Workload::new(&bed, NAMESPACE, std::time::Duration::ZERO);
    let pod = workload.pods().remove(0);
    bed.exporter.set("compared_running", &[("workload_pod", &pod)], 7.0);
    bed.kubectl.apply(HPA);

    let policy = |name, metric, query| Policy {
        namespace: NAMESPACE,
        name,
        metric,
        query,
        ..Policy::default()
    };
    let demand = policy("demand", "name: compared_demand, type: External", "sum(compared_demand)");
    let running = policy(
        "running",
        "name: compared_running, type: Pods",
        r#"label_replace(compared_running, "pod", "$1", "workload_pod", "(.+)")"#,
    );
    let waiting = policy(
        "waiting",
        "name: compared_waiting, type: Object, describedObject: {apiVersion: apps/v1, kind: Deployment, name: llama}",
        "sum(compared_demand) / 2",
    );
    let good = config(&bed, &[demand.clone(), running, waiting.clone()]);
    let stage = Stage::new(&bed, &good);
    stage.wait_served(&external(NAMESPACE, "compared_demand"), 40.0);

    let same = bed.start_adapter(foresail(), &good);
    wait_until(SOON, "both say the same of all three", || {
        let (code, table, _) = compare(&bed, &same);
        let is_alike = table.lines().filter(|it| it.ends_with("   alike")).count() == 3;
        seen(code == Some(0) && is_alike, table)
    });
    drop(same);

    // One that is half as much, and one that nobody publishes.
    let halved = Policy { query: "sum(compared_demand) / 2", ..demand };
    let other = bed.start_adapter(foresail(), &config(&bed, &[halved, waiting]));
    wait_until(SOON, "the differences are told", || {
        let (code, table, summary) = compare(&bed, &other);
        let has_row = |metric: &str, row: &[&str]| {
            let found = table.lines().find(|it| it.contains(metric));
            found.is_some_and(|it| it.split_whitespace().skip(2).eq(row.iter().copied()))
        };
        let is_told = code == Some(1)
            && has_row("compared_demand", &["40", "20", "DIFFERS"])
            && has_row("compared_running", &["7", "-", "MISSING"])
            && has_row("compared_waiting", &["20", "20", "alike"])
            && table.contains("compared/llama compared_running, other: 404: ")
            && summary.contains("1 of 3 metrics alike, 1 differ, 1 would go missing");
        seen(is_told, format!("{table}{summary}"))
    });
}

/// Exit code, stdout and stderr.
fn compare(bed: &Bed, other: &Adapter) -> (Option<i32>, String, String) {
    let authority = bed.folder().join("compared-authority.crt");
    std::fs::write(&authority, bed.certificates.authority.certificate()).unwrap();
    let output = Command::new(foresail())
        .args(["compare", "--namespace", NAMESPACE, "--server", &other.secure_url("")])
        .arg("--certificate-authority")
        .arg(authority)
        .arg("--kubeconfig")
        .arg(bed.kubectl.kubeconfig())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
