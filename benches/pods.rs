//! Five hundred pods, each with a page of a vLLM server of 50 to 200 KB, read every five seconds for
//! four signals, by the reader of the adapter over real sockets. Prints what that costs.
//!
//! The budget is 10 % of one core. The servers are a process of their own, so that what is counted
//! is the reader's. `PODS` and `ROUNDS` change how much is read.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench fails loudly, on stdout, and is told its size by the environment"
)]

#[path = "support/vllm_page.rs"]
mod vllm_page;

use foresail::domain::name::{Namespace, ObjectName};
use foresail::domain::pod_place::PodPlace;
use foresail::domain::ports::{Files, Places, PodsUnknown};
use foresail::domain::selector::Selector;
use foresail::policy::{Ask, Config, resolve};
use foresail::source::pods::PodReader;
use foresail::tls::install_cryptography;
use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Set in the process that plays the pods.
const SERVER: &str = "FORESAIL_BENCH_PODS_SERVER";
const INTERVAL: Duration = Duration::from_secs(5);
/// How often the pages' counters grow before they begin anew.
const VARIANTS: u32 = 8;
const PAGE_BYTES: [usize; 4] = [50_000, 100_000, 150_000, 200_000];

const CONFIG: &str = "
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
policies:
  - metadata: {name: demand, namespace: a}
    spec:
      metric: {name: demand, type: External}
      interval: 5s
      signals:
        running: {pods: {selector: {matchLabels: {app: a}}, port: metrics, series: 'vllm:num_requests_running'}}
        waiting: {pods: {selector: {matchLabels: {app: a}}, port: metrics, series: 'vllm:num_requests_waiting'}}
      combine: running + waiting
  - metadata: {name: wait, namespace: a}
    spec:
      metric: {name: wait, type: External}
      interval: 5s
      signals:
        wait:
          pods:
            selector: {matchLabels: {app: a}}
            port: metrics
            series: 'vllm:time_to_first_token_seconds'
            value: quantile(0.95)
  - metadata: {name: tokens, namespace: a}
    spec:
      metric: {name: tokens, type: Pods}
      interval: 5s
      signals:
        tokens:
          pods:
            selector: {matchLabels: {app: a}}
            port: metrics
            series: 'vllm:generation_tokens_total'
            value: rate
";

#[derive(Debug)]
struct Fleet(Vec<PodPlace>);

#[derive(Debug)]
struct NoFiles;

impl Places for Fleet {
    fn places(&self, _: &Namespace, _: &Selector) -> Result<Vec<PodPlace>, PodsUnknown> {
        Ok(self.0.clone())
    }
}

impl Files for NoFiles {
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String> {
        Err(format!("`{path}` is not there"))
    }
}

fn main() {
    if std::env::var_os(SERVER).is_some() {
        return runtime().block_on(serve());
    }
    // Cargo says `--bench` when it measures, and nothing when it tests.
    let is_test = !std::env::args().any(|it| it == "--bench");
    let (pods, rounds, interval) =
        if is_test { (20, 3, Duration::from_millis(50)) } else { (500, 13, INTERVAL) };
    let pods = setting("PODS").unwrap_or(pods);
    let rounds = setting("ROUNDS").unwrap_or(rounds);
    install_cryptography();
    let mut server = Command::new(std::env::current_exe().unwrap())
        .env(SERVER, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
    let port: u16 = port.trim().parse().unwrap();
    runtime().block_on(measure(pods, rounds, interval, port));
    // The end of its input ends it.
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn measure(pods: usize, rounds: usize, interval: Duration, port: u16) {
    let config = resolve::load(CONFIG).unwrap();
    assert!(config.faults.is_empty(), "{:?}", config.faults);
    let places = (0..pods).map(|it| place(it, port)).collect();
    let reader = PodReader::new(Arc::new(Fleet(places)), Arc::new(NoFiles));
    reader.configure(&config.policies, &BTreeSet::new());
    let begin = memory();
    let (mut before, mut took) = (cpu(), Duration::ZERO);
    let (mut started, mut bytes) = (Instant::now(), 0);
    for round in 0..rounds {
        let turn = Instant::now();
        let second = i64::try_from(round).unwrap() * 5;
        round_of(&reader, &config, Timestamp::from_second(second).unwrap(), round > 0).await;
        if round == 0 {
            // Connections are made once.
            println!("the first round took {:.0?}, {} MiB resident", turn.elapsed(), memory());
            (before, started, bytes) = (cpu(), turn + interval, reader.counts().n_bytes());
        } else {
            took += turn.elapsed();
        }
        tokio::time::sleep(interval.saturating_sub(turn.elapsed())).await;
    }
    let counts = reader.counts();
    let good = counts.fetches().find(|it| it.0 == "ok").unwrap().1;
    assert_eq!(good, u64::try_from(pods * rounds).unwrap(), "{counts:?}");
    let measured = u32::try_from(rounds - 1).unwrap();
    let share = 100.0 * (cpu() - before) / started.elapsed().as_secs_f64();
    println!(
        "{pods} pods every {interval:?}, {:.1} MB a round: {share:.1} % of a core; a round took {:.0?}",
        (counts.n_bytes() - bytes) as f64 / 1e6 / f64::from(measured),
        took / measured
    );
    let peak = status("VmHWM:");
    println!("{} MiB resident at the end, {peak} at most, {begin} at the beginning", memory());
}

/// Every signal of every policy, as the tick reads them.
async fn round_of(reader: &PodReader, config: &Config, at: Timestamp, is_warm: bool) {
    let signals =
        config.policies.iter().flat_map(|it| it.signals.iter().map(move |signal| (it, signal)));
    let reads = signals.map(|(policy, signal)| async move {
        let Ask::Pods(ask) = &signal.ask else { return };
        let asker = (policy.key.clone(), signal.name.clone());
        let read = reader.read(asker, ask, at).await;
        assert!(read.is_ok() || !is_warm, "{}: {read:?}", signal.name);
    });
    futures::future::join_all(reads).await;
}

/// Each pod at an address of its own; one server listens at all of them.
fn place(number: usize, port: u16) -> PodPlace {
    let [high, low] = u16::try_from(number + 256).unwrap().to_be_bytes();
    PodPlace {
        name: ObjectName::new(&format!("llama-{number}")).unwrap(),
        uid: format!("uid-{number}").into(),
        address: Some(IpAddr::V4(Ipv4Addr::new(127, 1, high, low))),
        ports: [("metrics".into(), port)].into(),
        is_ready: true,
        is_leaving: false,
        engine: None,
    }
}

/// Plays all pods until its input ends.
async fn serve() {
    let page = |bytes, rounds| axum::body::Bytes::from(vllm_page::page(bytes, rounds));
    let pages: Vec<Arc<[axum::body::Bytes]>> = PAGE_BYTES
        .iter()
        .map(|it| (0..VARIANTS).map(|rounds| page(*it, rounds)).collect())
        .collect();
    let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], 0))).await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let IpAddr::V4(own) = stream.local_addr().unwrap().ip() else { continue };
            let [.., last] = own.octets();
            let Some(variants) = pages.get(usize::from(last) % pages.len()).cloned() else {
                continue;
            };
            let asked = Arc::new(AtomicUsize::new(0));
            tokio::spawn(async move {
                let service = service_fn(move |_| {
                    let asked = asked.fetch_add(1, Ordering::Relaxed);
                    let page = variants.get(asked % variants.len()).cloned().unwrap_or_default();
                    let body = axum::body::Body::from(page);
                    std::future::ready(Ok::<_, Infallible>(Response::new(body)))
                });
                let builder = auto::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await.unwrap().unwrap();
}

fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|it| it.parse().unwrap())
}

/// Seconds of processor time that this process used so far, from Linux' /proc: the 14th and 15th
/// field, in hundredths, counted behind the name, which may hold blanks.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|it| it.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Resident MiB of this process.
fn memory() -> u64 {
    status("VmRSS:")
}

/// MiB in a line of Linux' /proc/self/status.
fn status(beginning: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with(beginning)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}
