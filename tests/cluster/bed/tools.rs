//! The programs of the bed: built once from the Go module beside, and Debian's Prometheus.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cache;
use super::keeper::Keeper;
use super::process::Process;

/// Where go.mod with its tool block is.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster");

/// The name that other projects' test environments gave to a folder with such programs.
const READY_MADE: &str = "KUBEBUILDER_ASSETS";

/// A cold build takes about five minutes on two cores, one of KEDA ten; this is for a slow network on top.
const BUILD_DEADLINE: Duration = Duration::from_secs(45 * 60);
const PROGRESS_INTERVAL: Duration = Duration::from_secs(15);

/// Each program by the names it may have; etcd's package calls it `server`.
const PROGRAMS: [&[&str]; 6] = [
    &["etcd", "server"],
    &["kube-apiserver"],
    &["kube-controller-manager"],
    &["kube-scheduler"],
    &["kubectl"],
    &["kwok"],
];

/// The folder beside the programs with KWOK's stage definitions.
const STAGES: &str = "stage";

/// Paths of everything that the bed starts.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) etcd: PathBuf,
    pub(crate) kube_apiserver: PathBuf,
    pub(crate) kube_controller_manager: PathBuf,
    pub(crate) kube_scheduler: PathBuf,
    pub(crate) kubectl: PathBuf,
    pub(crate) kwok: PathBuf,
    pub(crate) prometheus: PathBuf,
    /// KWOK's stage definitions, from the same version as the program.
    pub(crate) kwok_stages: PathBuf,
}

impl Tools {
    /// Finds or builds every program. Fails, and says how to get it, when something is missing.
    pub(crate) fn ready(keeper: &Arc<Keeper>) -> Self {
        let prometheus = on_path("prometheus").unwrap_or_else(|| {
            panic!(
                "the cluster test needs `prometheus`: `make setup`, or apt-get install prometheus"
            )
        });
        let mut folders = Vec::from_iter(std::env::var_os(READY_MADE).map(PathBuf::from));
        if !PROGRAMS
            .iter()
            .chain([&[STAGES].as_slice()])
            .all(|names| find(&folders, names).is_some())
        {
            folders.push(built(keeper));
        }
        let program = |names: &[&str]| {
            find(&folders, names).unwrap_or_else(|| panic!("no {names:?} in {folders:?}"))
        };
        let [etcd, kube_apiserver, kube_controller_manager, kube_scheduler, kubectl, kwok] =
            PROGRAMS.map(program);
        Self {
            etcd,
            kube_apiserver,
            kube_controller_manager,
            kube_scheduler,
            kubectl,
            kwok,
            prometheus,
            kwok_stages: program(&[STAGES]),
        }
    }
}

fn find(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    let candidates = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    candidates.into_iter().find(|path| path.exists())
}

/// The folder with the finished build of this go.mod and go.sum.
fn built(keeper: &Arc<Keeper>) -> PathBuf {
    cache::made_once(&module_key(&[]), |partial| {
        let what = "etcd, Kubernetes and KWOK once (about 5 minutes on 2 cores)";
        build(keeper, &Build { package: "tool", what, ..Build::default() }, partial);
        let stages = ["node/fast", "pod/general"];
        for folder in stages {
            let source = Path::new("kustomize/stage").join(folder);
            copy_yaml(
                Path::new(MODULE),
                "sigs.k8s.io/kwok",
                &source,
                &partial.join(STAGES).join(folder),
            );
        }
    })
}

/// The folder with the tools of another module, `peers/NAME`, and YAML files of one of its dependencies:
/// the name of the dependency and the folder in it, which is copied as `yaml`.
pub(crate) fn peer(keeper: &Arc<Keeper>, name: &str, yaml: Option<(&str, &str)>) -> PathBuf {
    let module = Path::new(MODULE).join("peers").join(name);
    let key = format!("{name}-{:016x}", hash(&module, &[]).finish());
    cache::made_once(&key, |partial| {
        let what = format!("{name} once (up to 10 minutes on 2 cores)");
        let of_module = Build { module: &module, flags: None, package: "tool", what: &what };
        build(keeper, &of_module, partial);
        if let Some((dependency, folder)) = yaml {
            copy_yaml(&module, dependency, Path::new(folder), &partial.join("yaml"));
        }
    })
}

/// The program that reads metrics with Kubernetes' own clients, built from its one file.
pub(crate) fn clients(keeper: &Arc<Keeper>) -> PathBuf {
    own(keeper, "clients", "a reader of metrics once")
}

/// A server of external metrics that is a generic API server, likewise.
pub(crate) fn neighbour(keeper: &Arc<Keeper>) -> PathBuf {
    own(keeper, "neighbour", "a server of metrics once")
}

/// The program of one file in a folder beside go.mod.
fn own(keeper: &Arc<Keeper>, name: &str, what: &str) -> PathBuf {
    let key = format!("{name}-{}", module_key(&[&format!("{name}/main.go")]));
    let package = format!("./{name}");
    let folder = cache::made_once(&key, |partial| {
        build(keeper, &Build { package: &package, what, ..Build::default() }, partial);
    });
    folder.join(name)
}

fn go() -> PathBuf {
    on_path("go").unwrap_or_else(|| {
        panic!("the cluster test builds Kubernetes with `go` 1.26 or newer: https://go.dev/dl")
    })
}

/// What is built.
struct Build<'a> {
    module: &'a Path,
    flags: Option<String>,
    package: &'a str,
    /// What a person who waits is told.
    what: &'a str,
}

impl Default for Build<'_> {
    /// From the module beside, as Kubernetes builds it.
    fn default() -> Self {
        let module = Path::new(MODULE);
        Self { module, flags: Some(version_flags()), package: "", what: "" }
    }
}

fn build(keeper: &Arc<Keeper>, build: &Build<'_>, into: &Path) {
    let Build { module, flags, package, what } = build;
    // The Go caches are the person's own: they are what makes the second build quick.
    let home = std::env::var_os("HOME").unwrap_or_default();
    let mut arguments = vec![
        format!("HOME={}", home.to_str().unwrap()),
        text(&go()),
        "-C".to_owned(),
        text(module),
        "build".to_owned(),
    ];
    arguments.extend(flags.clone());
    arguments.extend(["-o".to_owned(), format!("{}/", text(into)), (*package).to_owned()]);
    let mut process = Process::start(keeper, "go-build", Path::new("env"), &arguments);
    let started = Instant::now();
    let mut told = Instant::now();
    say(&format!("test bed: building {what}"));
    let status = super::wait::poll(BUILD_DEADLINE, || {
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            say(&format!("test bed: still building after {} s", started.elapsed().as_secs()));
        }
        process.ended().ok_or_else(|| "still running".to_owned())
    });
    match status {
        Ok(status) if status.success() => {
            say(&format!("test bed: built in {} s", started.elapsed().as_secs()));
        }
        Ok(status) => panic!("go build ended with {status}:\n{}", process.log()),
        Err(_) => panic!("go build is not done after {BUILD_DEADLINE:?}:\n{}", process.log()),
    }
}

/// Kubernetes' own build script writes its version into the programs; without it `kubectl version`
/// fails and the API server calls itself v0.0.0.
fn version_flags() -> String {
    let module = fs::read_to_string(Path::new(MODULE).join("go.mod")).unwrap();
    let version = module
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        .and_then(|rest| rest.split_whitespace().next())
        .expect("go.mod requires k8s.io/kubernetes");
    let mut parts = version.split('.');
    let (major, minor) = (parts.next().unwrap(), parts.next().unwrap());
    let variable = "-X k8s.io/component-base/version.git";
    format!("-ldflags={variable}Version=v{version} {variable}Major={major} {variable}Minor={minor}")
}

/// Copies YAML files of a dependency beside the programs, so that a later run does not need its module.
fn copy_yaml(module: &Path, dependency: &str, folder: &Path, into: &Path) {
    let output = Command::new(go())
        .arg("-C")
        .arg(module)
        .args(["list", "-m", "-f", "{{.Dir}}", dependency])
        .output()
        .unwrap();
    let source = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join(folder);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(source.is_dir(), "no {} of {dependency}: {stderr}", folder.display());
    fs::create_dir_all(into).unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let source = entry.unwrap().path();
        let name = source.file_name().unwrap();
        if source.extension().is_some_and(|extension| extension == "yaml") {
            fs::write(into.join(name), fs::read(&source).unwrap()).unwrap();
        }
    }
}

/// One name for each content of go.mod, go.sum and these sources, and for the way to build. The standard library's hash is stable for one
/// release of Rust; a new release costs at most one more build.
fn module_key(sources: &[&str]) -> String {
    let mut hasher = hash(Path::new(MODULE), sources);
    version_flags().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn hash(module: &Path, sources: &[&str]) -> DefaultHasher {
    let mut hasher = DefaultHasher::new();
    for file in ["go.mod", "go.sum"].iter().chain(sources) {
        fs::read(module.join(file)).unwrap().hash(&mut hasher);
    }
    hasher
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Where Go's own instructions put it; a login shell finds it there, a bare one may not.
    let usual = [PathBuf::from("/usr/local/go/bin")];
    std::env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Past the test runner's capture: who waits for minutes wants to know why.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

fn text(path: &Path) -> String {
    path.to_str().expect("a cache folder with a readable name").to_owned()
}
