//! The live proof, in compressed time: the same demand for a fleet that is scaled on plain values
//! and for one that is scaled on a forecast which `auto` chose from earlier days.
//!
//! A day lasts 24 minutes and an hour one. Both Deployments are real to the HPA controller, their
//! pods are Ready after five minutes of that time, and each has a queue of its own which its Ready
//! pods work off. In the middle one of two Foresails is killed, and later started again.

mod fleet;
mod manifests;
mod past;
mod replicas;
mod rhythm;
mod service;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fleet::{Account, Fleet};
use rhythm::Rhythm;
use serde_json::Value;
use service::Service;

use crate::bed::Bed;
use crate::bed::wait::{seen, wait_until};
use crate::stage::foresail;
use crate::stage::policies::config;

/// The namespaces of the two fleets: scaled on plain values, and on the forecast.
const FLEETS: [&str; 2] = [REACTIVE, AUTO];
const REACTIVE: &str = "proof-reactive";
const AUTO: &str = "proof-auto";
/// The metric, in both namespaces.
const METRIC: &str = "demand";
const ARRIVALS: &str = "proof_arrivals_per_second";
const WAITING: &str = "proof_waiting";
/// Work that waits longer is late, in seconds: a minute of compressed time.
const MAX_WAIT: f64 = 1.0;
/// Another one to see another day.
const SEED: &str = "FORESAIL_PROOF_SEED";
/// How often the queues move.
const TICK: Duration = Duration::from_millis(100);
/// After a choice, until the fleets are where their HPAs want them.
const SETTLE: Duration = Duration::from_secs(15);
/// Three and a half hours of compressed time.
const MEASURED: Duration = Duration::from_secs(210);
/// A choice takes seconds, on a busy machine without optimisation many of them.
const CHOICE_DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn a_forecast_waits_less_at_no_more_pod_hours_and_outlives_a_replica() {
    let bed = Bed::exclusive();
    let seed = std::env::var_os(SEED).map_or(1, |it| it.to_str().unwrap().parse().unwrap());
    let load = Load::new(Rhythm { seed });
    manifests::deploy(&bed);
    thread::scope(|scope| {
        let _stop = Stop(&load);
        let moving = scope.spawn(|| load.run(&bed));
        past::write(&bed, load.rhythm);
        let text = config(&bed, &[]);
        let first = bed.start_adapter(foresail(), &text);
        let second = bed.start_adapter(foresail(), &text);
        let service = Service::start(vec![first.secure_port(), second.secure_port()]);
        let registration = bed.register_port(service.port);
        manifests::scale(&bed);
        let chosen = wait_chosen(&bed);
        thread::sleep(SETTLE);
        let begun = Instant::now();
        load.begin();
        let before = failed_reads(&bed);
        // Kept, since the HPAs may ask either from then on.
        let (told, _again) = replicas::kill_and_restart(&bed, &service, first, &second, &text);
        let failed = failed_reads(&bed) - before;
        thread::sleep(MEASURED.saturating_sub(begun.elapsed()));
        let accounts = load.accounts();
        let took = begun.elapsed();
        assert!(!moving.is_finished(), "the queues stood still");
        report(seed, took, &chosen, &accounts, &told, failed);
        drop(registration);
    });
    manifests::remove(&bed);
}

/// The demand, and the queues that it fills.
struct Load {
    rhythm: Rhythm,
    fleets: Mutex<Vec<Fleet>>,
    is_over: AtomicBool,
}

impl Load {
    fn new(rhythm: Rhythm) -> Self {
        Self { rhythm, fleets: Mutex::new(Fleet::all()), is_over: AtomicBool::new(false) }
    }

    fn run(&self, bed: &Bed) {
        let mut last = now();
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(TICK);
            let now = now();
            let rate = self.rhythm.at(jiff::Timestamp::now().as_second());
            let pods = fleet::pods(bed);
            let mut fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
            fleet::step(bed, &mut fleets, &pods, fleet::Moment { now, seconds: now - last, rate });
            last = now;
        }
    }

    /// Forgets what the fleets have done so far.
    fn begin(&self) {
        let mut fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        fleets.iter_mut().for_each(|it| it.account = Account::default());
    }

    fn accounts(&self) -> Vec<Account> {
        let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        fleets.iter().map(|it| it.account).collect()
    }
}

/// Ends the load when the test ends, however that is.
struct Stop<'a>(&'a Load);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

fn now() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

/// The labels of the series of one fleet: those of the earlier days and of today are the same.
fn labels(namespace: &str) -> [(&'static str, &str); 3] {
    [("namespace", namespace), ("job", "proof"), ("instance", "queue")]
}

/// What the status of the policy says that `auto` chose.
#[track_caller]
fn wait_chosen(bed: &Bed) -> String {
    let begun = Instant::now();
    let choice = wait_until(CHOICE_DEADLINE, "auto has chosen", || {
        let policy = bed.kubectl.get(&format!("mpol demand --namespace {AUTO}"));
        let choice = policy["status"]["choice"].clone();
        if choice.is_object() { Ok(choice) } else { Err(policy["status"].to_string()) }
    });
    wait_until(CHOICE_DEADLINE, "both HPAs are active", || {
        let hpas = bed.kubectl.get("hpa --all-namespaces");
        seen(hpas.to_string().matches("ValidMetricFound").count() >= FLEETS.len(), hpas)
    });
    let text = |key: &str| choice[key].as_str().unwrap_or("none").to_owned();
    format!(
        "{}, quantile {}, headroom {}, down window {}; {:.0} s after it was applied",
        text("model"),
        text("quantile"),
        text("headroom"),
        text("downWindow"),
        begun.elapsed().as_secs_f64(),
    )
}

/// How often the HPA controller has said of either HPA that it could not read its metric.
fn failed_reads(bed: &Bed) -> u64 {
    let events = bed.kubectl.get("events --all-namespaces");
    let is_failure = |event: &&Value| {
        let namespace = event["metadata"]["namespace"].as_str().unwrap_or_default();
        FLEETS.contains(&namespace) && event["reason"] == "FailedGetExternalMetric"
    };
    let events = events["items"].as_array().unwrap().iter().filter(is_failure);
    events.map(|event| event["count"].as_u64().unwrap_or(1)).sum()
}

fn report(
    seed: u64,
    took: Duration,
    chosen: &str,
    accounts: &[Account],
    replicas: &replicas::Told,
    failed: u64,
) {
    let mut text = format!(
        "\nLive proof, seed {seed}: {:.0} s, of which each stands for a minute\n\
         auto chose {chosen}\n  {:<16} {:>12} {:>12} {:>10}\n",
        took.as_secs_f64(),
        "fleet",
        "waiting > 1m",
        "pod-hours",
        "most pods"
    );
    let late = |account: &Account| 100.0 * account.late / account.work;
    for (name, account) in FLEETS.iter().zip(accounts) {
        // A second is a minute.
        let hours = account.pod_seconds / 60.0;
        let (late, most) = (late(account), account.most);
        text.push_str(&format!("  {name:<16} {late:>10.2} % {hours:>12.1} {most:>10.0}\n"));
    }
    text.push_str(&format!("{replicas}; {failed} failed reads by the HPAs meanwhile\n"));
    say(&text);
    let [reactive, auto] = accounts else { panic!("two fleets") };
    assert!(late(auto) < late(reactive), "auto waits less");
    assert!(auto.pod_seconds <= reactive.pod_seconds, "auto costs no more");
    assert!(failed <= u64::try_from(FLEETS.len()).unwrap(), "one sync of each HPA at most");
}

/// Past the test runner's capture: this is what the test is for.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
