//! The composition root: settings in, a running adapter out. One paragraph per task.
//!
//! Rooms are made, joined by channels and shared snapshots, and started here; nothing is decided
//! here that a room could decide.

mod choices;
pub(crate) mod clock;
pub mod compare;
pub mod configuration;
pub mod demo;
pub mod explain;
mod external;
mod files;
pub mod import;
mod keeper;
mod metrics;
pub mod on_demand;
mod outside;
mod policies;
pub mod profiles;
mod queues;
mod read;
mod secrets;
mod self_metrics;
mod servers;
pub mod simulate;
mod status;
mod supply;
mod tasks;
mod tick;

use crate::api;
use crate::auth::AuthError;
use crate::cluster::ClusterError;
use crate::domain::environment::Environment;
use crate::domain::limits;
use crate::published::Published;
use crate::source::Reach;
use crate::source::pods::PodReader;
use crate::telemetry::health::{Check, Health};
use crate::tls::certificates::{Certificates, Origin};
use crate::tls::{Acceptor, TlsError};
use crate::web;
use crate::web::rules::RulesPage;
use configuration::{ConfigError, ConfigFiles, Follower, Loaded};
use files::look_every;
use metrics::Metrics;
use on_demand::{AskedPods, Needs, Pace};
use outside::{Outside, Own};
use queues::Queues;
use secrets::Vault;
use self_metrics::OfForecasts;
use servers::{BindError, Drain, Listener, Served, ServerMetrics};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tasks::{Ended, Tasks};
use tick::{Pulse, Tick};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the adapter needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration.
    pub config: ConfigFiles,
    /// With a cluster or without.
    pub mode: Mode,
    /// Where the metrics APIs are served; 0 takes a free port.
    pub secure_port: u16,
    /// Where metrics and health are served; 0 takes a free port.
    pub observability_port: u16,
    /// The serving certificate.
    pub certificate: Origin,
    /// How long readiness fails before the ports close.
    pub shutdown_delay: Duration,
    /// How often it is looked which series rules have.
    pub relists: Pace,
    /// What platforms hand to the process.
    pub environment: Environment,
}

/// With a cluster or without.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Behind kube-apiserver.
    Cluster {
        /// How to reach it; `None` for in-cluster, then KUBECONFIG.
        kubeconfig: Option<PathBuf>,
        /// For whom bearer tokens must be meant; the API server's own audience when empty.
        token_audiences: Vec<String>,
        /// The Service in front of Foresail, which its certificate and its APIServices name.
        service: String,
        /// The Secret of Foresail's namespace where the serving certificate is kept, if Foresail is to
        /// make it.
        serving_secret: Option<String>,
    },
    /// On loopback, for whoever has the token.
    Standalone {
        /// Where the token is read.
        token_file: PathBuf,
    },
}

/// Why the adapter cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificate cannot be used.
    #[error("failed to set up the serving certificate")]
    Tls(#[source] TlsError),
    /// The token cannot be used.
    #[error("failed to set up the bearer token")]
    Token(#[source] AuthError),
    /// There is no cluster.
    #[error("failed to connect to the cluster; use --standalone to do without")]
    Cluster(#[source] ClusterError),
    /// A port is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A task ended that never should.
    #[error("{0}; please report this")]
    TaskEnded(Ended),
}

impl AppError {
    /// Whether the user's input is at fault.
    #[must_use]
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::TaskEnded(_))
    }
}

/// An adapter whose ports are open; `run` makes it answer.
#[derive(Debug)]
pub struct App {
    secure: Listener,
    observability: Listener,
    tasks: Tasks,
    /// Ends everything but the servers.
    stop_work: CancellationToken,
    serving: Arc<Check>,
    shutdown_delay: Duration,
}

/// Reads the configuration and looks at it again from then on; also where its queues will find their
/// credentials.
fn follow_configuration(
    config: ConfigFiles,
    reach: Reach,
    metrics: &Metrics,
    tasks: &mut Tasks,
    stop_work: &CancellationToken,
) -> Result<(watch::Receiver<Arc<Loaded>>, Arc<Vault>), AppError> {
    let vault = Arc::new(Vault::default());
    let queues = Arc::new(Queues::new(Arc::clone(&vault), reach.clone(), metrics));
    let (follower, loaded) = Follower::start(config, metrics, (queues, reach))?;
    let run = look_every(follower, Follower::look, stop_work.clone());
    tasks.spawn("configuration", run);
    Ok((loaded, vault))
}

fn follow_certificates(
    origin: Origin,
    tasks: &mut Tasks,
    stop: &CancellationToken,
) -> Result<Arc<Certificates>, AppError> {
    let certificates = Certificates::load(origin, clock::now()).map_err(AppError::Tls)?;
    let look = |it: &mut Arc<Certificates>| drop(it.reload_once(clock::now()));
    let run = look_every(Arc::clone(&certificates), look, stop.clone());
    tasks.spawn("certificates", run);
    Ok(certificates)
}

/// How many metrics the configuration in use wants listed.
fn listed_max(loaded: watch::Receiver<Arc<Loaded>>) -> api::ListedMax {
    api::ListedMax::new(move || {
        let told = loaded.borrow().config.discovery_metrics_max;
        told.unwrap_or(limits::documents::METRICS_LISTED)
    })
}

impl App {
    /// Reads the configuration, opens the ports and starts to work. Must be called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// `AppError` when something that it cannot do without is missing or wrong.
    pub async fn build(settings: Settings) -> Result<Self, AppError> {
        let Settings { config, mode, environment, shutdown_delay, .. } = settings;
        let mut tasks = Tasks::default();
        let stop_work = CancellationToken::new();
        let mut registries = self_metrics::Registries::new();
        let mut health = Health::default();
        let published = Arc::new(Published::default());

        // The configuration file is read once here and followed from then on.
        let metrics = Metrics::register(registries.own());
        let reach = files::reach(environment);
        let (named_files, outer_reach) = (Arc::clone(&reach.files), reach.clone());
        let (loaded, vault) =
            follow_configuration(config, reach, &metrics, &mut tasks, &stop_work)?;

        // Certificates are read once here and looked at again from then on.
        let certificates = follow_certificates(settings.certificate, &mut tasks, &stop_work)?;

        // The door and the pods, from the cluster or without one.
        let (asked_pods, asked) = watch::channel(AskedPods::new());
        let own = Own::new(loaded, &metrics, &published, vault, &certificates, asked);
        let both = (&mut health, &mut registries);
        let Outside { door, pods, objects, places, loaded, mapping, supply, choices } =
            outside::connect(mode.clone(), own, &mut tasks, &stop_work, both).await?;
        let door = Arc::new(door);

        // What rules make is listed again and again, and read once somebody asks.
        let (asked_pods, known) = (Arc::new(asked_pods), Arc::clone(&pods));
        let needs = Needs { pace: settings.relists, mapping, pods: known, asked_pods, objects };
        let on_demand =
            on_demand::serve(needs, loaded.clone(), &mut tasks, &mut health, &stop_work);
        let rules = RulesPage { board: Arc::clone(&on_demand.board), now: clock::now };
        self_metrics::rules(registries.own(), &rules.board);

        let external = external::follow(loaded.clone(), outer_reach, &mut tasks, stop_work.clone());
        let listed = loaded.clone();
        let of_forecasts = OfForecasts::new(&loaded, &published, supply.as_ref());

        // The tick reads, evaluates and publishes; a pulse shows that it turns.
        let pulse = Pulse::start();
        tasks.spawn("pulse", pulse.clone().watch(health.add_live("tick"), stop_work.clone()));
        let first = health.add_ready("first-evaluation");
        let (desk, inquiries) = web::explain::desk();
        let pod_reader = Arc::new(PodReader::new(places, named_files));
        self_metrics::pod_pages(registries.own(), pod_reader.counts());
        let reach = tick::Reach { supply, choices, pods: pod_reader, inquiries };
        let tick = Tick::new(Arc::clone(&published), reach, &metrics, pulse, first);
        tasks.spawn("tick", tick.run(loaded, stop_work.clone()));

        // The servers answer from what is published.
        let serving = health.add_ready("serving");
        let health = Arc::new(health);
        let api_metrics = api::metrics::register(registries.root());
        self_metrics::door(registries.own(), &door);
        self_metrics::certificates(registries.own(), &certificates);
        self_metrics::forecasts(registries.own(), of_forecasts);
        let router = api::router(api::Face {
            published,
            on_demand,
            door,
            pods,
            health: Arc::clone(&health),
            metrics: api_metrics,
            clock: api::Clock::new(clock::both),
            listed_max: listed_max(listed),
            external: api::ExternalRules::new(move || external.borrow().clone()),
        });
        let is_local = matches!(mode, Mode::Standalone { .. });
        let acceptor = Some(Acceptor::new(certificates).map_err(AppError::Tls)?);
        let servers = ServerMetrics::register(registries.own());
        let bind = async |port, served| Listener::bind(port, is_local, served, &servers).await;
        let secure =
            bind(settings.secure_port, Served { name: "secure", acceptor, router }).await?;
        let router = web::router(registries.finish(), health, desk, rules);
        let served = Served { name: "observability", acceptor: None, router };
        let observability = bind(settings.observability_port, served).await?;
        Ok(Self { secure, observability, tasks, stop_work, serving, shutdown_delay })
    }

    /// Where the metrics APIs are served.
    #[must_use]
    pub fn secure_address(&self) -> SocketAddr {
        self.secure.address()
    }

    /// Where metrics and health are served.
    #[must_use]
    pub fn observability_address(&self) -> SocketAddr {
        self.observability.address()
    }

    /// Answers until `stop`; then readiness fails, requests in flight finish, and all tasks end.
    ///
    /// # Errors
    /// `AppError::TaskEnded` when a task ends before it was told to.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), AppError> {
        let drain = Drain::default();
        tracing::info!(
            secure = %self.secure.address(),
            observability = %self.observability.address(),
            "serving"
        );
        let mut servers = JoinSet::new();
        servers.spawn(self.secure.serve(drain.clone()));
        servers.spawn(self.observability.serve(drain.clone()));
        self.serving.set(true);

        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            Some(ended) = self.tasks.next() => Err(AppError::TaskEnded(ended)),
        };
        self.serving.set(false);
        if ended.is_ok() {
            tracing::info!(delay = ?self.shutdown_delay, "not ready any more; still answering");
            tokio::time::sleep(self.shutdown_delay).await;
        }
        drain.begin();
        while servers.join_next().await.is_some() {}
        self.stop_work.cancel();
        while self.tasks.next().await.is_some() {}
        tracing::info!("stopped");
        ended
    }
}
