//! Debian's real Prometheus, which can go down and come back with its data.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Http;
use super::keeper::Keeper;
use super::ports::free_port;
use super::process::Process;

/// The write-ahead log of a short run is read back in well under a second.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// `honor_labels`: what a test writes on its page is what a query finds, `instance` and `job` too.
const CONFIG: &str = "
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
scrape_configs:
  - job_name: exporters
    honor_labels: true
    file_sd_configs:
      - files: [TARGETS]
        refresh_interval: 1s
";

/// A Prometheus on one port with one data folder, running or not.
#[derive(Debug)]
pub(crate) struct Prometheus {
    program: PathBuf,
    keeper: Arc<Keeper>,
    http: Http,
    port: u16,
    targets: Mutex<BTreeMap<String, String>>,
    process: Mutex<Option<Process>>,
}

impl Prometheus {
    /// Starts it without targets.
    pub(crate) fn start(program: PathBuf, keeper: &Arc<Keeper>, http: Http) -> Self {
        let prometheus = Self {
            program,
            keeper: Arc::clone(keeper),
            http,
            port: free_port(),
            targets: Mutex::default(),
            process: Mutex::default(),
        };
        let targets = prometheus.targets_file();
        fs::write(&targets, "[]").unwrap();
        let config = CONFIG.replace("TARGETS", targets.to_str().unwrap());
        fs::write(keeper.folder().join("prometheus.yaml"), config).unwrap();
        prometheus.start_again();
        prometheus
    }

    /// The URL for a source in Foresail's configuration.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Has `address` (`HOST:PORT`, page at `/metrics`) scraped every second under a job name.
    pub(crate) fn scrape(&self, job: &str, address: &str) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.insert(job.to_owned(), address.to_owned());
        let list: Vec<Value> = targets
            .iter()
            .map(|(job, address)| json!({"targets": [address], "labels": {"job": job}}))
            .collect();
        let file = self.targets_file();
        let partial = file.with_extension("partial");
        fs::write(&partial, Value::from(list).to_string()).unwrap();
        fs::rename(&partial, &file).unwrap();
    }

    /// Stops it; queries are refused until [`Prometheus::start_again`].
    pub(crate) fn stop(&self) {
        *self.process() = None;
    }

    /// Starts it on the same port with the same data. Nothing happens when it runs.
    pub(crate) fn start_again(&self) {
        let mut process = self.process();
        if process.as_mut().is_some_and(|process| process.ended().is_none()) {
            return;
        }
        let folder = self.keeper.folder();
        let arguments = [
            format!("--config.file={}", folder.join("prometheus.yaml").display()),
            format!("--storage.tsdb.path={}", folder.join("prometheus-data").display()),
            format!("--web.listen-address=127.0.0.1:{}", self.port),
        ];
        let mut started = Process::start(&self.keeper, "prometheus", &self.program, &arguments);
        let ready = format!("{}/-/ready", self.url());
        started.wait_ready(START_DEADLINE, || self.http.healthy(&ready, &[]));
        *process = Some(started);
    }

    /// An instant query; the error is Prometheus' own, or why it did not answer.
    pub(crate) fn query(&self, query: &str) -> Result<Value, String> {
        let url = format!("{}/api/v1/query", self.url());
        let reply = self.http.post_form(&url, &[("query", query)])?;
        if reply.status != 200 {
            return Err(format!("{}: {}", reply.status, reply.body));
        }
        Ok(reply.json()["data"]["result"].clone())
    }

    /// The value of a query that has exactly one series.
    pub(crate) fn value(&self, query: &str) -> Result<f64, String> {
        let result = self.query(query)?;
        match result.as_array().map(Vec::as_slice) {
            Some([only]) => only["value"][1]
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| format!("no number: {only}")),
            _ => Err(format!("not one series: {result}")),
        }
    }

    /// The process id while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Process::pid)
    }

    fn targets_file(&self) -> PathBuf {
        self.keeper.folder().join("prometheus-targets.json")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
