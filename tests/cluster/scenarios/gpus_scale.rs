//! From the page of dcgm-exporter to the replica count: a duty cycle of GPUs, recorded or seeded, goes
//! through a real Prometheus and the profile `dcgm`, and the real HPA follows it, while series come and
//! go.
//!
//! No GPU takes part: the test writes the page that dcgm-exporter would write.

mod cycle;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{changed, config};
use crate::stage::workload::Workload;
use crate::stage::{SOON, Stage, custom, metric, quantity};
use page::DutyCycle;

const NAMESPACE: &str = "gpus";

/// The share of time that a GPU is to work: the HPA's target.
const TARGET: &str = "500m";
const TARGET_SHARE: f64 = 0.5;
/// How far from the target the HPA does nothing; a little more, since its sums are not ours.
const TOLERANCE: f64 = 0.101;

/// The pods of the cycle for each pod of work here, so that its busiest moment fits the HPA's bounds.
const POOLED: f64 = 4.0;

const POLICY: &str = "policies:
  - metadata: {name: llama-gpu, namespace: gpus}
    spec:
      metric: {name: llama_gpu_utilization, type: Pods}
      interval: 1s
      signals:
        busy: {source: default, profile: {engine: dcgm, signal: gpuUtilization, podPattern: llama-.*}}
      guard: {maxAge: 5s, hold: 5s}
";

const OBJECT: &str = "
apiVersion: foresail.dev/v1alpha1
kind: MetricPolicy
metadata: {name: llama-gpu-object, namespace: gpus}
spec:
  metric: {name: llama_gpu_object, type: Pods}
  interval: 1s
  signals:
    busy: {source: default, profile: {engine: dcgm, signal: gpuUtilization, podPattern: llama-.*}}
";

/// A fleet of pods with two GPUs each, whose work is replayed.
struct Replay<'a> {
    stage: &'a Stage<'a>,
    workload: &'a Workload<'a>,
    cycle: DutyCycle,
}

impl Replay<'_> {
    /// What is published of each pod, by the HPA's own question.
    fn shares(&self) -> Result<BTreeMap<String, f64>, String> {
        let path = custom(NAMESPACE, "pods", "*", "llama_gpu_utilization");
        let output =
            self.stage.bed.kubectl.run(&format!("get --raw {path}?labelSelector=app%3Dllama"));
        if !output.success {
            return Err(output.stderr);
        }
        let list: Value = serde_json::from_str(&output.stdout).map_err(|it| it.to_string())?;
        let share = |item: &Value| {
            let pod = item["describedObject"]["name"].as_str().unwrap().to_owned();
            (pod, quantity(&item["value"]))
        };
        Ok(list["items"].as_array().unwrap().iter().map(share).collect())
    }

    /// The next moment of the cycle: `work` GPUs' worth of it, shared by the pods that are there.
    fn step(&mut self, work: f64, silent: &BTreeSet<String>) -> Vec<String> {
        let pods = self.workload.pods();
        self.cycle.step(&pods, work, silent);
        pods
    }

    /// Replays this much work until the HPA has written a count and the pods are there.
    #[track_caller]
    fn wait_replicas(&mut self, work: f64, replicas: usize) {
        wait_until(SOON, &format!("{work} of work need {replicas} replicas"), || {
            let pods = self.step(work, &BTreeSet::new());
            let shares = self.shares();
            let is_rested = shares.as_ref().is_ok_and(|it| {
                it.keys().eq(pods.iter())
                    && it.values().all(|it| (it - work / replicas as f64).abs() < 1e-3)
            });
            let state = format!("{} replicas, {shares:?}", self.workload.replicas());
            seen(is_rested && self.workload.replicas() == replicas as i64, state)
        });
        self.workload.wait_ready(replicas as i64);
    }

    /// Replays this much work until the HPA has nothing more to do; answers its count.
    #[track_caller]
    fn wait_rest(&mut self, work: f64) -> usize {
        let replicas = wait_until(SOON, &format!("the HPA rests at {work} of work"), || {
            let pods = self.step(work, &BTreeSet::new());
            let (shares, replicas) = (self.shares(), self.workload.replicas());
            let share = work / pods.len() as f64;
            let ratio = share.clamp(0.0, 1.0) / TARGET_SHARE;
            // Rounded up, what is wanted is what is there.
            let missing = (ratio - 1.0) * pods.len() as f64;
            let is_right = (ratio - 1.0).abs() < TOLERANCE || (missing <= 0.0 && missing > -1.0);
            let is_told = shares.as_ref().is_ok_and(|it| {
                it.keys().eq(pods.iter()) && it.values().all(|it| (it - share).abs() < 1e-3)
            });
            let state = format!("{replicas} replicas, {shares:?}");
            if is_right && is_told && replicas == pods.len() as i64 {
                Ok(pods.len())
            } else {
                Err(state)
            }
        });
        self.workload.wait_ready(replicas as i64);
        replicas
    }

    /// Waits until the HPA has asked some more times, and the count has not moved.
    #[track_caller]
    fn stays(&self, status: u16, replicas: usize) {
        self.stage.wait_asked(4, "objects", status);
        assert_eq!(self.workload.replicas(), replicas as i64);
    }
}

#[test]
fn replicas_follow_the_gpus_of_a_dcgm_page_and_vanished_series_never_scale_down() {
    let bed = Bed::exclusive();
    let text = changed(&config(&bed, &[]), &[("policies: []\n".to_owned(), POLICY.to_owned())]);
    let stage = Stage::new(&bed, &text);
    let workload = Workload::new(&bed, NAMESPACE, Duration::ZERO);
    let mut replay =
        Replay { stage: &stage, workload: &workload, cycle: DutyCycle::start(&bed, NAMESPACE) };

    // One pod is the least.
    replay.wait_replicas(0.4, 1);
    workload.scale_by(
        "hpa-pods.yaml",
        &[
            ("llama_running_per_pod", "llama_gpu_utilization"),
            ("averageValue: \"8\"", &format!("averageValue: \"{TARGET}\"")),
        ],
    );
    workload.wait_described(&["ValidMetricFound"]);
    replay.stays(200, 1);
    // Up by steps, since a GPU cannot be busier than 1: 1 → 2 → 4 → ceil(2.3 / 0.5) = 5.
    replay.wait_replicas(2.3, 5);
    // And down at once: ceil(0.8 / 0.5) = 2. Up again.
    replay.wait_replicas(0.8, 2);
    replay.wait_replicas(2.3, 5);

    a_stretch_is_followed(&mut replay);
    an_object_is_told_to_mislead(&replay);
    replay.wait_replicas(2.3, 5);
    one_pod_after_the_other_is_missing(&mut replay);
    most_series_vanish(&mut replay);
    the_exporter_is_away(&mut replay);

    // It is back, and so are all pods: the count follows again.
    replay.wait_replicas(0.8, 2);
}

/// Moment by moment the count goes to where the HPA's arithmetic has nothing to do, up and down.
fn a_stretch_is_followed(replay: &mut Replay<'_>) {
    let works: Vec<f64> = replay.cycle.cycle.totals().map(|it| it / POOLED).collect();
    let followed: Vec<(f64, usize)> =
        works.into_iter().map(|it| (it, replay.wait_rest(it))).collect();
    let text = followed.iter().map(|(work, count)| format!("{work:.2} -> {count}"));
    let text: Vec<String> = text.collect();
    // Past the test runner's capture, so that one can see what was replayed.
    let text = format!("GPUs: {}: {}", replay.cycle.cycle, text.join(", "));
    let mut shown = std::io::stderr();
    writeln!(shown, "{text}").unwrap();
    let steps = || followed.windows(2).map(|it| it[0].1.cmp(&it[1].1));
    assert!(steps().any(|it| it.is_lt()) && steps().any(|it| it.is_gt()), "{followed:?}");
}

/// `kubectl describe` says of a policy object over the same signal what `check` says of the file.
fn an_object_is_told_to_mislead(replay: &Replay<'_>) {
    let kubectl = &replay.stage.bed.kubectl;
    kubectl.apply(OBJECT);
    let expected = ["Misleading", "GpuUtilization", "DCGM_FI_DEV_GPU_UTIL is near its largest"];
    wait_until(SOON, "the object is told to mislead", || {
        let told = kubectl.ok(&format!("describe mpol llama-gpu-object --namespace {NAMESPACE}"));
        seen(expected.iter().all(|it| told.contains(it)), told)
    });
    kubectl.ok(&format!("delete mpol llama-gpu-object --namespace {NAMESPACE}"));
}

/// A pod whose series are missing from a scrape keeps its value.
fn one_pod_after_the_other_is_missing(replay: &mut Replay<'_>) {
    let pods = replay.workload.pods();
    for pod in &pods {
        replay.step(2.3, &BTreeSet::from([pod.clone()]));
        let vanished = format!(r#"DCGM_FI_PROF_GR_ENGINE_ACTIVE{{exported_pod="{pod}"}}"#);
        wait_until(SOON, &format!("Prometheus knows nothing of {pod}"), || {
            let result = replay.stage.bed.prometheus.query(&vanished).unwrap();
            seen(result.as_array().unwrap().is_empty(), result)
        });
        replay.stage.wait_asked(2, "objects", 200);
        let shares = replay.shares().unwrap();
        assert!(shares.keys().eq(pods.iter()), "{shares:?}");
        assert!(shares.values().all(|it| (it - 0.46).abs() < 1e-3), "{shares:?}");
        assert_eq!(replay.workload.replicas(), 5);
        replay.step(2.3, &BTreeSet::new());
    }
    replay.wait_replicas(2.3, 5);
}

/// One pod is left, and it has little to do: as zeros, or left out of the count, the others would
/// scale down to one.
fn most_series_vanish(replay: &mut Replay<'_>) {
    // 0.54 each is within the tolerance, and so are 0.15 and four times 0.54 that are held.
    replay.wait_replicas(2.7, 5);
    let pods = replay.workload.pods();
    let (left, silent) = pods.split_first().unwrap();
    let silent: BTreeSet<String> = silent.iter().cloned().collect();
    wait_until(SOON, "what was known of the others is not held any more", || {
        replay.step(0.75, &silent);
        let shares = replay.shares()?;
        assert!(shares.values().all(|it| *it > 0.0), "unknown is not zero: {shares:?}");
        seen(shares.keys().eq([left]) && shares[left] < 0.16, format!("{shares:?}"))
    });
    // The HPA takes the silent ones for the target: (0.15 + 4 × 0.5) / 0.5 = 4.3 of 5.
    replay.stays(200, 5);
    replay.wait_replicas(2.3, 5);
    // Of the GPU that nobody has and of the one without a value, nothing was made.
    wait_until(SOON, "five pods have a value", || {
        let of_policy = [r#"namespace="gpus""#, r#"policy="llama-gpu""#];
        let values = metric(&replay.stage.adapter, "foresail_policy_values", &of_policy);
        seen((values - 5.0).abs() < 0.5, values)
    });
}

/// Without any series there is no number, which the HPA tells, and nothing is scaled.
fn the_exporter_is_away(replay: &mut Replay<'_>) {
    replay.cycle.fail();
    wait_until(SOON, "nothing is held any more", || match replay.shares() {
        Err(error) => Ok(error),
        Ok(shares) if shares.is_empty() => Ok("no items".to_owned()),
        Ok(shares) => {
            assert!(shares.values().all(|it| *it > 0.0), "unknown is not zero: {shares:?}");
            Err(format!("{shares:?}"))
        }
    });
    replay.workload.wait_described(&["FailedGetPodsMetric"]);
    assert_eq!(replay.workload.replicas(), 5);
}
