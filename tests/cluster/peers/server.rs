//! A server in the contest, and what it is asked.

use std::any::Any;

use crate::bed::Bed;

use super::fleet::{Fleet, Kind, Target};
use super::{foresail, framework, keda, prometheus_adapter};

/// What one HPA asks one server.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) kind: Kind,
    pub(crate) path: String,
    /// The metric's name, which stands once in each item of the answer.
    pub(crate) metric: String,
    /// How many items the answer has.
    pub(crate) n_items: usize,
}

impl Ask {
    /// Asks for a metric of this name, of the pods or the Deployment of the target's application, or
    /// with this selector.
    pub(crate) fn new(target: &Target<'_>, metric: &str, selector: &str) -> Self {
        let namespace = &target.app.namespace;
        let app = &target.app.name;
        let custom = format!("/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}");
        let external = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}");
        let path = match (target.kind, selector) {
            (Kind::Pods, _) => format!("{custom}/pods/*/{metric}?labelSelector=app%3D{app}"),
            (Kind::Object, _) => format!("{custom}/deployments.apps/{app}/{metric}"),
            (Kind::External, "") => format!("{external}/{metric}"),
            (Kind::External, _) => format!("{external}/{metric}?labelSelector={selector}"),
        };
        let n_items = if target.kind == Kind::Pods { target.app.pods.len() } else { 1 };
        Self { kind: target.kind, path, metric: metric.to_owned(), n_items }
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// All processes that take part in an answer, upstream aside.
    pub(crate) pids: Vec<u32>,
    /// One for each HPA, in the order in which they come.
    pub(crate) asks: Vec<Ask>,
    /// Ends the processes when it is dropped.
    pub(crate) running: Box<dyn Any>,
}

/// Starts a server, or says why it cannot be.
pub(crate) type Start = fn(&Bed, &Fleet) -> Result<Server, String>;

/// Everybody, in the order of the table.
pub(crate) fn all() -> [(&'static str, Start); 5] {
    [
        ("foresail", foresail::with_policies),
        ("foresail-rules", foresail::with_rules),
        ("framework", framework::start),
        ("keda", keda::start),
        ("prometheus-adapter", prometheus_adapter::start),
    ]
}
