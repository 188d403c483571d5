//! The servers that policies' queues are on: one client for each, whoever asks, from one
//! configuration to the next.

use crate::app::metrics::Metrics;
use crate::app::read::MeteredSource;
use crate::app::secrets::Vault;
use crate::domain::name::SourceName;
use crate::domain::ports::Secrets;
use crate::policy::queue::QueueServer;
use crate::policy::{Ask, Config};
use crate::source::{Queue, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// All servers that are in use.
#[derive(Debug)]
pub(crate) struct Queues {
    vault: Arc<Vault>,
    metrics: Metrics,
    servers: Mutex<BTreeMap<QueueServer, Arc<MeteredSource>>>,
}

impl Queues {
    pub(crate) fn new(vault: Arc<Vault>, metrics: &Metrics) -> Self {
        Self { vault, metrics: metrics.clone(), servers: Mutex::default() }
    }

    /// The client of a server, which is made when somebody asks for it first.
    pub(crate) fn get(&self, name: &SourceName, server: &QueueServer) -> Arc<MeteredSource> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = servers.get(server).cloned();
        known.unwrap_or_else(|| {
            let secrets: Arc<dyn Secrets> = Arc::<Vault>::clone(&self.vault);
            let source = Source::Queue(Box::new(Queue::new(server, secrets)));
            let metered = Arc::new(MeteredSource::new(Ok(source), self.metrics.source(name)));
            servers.insert(server.clone(), Arc::clone(&metered));
            metered
        })
    }

    /// Lets go of the servers that no policy asks any more; a read that is under way ends first.
    pub(crate) fn keep_used(&self, config: &Config) {
        let signals = config.policies.iter().flat_map(|it| &it.signals);
        let used: BTreeSet<&QueueServer> = signals
            .filter_map(|signal| match &signal.ask {
                Ask::Queue(ask) => Some(&ask.server),
                Ask::Query { .. }
                | Ask::Series { .. }
                | Ask::Pods(_)
                | Ask::Engine(_)
                | Ask::Schedule(_) => None,
            })
            .collect();
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|server, _| used.contains(server));
    }
}
