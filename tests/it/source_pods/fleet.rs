//! A fleet of servers that play pods, and the reader that reads them.
#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use crate::support::web::Web;
use foresail::domain::name::{Namespace, ObjectName};
use foresail::domain::pod_place::PodPlace;
use foresail::domain::ports::{Files, Places, PodsUnknown};
use foresail::domain::selector::Selector;
use foresail::policy::{Ask, Policy, resolve};
use foresail::source::pods::{Answer, PodReader};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Pods, each with a server of its own behind the port `metrics`.
pub(super) struct Fleet {
    pub(super) webs: Vec<Web>,
    pub(super) files: Arc<Kept>,
    places: Arc<Known>,
}

/// Pods, and in which namespaces they were looked for.
#[derive(Debug, Default)]
struct Known(Mutex<Vec<PodPlace>>, Mutex<BTreeSet<Namespace>>);

/// Files that are not on a disk.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<BTreeMap<String, String>>);

/// A reader that is configured, with the policies that it reads for.
pub(super) struct Reader {
    reader: PodReader,
    policies: Vec<Arc<Policy>>,
}

impl Places for Known {
    fn places(&self, from: &Namespace, _: &Selector) -> Result<Vec<PodPlace>, PodsUnknown> {
        self.1.lock().unwrap().insert(from.clone());
        Ok(self.0.lock().unwrap().clone())
    }
}

impl Files for Kept {
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let files = self.0.lock().unwrap();
        let content = files.get(path).ok_or_else(|| format!("`{path}` is not there"))?;
        Ok(content.as_bytes().into())
    }
}

impl Kept {
    pub(super) fn put(&self, path: &str, content: &str) {
        self.0.lock().unwrap().insert(path.to_owned(), content.to_owned());
    }

    pub(super) fn remove(&self, path: &str) {
        self.0.lock().unwrap().remove(path);
    }
}

impl std::ops::Deref for Reader {
    type Target = PodReader;

    fn deref(&self) -> &PodReader {
        &self.reader
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A pod on 127.0.0.1.
pub(super) fn place(number: usize, port: u16) -> PodPlace {
    PodPlace {
        name: ObjectName::new(&format!("pod-{number}")).unwrap(),
        uid: format!("uid-{number}").into(),
        address: Some([127, 0, 0, 1].into()),
        ports: [("metrics".into(), port)].into(),
        is_ready: true,
        is_leaving: false,
        engine: None,
    }
}

/// A metric type and the keys of a signal of pods, or of a profile if they begin with its engine.
pub(super) fn asks(metric_type: &str, keys: &str) -> (String, String) {
    (metric_type.to_owned(), keys.to_owned())
}

/// The sum of `q`, from pods that get 300 ms.
pub(super) fn on_partial(what: &str) -> (String, String) {
    asks("External", &format!("series: q, timeout: 300ms, onPartial: {what}"))
}

impl Fleet {
    /// One pod for each of these pages.
    pub(super) async fn start(pages: &[&str]) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut webs = Vec::new();
        for page in pages {
            let web = Web::start().await;
            web.show("/metrics", page);
            webs.push(web);
        }
        let places = webs.iter().enumerate().map(|(number, web)| place(number, web.port()));
        let places = Known(Mutex::new(places.collect()), Mutex::default());
        Self { webs, files: Arc::default(), places: Arc::new(places) }
    }

    /// Changes what is known of the pods.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Vec<PodPlace>)) {
        change(&mut self.places.0.lock().unwrap());
    }

    /// The namespaces in which pods were looked for.
    pub(super) fn namespaces(&self) -> Vec<String> {
        self.places.1.lock().unwrap().iter().map(ToString::to_string).collect()
    }

    /// Changes the pages of the pods.
    pub(super) fn show(&mut self, pages: &[&str]) {
        for (web, page) in self.webs.iter().zip(pages) {
            web.show("/metrics", page);
        }
    }

    /// A reader for one policy for each of these signals.
    pub(super) fn reader(&self, signals: &[(String, String)]) -> Reader {
        let mut text =
            "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\npolicies:\n".to_owned();
        for (number, (metric_type, keys)) in signals.iter().enumerate() {
            let kind = if keys.starts_with("engine:") { "profile" } else { "pods" };
            let keys = format!("{{selector: {{matchLabels: {{app: a}}}}, port: metrics, {keys}}}");
            text.push_str(&format!(
                "  - {{metadata: {{name: p{number}, namespace: a}}, spec: {{metric: {{name: \
                 m{number}, type: {metric_type}}}, signals: {{x: {{{kind}: {keys}}}}}}}}}\n"
            ));
        }
        self.reader_of(&text)
    }

    /// A reader for the policies of a configuration.
    pub(super) fn reader_of(&self, text: &str) -> Reader {
        let config = resolve::load(text).unwrap();
        assert!(config.faults.is_empty(), "{:?}", config.faults);
        let places = Arc::clone(&self.places);
        let reader = PodReader::new(places, Arc::clone(&self.files) as Arc<dyn Files>);
        reader.configure(&config.policies, &BTreeSet::new());
        Reader { reader, policies: config.policies }
    }

    /// What the pods answer to one of the policies.
    pub(super) async fn read(
        &self,
        reader: &Reader,
        policy: usize,
        at: Timestamp,
    ) -> Result<Answer, String> {
        let policy = &reader.policies[policy];
        let signal = &policy.signals[0];
        let asker = (policy.key.clone(), signal.name.clone());
        let read = match &signal.ask {
            Ask::Pods(ask) => reader.reader.read(asker, ask, at).await,
            Ask::Engine(any) => reader.reader.read_any(asker, any, at).await,
            _ => panic!("{signal:?}"),
        };
        read.map_err(|error| error.to_string())
    }

    /// The only number of the answer, and its note.
    pub(super) async fn number(
        &self,
        reader: &Reader,
        policy: usize,
        at: Timestamp,
    ) -> Result<(f64, Option<String>), String> {
        let answer = self.read(reader, policy, at).await?;
        Ok((answer.samples[&None].value.get(), answer.note))
    }
}
