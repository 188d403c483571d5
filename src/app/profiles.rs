//! Profiles in words: which there are, what is looked for, and the PromQL that a policy would ask.

use crate::domain::limits;
use crate::policy::profile::file::OverPods;
use crate::policy::profile::promql::{Question, query};
use crate::policy::profile::{Canonical, Profile, Profiles, SignalProfile};
use crate::policy::promql::SeriesSelector;

/// What stands for the policy's namespace.
const NAMESPACE: &str = "NAMESPACE";

/// All engines and exporters with their signals, as lines.
#[must_use]
pub fn list(profiles: &Profiles) -> Vec<String> {
    let lines = profiles.iter().flat_map(|profile| {
        let signals: Vec<&str> = profile.has().map(Canonical::name).collect();
        [format!("{}: {}", profile.engine, profile.about), format!("  {}", signals.join(", "))]
    });
    lines.collect()
}

/// One of them with its candidates and queries, as lines.
#[must_use]
pub fn shown(profile: &Profile) -> Vec<String> {
    let port = profile.port.map_or("no usual port".to_owned(), |it| format!("port {it}"));
    let mut lines = vec![
        format!("{}: {}", profile.engine, profile.about),
        format!("page of a pod: {port}, path {}", profile.path),
    ];
    if !profile.detect.is_empty() {
        lines.push(format!("pod label llm-d.ai/engine-type: {}", profile.detect.join(", ")));
    }
    if !profile.detect_series.is_empty() {
        let marks: Vec<&str> = profile.detect_series.iter().map(SeriesSelector::text).collect();
        lines.push(format!("told by its series: {}", marks.join(", ")));
    }
    if profile.about_pods.is_some() {
        let ways = "read through Prometheus, or from a source `scrape: {pods: …}`";
        lines.push(format!("its series are about other pods: {ways}"));
    }
    for signal in profile.has() {
        lines.push(String::new());
        match profile.signals.get(&signal) {
            Some(own) => lines.extend(candidates(signal, own)),
            None => lines.push(format!("{}: what waits and what runs, added up", signal.name())),
        }
        let question = Question {
            namespace: ("namespace", NAMESPACE),
            pod_label: "pod",
            labels: &[],
            pods: None,
            window: limits::profile::WINDOW_DEFAULT,
            quantile: limits::profile::QUANTILE_DEFAULT,
            is_per_pod: false,
        };
        lines.extend(query(profile, signal, &question).map(|it| format!("  {}", it.text)));
    }
    lines
}

fn candidates(signal: Canonical, own: &SignalProfile) -> Vec<String> {
    let over = match own.pods {
        OverPods::Sum => "added up over pods",
        OverPods::Avg => "mean over pods",
        OverPods::Merge => "over what all pods observed",
    };
    let mut lines = vec![format!("{} ({}, {over})", signal.name(), own.unit)];
    for (place, candidate) in (1..).zip(&own.from) {
        let note = candidate.note.as_ref().map_or(String::new(), |it| format!("  # {it}"));
        lines.push(format!("  {place}. {}{note}", candidate.form));
    }
    lines
}
