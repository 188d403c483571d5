//! Which pods of a scale target have started, each counted once, and which are on their way.

use crate::domain::limits;
use crate::domain::supply::{PodStart, StartKind, Startup, since};
use crate::series::lead_time::Starts;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is remembered of one scale target between two looks at its pods.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    starts: Starts,
    /// The pods that were ready once, of those that are there.
    served: BTreeSet<Box<str>>,
}

/// What one look at the pods of a target found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Pods that are ready.
    pub n_ready: usize,
    /// When each pod was created that has not been ready yet, oldest first.
    pub starting: Vec<Timestamp>,
    /// Pods that lost their readiness, or take longer than any start.
    pub n_troubled: usize,
    /// How long a start takes.
    pub startup: Startup,
    /// The starts that this look added.
    pub added: Vec<StartKind>,
}

impl Ledger {
    /// Looks at the pods that the target has at `now`.
    ///
    /// A start is counted when its pod is first seen ready, unless a container was started again in
    /// between: then the conditions do not tell the first start, and another try is no start of a
    /// pod. A pod that lost and regained its readiness before it was first seen cannot be told from
    /// a slow one; `limits::LEAD_TIME_MAX` keeps the worst of those out.
    pub fn look<'a>(&mut self, pods: impl Iterator<Item = &'a PodStart>, now: Timestamp) -> Seen {
        let pods: Vec<&PodStart> = pods.filter(|pod| !pod.is_leaving).collect();
        let added = self.count_starts(&pods);
        let ready = pods.iter().filter(|pod| pod.ready.is_some());
        let n_ready = ready.count();
        let waiting = pods.iter().filter(|pod| pod.ready.is_none());
        let is_starting = |pod: &&&PodStart| {
            let is_new = !pod.has_restarted && !self.served.contains(&pod.uid);
            is_new && since(pod.created, now) <= limits::LEAD_TIME_MAX
        };
        let mut starting: Vec<Timestamp> =
            waiting.filter(is_starting).map(|pod| pod.created).collect();
        starting.sort_unstable();
        let ages: Vec<Duration> = starting.iter().map(|it| since(*it, now)).collect();
        Seen {
            n_ready,
            n_troubled: pods.len().saturating_sub(n_ready + starting.len()),
            starting,
            startup: self.starts.startup(&ages),
            added,
        }
    }

    /// In the order in which they ended, then by pod, so that replicas count alike.
    fn count_starts(&mut self, pods: &[&PodStart]) -> Vec<StartKind> {
        let is_new = |pod: &PodStart| !self.served.contains(&pod.uid);
        let new = pods.iter().filter(|pod| is_new(pod));
        let mut ended: Vec<(Timestamp, &PodStart)> =
            new.filter_map(|pod| Some((pod.ready?, *pod))).collect();
        ended.sort_unstable_by(|one, other| (one.0, &one.1.uid).cmp(&(other.0, &other.1.uid)));
        let here: BTreeSet<&str> = pods.iter().map(|pod| &*pod.uid).collect();
        self.served.retain(|uid| here.contains(&**uid));
        self.served.extend(ended.iter().map(|(_, pod)| pod.uid.clone()));
        let mut added = Vec::new();
        for (ready, pod) in ended.into_iter().filter(|(_, pod)| !pod.has_restarted) {
            if self.starts.record(ready, since(pod.created, ready), pod.kind) {
                added.push(pod.kind);
            }
        }
        added
    }
}

#[cfg(test)]
mod tests;
