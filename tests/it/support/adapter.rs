//! The real binary, serving without a cluster on free ports, with a client that has its token.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use super::wait;
use reqwest::Client;
use serde_json::Value;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The token of every adapter that a test starts.
pub(crate) const TOKEN: &str = "integration-token-0123456789";

/// Where the namespace of the tests' policies publishes.
pub(crate) const EXTERNAL: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/inference";

/// `foresail` with nothing of the person's own settings.
pub(crate) fn foresail() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foresail"));
    command.env_remove("RUST_LOG").env_remove("KUBECONFIG").env("COLUMNS", "100");
    command.stdin(Stdio::null());
    command
}

/// A folder with a configuration and a token, and what `serve` is to be called with.
#[derive(Debug)]
pub(crate) struct Setup {
    folder: TempDir,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    log_filter: &'static str,
    is_standalone: bool,
}

impl Setup {
    pub(crate) fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("foresail.yaml"), config).unwrap();
        fs::write(folder.path().join("token"), TOKEN).unwrap();
        Self {
            folder,
            arguments: Vec::new(),
            environment: Vec::new(),
            log_filter: "info",
            is_standalone: true,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Behind the API server at this address.
    pub(crate) fn behind(mut self, api_server: SocketAddr) -> Self {
        let kubeconfig = format!(
            "{{apiVersion: v1, kind: Config, current-context: it, \
             clusters: [{{name: it, cluster: {{server: 'http://{api_server}'}}}}], \
             contexts: [{{name: it, context: {{cluster: it, user: it, namespace: foresail}}}}], \
             users: [{{name: it, user: {{}}}}]}}"
        );
        let path = self.file("kubeconfig");
        fs::write(&path, kubeconfig).unwrap();
        self.is_standalone = false;
        self.argument(format!("--kubeconfig={}", path.display()))
    }

    /// Sets a variable of its environment.
    pub(crate) fn environment(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.environment.push((name, text.into()));
        self
    }

    pub(crate) fn log_filter(mut self, filter: &'static str) -> Self {
        self.log_filter = filter;
        self
    }

    /// `foresail serve` as it is to be run.
    pub(crate) fn command(&self) -> Command {
        let mut command = foresail();
        command
            .args(["serve", "--secure-port=0", "--observability-port=0"])
            .arg(format!("--config={}", self.file("foresail.yaml").display()))
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, text)| (name, text)))
            .env("RUST_LOG", self.log_filter);
        if self.is_standalone {
            let token = self.file("token");
            command.arg("--standalone").arg(format!("--token-file={}", token.display()));
        }
        command
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(self) -> Adapter {
        let log = self.file("log");
        let child = self.command().stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut adapter = Adapter {
            child,
            log,
            client: client(),
            secure: ([127, 0, 0, 1], 0).into(),
            observability: ([127, 0, 0, 1], 0).into(),
            setup: self,
        };
        let (secure, observability) = wait::until("serving", async || {
            if let Some(status) = adapter.ended() {
                panic!("ended with {status}:\n{}", adapter.log());
            }
            let log = adapter.log();
            address(&log, " secure=").zip(address(&log, " observability=")).ok_or(log)
        })
        .await;
        (adapter.secure, adapter.observability) = (secure, observability);
        wait::until("ready", async || {
            let answer = adapter.observe("/readyz").await?;
            wait::seen(answer.code == 200, answer.body)
        })
        .await;
        adapter
    }
}

/// A running adapter; it ends with the test.
#[derive(Debug)]
pub(crate) struct Adapter {
    child: Child,
    log: PathBuf,
    client: Client,
    pub(crate) secure: SocketAddr,
    pub(crate) observability: SocketAddr,
    setup: Setup,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The message of a Status.
    pub(crate) fn message(&self) -> String {
        let status: Value = serde_json::from_str(&self.body).unwrap_or_default();
        status["message"].as_str().unwrap_or(&self.body).to_owned()
    }

    /// The values of a list of metrics.
    pub(crate) fn values(&self) -> Result<Vec<String>, String> {
        let list: Value = serde_json::from_str(&self.body).map_err(|_| self.body.clone())?;
        let items = list["items"].as_array().ok_or_else(|| self.message())?;
        Ok(items.iter().map(|it| it["value"].as_str().unwrap().to_owned()).collect())
    }
}

impl Adapter {
    pub(crate) async fn start(config: &str) -> Self {
        Setup::new(config).start().await
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.setup.file(name)
    }

    /// Replaces a file as a whole, as a mounted ConfigMap is replaced.
    pub(crate) fn replace(&self, name: &str, content: &str) {
        let partial = self.file("partial");
        fs::write(&partial, content).unwrap();
        fs::rename(&partial, self.file(name)).unwrap();
    }

    /// GET at the metrics APIs, with the token.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.get_with(path, TOKEN).await
    }

    pub(crate) async fn get_with(&self, path: &str, token: &str) -> Result<Answer, String> {
        let request = self.client.get(format!("https://{}{path}", self.secure));
        answer(request.bearer_auth(token)).await
    }

    /// GET at the operators' port.
    pub(crate) async fn observe(&self, path: &str) -> Result<Answer, String> {
        answer(self.client.get(format!("http://{}{path}", self.observability))).await
    }

    /// One answer about an External metric.
    pub(crate) async fn external(&self, metric: &str) -> Result<Answer, String> {
        self.get(&format!("{EXTERNAL}/{metric}")).await
    }

    /// Waits until an External metric has this one value.
    pub(crate) async fn serves(&self, metric: &str, value: &str) {
        wait::until(&format!("{metric} is {value}"), async || {
            let values = self.external(metric).await?.values()?;
            wait::seen(values == [value], format!("{values:?}"))
        })
        .await;
    }

    /// Waits until an External metric is refused with a message that has all these parts.
    pub(crate) async fn refuses(&self, metric: &str, parts: &[&str]) {
        wait::until(&format!("{metric} is refused with {parts:?}"), async || {
            let answer = self.external(metric).await?;
            let message = answer.message();
            wait::seen(
                answer.code == 404 && parts.iter().all(|part| message.contains(part)),
                format!("{} {message}", answer.code),
            )
        })
        .await;
    }

    /// Waits until the log has a line with all these parts, and gives it back.
    pub(crate) async fn logs(&self, parts: &[&str]) -> String {
        wait::until(&format!("a log line with {parts:?}"), async || {
            let log = self.log();
            let line = log.lines().find(|line| parts.iter().all(|part| line.contains(part)));
            line.map(str::to_owned).ok_or(log.clone())
        })
        .await
    }

    /// The number in the self metrics behind this beginning of a line.
    pub(crate) async fn metric(&self, beginning: &str) -> Result<f64, String> {
        let page = self.observe("/metrics").await?.body;
        let line = page.lines().find(|line| line.starts_with(beginning));
        let number = line.and_then(|line| line.rsplit_once(' ')).ok_or_else(|| page.clone())?.1;
        number.parse().map_err(|_| format!("no number: {number}"))
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal by its name (the shell's own `kill`: a minimal Debian has no other).
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has ended; answers its exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        wait::until("the end", async || self.ended().ok_or(self.log())).await.code()
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill, and waiting reaps it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let script = r#"kill -s "$0" "$1""#;
    let status = Command::new("sh").args(["-c", script, name, &pid.to_string()]).status();
    assert!(status.unwrap().success(), "SIG{name} to {pid}");
}

/// A client that takes the self-signed certificate of a test's own adapter.
pub(crate) fn client() -> Client {
    // As main does; whoever comes second finds it done.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true);
    builder.timeout(Duration::from_secs(10)).build().unwrap()
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let response = request.send().await.map_err(|error| error.to_string())?;
    let code = response.status().as_u16();
    let body = response.text().await.map_err(|error| error.to_string())?;
    Ok(Answer { code, body })
}

fn address(log: &str, key: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(key)?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// A configuration with these sources and policies, each one line of YAML in flow style.
pub(crate) fn config(sources: &[String], policies: &[String]) -> String {
    let list = |lines: &[String]| match lines {
        [] => " []\n".to_owned(),
        lines => lines.iter().fold("\n".to_owned(), |list, it| format!("{list}  - {it}\n")),
    };
    let head = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig";
    format!("{head}\nsources:{}policies:{}", list(sources), list(policies))
}

pub(crate) fn scrape(name: &str, url: &str) -> String {
    format!("{{name: {name}, scrape: {{url: '{url}', timeout: 500ms}}}}")
}

pub(crate) fn prometheus(name: &str, url: &str) -> String {
    format!("{{name: {name}, prometheus: {{url: '{url}', timeout: 500ms}}}}")
}

/// A policy that publishes one number as an External metric of its own name.
pub(crate) fn external(name: &str, interval: &str, signal: &str) -> String {
    format!(
        "{{metadata: {{name: {name}, namespace: inference}}, spec: {{metric: {{name: {name}, \
         type: External}}, interval: {interval}, signals: {{it: {signal}}}, \
         guard: {{maxAge: 10s, hold: 1m}}}}}}"
    )
}

/// Such a policy with a forecast.
pub(crate) fn foreseeing(name: &str, signal: &str) -> String {
    format!(
        "{{metadata: {{name: {name}, namespace: inference}}, spec: {{metric: {{name: {name}, \
         type: External}}, interval: 1s, signals: {{it: {signal}}}, \
         forecast: {{model: analog, leadTime: 1m}}}}}}"
    )
}

/// A signal of a page: the series `q`.
pub(crate) fn page_signal(source: &str) -> String {
    format!("{{source: {source}, scrape: {{series: q}}}}")
}

/// A signal of Prometheus.
pub(crate) fn query_signal(source: &str, query: &str) -> String {
    format!("{{source: {source}, prometheus: {{query: '{query}'}}}}")
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
