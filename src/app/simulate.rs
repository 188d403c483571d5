//! `foresail simulate`: reads what is to be replayed, lets `replay` compare, and makes reports.

mod facts;
mod json;
mod page;
mod range;
mod table;

pub use self::table::Table;

use crate::app::clock;
use crate::app::configuration::{self, ConfigError, ConfigFiles, Read};
use crate::app::files;
use crate::document::fault::Fault;
use crate::domain::duration::{self, Shown};
use crate::domain::environment::Environment;
use crate::domain::limits;
use crate::domain::metric::Subject;
use crate::domain::name::SourceName;
use crate::pipeline::trace::text::{self, Wording};
use crate::policy::forecast::Choice;
use crate::policy::resolve::objects::manifests::Manifests;
use crate::policy::{Config, Policy};
use crate::replay::comparison::{Comparison, Wants, compare};
use crate::replay::load::{Copies, Load};
use crate::replay::manifest::{self, Manifest, Published};
use crate::replay::scenario::{Scenario, Spread, Wishes};
use crate::replay::trace::{self, Content, Service, Trace};
use crate::simulate::SimulateError;
use jiff::Timestamp;
use range::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The lead time when neither the policy nor anybody else names one.
const LEAD_TIME_DEFAULT: Duration = Duration::from_secs(180);
/// A recording of more than so many bytes; forty times what two weeks of requests need.
const TRACE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A rule asks for what is, and keeps no history that could be replayed.
const RULES_ONLY: &str = "the file has rules and no policy; a policy with the same query can be \
                          replayed (signals.NAME.prometheus.query)";

/// What is to be replayed, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the demand comes from.
    pub demand: DemandFrom,
    /// The file with the policy: a configuration, or the policy as an object.
    pub policy: PathBuf,
    /// The folder with profiles that take the place of built-in ones.
    pub profiles: Option<PathBuf>,
    /// Which policy of it, as `NAMESPACE/NAME` or the name alone.
    pub name: Option<String>,
    /// The HPA's manifest.
    pub hpa: Option<PathBuf>,
    /// How long requests take that do not say so.
    pub service: Service,
    /// How many populations like the recorded one.
    pub copies: Copies,
    /// Whether somebody asked for that jitter.
    pub has_own_jitter: bool,
    /// The demand that fills one pod.
    pub pod_capacity: Option<f64>,
    /// GPUs of one pod.
    pub gpus_per_pod: u32,
    /// From asking for a pod to its first work.
    pub lead_time: Option<Duration>,
    /// How far pods are apart in that.
    pub spread: Spread,
    /// Work that waits longer is late.
    pub max_wait: Option<Duration>,
    /// How often the HPA syncs.
    pub sync: Duration,
    /// How much of the beginning is history.
    pub score_from: Option<Duration>,
    /// How late the signals are known.
    pub metric_delay: Duration,
    /// Whether the policy is to see demand alone.
    pub no_feedback: bool,
    /// What is wanted beyond the table.
    pub wants: Wants,
    /// The moment of the trace: a date, or how long after the recording's first midnight.
    pub explain_at: Option<String>,
}

/// Where demand comes from.
#[derive(Clone, Debug)]
pub enum DemandFrom {
    /// A file with comma-separated values.
    File(PathBuf),
    /// The policy's own signals, as its sources have them.
    Sources {
        /// From when on: a date, or how long ago.
        from: String,
        /// Until when; now, if left out.
        to: Option<String>,
        /// What platforms hand to the process.
        environment: Environment,
    },
}

/// A finished simulation.
#[derive(Debug)]
pub struct Simulation {
    scenario: Scenario,
    comparison: Comparison,
    source: Source,
}

/// What the reports call things.
#[derive(Clone, Debug)]
struct Source {
    /// The recording's name.
    demand: String,
    /// The HPA's file, if there is one.
    hpa: Option<String>,
    without_value: usize,
    is_utc_assumed: bool,
    copies: Copies,
    gpus_per_pod: u32,
}

/// Why there is no simulation.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read.
    #[error("failed to read `{path}`")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// What a file says cannot be used.
    #[error("`{path}` has {} fault(s)", faults.len())]
    Faulty {
        /// Which.
        path: PathBuf,
        /// All of them.
        faults: Vec<Fault>,
    },
    /// There is no such policy, or it cannot be replayed.
    #[error("{0}")]
    Policy(String),
    /// The sources have no such past.
    #[error("{0}")]
    Past(String),
    /// A source did not answer.
    #[error("{problem}")]
    Source {
        /// Which, and what it said.
        problem: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// What was asked for would change nothing.
    #[error("{0}")]
    Unused(&'static str),
    /// The recording has no such moment.
    #[error("{0}")]
    Moment(String),
    /// A number lies outside its range.
    #[error("the simulation cannot run")]
    Refused(#[from] SimulateError),
}

/// Reads everything, replays it and keeps the score; `progress` is told how many steps are done, and
/// of how many. Must be called inside a tokio runtime; it computes for seconds.
///
/// # Errors
/// What is wrong with the input.
pub async fn simulate(
    order: Order,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Simulation, SimulationError> {
    let (config, profiles) = (order.policy.clone(), order.profiles.clone());
    let files = ConfigFiles { config, profiles, server: None };
    let Read { manifests, rules, .. } = configuration::read_any(&files)?;
    let Manifests { config, unknown_sources, .. } = manifests;
    if config.policies.is_empty() && config.broken.is_empty() && rules.count() > 0 {
        return Err(SimulationError::Policy(RULES_ONLY.to_owned()));
    }
    let policy = chosen(&config, &order.policy, order.name.as_deref())?;
    let hpa = order.hpa.as_deref().map(|path| read_hpa(path, &policy)).transpose()?;
    let (demand, trace) = match &order.demand {
        DemandFrom::File(path) => (file_name(path), read_trace(path, &order.service)?),
        DemandFrom::Sources { from, to, environment } => {
            let range = Range::parse(from, to.as_deref(), clock::now())?;
            if let Some(signal) =
                policy.signals.iter().find(|it| unknown_sources.contains(&it.source))
            {
                return Err(nowhere(&order.policy, &signal.source));
            }
            let trace =
                range::read(&config, &policy, range, &files::reach(environment.clone())).await?;
            (format!("the policy's signals, {range}"), trace)
        }
    };
    check_jitter(&order, &trace)?;
    let source = Source {
        demand,
        hpa: order.hpa.as_deref().map(file_name),
        without_value: trace.without_value,
        is_utc_assumed: trace.is_utc_assumed,
        copies: order.copies,
        gpus_per_pod: order.gpus_per_pod,
    };
    let load = Load::new(trace, order.sync, order.copies)?;
    let explain_at = order.explain_at.as_deref().map(|it| moment(&load, it)).transpose()?;
    let forecast = policy.forecast.as_ref();
    let own_lead = forecast.and_then(|it| match it.lead_time {
        Choice::Given(lead) => Some(lead),
        Choice::Auto => None,
    });
    let wishes = Wishes {
        hpa: hpa.map(|it| (it.spec, it.target_milli)),
        pod_capacity: order.pod_capacity,
        lead_time: order.lead_time.or(own_lead).unwrap_or(LEAD_TIME_DEFAULT),
        spread: order.spread,
        slo: order.max_wait.or(forecast.map(|it| it.max_wait)).unwrap_or(limits::MAX_WAIT_DEFAULT),
        score_from: order.score_from,
        metric_delay: order.metric_delay,
        no_feedback: order.no_feedback,
    };
    let scenario = Scenario::new(load, &policy, wishes)?;
    let comparison = compare(&scenario, Wants { explain_at, ..order.wants }, progress)?;
    Ok(Simulation { scenario, comparison, source })
}

fn check_jitter(order: &Order, trace: &Trace) -> Result<(), SimulationError> {
    let problem = match trace.content {
        _ if !order.has_own_jitter => return Ok(()),
        Content::Samples { .. } => {
            "--jitter moves requests, and the recording has none; leave it out"
        }
        Content::Requests(_) if order.copies.count == 1 => {
            "--jitter moves the requests of copies; say how many with --copies"
        }
        Content::Requests(_) => return Ok(()),
    };
    Err(SimulationError::Unused(problem))
}

impl Simulation {
    /// What was assumed, as pairs of a word and a sentence.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        facts::of(self)
    }

    /// The score of each way of publishing.
    #[must_use]
    pub fn table(&self) -> Table {
        table::scores(&self.scenario, &self.comparison, self.source.gpus_per_pod)
    }

    /// What each way costs at a given share of late work; none unless it was asked for.
    #[must_use]
    pub fn frontier(&self) -> Option<Table> {
        table::frontier(&self.comparison, self.source.gpus_per_pod)
    }

    /// How the policy came to its value at the moment asked for, stage by stage.
    #[must_use]
    pub fn explanation(&self) -> Option<String> {
        let Self { scenario, comparison, .. } = self;
        let load = &scenario.load;
        let mut wording = Wording {
            undated_since: (!load.is_dated).then_some(load.midnight),
            ..Wording::default()
        };
        if scenario.takes_over_lead_time {
            wording.lead_time_by = "as the simulated pods take";
        }
        let explained = comparison.explained.as_ref();
        explained.map(|it| text::render_worded(&scenario.policy, it, wording))
    }

    /// Everything but the single steps, for programs.
    #[must_use]
    pub fn json(&self) -> String {
        json::report(self)
    }

    /// One page with everything, for a browser.
    #[must_use]
    pub fn html(&self) -> String {
        page::of(self)
    }
}

/// The step of a moment: a date, or how long after the recording's first midnight.
fn moment(load: &Load, text: &str) -> Result<usize, SimulationError> {
    let since = duration::parse(text).ok();
    let at = match since {
        Some(since) => load.midnight.checked_add(since).ok(),
        None => text.parse::<Timestamp>().ok(),
    };
    at.and_then(|at| load.step_at(at)).ok_or_else(|| {
        let (from, to) = (load.time(load.first), load.time(load.end));
        let span = if load.is_dated {
            format!("{from:.0} to {to:.0}")
        } else {
            let since = |at: Timestamp| Shown(at.duration_since(load.midnight).unsigned_abs());
            format!("{} to {} after its first midnight", since(from), since(to))
        };
        SimulationError::Moment(format!("the recording has no moment `{text}`: it is from {span}"))
    })
}

/// Manifests alone do not say where to ask.
fn nowhere(path: &Path, source: &SourceName) -> SimulationError {
    SimulationError::Past(format!(
        "`{}` does not say where source {source} is; add the adapter's configuration (kind: \
         AdapterConfig, with its sources) as a document of its own, or give the demand with --trace",
        path.display()
    ))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn chosen(
    config: &Config,
    path: &Path,
    name: Option<&str>,
) -> Result<Arc<Policy>, SimulationError> {
    let names = |policies: &[&Arc<Policy>]| {
        policies.iter().map(|it| it.key.to_string()).collect::<Vec<_>>().join(", ")
    };
    let refused = |problem: String| Err(SimulationError::Policy(problem));
    let all: Vec<&Arc<Policy>> = config.policies.iter().collect();
    let fits = |policy: &&Arc<Policy>| match name {
        Some(name) => policy.key.to_string() == name || policy.key.name.as_str() == name,
        None => policy.subject != Subject::Pods,
    };
    let found: Vec<&Arc<Policy>> = all.iter().copied().filter(fits).collect();
    match (found.as_slice(), name) {
        ([one], _) if one.subject == Subject::Pods => refused(format!(
            "policy {} publishes one value for each pod; replay one with a total (type External or \
             Object), which does not depend on how many pods there are",
            one.key
        )),
        ([one], _) => Ok(Arc::clone(one)),
        ([], _) if !config.faults.is_empty() => {
            Err(SimulationError::Faulty { path: path.to_owned(), faults: config.faults.clone() })
        }
        ([], Some(name)) => {
            refused(format!("there is no policy `{name}`; the file has: {}", names(&all)))
        }
        ([], None) => refused("the file has no policy with a single value".to_owned()),
        ([first, .., last], _) if first.key == last.key => refused(format!(
            "{} objects are called {}; leave one of them in the file",
            found.len(),
            first.key
        )),
        (several, _) => refused(format!("say which policy with --name: {}", names(several))),
    }
}

fn read_hpa(path: &Path, policy: &Policy) -> Result<Manifest, SimulationError> {
    let text = read_text(path, u64::try_from(limits::CONFIG_BYTES_MAX).unwrap_or(u64::MAX))?;
    let faulty = |faults| SimulationError::Faulty { path: path.to_owned(), faults };
    manifest::parse(&text, &Published::by(policy)).map_err(faulty)
}

fn read_trace(path: &Path, service: &Service) -> Result<Trace, SimulationError> {
    let text = read_text(path, TRACE_BYTES_MAX)?;
    let faulty = |faults| SimulationError::Faulty { path: path.to_owned(), faults };
    trace::parse(&text, service).map_err(faulty)
}

fn read_text(path: &Path, most: u64) -> Result<String, SimulationError> {
    use std::io::{Error, ErrorKind, Read};
    let unreadable = |cause| SimulationError::Unreadable { path: path.to_owned(), cause };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    // One byte more than allowed, so that a larger file is found out without being read.
    let read = file.take(most.saturating_add(1)).read_to_string(&mut text).map_err(unreadable)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > most {
        let problem = format!("larger than {most} bytes");
        return Err(unreadable(Error::new(ErrorKind::FileTooLarge, problem)));
    }
    Ok(text)
}
