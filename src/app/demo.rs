//! The embedded demo: a simulated fleet on one side, the real adapter in the middle, the HPA's
//! arithmetic on the other side, and nothing between them but HTTP.
//!
//! Simulated time runs `speed` times as fast as the clock; the durations of the demo's
//! configuration are divided by it, so that the adapter sees the proportions of real life.

mod hpa;
mod page;

use crate::app::configuration::ConfigFiles;
use crate::app::on_demand::Pace;
use crate::app::servers::BindError;
use crate::app::{App, AppError, Mode, Settings};
use crate::domain::duration::Shown;
use crate::domain::environment::Environment;
use crate::domain::error_chain::ErrorChain;
use crate::simulate::SimulateError;
use crate::simulate::demand::{Demand, DemandSettings};
use crate::simulate::fleet::{Fleet, FleetSettings, Totals};
use crate::tls::certificates::Origin;
use hpa::{Scaler, Served};
use page::Page;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Monday, ten past nine: the load is rising.
const BEGIN: Duration = Duration::from_secs(9 * 3600 + 600);
/// From "the HPA raises the count" to "the pod serves".
pub const LEAD_TIME: Duration = Duration::from_secs(180);
/// How many requests one pod works on at once, and how many the HPA aims at.
const CONCURRENCY: u32 = 16;
const TARGET: u32 = 10;
/// How long a pod works on a request.
const SERVICE_TIME: Duration = Duration::from_secs(8);
/// A request that waits longer than this has waited too long.
pub const SLO: Duration = Duration::from_secs(10);
/// The steps of simulated time.
const STEP: Duration = Duration::from_secs(1);
/// How often the simulation is moved on, by the clock.
const MOVE_ON: Duration = Duration::from_millis(50);
/// Steps made at one go when the machine was away; beyond it, simulated time is lost.
const STEPS_AT_ONCE_MAX: u32 = 600;

/// What someone who starts the demo chooses.
#[derive(Clone, Copy, Debug)]
pub struct DemoSettings {
    /// Simulated seconds in a second.
    pub speed: u32,
    /// Which random demand.
    pub seed: u64,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The adapter cannot run.
    #[error("failed to start the adapter of the demo")]
    App(#[from] AppError),
    /// The fleet cannot be simulated.
    #[error("failed to simulate the fleet")]
    Simulate(#[from] SimulateError),
    /// No port can be had for the fleet's page.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A file cannot be had.
    #[error("failed to {0}")]
    Io(&'static str, #[source] std::io::Error),
    /// No HTTP client can be made.
    #[error("failed to make the client that plays the HPA")]
    Client(#[source] reqwest::Error),
}

/// What can be seen at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Simulated time since Monday, 00:00.
    pub time: Duration,
    /// Requests arriving in a second.
    pub demand: f64,
    /// Requests that wait for a pod.
    pub waiting: u64,
    /// Requests being worked on.
    pub running: u64,
    /// What Foresail served last; `None` when it refused.
    pub published: Option<f64>,
    /// Pods that serve.
    pub ready: u32,
    /// Pods that the HPA wants.
    pub wanted: u32,
}

/// What it came to.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// What the fleet did.
    pub totals: Totals,
    /// How often the HPA asked.
    pub syncs: u64,
    /// How often it got no value.
    pub failures: u64,
}

/// A demo whose adapter is running.
#[derive(Debug)]
pub struct Demo {
    fleet: Fleet,
    demand: Demand,
    page: Page,
    scaler: Scaler,
    adapter: tokio::task::JoinHandle<Result<(), AppError>>,
    stop: CancellationToken,
    folder: Folder,
    secure: SocketAddr,
    observability: SocketAddr,
    speed: u32,
}

impl Demo {
    /// Opens the fleet's page and starts the adapter on it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// `DemoError` when something cannot be had; nothing keeps running then.
    pub async fn start(settings: DemoSettings) -> Result<Self, DemoError> {
        let DemoSettings { speed, seed } = settings;
        let demand = Demand::new(seed, demand_settings())?;
        let fleet = Fleet::new(FleetSettings {
            lead_time: LEAD_TIME,
            concurrency: CONCURRENCY,
            service_time: SERVICE_TIME,
            slo: SLO,
            replicas: enough_for(demand.rate_at(BEGIN)),
        })?;
        let stop = CancellationToken::new();
        let page = Page::open(stop.clone()).await?;
        page.show(&fleet);
        let folder = Folder::make().map_err(|it| DemoError::Io("make a folder", it))?;
        let token = token().map_err(|it| DemoError::Io("make a token", it))?;
        folder.write(TOKEN, &token).map_err(|it| DemoError::Io("write the token", it))?;
        let config = config(page.address(), speed);
        folder.write(CONFIG, &config).map_err(|it| DemoError::Io("write the configuration", it))?;
        let app = App::build(Settings {
            config: ConfigFiles { config: folder.path(CONFIG), profiles: None, server: None },
            mode: Mode::Standalone { token_file: folder.path(TOKEN) },
            secure_port: 0,
            observability_port: 0,
            certificate: Origin::SelfSigned,
            shutdown_delay: Duration::ZERO,
            relists: Pace::default(),
            environment: Environment::default(),
        })
        .await?;
        let (secure, observability) = (app.secure_address(), app.observability_address());
        let adapter = tokio::spawn(app.run(stop.clone()));
        let scaler = Scaler::new(secure, &token, f64::from(TARGET))?;
        Ok(Self {
            fleet,
            demand,
            page,
            scaler,
            adapter,
            stop,
            folder,
            secure,
            observability,
            speed,
        })
    }

    /// How to see the API for oneself.
    #[must_use]
    pub fn invitation(&self) -> Vec<String> {
        let token = self.folder.path(TOKEN);
        let metric = format!("https://{}{}", self.secure, hpa::METRIC);
        vec![
            format!(
                "the metrics API:  curl -sk -H \"Authorization: Bearer $(cat {})\" {metric}",
                token.display()
            ),
            format!("the fleet's page: curl -s http://{}/metrics", self.page.address()),
            format!("self metrics:     curl -s http://{}/metrics", self.observability),
            format!("the policy:       cat {}", self.folder.path(CONFIG).display()),
        ]
    }

    /// Runs until `stop`, and tells a moment every second of the clock.
    pub async fn run(&mut self, stop: &CancellationToken, mut tell: impl FnMut(Moment)) {
        let begin = Instant::now();
        let mut told = 0;
        let mut timer = tokio::time::interval(MOVE_ON);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(timer.tick()).await.is_some() {
            let due = begin.elapsed().saturating_mul(self.speed);
            for _ in 0..STEPS_AT_ONCE_MAX {
                if self.fleet.now() >= due {
                    break;
                }
                self.step();
            }
            self.scaler.sync(&mut self.fleet).await;
            if begin.elapsed().as_secs() > told {
                told = begin.elapsed().as_secs();
                tell(self.moment());
            }
        }
    }

    /// Ends the adapter and answers what it came to.
    ///
    /// # Errors
    /// `DemoError` when the adapter had ended before.
    pub async fn end(self) -> Result<Summary, DemoError> {
        self.stop.cancel();
        match self.adapter.await {
            Ok(ended) => ended?,
            Err(error) => tracing::error!(error = %ErrorChain(&error), "the adapter panicked"),
        }
        let Served { syncs, failures, .. } = self.scaler.served();
        Ok(Summary { totals: self.fleet.totals(), syncs, failures })
    }

    fn step(&mut self) {
        let arrivals = self.demand.arrivals(BEGIN + self.fleet.now(), STEP);
        self.fleet.step(STEP, arrivals);
        self.page.show(&self.fleet);
    }

    fn moment(&self) -> Moment {
        let time = BEGIN + self.fleet.now();
        Moment {
            time,
            demand: self.demand.rate_at(time),
            waiting: self.fleet.waiting(),
            running: self.fleet.running(),
            published: self.scaler.served().value,
            ready: self.fleet.ready(),
            wanted: self.fleet.wanted(),
        }
    }
}

/// The pods that a steady rate needs, so that the demo does not begin in a crisis.
fn enough_for(rate: f64) -> u32 {
    let pods = (rate * SERVICE_TIME.as_secs_f64() / f64::from(TARGET)).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let pods = pods as u32;
    pods.max(1)
}

/// A busy service: about eight pods by day, and a burst every ten minutes, so that a short look
/// shows one.
fn demand_settings() -> DemandSettings {
    DemandSettings {
        mean_rate: 10.0,
        bursts_per_day: 144.0,
        burst_decay: Duration::from_secs(240),
        ..DemandSettings::default()
    }
}

const CONFIG: &str = "foresail.yaml";
const TOKEN: &str = "token";

/// The configuration that the adapter gets: what one would write for a real engine, with every
/// duration divided by the speed.
fn config(page: SocketAddr, speed: u32) -> String {
    let scaled = |seconds: u64| Shown(Duration::from_secs(seconds) / speed).to_string();
    let (interval, half_life) = (scaled(15), scaled(30));
    let (max_age, hold) = (scaled(60), scaled(120));
    format!(
        "# Time runs {speed} times as fast here; in real life this policy has interval: 15s,
# halfLife: 30s, maxAge: 60s and hold: 2m.
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - name: engine
    scrape: {{url: \"http://{page}/metrics\", timeout: 1s}}
policies:
  - metadata: {{name: llama, namespace: demo}}
    spec:
      metric: {{name: llama_demand, type: External}}
      interval: {interval}
      signals:
        running: {{source: engine, scrape: {{series: 'vllm:num_requests_running', reduce: sum}}}}
        waiting: {{source: engine, scrape: {{series: 'vllm:num_requests_waiting', reduce: sum}}}}
      combine: running + waiting
      smooth: [{{ewma: {{halfLife: {half_life}}}}}]
      guard: {{maxAge: {max_age}, hold: {hold}}}
"
    )
}

/// A token that nobody can guess.
fn token() -> std::io::Result<String> {
    use std::io::Read;
    let mut random = [0_u8; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A folder of the demo's own, gone with it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("foresail-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Fails if it exists: a folder that somebody else made is not ours to use.
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn write(&self, file: &str, content: &str) -> std::io::Result<()> {
        std::fs::write(self.path(file), content)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        if let Err(error) = std::fs::remove_dir_all(path) {
            tracing::debug!(error = %ErrorChain(&error), "the demo's folder stays behind");
        }
    }
}
