//! In which namespace a policy publishes.
//!
//! A MetricPolicy publishes in the namespace that it is in. A ClusterMetricPolicy is in none, so
//! that only those who run the cluster can edit it, and names the namespace in its spec.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::name::Namespace;
use crate::policy::resolve::Faults;
use crate::policy::wire;

/// Where the namespace is written, by the policy's kind.
pub(super) fn place(kind: Option<&str>) -> &'static [&'static str] {
    if is_cluster(kind) { &["spec", "namespace"] } else { &["metadata", "namespace"] }
}

fn is_cluster(kind: Option<&str>) -> bool {
    kind == Some(wire::CLUSTER_METRIC_POLICY)
}

pub(super) fn resolve(
    wire: &wire::MetricPolicy,
    path: &Path,
    faults: &mut Faults,
) -> Option<Namespace> {
    let of_metadata = (path.key("metadata"), &wire.metadata.namespace);
    let of_spec = (path.key("spec"), &wire.spec.namespace);
    let ((above, written), (elsewhere, stray), problem, hint) = if is_cluster(wire.kind.as_deref())
    {
        let problem = "a ClusterMetricPolicy is in no namespace";
        (of_spec, of_metadata, problem, "name the namespace in which it publishes in `spec`")
    } else {
        let problem = "a MetricPolicy publishes in the namespace that it is in";
        (of_metadata, of_spec, problem, "leave it out, or say `kind: ClusterMetricPolicy`")
    };
    if stray.is_some() {
        faults.add(Fault::new(elsewhere.key("namespace"), problem).hint(hint));
    }
    match written {
        Some(namespace) => faults.take(above.key("namespace"), Namespace::new(namespace)),
        None => {
            let fault = Fault::new(above, "`namespace` is missing");
            faults.add(fault.hint("add `namespace: …`"));
            None
        }
    }
}
