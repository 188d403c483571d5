//! The ledgers of all scale targets, and which pods go into which.

use crate::domain::object::ObjectRef;
use crate::domain::selector::{Condition, Selector};
use crate::domain::supply::{PodStart, StartKind, TargetSupply};
use crate::series::lead_time::Ledger;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is remembered of each scale target.
#[derive(Debug, Default)]
pub(super) struct Book(BTreeMap<ObjectRef, Ledger>);

/// Pods by the value of one label each, so that a namespace of a thousand targets does not compare
/// each pod with each selector.
struct ByLabel<'a> {
    all: Vec<&'a PodStart>,
    groups: BTreeMap<(&'a str, &'a str), Vec<&'a PodStart>>,
}

impl Book {
    /// Forgets the targets that nobody wants any more.
    pub(super) fn keep(&mut self, wanted: &BTreeSet<ObjectRef>) {
        self.0.retain(|target, _| wanted.contains(target));
    }

    /// Looks at the pods of one namespace, for these targets of it; answers each target's supply
    /// with the starts that are new.
    pub(super) fn look<'a>(
        &mut self,
        targets: &[(&ObjectRef, Arc<Selector>)],
        pods: impl Iterator<Item = &'a PodStart>,
        now: Timestamp,
    ) -> Vec<(TargetSupply, Vec<StartKind>)> {
        let keys: BTreeSet<&str> =
            targets.iter().filter_map(|(_, it)| Some(equality(it)?.0)).collect();
        let pods = ByLabel::new(&keys, pods);
        let looked = targets.iter().map(|(target, selector)| {
            let ledger = self.0.entry((*target).clone()).or_default();
            let seen = ledger.look(pods.matching(selector), now);
            let supply = TargetSupply {
                target: (*target).clone(),
                n_ready: seen.n_ready,
                starting: seen.starting,
                n_troubled: seen.n_troubled,
                startup: seen.startup,
            };
            (supply, seen.added)
        });
        looked.collect()
    }
}

impl<'a> ByLabel<'a> {
    fn new(keys: &BTreeSet<&str>, pods: impl Iterator<Item = &'a PodStart>) -> Self {
        let all: Vec<&PodStart> = pods.collect();
        let mut groups: BTreeMap<_, Vec<&PodStart>> = BTreeMap::new();
        for pod in &all {
            for label in pod.labels.iter().filter(|(key, _)| keys.contains(key)) {
                groups.entry(label).or_default().push(pod);
            }
        }
        Self { all, groups }
    }

    fn matching<'s>(&'s self, selector: &'s Selector) -> impl Iterator<Item = &'a PodStart> + 's {
        let group = match equality(selector) {
            Some(label) => self.groups.get(&label).map(Vec::as_slice).unwrap_or_default(),
            None => &self.all,
        };
        group.iter().copied().filter(|pod| selector.matches(&pod.labels))
    }
}

/// The first label whose value a selector names.
fn equality(selector: &Selector) -> Option<(&str, &str)> {
    selector.requirements().iter().find_map(|it| match &it.condition {
        Condition::In(values) if values.len() == 1 => Some((&*it.key, &**values.first()?)),
        Condition::In(_)
        | Condition::NotIn(_)
        | Condition::Exists
        | Condition::Absent
        | Condition::Above(_)
        | Condition::Below(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{Namespace, ObjectName};
    use crate::domain::object::ObjectKind;

    fn target(name: &str) -> ObjectRef {
        let kind = ObjectKind { api_version: "apps/v1".into(), kind: "Deployment".into() };
        let namespace = Some(Namespace::new("inference").unwrap());
        ObjectRef { kind, namespace, name: ObjectName::new(name).unwrap() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pod(uid: &str, labels: &[(&str, &str)], ready: Option<i64>) -> PodStart {
        PodStart {
            uid: uid.into(),
            labels: labels.iter().copied().collect(),
            created: at(0),
            ready: ready.map(at),
            kind: StartKind::Untold,
            has_restarted: false,
            is_leaving: false,
        }
    }

    #[test]
    fn each_target_gets_the_pods_that_its_selector_selects() {
        let pods = [
            pod("a", &[("app", "llama"), ("role", "leader")], Some(20)),
            pod("b", &[("app", "llama"), ("role", "worker")], None),
            pod("c", &[("app", "mistral")], Some(50)),
            pod("d", &[], None),
        ];
        let names = ["llama", "leaders", "mistral", "either", "nobody", "unlabelled"];
        let texts = [
            "app=llama",
            "role in (leader),app=llama",
            "app=mistral,!role",
            "app in (llama,mistral)",
            "app=nobody",
            "!app",
        ];
        let objects = names.map(target);
        let selectors = texts.map(|text| Arc::new(Selector::parse(text).unwrap()));
        let targets: Vec<_> = objects.iter().zip(selectors).collect();
        let mut book = Book::default();
        let looked = book.look(&targets, pods.iter(), at(60));
        let counts: Vec<_> =
            looked.iter().map(|(it, new)| (it.n_ready, it.starting.len(), new.len())).collect();
        assert_eq!(counts, [(1, 1, 1), (1, 0, 1), (1, 0, 1), (2, 1, 2), (0, 0, 0), (0, 1, 0)]);
        let again = book.look(&targets, pods.iter(), at(61));
        assert!(again.iter().all(|(_, new)| new.is_empty()), "each start is new once: {again:?}");

        // A target that nobody wanted for a while begins anew.
        book.keep(&BTreeSet::from([target("llama")]));
        let anew = book.look(&targets, pods.iter(), at(62));
        let new: Vec<usize> = anew.iter().map(|(_, new)| new.len()).collect();
        assert_eq!(new, [0, 1, 1, 2, 0, 0]);
    }
}
