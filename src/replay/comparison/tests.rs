//! What must hold for any comparison, on demand made by a seed.

#![expect(clippy::float_cmp, reason = "the same arithmetic on the same numbers")]

use super::{Comparison, HEADROOMS, LATE_SHARES, Scored, WAYS, Wants, Way, compare};
use crate::policy::resolve;
use crate::replay::load::{Copies, Load};
use crate::replay::scenario::{CapacityFrom, Scenario, Wishes};
use crate::replay::trace::{Content, Trace};
use crate::simulate::demand::{Demand, DemandSettings};
use crate::simulate::judge::recorded::Request;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(15);
const ONE: Copies = Copies { count: 1, jitter: Duration::from_secs(300), seed: 1 };

fn samples(days: u32) -> Content {
    let demand = Demand::new(3, DemandSettings::default()).unwrap();
    let minute = Duration::from_secs(60);
    let sample =
        |at: u32| (f64::from(at) * 60.0, demand.arrivals(minute * at, minute) as f64 / 60.0);
    Content::Samples { samples: (0..days * 1_440).map(sample).collect(), unit: "requests" }
}

fn requests(hours: u32) -> Content {
    let demand = Demand::new(4, DemandSettings::default()).unwrap();
    let arrivals = (0..hours * 240).flat_map(|step| {
        let count = demand.arrivals(STEP * step, STEP);
        let gap = 15.0 / (count as f64 + 1.0);
        (0..count).map(move |place| f64::from(step) * 15.0 + gap * (place as f64 + 0.5))
    });
    Content::Requests(arrivals.map(|arrival| Request { arrival, service: 8.0 }).collect())
}

fn scenario(content: Content, policy: &str, wishes: Wishes) -> Scenario {
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
         sources: [{{name: default, prometheus: {{url: 'http://a'}}}}]\npolicies:\n  \
         - metadata: {{name: a, namespace: b}}\n    spec: {{metric: {{name: m, type: External}}, \
         signals: {{it: {{source: default, prometheus: {{query: 'a'}}}}}}{policy}}}\n"
    );
    let config = resolve::load(&text).unwrap();
    assert!(config.faults.is_empty(), "{:?}", config.faults);
    let trace = Trace { midnight: None, content, without_value: 0 };
    Scenario::new(Load::new(trace, STEP, ONE).unwrap(), &config.policies[0], wishes).unwrap()
}

fn wishes() -> Wishes {
    let (lead_time, slo) = (Duration::from_secs(180), Duration::from_secs(10));
    Wishes { lead_time, slo, ..Wishes::default() }
}

fn all(scenario: &Scenario) -> Comparison {
    let wants = Wants { frames: true, ..Wants::default() };
    compare(scenario, wants, &mut |_, _| ()).unwrap()
}

fn of(comparison: &Comparison, way: Way) -> &Scored {
    comparison.scored.iter().find(|it| it.way == way).unwrap()
}

#[test]
fn a_policy_that_changes_nothing_is_a_plain_hpa_to_the_last_step() {
    for content in [samples(4), requests(9)] {
        let comparison = all(&scenario(content, "", wishes()));
        let (own, plain) = (of(&comparison, Way::Policy), of(&comparison, Way::Reactive(300)));
        assert_eq!(own.run, plain.run);
        assert_eq!(own.frames, plain.frames);
        assert!(own.totals.late > 0.0 && own.totals.scale_events > 20, "{:?}", own.totals);
    }
}

#[test]
fn smoothing_of_the_policy_is_what_the_hpa_reads() {
    let comparison = all(&scenario(samples(4), ", smooth: [{windowMax: {window: 15m}}]", wishes()));
    let (own, plain) = (of(&comparison, Way::Policy), of(&comparison, Way::Reactive(300)));
    assert!(own.totals.late < plain.totals.late);
    assert!(own.totals.pod_seconds > plain.totals.pod_seconds);
    // The largest of what was observed in the last quarter of an hour, which holds 60 steps.
    for (place, frame) in own.frames.iter().enumerate().skip(59) {
        let most = own.frames[place - 59..=place].iter().map(|it| it.observed);
        let most = most.fold(0.0, |a, b| if b > a { b } else { a });
        assert!((frame.published.unwrap() - most).abs() < 1e-9, "step {place}");
    }
}

#[test]
fn a_policy_is_evaluated_at_its_own_interval() {
    let comparison = all(&scenario(samples(3), ", interval: 60s", wishes()));
    let own = of(&comparison, Way::Policy);
    for (place, frame) in own.frames.iter().enumerate() {
        let evaluated = &own.frames[place - place % 4];
        assert_eq!(frame.published, Some(evaluated.observed), "step {place}");
    }
}

#[test]
fn who_knows_the_future_lets_nothing_wait_and_pays_no_less_than_the_optimum() {
    for content in [samples(4), requests(9)] {
        let comparison = all(&scenario(content, "", wishes()));
        let clairvoyant = &of(&comparison, Way::Clairvoyant).totals;
        assert!(clairvoyant.late_share() < 1e-9, "{clairvoyant:?}");
        assert!(clairvoyant.pod_seconds >= comparison.optimum_seconds);
        let periods: f64 = comparison.optimum_periods.iter().sum();
        assert!((periods - comparison.optimum_seconds).abs() < 1e-6 * periods);
    }
}

#[test]
fn what_is_known_late_is_published_late() {
    let delay = Duration::from_secs(45);
    let late = all(&scenario(
        samples(3),
        "",
        Wishes { metric_delay: delay, no_feedback: true, ..wishes() },
    ));
    let now = all(&scenario(samples(3), "", Wishes { no_feedback: true, ..wishes() }));
    let (late, now) = (of(&late, Way::Policy), of(&now, Way::Policy));
    assert!(late.frames[3..].iter().zip(&now.frames).all(|(a, b)| a.observed == b.observed));
    assert!(late.totals.late > now.totals.late);
}

#[test]
fn feedback_shows_the_queue_to_the_policy() {
    let with = all(&scenario(samples(4), "", wishes()));
    let without = all(&scenario(samples(4), "", Wishes { no_feedback: true, ..wishes() }));
    let (with, without) = (of(&with, Way::Policy), of(&without, Way::Policy));
    assert!(with.totals.late < without.totals.late);
    assert!(with.frames.iter().zip(&without.frames).any(|(a, b)| a.observed > b.observed));
}

#[test]
fn the_same_input_gives_the_same_figures() {
    let scenario = scenario(requests(9), ", smooth: [{ewma: {halfLife: 30s}}]", wishes());
    let (one, other) = (all(&scenario), all(&scenario));
    for way in WAYS {
        assert_eq!(of(&one, way).run, of(&other, way).run);
    }
}

#[test]
fn a_sweep_tells_the_cost_and_progress_reaches_its_end() {
    let scenario = scenario(samples(3), "", wishes());
    let wants = Wants { frontier: true, ..Wants::default() };
    let mut told = Vec::new();
    let comparison = compare(&scenario, wants, &mut |done, of| told.push((done, of))).unwrap();
    assert_eq!(comparison.swept.len(), 3);
    for swept in &comparison.swept {
        assert_eq!(swept.frontier.points.len(), HEADROOMS.len());
        let [one, half] = LATE_SHARES.map(|it| swept.frontier.cost_at(it).unwrap());
        assert!(half >= one && one > 0.0);
    }
    assert!(comparison.scored.iter().all(|it| it.frames.is_empty()));
    let steps = u64::try_from(scenario.load.end).unwrap();
    let total = steps * (4 + 3 * 13);
    assert!(told.is_sorted() && told.iter().all(|(_, of)| *of == total), "{told:?}");
    assert!(told.last().unwrap().0 > total - 2_048);
}

#[test]
fn a_capacity_follows_from_what_is_known() {
    let load = |content| scenario(content, "", wishes());
    let found = load(samples(3));
    assert_eq!(found.capacity_from, CapacityFrom::Demand);
    assert_eq!(found.target_milli as f64, (found.capacity * 1e3).round());
    assert!((found.load.quantile(0.995) / found.capacity - 40.0).abs() < 0.1);
    assert!(found.capacity >= 1.0, "the HPA reads thousandths: {}", found.capacity);
    assert_eq!(load(requests(9)).capacity_from, CapacityFrom::OneRequest);
    let own = scenario(samples(3), ", capacity: {perPod: 2}", wishes());
    assert_eq!((own.capacity_from, own.capacity), (CapacityFrom::Policy, 2.0));
    let given = Wishes { pod_capacity: Some(0.5), ..wishes() };
    let given = scenario(samples(3), ", capacity: {perPod: 2}", given);
    assert_eq!((given.capacity_from, given.target_milli), (CapacityFrom::Given, 500));
}

#[test]
fn the_score_begins_after_a_week_or_half_of_the_recording() {
    for (content, from, first) in [
        (samples(4), None, 2 * 5_760),
        (samples(16), None, 7 * 5_760),
        (samples(4), Some(86_400), 5_760),
        (requests(9), None, 5 * 240),
    ] {
        let score_from = from.map(Duration::from_secs);
        let scenario = scenario(content, "", Wishes { score_from, ..wishes() });
        assert_eq!(scenario.score.first_step(), first);
    }
}
