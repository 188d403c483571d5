//! What is let go, and what is too much.

use super::*;
use crate::domain::object::{GroupResource, ObjectKind};

fn services() -> Collection {
    let kind = ObjectKind { api_version: "v1".into(), kind: "Service".into() };
    Collection { resource: GroupResource::parse("services"), kind: Arc::new(kind), namespace: None }
}

fn object(name: &str) -> Metadata {
    let object =
        serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}});
    serde_json::from_value(object).unwrap()
}

#[test]
fn what_nobody_asks_for_any_more_is_let_go() {
    let (index, services) = (ObjectIndex::default(), services());
    let idle = COLLECTION_IDLE_MAX.as_secs();
    index.take_up(&services);
    let long_ago = || index.read().values().for_each(|it| it.asked.store(0, Ordering::Relaxed));
    long_ago();
    assert_eq!(index.still_wanted(idle).len(), 1);
    assert!(index.still_wanted(idle + 1).is_empty());
    index.take_up(&services);
    index.read().values().for_each(|it| it.asked.store(idle, Ordering::Relaxed));
    assert!(index.matching(&services, &Selector::default()).is_err(), "not listed yet");
    assert_eq!(index.still_wanted(2 * idle).len(), 1, "an earlier request takes nothing back");
    long_ago();
    assert!(index.still_wanted(2 * idle).is_empty());
    let mut listing = BTreeMap::new();
    index.take(Event::InitDone, &services, &mut listing);
    assert_eq!(index.n_collections(), 0, "a watch that is being ended brings nothing back");
}

#[test]
fn more_objects_than_are_kept_are_refused_and_not_cut() {
    let (index, services) = (ObjectIndex::default(), services());
    index.take_up(&services);
    let mut listing = BTreeMap::new();
    let found = |index: &ObjectIndex| index.matching(&services, &Selector::default());
    for number in 0..OBJECTS_MAX {
        index.take(Event::InitApply(object(&format!("s-{number}"))), &services, &mut listing);
    }
    index.take(Event::InitDone, &services, &mut listing);
    assert_eq!(found(&index).map(|it| it.len()), Ok(OBJECTS_MAX));
    index.take(Event::Apply(object("one-more")), &services, &mut listing);
    assert!(matches!(found(&index), Err(ObjectsUnknown::Unlisted(_))));
    // The next list may be shorter.
    index.take(Event::Init, &services, &mut listing);
    index.take(Event::InitApply(object("only")), &services, &mut listing);
    index.take(Event::InitDone, &services, &mut listing);
    assert_eq!(found(&index).map(|it| it.len()), Ok(1));
}
