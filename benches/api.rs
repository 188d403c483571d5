//! What one request costs between its headers and its body, the door included.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails loudly and prints")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use foresail::api::{Clock, ExternalRules, Face, ListedMax, OnDemand, metrics, router};
use foresail::auth::Door;
use foresail::auth::Now;
use foresail::auth::token::Token;
use foresail::domain::finite::Finite;
use foresail::domain::labels::Labels;
use foresail::domain::metric::Subject;
use foresail::domain::name::{MetricName, Namespace, ObjectName, PolicyKey, PolicyName};
use foresail::domain::ports::{Pods, PodsUnknown};
use foresail::domain::selector::Selector;
use foresail::pipeline::outcome::{Outcome, Standing, Value};
use foresail::published::{Entry, Published, Snapshot, State};
use foresail::telemetry::health::Health;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

const TOKEN: &str = "a-token-for-the-bench-only";
const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/inference/pods";
const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference";

/// Every pod matches; the list is copied, as a watch's index would copy it.
#[derive(Debug)]
struct Everyone(Vec<ObjectName>);

impl Pods for Everyone {
    fn matching(&self, _: &Namespace, _: &Selector) -> Result<Vec<ObjectName>, PodsUnknown> {
        Ok(self.0.clone())
    }
}

fn names(count: usize) -> Vec<ObjectName> {
    let name = |idx| format!("llama-7d9f6c5b4-{idx:05}");
    (0..count).map(|idx| ObjectName::new(&name(idx)).unwrap()).collect()
}

fn snapshot(now: Timestamp, n_pods: usize) -> Snapshot {
    let namespace = Namespace::new("inference").unwrap();
    let value = |number: f64| Value {
        value: Finite::new(number).unwrap(),
        at: now - SignedDuration::from_secs(5),
        serve_until: now + SignedDuration::from_secs(180),
        standing: Standing::Fresh,
    };
    // Smoothed values have many digits, so that their text is the long one.
    let numbers = (0..n_pods).scan(1.0_f64, |number, _| {
        *number = *number * 1.01 + 0.123_456_7;
        *number %= 97.0;
        Some(*number)
    });
    let per_pod = names(n_pods).into_iter().zip(numbers);
    let values = per_pod.map(|(name, number)| (Some(name), value(number))).collect();
    let total = vec![(None, value(41.512_345))];
    let mut snapshot = Snapshot::default();
    for (policy, subject, values) in
        [("queue", Subject::Pods, values), ("demand", Subject::External, total)]
    {
        let key = subject.key(&namespace, &MetricName::new(policy).unwrap());
        let policy =
            PolicyKey { namespace: namespace.clone(), name: PolicyName::new(policy).unwrap() };
        let state = State::Evaluated(Outcome { values, ..Outcome::default() });
        let labels: Labels = [("model", "llama")].into_iter().collect();
        snapshot.put(key, Entry { policy, subject, labels, window: None, history: None, state });
    }
    snapshot
}

fn service(n_pods: usize) -> TowerToHyperService<axum::Router> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(TOKEN.as_bytes()).unwrap();
    let token = Token::load(file.path().to_owned()).unwrap();
    let now = Timestamp::now();
    let published = Arc::new(Published::default());
    published.replace(snapshot(now, n_pods));
    let face = Face {
        published,
        on_demand: OnDemand::default(),
        door: Arc::new(Door::standalone(token)),
        pods: Arc::new(Everyone(names(n_pods))),
        health: Arc::new(Health::default()),
        metrics: metrics::register(&mut Registry::default()),
        clock: Clock::new(move || Now { instant: Instant::now(), time: now }),
        listed_max: ListedMax::default(),
        external: ExternalRules::default(),
    };
    TowerToHyperService::new(router(face))
}

/// Asks once and reads the whole body; answers its length.
async fn get(service: &TowerToHyperService<axum::Router>, path: &str, accept: &str) -> usize {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("accept", accept)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = service.call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap().to_bytes().len()
}

/// What the controller-manager sends, and who knows protobuf not.
const FORMS: [(&str, &str); 2] =
    [("protobuf", "application/vnd.kubernetes.protobuf, */*"), ("json", "application/json")];

fn requests(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (form, accept) in FORMS {
        let mut group = criterion.benchmark_group(format!("get_{form}"));
        for (name, n_pods, path) in [
            ("external", 1, format!("{EXTERNAL}/demand?labelSelector=model%3Dllama")),
            ("one_pod_of", 1_500, format!("{CUSTOM}/llama-7d9f6c5b4-00700/queue")),
            ("pods", 100, format!("{CUSTOM}/*/queue?labelSelector=app%3Dllama")),
            ("pods", 1_500, format!("{CUSTOM}/*/queue?labelSelector=app%3Dllama")),
        ] {
            let service = service(n_pods);
            let bytes = runtime.block_on(get(&service, &path, accept));
            println!("{form}/{name}/{n_pods}: {bytes} bytes");
            group.throughput(Throughput::Bytes(u64::try_from(bytes).unwrap()));
            group.bench_function(BenchmarkId::new(name, n_pods), |bencher| {
                bencher.iter(|| runtime.block_on(get(&service, &path, accept)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
