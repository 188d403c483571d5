//! `foresail simulate`: what a policy would have cost on recorded demand, in the terminal.

use super::{Exit, Printer};
use crate::app::simulate::{DemandFrom, Order, Simulation, SimulationError, simulate};
use crate::domain::duration::{self, Shown};
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::replay::comparison::Wants;
use crate::replay::load::Copies;
use crate::replay::scenario::Spread;
use crate::replay::trace::Service;
use clap::{ArgGroup, Args, value_parser};
use reports::Reports;
use std::path::PathBuf;
use std::time::Duration;

mod reports;

/// Columns of the progress bar.
const BAR: u64 = 30;

/// Half of the usual scrape interval, in the mean.
const METRIC_DELAY: Duration = Duration::from_secs(15);

/// By how much requests of a copy are moved where nobody says.
const JITTER: Duration = Duration::from_secs(300);

/// Beyond this almost all pods are there at once, and a few never.
const SPREAD_MAX: f64 = 3.0;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("demand").required(true)))]
pub(super) struct SimulateArgs {
    /// The recorded demand, as comma-separated values with a header
    ///
    /// Requests (`arrival_s,service_s`), samples (`time_s,value`) or counts (`time_s,requests`).
    /// Times are seconds from a midnight, seconds since 1970, or dates.
    #[arg(long, value_name = "FILE", group = "demand")]
    trace: Option<PathBuf>,
    /// Instead of a file, the policy's own signals from this instant on: a date, or how long ago
    #[arg(long, value_name = "TIME", group = "demand")]
    from: Option<String>,
    /// The end of --from; now, if left out
    #[arg(long, value_name = "TIME", requires = "from", conflicts_with = "trace")]
    to: Option<String>,
    /// The file with the policy: a configuration, or a MetricPolicy as it is applied with kubectl
    ///
    /// An object names its sources and does not say where they are: --from needs the configuration,
    /// too, which may stand in the same file as a document of its own.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// A folder with profiles that take the place of built-in ones
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// Which policy of the file, where it has several: NAMESPACE/NAME, or the name alone
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The HPA's manifest: autoscaling/v2, one External or Object metric with an AverageValue
    ///
    /// Without it: 1 to 200 replicas, the capacity of a pod as the target, the API server's
    /// defaults.
    #[arg(long, value_name = "FILE")]
    hpa: Option<PathBuf>,
    /// From asking for a pod to its first work; the policy's forecast.leadTime, or 3m
    #[arg(long, value_name = "DURATION", value_parser = lead_time, allow_hyphen_values = true)]
    lead_time: Option<Duration>,
    /// How far pods are apart in that: the standard deviation as a share of the mean, such as 0.3
    ///
    /// Each pod's lead time is then drawn from a lognormal distribution (--seed). The policy goes on
    /// expecting the mean.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    lead_time_spread: f64,
    /// Work that waits longer than this is late; the policy's objective.maxWait, or 10s
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    max_wait: Option<Duration>,
    /// The demand that fills one pod; for requests, how many it serves at once
    ///
    /// Without it the policy's capacity.perPod, the HPA's target, 1 for requests, or else so
    /// much that the busiest half percent of the time needs 40 pods.
    #[arg(long, value_name = "N", value_parser = positive)]
    pod_capacity: Option<f64>,
    /// GPUs of one pod, for GPU-hours
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    gpus_per_pod: u32,
    /// So many populations like the recorded one
    ///
    /// Requests are superposed, each moved by a random time (--jitter); samples are multiplied.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    copies: u32,
    /// The standard deviation by which requests of a copy are moved; 5m, if left out
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    jitter: Option<Duration>,
    /// Seed of the jitter and of drawn lead times
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long a request takes on a pod, in seconds, where the recording does not say
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "from")]
    service_seconds: Option<f64>,
    /// How fast one request's prompt is read, where the recording has tokens
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "from")]
    prompt_tokens_per_second: Option<f64>,
    /// How fast one request's answer is written, where the recording has tokens
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "from")]
    output_tokens_per_second: Option<f64>,
    /// How often the HPA syncs: the length of a step
    #[arg(long, value_name = "DURATION", default_value_t = Shown(limits::HPA_SYNC_DEFAULT), value_parser = step, allow_hyphen_values = true)]
    sync: Shown,
    /// How much of the recording is history, run but not scored; 168h, or half of it if that is less
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    score_from: Option<Duration>,
    /// How late the policy knows what is true: scraping and the like; rounded up to whole syncs
    #[arg(long, value_name = "DURATION", default_value_t = Shown(METRIC_DELAY), value_parser = super::shown, allow_hyphen_values = true)]
    metric_delay: Shown,
    /// Whether the policy sees the queue that its own decisions make
    ///
    /// `queue`: requests in flight and waiting; for samples, what waits divided by 60 s is added.
    /// `none`: demand alone.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Feedback::Queue)]
    feedback: Feedback,
    /// Also what each way costs at 1 % and 0.5 % late, by scaling what is published; takes ten times as long
    #[arg(long)]
    frontier: bool,
    /// Also how the policy came to its value at this moment, stage by stage, as `foresail explain` does
    ///
    /// A date such as 2026-11-01T06:00:00Z, or how long after the recording's first midnight.
    #[arg(long, value_name = "TIME")]
    explain_at: Option<String>,
    /// Write the figures of each day here, for programs
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with plots here, for a browser; it needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Feedback {
    Queue,
    None,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("not a number above 0".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=SPREAD_MAX).contains(&number) => Ok(number),
        _ => Err(format!("not a number from 0 to {SPREAD_MAX}")),
    }
}

fn lead_time(text: &str) -> Result<Duration, String> {
    let lead_time = duration::parse(text).map_err(|error| error.to_string())?;
    let most = limits::LEAD_TIME_MAX;
    if lead_time > most {
        return Err(format!("longer than {}: no forecast reaches this far", Shown(most)));
    }
    Ok(lead_time)
}

fn step(text: &str) -> Result<Shown, String> {
    let step = duration::parse(text).map_err(|error| error.to_string())?;
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(300));
    if (least..=most).contains(&step) { Ok(Shown(step)) } else { Err("not 1s to 5m".to_owned()) }
}

pub(super) fn run(args: SimulateArgs, printer: &mut Printer) -> anyhow::Result<Exit> {
    let inputs = [args.trace.as_ref(), Some(&args.policy), args.hpa.as_ref()];
    let inputs: Vec<PathBuf> = inputs.into_iter().flatten().cloned().collect();
    let wanted = [args.json.clone(), args.html.clone()];
    // A report that cannot be written is told before minutes are spent on it.
    let reports = match Reports::open(&wanted, &inputs) {
        Ok(reports) => reports,
        Err(problem) => {
            printer.error(&problem.to_string());
            printer.note(&format!("  hint: {}", problem.hint()));
            return Ok(Exit::Input);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let simulated = {
        let mut tell = |done, total| printer.progress(&bar(done, total));
        runtime.block_on(simulate(order(args), &mut tell))
    };
    printer.end_progress();
    let simulation = match simulated {
        Ok(simulation) => simulation,
        Err(error) => {
            reports.withdraw();
            show_error(&error, printer);
            return Ok(Exit::Input);
        }
    };
    show(&simulation, printer);
    for path in reports.write(&[&|| simulation.json(), &|| simulation.html()])? {
        printer.note(&format!("written: {}", path.display()));
    }
    Ok(Exit::Done)
}

fn order(args: SimulateArgs) -> Order {
    Order {
        demand: match args.trace {
            Some(path) => DemandFrom::File(path),
            None => DemandFrom::Sources {
                from: args.from.unwrap_or_default(),
                to: args.to,
                environment: super::environment(),
            },
        },
        policy: args.policy,
        profiles: args.profiles,
        name: args.name,
        hpa: args.hpa,
        service: Service {
            seconds: args.service_seconds,
            prompt_tokens_per_second: args.prompt_tokens_per_second,
            output_tokens_per_second: args.output_tokens_per_second,
        },
        copies: Copies {
            count: args.copies,
            jitter: args.jitter.unwrap_or(JITTER),
            seed: args.seed,
        },
        has_own_jitter: args.jitter.is_some(),
        pod_capacity: args.pod_capacity,
        gpus_per_pod: args.gpus_per_pod,
        lead_time: args.lead_time,
        spread: Spread { variation: args.lead_time_spread, seed: args.seed },
        max_wait: args.max_wait,
        sync: args.sync.0,
        score_from: args.score_from,
        metric_delay: args.metric_delay.0,
        no_feedback: args.feedback == Feedback::None,
        wants: Wants { frames: args.html.is_some(), frontier: args.frontier, explain_at: None },
        explain_at: args.explain_at,
    }
}

fn show(simulation: &Simulation, printer: &mut Printer) {
    for (word, text) in simulation.facts() {
        printer.line(&format!("{word:<8}  {text}"));
    }
    for table in std::iter::once(simulation.table()).chain(simulation.frontier()) {
        printer.line("");
        table.lines().iter().for_each(|line| printer.line(line));
    }
    if let Some(text) = simulation.explanation() {
        printer.line("");
        printer.line(text.trim_end());
    }
}

fn show_error(error: &SimulationError, printer: &mut Printer) {
    match error {
        SimulationError::Config(error) => printer.config_error(error),
        SimulationError::Faulty { path, faults } => {
            faults.iter().for_each(|fault| printer.fault(path, fault));
        }
        SimulationError::Source { hint, .. } => {
            printer.error(&ErrorChain(error).to_string());
            printer.note(&format!("  hint: {hint}"));
        }
        error => printer.error(&ErrorChain(error).to_string()),
    }
}

/// `[#########     ]  62 %`.
fn bar(done: u64, total: u64) -> String {
    let total = total.max(1);
    let done = done.min(total);
    let full = done.saturating_mul(BAR) / total;
    let marks: String = (0..BAR).map(|place| if place < full { '#' } else { ' ' }).collect();
    format!("[{marks}] {:>3} %", done.saturating_mul(100) / total)
}
