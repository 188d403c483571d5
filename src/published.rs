//! The latest value of every metric: an immutable snapshot, swapped whole.
//!
//! The tick is its only writer; a request loads the snapshot once and can neither block on a tick
//! nor start one.

use crate::domain::labels::Labels;
use crate::domain::metric::{MetricKey, Subject};
use crate::domain::name::PolicyKey;
use crate::pipeline::outcome::Outcome;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Where the newest snapshot is found.
#[derive(Debug, Default)]
pub struct Published(ArcSwap<Snapshot>);

impl Published {
    /// The newest snapshot.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts a newer snapshot in its place; whoever holds the old one keeps it.
    pub fn replace(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}

/// All metrics at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    metrics: BTreeMap<MetricKey, Vec<Arc<Entry>>>,
}

/// How far the backfill of a history is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Chunks that were answered, also with nothing: a source remembers only so much.
    pub chunks_done: usize,
    /// All chunks. A chunk that is too much for its source becomes two.
    pub chunks_total: usize,
}

impl Progress {
    /// Whether nothing is left to ask for.
    #[must_use]
    pub fn is_done(self) -> bool {
        self.chunks_done >= self.chunks_total
    }
}

/// What one policy publishes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The policy.
    pub policy: PolicyKey,
    /// What its values describe.
    pub subject: Subject,
    /// Labels of the metric, for selectors.
    pub labels: Labels,
    /// The time over which a value is averaged, where smoothing does so.
    pub window: Option<Duration>,
    /// How far the history for its forecast is read; `None` without one.
    pub history: Option<Progress>,
    /// What is known.
    pub state: State,
}

/// What is known of a metric.
#[expect(clippy::large_enum_variant, reason = "nearly every entry is the large one")]
#[derive(Clone, Debug)]
pub enum State {
    /// The policy was evaluated.
    Evaluated(Outcome),
    /// The policy waits for its first evaluation.
    Waiting,
    /// The policy is not valid; why, for a person.
    Broken(String),
}

impl Snapshot {
    /// What is published under `key`: several entries when policies describe several objects.
    #[must_use]
    pub fn find(&self, key: &MetricKey) -> &[Arc<Entry>] {
        self.metrics.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// All addresses, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &MetricKey> {
        self.metrics.keys()
    }

    /// Puts what a policy publishes in the place of what it published before.
    pub fn put(&mut self, key: MetricKey, entry: Entry) {
        let entries = self.metrics.entry(key).or_default();
        match entries.iter_mut().find(|it| it.policy == entry.policy) {
            Some(before) => *before = Arc::new(entry),
            None => entries.push(Arc::new(entry)),
        }
    }

    /// Drops what `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(&MetricKey, &Entry) -> bool) {
        self.metrics.retain(|key, entries| {
            entries.retain(|entry| keep(key, entry));
            !entries.is_empty()
        });
    }
}

impl Entry {
    /// Why nothing can be served at `now`, for the person who reads `kubectl describe hpa`.
    #[must_use]
    pub fn refusal(&self, now: Timestamp) -> String {
        let policy = &self.policy;
        match &self.state {
            State::Evaluated(outcome) => match &outcome.absent {
                Some(absence) => format!("policy {policy}: {}", absence.shown(now)),
                None => format!("policy {policy}: evaluation is late; is Foresail overloaded?"),
            },
            State::Waiting => {
                format!("policy {policy}: not evaluated yet; it was loaded a moment ago")
            }
            State::Broken(why) => format!("policy {policy} is not valid: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{MetricName, Namespace, PolicyName};

    fn entry(policy: &str, state: State) -> (MetricKey, Entry) {
        let namespace = Namespace::new("inference").unwrap();
        let metric = MetricName::new("demand").unwrap();
        let policy =
            PolicyKey { namespace: namespace.clone(), name: PolicyName::new(policy).unwrap() };
        let subject = Subject::External;
        let key = subject.key(&namespace, &metric);
        (
            key,
            Entry {
                policy,
                subject,
                labels: Labels::default(),
                window: None,
                history: None,
                state,
            },
        )
    }

    #[test]
    fn a_policy_replaces_only_what_it_published_itself() {
        let mut snapshot = Snapshot::default();
        for (policy, state) in
            [("a", State::Waiting), ("b", State::Waiting), ("a", State::Broken("x".into()))]
        {
            let (key, entry) = entry(policy, state);
            snapshot.put(key, entry);
        }
        let (key, _) = entry("a", State::Waiting);
        let shown: Vec<String> =
            snapshot.find(&key).iter().map(|it| it.refusal(Timestamp::UNIX_EPOCH)).collect();
        assert_eq!(
            shown,
            [
                "policy inference/a is not valid: x",
                "policy inference/b: not evaluated yet; it was loaded a moment ago"
            ]
        );
        snapshot.retain(|_, entry| entry.policy.name.as_str() == "b");
        assert_eq!(snapshot.find(&key).len(), 1);
        snapshot.retain(|_, _| false);
        assert_eq!(snapshot.keys().count(), 0);
    }

    #[test]
    fn a_reader_keeps_the_snapshot_that_it_loaded() {
        let published = Published::default();
        let before = published.load();
        let mut snapshot = Snapshot::default();
        let (key, entry) = entry("a", State::Waiting);
        snapshot.put(key, entry);
        published.replace(snapshot);
        assert_eq!(before.keys().count(), 0);
        assert_eq!(published.load().keys().count(), 1);
    }
}
