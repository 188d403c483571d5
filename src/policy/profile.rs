//! What engines and GPU exporters call their metrics, and how their series become one number, as
//! data: whoever names an engine and a signal needs no PromQL.
//!
//! The built-in profiles are the files in `profiles/`, compiled in; a file read at start takes the
//! place of the built-in one of the same engine.

mod builtin;
mod described;
pub mod detect;
pub mod file;
pub mod pages;
pub mod promql;

pub use described::Described;
pub use detect::AnyEngine;

use crate::document::fault::{Fault, repaired};
use crate::document::path::Path;
use crate::document::schema::Schema;
use crate::document::yaml::Node;
use crate::policy::promql::{BadQuery, SeriesSelector};
use file::{ProfileFile, SignalFile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What policies name in the place of an engine that is to be told from what is there.
pub const AUTO: &str = "auto";

/// One engine or exporter.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// As policies name it.
    pub engine: Arc<str>,
    /// What it is, in one sentence.
    pub about: String,
    /// Values of the pod label that tells an engine.
    pub detect: Vec<String>,
    /// Series by which it is told.
    pub detect_series: Vec<SeriesSelector>,
    /// Engines that are not told where it is.
    pub detect_instead_of: Vec<String>,
    /// The port of a pod's page, where there is a usual one.
    pub port: Option<u16>,
    /// The path of a pod's page.
    pub path: String,
    /// For an exporter whose series are about other pods.
    pub about_pods: Option<file::AboutPods>,
    /// The signals that it has.
    pub signals: BTreeMap<Canonical, SignalProfile>,
}

/// A signal that means the same for each engine.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Canonical {
    /// Requests that wait for a place.
    Waiting,
    /// Requests that are worked on.
    Running,
    /// Both together: it does not depend on how many pods there are.
    Demand,
    /// How full the cache of keys and values is, from 0 to 1.
    KvCacheUsage,
    /// Requests per second.
    RequestRate,
    /// Prompt tokens per second.
    PromptTokens,
    /// Generated tokens per second.
    GenerationTokens,
    /// The time to the first token, in seconds.
    Ttft,
    /// The time between two tokens, in seconds.
    InterTokenLatency,
    /// How long requests wait for a place, in seconds.
    QueueTime,
    /// The share of time in which a GPU works, from 0 to 1.
    GpuUtilization,
    /// The share of time in which its tensor cores work, from 0 to 1.
    TensorActive,
    /// The share of time in which its memory is read or written, from 0 to 1.
    DramActive,
    /// Its memory in use, in bytes.
    MemoryUsed,
    /// Its power, in watts.
    Power,
}

impl Canonical {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Waiting,
        Self::Running,
        Self::Demand,
        Self::KvCacheUsage,
        Self::RequestRate,
        Self::PromptTokens,
        Self::GenerationTokens,
        Self::Ttft,
        Self::InterTokenLatency,
        Self::QueueTime,
        Self::GpuUtilization,
        Self::TensorActive,
        Self::DramActive,
        Self::MemoryUsed,
        Self::Power,
    ];

    /// As policies name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Demand => "demand",
            Self::KvCacheUsage => "kvCacheUsage",
            Self::RequestRate => "requestRate",
            Self::PromptTokens => "promptTokens",
            Self::GenerationTokens => "generationTokens",
            Self::Ttft => "ttft",
            Self::InterTokenLatency => "interTokenLatency",
            Self::QueueTime => "queueTime",
            Self::GpuUtilization => "gpuUtilization",
            Self::TensorActive => "tensorActive",
            Self::DramActive => "dramActive",
            Self::MemoryUsed => "memoryUsed",
            Self::Power => "power",
        }
    }
}

/// How an engine tells one signal.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalProfile {
    /// Of the number.
    pub unit: String,
    /// How the numbers of pods come together.
    pub pods: file::OverPods,
    /// The candidates, in the order in which they are looked for.
    pub from: Vec<Candidate>,
}

/// Series that may tell a signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What they are.
    pub form: Form,
    /// Labels over which the largest is taken first.
    pub max_over: Vec<String>,
    /// How those of one pod then become one.
    pub within: file::Within,
    /// What the number is multiplied by.
    pub scale: f64,
    /// For people.
    pub note: Option<String>,
}

/// What a candidate's series are.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// The number itself.
    Gauge(SeriesSelector),
    /// A counter, of which the rate is the number.
    Counter(SeriesSelector),
    /// The base name of a histogram, of which a quantile is the number.
    Histogram(SeriesSelector),
    /// One gauge divided by another.
    Ratio(SeriesSelector, SeriesSelector),
    /// One gauge times another.
    Product(SeriesSelector, SeriesSelector),
    /// What one gauge is above another, never below zero.
    Excess(SeriesSelector, SeriesSelector),
    /// The rate of one counter divided by that of another.
    Mean(SeriesSelector, SeriesSelector),
}

/// The profiles that are known; those that are compiled in by default.
#[derive(Clone, Debug, PartialEq)]
pub struct Profiles(BTreeMap<Arc<str>, Arc<Profile>>);

impl Default for Profiles {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Profiles {
    /// Those that are compiled in.
    #[must_use]
    pub fn builtin() -> Self {
        let known = builtin::profiles();
        Self(known.iter().map(|it| (Arc::clone(&it.engine), Arc::clone(it))).collect())
    }

    /// Adds a profile in the place of that of the same engine.
    pub fn put(&mut self, profile: Profile) {
        self.0.insert(Arc::clone(&profile.engine), Arc::new(profile));
    }

    /// That of an engine.
    #[must_use]
    pub fn get(&self, engine: &str) -> Option<&Arc<Profile>> {
        self.0.get(engine)
    }

    /// All of them, by engine.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.0.values()
    }
}

impl Profile {
    /// Reads a profile's file.
    ///
    /// # Errors
    /// All that is wrong, with its place.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let document = Node::parse(text).map_err(|error| {
            let mut fault = Fault::new(Path::default(), format!("not YAML: {}", error.problem));
            fault.position = Some(error.at);
            vec![fault.hint("look for a missing quote, bracket or blank in or above this line")]
        })?;
        let schema = file::schema();
        let mut faults = Schema::new(&schema).check(&document);
        let value = repaired(document.to_json(), &Path::default(), &faults);
        let profile = match serde_json::from_value::<ProfileFile>(value) {
            Ok(file) => settle(file, &mut faults),
            Err(error) if faults.is_empty() => {
                faults.push(Fault::new(Path::default(), error.to_string()));
                None
            }
            Err(_) => None,
        };
        match profile.filter(|_| faults.is_empty()) {
            Some(profile) => Ok(profile),
            None => {
                for fault in &mut faults {
                    fault.position.get_or_insert(document.position(&fault.path));
                }
                Err(faults)
            }
        }
    }

    /// The signals that can be asked of it.
    pub fn has(&self) -> impl Iterator<Item = Canonical> {
        Canonical::ALL.into_iter().filter(|it| self.parts(*it).is_some())
    }

    /// The parts whose sum a signal is: itself, or for a demand that has no series of its own, what
    /// waits and what runs.
    #[must_use]
    pub fn parts(&self, signal: Canonical) -> Option<Vec<&SignalProfile>> {
        let of = |signal| self.signals.get(&signal);
        match (of(signal), signal) {
            (Some(own), _) => Some(vec![own]),
            (None, Canonical::Demand) => {
                Some(vec![of(Canonical::Waiting)?, of(Canonical::Running)?])
            }
            (None, _) => None,
        }
    }
}

fn settle(file: ProfileFile, faults: &mut Vec<Fault>) -> Option<Profile> {
    let ProfileFile {
        engine,
        about,
        detect,
        detect_series,
        detect_instead_of,
        port,
        path,
        about_pods,
        signals,
    } = file;
    if engine == AUTO {
        let fault = Fault::new(Path::default().key("engine"), "no engine can have this name");
        faults
            .push(fault.hint("policies say it where the engine is to be told from what is there"));
    }
    let marks = Path::default().key("detectSeries");
    let detect_series = detect_series.iter().enumerate();
    let detect_series: Vec<_> =
        detect_series.map(|(place, it)| selector(it, marks.index(place), faults)).collect();
    let below = Path::default().key("signals");
    let settled: Vec<_> = signals
        .into_iter()
        .map(|(signal, it)| Some((signal, settle_signal(it, &below.key(signal.name()), faults)?)))
        .collect();
    let signals = settled.into_iter().collect::<Option<BTreeMap<_, _>>>()?;
    Some(Profile {
        engine: engine.into(),
        about,
        detect,
        detect_series: detect_series.into_iter().collect::<Option<_>>()?,
        detect_instead_of,
        port,
        path,
        about_pods,
        signals,
    })
}

fn settle_signal(file: SignalFile, path: &Path, faults: &mut Vec<Fault>) -> Option<SignalProfile> {
    let SignalFile { unit, pods, from } = file;
    let path = path.key("from");
    let settled: Vec<_> = from
        .into_iter()
        .enumerate()
        .map(|(place, it)| settle_candidate(it, pods, &path.index(place), faults))
        .collect();
    let from = settled.into_iter().collect::<Option<Vec<_>>>()?;
    Some(SignalProfile { unit, pods, from })
}

fn settle_candidate(
    file: file::CandidateFile,
    pods: file::OverPods,
    path: &Path,
    faults: &mut Vec<Fault>,
) -> Option<Candidate> {
    let form = form(&file, path, faults)?;
    let is_merged = pods == file::OverPods::Merge;
    if is_merged != matches!(form, Form::Histogram(_)) {
        let fault = Fault::new(path.clone(), "histograms are merged, and nothing else is");
        faults.push(fault.hint("write `pods: merge` for histograms, `sum` or `avg` else"));
        return None;
    }
    let file::CandidateFile { max_over, within, scale, note, .. } = file;
    let (within, scale) = (within.unwrap_or_default(), scale.unwrap_or(1.0));
    Some(Candidate { form, max_over, within, scale, note })
}

fn selector(text: &str, path: Path, faults: &mut Vec<Fault>) -> Option<SeriesSelector> {
    let bad = |bad: BadQuery| faults.push(Fault::new(path, bad.problem));
    SeriesSelector::parse(text).map_err(bad).ok()
}

fn form(file: &file::CandidateFile, path: &Path, faults: &mut Vec<Fault>) -> Option<Form> {
    let file::CandidateFile { gauge, counter, histogram, ratio, product, excess, mean, .. } = file;
    let mut select = |text: &str, key: &str| selector(text, path.key(key), faults);
    let mut two = |key: &str, of: &str, other: &str| (select(of, key), select(other, key));
    let ratio = ratio.as_ref().map(|it| two("ratio", &it.of, &it.by));
    let product = product.as_ref().map(|it| two("product", &it.of, &it.by));
    let excess = excess.as_ref().map(|it| two("excess", &it.of, &it.over));
    let mean = mean.as_ref().map(|it| two("mean", &it.of, &it.by));
    let mut one = |key: &str, text: &Option<String>| text.as_ref().map(|it| select(it, key));
    let [gauge, counter, histogram] =
        [("gauge", gauge), ("counter", counter), ("histogram", histogram)]
            .map(|(key, text)| one(key, text));
    let forms = [
        gauge.map(|it| it.map(Form::Gauge)),
        counter.map(|it| it.map(Form::Counter)),
        histogram.map(|it| it.map(Form::Histogram)),
        ratio.map(|(of, by)| Some(Form::Ratio(of?, by?))),
        product.map(|(of, by)| Some(Form::Product(of?, by?))),
        excess.map(|(of, over)| Some(Form::Excess(of?, over?))),
        mean.map(|(of, by)| Some(Form::Mean(of?, by?))),
    ];
    let mut forms: Vec<Option<Form>> = forms.into_iter().flatten().collect();
    if let [_] = forms.as_slice() {
        return forms.pop().flatten();
    }
    let problem = "expected exactly one of `gauge`, `counter`, `histogram`, `ratio`, `product`, \
                   `excess` and `mean`";
    faults.push(Fault::new(path.clone(), problem).hint("a second kind is a second candidate"));
    None
}

#[cfg(test)]
mod tests;
