//! Pages of pods: each fetched once for everybody who asks about an instant, sifted while it
//! arrives, and folded into one number, or one for each pod.
//!
//! A pod that hangs, drips or floods loses its own number and no other's: it has its own deadline
//! and its own cap, and what the others say is worth what the policy says it is.

mod choice;
mod client;
mod counts;
mod engine;
mod fold;
mod ledger;
mod quantile;
mod reading;
mod rows;

pub use counts::Counts;
pub use fold::Answer;

use crate::domain::error_chain::ErrorChain;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::{PolicyKey, SignalName};
use crate::domain::pod_place::PodPlace;
use crate::domain::ports::{Files, Places};
use crate::policy::pods::{Across, PodPage, PodsAsk};
use crate::policy::{Ask, Policy};
use crate::source::ReadError;
use crate::source::engines::Engines;
use crate::source::scrape::exposition::Format;
use crate::source::scrape::exposition::sieve::{Page, Sieve, Unfit, Wanted};
use choice::{Chosen, choose};
use client::{Caller, Clients};
use fold::Heard;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use reading::{Ledgers, PodReading, Silence};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;

/// Reads the pages of pods for all policies.
#[derive(Debug)]
pub struct PodReader {
    places: Arc<dyn Places>,
    clients: Clients,
    pages: Mutex<BTreeMap<PodPage, Fetches>>,
    memories: Mutex<BTreeMap<Asker, Arc<Mutex<Memory>>>>,
    engines: Engines<Asker>,
    permits: Semaphore,
    counts: Arc<Counts>,
}

/// Whose signal is read.
pub type Asker = (PolicyKey, SignalName);

/// The newest fetch of one page of each pod, and what is wanted of it.
#[derive(Debug, Default)]
struct Fetches {
    wanted: Option<Arc<Wanted>>,
    newest: BTreeMap<Arc<str>, Fetch>,
}

/// The fetch of one page of one pod for one instant, shared by everybody who asks about it.
#[derive(Clone, Debug)]
struct Fetch {
    at: Timestamp,
    wanted: Arc<Wanted>,
    page: Arc<OnceCell<Fetched>>,
}

/// What was wanted of a page, with its format.
type Fetched = Result<(Page, Format), ReadError>;

/// What a signal remembers from one read to the next.
#[derive(Debug, Default)]
struct Memory {
    /// The counters of each pod, by uid.
    ledgers: BTreeMap<Arc<str>, Ledgers>,
    last: Option<Finite>,
}

impl PodReader {
    /// Knows the pods from `places`, and reads certificates and tokens from `files`.
    #[must_use]
    pub fn new(places: Arc<dyn Places>, files: Arc<dyn Files>) -> Self {
        Self {
            places,
            clients: Clients::new(files),
            pages: Mutex::default(),
            memories: Mutex::default(),
            engines: Engines::default(),
            permits: Semaphore::new(limits::pods::AT_ONCE_IN_ALL),
            counts: Arc::default(),
        }
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Learns which series the policies read, so that one fetch of a page serves them all; forgets
    /// what belongs to signals that changed or are gone.
    pub fn configure(&self, policies: &[Arc<Policy>], begun: &BTreeSet<PolicyKey>) {
        let mut wanted: BTreeMap<&PodPage, BTreeSet<String>> = BTreeMap::new();
        let mut askers = BTreeSet::new();
        for policy in policies {
            for signal in &policy.signals {
                let pages = pages_of(&signal.ask);
                if pages.is_empty() {
                    continue;
                }
                for (page, names) in pages {
                    wanted.entry(page).or_default().extend(names);
                }
                askers.insert((policy.key.clone(), signal.name.clone()));
            }
        }
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|page, _| wanted.contains_key(page));
        for (page, names) in wanted {
            let wanted = Arc::new(Wanted::new(names));
            let fetches = pages.entry(page.clone()).or_default();
            if fetches.wanted.as_ref() != Some(&wanted) {
                fetches.wanted = Some(wanted);
            }
        }
        let goes_on = |asker: &Asker| askers.contains(asker) && !begun.contains(&asker.0);
        self.engines.retain(goes_on);
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.retain(|asker, _| goes_on(asker));
    }

    /// What the pods say about the instant `at`.
    ///
    /// # Errors
    /// `ReadError` when there is no number, or none that the policy wants used.
    pub async fn read(
        &self,
        asker: Asker,
        ask: &Arc<PodsAsk>,
        at: Timestamp,
    ) -> Result<Answer, ReadError> {
        self.heard(asker, ask, at).await.map_err(|(error, _)| error)
    }

    /// The same; with an error also whether no pod could tell anything at all.
    async fn heard(
        &self,
        asker: Asker,
        ask: &Arc<PodsAsk>,
        at: Timestamp,
    ) -> Result<Answer, (ReadError, bool)> {
        let unknown = |why: String| (ReadError::Empty(why), false);
        let namespace = ask.namespace(&asker.0.namespace);
        let places = self.places.places(namespace, &ask.selector);
        let places = places.map_err(|error| unknown(error.to_string()))?;
        let Chosen { pods, n_pods } = choose(ask.includes_not_ready, places);
        if pods.is_empty() {
            return Err((fold::no_pod(), false));
        }
        self.counts.left_out(n_pods - pods.len());
        let caller = self.clients.caller(&ask.page).map_err(unknown)?;
        let pages = self.pages_of(&caller, ask, &pods, at).await;
        let memory = {
            let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(memories.entry(asker).or_default())
        };
        // Histograms of hundreds of pods take some ten milliseconds, apart from the threads that answer
        // requests.
        let own = Arc::clone(ask);
        let folded = spawn_blocking(move || {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(exporter) = &own.exporter {
                let heard = rows::Pages::of(&pages, n_pods);
                let answer = rows::answer(&own, exporter, heard, at, &mut memory.last);
                return answer.map_err(|error| (error, false));
            }
            let readings = memory.take(&own, pages, at);
            let is_mute = readings.iter().all(|(_, it)| matches!(it, Err(Silence::Failed(_))));
            let folded = fold::fold(&own, &Heard { readings, n_pods }, &mut memory.last);
            folded.map_err(|error| (error, is_mute))
        });
        let answer = folded.await.unwrap_or_else(|error| {
            tracing::error!(error = %ErrorChain(&error), "what pods say could not be read");
            Err(unknown("what the pods say could not be read".to_owned()))
        });
        let is_partial = answer.as_ref().is_ok_and(|it| it.note.is_some());
        if is_partial && !matches!(ask.across, Across::Each) {
            self.counts.used_in_part();
        }
        answer
    }

    /// The page of every pod, at most `limits::pods::AT_ONCE` at the same time.
    async fn pages_of(
        &self,
        caller: &Caller,
        ask: &PodsAsk,
        pods: &[PodPlace],
        at: Timestamp,
    ) -> Vec<(PodPlace, Arc<OnceCell<Fetched>>)> {
        let mut waiting = pods.iter();
        let mut running = FuturesUnordered::new();
        let mut done = Vec::with_capacity(pods.len());
        loop {
            while running.len() < limits::pods::AT_ONCE
                && let Some(pod) = waiting.next()
            {
                running.push(self.page_of(caller, ask, pod, at));
            }
            match running.next().await {
                Some(page) => done.push(page),
                None => return done,
            }
        }
    }

    async fn page_of(
        &self,
        caller: &Caller,
        ask: &PodsAsk,
        pod: &PodPlace,
        at: Timestamp,
    ) -> (PodPlace, Arc<OnceCell<Fetched>>) {
        let Fetch { wanted, page, at: _ } = self.shared(ask, &pod.uid, at);
        page.get_or_init(|| self.fetch(caller, &ask.page, pod, &wanted)).await;
        (pod.clone(), page)
    }

    /// The fetch that everybody shares who asks about this instant.
    fn shared(&self, ask: &PodsAsk, uid: &Arc<str>, at: Timestamp) -> Fetch {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        // A read that began before a change of the configuration asks for what nobody wants any more.
        let mut own = None;
        let fetches = match pages.get_mut(&*ask.page) {
            Some(fetches) => fetches,
            None => own.insert(Fetches::default()),
        };
        let wanted = match &fetches.wanted {
            Some(known) if ask.names().all(|name| known.includes(&name)) => Arc::clone(known),
            known => {
                // The next one who reads this page finds what is wanted for an engine that was told.
                let before = known.iter().flat_map(|it| it.names().map(str::to_owned));
                Arc::new(Wanted::new(before.chain(ask.names())))
            }
        };
        fetches.wanted = Some(Arc::clone(&wanted));
        let is_same = |it: &&Fetch| it.at == at && Arc::ptr_eq(&it.wanted, &wanted);
        if let Some(fetch) = fetches.newest.get(uid).filter(is_same) {
            return fetch.clone();
        }
        let fetch = Fetch { at, wanted, page: Arc::default() };
        let is_new = fetches.newest.insert(Arc::clone(uid), fetch.clone()).is_none();
        if is_new {
            // Pods that left are forgotten when others come.
            let oldest = at.checked_sub(limits::RATE_STALE).unwrap_or(Timestamp::MIN);
            fetches.newest.retain(|_, it| it.at >= oldest);
        }
        fetch
    }

    async fn fetch(
        &self,
        caller: &Caller,
        page: &PodPage,
        pod: &PodPlace,
        wanted: &Wanted,
    ) -> Fetched {
        let _permit = self.permits.acquire().await;
        let mut bytes = 0;
        let fetched = fetch(caller, page, pod, wanted, &mut bytes).await;
        self.counts.fetched(bytes, fetched.as_ref().err().map(ReadError::reason));
        fetched
    }
}

/// The pages that a signal may read, and what is wanted of each.
fn pages_of(ask: &Ask) -> Vec<(&PodPage, Vec<String>)> {
    match ask {
        Ask::Pods(ask) => vec![(&ask.page, ask.names().collect())],
        // What is wanted shows when the engine is told.
        Ask::Engine(any) => {
            let pages = any.engines.iter().filter_map(|it| it.page.as_deref());
            pages.map(|it| (it, Vec::new())).collect()
        }
        _ => Vec::new(),
    }
}

async fn fetch(
    caller: &Caller,
    page: &PodPage,
    pod: &PodPlace,
    wanted: &Wanted,
    bytes: &mut usize,
) -> Fetched {
    let port = choice::port(pod, &page.port).ok_or_else(|| {
        ReadError::Empty("no container names the port that the policy names".to_owned())
    })?;
    let address = pod.address.ok_or_else(|| ReadError::Empty("it has no address".to_owned()))?;
    let scheme = if page.tls.is_some() { "https" } else { "http" };
    let socket = core::net::SocketAddr::new(address, port);
    let request = caller.http.client.get(format!("{scheme}://{socket}{}", page.path));
    let request = request.headers(caller.headers.clone()).timeout(page.timeout);
    let mut sieve = Sieve::new(wanted);
    let streamed = caller.http.stream(request, |chunk| {
        *bytes += chunk.len();
        Ok(sieve.push(chunk)?)
    });
    // What a pod repeats of a secret is not told.
    let streamed = streamed.await.map_err(|error| caller.hidden.redacted(error))?;
    let format = Format::declared(streamed.as_deref());
    Ok((sieve.finish(format)?, format))
}

impl From<Unfit> for ReadError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TooMuch => {
                Self::TooLarge(limits::pods::PAGE_KEPT_BYTES_MAX, "bytes of wanted series")
            }
            Unfit::NotExposition | Unfit::Unfinished => Self::NotUnderstood(unfit.to_string()),
        }
    }
}

impl Memory {
    /// What each page says; counters are remembered for as long as their pods are seen.
    fn take(
        &mut self,
        ask: &PodsAsk,
        pages: Vec<(PodPlace, Arc<OnceCell<Fetched>>)>,
        at: Timestamp,
    ) -> Vec<PodReading> {
        let mut readings: Vec<PodReading> = Vec::with_capacity(pages.len());
        for (pod, page) in pages {
            let said = match page.get() {
                Some(Ok((page, format))) => {
                    let ledgers = self.ledgers.entry(Arc::clone(&pod.uid)).or_default();
                    reading::read((page, *format), ask, at, ledgers)
                }
                Some(Err(error)) => Err(Silence::Failed(error.clone())),
                None => Err(Silence::Failed(ReadError::WrongKind)),
            };
            readings.push((pod.name, said));
        }
        // In the order of names, so that replicas add up in the same order and tell the same pod.
        readings.sort_by(|(a, _), (b, _)| a.cmp(b));
        let oldest = at.checked_sub(limits::RATE_STALE).unwrap_or(Timestamp::MIN);
        self.ledgers.retain(|_, it| it.values().any(|it| it.seen().is_some_and(|at| at >= oldest)));
        readings
    }
}

#[cfg(test)]
mod tests;
