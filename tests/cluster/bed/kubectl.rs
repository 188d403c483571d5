//! kubectl of the bed's own version, as one user.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use super::keeper::Keeper;

/// How to call the API server as one user.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
    keeper: Arc<Keeper>,
}

/// What a call gave.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// Whether it ended with status 0.
    pub(crate) success: bool,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error: warnings too.
    pub(crate) stderr: String,
}

impl Kubectl {
    /// kubectl for the user of a kubeconfig.
    pub(crate) fn new(keeper: &Arc<Keeper>, program: &Path, kubeconfig: &Path) -> Self {
        Self {
            program: program.into(),
            kubeconfig: kubeconfig.into(),
            // What kubectl remembers of an API server; the person's own memory stays out of it.
            cache: kubeconfig.with_extension("kubectl-cache"),
            keeper: Arc::clone(keeper),
        }
    }

    /// The kubeconfig of this user.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs a command line, split at spaces; success or not is for the caller to judge.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.run_with(&line.split_whitespace().collect::<Vec<_>>(), "")
    }

    /// The same with arguments that may hold spaces, and a standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A deletion waits, and would go on waiting for an API server that is gone.
        self.keeper.register(child.id());
        // kubectl may end without having read it all; what it says is what counts.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        self.keeper.forget(pid);
        Output {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command line that must succeed and gives back its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.success, "kubectl {line}\n{}{}", output.stdout, output.stderr);
        output.stdout
    }

    /// Runs a command line that must fail and gives back what it said.
    #[track_caller]
    pub(crate) fn fails(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(!output.success, "kubectl {line} should fail, but:\n{}", output.stdout);
        output.stderr
    }

    /// Applies manifests given as text.
    #[track_caller]
    pub(crate) fn apply(&self, manifests: &str) -> String {
        let output = self.run_with(&["apply", "--filename", "-"], manifests);
        assert!(output.success, "kubectl apply: {}\nof\n{manifests}", output.stderr);
        output.stdout
    }

    /// `kubectl get WHAT --output json`.
    #[track_caller]
    pub(crate) fn get(&self, what: &str) -> Value {
        let text = self.ok(&format!("get {what} --output json"));
        serde_json::from_str(&text).unwrap()
    }

    /// `kubectl get --raw PATH`, which must succeed with JSON.
    #[track_caller]
    pub(crate) fn raw(&self, path: &str) -> Value {
        let text = self.ok(&format!("get --raw {path}"));
        serde_json::from_str(&text).unwrap()
    }

    /// Merges `patch` into the object `what` (for example `service/foresail -n foresail-system`).
    #[track_caller]
    pub(crate) fn merge(&self, what: &str, patch: &Value) {
        let patch = patch.to_string();
        let mut arguments = vec!["patch"];
        arguments.extend(what.split_whitespace());
        arguments.extend(["--type", "merge", "--patch", &patch]);
        let output = self.run_with(&arguments, "");
        assert!(output.success, "kubectl patch {what} {patch}: {}", output.stderr);
    }
}

/// A kubeconfig (JSON is YAML) for one server, one bearer token, and a namespace to be in.
pub(crate) fn kubeconfig(
    server: &str,
    authority_file: &Path,
    token: &str,
    namespace: &str,
) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bed", "cluster": {
            "server": server, "certificate-authority": authority_file,
        }}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "bed", "context": {
            "cluster": "bed", "user": "user", "namespace": namespace,
        }}],
        "current-context": "bed",
    })
    .to_string()
}
