//! `foresail simulate` from outside: what it prints, what its reports hold, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::support::adapter::foresail;
use crate::support::web::{Behaviour, Web};
use foresail::domain::finite::Finite;
use foresail::domain::sample::Sample;
use foresail::evaluation::Evaluation;
use foresail::policy::resolve;
use foresail::replay::player::Player;
use foresail::series::Samples;
use foresail::simulate::demand::{Demand, DemandSettings};
use jiff::Timestamp;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;

const MINUTE: Duration = Duration::from_secs(60);

/// A folder with a policy, an HPA and recordings of seeded demand.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(
            "policy.yaml",
            &policy("http://127.0.0.1:1", ", smooth: [{ewma: {halfLife: 30s}}]"),
        );
        folder.write("hpa.yaml", HPA);
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = foresail();
        command.arg("simulate").args(["--policy", "policy.yaml"]).args(arguments);
        command.current_dir(self.0.path()).output().unwrap()
    }

    /// Exit code, stdout and stderr.
    fn shown(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = status.code().unwrap();
        format!("exit code {code}\n--- stdout\n{}--- stderr\n{}", text(stdout), text(stderr))
    }
}

fn policy(url: &str, more: &str) -> String {
    format!(
        "apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources: [{{name: default, prometheus: {{url: '{url}'}}}}]
policies:
  - metadata: {{name: llama, namespace: inference}}
    spec:
      {{metric: {{name: llama_demand, type: External}},
       signals: {{it: {{source: default, prometheus: {{query: 'sum(demand)'}}}}}}{more}}}
  - metadata: {{name: pods, namespace: inference}}
    spec:
      {{metric: {{name: running, type: Pods}},
       signals: {{it: {{source: default, prometheus: {{query: 'running'}}}}}}}}
"
    )
}

const HPA: &str = "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llama, namespace: inference}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llama}
  minReplicas: 2
  maxReplicas: 150
  metrics:
    - type: External
      external: {metric: {name: llama_demand}, target: {type: AverageValue, averageValue: 800m}}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 600}
";

/// The policy as an object, leaving its forecast to Foresail.
const OBJECT: &str = "apiVersion: foresail.dev/v1alpha1
kind: MetricPolicy
metadata: {name: llama, namespace: inference, resourceVersion: '7'}
spec:
  metric: {name: llama_demand, type: External}
  interval: 60s
  signals: {it: {source: default, prometheus: {query: 'sum(demand)'}}}
  forecast: {quantile: 0.9}
";

/// So many days of seeded demand, a value every minute.
fn samples(days: u32) -> String {
    let demand = Demand::new(7, DemandSettings::default()).unwrap();
    let mut text = "time_s,value\n".to_owned();
    for minute in 0..days * 1_440 {
        let mean = demand.arrivals(MINUTE * minute, MINUTE) as f64 / 60.0;
        writeln!(text, "{},{mean:.3}", minute * 60).unwrap();
    }
    text
}

/// So many hours of seeded requests of 6 s to 10 s.
fn requests(hours: u32) -> String {
    let demand = Demand::new(8, DemandSettings::default()).unwrap();
    let mut text = "arrival_s,service_s\n".to_owned();
    for minute in 0..hours * 60 {
        let count = demand.arrivals(MINUTE * minute, MINUTE);
        for place in 0..count {
            let arrival = f64::from(minute) * 60.0 + 60.0 * place as f64 / count as f64;
            writeln!(text, "{arrival:.2},{}", 6 + place % 5).unwrap();
        }
    }
    text
}

#[test]
fn samples_are_replayed_and_scored() {
    let folder = Folder::new();
    folder.write("demand.csv", &samples(4));
    insta::assert_snapshot!(
        "simulate_samples",
        folder.shown(&["--trace", "demand.csv", "--frontier"])
    );
}

#[test]
fn requests_are_replayed_one_by_one_under_the_hpa_given() {
    let folder = Folder::new();
    folder.write("requests.csv", &requests(9));
    let arguments = [
        "--trace",
        "requests.csv",
        "--hpa",
        "hpa.yaml",
        "--copies",
        "2",
        "--seed",
        "5",
        "--lead-time",
        "2m",
        "--gpus-per-pod",
        "2",
    ];
    let first = folder.shown(&arguments);
    insta::assert_snapshot!("simulate_requests", first);
    assert_eq!(first, folder.shown(&arguments), "the same seed gives the same figures");
    let other = arguments.map(|it| if it == "5" { "6" } else { it });
    assert_ne!(first.replace("seed 5", "seed 6"), folder.shown(&other));
}

#[test]
fn what_cannot_be_replayed_is_the_persons_input_and_told_with_a_way_out() {
    let folder = Folder::new();
    folder.write("good.csv", &samples(1));
    folder.write("bad.csv", "time_s,value\n0,1\n60,x\n120\n");
    folder.write("tokens.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,10\n");
    folder.write("pods.csv", "time_s,pod,gpu_util_percent\n0,a,1\n");
    folder.write("resource.yaml", &HPA.replace("type: External", "type: Resource"));
    folder.write("other.yaml", &HPA.replace("llama_demand", "other"));
    let cases: [&[&str]; 15] = [
        &[],
        &["--trace", "missing.csv"],
        &["--trace", "bad.csv"],
        &["--trace", "tokens.csv"],
        &["--trace", "pods.csv"],
        &["--trace", "good.csv", "--hpa", "resource.yaml"],
        &["--trace", "good.csv", "--hpa", "other.yaml"],
        &["--trace", "good.csv", "--name", "lama"],
        &["--trace", "good.csv", "--name", "pods"],
        &["--trace", "good.csv", "--score-from", "30h"],
        &["--trace", "good.csv", "--pod-capacity", "0"],
        &["--trace", "good.csv", "--lead-time-spread", "4"],
        &["--trace", "good.csv", "--explain-at", "25h"],
        &["--from", "yesterday"],
        &["--from", "2026-11-02", "--to", "2026-11-01"],
    ];
    let mut text = String::new();
    for arguments in cases {
        let shown = folder.shown(arguments);
        assert!(shown.starts_with("exit code 1\n--- stdout\n--- stderr\n"), "{shown}");
        writeln!(text, "$ foresail simulate {}\n{shown}", arguments.join(" ")).unwrap();
    }
    insta::assert_snapshot!("simulate_refused", text);
}

#[test]
fn an_object_is_a_policy_and_says_what_auto_chose_for_it_and_why_it_published_what_it_did() {
    let folder = Folder::new();
    folder.write("policy.yaml", OBJECT);
    folder.write("demand.csv", &samples(4));
    let arguments = [
        "--trace",
        "demand.csv",
        "--lead-time-spread",
        "0.3",
        "--explain-at",
        "60h",
        "--json",
        "out",
    ];
    insta::assert_snapshot!("simulate_auto", folder.shown(&arguments));
    let report: Value = serde_json::from_str(&folder.read("out")).unwrap();
    let choices = report["auto"].as_array().unwrap();
    assert_eq!(choices.len(), 1, "one midnight has three days before it: {choices:?}");
    assert_eq!((&choices[0]["from"], &choices[0]["judgedSeasons"]), (&259_200.0.into(), &1.into()));
    assert_eq!(choices[0]["quantile"], 0.9, "the policy's own");
    let shown = folder.shown(&["--from", "2h"]);
    assert!(shown.contains("`policy.yaml` does not say where source default is"), "{shown}");
}

/// The JSON that the page's script draws from.
fn data_of(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_is_complete_in_itself_small_and_says_what_the_json_says() {
    let folder = Folder::new();
    let name = "a<b>&\"c\".csv";
    folder.write(name, &samples(14));
    let out = folder.run(&[
        "--trace",
        name,
        "--html",
        "page.html",
        "--json",
        "report.json",
        "--frontier",
    ]);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(
        String::from_utf8(out.stderr).unwrap(),
        "written: report.json\nwritten: page.html\n"
    );
    let page = folder.read("page.html");
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    for outside in ["http://", "https://", "src=", "href=", "url(", "@import", "fetch(", "{{"] {
        assert!(!page.contains(outside), "the page contains {outside}");
    }
    assert!(page.contains("a&lt;b&gt;&amp;&quot;c&quot;.csv") && !page.contains("a<b>"));
    let (data, report) = (data_of(&page), folder.read("report.json"));
    let report: Value = serde_json::from_str(&report).unwrap();
    let points = data["demand"].as_array().unwrap().len();
    assert_eq!(points, 14 * 5_760 / 4, "a point for each minute");
    for way in data["ways"].as_array().unwrap() {
        for line in ["wanted", "ready", "wait"] {
            assert_eq!(way[line].as_array().unwrap().len(), points, "{line}");
        }
    }
    assert_eq!(data["ways"][0]["published"].as_array().unwrap().len(), points);
    assert_eq!(data["sweeps"].as_array().unwrap().len(), 3);
    let own = &report["ways"][0];
    assert_eq!(own["name"], "policy");
    let cell = format!("<td>{:.2}</td>", own["latePercent"].as_f64().unwrap());
    assert!(page.contains(&cell), "{cell}");
    let periods = own["periods"].as_array().unwrap();
    assert_eq!(periods.len(), 14);
    let scored = periods.iter().filter(|it| it["isScored"] == true);
    let hours: f64 = scored.map(|it| it["gpuHours"].as_f64().unwrap()).sum();
    assert!((hours - own["gpuHours"].as_f64().unwrap()).abs() < 1e-6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policys_own_signals_are_a_recording_too() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Swinging);
    let folder = Folder::new();
    folder.write("policy.yaml", &policy(&web.url("/prom"), ""));
    let arguments = ["--from", "2026-11-01", "--to", "2026-11-04T12:00:00Z", "--json", "out.json"];
    let out = tokio::task::spawn_blocking(move || {
        let out = folder.run(&arguments);
        (out, folder)
    });
    let (out, folder) = out.await.unwrap();
    assert!(out.status.success(), "{out:?}");
    let asked = web.asked("/prom/api/v1/query_range");
    // 84 hours are 20,161 points, of which one answer holds 8,000.
    assert_eq!(asked.len(), 3);
    let report: Value = serde_json::from_str(&folder.read("out.json")).unwrap();
    assert_eq!(report["scored"]["from"], "2026-11-03T00:00:00Z");
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("from 2026-11-03T00:00:00Z"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_is_told_in_its_own_words() {
    let web = Web::start().await;
    web.set("/prom", Behaviour::Answer(503, b"{\"error\": \"too busy\"}".to_vec()));
    let folder = Folder::new();
    folder.write("policy.yaml", &policy(&web.url("/prom"), ""));
    let shown = tokio::task::spawn_blocking(move || folder.shown(&["--from", "2h"])).await.unwrap();
    assert!(
        shown.starts_with("exit code 1\n--- stdout\n--- stderr\nerror: source default"),
        "{shown}"
    );
    assert!(shown.contains("503") && shown.contains("too busy"), "{shown}");
}

#[test]
fn a_replay_publishes_what_the_adapter_would_have() {
    let more = ", smooth: [{hampel: {window: 9, threshold: 3}}, {holt: {}}, {asymmetric: {up: 0s, \
                down: 60s}}], guard: {min: '2', max: '9'}";
    let config = resolve::load(&policy("http://127.0.0.1:1", more)).unwrap();
    let policy = &config.policies[0];
    let mut evaluation = Evaluation::default();
    evaluation.configure(&config);
    let mut player = Player::new(policy);
    let demand = Demand::new(9, DemandSettings::default()).unwrap();
    let mut published = Vec::new();
    for step in 0..2_000_u32 {
        let since = policy.interval * step;
        let now = Timestamp::from_second(1_800_000_000).unwrap() + since;
        let value = demand.arrivals(since, policy.interval) as f64 / 15.0;
        let sample = Sample { at: now, value: Finite::new(value).unwrap() };
        let readings = vec![Ok(Samples::from([(None, sample)]))];
        let live = evaluation.evaluate(policy, readings, None, now).expect("the policy is known");
        let replayed = player.step(now, value).unwrap().value;
        assert_eq!(live.values[0].1.value.get().to_bits(), replayed.to_bits(), "step {step}");
        published.push(replayed);
    }
    assert!(published.iter().any(|it| *it > 2.0) && published.iter().any(|it| *it < 9.0));
}
