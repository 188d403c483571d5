//! Two replicas give the same answer at the same time, so any of them may be asked.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bed::Bed;
use crate::bed::adapter::Adapter;
use crate::bed::http::Http;
use crate::bed::wait::{seen, wait_until};
use crate::stage::policies::{Policy, config};
use crate::stage::workload::Workload;
use crate::stage::{Stage, external, foresail};

const NAMESPACE: &str = "replicas";
const INSTANTS: usize = 15;
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn two_replicas_answer_the_same_and_the_second_goes_on_alone() {
    let bed = Bed::exclusive();
    // A series that never rests: each look at the page moves it, so that smoothing has work.
    let mut step = 0;
    let mut change = || {
        step += 1;
        bed.exporter.set("replicas_demand", &[], 40.0 + f64::from(step * 7 % 23));
    };
    change();
    let plain = Policy {
        namespace: NAMESPACE,
        name: "plain",
        metric: "name: llama_demand, type: External",
        query: "sum(replicas_demand)",
        ..Policy::default()
    };
    let smooth = Policy {
        name: "smooth",
        metric: "name: smooth_demand, type: External",
        smooth: "{ewma: {halfLife: 3s}}",
        ..plain.clone()
    };
    let text = config(&bed, &[plain, smooth]);
    let mut stage = Stage::new(&bed, &text);
    let path = external(NAMESPACE, "smooth_demand");
    let proxy = stage.front_proxy();
    let answer = |adapter: &Adapter| timed_value(&proxy, &adapter.secure_url(&path));

    // The first has smoothed for some seconds when the second starts.
    let mut first = BTreeMap::new();
    wait_until(DEADLINE, "the first replica has evaluated six times", || {
        change();
        first.extend(answer(&stage.adapter));
        seen(first.len() >= 6, first.len())
    });
    let later = bed.start_adapter(foresail(), &text);
    let mut second = BTreeMap::new();
    let common = wait_until(DEADLINE, "both have answered for the same instants", || {
        change();
        first.extend(answer(&stage.adapter));
        second.extend(answer(&later));
        // A sample that was scraped late is served by two evaluations, and nothing bears the next time.
        let is_only = |at: &String| {
            let next = at.parse::<jiff::Timestamp>().unwrap() + Duration::from_secs(1);
            let next = next.to_string();
            first.contains_key(&next) || second.contains_key(&next)
        };
        let common = first.keys().filter(|at| second.contains_key(*at) && is_only(at));
        let common: Vec<String> = common.cloned().collect();
        if common.len() >= INSTANTS { Ok(common) } else { Err(common.len().to_string()) }
    });
    for at in &common {
        assert_eq!(first[at], second[at], "at {at}; first {first:?}, second {second:?}");
    }
    let distinct: std::collections::BTreeSet<_> = common.iter().map(|at| &first[at]).collect();
    assert!(distinct.len() > INSTANTS / 2, "the series moved: {distinct:?}");

    // The HPA does not notice that the first one is gone.
    bed.exporter.set("replicas_demand", &[], 40.0);
    let workload = Workload::new(&bed, NAMESPACE, Duration::ZERO);
    workload.scale_by("hpa-external.yaml", &[]);
    workload.wait_replicas(5);
    stage.registration.lead_to(later.secure_port());
    stage.adapter.process().kill();
    bed.exporter.set("replicas_demand", &[], 72.0);
    workload.wait_replicas(9);
    workload.wait_ready(9);
    drop(stage);
}

/// The instant and the value that an adapter answers, if it has one.
fn timed_value(http: &Http, url: &str) -> Option<(String, String)> {
    let masters = [("X-Remote-User", "test"), ("X-Remote-Group", "system:masters")];
    let reply = http.get(url, &masters).unwrap();
    let item = reply.json()["items"][0].clone();
    let text = |key: &str| item[key].as_str().map(str::to_owned);
    text("timestamp").zip(text("value"))
}
