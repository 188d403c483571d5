//! The metrics API of the comparison: it answers from the histories and writes down each answer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foresail::simulate::hpa::metric::Reading;
use foresail::simulate::hpa::pod::Pod;
use foresail::simulate::random::Random;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, answer};
use super::plan::Plan;
use super::targets::{self, Api, Seen};
use crate::bed::certificates::Identity;

/// How near to the end of one of its HPA's windows a remembered answer may be when the next one is
/// given, before and after. The controller's clock runs on for some milliseconds after an answer;
/// with this no such difference decides anything.
const BEFORE_WINDOW: Duration = Duration::from_millis(150);
const AFTER_WINDOW: Duration = Duration::from_millis(200);
/// How often to look whether the time is right.
const LOOK: Duration = Duration::from_millis(5);

/// One answer, and when it was given.
#[derive(Debug)]
pub(super) struct Read {
    /// Which metric of the HPA.
    pub(super) place: usize,
    pub(super) answered: Timestamp,
    pub(super) reading: Reading,
    /// The target's pods at that time.
    pub(super) pods: Vec<Pod>,
}

/// The HPAs and all that is remembered of them.
pub(super) struct World {
    pub(super) plans: Vec<Plan>,
    pub(super) api: Api,
    states: Vec<tokio::sync::Mutex<State>>,
    /// By the id that the audit log has for the request.
    reads: Mutex<BTreeMap<String, Read>>,
}

struct State {
    /// How often each metric was asked for.
    asked: Vec<usize>,
    /// When each sync got its last answer.
    answered: Vec<Timestamp>,
    seen: Seen,
    random: Random,
}

impl World {
    /// The HPAs with their targets as they are before the first sync.
    pub(super) async fn new(plans: Vec<Plan>, api: Api, seed: u64) -> Self {
        let mut states = Vec::new();
        for (idx, plan) in (0..).zip(&plans) {
            let mut seen = Seen::default();
            targets::populate(&api, plan, &mut seen).await;
            let random = Random::keyed(seed, 2, idx);
            let asked = vec![0; plan.spec.metrics.len()];
            states.push(tokio::sync::Mutex::new(State {
                asked,
                answered: Vec::new(),
                seen,
                random,
            }));
        }
        Self { plans, api, states, reads: Mutex::default() }
    }

    /// All answers, by the id that the audit log has for the request.
    pub(super) fn reads(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Read>> {
        self.reads.lock().unwrap()
    }

    async fn metric(&self, name: &str, audit_id: &str) -> Option<Answer> {
        let (hpa, place) = name.rsplit_once("-m")?;
        let place: usize = place.parse().ok()?;
        let idx = self.plans.iter().position(|plan| plan.name == hpa)?;
        let plan = &self.plans[idx];
        let mut state = self.states[idx].lock().await;
        let State { asked, answered, seen, random } = &mut *state;
        let sync = asked[place];
        asked[place] += 1;
        // At the first sync nothing has changed, and the controller notes the time before it asks.
        if place == 0 && sync > 0 {
            targets::step(&self.api, plan, seen, random).await;
        }
        let answer = answer(plan, place, sync, seen, random);
        if place + 1 == plan.spec.metrics.len() {
            if sync > 0 {
                clear_of_windows(&plan.windows(), answered).await;
            }
            answered.push(Timestamp::now());
        }
        let read = Read {
            place,
            answered: Timestamp::now(),
            reading: answer.reading.clone(),
            pods: seen.pods.clone(),
        };
        let twice = self.reads().insert(audit_id.to_owned(), read);
        assert!(twice.is_none(), "{name} was read twice for one request");
        Some(answer)
    }
}

/// Waits until no earlier answer is about to leave a window or has just left one.
async fn clear_of_windows(windows: &[Duration], answered: &[Timestamp]) {
    let near = |now: Timestamp, at: &Timestamp| {
        let age = now.duration_since(*at).unsigned_abs();
        windows.iter().any(|window| *window < age + BEFORE_WINDOW && age < *window + AFTER_WINDOW)
    };
    loop {
        let now = Timestamp::now();
        if !answered.iter().any(|at| near(now, at)) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Serves the metrics API on a port of loopback for as long as the runtime lives.
pub(super) async fn serve(world: Arc<World>, identity: &Identity) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, world) = (acceptor.clone(), Arc::clone(&world));
            tokio::spawn(async move {
                // A client that gives up is no concern of the test.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| respond(Arc::clone(&world), request));
                let builder = auto::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    port
}

async fn respond(
    world: Arc<World>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let audit_id = request.headers().get("Audit-ID").map(|id| id.to_str().unwrap().to_owned());
    let (status, body) = match parts[..] {
        ["apis", group, version] if group.ends_with(".metrics.k8s.io") => {
            (200, resources(group, version))
        }
        ["apis", "external.metrics.k8s.io", _, .., name]
        | ["apis", "custom.metrics.k8s.io", "v1beta2", .., name] => {
            match world.metric(name, &audit_id.unwrap()).await {
                Some(Answer { status, body, reading: _ }) => (status, body),
                None => (404, not_found(&path)),
            }
        }
        _ => (404, not_found(&path)),
    };
    let response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())));
    Ok(response.unwrap())
}

/// A discovery document; the controller asks for metrics without having seen them listed.
fn resources(group: &str, version: &str) -> Value {
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": format!("{group}/{version}"),
        "resources": [{
            "name": "pods/placeholder", "singularName": "", "namespaced": true,
            "kind": "MetricValueList", "verbs": ["get"],
        }],
    })
}

fn not_found(path: &str) -> Value {
    super::answer::failure(404, &format!("nothing at {path}"))
}
