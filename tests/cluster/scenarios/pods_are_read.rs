//! Pods that are read directly: found by their labels, left when they are not ready, and silent ones
//! never scale down.

use serde_json::json;

use crate::bed::Bed;
use crate::bed::exporter::Exporter;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::config;
use crate::stage::{SOON, Stage, external, metric};

const NAMESPACE: &str = "scraped";

/// A pod without a node: what a kubelet would say about it, the test says.
struct Pod<'a> {
    bed: &'a Bed,
    name: &'static str,
    page: Exporter,
}

impl<'a> Pod<'a> {
    #[track_caller]
    fn new(bed: &'a Bed, name: &'static str, waiting: f64) -> Self {
        let page = Exporter::start();
        page.set("vllm:num_requests_waiting", &[("engine", "0")], waiting);
        let (_, port) =
            page.address().split_once(':').map(|it| (it.0.to_owned(), it.1.to_owned())).unwrap();
        bed.kubectl.apply(&format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {NAMESPACE}, labels: {{app: llama}}}}
spec:
  schedulerName: nobody
  containers:
    - name: engine
      image: example.invalid/engine
      ports: [{{name: metrics, containerPort: {port}}}]
"
        ));
        let pod = Self { bed, name, page };
        pod.tell(true);
        pod
    }

    /// The page is on loopback, and the pod is ready or not.
    #[track_caller]
    fn tell(&self, ready: bool) {
        let status = if ready { "True" } else { "False" };
        let patch = json!({"status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
            "conditions": [{"type": "Ready", "status": status,
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        }});
        let patch = patch.to_string();
        let arguments = [
            "patch",
            "pod",
            self.name,
            "--namespace",
            NAMESPACE,
            "--subresource",
            "status",
            "--type",
            "merge",
            "--patch",
            &patch,
        ];
        let output = self.bed.kubectl.run_with(&arguments, "");
        assert!(output.success, "{}", output.stderr);
    }

    fn delete(self) {
        let name = self.name;
        self.bed
            .kubectl
            .ok(&format!("delete pod {name} --namespace {NAMESPACE} --grace-period=0 --force"));
    }
}

/// Takes the namespace away.
struct Namespace<'a>(&'a Bed);

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        // Its success does not matter: this may run because the test has failed already.
        self.0.kubectl.run(&format!("delete namespace {NAMESPACE} --wait=false"));
    }
}

fn policy(name: &str, further: &str) -> String {
    format!(
        "
apiVersion: foresail.dev/v1alpha1
kind: MetricPolicy
metadata: {{name: {name}, namespace: {NAMESPACE}}}
spec:
  metric: {{name: {name}, type: External}}
  interval: 1s
  signals:
    waiting:
      pods:
        selector: {{matchLabels: {{app: llama}}}}
        port: metrics
        series: vllm:num_requests_waiting
        {further}
  guard: {{maxAge: 2s, hold: 2s}}
"
    )
}

#[test]
fn pods_are_found_read_and_never_scaled_down_by_silence() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    bed.kubectl
        .apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"));
    let _namespace = Namespace(&bed);
    let demand = external(NAMESPACE, "demand");
    bed.kubectl.apply(&policy("demand", ""));
    wait_until(SOON, "nobody is ready", || {
        let refused = stage.served(&demand).unwrap_err();
        seen(refused.contains("no ready pod matches the selector"), refused)
    });

    let one = Pod::new(&bed, "one", 3.0);
    let other = Pod::new(&bed, "other", 4.0);
    stage.wait_served(&demand, 7.0);
    other.tell(false);
    stage.wait_served(&demand, 3.0);
    other.tell(true);
    stage.wait_served(&demand, 7.0);

    // One that does not answer: what the other says may raise the number, and not lower it.
    other.page.answer(500, "no\n");
    one.page.set("vllm:num_requests_waiting", &[("engine", "0")], 9.0);
    stage.wait_served(&demand, 9.0);
    one.page.set("vllm:num_requests_waiting", &[("engine", "0")], 2.0);
    wait_until(SOON, "the held value is over", || match stage.served(&demand) {
        Ok(9.0) => Err("9 is held".to_owned()),
        Ok(other) => panic!("{other} was served"),
        Err(refused) => {
            let why = "1 of 2 pods say nothing: other: answered 500: no; and 2 of the others is not \
                       above the last 9";
            seen(refused.contains(why), refused)
        }
    });
    other.delete();
    stage.wait_served(&demand, 2.0);
    assert!(metric(&stage.adapter, "foresail_pod_page_reads_total", &[r#"result="ok""#]) > 0.0);

    a_namespaced_policy_names_no_file(&stage);
    let both =
        policy("both", "").replace("    waiting:\n", "    waiting:\n      source: default\n");
    let refused = bed.kubectl.run_with(&["apply", "--filename", "-"], &both);
    assert!(
        !refused.success && refused.stderr.contains("say themselves where to read"),
        "{refused:?}"
    );
}

/// Whoever may write policies in a namespace need not be who may read the adapter's files.
fn a_namespaced_policy_names_no_file(stage: &Stage<'_>) {
    stage.bed.kubectl.apply(&policy("thief", "auth: {bearer: {tokenFile: /etc/hostname}}"));
    wait_until(SOON, "the policy is refused", || {
        let what = format!("mpol thief --namespace {NAMESPACE}");
        let status = stage.bed.kubectl.get(&what)["status"].to_string();
        seen(status.contains("must not name files"), status)
    });
    stage.served(&external(NAMESPACE, "thief")).unwrap_err();
}
