//! What the HPAs scale: Deployments on KWOK, and custom resources with the test as their controller.
//!
//! The HPA controller looks at pods right after it was answered, in a store of its own that follows
//! the API server. So nothing of a target may change between an answer and the next question: here
//! it changes while the controller waits for the answer, and the answer waits until it has settled.

use std::time::Duration;

use foresail::simulate::hpa::pod::{Phase, Pod, ReadyCondition};
use foresail::simulate::random::Random;
use serde_json::{Value, json};

use super::plan::{Plan, Target};
use super::{NAMESPACE, chance};

/// How long after the last change an answer may go out. The controller's store is milliseconds
/// behind the API server; this is for a machine that has other things to do.
const SETTLED: Duration = Duration::from_millis(300);
/// How often to look whether a Deployment has come to rest.
const LOOK: Duration = Duration::from_millis(50);

/// The API server, as an administrator.
#[derive(Clone)]
pub(super) struct Api(pub(super) kube::Client);

impl Api {
    pub(super) async fn get(&self, path: &str) -> Value {
        self.send("GET", path, None).await
    }

    pub(super) async fn merge(&self, path: &str, patch: &Value) -> Value {
        self.send("PATCH", path, Some(("application/merge-patch+json", patch))).await
    }

    pub(super) async fn create(&self, path: &str, object: &Value) -> Value {
        self.send("POST", path, Some(("application/json", object))).await
    }

    async fn delete(&self, path: &str) -> Value {
        self.send("DELETE", path, None).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> Value {
        let request = http::Request::builder().method(method).uri(path);
        let request = match body {
            Some((kind, body)) => {
                request.header("Content-Type", kind).body(body.to_string().into_bytes())
            }
            None => request.body(Vec::new()),
        };
        let answer = self.0.request::<Value>(request.unwrap()).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}

/// The path of a plan's scale target.
pub(super) fn path(plan: &Plan) -> String {
    let folder = match plan.target {
        Target::Deployment => "apis/apps/v1",
        Target::Engine | Target::EngineWithPods => "apis/agrees.test/v1",
    };
    let resource = match plan.target {
        Target::Deployment => "deployments",
        Target::Engine | Target::EngineWithPods => "engines",
    };
    format!("/{folder}/namespaces/{NAMESPACE}/{resource}/{}", plan.name)
}

fn pods_path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods")
}

/// What is known of a scale target when its metrics are asked for.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) spec_replicas: i32,
    pub(super) status_replicas: i32,
    /// The pods, for HPAs that look at them.
    pub(super) pods: Vec<Pod>,
    own: Vec<OwnPod>,
    named: usize,
}

/// A pod of which the test decides what becomes of it.
#[derive(Debug)]
struct OwnPod {
    name: String,
    life: Life,
    /// Its Ready condition, which a deletion does not change.
    ready: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Pending,
    Unready,
    Ready,
    Failed,
    Deleting,
    Gone,
}

/// Moves a target on by one step and waits until everybody can have seen it.
pub(super) async fn step(api: &Api, plan: &Plan, seen: &mut Seen, random: &mut Random) {
    match plan.target {
        Target::Deployment if plan.needs_pods() => rest(api, plan, seen).await,
        Target::Deployment => look(api, plan, seen).await,
        Target::Engine => {
            look(api, plan, seen).await;
            // Its controller lags behind now and then.
            if seen.status_replicas != seen.spec_replicas && chance(random, 0.7) {
                set_status(api, plan, seen, seen.spec_replicas).await;
            }
        }
        Target::EngineWithPods => {
            look(api, plan, seen).await;
            if live(api, plan, seen, random).await {
                let alive = seen.own.iter().filter(|pod| pod.life.counts()).count();
                set_status(api, plan, seen, i32::try_from(alive).unwrap()).await;
                tokio::time::sleep(SETTLED).await;
            }
            seen.pods = seen.own.iter().map(OwnPod::simulated).collect();
        }
    }
}

/// Gives a new target its first pods, all of them ready.
pub(super) async fn populate(api: &Api, plan: &Plan, seen: &mut Seen) {
    look(api, plan, seen).await;
    if plan.target == Target::EngineWithPods {
        for _ in 0..seen.spec_replicas {
            create(api, plan, seen).await;
        }
        for pod in &mut seen.own {
            pod.turn(api, Life::Ready).await;
        }
        seen.pods = seen.own.iter().map(OwnPod::simulated).collect();
    } else if plan.target == Target::Deployment {
        rest(api, plan, seen).await;
    }
    if plan.target != Target::Deployment {
        set_status(api, plan, seen, seen.spec_replicas).await;
    }
}

async fn look(api: &Api, plan: &Plan, seen: &mut Seen) {
    let target = api.get(&path(plan)).await;
    let count = |value: &Value| i32::try_from(value.as_i64().unwrap_or(0)).unwrap();
    seen.spec_replicas = count(&target["spec"]["replicas"]);
    seen.status_replicas = count(&target["status"]["replicas"]);
}

async fn set_status(api: &Api, plan: &Plan, seen: &mut Seen, replicas: i32) {
    let selector = format!("app={}", plan.name);
    let status = json!({"status": {"replicas": replicas, "selector": selector}});
    api.merge(&format!("{}/status", path(plan)), &status).await;
    seen.status_replicas = replicas;
}

/// Waits until a Deployment has exactly the pods it wants, all of them ready, for some time.
async fn rest(api: &Api, plan: &Plan, seen: &mut Seen) {
    let list = format!("{}?labelSelector=app%3D{}", pods_path(), plan.name);
    let mut since = tokio::time::Instant::now();
    let mut before = Vec::new();
    loop {
        look(api, plan, seen).await;
        let pods = api.get(&list).await;
        let pods = pods["items"].as_array().unwrap();
        let ready: Vec<String> = pods.iter().filter(|pod| is_ready(pod)).map(name).collect();
        let wanted = usize::try_from(seen.spec_replicas).unwrap();
        if ready != before || (ready.len(), pods.len()) != (wanted, wanted) {
            since = tokio::time::Instant::now();
        }
        if since.elapsed() >= SETTLED {
            seen.pods = ready.into_iter().map(Pod::running).collect();
            return;
        }
        before = ready;
        tokio::time::sleep(LOOK).await;
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready =
        conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True");
    ready && pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
}

/// One step in the lives of a target's own pods; whether anything changed.
async fn live(api: &Api, plan: &Plan, seen: &mut Seen, random: &mut Random) -> bool {
    let mut changed = false;
    for pod in &mut seen.own {
        let next = pod.life.next(random);
        changed |= next != pod.life;
        pod.turn(api, next).await;
    }
    seen.own.retain(|pod| pod.life != Life::Gone);
    let wanted = usize::try_from(seen.spec_replicas).unwrap();
    while seen.own.iter().filter(|pod| pod.life.counts()).count() < wanted {
        create(api, plan, seen).await;
        changed = true;
    }
    let surplus = seen.own.iter().filter(|pod| pod.life.counts()).count() - wanted;
    for pod in seen.own.iter_mut().rev().filter(|pod| pod.life.counts()).take(surplus) {
        pod.turn(api, Life::Deleting).await;
        changed = true;
    }
    changed
}

async fn create(api: &Api, plan: &Plan, seen: &mut Seen) {
    seen.named += 1;
    let name = format!("{}-{}", plan.name, seen.named);
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app": plan.name},
            // A deletion waits until the test has seen what the HPA makes of it.
            "finalizers": ["agrees.test/hold"],
        },
        "spec": {
            // No scheduler of this name: no node, and so no KWOK either.
            "schedulerName": "nobody",
            "containers": [{"name": "engine", "image": "example.invalid/engine"}],
        },
    });
    api.create(&pods_path(), &pod).await;
    seen.own.push(OwnPod { name, life: Life::Pending, ready: false });
}

impl Life {
    /// Whether the target's controller takes it for one of its replicas.
    fn counts(self) -> bool {
        matches!(self, Self::Pending | Self::Unready | Self::Ready)
    }

    fn next(self, random: &mut Random) -> Self {
        match self {
            Self::Pending if chance(random, 0.6) => Self::Unready,
            Self::Unready if chance(random, 0.6) => Self::Ready,
            Self::Ready if chance(random, 0.04) => Self::Unready,
            Self::Ready if chance(random, 0.03) => Self::Failed,
            Self::Failed if chance(random, 0.5) => Self::Deleting,
            Self::Deleting if chance(random, 0.6) => Self::Gone,
            unchanged => unchanged,
        }
    }
}

impl OwnPod {
    async fn turn(&mut self, api: &Api, life: Life) {
        if self.life == life {
            return;
        }
        self.life = life;
        let path = format!("{}/{}", pods_path(), self.name);
        match life {
            Life::Deleting => drop(api.delete(&path).await),
            Life::Gone => {
                drop(api.merge(&path, &json!({"metadata": {"finalizers": null}})).await);
            }
            Life::Pending | Life::Unready | Life::Ready | Life::Failed => {
                let phase = match life {
                    Life::Pending => "Pending",
                    Life::Failed => "Failed",
                    _ => "Running",
                };
                self.ready = life == Life::Ready;
                let ready = if self.ready { "True" } else { "False" };
                let conditions = json!([{"type": "Ready", "status": ready}]);
                let status = json!({"status": {"phase": phase, "conditions": conditions}});
                api.merge(&format!("{path}/status"), &status).await;
            }
        }
    }

    /// As the simulator sees it.
    fn simulated(&self) -> Pod {
        let ready = ReadyCondition { ready: self.ready, last_transition: Duration::ZERO };
        let phase = match self.life {
            Life::Pending => Phase::Pending,
            Life::Failed => Phase::Failed,
            Life::Unready | Life::Ready | Life::Deleting | Life::Gone => Phase::Running,
        };
        let deleting = self.life == Life::Deleting;
        Pod { phase, deleting, ready: Some(ready), ..Pod::running(self.name.clone()) }
    }
}
