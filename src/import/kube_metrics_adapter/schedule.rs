//! ScalingSchedules as planned signals.

use crate::document::yaml::Node;
use crate::import::Object;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The schedules of the files, by kind, namespace (none for those of the cluster) and name.
#[derive(Debug, Default)]
pub(super) struct Schedules<'n>(BTreeMap<(&'n str, &'n str, &'n str), &'n Node>);

/// How long the adapter approaches a value when nothing is said, in minutes.
const RAMP_MINUTES: u64 = 10;

impl<'n> Schedules<'n> {
    pub(super) fn among(objects: &[Object<'n>]) -> Self {
        let found = objects.iter().filter_map(|object| {
            let metadata = |key| object.node.get("metadata")?.get(key)?.text();
            let name = metadata("name")?;
            let key = match object.node.get("kind")?.text()? {
                kind @ "ScalingSchedule" => {
                    (kind, metadata("namespace").unwrap_or("default"), name)
                }
                kind @ "ClusterScalingSchedule" => (kind, "", name),
                _ => return None,
            };
            Some((key, object.node))
        });
        Self(found.collect())
    }

    /// The signals of a schedule, one for each time zone, and what is wrong with its windows;
    /// `None` when it is not there.
    pub(super) fn signals(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
    ) -> Option<(BTreeMap<String, Json>, Vec<String>)> {
        let namespace = if kind == "ScalingSchedule" { namespace } else { "" };
        let found = self.0.iter().find(|(key, _)| **key == (kind, namespace, name));
        let spec = found?.1.get("spec")?;
        let ramp = spec.get("scalingWindowDurationMinutes").and_then(|it| it.to_json().as_u64());
        let ramp = format!("{}m", ramp.unwrap_or(RAMP_MINUTES));
        let mut zones: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
        let mut faults = Vec::new();
        let all = spec.get("schedules").map(Node::elements).unwrap_or_default();
        for (index, schedule) in all.iter().enumerate() {
            match window(schedule) {
                Some((zone, window)) => zones.entry(zone).or_default().push(window),
                None => faults.push(format!("schedule {index} has no times that are understood")),
            }
        }
        let signals = zones.into_iter().enumerate().map(|(index, (zone, windows))| {
            let schedule = json!({"windows": windows, "timeZone": zone, "ramp": ramp});
            (format!("plan{}", index + 1), json!({"schedule": schedule}))
        });
        Some((signals.collect(), faults))
    }
}

/// One window with its time zone.
fn window(schedule: &Node) -> Option<(&str, Json)> {
    let value = schedule.get("value")?.to_json();
    let minutes = schedule.get("durationMinutes").and_then(|it| it.to_json().as_u64());
    let duration = minutes.filter(|it| *it > 0).map(|it| format!("{it}m"));
    if schedule.get("type")?.text()? == "OneTime" {
        let from = schedule.get("date")?.text()?;
        let end = schedule.get("endDate").and_then(Node::text);
        let window = match (end, duration) {
            (Some(to), _) => json!({"from": from, "to": to, "value": value}),
            (None, duration) => json!({"from": from, "duration": duration?, "value": value}),
        };
        return Some(("UTC", window));
    }
    let period = schedule.get("period")?;
    let days = days(period)?;
    let at = |key| cron(period.get(key)?.text()?, &days);
    let start = at("startTime")?;
    let window = match (at("endTime"), duration) {
        (Some(end), _) => json!({"start": start, "end": end, "value": value}),
        (None, duration) => json!({"start": start, "duration": duration?, "value": value}),
    };
    let zone = period.get("timezone").and_then(Node::text).unwrap_or("Europe/Berlin");
    Some((zone, window))
}

/// `Mon`, `Tue` … as cron has them.
fn days(period: &Node) -> Option<String> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let days = period.get("days").map(Node::elements).unwrap_or_default();
    let number = |it: &Node| DAYS.iter().position(|day| it.text() == Some(day));
    let numbers: Vec<String> =
        days.iter().map(|it| Some(number(it)?.to_string())).collect::<Option<_>>()?;
    Some(if numbers.is_empty() { "*".to_owned() } else { numbers.join(",") })
}

/// `08:30` on these days as cron says it.
fn cron(time: &str, days: &str) -> Option<String> {
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then(|| format!("{minute} {hour} * * {days}"))
}
