//! Policies as objects of the cluster: applied with kubectl, served, refused, told about.

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{changed, config};
use crate::stage::{SOON, Stage, external};

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
    for (name, value) in [("running", 9.0), ("waiting", 4.0)] {
        let labels = [("namespace", "objects"), ("model_name", "llama")];
        bed.exporter.set(&format!("vllm:num_requests_{name}"), &labels, value);
    }
    bed.kubectl.apply(&team.sample(&[]));
    stage.wait_served(&team.path("llama_demand"), 13.0);

    bed.kubectl.apply(&team.sample(&[("running + waiting", "running + 2 * waiting")]));
    stage.wait_served(&team.path("llama_demand"), 17.0);

    // What the schema cannot say is said by whoever reads it; the last good one stays.
    let broken = team.sample(&[("running + waiting", "running + wating")]);
    bed.kubectl.apply(&broken);
    wait_until(SOON, "the edit is refused", || {
        seen(stage.adapter.log().contains("wating"), stage.adapter.log())
    });
    assert_eq!(stage.served(&team.path("llama_demand")), Ok(13.0 + 4.0));

    bed.kubectl.ok(&format!("delete mpol llama-demand --namespace {}", team.namespace));
    wait_until(SOON, "the metric is gone", || {
        let served = stage.served(&team.path("llama_demand"));
        seen(served.as_ref().is_err_and(|it| it.contains("NotFound")), format!("{served:?}"))
    });
}
