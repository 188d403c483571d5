//! The configuration file: read at the start, looked at again and again, taken over when it is
//! good. A bad edit is refused and the last good one keeps running.

pub mod profiles;
mod rules;

use crate::app::metrics::Metrics;
use crate::app::policies::Verdicts;
use crate::app::queues::Queues;
use crate::app::read::Sources;
use crate::document::fault::Fault;
use crate::document::path::Path as DocumentPath;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::import::prometheus_adapter::{self, Server};
use crate::policy::crd::{self, Unsupported};
use crate::policy::profile::Profiles;
use crate::policy::resolve::objects::manifests::{self, Manifests};
use crate::policy::{Config, SourceKind, SourceSettings, resolve};
use crate::rules::Rules;
use crate::source::{Reach, Source};
use profiles::Written;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// A configuration in use, with its sources ready to be read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What was configured.
    pub config: Config,
    pub(crate) sources: Sources,
    /// The rules of prometheus-adapter.
    pub(crate) rules: Arc<Rules>,
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

/// Where a configuration lies.
#[derive(Clone, Debug)]
pub struct ConfigFiles {
    /// The configuration file.
    pub config: PathBuf,
    /// The folder with profiles that take the place of built-in ones.
    pub profiles: Option<PathBuf>,
    /// Where Prometheus is, for a file of prometheus-adapter, which does not say.
    pub server: Option<Server>,
}

/// Reads and settles a configuration file.
///
/// # Errors
/// When the file as a whole cannot be used; what is wrong inside one source or policy is listed
/// in the result.
pub fn read(files: &ConfigFiles) -> Result<Config, ConfigError> {
    Ok(Contents::read(files)?.settle(files)?.config)
}

/// Reads and settles a configuration file, or one with objects as they are applied; and what such
/// objects do not say themselves.
///
/// # Errors
/// When the file as a whole cannot be used.
pub fn read_any(files: &ConfigFiles) -> Result<Read, ConfigError> {
    let contents = Contents::read(files)?;
    let faulty = |faults| ConfigError::Faulty { path: files.config.clone(), faults };
    if contents.config.len() <= limits::CONFIG_BYTES_MAX
        && let Ok(text) = std::str::from_utf8(&contents.config)
        && let Some(manifests) =
            manifests::load(text, &profiles::settle(&contents.profiles)?).map_err(faulty)?
    {
        return Ok(Read { manifests, rules: Arc::default(), is_old: false });
    }
    let is_old = contents.is_of_prometheus_adapter();
    let mut files = files.clone();
    if is_old {
        // Who does not ask Prometheus need not know where it is.
        files.server.get_or_insert_default();
    }
    let Settled { config, rules } = contents.settle(&files)?;
    Ok(Read { manifests: Manifests { config, ..Manifests::default() }, rules, is_old })
}

/// What was read to be looked at, and not to be served.
#[derive(Clone, Debug)]
pub struct Read {
    /// The policies and sources.
    pub manifests: Manifests,
    /// The rules.
    pub rules: Arc<Rules>,
    /// Whether it is a file of prometheus-adapter.
    pub is_old: bool,
}

/// The definitions of the objects that hold policies in a cluster, as YAML.
///
/// # Errors
/// When a type has a shape that the API server does not take: a defect of Foresail.
pub fn definitions() -> Result<String, Unsupported> {
    crd::manifest()
}

/// What stands in the files.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    config: Vec<u8>,
    profiles: Vec<Written>,
}

impl Contents {
    fn read(files: &ConfigFiles) -> Result<Self, ConfigError> {
        let ConfigFiles { config, profiles, server: _ } = files;
        let profiles = profiles::read(profiles.as_deref())?;
        Ok(Self { config: content(config)?, profiles })
    }

    /// Whether the file is prometheus-adapter's.
    fn is_of_prometheus_adapter(&self) -> bool {
        let is_small = self.config.len() <= limits::CONFIG_BYTES_MAX;
        let text = std::str::from_utf8(&self.config).ok().filter(|_| is_small);
        text.is_some_and(prometheus_adapter::is_configuration)
    }

    fn settle(&self, files: &ConfigFiles) -> Result<Settled, ConfigError> {
        let profiles = profiles::settle(&self.profiles)?;
        let path = &files.config;
        let text = text(path, &self.config)?;
        let faulty = |faults| ConfigError::Faulty { path: path.clone(), faults };
        let config = configured(text, &profiles, files.server.as_ref()).map_err(faulty)?;
        rules::with_rules(config, text).map_err(faulty)
    }
}

/// What a file says beside its rules; of prometheus-adapter's, its flags say that.
fn configured(
    text: &str,
    profiles: &Arc<Profiles>,
    server: Option<&Server>,
) -> Result<Config, Vec<Fault>> {
    let fault = |problem: &str| Fault::new(DocumentPath::default(), problem);
    let Some(server) = server else {
        if prometheus_adapter::is_configuration(text) {
            let fault = fault("this is a configuration of prometheus-adapter");
            let hint = "give the flags of its Deployment, `--prometheus-url` above all, to `foresail \
                        serve`, or say it in Foresail's words: `foresail import prometheus-adapter`";
            return Err(vec![fault.hint(hint)]);
        }
        return resolve::load_with(text, profiles);
    };
    if !prometheus_adapter::is_configuration(text) {
        let mut config = resolve::load_with(text, profiles)?;
        let fault = fault("`--prometheus-url` and its like have no effect on this file");
        config.warnings.push(fault.hint("its `sources` say where Prometheus is"));
        return Ok(config);
    }
    let placeless = |mut fault: Fault| {
        (fault.path, fault.position) = (DocumentPath::default(), None);
        fault
    };
    let flags = resolve::load_with(&prometheus_adapter::head(server), profiles);
    let mut config =
        flags.map_err(|faults| faults.into_iter().map(placeless).collect::<Vec<_>>())?;
    config.faults = config.faults.into_iter().map(placeless).collect();
    config.warnings = config.warnings.into_iter().map(placeless).collect();
    Ok(config)
}

/// What the files come to.
struct Settled {
    config: Config,
    rules: Arc<Rules>,
}

/// A file, one byte more than allowed, so that a larger one is found out without being read.
fn content(path: &Path) -> Result<Vec<u8>, ConfigError> {
    use std::io::Read;
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut content = Vec::new();
    let most = u64::try_from(limits::CONFIG_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1)).read_to_end(&mut content).map_err(unreadable)?;
    Ok(content)
}

fn text<'c>(path: &Path, content: &'c [u8]) -> Result<&'c str, ConfigError> {
    std::str::from_utf8(content).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        cause: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
    })
}

/// Follows the file, and the profiles beside it.
#[derive(Debug)]
pub(crate) struct Follower {
    files: ConfigFiles,
    contents: Contents,
    is_unreadable: bool,
    metrics: Metrics,
    queues: Arc<Queues>,
    reach: Reach,
    loaded: watch::Sender<Arc<Loaded>>,
}

impl Follower {
    /// Reads the file for the first time.
    pub(crate) fn start(
        files: ConfigFiles,
        metrics: &Metrics,
        (queues, reach): (Arc<Queues>, Reach),
    ) -> Result<(Self, watch::Receiver<Arc<Loaded>>), ConfigError> {
        let contents = Contents::read(&files)?;
        let Settled { config, rules } = contents.settle(&files)?;
        log_all(&files.config, &config);
        metrics.config_loaded(&config);
        let loading = load(config, rules, metrics, (&queues, &reach));
        let (sender, receiver) = watch::channel(Arc::new(loading));
        let follower = Self {
            files,
            contents,
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
        let contents = match Contents::read(&self.files) {
            Ok(contents) => contents,
            Err(error) => return self.note_unreadable(&error),
        };
        if std::mem::take(&mut self.is_unreadable) {
            tracing::info!("the configuration can be read again");
        }
        if contents == self.contents {
            return;
        }
        let parsed = contents.settle(&self.files);
        self.contents = contents;
        match parsed {
            Ok(settled) => self.take_over(settled),
            Err(error) => self.refuse(&error),
        }
    }

    fn take_over(&self, Settled { config, rules }: Settled) {
        log_all(&self.files.config, &config);
        let before = Arc::clone(&self.loaded.borrow());
        let (config, kept) = config.keep_good(&before.config);
        let (rules, kept_rules) = rules::keep_good(&rules, &before.rules, &config);
        for what in kept.into_iter().chain(kept_rules) {
            tracing::warn!("{what} is broken in the new configuration and kept as it was");
        }
        self.metrics.config_loaded(&config);
        tracing::info!(policies = config.policies.len(), "configuration reloaded");
        let queues = (&self.queues, &self.reach);
        let loading = load(config, Arc::new(rules), &self.metrics, queues);
        self.loaded.send_replace(Arc::new(loading));
    }

    fn refuse(&self, error: &ConfigError) {
        self.metrics.config_refused();
        let error_shown = ErrorChain(error);
        tracing::error!(
            error = %error_shown,
            "configuration refused; the last good one keeps running"
        );
        if let ConfigError::Faulty { path, faults } = error {
            log_faults(path, faults);
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

fn load(
    config: Config,
    rules: Arc<Rules>,
    metrics: &Metrics,
    (queues, reach): (&Arc<Queues>, &Reach),
) -> Loaded {
    // The pods of an exporter are read by the one reader of all pods.
    let is_own = |it: &&SourceSettings| !matches!(it.kind, SourceKind::Pods(_));
    let sources = config.sources.iter().filter(is_own).map(|settings| {
        let source = Source::new(settings, reach).map_err(|error| {
            let error = ErrorChain(&error).to_string();
            tracing::error!(source = %settings.name, error, "source cannot be used");
            error
        });
        (settings.name.clone(), source, metrics.source(&settings.name))
    });
    let sources = Sources::new(sources.collect(), Arc::clone(queues));
    Loaded { config, sources, rules, verdicts: Verdicts::new(), is_whole: true }
}

/// Everything that is wrong, and what is not wrong but may mislead.
fn log_all(path: &Path, config: &Config) {
    log_faults(path, &config.faults);
    for warning in &config.warnings {
        let (place, hint) = (place(path, warning), warning.hint.as_deref().unwrap_or_default());
        tracing::warn!(place, hint, "configuration: {warning}");
    }
}

/// One line for each.
fn log_faults(path: &Path, faults: &[Fault]) {
    for fault in faults {
        let (place, hint) = (place(path, fault), fault.hint.as_deref().unwrap_or_default());
        tracing::error!(place, hint, "configuration: {fault}");
    }
}

/// Where it is, as compilers write it.
fn place(path: &Path, fault: &Fault) -> String {
    let position = fault.position.map(|it| format!(":{it}")).unwrap_or_default();
    format!("{}{position}", path.display())
}
