//! Exporters of GPUs both ways: what is read straight from their pods is the number that a real
//! Prometheus makes of the same pages, for one and for each pod.

use crate::profiles::start;
use crate::support::adapter::client;
use crate::support::wait;
use crate::support::web::Web;
use foresail::domain::limits;
use foresail::domain::name::{Namespace, ObjectName};
use foresail::domain::pod_place::PodPlace;
use foresail::domain::ports::{Files, Places, PodsUnknown};
use foresail::domain::selector::Selector;
use foresail::policy::profile::promql::{Question, query};
use foresail::policy::profile::{Canonical, Profile, Profiles};
use foresail::policy::{Ask, resolve};
use foresail::source::pods::PodReader;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

const WHOLE: &str = include_str!("../pages/dcgm-whole.prom");
const SHARED: &str = include_str!("../pages/dcgm-shared.prom");
const FIELD: &str = include_str!("../pages/dcgm.prom");
const OTHERS: &str = include_str!("../pages/amd-intel.prom");

/// Numbers by pod; under an empty name that of all.
type Numbers = BTreeMap<String, f64>;

/// The pods of an exporter, on loopback.
#[derive(Debug)]
struct Nodes(Vec<PodPlace>);

impl Places for Nodes {
    fn places(&self, _: &Namespace, _: &Selector) -> Result<Vec<PodPlace>, PodsUnknown> {
        Ok(self.0.clone())
    }
}

#[derive(Debug)]
struct NoFiles;

impl Files for NoFiles {
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String> {
        Err(format!("`{path}` is not there"))
    }
}

/// A page of rows about few pods and devices of few namespaces, so that much is shared, told twice, told
/// under names old and new, blank, or nobody's.
fn mixed(seed: u64) -> String {
    const NAMES: [&str; 5] = [
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        "DCGM_FI_DEV_GPU_UTIL",
        "DCGM_FI_DEV_POWER_USAGE",
        "DCGM_FI_DEV_FB_USED",
        "dcgm_power_usage",
    ];
    let mut state = seed;
    let mut below = |most: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let mut page = String::new();
    for row in 0..80 {
        let name = NAMES[usize::try_from(below(5)).unwrap()];
        let (namespace, pod) = match below(8) {
            0 => (String::new(), String::new()),
            it => (format!("n{}", it % 3), format!("pod-{}", below(4))),
        };
        let workload = if below(4) == 0 {
            format!("pod_namespace=\"{namespace}\",pod_name=\"{pod}\"")
        } else {
            format!("namespace=\"{namespace}\",pod=\"{pod}\"")
        };
        let (device, slice) = (below(6), below(3));
        let value = match below(10) {
            0 => "9223372036854775794".to_owned(),
            _ => format!("{}.{}", below(100), below(1_000)),
        };
        writeln!(
            page,
            "{name}{{UUID=\"GPU-{device}\",GPU_I_ID=\"{slice}\",row=\"{row}\",{workload}}} {value}"
        )
        .unwrap();
    }
    page
}

/// What Prometheus answers.
async fn queried(port: u16, query: &str) -> Numbers {
    let url = format!("http://127.0.0.1:{port}/api/v1/query");
    let sent = client().post(&url).form(&[("query", query)]).send().await.unwrap();
    let answer: Value = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
    let rows = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {answer}"));
    let number = |it: &Value| it["value"][1].as_str().unwrap().parse().unwrap();
    let pod = |it: &Value| it["metric"]["workload"].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|it| (pod(it), number(it))).collect()
}

/// What the pages say.
async fn read(nodes: &[PodPlace], namespace: &str, metric_type: &str, keys: &str) -> Numbers {
    let text = format!(
        "{{apiVersion: foresail.dev/v1alpha1, kind: AdapterConfig, sources: [{{name: s, scrape: {{pods: \
         {{namespace: o, selector: {{matchLabels: {{app: e}}}}, port: page}}}}}}], policies: [{{metadata: \
         {{name: p, namespace: {namespace}}}, spec: {{metric: {{name: m, type: {metric_type}}}, signals: \
         {{x: {{source: s, profile: {{{keys}}}}}}}}}}}]}}"
    );
    let config = resolve::load(&text).unwrap();
    let [policy] = config.policies.as_slice() else { panic!("{:?}", config.faults) };
    let reader = PodReader::new(Arc::new(Nodes(nodes.to_vec())), Arc::new(NoFiles));
    reader.configure(&config.policies, &BTreeSet::new());
    let Ask::Pods(ask) = &policy.signals[0].ask else { panic!("{keys}") };
    let asker = (policy.key.clone(), policy.signals[0].name.clone());
    match reader.read(asker, ask, Timestamp::UNIX_EPOCH).await {
        Ok(answer) => {
            assert_eq!(answer.note, None);
            let name = |it: Option<ObjectName>| it.map_or(String::new(), |it| it.to_string());
            answer.samples.into_iter().map(|(pod, it)| (name(pod), it.value.get())).collect()
        }
        Err(error) => {
            let told = error.to_string();
            assert!(
                told.contains("row") || told.contains("pages") || told.contains("sensors"),
                "{told}"
            );
            Numbers::new()
        }
    }
}

fn are_close(a: &Numbers, b: &Numbers) -> bool {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * a.abs();
    a.keys().eq(b.keys()) && a.values().zip(b.values()).all(close)
}

/// One signal of one namespace both ways, until Prometheus has scraped it all; whether there is any.
async fn is_one_number(
    (port, nodes): (u16, &[PodPlace]),
    profile: &Profile,
    (namespace, signal, is_per_pod): (&str, Canonical, bool),
) -> bool {
    let question = Question {
        namespace: ("namespace", namespace),
        pod_label: "pod",
        labels: &[],
        pods: Some("(llama|pod|qwen|a|resnet)-.*"),
        window: limits::profile::WINDOW_DEFAULT,
        quantile: limits::profile::QUANTILE_DEFAULT,
        is_per_pod,
    };
    let text = query(profile, signal, &question).unwrap().text;
    let keys = format!(
        "engine: {}, signal: {}, podPattern: {}",
        profile.engine,
        signal.name(),
        question.pods.unwrap()
    );
    let metric_type = if is_per_pod { "Pods" } else { "External" };
    let direct = read(nodes, namespace, metric_type, &keys).await;
    wait::until(&format!("{metric_type} {keys} of {namespace} both ways"), async || {
        let queried = queried(port, &text).await;
        wait::seen(are_close(&direct, &queried), format!("{direct:?} and {queried:?}"))
    })
    .await;
    !direct.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_read_straight_are_the_numbers_of_prometheus() {
    let mut pages: Vec<String> = [WHOLE, SHARED, FIELD, OTHERS].map(str::to_owned).to_vec();
    pages.extend((1..=4).map(mixed));
    let scraped: Vec<(&str, &str, &str, bool)> =
        pages.iter().map(|page| ("gpu-operator", "exporter", page.as_str(), false)).collect();
    let (_server, port, _web) = start(&scraped).await;
    let (mut webs, mut nodes) = (Vec::new(), Vec::new());
    for (number, page) in pages.iter().enumerate() {
        let web = Web::start().await;
        web.show("/metrics", page);
        nodes.push(PodPlace {
            name: ObjectName::new(&format!("exporter-{number}")).unwrap(),
            uid: format!("uid-{number}").into(),
            address: Some([127, 0, 0, 1].into()),
            ports: [("page".into(), web.port())].into(),
            is_ready: true,
            is_leaving: false,
            engine: None,
        });
        webs.push(web);
    }
    let profiles = Profiles::builtin();
    let mut told = 0;
    for engine in ["dcgm", "amd-gpu"] {
        let profile = profiles.get(engine).unwrap();
        for namespace in ["ml", "vision", "dev", "old", "n0", "n1", "n2", "nobody"] {
            for (signal, per_pod) in profile.has().flat_map(|it| [(it, false), (it, true)]) {
                let asked = (namespace, signal, per_pod);
                told += usize::from(is_one_number((port, &nodes), profile, asked).await);
            }
        }
    }
    assert!(told >= 36, "{told} numbers were there to compare");
}
