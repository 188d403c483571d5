//! The bed itself, without Foresail: what the other scenarios stand on.

use std::fs;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::bed::Bed;
use super::bed::keeper::Keeper;
use super::bed::process::{Process, is_alive, signal};
use super::bed::wait::{seen, wait_until};

const SOON: Duration = Duration::from_secs(30);

fn deployment(name: &str, replicas: u32, lead_time: &str) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: default}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata:
      labels: {{app: {name}}}
      annotations: {{pod-ready.stage.kwok.x-k8s.io/delay: {lead_time}}}
    spec:
      containers: [{{name: engine, image: example.invalid/engine}}]
"#
    )
}

/// The second of an RFC 3339 time that the API server wrote, in seconds since midnight.
fn second_of_day(time: &serde_json::Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    let clock = text.split(['T', 'Z']).nth(1).unwrap();
    clock.split(':').fold(0, |seconds, part| seconds * 60 + part.parse::<i64>().unwrap())
}

#[test]
fn control_plane_is_ready_and_knows_its_users() {
    let bed = Bed::shared();
    assert_eq!(bed.kubectl.ok("get --raw /readyz"), "ok");
    assert_eq!(bed.kubectl.ok("auth can-i create pods").trim(), "yes");
    let refused = bed.kubectl_as_nobody.fails("get pods --namespace default");
    assert!(refused.contains(r#"User "nobody" cannot list resource "pods""#), "{refused}");
    let token = bed.kubectl.ok("create token default --namespace default");
    let url = format!("{}/api/v1/namespaces", bed.control_plane.server());
    let bearer = format!("Bearer {}", token.trim());
    assert_eq!(bed.http.get(&url, &[("Authorization", &bearer)]).unwrap().status, 403);
    assert_eq!(bed.http.get(&url, &[("Authorization", "Bearer wrong")]).unwrap().status, 401);
}

#[test]
fn front_proxy_authority_is_published_for_aggregated_servers() {
    let bed = Bed::shared();
    let published =
        bed.kubectl.get("configmap extension-apiserver-authentication --namespace kube-system");
    let data = &published["data"];
    assert_eq!(
        data["requestheader-client-ca-file"],
        bed.certificates.front_proxy_authority.certificate()
    );
    assert_eq!(data["requestheader-allowed-names"], r#"["front-proxy-client"]"#);
    assert_eq!(data["requestheader-username-headers"], r#"["X-Remote-User"]"#);
}

#[test]
fn pods_turn_ready_after_their_lead_time() {
    let bed = Bed::shared();
    bed.kubectl.apply(&deployment("lead-time", 2, "4s"));
    wait_until(SOON, "both pods are ready", || {
        let ready = bed.kubectl.get("deployment lead-time")["status"]["readyReplicas"].clone();
        seen(ready == 2, ready)
    });
    for pod in bed.kubectl.get("pods --selector app=lead-time")["items"].as_array().unwrap() {
        let conditions = pod["status"]["conditions"].as_array().unwrap();
        let at = |kind: &str| {
            let condition = conditions.iter().find(|it| it["type"] == kind).unwrap();
            second_of_day(&condition["lastTransitionTime"])
        };
        let took = (at("Ready") - at("Initialized")).rem_euclid(86_400);
        // The API server writes whole seconds, so the difference of two is off by at most one.
        assert!((3..=5).contains(&took), "ready after {took} s instead of 4 s: {pod}");
    }
    bed.kubectl.ok("delete deployment lead-time");
    wait_until(SOON, "the garbage collector has removed the pods", || {
        let pods = bed.kubectl.get("pods --selector app=lead-time")["items"].clone();
        seen(pods.as_array().is_some_and(Vec::is_empty), pods)
    });
}

#[test]
fn hpa_controller_evaluates_and_names_the_missing_metrics_api() {
    let bed = Bed::shared();
    bed.kubectl.apply(&deployment("unscaled", 1, "0s"));
    bed.kubectl.apply(
        r"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: unscaled, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: unscaled}
  maxReplicas: 5
  metrics:
    - type: External
      external:
        metric: {name: nobody-serves-this}
        target: {type: AverageValue, averageValue: 1}
",
    );
    wait_until(SOON, "the HPA says that it gets no metric", || {
        let hpa = bed.kubectl.get("hpa unscaled");
        let conditions = hpa["status"]["conditions"].to_string();
        seen(conditions.contains("FailedGetExternalMetric"), conditions)
    });
    bed.kubectl.ok("delete hpa,deployment unscaled");
}

#[test]
fn namespaces_come_and_go() {
    let bed = Bed::shared();
    bed.kubectl.ok("create namespace short-lived");
    bed.kubectl.ok("delete namespace short-lived --timeout 30s");
}

#[test]
fn prometheus_answers_with_what_the_exporter_shows() {
    let bed = Bed::shared();
    for value in [7.0, 0.0, 12.5] {
        bed.exporter.set("bed_gauge", &[("pod", r#"a "b\c"#)], value);
        wait_until(SOON, "Prometheus has scraped the value", || {
            let found = bed.prometheus.value("sum(bed_gauge)");
            seen(found == Ok(value), format!("{found:?}"))
        });
    }
    let result = bed.prometheus.query("bed_gauge").unwrap();
    assert_eq!(result[0]["metric"]["pod"], r#"a "b\c"#);
    assert_eq!(result[0]["metric"]["job"], "exporter");
    let refused = bed.prometheus.query("sum(").unwrap_err();
    assert!(refused.contains("parse error"), "{refused}");
}

#[test]
fn prometheus_comes_back_with_its_data() {
    let bed = Bed::exclusive();
    bed.exporter.set("bed_restart", &[], 3.0);
    wait_until(SOON, "Prometheus has scraped the value", || {
        let found = bed.prometheus.value("bed_restart");
        seen(found == Ok(3.0), format!("{found:?}"))
    });
    bed.exporter.remove("bed_restart", &[]);
    bed.prometheus.stop();
    let refused = bed.prometheus.value("bed_restart").unwrap_err();
    assert!(refused.contains("refused"), "{refused}");
    bed.prometheus.start_again();
    assert_eq!(bed.prometheus.value("max_over_time(bed_restart[10m])"), Ok(3.0));
}

#[test]
fn nothing_is_left_after_drop() {
    let bed = Bed::start();
    let (pids, folder) = (bed.pids(), bed.folder().to_owned());
    assert_eq!(pids.len(), 6);
    assert!(pids.iter().all(|&pid| is_alive(pid)) && folder.is_dir());
    drop(bed);
    let left: Vec<_> = pids.into_iter().filter(|&pid| is_alive(pid)).collect();
    assert!(left.is_empty(), "still running: {left:?}");
    assert!(!folder.exists(), "{} is still there", folder.display());
}

#[test]
fn failing_start_shows_the_end_of_the_log() {
    let keeper = Arc::new(Keeper::start());
    let script = ["-c".to_owned(), "echo port taken; exit 3".to_owned()];
    let mut process = Process::start(&keeper, "broken", Path::new("sh"), &script);
    let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        process.wait_ready(SOON, || Err("no answer".to_owned()));
    }))
    .unwrap_err();
    let message = failure.downcast_ref::<String>().unwrap();
    assert!(message.contains("exit status: 3") && message.contains("port taken"), "{message}");
}

/// Set for the inner run of the test below: the file in which it tells its pid and folder.
const INNER: &str = "FORESAIL_TESTBED_INNER";

/// Starts this very test in a process of its own, interrupts it, and looks at what it leaves.
#[test]
fn nothing_is_left_after_an_interrupted_test() {
    if let Some(report) = std::env::var_os(INNER) {
        return hold_a_process(Path::new(&report));
    }
    // Not INT: a test run in the background of a script inherits that it is ignored.
    for name in ["TERM", "KILL"] {
        let report = tempfile::NamedTempFile::new().unwrap();
        let mut inner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "bed_works::nothing_is_left_after_an_interrupted_test"])
            .env(INNER, report.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (pid, folder) = wait_until(SOON, "the inner test tells its pid", || {
            let text = fs::read_to_string(report.path()).unwrap();
            let (pid, folder) =
                text.strip_suffix('\n').and_then(|it| it.split_once(' ')).ok_or("")?;
            Ok((pid.parse::<u32>().unwrap(), folder.to_owned()))
        });
        assert!(is_alive(pid));
        signal(inner.id(), name);
        inner.wait().unwrap();
        wait_until(SOON, "process and folder are gone", || {
            let left = (is_alive(pid), Path::new(&folder).exists());
            seen(left == (false, false), format!("SIG{name} leaves (process, folder): {left:?}"))
        });
    }
}

/// Holds on until the outer test interrupts it, or is gone itself.
fn hold_a_process(report: &Path) {
    let outer = parent_id();
    let keeper = Arc::new(Keeper::start());
    let mut process = Process::start(&keeper, "held", Path::new("sleep"), &["600".to_owned()]);
    fs::write(report, format!("{} {}\n", process.pid(), keeper.folder().display())).unwrap();
    while process.ended().is_none() && parent_id() == outer {
        std::thread::sleep(Duration::from_millis(100));
    }
}
