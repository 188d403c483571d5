//! The configuration file: read at the start, looked at again and again, taken over when it is
//! good. A bad edit is refused and the last good one keeps running.

use crate::app::metrics::Metrics;
use crate::app::read::Sources;
use crate::document::fault::Fault;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::name::PolicyKey;
use crate::policy::{Config, Policy, resolve};
use crate::source::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A configuration in use, with its sources ready to be read.
#[derive(Debug)]
pub struct Loaded {
    /// What was configured.
    pub config: Config,
    pub(crate) sources: Sources,
    /// The policies that are not what they were before.
    pub(crate) changed: BTreeSet<PolicyKey>,
}

/// Why a configuration file cannot be used as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read the configuration `{path}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The file cannot be trusted.
    #[error("the configuration `{path}` has {} fault(s)", faults.len())]
    Faulty {
        /// Which file.
        path: PathBuf,
        /// All of them.
        faults: Vec<Fault>,
    },
    /// A source cannot be set up.
    #[error(transparent)]
    Source(#[from] crate::source::SetupError),
}

/// Reads and settles a configuration file.
///
/// # Errors
/// When the file as a whole cannot be used; what is wrong inside one source or policy is listed
/// in the result.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    settle(path, &content(path)?)
}

fn content(path: &Path) -> Result<Vec<u8>, ConfigError> {
    use std::io::Read;
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut content = Vec::new();
    let most = u64::try_from(limits::CONFIG_BYTES_MAX).unwrap_or(u64::MAX);
    // One byte more than allowed, so that a larger file is found out without being read.
    file.take(most.saturating_add(1)).read_to_end(&mut content).map_err(unreadable)?;
    Ok(content)
}

fn settle(path: &Path, content: &[u8]) -> Result<Config, ConfigError> {
    let text = std::str::from_utf8(content).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        cause: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
    })?;
    resolve::load(text).map_err(|faults| ConfigError::Faulty { path: path.to_owned(), faults })
}

/// Follows one file.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    content: Vec<u8>,
    metrics: Metrics,
    loaded: watch::Sender<Arc<Loaded>>,
}

impl Follower {
    /// Reads the file for the first time.
    pub(crate) fn start(
        path: &Path,
        metrics: &Metrics,
    ) -> Result<(Self, watch::Receiver<Arc<Loaded>>), ConfigError> {
        let content = content(path)?;
        let config = settle(path, &content)?;
        log_faults(&config);
        let loaded = load(config, &Config::default(), metrics)?;
        metrics.config_loaded(&loaded.config);
        let (sender, receiver) = watch::channel(Arc::new(loaded));
        let follower =
            Self { path: path.to_owned(), content, metrics: metrics.clone(), loaded: sender };
        Ok((follower, receiver))
    }

    /// Looks at the file every `limits::FILES_POLL` until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut timer = tokio::time::interval(limits::FILES_POLL);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = timer.tick() => self.look(),
            }
        }
    }

    /// Takes the file over if it changed and is good. Each content is judged once, so that a bad
    /// one is reported once.
    pub(crate) fn look(&mut self) {
        let content = match content(&self.path) {
            Ok(content) if content == self.content => return,
            Ok(content) => content,
            // While it is being replaced, a file may be away for a moment.
            Err(error) => {
                tracing::debug!(error = %ErrorChain(&error), "configuration unreadable");
                return;
            }
        };
        let before = Arc::clone(&self.loaded.borrow());
        let loaded = settle(&self.path, &content).and_then(|config| {
            log_faults(&config);
            load(keep_good(config, &before.config), &before.config, &self.metrics)
        });
        self.content = content;
        match loaded {
            Ok(loaded) => {
                self.metrics.config_loaded(&loaded.config);
                let policies = loaded.config.policies.len();
                tracing::info!(policies, "configuration reloaded");
                self.loaded.send_replace(Arc::new(loaded));
            }
            Err(error) => {
                self.metrics.config_refused();
                tracing::error!(
                    error = %ErrorChain(&error),
                    "configuration refused; the last good one keeps running"
                );
                if let ConfigError::Faulty { faults, .. } = &error {
                    faults.iter().for_each(log_fault);
                }
            }
        }
    }
}

/// A policy that was good and is broken now keeps running as it was.
fn keep_good(mut config: Config, before: &Config) -> Config {
    let sources: BTreeSet<_> = config.sources.iter().map(|it| &it.name).collect();
    let is_readable =
        |policy: &Policy| policy.signals.iter().all(|it| sources.contains(&it.source));
    let kept: Vec<Arc<Policy>> = before
        .policies
        .iter()
        .filter(|policy| config.broken.iter().any(|it| it.key.as_ref() == Some(&policy.key)))
        .filter(|policy| !config.policies.iter().any(|it| it.metric_key() == policy.metric_key()))
        .filter(|policy| is_readable(policy))
        .cloned()
        .collect();
    for policy in &kept {
        tracing::warn!(policy = %policy.key, "broken in the new configuration; kept as it was");
    }
    config.policies.extend(kept);
    config
}

fn load(config: Config, before: &Config, metrics: &Metrics) -> Result<Loaded, ConfigError> {
    let sources: Result<Vec<_>, _> = config
        .sources
        .iter()
        .map(|it| Ok((it.name.clone(), Source::new(it)?, metrics.source(&it.name))))
        .collect();
    let sources = sources.map_err(ConfigError::Source)?;
    let is_same = |policy: &Arc<Policy>| before.policies.iter().any(|it| it == policy);
    let changed =
        config.policies.iter().filter(|it| !is_same(it)).map(|it| it.key.clone()).collect();
    Ok(Loaded { sources: Sources::new(sources), config, changed })
}

fn log_faults(config: &Config) {
    config.faults.iter().for_each(log_fault);
}

fn log_fault(fault: &Fault) {
    let place = fault.position.map(|it| it.to_string()).unwrap_or_default();
    let hint = fault.hint.as_deref().unwrap_or_default();
    tracing::error!(place, hint, "configuration: {fault}");
}
