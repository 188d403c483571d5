//! The keys of a profile's signal that go with one way of asking only.

use super::Reader;
use crate::policy::wire::profile::ProfileSignal;

impl Reader<'_> {
    /// The keys that are given of those for pods.
    pub(super) fn of_pods(&self) -> Vec<&'static str> {
        let ProfileSignal {
            port,
            scheme,
            path,
            timeout,
            include_not_ready,
            tls,
            auth,
            headers,
            ..
        } = self.wire;
        let keys = [
            ("port", port.is_some()),
            ("scheme", scheme.is_some()),
            ("path", path.is_some()),
            ("timeout", timeout.is_some()),
            ("includeNotReady", include_not_ready.is_some()),
            ("tls", tls.is_some()),
            ("auth", auth.is_some()),
            ("headers", !headers.is_empty()),
        ];
        keys.into_iter().filter_map(|(key, is_given)| is_given.then_some(key)).collect()
    }

    /// The keys that are given of those for a query.
    pub(super) fn of_queries(&self) -> Vec<&'static str> {
        let ProfileSignal { pod_pattern, pod_label, .. } = self.wire;
        let keys = [("podPattern", pod_pattern.is_some()), ("podLabel", pod_label.is_some())];
        keys.into_iter().filter_map(|(key, is_given)| is_given.then_some(key)).collect()
    }

    pub(super) fn check_unused(&mut self, keys: &[&str], what: &str) {
        for key in keys {
            self.fault(key, format!("`{key}` {what}"), "leave it out");
        }
    }
}
