//! What was good before an edit and is broken after it keeps running as it was.

use crate::policy::queue::reach::Reach;
use crate::policy::{Ask, Config, Policy, SourceKind, SourceSettings};
use std::sync::Arc;

impl Config {
    /// This configuration, with the sources and policies of `before` in the place of those that
    /// are broken here; and what was kept, for the log. A source or policy that is gone stays gone.
    #[must_use]
    pub fn keep_good(mut self, before: &Self) -> (Self, Vec<String>) {
        let mut kept = Vec::new();
        let is_broken = |source: &&SourceSettings| {
            self.broken_sources.iter().any(|it| it == source.name.as_str())
        };
        let sources: Vec<SourceSettings> =
            before.sources.iter().filter(is_broken).cloned().collect();
        kept.extend(sources.iter().map(|it| format!("source {}", it.name)));
        self.sources.extend(sources);
        let policies: Vec<Arc<Policy>> =
            before.policies.iter().filter(|it| self.lacks(it)).cloned().collect();
        kept.extend(policies.iter().map(|it| format!("policy {}", it.key)));
        self.policies.extend(policies);
        (self, kept)
    }

    /// Whether a policy is broken here, could run, and nothing has taken its place.
    fn lacks(&self, policy: &Policy) -> bool {
        let is_broken = self.broken.iter().any(|it| it.key.as_ref() == Some(&policy.key));
        let is_replaced = self.policies.iter().any(|it| {
            let is_same_metric = it.metric_key() == policy.metric_key();
            it.key == policy.key || (is_same_metric && it.subject == policy.subject)
        });
        is_broken && !is_replaced && self.can_read(policy)
    }

    /// Whether there still is what a policy that was good reads from.
    pub(in crate::policy) fn can_read(&self, policy: &Policy) -> bool {
        policy.signals.iter().all(|signal| match signal.ask.plain() {
            // What is shown to an exporter's pods, and where they are, may have been withdrawn.
            Ask::Pods(ask) if ask.exporter.is_some() => {
                let source = self.sources.iter().find(|it| it.name == signal.source);
                source.is_some_and(|it| matches!(&it.kind, SourceKind::Pods(it) if it.has(ask)))
            }
            // Other pods and a calendar are no source.
            Ask::Pods(_) | Ask::Schedule(_) => true,
            // A queue's server is named by the signal itself, and what may be named can change.
            Ask::Queue(ask) => match &ask.server.reach {
                Reach::Anywhere => true,
                Reach::Within { listed, .. } => {
                    *listed == self.allowed_hosts && self.aws_lending.permits(&ask.server)
                }
            },
            Ask::Query { .. } | Ask::Series { .. } | Ask::Engine(_) => {
                self.sources.iter().any(|it| it.name == signal.source)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::resolve;

    const GOOD: &str = r#"
apiVersion: foresail.dev/v1alpha1
kind: AdapterConfig
sources:
  - {name: one, prometheus: {url: "http://127.0.0.1:1", timeout: 5s}}
  - {name: two, prometheus: {url: "http://127.0.0.1:2"}}
policies:
  - metadata: {name: a, namespace: n}
    spec:
      metric: {name: a, type: External}
      signals: {x: {source: one, prometheus: {query: x}}}
  - metadata: {name: b, namespace: n}
    spec:
      metric: {name: b, type: External}
      signals: {x: {source: two, prometheus: {query: y}}}
"#;

    /// The policies that run after the edit, and what was kept.
    fn after(edit: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let before = resolve::load(GOOD).unwrap();
        let text = edit.iter().fold(GOOD.to_owned(), |text, (from, to)| text.replace(from, to));
        let (config, kept) = resolve::load(&text).unwrap().keep_good(&before);
        let mut names: Vec<String> = config.policies.iter().map(|it| it.key.to_string()).collect();
        names.sort();
        (names, kept)
    }

    #[test]
    fn an_edit_takes_down_nothing_that_ran() {
        for (what, edit, kept) in [
            ("nothing is broken", vec![], vec![]),
            ("a query", vec![("query: y", "query: 'y['")], vec!["policy n/b"]),
            ("a source", vec![("timeout: 5s", "timeout: 5x")], vec!["source one", "policy n/a"]),
        ] {
            let (running, told) = after(&edit);
            assert_eq!(running, ["n/a", "n/b"], "{what}");
            assert_eq!(told, kept, "{what}");
        }
    }

    #[test]
    fn what_was_taken_away_or_replaced_is_not_kept() {
        let gone = ("  - {name: two, prometheus: {url: \"http://127.0.0.1:2\"}}\n", "");
        assert_eq!(after(&[gone]).0, ["n/a"], "its source is gone");
        let (running, kept) =
            after(&[("query: y", "query: 'y['"), ("{name: a, type", "{name: b, type")]);
        assert_eq!(
            (running, kept.len()),
            (vec!["n/a".to_owned()], 0),
            "a publishes the metric of b"
        );
    }
}
