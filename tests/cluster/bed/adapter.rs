//! One running `foresail serve`: its files, its ports, its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::certificates::Identity;
use super::http::{Http, Reply};
use super::keeper::Keeper;
use super::ports::free_port;
use super::process::Process;
use super::registration::SERVING_SECRET;

/// The promise is two seconds without a backfill; a debug build beside a compiler is slower.
const START_DEADLINE: Duration = Duration::from_secs(30);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A running adapter; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Adapter {
    process: Process,
    folder: PathBuf,
    secure_port: u16,
    observability_port: u16,
    http: Http,
}

/// What an adapter is started with.
#[derive(Debug)]
pub(crate) struct AdapterSetup<'a> {
    /// The binary: `env!("CARGO_BIN_EXE_foresail")` in a test.
    pub(crate) binary: &'a Path,
    /// The configuration file's text.
    pub(crate) config: &'a str,
    /// Whom it is towards kube-apiserver.
    pub(crate) kubeconfig: &'a Path,
    /// Its serving certificate; without one it keeps its own in the cluster.
    pub(crate) certificate: Option<&'a Identity>,
    /// Further flags of `serve`.
    pub(crate) flags: &'a [String],
}

impl Adapter {
    /// Starts it without waiting: for the cases in which it should refuse to start.
    pub(crate) fn spawn(keeper: &Arc<Keeper>, http: &Http, setup: &AdapterSetup<'_>) -> Self {
        let AdapterSetup { binary, config, kubeconfig, certificate, flags } = setup;
        let name = format!("foresail-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = keeper.folder().join(&name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("foresail.yaml"), config).unwrap();
        let (secure_port, observability_port) = (free_port(), free_port());
        let mut arguments = vec![
            "serve".to_owned(),
            format!("--config={}", folder.join("foresail.yaml").display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--secure-port={secure_port}"),
            format!("--observability-port={observability_port}"),
        ];
        arguments.extend_from_slice(flags);
        match certificate {
            Some(certificate) => {
                let (certificate, key) = certificate.write(&folder, "serving");
                arguments.push(format!("--tls-cert-file={}", certificate.display()));
                arguments.push(format!("--tls-private-key-file={}", key.display()));
            }
            None => arguments.push(format!("--serving-secret={SERVING_SECRET}")),
        }
        let process = Process::start(keeper, &name, binary, &arguments);
        Self { process, folder, secure_port, observability_port, http: http.clone() }
    }

    /// Waits for `/readyz`; an early end shows the end of its log.
    #[track_caller]
    pub(crate) fn wait_ready(&mut self) {
        let url = self.observability_url("/readyz");
        let http = self.http.clone();
        self.process.wait_ready(START_DEADLINE, || http.healthy(&url, &[]));
    }

    /// The port of the metrics APIs.
    pub(crate) fn secure_port(&self) -> u16 {
        self.secure_port
    }

    /// A URL of the metrics APIs, past kube-apiserver.
    pub(crate) fn secure_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.secure_port)
    }

    /// A URL of the observability port: `/metrics`, `/livez`, `/readyz`.
    pub(crate) fn observability_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.observability_port)
    }

    /// GET of a path on the observability port.
    pub(crate) fn observe(&self, path: &str) -> Result<Reply, String> {
        self.http.get(&self.observability_url(path), &[])
    }

    /// Replaces the configuration file as a whole, as an editor or a ConfigMap does it.
    pub(crate) fn replace_config(&self, config: &str) {
        self.replace("foresail.yaml", config);
    }

    /// Replaces certificate and key: first the one, then the other, as on a real machine.
    pub(crate) fn replace_certificate(&self, identity: &Identity) {
        self.replace("serving.crt", &identity.certificate);
        self.replace("serving.key", &identity.key);
    }

    /// The folder with `foresail.yaml`, `serving.crt` and `serving.key`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// The process, for its id, its end, or a signal.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.process.stop().expect("a stopped process has a status")
    }

    /// Replaces one file of the folder as a whole.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let partial = self.folder.join(format!("{name}.partial"));
        fs::write(&partial, text).unwrap();
        fs::rename(&partial, self.folder.join(name)).unwrap();
    }
}

impl Drop for Adapter {
    /// The orderly end takes seconds, and has a test of its own.
    fn drop(&mut self) {
        self.process.kill();
    }
}
