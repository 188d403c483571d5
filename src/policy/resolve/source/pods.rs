//! From the written shape of pods that have pages about other pods to where these are read.

use crate::document::path::Path;
use crate::domain::name::Namespace;
use crate::policy::pods::PodPages;
use crate::policy::resolve::Faults;
use crate::policy::resolve::metric_policy::signals::pods;
use crate::policy::wire::pods::{PodsSignal, SourcePods};
use std::sync::Arc;

/// Settles which pods these are, and which page of theirs; `None` when something is wrong with it.
pub(super) fn resolve(wire: &SourcePods, path: &Path, faults: &mut Faults) -> Option<PodPages> {
    let before = faults.0.len();
    let namespace = faults.take(path.key("namespace"), Namespace::new(&wire.namespace));
    let selector = pods::selector(&wire.selector, &path.key("selector"), faults);
    let page = pods::page(&page(wire), path, faults);
    let pages = PodPages {
        namespace: namespace?,
        selector: selector?,
        includes_not_ready: wire.include_not_ready == Some(true),
        page: Arc::new(page?),
    };
    (faults.0.len() == before).then_some(pages)
}

/// The page in the words of a signal of pods, which has the same keys.
fn page(wire: &SourcePods) -> PodsSignal {
    let SourcePods {
        namespace: _,
        selector,
        port,
        scheme,
        path,
        timeout,
        include_not_ready,
        tls,
        auth,
        headers,
    } = wire.clone();
    PodsSignal {
        selector,
        port,
        scheme,
        path,
        timeout,
        include_not_ready,
        tls,
        auth,
        headers,
        series: String::new(),
        value: None,
        window: None,
        min_observations: None,
        reduce: None,
        reduce_pods: None,
        on_partial: None,
    }
}

#[cfg(test)]
mod tests;
