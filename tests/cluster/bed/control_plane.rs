//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler and KWOK, in this order.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::certificates::{Certificates, FRONT_PROXY_NAME};
use super::http::Http;
use super::keeper::Keeper;
use super::kubectl::{Kubectl, kubeconfig};
use super::ports::free_port;
use super::process::Process;
use super::tools::Tools;
use super::wait::{seen, wait_until};

/// The API server takes 3-4 s on two idle cores; a machine that also compiles takes several times that.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// Users with a fixed token: `(token, user, group)`; the token is the user's name for kubeconfigs too.
const USERS: [(&str, &str, &str); 4] = [
    ("admin", "admin", "system:masters"),
    ("nobody", "nobody", ""),
    ("kube-controller-manager", "system:kube-controller-manager", ""),
    ("kube-scheduler", "system:kube-scheduler", ""),
];

/// What the HPA controller reads and writes, with the bodies and to the microsecond: the exact course
/// of each of its syncs. Nobody else's requests are written down.
const AUDIT_POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ["*"]
  - level: None
    resources: [{group: "", resources: [events]}, {group: events.k8s.io, resources: [events]}]
  - level: RequestResponse
    users: ["system:serviceaccount:kube-system:horizontal-pod-autoscaler"]
  - level: None
"#;

/// The scale-down window of an HPA that names none: minutes would outlast any test.
pub(crate) const DOWNSCALE_STABILIZATION: Duration = Duration::from_secs(6);

const FAKE_NODES: [&str; 2] = ["fake-0", "fake-1"];

/// What KWOK does to nodes and pods; `pod-complete` beside them is for the pods of a Job and keeps
/// its own delay.
const QUICK_STAGES: [&str; 6] = [
    "node/fast/node-initialize.yaml",
    "pod/general/pod-create.yaml",
    "pod/general/pod-init-container-running.yaml",
    "pod/general/pod-init-container-completed.yaml",
    "pod/general/pod-ready.yaml",
    "pod/general/pod-delete.yaml",
];

/// A running control plane with fake nodes; dropping it stops it.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    server: String,
    /// Oldest first.
    processes: Vec<Process>,
    keeper: Arc<Keeper>,
    kubectl: PathBuf,
}

impl ControlPlane {
    /// Starts everything and waits until a pod could run.
    pub(crate) fn start(
        tools: &Tools,
        keeper: &Arc<Keeper>,
        certificates: &Certificates,
        http: &Http,
    ) -> Self {
        let mut plane = Self {
            server: format!("https://127.0.0.1:{}", free_port()),
            processes: Vec::new(),
            keeper: Arc::clone(keeper),
            kubectl: tools.kubectl.clone(),
        };
        plane.write_files(certificates);
        let etcd = plane.start_etcd(tools, http);
        plane.start_api_server(tools, http, &etcd);
        plane.start_controllers(tools);
        plane.start_nodes(tools);
        plane
    }

    /// `https://HOST:PORT` of kube-apiserver.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// kubectl as one of the users with a fixed token: `admin` or `nobody`.
    pub(crate) fn kubectl_as(&self, user: &str) -> Kubectl {
        let kubeconfig = self.file(&format!("{user}.kubeconfig"));
        Kubectl::new(&self.keeper, &self.kubectl, &kubeconfig)
    }

    /// Writes a kubeconfig for a token and a namespace to be in, and gives back its path.
    pub(crate) fn write_kubeconfig(&self, name: &str, token: &str, namespace: &str) -> PathBuf {
        let path = self.file(&format!("{name}.kubeconfig"));
        fs::write(&path, kubeconfig(&self.server, &self.file("ca.crt"), token, namespace)).unwrap();
        path
    }

    /// Where kube-apiserver writes what the HPA controller asks it: one JSON event a line.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.file("audit.log")
    }

    /// What kube-apiserver, which is started second, has logged.
    pub(crate) fn api_server_log(&self) -> String {
        self.processes[1].log()
    }

    /// The ids of all processes, oldest first.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }

    /// The ids of whatever acts by itself: controllers, scheduler and KWOK.
    pub(crate) fn actors(&self) -> Vec<u32> {
        self.pids().split_off(2)
    }

    fn write_files(&self, certificates: &Certificates) {
        let folder = self.keeper.folder();
        let Certificates {
            authority,
            front_proxy_authority,
            front_proxy,
            service_account_key,
            service_account_public_key,
        } = certificates;
        for (name, text) in [
            ("ca.crt", &authority.certificate()),
            ("front-proxy-ca.crt", &front_proxy_authority.certificate()),
            ("service-account.key", service_account_key),
            ("service-account.pub", service_account_public_key),
            ("audit-policy.yaml", &AUDIT_POLICY.to_owned()),
        ] {
            fs::write(self.file(name), text).unwrap();
        }
        front_proxy.write(folder, "front-proxy");
        let names =
            ["localhost", "127.0.0.1", "kubernetes.default.svc", "kubernetes.default", "10.0.0.1"];
        authority.server(&names).write(folder, "kube-apiserver");
        let lines: Vec<String> = USERS
            .iter()
            .map(|(token, user, group)| format!("{token},{user},{token},\"{group}\"\n"))
            .collect();
        fs::write(self.file("tokens.csv"), lines.concat()).unwrap();
        for (token, _, _) in USERS {
            self.write_kubeconfig(token, token, "default");
        }
    }

    fn start_etcd(&mut self, tools: &Tools, http: &Http) -> String {
        let client = format!("http://127.0.0.1:{}", free_port());
        let peer = format!("http://127.0.0.1:{}", free_port());
        let etcd = self.process(
            "etcd",
            &tools.etcd,
            &[
                "--name=bed".to_owned(),
                format!("--data-dir={}", self.text("etcd-data")),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster=bed={peer}"),
                // The data does not outlive the run, so nothing needs to reach the disk.
                "--unsafe-no-fsync".to_owned(),
            ],
        );
        etcd.wait_ready(START_DEADLINE, || http.healthy(&format!("{client}/health"), &[]));
        client
    }

    fn start_api_server(&mut self, tools: &Tools, http: &Http, etcd: &str) {
        let port = self.server.rsplit(':').next().unwrap().to_owned();
        let arguments = [
            format!("--etcd-servers={etcd}"),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            // Loopback may not be advertised; nobody in the bed looks at the kubernetes Service, so
            // the address (reserved for documentation) is never written to its endpoints.
            "--advertise-address=192.0.2.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            // KWOK's pods need no service-account token, and there is no kubelet to mount one.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            format!("--token-auth-file={}", self.text("tokens.csv")),
            format!("--client-ca-file={}", self.text("ca.crt")),
            format!("--tls-cert-file={}", self.text("kube-apiserver.crt")),
            format!("--tls-private-key-file={}", self.text("kube-apiserver.key")),
            format!("--proxy-client-cert-file={}", self.text("front-proxy.crt")),
            format!("--proxy-client-key-file={}", self.text("front-proxy.key")),
            format!("--requestheader-client-ca-file={}", self.text("front-proxy-ca.crt")),
            format!("--requestheader-allowed-names={FRONT_PROXY_NAME}"),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-signing-key-file={}", self.text("service-account.key")),
            format!("--service-account-key-file={}", self.text("service-account.pub")),
            format!("--audit-policy-file={}", self.text("audit-policy.yaml")),
            format!("--audit-log-path={}", self.text("audit.log")),
            // On by itself from Kubernetes 1.37 on, whose rules are the simulator's.
            "--feature-gates=HPAScaleToZero=true".to_owned(),
        ];
        let ready = format!("{}/readyz", self.server);
        let api_server = self.process("kube-apiserver", &tools.kube_apiserver, &arguments);
        api_server.wait_ready(START_DEADLINE, || {
            http.healthy(&ready, &[("Authorization", "Bearer admin")])
        });
    }

    fn start_controllers(&mut self, tools: &Tools) {
        let arguments = [
            format!("--kubeconfig={}", self.text("kube-controller-manager.kubeconfig")),
            format!("--service-account-private-key-file={}", self.text("service-account.key")),
            format!("--root-ca-file={}", self.text("ca.crt")),
            // The static user may only impersonate: each controller gets its own rights this way.
            "--use-service-account-credentials=true".to_owned(),
            "--feature-gates=HPAScaleToZero=true".to_owned(),
            "--horizontal-pod-autoscaler-sync-period=1s".to_owned(),
            format!(
                "--horizontal-pod-autoscaler-downscale-stabilization={}s",
                DOWNSCALE_STABILIZATION.as_secs()
            ),
            // It would write phases into the pods that a test keeps terminating, at a time of its own.
            "--controllers=*,-pod-garbage-collector-controller".to_owned(),
            // Dozens of HPAs, each once a second, and some of them wait for their metric.
            "--concurrent-horizontal-pod-autoscaler-syncs=64".to_owned(),
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
            // Nobody renews the fake nodes' heartbeats: after 50 s they would be taken for dead, and
            // their pods marked as not ready, which nobody would ever take back.
            "--node-monitor-grace-period=24h".to_owned(),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        self.process("kube-controller-manager", &tools.kube_controller_manager, &arguments);
        let arguments = [
            format!("--kubeconfig={}", self.text("kube-scheduler.kubeconfig")),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        self.process("kube-scheduler", &tools.kube_scheduler, &arguments);
        let kubectl = self.kubectl_as("admin");
        // The service-account controller writes this one: it works, and so do its informers.
        let controllers = self.processes.iter_mut().rev().nth(1).unwrap();
        controllers.wait_ready(START_DEADLINE, || {
            let output = kubectl.run("get serviceaccount default --namespace default");
            seen(output.success, output.stderr)
        });
    }

    fn start_nodes(&mut self, tools: &Tools) {
        fs::write(self.file("stages.yaml"), stages(&tools.kwok_stages)).unwrap();
        let arguments = [
            format!("--kubeconfig={}", self.text("admin.kubeconfig")),
            format!("--config={}", self.text("stages.yaml")),
            "--manage-all-nodes=true".to_owned(),
            "--cidr=10.1.0.1/16".to_owned(),
            "--node-ip=127.0.0.1".to_owned(),
            format!("--server-address=127.0.0.1:{}", free_port()),
        ];
        self.process("kwok", &tools.kwok, &arguments);
        let kubectl = self.kubectl_as("admin");
        kubectl.apply(&FAKE_NODES.map(node).join("---\n"));
        wait_until(START_DEADLINE, "the fake nodes take pods", || {
            let nodes = kubectl.get("nodes");
            let items = nodes["items"].as_array().unwrap();
            let untainted = items.iter().filter(|node| node["spec"]["taints"].is_null()).count();
            seen(untainted == FAKE_NODES.len(), format!("{untainted} nodes without a taint"))
        });
    }

    fn process(&mut self, name: &str, program: &Path, arguments: &[String]) -> &mut Process {
        self.processes.push(Process::start(&self.keeper, name, program, arguments));
        self.processes.last_mut().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.keeper.folder().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Youngest first: an API server whose etcd is gone takes a minute to give up.
        while let Some(process) = self.processes.pop() {
            drop(process);
        }
    }
}

fn node(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Node
metadata:
  name: {name}
  annotations: {{kwok.x-k8s.io/node: fake}}
  labels: {{kubernetes.io/hostname: {name}, kubernetes.io/os: linux, kubernetes.io/arch: amd64}}
status:
  allocatable: {{cpu: 10k, memory: 100Ti, pods: 10k}}
  capacity: {{cpu: 10k, memory: 100Ti, pods: 10k}}
"
    )
}

/// KWOK's own stages, with every default delay taken out: a pod is Ready at once, or exactly after
/// the duration in its annotation `pod-ready.stage.kwok.x-k8s.io/delay`, which is its lead time.
fn stages(folder: &Path) -> String {
    let stage = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let mut documents = vec![stage("pod/general/pod-complete.yaml")];
    documents.extend(QUICK_STAGES.map(|name| without_delay(&stage(name))));
    documents.join("\n---\n")
}

fn without_delay(stage: &str) -> String {
    let mut text = String::new();
    let mut lines = stage.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        match line.trim_start().split(':').next().unwrap_or_default() {
            "durationMilliseconds" => {
                text.push_str(&format!("{}durationMilliseconds: 0\n", " ".repeat(indent)));
            }
            "jitterDurationMilliseconds" => {}
            // With the one line below it, the expression.
            "jitterDurationFrom" => drop(lines.next()),
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}
