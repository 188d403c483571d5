//! The simulator's HPA and the real one come to the same replica count, sync by sync.
//!
//! Dozens of HPAs are fed with random metric histories. The test itself is the metrics API, so it
//! knows what each sync was answered; kube-apiserver's audit log says what the controller read of
//! the scale target at the same sync, and what it wrote. From these exact inputs the simulator has
//! to come to the same counts.

mod answer;
mod api;
mod audit;
mod history;
mod plan;
mod replay;
mod targets;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foresail::simulate::hpa::HpaSpec;
use foresail::simulate::random::Random;
use jiff::Timestamp;
use serde_json::{Value, json};

use api::World;
use plan::{Plan, Target};
use replay::{Compared, End, Log, Replay};
use targets::Api;

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::SOON;

const NAMESPACE: &str = "agrees";

/// Change it to see other histories; nothing but the machine's speed is left to chance.
const SEED: u64 = 20_261_123;

/// How long the HPAs are watched: about as many syncs of each, in seconds.
const WATCHED: Duration = Duration::from_secs(55);

/// A custom resource with a scale subresource.
const ENGINES: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: engines.agrees.test}
spec:
  group: agrees.test
  names: {kind: Engine, plural: engines, singular: engine}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {replicas: {type: integer}}}
            status: {type: object, properties: {replicas: {type: integer}, selector: {type: string}}}
      subresources:
        status: {}
        scale:
          specReplicasPath: .spec.replicas
          statusReplicasPath: .status.replicas
          labelSelectorPath: .status.selector
";

#[test]
fn simulator_and_controller_agree_at_each_sync_of_random_histories() {
    let bed = Bed::exclusive();
    let plans = plan::plans(SEED);
    assert!(plans.len() >= 30, "{} histories", plans.len());
    apply_targets(&bed, &plans);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = Arc::new(runtime.block_on(async {
        let kubeconfig = kube::config::Kubeconfig::read_from(bed.kubectl.kubeconfig()).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = kube::Client::try_from(config).unwrap();
        World::new(plans, Api(client), SEED).await
    }));
    let identity = bed.new_serving_certificate();
    let port = runtime.block_on(api::serve(Arc::clone(&world), &identity));
    let registration = bed.register_port(port);

    let hpas: Vec<Value> = world.plans.iter().map(Plan::hpa).collect();
    bed.kubectl.apply(&list(hpas));
    let (started, hands) = (Instant::now(), runtime.spawn(by_hand(Arc::clone(&world))));
    std::thread::sleep(WATCHED);
    hands.abort();
    let until = Timestamp::now();
    bed.kubectl.ok(&format!("delete hpa --all --namespace {NAMESPACE}"));
    let took = started.elapsed();
    drop(registration);
    let compared = compare(&bed, &world, until);
    runtime.shutdown_background();
    clean_up(&bed);
    report(&world, &compared, took);
}

fn apply_targets(bed: &Bed, plans: &[Plan]) {
    bed.kubectl.apply(ENGINES);
    bed.kubectl.ok("wait --for=condition=Established crd/engines.agrees.test --timeout=30s");
    bed.kubectl
        .apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}}}}}"));
    bed.kubectl.apply(&list(plans.iter().map(target).collect()));
}

fn list(items: Vec<Value>) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn target(plan: &Plan) -> Value {
    let (api_version, kind) = plan.target_kind();
    let mut target = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": plan.name, "namespace": NAMESPACE},
        "spec": {"replicas": plan.replicas},
    });
    if plan.target == Target::Deployment {
        let labels = json!({"app": plan.name});
        target["spec"]["selector"] = json!({"matchLabels": labels});
        target["spec"]["template"] = json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "engine", "image": "example.invalid/engine"}]},
        });
    }
    target
}

/// Somebody scales some of the targets: beyond the limits, to zero, and back.
async fn by_hand(world: Arc<World>) {
    let counts = |plan: &Plan| {
        let HpaSpec { max_replicas, .. } = plan.spec;
        [max_replicas + 3, 1, 0, 2, max_replicas, 0, max_replicas + 1]
    };
    for step in 0.. {
        tokio::time::sleep(Duration::from_millis(4_300)).await;
        for plan in world.plans.iter().filter(|plan| plan.by_hand) {
            let counts = counts(plan);
            let patch = json!({"spec": {"replicas": counts[step % counts.len()]}});
            world.api.merge(&targets::path(plan), &patch).await;
        }
    }
}

fn compare(bed: &Bed, world: &World, until: Timestamp) -> Compared {
    let reads = world.reads();
    let syncs = audit::syncs(&bed.control_plane.audit_log(), until);
    let log = Log::new(&reads, &syncs.values().flatten().collect::<Vec<_>>());
    let mut all = Compared::default();
    let (mut undecided, mut differences) = (Vec::new(), Vec::new());
    for plan in &world.plans {
        let Some(syncs) = syncs.get(&plan.name) else { panic!("{} had no sync", plan.name) };
        // A second each, and what it waits for its pods.
        let least = usize::try_from(WATCHED.as_secs()).unwrap() / 4;
        assert!(syncs.len() >= least, "{}: {} syncs only", plan.name, syncs.len());
        let mut replay = Replay::new(plan, &log);
        match replay.run(syncs) {
            End::Alike => all.histories += 1,
            End::Undecided(what) => undecided.push(what),
            End::Differs(what) => differences.push(what),
        }
        all.add(&replay.compared);
    }
    let (n, differences) = (differences.len(), differences.join("\n"));
    assert!(n == 0, "{n} of {} HPAs differ:\n{differences}", world.plans.len());
    let n = all.histories;
    assert!(n >= 30, "{n} histories compared to the end:\n{}", undecided.join("\n"));
    for what in undecided {
        // The first line says why; all of it would hide the summary.
        say(&format!("not to the end: {}", what.lines().next().unwrap_or_default()));
    }
    all
}

fn clean_up(bed: &Bed) {
    let unhold = json!({"metadata": {"finalizers": null}});
    for pod in
        bed.kubectl.get(&format!("pods --namespace {NAMESPACE}"))["items"].as_array().unwrap()
    {
        if pod["metadata"]["finalizers"].is_array() {
            let name = pod["metadata"]["name"].as_str().unwrap();
            bed.kubectl.merge(&format!("pod {name} --namespace {NAMESPACE}"), &unhold);
        }
    }
    bed.kubectl.ok("delete crd engines.agrees.test");
    bed.kubectl.ok(&format!("delete namespace {NAMESPACE} --wait=false"));
    wait_until(SOON, "no pod is left", || {
        let pods = bed.kubectl.get(&format!("pods --namespace {NAMESPACE}"))["items"].clone();
        seen(pods.as_array().is_some_and(Vec::is_empty), pods)
    });
}

fn report(world: &World, compared: &Compared, took: Duration) {
    let Compared {
        histories,
        syncs,
        up,
        down,
        failed,
        unasked,
        limited,
        stabilized,
        at_zero,
        slowest,
    } = compared;
    let text = format!(
        "
The simulator against the HPA controller, in {} s:
  {histories} of {} histories to the end, {syncs} syncs compared, all alike, {} scale events ({up} up, {down} down);
  among the syncs: {limited} limited, {stabilized} stabilised, {failed} with a metric without a value,
  {unasked} that asked for none, {at_zero} at zero replicas; slowest sync after its answer {slowest:?}
",
        took.as_secs(),
        world.plans.len(),
        up + down,
    );
    say(&text);
    for (what, count) in [
        ("up", up),
        ("down", down),
        ("limited", limited),
        ("stabilised", stabilized),
        ("failed", failed),
        ("asked for none", unasked),
        ("at zero", at_zero),
    ] {
        assert!(*count > 0, "no sync of this kind was compared: {what}");
    }
}

/// Past the test runner's capture: this is what the test is for.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// A whole number between both ends, both included.
fn draw(random: &mut Random, from: i32, to: i32) -> i32 {
    let n = u64::try_from(to - from + 1).unwrap();
    from + i32::try_from(random.next_u64() % n).unwrap()
}

/// One of these.
fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    let place = random.next_u64() % u64::try_from(from.len()).unwrap();
    &from[usize::try_from(place).unwrap()]
}

/// Whether something of this probability happens.
fn chance(random: &mut Random, probability: f64) -> bool {
    random.uniform() < probability
}
