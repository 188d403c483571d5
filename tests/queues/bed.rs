//! The servers as processes on free ports in a temporary folder, and what all kinds of queue have
//! to hold when theirs goes away. Processes and ports are those of `tests/cluster`.

#[path = "../cluster/bed/cache.rs"]
mod cache;
#[path = "../cluster/bed/keeper.rs"]
mod keeper;
#[path = "../cluster/bed/ports.rs"]
mod ports;
#[path = "../cluster/bed/process.rs"]
mod process;
#[expect(dead_code, reason = "shared with tests/cluster, which uses all of it")]
#[path = "../cluster/bed/wait.rs"]
mod wait;

pub(crate) use cache::made_once;
pub(crate) use ports::free_port;

use crate::support::adapter::{Adapter, Setup, config};
use keeper::Keeper;
use process::Process;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Far more than any of them needs on a machine that is busy with something else.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// How long a read may take in these tests; what a server that is away costs is held against it.
pub(crate) const TIMEOUT: &str = "2s";

/// A server on one port that can be killed and started again.
pub(crate) struct Server {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    keeper: Arc<Keeper>,
    process: Option<Process>,
}

impl Server {
    /// Starts `program` in a folder of its own, which `arguments` are made for.
    pub(crate) fn start(
        (name, program): (&'static str, &str),
        port: u16,
        arguments: impl FnOnce(&Path) -> Vec<String>,
    ) -> Self {
        let keeper = Arc::new(Keeper::start());
        let arguments = arguments(keeper.folder());
        let program = program.into();
        let mut server = Self { name, program, arguments, port, keeper, process: None };
        assert!(
            server.is_installed(),
            "{program:?} is missing: run `make setup`",
            program = server.program
        );
        server.start_again();
        server
    }

    fn is_installed(&self) -> bool {
        let mut search = Command::new("sh");
        search.args(["-c", "command -v \"$0\""]).arg(&self.program);
        search.output().unwrap().status.success()
    }

    /// The folder in which it lives.
    pub(crate) fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// A crash, as others see it.
    pub(crate) fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let children = descendants(process.pid());
        process.kill();
        for pid in children {
            process::signal(pid, "KILL");
            while process::is_alive(pid) {
                std::thread::sleep(Duration::from_millis(20));
            }
            self.keeper.forget(pid);
        }
    }

    /// The processes stay and their connections too, but nothing comes from them any more.
    pub(crate) fn freeze(&mut self, is_frozen: bool) {
        let signal = if is_frozen { "STOP" } else { "CONT" };
        let process = self.process.as_mut().unwrap();
        process.signal(signal);
        descendants(process.pid()).into_iter().for_each(|pid| process::signal(pid, signal));
    }

    /// Starts it on its port with its data, and waits until it listens.
    pub(crate) fn start_again(&mut self) {
        let mut process = Process::start(&self.keeper, self.name, &self.program, &self.arguments);
        let address = ([127, 0, 0, 1], self.port).into();
        process.wait_ready(START_DEADLINE, || {
            let connected = TcpStream::connect_timeout(&address, Duration::from_secs(1));
            connected.map(drop).map_err(|error| error.to_string())
        });
        // Should this test be killed, its keeper knows whom to stop.
        descendants(process.pid()).into_iter().for_each(|pid| self.keeper.register(pid));
        self.process = Some(process);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody needs what it would write at a polite end.
        self.kill();
    }
}

/// The processes that a process has started, and those that they have, the nearest first.
fn descendants(pid: u32) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(child) = entry.file_name().to_string_lossy().parse() else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name, which is in brackets and may hold anything: the state and the parent.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        parents.extend(parent.and_then(|it| it.parse().ok()).map(|parent| (child, parent)));
    }
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(of) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// An adapter with one policy for each of these signals, which are written as YAML in flow style.
pub(crate) async fn adapter(signals: &[(&str, String)]) -> Adapter {
    let policies: Vec<String> = signals.iter().map(|(name, it)| policy(name, it)).collect();
    // Whatever a client says at its most talkative is looked through for secrets.
    Setup::new(&config(&[], &policies))
        .log_filter("trace,h2=info,rustls=info,hyper=info")
        .start()
        .await
}

/// A policy that publishes one queue's number as an External metric.
pub(crate) fn policy(name: &str, signal: &str) -> String {
    format!(
        "{{metadata: {{name: {name}, namespace: inference}}, spec: {{metric: {{name: {name}, \
         type: External}}, interval: 200ms, signals: {{jobs: {signal}}}, \
         guard: {{maxAge: 1s, hold: 1s}}}}}}"
    )
}

/// Kills the server and starts it again, freezes and thaws it: the metric, which is `value` before,
/// is refused with a sentence that has these words, is never anything else, and comes back.
pub(crate) async fn outlives_its_server(
    server: &mut Server,
    adapter: &Adapter,
    (metric, value): (&str, &str),
    refused: &[&str],
    ready_again: impl AsyncFn(),
) {
    adapter.serves(metric, value).await;
    server.kill();
    until_refused(adapter, (metric, value), refused).await;
    server.start_again();
    ready_again().await;
    until_served(adapter, (metric, value)).await;
    server.freeze(true);
    until_refused(adapter, (metric, value), &["no answer within 2s"]).await;
    server.freeze(false);
    until_served(adapter, (metric, value)).await;
}

/// The value is held for a while, then refused; a zero in between would scale to nothing.
async fn until_refused(adapter: &Adapter, (metric, value): (&str, &str), parts: &[&str]) {
    poll(adapter, (metric, value), |answer| match answer {
        Ok(_) => None,
        Err(message) => parts.iter().all(|it| message.contains(it)).then_some(()),
    })
    .await;
}

async fn until_served(adapter: &Adapter, (metric, value): (&str, &str)) {
    poll(adapter, (metric, value), |answer| answer.ok().map(drop)).await;
}

async fn poll(
    adapter: &Adapter,
    (metric, value): (&str, &str),
    mut is_done: impl FnMut(Result<&str, &str>) -> Option<()>,
) {
    let begin = Instant::now();
    let mut last = String::new();
    while begin.elapsed() < START_DEADLINE {
        let answer = adapter.external(metric).await.unwrap();
        let done = match answer.values() {
            Ok(values) => {
                assert_eq!(values, [value], "anything else was never in the queue");
                is_done(Ok(value))
            }
            Err(_) => {
                last = answer.message();
                is_done(Err(&last))
            }
        };
        if done.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{metric} after {START_DEADLINE:?}, last seen: {last}");
}

/// Everything that the adapter says about these metrics, to anybody: not one of `secrets` is in it.
pub(crate) async fn shows_none_of(adapter: &Adapter, metrics: &[&str], secrets: &[&str]) {
    let mut said = adapter.log();
    for metric in metrics {
        said.push_str(&adapter.external(metric).await.unwrap().body);
        for format in ["text", "json"] {
            let path = format!("/debug/explain/inference/{metric}?last=60&format={format}");
            said.push_str(&adapter.observe(&path).await.unwrap().body);
        }
    }
    for page in ["/metrics", "/debug/explain", "/readyz?verbose"] {
        said.push_str(&adapter.observe(page).await.unwrap().body);
    }
    for metric in metrics {
        assert!(said.contains(metric), "nothing was said about {metric}");
    }
    for secret in secrets {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "shows {secret}");
    }
}
