//! Which pods count as started, starting or in trouble.

use super::*;
use crate::domain::labels::Labels;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn pod(uid: &str, created: i64, ready: Option<i64>) -> PodStart {
    PodStart {
        uid: uid.into(),
        labels: Labels::default(),
        created: at(created),
        ready: ready.map(at),
        kind: StartKind::Cached,
        has_restarted: false,
        is_leaving: false,
    }
}

/// `READY ready, AGES starting, TROUBLED troubled, STARTS added`.
fn shown(seen: &Seen, now: i64) -> String {
    let ages: Vec<u64> = seen.starting.iter().map(|it| since(*it, at(now)).as_secs()).collect();
    let (ready, troubled, added) = (seen.n_ready, seen.n_troubled, seen.added.len());
    format!("{ready} ready, {ages:?} starting, {troubled} troubled, {added} added")
}

#[track_caller]
fn check(ledger: &mut Ledger, pods: &[PodStart], now: i64, expected: &str) -> Startup {
    let seen = ledger.look(pods.iter(), at(now));
    assert_eq!(shown(&seen, now), expected);
    seen.startup
}

#[test]
fn each_start_is_counted_once_and_forgotten_pods_stay_in_the_measure() {
    let mut ledger = Ledger::default();
    let three = [pod("a", 0, Some(20)), pod("b", 0, Some(21)), pod("c", 5, None)];
    check(&mut ledger, &three, 30, "2 ready, [25] starting, 0 troubled, 2 added");
    check(&mut ledger, &three, 31, "2 ready, [26] starting, 0 troubled, 0 added");
    let three = [pod("a", 0, Some(20)), pod("b", 0, Some(21)), pod("c", 5, Some(32))];
    check(&mut ledger, &three, 40, "3 ready, [] starting, 0 troubled, 1 added");
    let startup = check(&mut ledger, &[], 50, "0 ready, [] starting, 0 troubled, 0 added");
    assert!(startup.is_measured() && startup.time.as_secs() == 27, "{startup:?}");
}

#[test]
fn a_pod_that_lost_its_readiness_is_neither_starting_nor_a_second_start() {
    let mut ledger = Ledger::default();
    check(&mut ledger, &[pod("a", 0, Some(20))], 30, "1 ready, [] starting, 0 troubled, 1 added");
    check(&mut ledger, &[pod("a", 0, None)], 40, "0 ready, [] starting, 1 troubled, 0 added");
    check(&mut ledger, &[pod("a", 0, Some(900))], 901, "1 ready, [] starting, 0 troubled, 0 added");
}

#[test]
fn a_container_that_was_started_again_tells_no_start() {
    let mut ledger = Ledger::default();
    let mut restarted = pod("a", 0, Some(500));
    restarted.has_restarted = true;
    check(&mut ledger, &[restarted.clone()], 600, "1 ready, [] starting, 0 troubled, 0 added");
    restarted.ready = None;
    check(&mut ledger, &[restarted], 700, "0 ready, [] starting, 1 troubled, 0 added");
}

#[test]
fn pods_that_leave_are_no_supply_and_those_that_never_come_up_neither() {
    let mut ledger = Ledger::default();
    let mut leaving = [pod("a", 0, Some(20)), pod("b", 0, None)];
    leaving.iter_mut().for_each(|pod| pod.is_leaving = true);
    check(&mut ledger, &leaving, 30, "0 ready, [] starting, 0 troubled, 0 added");
    let stuck = [pod("c", 0, None)];
    check(&mut ledger, &stuck, 3_600, "0 ready, [3600] starting, 0 troubled, 0 added");
    check(&mut ledger, &stuck, 3_601, "0 ready, [] starting, 1 troubled, 0 added");
}

#[test]
fn a_late_look_at_the_same_pods_measures_the_same() {
    let pods: Vec<PodStart> = (0..40)
        .map(|n| pod(&format!("{}", (n * 7) % 40), n * 100, Some(n * 100 + 10 + (n * 13) % 50)))
        .collect();
    let mut live = Ledger::default();
    for n in 1..=pods.len() {
        live.look(pods.iter().take(n), at(5_000));
    }
    let mut restarted = Ledger::default();
    let startup = restarted.look(pods.iter(), at(5_000)).startup;
    assert_eq!(live.look(pods.iter(), at(5_000)).startup, startup);
    assert!(startup.is_measured(), "{startup:?}");
}

#[test]
fn a_clock_that_lags_behind_the_clusters_gives_no_negative_age() {
    let mut ledger = Ledger::default();
    check(&mut ledger, &[pod("a", 100, None)], 90, "0 ready, [0] starting, 0 troubled, 0 added");
}
