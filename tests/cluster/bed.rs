//! The test bed: a real control plane, Prometheus and an exporter on this machine, in one handle.
//!
//!     let bed = Bed::shared();                  // or exclusive(), to stop or register something
//!     bed.exporter.set("vllm:num_requests_running", &[("pod", "llama-0")], 12.0);
//!     bed.kubectl.apply("…");
//!     wait_until(Duration::from_secs(10), "the pods are ready", || …);
//!
//! Everything runs on free ports in a temporary folder and ends with the handle, with a panic, and
//! with the process, however that ends (see `keeper`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) mod adapter;
pub(crate) mod cache;
pub(crate) mod certificates;
pub(crate) mod control_plane;
pub(crate) mod exporter;
pub(crate) mod http;
pub(crate) mod keeper;
pub(crate) mod kubectl;
pub(crate) mod neighbour;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod registration;
pub(crate) mod tools;
pub(crate) mod wait;

use adapter::{Adapter, AdapterSetup};
use certificates::{Certificates, Identity};
use control_plane::ControlPlane;
use exporter::Exporter;
use http::Http;
use keeper::Keeper;
use kubectl::Kubectl;
use neighbour::Neighbour;
use process::Process;
use prometheus::Prometheus;
use registration::Registration;
use tools::Tools;

/// A running bed. Fields are dropped from top to bottom: last started, first stopped.
#[derive(Debug)]
pub(crate) struct Bed {
    /// A page that Prometheus scrapes every second under the job `exporter`.
    pub(crate) exporter: Exporter,
    /// Prometheus, already scraping `exporter`.
    pub(crate) prometheus: Prometheus,
    /// kubectl as an administrator.
    pub(crate) kubectl: Kubectl,
    /// kubectl as a known user without any rights.
    pub(crate) kubectl_as_nobody: Kubectl,
    /// An HTTP client without an identity that trusts the bed's authority.
    pub(crate) http: Http,
    /// The control plane.
    pub(crate) control_plane: ControlPlane,
    /// The authorities, for further certificates.
    pub(crate) certificates: Certificates,
    serving_certificate: Identity,
    api_services: OnceLock<String>,
    tools: Tools,
    keeper: Arc<Keeper>,
}

impl Bed {
    /// Starts a bed of one's own: about ten seconds, and some minutes more the very first time.
    pub(crate) fn start() -> Self {
        let keeper = Arc::new(Keeper::start());
        let tools = Tools::ready(&keeper);
        let certificates = Certificates::new();
        let http = Http::new(&certificates.authority.certificate(), None);
        let control_plane = ControlPlane::start(&tools, &keeper, &certificates, &http);
        let prometheus = Prometheus::start(tools.prometheus.clone(), &keeper, http.clone());
        let exporter = Exporter::start();
        prometheus.scrape("exporter", &exporter.address());
        Self {
            exporter,
            prometheus,
            kubectl: control_plane.kubectl_as("admin"),
            kubectl_as_nobody: control_plane.kubectl_as("nobody"),
            http,
            control_plane,
            serving_certificate: registration::serving_certificate(&certificates.authority),
            certificates,
            api_services: OnceLock::new(),
            tools,
            keeper,
        }
    }

    /// The one bed of this process, for tests that leave it as it is: names and series of their own,
    /// nothing stopped, nothing registered. They run side by side.
    pub(crate) fn shared() -> RwLockReadGuard<'static, Self> {
        shared_bed().read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same bed for one test alone: it may stop Prometheus or register an adapter, and leaves
    /// Prometheus running.
    pub(crate) fn exclusive() -> RwLockWriteGuard<'static, Self> {
        let bed = shared_bed().write().unwrap_or_else(PoisonError::into_inner);
        // The test before may have failed while it was down.
        bed.prometheus.start_again();
        bed
    }

    /// Starts `foresail serve` with this configuration as the ServiceAccount of `deploy/`, and waits
    /// until it is ready. Several may run at the same time; [`Bed::register`] says which one is asked.
    #[track_caller]
    pub(crate) fn start_adapter(&self, binary: &Path, config: &str) -> Adapter {
        let mut adapter = self.spawn_adapter(binary, config);
        adapter.wait_ready();
        adapter
    }

    /// The same with further arguments.
    #[track_caller]
    pub(crate) fn start_adapter_with(
        &self,
        binary: &Path,
        config: &str,
        arguments: &[String],
    ) -> Adapter {
        let mut adapter = self.spawn_adapter_with(binary, config, arguments);
        adapter.wait_ready();
        adapter
    }

    /// One that is not waited for.
    pub(crate) fn spawn_adapter(&self, binary: &Path, config: &str) -> Adapter {
        self.spawn_adapter_with(binary, config, &[])
    }

    /// The same with further flags of `serve`.
    pub(crate) fn spawn_adapter_with(
        &self,
        binary: &Path,
        config: &str,
        flags: &[String],
    ) -> Adapter {
        self.install();
        let token = registration::service_account_token(&self.kubectl);
        let kubeconfig =
            self.control_plane.write_kubeconfig("foresail", &token, registration::NAMESPACE);
        let certificate = Some(&self.serving_certificate);
        let setup = AdapterSetup { binary, config, kubeconfig: &kubeconfig, certificate, flags };
        Adapter::spawn(&self.keeper, &self.http, &setup)
    }

    /// Starts one that keeps its serving certificate in the cluster, with the rights of the overlay for
    /// that; waits until it is ready.
    #[track_caller]
    pub(crate) fn start_own_adapter(&self, binary: &Path, config: &str) -> Adapter {
        self.install();
        registration::apply_own_certificate(&self.kubectl);
        let token = registration::service_account_token(&self.kubectl);
        let kubeconfig =
            self.control_plane.write_kubeconfig("foresail", &token, registration::NAMESPACE);
        let kubeconfig = &kubeconfig;
        let setup = AdapterSetup { binary, config, kubeconfig, certificate: None, flags: &[] };
        let mut adapter = Adapter::spawn(&self.keeper, &self.http, &setup);
        adapter.wait_ready();
        adapter
    }

    /// The program that reads metrics with Kubernetes' own clients; built when there is none yet.
    pub(crate) fn clients(&self) -> PathBuf {
        tools::clients(&self.keeper)
    }

    /// Starts another server of external metrics; its program is built when there is none yet.
    #[track_caller]
    pub(crate) fn start_neighbour(&self) -> Neighbour {
        let program = tools::neighbour(&self.keeper);
        let authority = &self.certificates.authority;
        Neighbour::start((&self.keeper, &program), &self.kubectl, authority, &self.http)
    }

    /// Starts another program; its output is in `NAME.log`.
    pub(crate) fn start_program(
        &self,
        name: &str,
        program: &Path,
        arguments: &[String],
    ) -> Process {
        Process::start(&self.keeper, name, program, arguments)
    }

    /// The folder with the tools of `peers/NAME`, built when there are none yet, and in `yaml` the files
    /// of a folder of one of its dependencies.
    pub(crate) fn peer(&self, name: &str, yaml: Option<(&str, &str)>) -> PathBuf {
        tools::peer(&self.keeper, name, yaml)
    }

    /// Has kube-apiserver ask this adapter, waits until the three API services are Available, and
    /// takes them away when the answer is dropped.
    pub(crate) fn register(&self, adapter: &Adapter) -> Registration {
        self.register_port(adapter.secure_port())
    }

    /// The same for any server on loopback that shows a serving certificate of this bed.
    pub(crate) fn register_port(&self, port: u16) -> Registration {
        Registration::new(&self.kubectl, self.install(), port)
    }

    /// Applies `deploy/` once (starting an adapter does it) and gives back the API services, which
    /// [`Bed::register`] applies.
    pub(crate) fn install(&self) -> &str {
        self.api_services.get_or_init(|| {
            registration::apply_manifests(
                &self.kubectl,
                &self.certificates.authority,
                &self.serving_certificate,
                self.keeper.folder(),
            )
        })
    }

    /// A new serving certificate, as good as the one that adapters start with.
    pub(crate) fn new_serving_certificate(&self) -> Identity {
        registration::serving_certificate(&self.certificates.authority)
    }

    /// An HTTP client with a certificate of its own.
    pub(crate) fn http_as(&self, identity: &Identity) -> Http {
        Http::new(&self.certificates.authority.certificate(), Some(identity))
    }

    /// The temporary folder: logs (`NAME.log`), kubeconfigs (`USER.kubeconfig`), data.
    pub(crate) fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// The folder with kubectl and the other programs.
    pub(crate) fn programs(&self) -> &Path {
        self.tools.kubectl.parent().unwrap()
    }

    /// The ids of everything that runs, adapters aside.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = self.control_plane.pids();
        pids.extend(self.prometheus.pid());
        pids
    }
}

/// A `static` is never dropped: when the process ends, the keeper stops this one.
#[track_caller]
fn shared_bed() -> &'static RwLock<Bed> {
    static SHARED: OnceLock<Option<RwLock<Bed>>> = OnceLock::new();
    let mut failure = None;
    let shared = SHARED.get_or_init(|| match std::panic::catch_unwind(Bed::start) {
        Ok(bed) => Some(RwLock::new(bed)),
        Err(panic) => {
            failure = Some(panic);
            None
        }
    });
    if let Some(panic) = failure {
        std::panic::resume_unwind(panic);
    }
    shared.as_ref().expect("the bed did not start: the test that tried it says why")
}
