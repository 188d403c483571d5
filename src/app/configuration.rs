//! The configuration file: read at the start, looked at again and again, taken over when it is
//! good. A bad edit is refused and the last good one keeps running.

use crate::app::metrics::Metrics;
use crate::app::policies::Verdicts;
use crate::app::queues::Queues;
use crate::app::read::Sources;
use crate::document::fault::Fault;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::policy::crd::{self, Unsupported};
use crate::policy::resolve::objects::manifests::{self, Manifests};
use crate::policy::{Config, resolve};
use crate::source::{Reach, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// A configuration in use, with its sources ready to be read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What was configured.
    pub config: Config,
    pub(crate) sources: Sources,
    /// What became of the cluster's objects.
    pub(crate) verdicts: Verdicts,
    /// Whether nothing is missing: the cluster's objects may come later than the file.
    pub(crate) is_whole: bool,
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
}

/// Reads and settles a configuration file.
///
/// # Errors
/// When the file as a whole cannot be used; what is wrong inside one source or policy is listed
/// in the result.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    parse(path, &content(path)?)
}

/// Reads and settles a configuration file, or one with objects as they are applied; and what such
/// objects do not say themselves.
///
/// # Errors
/// When the file as a whole cannot be used.
pub fn read_any(path: &Path) -> Result<Manifests, ConfigError> {
    let content = content(path)?;
    let faulty = |faults| ConfigError::Faulty { path: path.to_owned(), faults };
    if content.len() <= limits::CONFIG_BYTES_MAX
        && let Ok(text) = std::str::from_utf8(&content)
        && let Some(manifests) = manifests::load(text).map_err(faulty)?
    {
        return Ok(manifests);
    }
    Ok(Manifests { config: parse(path, &content)?, ..Manifests::default() })
}

/// The definitions of the objects that hold policies in a cluster, as YAML.
///
/// # Errors
/// When a type has a shape that the API server does not take: a defect of Foresail.
pub fn definitions() -> Result<String, Unsupported> {
    crd::manifest()
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

fn parse(path: &Path, content: &[u8]) -> Result<Config, ConfigError> {
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
    is_unreadable: bool,
    metrics: Metrics,
    queues: Arc<Queues>,
    reach: Reach,
    loaded: watch::Sender<Arc<Loaded>>,
}

impl Follower {
    /// Reads the file for the first time.
    pub(crate) fn start(
        path: &Path,
        metrics: &Metrics,
        (queues, reach): (Arc<Queues>, Reach),
    ) -> Result<(Self, watch::Receiver<Arc<Loaded>>), ConfigError> {
        let content = content(path)?;
        let config = parse(path, &content)?;
        log_faults(path, &config.faults);
        metrics.config_loaded(&config);
        let loading = load(config, metrics, (&queues, &reach));
        let (sender, receiver) = watch::channel(Arc::new(loading));
        let follower = Self {
            path: path.to_owned(),
            content,
            is_unreadable: false,
            metrics: metrics.clone(),
            queues,
            reach,
            loaded: sender,
        };
        Ok((follower, receiver))
    }

    /// Takes the file over if it changed and is good. Each content is judged once, so that a bad
    /// one is reported once.
    pub(crate) fn look(&mut self) {
        let content = match content(&self.path) {
            Ok(content) => content,
            Err(error) => return self.note_unreadable(&error),
        };
        if std::mem::take(&mut self.is_unreadable) {
            tracing::info!("the configuration can be read again");
        }
        if content == self.content {
            return;
        }
        let parsed = parse(&self.path, &content);
        self.content = content;
        match parsed {
            Ok(config) => self.take_over(config),
            Err(error) => self.refuse(&error),
        }
    }

    fn take_over(&self, config: Config) {
        log_faults(&self.path, &config.faults);
        let (config, kept) = config.keep_good(&self.loaded.borrow().config);
        for what in kept {
            tracing::warn!("{what} is broken in the new configuration and kept as it was");
        }
        self.metrics.config_loaded(&config);
        tracing::info!(policies = config.policies.len(), "configuration reloaded");
        let loading = load(config, &self.metrics, (&self.queues, &self.reach));
        self.loaded.send_replace(Arc::new(loading));
    }

    fn refuse(&self, error: &ConfigError) {
        self.metrics.config_refused();
        let error_shown = ErrorChain(error);
        tracing::error!(
            error = %error_shown,
            "configuration refused; the last good one keeps running"
        );
        if let ConfigError::Faulty { faults, .. } = error {
            log_faults(&self.path, faults);
        }
    }

    /// Told once, until it can be read again.
    fn note_unreadable(&mut self, error: &ConfigError) {
        self.metrics.config_unreadable();
        if !std::mem::replace(&mut self.is_unreadable, true) {
            let error = ErrorChain(error);
            tracing::warn!(%error, "configuration unreadable; the last good one keeps running");
        }
    }
}

fn load(config: Config, metrics: &Metrics, (queues, reach): (&Arc<Queues>, &Reach)) -> Loaded {
    let sources = config.sources.iter().map(|settings| {
        let source = Source::new(settings, reach).map_err(|error| {
            let error = ErrorChain(&error).to_string();
            tracing::error!(source = %settings.name, error, "source cannot be used");
            error
        });
        (settings.name.clone(), source, metrics.source(&settings.name))
    });
    let sources = Sources::new(sources.collect(), Arc::clone(queues));
    Loaded { config, sources, verdicts: Verdicts::new(), is_whole: true }
}

/// One line for each, with its place as compilers write it.
fn log_faults(path: &Path, faults: &[Fault]) {
    for fault in faults {
        let position = fault.position.map(|it| format!(":{it}")).unwrap_or_default();
        let place = format!("{}{position}", path.display());
        let hint = fault.hint.as_deref().unwrap_or_default();
        tracing::error!(place, hint, "configuration: {fault}");
    }
}
