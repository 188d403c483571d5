//! What is chosen along a recording, when, and that it is what is chosen live.

use super::*;
use crate::pipeline::forecast::Chosen;
use crate::policy::forecast::Choice as Given;
use crate::policy::resolve;
use crate::replay::load::{Copies, Load};
use crate::replay::scenario::Wishes;
use crate::replay::trace::{Content, Trace};
use crate::simulate::auto;
use std::f64::consts::TAU;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(15);
const DAY_STEPS: usize = 5_760;

/// Days of a rhythm with a jump at the same minutes of every hour, a value every minute.
fn scenario(days: usize, forecast: &str) -> Scenario {
    let value = |minute: usize| {
        let phase = (minute % SEASON) as f64 / SEASON as f64 * TAU;
        let jump = if minute % 60 < 15 { 14.0 } else { 0.0 };
        18.0 - 8.0 * phase.cos() + jump + ((minute * 7_919) % 13) as f64 / 13.0
    };
    let samples = (0..days * SEASON).map(|it| (it as f64 * 60.0, value(it))).collect();
    let trace = Trace {
        midnight: None,
        content: Content::Samples { samples, unit: "requests" },
        without_value: 0,
    };
    let text = format!(
        "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\n\
         sources: [{{name: default, prometheus: {{url: 'http://a'}}}}]\npolicies:\n  \
         - metadata: {{name: a, namespace: b}}\n    spec: {{metric: {{name: m, type: External}}, \
         signals: {{it: {{source: default, prometheus: {{query: 'a'}}}}}}, interval: 60s, \
         forecast: {forecast}}}\n"
    );
    let config = resolve::load(&text).unwrap();
    assert!(config.faults.is_empty(), "{:?}", config.faults);
    let copies = Copies { count: 1, jitter: Duration::ZERO, seed: 1 };
    let load = Load::new(trace, STEP, copies).unwrap();
    let (lead_time, slo) = (Duration::from_secs(180), Duration::from_secs(10));
    let score_from = Some(Duration::from_secs(86_400));
    let wishes =
        Wishes { lead_time, slo, score_from, pod_capacity: Some(1.0), ..Wishes::default() };
    Scenario::new(load, &config.policies[0], wishes).unwrap()
}

fn chosen(scenario: &Scenario) -> Option<Vec<Dated>> {
    choices(scenario, |_| ()).unwrap()
}

#[test]
fn it_chooses_each_midnight_from_the_day_on_that_there_are_days_to_judge() {
    let scenario = scenario(5, "{}");
    let mut told = Vec::new();
    let found = choices(&scenario, |part| told.push(part)).unwrap().unwrap();
    assert_eq!(told, [1, 2, 3]);
    let steps: Vec<usize> = found.iter().map(|it| it.step).collect();
    assert_eq!(steps, [3 * DAY_STEPS, 4 * DAY_STEPS]);
    let seasons: Vec<usize> = found.iter().map(|it| it.choice.seasons).collect();
    assert_eq!(seasons, [1, 2]);
    assert!(found.iter().all(|it| it.choice.cost_to_naive < 1.0), "{found:?}");
    // Live it has the history of the policy up to that midnight, and asks the same.
    let recorded = Recorded::of(&scenario).unwrap();
    let forecast = scenario.left_to_auto().unwrap();
    let values = &recorded.values[..3 * SEASON];
    let newest = recorded.first + 3 * SEASON as i64 - 1;
    let live = question(&scenario, forecast, Steps::new(values, newest));
    let live = auto::choose(&live).unwrap().unwrap();
    assert_eq!(live.chosen, found[0].choice.chosen);
}

#[test]
fn it_chooses_only_what_the_policy_leaves_to_it() {
    assert_eq!(chosen(&scenario(2, "{model: analog}")), None);
    let short = scenario(3, "{}");
    assert_eq!(short.policy.forecast.as_ref().unwrap().model, Given::Auto);
    assert_eq!(chosen(&short), Some(vec![]));
    assert_eq!(
        short.left_to_auto().map(|it| Chosen::default().settled(it)),
        Some(Chosen::default())
    );
}
