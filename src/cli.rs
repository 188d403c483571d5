//! How a person comes in: what was typed, one file for each verb, and how errors are shown.
//!
//! stdout is data, stderr is for people. Exit codes are promises: 0 done, 1 something in your
//! input, 2 our fault or the machine's.

mod check;
mod compare;
mod crd;
mod demo;
mod explain;
mod import;
mod printer;
mod profiles;
mod serve;
mod simulate;

use crate::app::explain::SERVER_DEFAULT;
use crate::domain::duration::{self, BadDuration, Shown};
use crate::domain::environment::Environment;
use crate::domain::error_chain::ErrorChain;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::{MetricName, Namespace};
use crate::telemetry::logs::{self, LogError};
use clap::{Args, Parser, Subcommand, ValueEnum};
use printer::Printer;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Where the configuration lies when nothing else is said.
const CONFIG: &str = "config/foresail.yaml";

/// What is logged unless RUST_LOG says otherwise. The Kubernetes client logs every failed attempt;
/// our rooms log each change of state.
const LOGS: &str = "info,kube_client=off,kube_runtime=off";

/// A Kubernetes metrics adapter that gives the Horizontal Pod Autoscaler numbers worth scaling on
///
/// Foresail reads Prometheus, pages of pods and queues, smooths and forecasts what it reads, and
/// answers the custom and external metrics APIs. The HPA stays in charge of replica counts.
#[derive(Debug, Parser)]
#[command(name = "foresail", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// How log lines on stderr look
    #[arg(long, global = true, display_order = 1_000, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the metrics APIs
    ///
    /// Registered as the APIService of custom.metrics.k8s.io and external.metrics.k8s.io, Foresail
    /// believes kube-apiserver's front proxy and asks the cluster what each user may read.
    /// SIGTERM makes /readyz fail first, then lets requests in flight finish.
    Serve(Box<ServeArgs>),
    /// Validate a configuration, or policies as they are applied, without serving them
    ///
    /// Prints every fault with its line, key and a hint. Exits with 0 when there is none, else 1.
    /// Where a policy is so wrong that its parts cannot be understood, more may follow once that is
    /// mended.
    Check(CheckArgs),
    /// Print the definitions of MetricPolicy and ClusterMetricPolicy
    ///
    /// YAML for `kubectl apply --server-side -f -`: what deploy/ installs.
    Crd,
    /// List the engines and exporters whose metrics are known
    ///
    /// With a name: what is looked for, in order, and the PromQL that a policy with
    /// `profile: {engine: …, signal: …}` asks.
    Profiles(ProfilesArgs),
    /// See it work: a simulated inference fleet, scaled on what Foresail serves
    ///
    /// Needs no cluster and no Prometheus. A fleet with a daily rhythm and bursts writes its queue
    /// as an engine's metrics page on loopback; Foresail scrapes it and serves the metrics APIs;
    /// the HPA's arithmetic, fed with what Foresail answers, scales the fleet.
    Demo(DemoArgs),
    /// Ask what a policy would have cost: recorded demand, replayed
    ///
    /// Plays a recording through the policy's own pipeline, the HPA's arithmetic and pods that take
    /// a lead time to start. Prints the share of the work that waited too long and the GPU-hours,
    /// next to an HPA without the policy (300 s and 1,800 s window for scaling down), to one who
    /// knows the future (the clairvoyant), and to the cheapest plan under which nothing waits (the
    /// offline optimum). The same input and seed give the same figures.
    ///
    /// The policy's signals are replaced by the recorded demand; the lines above the table say what
    /// was assumed.
    Simulate(Box<simulate::SimulateArgs>),
    /// Say another tool's manifests in Foresail's words
    ///
    /// Prints policies and plain HPAs for `kubectl apply`, or a configuration file, on stdout, and on
    /// stderr what is otherwise than it was. Exits with 1 when something has no equivalent and is lost.
    Import(ImportArgs),
    /// Ask two servers for every metric of every HPA, before one takes the place of the other
    ///
    /// The server that the cluster has registered and the one at --server are asked what the HPA
    /// controller would ask, at the same time and with the rights of the kubeconfig. To reach a Foresail
    /// that is not registered yet: kubectl -n foresail-system port-forward deployment/foresail 6443:6443
    /// Exits with 1 when a value differs by more than the tolerance or would go missing.
    Compare(CompareArgs),
    /// Show why a metric has its value: every stage of the last evaluations
    ///
    /// Asks the observability port of a running adapter. To reach one in a cluster:
    /// kubectl -n foresail-system port-forward deployment/foresail 8080:8080
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The configuration file; it is followed, and a bad edit is refused
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// A folder with profiles that take the place of built-in ones; it is followed, too
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// How to reach the cluster; without it, in-cluster, then KUBECONFIG
    #[arg(long, value_name = "FILE", conflicts_with = "standalone", alias = "lister-kubeconfig")]
    kubeconfig: Option<PathBuf>,
    /// Where the metrics APIs are served, with TLS
    #[arg(long, value_name = "PORT", default_value_t = 6443)]
    secure_port: u16,
    /// Where /metrics, /livez, /readyz and /debug/explain are served, without TLS
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    observability_port: u16,
    /// The serving certificate; reloaded when it changes; self-signed for localhost when absent
    #[arg(long, value_name = "FILE", requires = "tls_private_key_file")]
    tls_cert_file: Option<PathBuf>,
    /// The certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    tls_private_key_file: Option<PathBuf>,
    /// Keep a serving certificate of an authority of Foresail's own in this Secret of its namespace: made,
    /// renewed and written into the APIServices by the replica that leads
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tls_cert_file", "standalone"])]
    serving_secret: Option<String>,
    /// The Service in front of Foresail, which its APIServices and that certificate name
    #[arg(long, value_name = "NAME", default_value = "foresail")]
    service_name: String,
    /// Serve on loopback only, without a cluster, to whoever has the token
    #[arg(long, requires = "token_file")]
    standalone: bool,
    /// The bearer token of --standalone; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "standalone")]
    token_file: Option<PathBuf>,
    /// For whom bearer tokens must be meant, when someone comes without kube-apiserver between; may be
    /// given several times; kube-apiserver's own audience when absent
    #[arg(long, value_name = "AUDIENCE", conflicts_with = "standalone")]
    token_audience: Vec<String>,
    /// How long /readyz fails before the ports close, so that no request is sent any more
    #[arg(long, value_name = "DURATION", default_value_t = Shown(limits::SHUTDOWN_DELAY_DEFAULT), value_parser = shown)]
    shutdown_delay: Shown,
    #[command(flatten, next_help_heading = "With a configuration of prometheus-adapter")]
    server: import::ServerArgs,
    /// How often it is looked which series rules have
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    metrics_relist_interval: Option<Duration>,
    /// How far back
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    metrics_max_age: Option<Duration>,
    /// What prometheus-adapter knows and has no meaning here.
    #[arg(skip)]
    ignored_flags: Vec<String>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The configuration file, one of prometheus-adapter, or one of manifests with MetricPolicy and
    /// ClusterMetricPolicy objects
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// A folder with profiles that take the place of built-in ones
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    #[command(flatten, next_help_heading = "With a configuration of prometheus-adapter")]
    server: import::ServerArgs,
}

#[derive(Debug, Args)]
struct ProfilesArgs {
    /// The engine or exporter
    engine: Option<String>,
    /// A folder with profiles that take the place of built-in ones
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ImportArgs {
    #[command(subcommand)]
    tool: ImportTool,
}

#[derive(Debug, Subcommand)]
enum ImportTool {
    /// KEDA's ScaledObjects, with their TriggerAuthentications
    ///
    /// Thresholds become targets of an HPA, triggers signals with the same parameters, the formula
    /// of `scalingModifiers` the policy's `combine`. Secrets stay where they are.
    Keda {
        /// Files of manifests, or what `kubectl get scaledobjects,triggerauthentications -o yaml` answers; - is stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// HPAs of zalando's kube-metrics-adapter, with their ScalingSchedules
    ///
    /// Queries of annotations become policies, schedules planned signals.
    KubeMetricsAdapter {
        /// Files of manifests, or what `kubectl get hpa,scalingschedules -o yaml` answers; - is stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// A configuration of prometheus-adapter, as its rules are
    ///
    /// Prints a configuration file with the same rules, word for word, and a source that says what
    /// its flags said.
    PrometheusAdapter {
        /// The file that it is given by --config, or the ConfigMap with it; - is stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        server: import::ServerArgs,
    },
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// End by itself after this long; without it, run until Ctrl-C
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Simulated seconds per real second
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=120))]
    speed: u32,
    /// Seed of the simulated demand
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// The server that is not registered
    #[arg(long, value_name = "URL", value_parser = compare::server)]
    server: String,
    /// How to reach the cluster; without it KUBECONFIG, then the home folder
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Only the HPAs of this namespace
    #[arg(long, short, value_name = "NAMESPACE", value_parser = explain::namespace)]
    namespace: Option<Namespace>,
    #[command(flatten)]
    tls: compare::Tls,
    /// By how much of the larger value the two may differ; an HPA does nothing below 0.1
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = compare::tolerance)]
    tolerance: Finite,
    /// Print what both answered as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// Where the metric is published
    #[arg(value_parser = explain::namespace)]
    namespace: Namespace,
    /// The metric's name
    #[arg(value_parser = explain::metric)]
    metric: MetricName,
    /// The observability port of the adapter
    #[arg(long, value_name = "URL", default_value = SERVER_DEFAULT)]
    server: String,
    /// How many evaluations, the newest in full and all of them in a table
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = evaluations)]
    last: usize,
    /// Print what the adapter answers as JSON
    #[arg(long)]
    json: bool,
    /// Go on until Ctrl-C, and print each newer evaluation
    #[arg(long)]
    watch: bool,
}

fn evaluations(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|it| (1..=limits::TRACES_MAX).contains(it));
    number.ok_or_else(|| format!("use a whole number from 1 to {}", limits::TRACES_MAX))
}

fn shown(text: &str) -> Result<Shown, BadDuration> {
    duration::parse(text).map(Shown)
}

/// How a verb ended.
enum Exit {
    Done,
    /// Something in the input is wrong; it has been told.
    Input,
    /// The machine or another program is at fault; it has been told.
    Failed,
}

/// Runs what was typed; answers the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (args, ignored) = serve::old_flags::taken_out(args);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(message) => {
            // --help and --version come this way, too; clap knows which goes where.
            let code = u8::from(message.use_stderr());
            return if message.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(2) };
        }
    };
    let Cli { mut verb, log_format } = cli;
    if let Verb::Serve(args) = &mut verb {
        args.ignored_flags = ignored;
    }
    crate::tls::install_cryptography();
    let mut printer = Printer::default();
    let ended = run(verb, log_format, &mut printer);
    if let Some(error) = printer.failure() {
        printer.error(&format!("failed to write to stdout: {error}"));
        return ExitCode::from(2);
    }
    match ended {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Input) => ExitCode::from(1),
        Ok(Exit::Failed) => ExitCode::from(2),
        Err(error) => {
            printer.error(&ErrorChain(error.as_ref()).to_string());
            let is_input = matches!(error.downcast_ref(), Some(LogError::Filter { .. }));
            ExitCode::from(if is_input { 1 } else { 2 })
        }
    }
}

fn run(verb: Verb, log_format: LogFormat, printer: &mut Printer) -> anyhow::Result<Exit> {
    match verb {
        Verb::Serve(args) => {
            begin_logs(log_format, LOGS)?;
            serve::run(*args, printer)
        }
        Verb::Check(args) => Ok(check::run(&args, printer)),
        Verb::Import(args) => Ok(import::run(&args, printer)),
        Verb::Crd => crd::run(printer),
        Verb::Profiles(args) => Ok(profiles::run(&args, printer)),
        Verb::Demo(args) => {
            // The terminal belongs to the demo; only what someone must act on interrupts it.
            begin_logs(log_format, "error")?;
            demo::run(&args, printer)
        }
        Verb::Simulate(args) => {
            begin_logs(log_format, "error")?;
            simulate::run(*args, printer)
        }
        Verb::Compare(args) => {
            // What goes wrong stands in the table.
            begin_logs(log_format, "off")?;
            compare::run(args, printer)
        }
        Verb::Explain(args) => {
            begin_logs(log_format, "error")?;
            explain::run(&args, printer)
        }
    }
}

fn begin_logs(format: LogFormat, default: &str) -> anyhow::Result<()> {
    let format = match format {
        LogFormat::Text => logs::Format::Text,
        LogFormat::Json => logs::Format::Json,
    };
    #[expect(clippy::disallowed_methods, reason = "cli is where the environment is read")]
    let filter = std::env::var("RUST_LOG").ok();
    logs::begin(format, filter.as_deref().unwrap_or(default))?;
    Ok(())
}

/// What platforms hand to the process.
fn environment() -> Environment {
    let text = |it: std::ffi::OsString| it.into_string().ok();
    Environment::new(std::env::vars_os().filter_map(|(name, it)| text(name).zip(text(it))))
}
