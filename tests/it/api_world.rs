//! A small published world behind the API face, and a client that asks it.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use foresail::api::{Clock, ExternalRules, Face, ListedMax, OnDemand, metrics, router};
use foresail::auth::peer::Peer;
use foresail::auth::token::Token;
use foresail::auth::{Door, Now};
use foresail::domain::finite::Finite;
use foresail::domain::labels::Labels;
use foresail::domain::metric::Subject;
use foresail::domain::name::{MetricName, Namespace, ObjectName, PolicyKey, PolicyName};
use foresail::domain::object::{GroupResource, ObjectKind, ObjectRef};
use foresail::domain::ports::{Pods, PodsUnknown};
use foresail::domain::selector::Selector;
use foresail::pipeline::outcome::{Absence, Outcome, Standing, Value};
use foresail::published::{Entry, Published, Snapshot, State};
use foresail::telemetry::health::Health;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const P1: &str = "/apis/custom.metrics.k8s.io/v1beta1";
pub(crate) const P2: &str = "/apis/custom.metrics.k8s.io/v1beta2";
pub(crate) const E: &str = "/apis/external.metrics.k8s.io/v1beta1";

/// The time in this world.
pub(crate) const NOW: &str = "2026-11-23T10:00:00.7Z";
const TOKEN: &str = "a-token-for-tests-only";

/// A face under test.
pub(crate) struct World {
    service: TowerToHyperService<axum::Router>,
    pub(crate) published: Arc<Published>,
    pub(crate) registry: Registry,
    peer: Option<Arc<Peer>>,
    headers: HeaderMap,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    /// The same as text, as far as it is one.
    pub(crate) body: String,
}

impl World {
    /// Everybody's world: one metric of each kind, behind a bearer token.
    pub(crate) fn new() -> Self {
        Self::with(snapshot(), Arc::new(Labelled))
    }

    pub(crate) fn with(snapshot: Snapshot, pods: Arc<dyn Pods>) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(TOKEN.as_bytes()).unwrap();
        let door = Door::standalone(Token::load(file.path().to_owned()).unwrap());
        let mut world = Self::behind(door, None, snapshot, pods);
        let bearer = format!("Bearer {TOKEN}").parse().unwrap();
        world.headers.insert(http::header::AUTHORIZATION, bearer);
        world
    }

    pub(crate) fn behind(
        door: Door,
        peer: Option<Arc<Peer>>,
        snapshot: Snapshot,
        pods: Arc<dyn Pods>,
    ) -> Self {
        let published = Arc::new(Published::default());
        published.replace(snapshot);
        let mut health = Health::default();
        health.add_live("tick");
        health.add_ready("config");
        let mut registry = Registry::default();
        let instant = Instant::now();
        let face = Face {
            published: Arc::clone(&published),
            on_demand: OnDemand::default(),
            door: Arc::new(door),
            pods,
            health: Arc::new(health),
            metrics: metrics::register(&mut registry),
            clock: Clock::new(move || Now { instant, time: now() }),
            listed_max: ListedMax::default(),
            external: ExternalRules::default(),
        };
        let service = TowerToHyperService::new(router(face));
        Self { service, published, registry, peer, headers: HeaderMap::new() }
    }

    /// Sends these headers with every request, in place of those sent so far.
    pub(crate) fn sending(mut self, headers: &[(&'static str, &str)]) -> Self {
        self.headers =
            headers.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        *request.headers_mut() = self.headers.clone();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        if let Some(peer) = &self.peer {
            request.extensions_mut().insert(Arc::clone(peer));
        }
        let response = self.service.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Answer { code: parts.status.as_u16(), headers: parts.headers, bytes, body }
    }

    /// The code and body of each path, one after the other, for a snapshot.
    pub(crate) async fn shown(&self, paths: &[String]) -> String {
        let mut text = String::new();
        for path in paths {
            let answer = self.get(path).await;
            let kind = answer.header("content-type");
            text.push_str(&format!("GET {path}\n{} {kind}\n{}\n\n", answer.code, answer.body));
        }
        text
    }
}

impl Answer {
    /// A header's value; empty if it was not sent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|it| it.to_str().unwrap()).unwrap_or_default()
    }

    /// The message of a Status; the body must be one, of this code and reason.
    pub(crate) fn message(&self, code: u16, reason: &str) -> String {
        assert_eq!(self.code, code, "{}", self.body);
        let status: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        for (field, expected) in
            [("kind", "Status"), ("apiVersion", "v1"), ("status", "Failure"), ("reason", reason)]
        {
            assert_eq!(status.get(field).unwrap(), expected, "{}", self.body);
        }
        assert_eq!(status.get("code").unwrap(), code, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("retry-after"), "", "client-go would sleep on it");
        status.get("message").unwrap().as_str().unwrap().to_owned()
    }
}

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A value that was true `age` ago and may be served for another `left`; negative: not any more.
pub(crate) fn value(value: f64, age: SignedDuration, left: SignedDuration) -> Value {
    Value {
        value: Finite::new(value).unwrap(),
        at: now() - age,
        serve_until: now() + left,
        standing: Standing::Fresh,
    }
}

/// A value that can be served.
pub(crate) fn good(number: f64) -> Value {
    value(number, SignedDuration::from_millis(10_450), SignedDuration::from_secs(170))
}

/// A value that must not be served any more.
pub(crate) fn stale(number: f64) -> Value {
    value(number, SignedDuration::from_secs(181), SignedDuration::from_millis(-1))
}

pub(crate) fn one(value: Value) -> State {
    State::Evaluated(Outcome { values: vec![(None, value)], ..Outcome::default() })
}

pub(crate) fn per_pod(values: &[(&str, Value)]) -> State {
    let values = values.iter().map(|(name, value)| (Some(ObjectName::new(name).unwrap()), *value));
    State::Evaluated(Outcome { values: values.collect(), ..Outcome::default() })
}

pub(crate) fn absent(age: SignedDuration, why: &str) -> State {
    let absent = Some(Absence { last: Some(now() - age), why: why.into() });
    State::Evaluated(Outcome { absent, ..Outcome::default() })
}

pub(crate) fn object(kind: &str, api_version: &str, name: &str) -> Subject {
    let kind = ObjectKind { api_version: api_version.into(), kind: kind.into() };
    let namespace = (!kind.is_root_scoped()).then(|| Namespace::new("inference").unwrap());
    let resource = GroupResource::guess(&kind.kind, kind.group());
    Subject::Object {
        object: ObjectRef { kind, namespace, name: ObjectName::new(name).unwrap() },
        resource,
    }
}

/// Publishes `metric` in the namespace `inference`, by a policy of that `policy` name.
pub(crate) fn put(
    snapshot: &mut Snapshot,
    (policy, metric): (&str, &str),
    subject: Subject,
    labels: &[(&str, &str)],
    state: State,
) {
    let namespace = Namespace::new("inference").unwrap();
    let key = subject.key(&namespace, &MetricName::new(metric).unwrap());
    let policy = PolicyKey { namespace, name: PolicyName::new(policy).unwrap() };
    let window = (policy.name.as_str() == "llama").then(|| Duration::from_millis(43_280));
    let labels: Labels = labels.iter().copied().collect();
    snapshot.put(key, Entry { policy, subject, labels, window, history: None, state });
}

/// One metric of each kind, good and bad.
pub(crate) fn snapshot() -> Snapshot {
    let mut it = Snapshot::default();
    let refused = "source default: connection refused";
    let minutes = SignedDuration::from_secs(190);
    put(
        &mut it,
        ("llama", "llama_demand"),
        Subject::External,
        &[("model", "llama")],
        one(good(41.5)),
    );
    put(&mut it, ("dead", "dead_demand"), Subject::External, &[], absent(minutes, refused));
    put(&mut it, ("late", "late_demand"), Subject::External, &[], one(stale(3.0)));
    put(&mut it, ("new", "new_demand"), Subject::External, &[], State::Waiting);
    let fault = State::Broken("spec.combine: `wating` is not a signal".into());
    put(&mut it, ("broken", "broken_demand"), Subject::External, &[], fault);
    let total = "total:demand";
    put(&mut it, ("total-b", total), Subject::External, &[("model", "b")], one(good(2.0)));
    put(&mut it, ("total-a", total), Subject::External, &[("model", "a")], one(good(1.0)));
    put(
        &mut it,
        ("total-c", total),
        Subject::External,
        &[("model", "c")],
        absent(minutes, refused),
    );
    let queue = per_pod(&[
        ("llama-0", good(3.0)),
        ("llama-1", good(0.5)),
        ("llama-2", stale(9.0)),
        ("mistral-0", good(12_000.0)),
    ]);
    put(&mut it, ("queue", "queue"), Subject::Pods, &[("engine", "vllm"), ("tier", "gpu")], queue);
    put(&mut it, ("dead-pods", "dead_queue"), Subject::Pods, &[], absent(minutes, refused));
    put(&mut it, ("rps", "rps"), object("Deployment", "apps/v1", "llama"), &[], one(good(1_500.0)));
    put(&mut it, ("rps-2", "rps"), object("Deployment", "apps/v1", "zephyr"), &[], one(good(0.25)));
    put(&mut it, ("rps-1", "rps"), object("Deployment", "apps/v1", "falcon"), &[], one(stale(1.0)));
    put(&mut it, ("tokens", "tokens"), object("Namespace", "v1", "inference"), &[], one(good(7e6)));
    put(&mut it, ("temp", "temp"), object("Node", "v1", "n1"), &[], one(good(66.6)));
    it
}

/// Pods with labels; `llama-5` has no value.
#[derive(Debug)]
pub(crate) struct Labelled;

impl Pods for Labelled {
    fn matching(
        &self,
        namespace: &Namespace,
        selector: &Selector,
    ) -> Result<Vec<ObjectName>, PodsUnknown> {
        let pods = ["llama-0", "llama-1", "llama-2", "llama-5", "mistral-0", "other-0"];
        Ok(pods
            .iter()
            .filter(|_| namespace.as_str() == "inference")
            .filter(|name| {
                let (app, _) = name.split_once('-').unwrap();
                selector.matches(&[("app", app)].into_iter().collect())
            })
            .map(|name| ObjectName::new(name).unwrap())
            .collect())
    }
}

/// Nobody knows the pods, for this reason.
#[derive(Debug)]
pub(crate) struct Unknown(pub(crate) PodsUnknown);

impl Pods for Unknown {
    fn matching(&self, _: &Namespace, _: &Selector) -> Result<Vec<ObjectName>, PodsUnknown> {
        Err(self.0.clone())
    }
}
