//! Events in, names out; the watch itself is tested against API servers.

#![expect(clippy::unwrap_in_result, reason = "a test fails loudly")]

use super::*;
use crate::cluster::namespaces::{Known, Scope};
use kube::core::{ObjectMeta, PartialObjectMetaExt};
use kube::runtime::watcher::Event;

type Metadata = PartialObjectMeta<Pod>;

fn namespace(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

fn pod(namespace: &str, name: &str, labels: &[(&str, &str)]) -> Metadata {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels.collect()),
        ..Default::default()
    };
    metadata.into_response_partial()
}

/// An index that wants these namespaces, with the watch of one scope.
struct Fed {
    index: PodIndex,
    scope: Scope,
    listing: Known<Labels>,
}

impl Fed {
    fn new(wanted: &[&str], scope: Scope) -> Self {
        let index = PodIndex::default();
        index.0.want(wanted.iter().map(|name| namespace(name)).collect());
        Self { index, scope, listing: BTreeMap::new() }
    }

    fn one(name: &str) -> Self {
        Self::new(&[name], Scope::One(namespace(name)))
    }

    fn take(&mut self, event: Event<Metadata>) {
        self.index.0.take(event, &self.scope, &mut self.listing);
    }

    fn list(&mut self, pods: Vec<Metadata>) {
        self.take(Event::Init);
        for pod in pods {
            self.take(Event::InitApply(pod));
        }
        self.take(Event::InitDone);
    }

    fn names(&self, of: &str, selector: &str) -> Result<String, PodsUnknown> {
        let selected = self.index.matching(&namespace(of), &Selector::parse(selector).unwrap());
        selected.map(|names| names.iter().map(ObjectName::as_str).collect::<Vec<_>>().join(" "))
    }
}

const LLAMA: &[(&str, &str)] = &[("app", "llama")];
const MISTRAL: &[(&str, &str)] = &[("app", "mistral")];

#[test]
fn nothing_is_known_before_the_first_list_is_whole() {
    let mut fed = Fed::one("a");
    assert_eq!(fed.names("a", ""), Err(PodsUnknown::NotSynced));
    fed.take(Event::Init);
    fed.take(Event::InitApply(pod("a", "p", LLAMA)));
    assert_eq!(fed.names("a", ""), Err(PodsUnknown::NotSynced));
    assert!(!fed.index.is_synced());
    fed.take(Event::InitDone);
    assert_eq!(fed.names("a", ""), Ok("p".into()));
    assert!(fed.index.is_synced());
}

#[test]
fn an_empty_namespace_is_known_to_be_empty_and_an_unwanted_one_unknown() {
    let mut fed = Fed::one("a");
    fed.list(Vec::new());
    assert_eq!(fed.names("a", ""), Ok(String::new()));
    assert_eq!(fed.names("b", ""), Err(PodsUnknown::NotSynced));
}

#[test]
fn events_change_what_is_selected_and_names_come_sorted() {
    let mut fed = Fed::one("a");
    fed.list(vec![pod("a", "z", LLAMA), pod("a", "b", MISTRAL), pod("a", "c", LLAMA)]);
    assert_eq!(fed.names("a", "app=llama"), Ok("c z".into()));
    fed.take(Event::Apply(pod("a", "a", LLAMA)));
    fed.take(Event::Apply(pod("a", "c", MISTRAL)));
    fed.take(Event::Delete(pod("a", "z", LLAMA)));
    fed.take(Event::Delete(pod("a", "never-seen", LLAMA)));
    assert_eq!(fed.names("a", "app=llama"), Ok("a".into()));
    assert_eq!(fed.names("a", ""), Ok("a b c".into()));
    assert_eq!(fed.index.n_pods(), 3);
}

#[test]
fn the_last_content_stays_until_a_new_list_is_whole() {
    let mut fed = Fed::one("a");
    fed.list(vec![pod("a", "old", LLAMA)]);
    fed.take(Event::Init);
    fed.take(Event::InitApply(pod("a", "new", LLAMA)));
    assert_eq!(fed.names("a", ""), Ok("old".into()));
    // A list that breaks off is begun anew, and leaves nothing behind.
    fed.list(vec![pod("a", "newer", LLAMA)]);
    assert_eq!(fed.names("a", ""), Ok("newer".into()));
}

#[test]
fn a_watch_of_the_cluster_keeps_the_wanted_namespaces_only() {
    let wanted = BTreeSet::from([namespace("a"), namespace("b")]);
    let mut fed = Fed::new(&["a", "b"], Scope::All(wanted));
    fed.list(vec![pod("a", "p", LLAMA), pod("other", "q", LLAMA)]);
    fed.take(Event::Apply(pod("other", "r", LLAMA)));
    assert_eq!(fed.names("a", ""), Ok("p".into()));
    assert_eq!(fed.names("b", ""), Ok(String::new()));
    assert_eq!(fed.names("other", ""), Err(PodsUnknown::NotSynced));
    assert_eq!(fed.index.n_pods(), 1);
}

#[test]
fn a_namespace_that_is_no_longer_wanted_is_forgotten_for_good() {
    let mut fed = Fed::one("a");
    fed.list(vec![pod("a", "p", LLAMA)]);
    fed.index.0.want(BTreeSet::from([namespace("b")]));
    assert_eq!(fed.names("a", ""), Err(PodsUnknown::NotSynced));
    // The last words of a watch that is being ended.
    fed.list(vec![pod("a", "p", LLAMA)]);
    fed.take(Event::Apply(pod("a", "q", LLAMA)));
    assert_eq!(fed.names("a", ""), Err(PodsUnknown::NotSynced));
    assert!(!fed.index.is_synced());
    assert_eq!(fed.index.n_pods(), 0);
}

#[test]
fn pods_without_a_usable_name_are_left_out() {
    let mut fed = Fed::one("a");
    let nameless = ObjectMeta { namespace: Some("a".into()), ..Default::default() };
    fed.list(vec![
        nameless.into_response_partial(),
        pod("a", "Not A Name", LLAMA),
        pod("a", "p", LLAMA),
    ]);
    assert_eq!(fed.names("a", ""), Ok("p".into()));
}

#[test]
fn pods_of_one_workload_share_their_labels() {
    let mut fed = Fed::one("a");
    fed.list((0..1_500).map(|number| pod("a", &format!("llama-{number:04}"), LLAMA)).collect());
    let addresses = fed.index.0.look(&namespace("a"), |pods| {
        let labels = pods.values().map(|labels| std::ptr::from_ref(labels.get("app").unwrap()));
        labels.collect::<BTreeSet<_>>().len()
    });
    assert_eq!(addresses, Some(1));
}
