//! Policies as objects of the cluster: applied with kubectl, served, refused, told about.

use std::time::Duration;

use serde_json::Value;

use crate::bed::Bed;
use crate::bed::adapter::Adapter;
use crate::bed::registration::NAMESPACE;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, changed, config};
use crate::stage::{SOON, Stage, external, foresail, metric};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/samples/metric-policy.yaml");

/// A namespace with the sample policy, quick and without smoothing; dropping it takes both away.
struct Team<'a> {
    bed: &'a Bed,
    namespace: &'a str,
}

impl<'a> Team<'a> {
    #[track_caller]
    fn new(bed: &'a Bed, namespace: &'a str) -> Self {
        bed.kubectl
            .apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"));
        Self { bed, namespace }
    }

    /// The sample, with further changes.
    #[track_caller]
    fn sample(&self, changes: &[(&str, &str)]) -> String {
        let namespace = format!("namespace: {}", self.namespace);
        let quick = [
            ("namespace: inference", namespace.as_str()),
            ("interval: 15s", "interval: 1s"),
            ("  smooth: [{ewma: {halfLife: 30s}}]\n", ""),
            ("maxAge: 60s, hold: 2m", "maxAge: 2s, hold: 2s"),
        ];
        let text = std::fs::read_to_string(SAMPLE).unwrap();
        let changes = quick.iter().chain(changes);
        let changes: Vec<_> =
            changes.map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        changed(&text, &changes)
    }

    fn path(&self, metric: &str) -> String {
        external(self.namespace, metric)
    }

    /// What the sample asks for.
    fn demand(&self, running: f64, waiting: f64) {
        for (name, value) in [("running", running), ("waiting", waiting)] {
            let labels = [("namespace", self.namespace), ("model_name", "llama")];
            self.bed.exporter.set(&format!("vllm:num_requests_{name}"), &labels, value);
        }
    }

    /// The status of a policy.
    #[track_caller]
    fn status(&self, policy: &str) -> Value {
        self.bed.kubectl.get(&format!("mpol {policy} --namespace {}", self.namespace))["status"]
            .clone()
    }

    /// Waits until a condition of a policy has this status and reason; gives back its message.
    #[track_caller]
    fn wait_condition(&self, policy: &str, about: &str, expected: (&str, &str)) -> String {
        wait_until(SOON, &format!("{policy}: {about} is {expected:?}"), || {
            let status = self.status(policy);
            let conditions = status["conditions"].as_array();
            let it = conditions.into_iter().flatten().find(|it| it["type"] == about);
            match it {
                Some(it) if it["status"] == expected.0 && it["reason"] == expected.1 => {
                    Ok(it["message"].as_str().unwrap().to_owned())
                }
                _ => Err(status.to_string()),
            }
        })
    }
}

impl Drop for Team<'_> {
    fn drop(&mut self) {
        // Its success does not matter: this may run because the test has failed already.
        self.bed.kubectl.run(&format!("delete namespace {} --wait=false", self.namespace));
    }
}

#[test]
fn a_policy_applied_with_kubectl_is_served_changed_and_taken_away() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    let team = Team::new(&bed, "objects");
    for crd in ["metricpolicies", "clustermetricpolicies"] {
        bed.kubectl.ok(&format!("wait --for=condition=Established crd/{crd}.foresail.dev"));
    }
    team.demand(9.0, 4.0);
    bed.kubectl.apply(&team.sample(&[]));
    stage.wait_served(&team.path("llama_demand"), 13.0);

    bed.kubectl.apply(&team.sample(&[("running + waiting", "running + 2 * waiting")]));
    stage.wait_served(&team.path("llama_demand"), 17.0);

    // What the schema cannot say is said by whoever reads it; the last good one stays.
    let broken = team.sample(&[("running + waiting", "running + wating")]);
    bed.kubectl.apply(&broken);
    let why = team.wait_condition("llama-demand", "Ready", ("False", "InvalidSpec"));
    assert!(why.contains("wating") && why.contains("did you mean `waiting`"), "{why}");
    assert!(why.ends_with("the last good spec stays in use"), "{why}");
    assert_eq!(team.status("llama-demand")["observedGeneration"], 3);
    team.wait_condition("llama-demand", "Fresh", ("True", "Published"));
    assert_eq!(stage.served(&team.path("llama_demand")), Ok(13.0 + 4.0));

    bed.kubectl.ok(&format!("delete mpol llama-demand --namespace {}", team.namespace));
    wait_until(SOON, "the metric is gone", || {
        let served = stage.served(&team.path("llama_demand"));
        seen(served.as_ref().is_err_and(|it| it.contains("NotFound")), format!("{served:?}"))
    });
}

#[test]
fn kubectl_shows_what_became_of_a_policy() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    let team = Team::new(&bed, "told");
    team.demand(9.0, 4.0);
    let hpa = SAMPLE.replace("metric-policy.yaml", "hpa-external.yaml");
    let hpa = std::fs::read_to_string(hpa).unwrap();
    bed.kubectl.apply(&hpa.replace("namespace: inference", "namespace: told"));
    bed.kubectl.apply(&team.sample(&[]));
    team.wait_condition("llama-demand", "Ready", ("True", "Published"));
    let table = bed.kubectl.ok("get mpol --namespace told");
    let rows: Vec<Vec<&str>> = table.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "METRIC", "TYPE", "VALUE", "AGE", "LEAD", "MODEL", "READY"]);
    let [name, metric_name, kind, value, _, ready] = rows[1].as_slice() else { panic!("{table}") };
    let row = [*name, *metric_name, *kind, *value, *ready];
    assert_eq!(row, ["llama-demand", "llama_demand", "External", "13", "True"], "{table}");
    let status = team.status("llama-demand");
    assert_eq!((&status["lastValue"], &status["values"]), (&"13".into(), &1.into()), "{status}");
    assert_eq!(status["hpas"], serde_json::json!(["told/llama"]), "{status}");
    team.wait_condition("llama-demand", "ForecastActive", ("False", "NotConfigured"));

    // With a forecast: how far it looks, where that comes from, and what it waits for.
    let forecast =
        [("  interval:", "  forecast: {leadTime: 90s, scaleTarget: {name: llama}}\n  interval:")];
    bed.kubectl.apply(&team.sample(&forecast));
    let why = team.wait_condition("llama-demand", "ForecastActive", ("False", "WarmingUp"));
    assert!(!why.is_empty());
    wait_until(SOON, "the lead time is told", || {
        let status = team.status("llama-demand");
        let startup = serde_json::json!({"time": "1m30s", "basis": "Given"});
        let lead = status["leadTime"].as_str().is_some_and(|it| it.starts_with("2m32"));
        seen(lead && status["startup"] == startup, status.to_string())
    });
    bed.kubectl.apply(&team.sample(&[]));
    team.wait_condition("llama-demand", "ForecastActive", ("False", "NotConfigured"));

    // The conditions stay as they are: a new value is told now and then, and no reload follows.
    let loads = || stage.adapter.log().matches("publishing values").count();
    let before = (loads(), metric(&stage.adapter, "foresail_status_writes_total", &[]));
    bed.exporter.set(
        "vllm:num_requests_waiting",
        &[("namespace", "told"), ("model_name", "llama")],
        5.0,
    );
    stage.wait_served(&team.path("llama_demand"), 14.0);
    let after = (loads(), metric(&stage.adapter, "foresail_status_writes_total", &[]));
    assert_eq!(before, after, "a write would be too early");

    // A source that is away: the value is held, then there is none.
    bed.prometheus.stop();
    team.wait_condition("llama-demand", "Ready", ("False", "SourceFailing"));
    let why = team.wait_condition("llama-demand", "Fresh", ("False", "SourceFailing"));
    assert!(why.contains("source default"), "{why}");
    let status = team.status("llama-demand");
    assert_eq!((&status["lastValue"], &status["values"]), (&Value::Null, &0.into()), "{status}");
    bed.prometheus.start_again();
    team.wait_condition("llama-demand", "Ready", ("True", "Published"));
}

#[test]
fn what_is_wrong_is_refused_or_told() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    let team = Team::new(&bed, "wrong");
    let apply = |text: &str| bed.kubectl.run_with(&["apply", "--filename", "-"], text);
    // The API server refuses what the schema and its rules can say.
    let one = "metric: {name: llama_demand, type: External}";
    for (from, to, said) in [
        (
            one,
            "metric: {name: llama_demand, type: Object}",
            "an Object metric needs a `describedObject`",
        ),
        (one, "metric: {name: llama_demand, type: Pod}", "Unsupported value: \"Pod\""),
        (
            one,
            "metric: {name: llama_demand, type: Pods}\n  forecast: {}",
            "a forecast needs a total: use External or Object",
        ),
        ("combine: running + waiting", "", "`combine` is needed with more than one signal"),
        (
            "waiting: {source: default, prometheus:",
            "waiting: {source: default, scrape: {series: x}, prometheus:",
            "expected exactly one of `awsSqsQueue`, `kafka`, ",
        ),
        (
            "waiting: {source: default, prometheus:",
            "waiting: {source: default, redis: {address: a, listName: l}}\n    x: {source: default, \
             prometheus:",
            "`prometheus`, `scrape` and a `profile` without `selector` need a `source`, the others say themselves",
        ),
        (
            "waiting: {source: default, prometheus:",
            "waiting: {schedule: {windows: [{start: 0 8 * * *, value: 1}]}}\n    x: {source: default, \
             prometheus:",
            "expected `start` with one of `end` and `duration`, or `from`",
        ),
        (
            "waiting: {source: default, prometheus:",
            "waiting: {source: default, profile: {engine: vllm, signal: demand, port: 1}}\n    x: \
             {source: default, prometheus:",
            "`podPattern` and `podLabel` go with a prometheus source",
        ),
        (
            "(vllm:num_requests_waiting{model_name=\"llama\"})'}",
            "(x)', podLabel: pod}",
            "only a Pods metric has a `podLabel`",
        ),
    ] {
        let output = apply(&team.sample(&[(from, to)]));
        assert!(!output.success && output.stderr.contains(said), "{to}: {}", output.stderr);
    }
    // What only Foresail can say stands in the status.
    assert!(
        apply(
            &team.sample(&[("'sum(vllm:num_requests_waiting", "'sum((vllm:num_requests_waiting")])
        )
        .success
    );
    let why = team.wait_condition("llama-demand", "Ready", ("False", "InvalidQuery"));
    assert!(why.contains("spec.signals.waiting.prometheus.query: not PromQL"), "{why}");
    assert!(stage.served(&team.path("llama_demand")).is_err());
    // A query sees its own namespace only.
    team.demand(9.0, 4.0);
    bed.exporter.set(
        "vllm:num_requests_running",
        &[("namespace", "elsewhere"), ("model_name", "llama")],
        100.0,
    );
    bed.kubectl.apply(&team.sample(&[]));
    stage.wait_served(&team.path("llama_demand"), 13.0);
}

#[test]
fn an_object_has_its_calendar_too() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    let team = Team::new(&bed, "planned");
    team.demand(9.0, 4.0);
    let planned = "planned: {schedule: {windows: [{start: '* * * * *', duration: 1m, value: 20}]}}";
    let changes = [
        ("waiting: {source: default,", format!("{planned}\n    waiting: {{source: default,")),
        ("running + waiting", "max(running + waiting, planned)".to_owned()),
    ];
    let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
    bed.kubectl.apply(&team.sample(&changes));
    stage.wait_served(&team.path("llama_demand"), 20.0);
    team.demand(9.0, 14.0);
    stage.wait_served(&team.path("llama_demand"), 23.0);
    team.wait_condition("llama-demand", "Ready", ("True", "Published"));
}

#[test]
fn of_two_policies_for_one_metric_the_older_has_it_and_the_other_says_so() {
    let bed = Bed::exclusive();
    let in_file = Policy {
        namespace: "contested",
        name: "file",
        metric: "name: of_file, type: External",
        ..Policy::default()
    };
    let stage = Stage::new(&bed, &config(&bed, &[in_file]));
    let team = Team::new(&bed, "contested");
    team.demand(9.0, 4.0);
    bed.kubectl.apply(&team.sample(&[]));
    stage.wait_served(&team.path("llama_demand"), 13.0);
    // Creation times have whole seconds; the name would decide within one.
    std::thread::sleep(Duration::from_secs(1));
    let younger =
        [("name: llama-demand", "name: a-younger"), ("running + waiting", "running - waiting")];
    bed.kubectl.apply(&team.sample(&younger));
    let why = team.wait_condition("a-younger", "Ready", ("False", "Conflict"));
    assert!(why.contains("by the older policy contested/llama-demand"), "{why}");
    assert_eq!(stage.served(&team.path("llama_demand")), Ok(13.0));

    let of_file = [("name: llama-demand", "name: third"), ("name: llama_demand", "name: of_file")];
    bed.kubectl.apply(&team.sample(&of_file));
    let why = team.wait_condition("third", "Ready", ("False", "Conflict"));
    assert!(why.contains("by the older policy contested/file"), "{why}");

    // The younger one takes over when the older one goes.
    bed.kubectl.ok("delete mpol llama-demand --namespace contested");
    stage.wait_served(&team.path("llama_demand"), 5.0);
    team.wait_condition("a-younger", "Ready", ("True", "Published"));
}

#[test]
fn a_policy_of_the_cluster_publishes_where_it_says_and_sees_every_namespace() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    let team = Team::new(&bed, "platform");
    bed.exporter.set("gateway_requests", &[("namespace", "gateway")], 21.0);
    let policy = "
apiVersion: foresail.dev/v1alpha1
kind: ClusterMetricPolicy
metadata: {name: platform-requests}
spec:
  namespace: platform
  interval: 1s
  metric: {name: requests, type: External}
  signals: {it: {source: default, prometheus: {query: sum(gateway_requests)}}}
";
    bed.kubectl.apply(policy);
    stage.wait_served(&team.path("requests"), 21.0);
    wait_until(SOON, "its status is written", || {
        let table = bed.kubectl.ok("get cmpol");
        seen(table.contains("platform") && table.contains("21") && table.contains("True"), table)
    });
    let nameless = bed
        .kubectl
        .run_with(&["apply", "--filename", "-"], &policy.replace("  namespace: platform\n", ""));
    assert!(nameless.stderr.contains("spec.namespace: Required value"), "{}", nameless.stderr);
    bed.kubectl.ok("delete cmpol platform-requests");
}

#[test]
fn one_replica_writes_the_status_and_another_takes_over() {
    /// The Lease is valid for 15 seconds, and looked at every two.
    const TAKEN_OVER: Duration = Duration::from_secs(60);
    let bed = Bed::exclusive();
    let config = config(&bed, &[]);
    let team = Team::new(&bed, "leader");
    let holder =
        || bed.kubectl.get(&format!("lease foresail --namespace {NAMESPACE}"))["spec"].clone();
    let leads = |it: &Adapter| metric(it, "foresail_is_leader", &[]) > 0.0;
    let mut replicas =
        [bed.start_adapter(foresail(), &config), bed.start_adapter(foresail(), &config)];
    wait_until(TAKEN_OVER, "one replica leads", || {
        seen(replicas.iter().filter(|it| leads(it)).count() == 1, holder())
    });
    if leads(&replicas[1]) {
        replicas.swap(0, 1);
    }
    let [mut first, second] = replicas;
    team.demand(9.0, 4.0);
    bed.kubectl.apply(&team.sample(&[]));
    team.wait_condition("llama-demand", "Ready", ("True", "Published"));
    let writes = |it: &Adapter| metric(it, "foresail_status_writes_total", &[]);
    assert!(writes(&first) > 0.0 && writes(&second) == 0.0, "the holder alone writes");
    assert!(metric(&first, "foresail_status_write_failures_total", &[]) < 1.0, "{}", first.log());

    let before = holder();
    first.process().kill();
    wait_until(TAKEN_OVER, "the second one leads", || seen(leads(&second), holder()));
    let after = holder();
    assert_ne!(before["holderIdentity"], after["holderIdentity"]);
    assert!(after["leaseTransitions"].as_i64() > before["leaseTransitions"].as_i64(), "{after}");
    bed.kubectl.apply(&team.sample(&[("running + waiting", "running[")]));
    team.wait_condition("llama-demand", "Ready", ("False", "InvalidSpec"));

    // An orderly end gives the Lease back.
    second.stop();
    assert_eq!(holder()["holderIdentity"], "");
}

#[test]
fn an_object_names_an_engine_instead_of_its_series() {
    let bed = Bed::exclusive();
    let stage = Stage::new(&bed, &config(&bed, &[]));
    let team = Team::new(&bed, "engine");
    team.demand(9.0, 4.0);
    let demand = "demand: {source: default, profile: {engine: vllm, signal: demand}}";
    let changes = [
        ("waiting: {source: default,", format!("{demand}\n    waiting: {{source: default,")),
        ("running + waiting", "demand + running + waiting".to_owned()),
    ];
    let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
    bed.kubectl.apply(&team.sample(&changes));
    stage.wait_served(&team.path("llama_demand"), 26.0);
    team.wait_condition("llama-demand", "Ready", ("True", "Published"));
}
