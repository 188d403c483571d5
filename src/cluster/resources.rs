//! Which resources the cluster has: its discovery, asked again and again, as the mapping that binds
//! rules.
//!
//! In comes what every user of the cluster may read, out goes the newest mapping; the last good one
//! stays while the API server fails. An API server that writes all of it in one document says in a
//! line that nothing changed, so a new definition is known within `DISCOVERY_INTERVAL`, without the
//! right to watch definitions.

mod documents;

use crate::cluster::resources::documents::Offer;
use crate::cluster::{Client, whole};
use crate::domain::limits::on_demand::{
    DISCOVERY_BYTES_MAX, DISCOVERY_WAIT_MAX, FIRST_DISCOVERY_MAX, OLD_DISCOVERY_INTERVAL,
};
use crate::rules::resources::RestMapping;
use futures::AsyncReadExt;
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request, StatusCode};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// All resources in one document, where the server knows that; else the list of groups.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// Asks for the cluster's resources.
pub struct Discovery {
    client: Client,
    core: Page,
    groups: Page,
    every: Duration,
    counts: Arc<Counts>,
}

/// What became of the looks.
#[derive(Debug, Default)]
pub struct Counts {
    resources: AtomicU64,
    left_out: AtomicU64,
    failures: AtomicU64,
    is_failing: AtomicBool,
}

/// A document, and what tells that it is still the same.
#[derive(Debug)]
struct Page {
    path: &'static str,
    etag: Option<HeaderValue>,
}

impl Counts {
    /// How many resources are known.
    #[must_use]
    pub fn resources(&self) -> u64 {
        self.resources.load(Ordering::Relaxed)
    }

    /// How many more the cluster has.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// How often they could not be read since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Takes in what became of one look; logs the change, not the state.
    fn note(&self, problem: Option<&str>) {
        let is_failing = problem.is_some();
        let was_failing = self.is_failing.swap(is_failing, Ordering::Relaxed);
        if let Some(problem) = problem {
            self.failures.fetch_add(1, Ordering::Relaxed);
            if !was_failing {
                warn!(problem, "the cluster's resources cannot be read; the last known ones stay");
            }
        } else if was_failing {
            info!("the cluster's resources can be read again");
        }
    }

    fn note_known(&self, mapping: &RestMapping, left_out: usize) {
        let number = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        let resources = number(mapping.resources().len());
        self.resources.store(resources, Ordering::Relaxed);
        let before = self.left_out.swap(number(left_out), Ordering::Relaxed);
        if left_out > 0 && before == 0 {
            warn!(resources, left_out, "the cluster has too many resources; rules know the first");
        }
    }
}

impl Discovery {
    /// Asks through this client; `every` is how often it asks whether anything changed
    /// (`DISCOVERY_INTERVAL`).
    #[must_use]
    pub fn new(client: Client, every: Duration) -> Self {
        let page = |path| Page { path, etag: None };
        let counts = Arc::default();
        Self { client, core: page("/api"), groups: page("/apis"), every, counts }
    }

    /// What became of its looks.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// The resources at the start, so that rules are not bound twice; those of every cluster when the
    /// API server does not tell in time.
    pub async fn first(&mut self) -> RestMapping {
        let usual = RestMapping::usual();
        self.look_within(FIRST_DISCOVERY_MAX, &usual).await.unwrap_or(usual)
    }

    /// Keeps `mapping` up to date until `stop` is cancelled.
    pub async fn follow(
        mut self,
        mapping: watch::Sender<Arc<RestMapping>>,
        stop: CancellationToken,
    ) {
        loop {
            let pause = tokio::time::sleep(self.pause());
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
            let last = Arc::clone(&mapping.borrow());
            let looked = self.look_within(DISCOVERY_WAIT_MAX, &last);
            let Some(found) = stop.run_until_cancelled(looked).await else { return };
            if let Some(found) = found.filter(|it| *it != *last) {
                info!(resources = found.resources().len(), "the cluster has other resources");
                mapping.send_replace(Arc::new(found));
            }
        }
    }

    fn pause(&self) -> Duration {
        let is_failing = self.counts.is_failing.load(Ordering::Relaxed);
        let is_told = self.core.etag.is_some() && self.groups.etag.is_some();
        if is_failing || is_told { self.every } else { OLD_DISCOVERY_INTERVAL }
    }

    /// What there is now; `None` where it is what it was, or cannot be read.
    async fn look_within(&mut self, limit: Duration, last: &RestMapping) -> Option<RestMapping> {
        let late = || Err(format!("the API server took longer than {} s", limit.as_secs()));
        match timeout(limit, self.changed()).await.unwrap_or_else(|_| late()) {
            Ok(offers) => {
                self.counts.note(None);
                let (mapping, left_out) = documents::mapping(offers?, last);
                self.counts.note_known(&mapping, left_out);
                Some(mapping)
            }
            Err(problem) => {
                self.forget();
                self.counts.note(Some(&problem));
                None
            }
        }
    }

    /// The next look reads everything.
    fn forget(&mut self) {
        (self.core.etag, self.groups.etag) = (None, None);
    }

    async fn changed(&mut self) -> Result<Option<Vec<Offer>>, String> {
        let is_same = self.core.is_same(&self.client).await?;
        if self.groups.is_same(&self.client).await? && is_same {
            return Ok(None);
        }
        let core = read(&self.client, self.core.path).await?;
        let groups = read(&self.client, self.groups.path).await?;
        let both = (documents::aggregated(&core), documents::aggregated(&groups));
        if let (Some(mut offers), Some(others)) = both {
            offers.extend(others);
            return Ok(Some(offers));
        }
        // An older API server: a document for each version.
        let bad = |error: serde_json::Error| format!("its discovery cannot be read: {error}");
        let mut offers = documents::versions(&core, &groups).map_err(bad)?;
        for offer in &mut offers {
            let api_version = offer.api_version();
            let root = if offer.group.is_empty() { "/api" } else { "/apis" };
            // A server behind the API server that is down takes nobody else's resources with it.
            let document = read(&self.client, &format!("{root}/{api_version}")).await;
            offer.resources = document.ok().and_then(|it| documents::resources(&it).ok());
        }
        Ok(Some(offers))
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Page {
    /// Whether it is what it was. It is not read here: what the server sends of it is thrown away.
    async fn is_same(&mut self, client: &Client) -> Result<bool, String> {
        let mut request = Request::get(self.path).header(ACCEPT, AGGREGATED);
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let request = request.body(Vec::new().into()).map_err(|error| error.to_string())?;
        let response = client.send(request).await.map_err(|error| whole(&error))?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(true);
        }
        self.etag = response.headers().get(ETAG).cloned();
        Ok(false)
    }
}

async fn read(client: &Client, path: &str) -> Result<Vec<u8>, String> {
    let request = Request::get(path).header(ACCEPT, AGGREGATED);
    let request = request.body(Vec::new()).map_err(|error| error.to_string())?;
    let body = client.request_stream(request).await.map_err(|error| whole(&error))?;
    let limit = u64::try_from(DISCOVERY_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let mut body = pin!(body.take(limit.saturating_add(1)));
    body.read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    if bytes.len() > DISCOVERY_BYTES_MAX {
        return Err(format!("{path} is longer than {DISCOVERY_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
