//! What the HPA controller read and wrote, sync by sync, from kube-apiserver's audit log.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use super::NAMESPACE;

/// One reconciliation of one HPA.
#[derive(Debug)]
pub(super) struct Sync {
    /// When the controller had the target's scale.
    pub(super) began: Timestamp,
    pub(super) spec_replicas: i32,
    pub(super) status_replicas: i32,
    /// The audit ids of the requests for metrics.
    pub(super) asked: Vec<String>,
    /// The count that it wrote to the target.
    pub(super) written: Option<i32>,
    /// The status that it wrote to the HPA.
    pub(super) shown: Option<Shown>,
    /// Whether that was refused, because the HPA that the controller knew was older than its own last
    /// write: its store lagged behind.
    pub(super) outdated: bool,
    /// When its first write arrived: by then it was done with its arithmetic.
    pub(super) computed: Option<Timestamp>,
    /// When its last write arrived: by then it had noted what it did.
    pub(super) wrote: Option<Timestamp>,
}

/// What the HPA's status says.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) current_replicas: i32,
    pub(super) desired_replicas: i32,
    /// The reason of the condition ScalingLimited.
    pub(super) limited: Option<String>,
}

/// One request.
struct Event {
    at: Timestamp,
    done: Timestamp,
    id: String,
    hpa: String,
    what: What,
    ok: bool,
    body: Value,
}

enum What {
    GetScale,
    GetMetric,
    PutScale,
    PutStatus,
}

/// All syncs in the log that were over at this time, by HPA.
pub(super) fn syncs(log: &Path, until: Timestamp) -> BTreeMap<String, Vec<Sync>> {
    let text = std::fs::read_to_string(log).unwrap();
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut events: Vec<Event> = whole.lines().filter_map(event).collect();
    events.retain(|event| event.at < until);
    events.sort_by_key(|event| event.at);
    let mut syncs = BTreeMap::<String, Vec<Sync>>::new();
    // After a conflict the controller reads the scale again within the same sync.
    let mut conflicts = BTreeMap::<String, bool>::new();
    for Event { at, done, id, hpa, what, ok, body } in events {
        let of_hpa = syncs.entry(hpa.clone()).or_default();
        let conflict = conflicts.entry(hpa).or_default();
        if let What::GetScale = what {
            if !*conflict && ok {
                of_hpa.push(Sync::new(done, &body));
            }
            continue;
        }
        let Some(sync) = of_hpa.last_mut() else { continue };
        if matches!(what, What::PutScale | What::PutStatus) {
            sync.computed = sync.computed.or(Some(at));
            sync.wrote = Some(at);
        }
        match what {
            What::GetScale => {}
            What::GetMetric => sync.asked.push(id),
            What::PutScale => {
                *conflict = !ok;
                if ok {
                    sync.written = Some(count(&body["spec"]["replicas"]));
                }
            }
            What::PutStatus => {
                sync.shown = ok.then(|| Shown::new(&body["status"]));
                sync.outdated = !ok;
            }
        }
    }
    // The last one of each may not be complete.
    for of_hpa in syncs.values_mut() {
        of_hpa.pop();
    }
    syncs
}

impl Sync {
    fn new(began: Timestamp, scale: &Value) -> Self {
        Self {
            began,
            spec_replicas: count(&scale["spec"]["replicas"]),
            status_replicas: count(&scale["status"]["replicas"]),
            asked: Vec::new(),
            written: None,
            shown: None,
            outdated: false,
            computed: None,
            wrote: None,
        }
    }
}

impl Shown {
    fn new(status: &Value) -> Self {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let limited = conditions
            .filter(|condition| condition["type"] == "ScalingLimited")
            .find_map(|condition| condition["reason"].as_str());
        Self {
            current_replicas: count(&status["currentReplicas"]),
            desired_replicas: count(&status["desiredReplicas"]),
            limited: limited.map(str::to_owned),
        }
    }
}

/// A request about one of our HPAs, if the line is about one.
fn event(line: &str) -> Option<Event> {
    let event: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let uri = text(&event["requestURI"]);
    let path = uri.split('?').next()?;
    let object = &event["objectRef"];
    if object["namespace"] != NAMESPACE {
        return None;
    }
    let (hpa, what) = if path.contains(".metrics.k8s.io/") {
        let (hpa, _) = path.rsplit('/').next()?.rsplit_once("-m")?;
        (hpa.to_owned(), What::GetMetric)
    } else {
        let what = match (text(&event["verb"]).as_str(), text(&object["subresource"]).as_str()) {
            ("get", "scale") => What::GetScale,
            ("update", "scale") => What::PutScale,
            ("update", "status") => What::PutStatus,
            _ => return None,
        };
        (text(&object["name"]), what)
    };
    let body = match what {
        What::GetScale => &event["responseObject"],
        What::GetMetric | What::PutScale | What::PutStatus => &event["requestObject"],
    };
    let time = |key: &str| text(&event[key]).parse().unwrap();
    Some(Event {
        at: time("requestReceivedTimestamp"),
        done: time("stageTimestamp"),
        id: text(&event["auditID"]),
        hpa,
        what,
        ok: event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300),
        body: body.clone(),
    })
}

/// A replica count; zero is left out of the JSON.
fn count(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap_or(0)).unwrap()
}
