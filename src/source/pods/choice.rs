//! Which pods are asked: those that can be, and of too many an even and stable sample.

use crate::domain::limits;
use crate::domain::pod_place::PodPlace;
use crate::policy::pods::PodPort;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// The pods that are asked, and how many there are.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) pods: Vec<PodPlace>,
    pub(super) n_pods: usize,
}

/// Chooses among the pods that the selector selects.
///
/// Of more than `limits::pods::PER_READ_MAX` those are asked whose uid has the smallest hashes: a
/// pod's place does not depend on the others, so that the same pods are asked again and again, which
/// counters need; one that comes or goes replaces one other at most; and every replica of Foresail
/// asks the same ones.
pub(super) fn choose(includes_not_ready: bool, places: Vec<PodPlace>) -> Chosen {
    let mut pods: Vec<PodPlace> = places
        .into_iter()
        .filter(|it| !it.is_leaving && it.address.is_some())
        .filter(|it| it.is_ready || includes_not_ready)
        .collect();
    let n_pods = pods.len();
    if n_pods > limits::pods::PER_READ_MAX {
        pods.sort_by_cached_key(|it| (hash(&it.uid), it.uid.clone()));
        pods.truncate(limits::pods::PER_READ_MAX);
    }
    Chosen { pods, n_pods }
}

fn hash(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

/// The number of a port of this pod.
pub(super) fn port(place: &PodPlace, port: &PodPort) -> Option<u16> {
    match port {
        PodPort::Number(number) => Some(*number),
        PodPort::Name(name) => {
            let mut named = place.ports.iter();
            named.find(|(it, _)| it == name).map(|(_, number)| *number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::ObjectName;
    use crate::source::pods::tests::place;
    use std::collections::BTreeSet;

    fn names(chosen: &Chosen) -> BTreeSet<ObjectName> {
        chosen.pods.iter().map(|it| it.name.clone()).collect()
    }

    #[test]
    fn only_pods_that_serve_are_asked_unless_the_policy_says_otherwise() {
        let places = || {
            let not_ready = PodPlace { is_ready: false, ..place(1) };
            let leaving = PodPlace { is_leaving: true, ..place(2) };
            let nowhere = PodPlace { address: None, ..place(3) };
            vec![place(0), not_ready, leaving, nowhere]
        };
        assert_eq!(choose(false, places()).n_pods, 1);
        assert_eq!(choose(true, places()).n_pods, 2);
    }

    #[test]
    fn a_sample_is_even_and_stays_the_same_as_pods_come_and_go() {
        let most = limits::pods::PER_READ_MAX;
        let all: Vec<PodPlace> = (0..4 * most).map(place).collect();
        let before = choose(false, all.clone());
        assert_eq!((before.pods.len(), before.n_pods), (most, 4 * most));
        // Of each quarter of the pods a quarter: 125 with a standard deviation of 9.7.
        for quarter in 0..4 {
            let of_quarter: BTreeSet<ObjectName> =
                (0..most).map(|it| place(quarter * most + it).name).collect();
            let asked = names(&before).intersection(&of_quarter).count();
            assert!((most / 4 - 40..most / 4 + 40).contains(&asked), "{asked}");
        }
        let mut changed = all;
        changed.truncate(4 * most - 10);
        changed.push(place(4 * most));
        let after = choose(false, changed);
        let kept = names(&before).intersection(&names(&after)).count();
        assert!(kept >= most - 11, "{kept}");
    }

    #[test]
    fn a_port_has_a_number_or_a_name() {
        let place = PodPlace { ports: [("metrics".into(), 9_400)].into(), ..place(0) };
        assert_eq!(port(&place, &PodPort::Number(8_000)), Some(8_000));
        assert_eq!(port(&place, &PodPort::Name("metrics".into())), Some(9_400));
        assert_eq!(port(&place, &PodPort::Name("web".into())), None);
    }
}
