//! What is told about policies, written into the status of their objects: a change of a condition
//! at once, a new value now and then, and never more than the API server should bear.

use crate::cluster::policies::{PolicyIndex, resource};
use crate::cluster::{Client, whole};
use crate::domain::limits;
use crate::domain::policy_object::PolicyObjectId;
use crate::policy::status::report::PolicyReport;
use crate::policy::status::{ChoiceStatus, ConditionType, PolicyStatus, Reason};
use crate::policy::wire::API_VERSION;
use futures::StreamExt;
use jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::{info, warn};

/// Writes on their way at once.
const AT_ONCE: usize = 4;
/// One write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The answer of an API server about an object that is gone.
const NOT_FOUND: u16 = 404;

/// The reports to write, by object.
pub type Reports = BTreeMap<PolicyObjectId, PolicyReport>;

/// How often a status was written.
#[derive(Debug, Default)]
pub struct Writes {
    written: AtomicU64,
    failed: AtomicU64,
}

impl Writes {
    /// How many were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How many failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Writes for as long as this replica leads.
pub struct StatusWriter {
    client: Client,
    index: Arc<PolicyIndex>,
    tried: BTreeMap<PolicyObjectId, Tried>,
    writes: Arc<Writes>,
    /// Whose last write failed.
    failing: BTreeSet<PolicyObjectId>,
}

/// The last try to write a status.
#[derive(Clone, Debug)]
struct Tried {
    uid: Box<str>,
    at: Instant,
    status: PolicyStatus,
    is_written: bool,
}

/// A status to write.
#[derive(Debug)]
struct Due {
    id: PolicyObjectId,
    uid: Box<str>,
    status: PolicyStatus,
}

/// What a status said before.
#[derive(Debug)]
struct Before {
    conditions: Json,
    choice: Option<ChoiceStatus>,
}

impl Before {
    fn of(status: &PolicyStatus) -> Self {
        Self { conditions: conditions(status), choice: status.choice.clone() }
    }
}

/// How badly a status wants to be written, most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// A condition has changed, or what every replica is to do.
    Condition,
    /// Something else has, and the last write is a while ago: the longest ago first.
    Refresh(Option<Instant>),
}

impl std::fmt::Debug for StatusWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusWriter").field("writes", &self.writes).finish_non_exhaustive()
    }
}

impl StatusWriter {
    /// A writer that has written nothing.
    #[must_use]
    pub fn new(client: Client, index: Arc<PolicyIndex>) -> Self {
        let writes = Arc::default();
        Self { client, index, tried: BTreeMap::new(), writes, failing: BTreeSet::new() }
    }

    /// What it counts.
    #[must_use]
    pub fn writes(&self) -> Arc<Writes> {
        Arc::clone(&self.writes)
    }

    /// Forgets what was written: another replica may write from now on.
    pub fn forget(&mut self) {
        self.tried.clear();
        self.failing.clear();
    }

    /// Writes what wants it most, at most `limits::STATUS_WRITES_PER_ROUND`; the rest waits for the
    /// next round.
    pub async fn round(&mut self, reports: &Reports, now: Timestamp) {
        self.tried.retain(|id, _| reports.contains_key(id));
        self.failing.retain(|id| reports.contains_key(id));
        let begun = Instant::now();
        let mut due: Vec<(Urgency, Due)> = reports
            .iter()
            .filter_map(|(id, report)| {
                let tried = self.tried.get(id).filter(|it| it.uid == report.uid);
                let (conditions, choice) = self.index.said(id);
                let seen = Before { conditions, choice };
                // What was written is newer than what has come back from the API server.
                let written = tried.filter(|it| it.is_written);
                let before = written.map_or(seen, |it| Before::of(&it.status));
                let status = report.status(&before.conditions, now);
                let urgency = urgency(&status, &before, tried, begun)?;
                Some((urgency, Due { id: id.clone(), uid: report.uid.clone(), status }))
            })
            .collect();
        due.sort_by(|(a, due_a), (b, due_b)| (a, &due_a.id).cmp(&(b, &due_b.id)));
        due.truncate(limits::STATUS_WRITES_PER_ROUND);
        let writes = due.into_iter().map(|(_, due)| due.write(self.client.clone()));
        let done: Vec<_> = futures::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        for (Due { id, uid, status }, result) in done {
            let is_written = result.is_ok();
            self.note(&id, result.err());
            self.tried.insert(id, Tried { uid, at: begun, status, is_written });
        }
    }

    /// Counts, and tells the change, not the state.
    fn note(&mut self, id: &PolicyObjectId, error: Option<String>) {
        let were_failing = !self.failing.is_empty();
        match error {
            Some(error) => {
                self.writes.failed.fetch_add(1, Ordering::Relaxed);
                self.failing.insert(id.clone());
                if !were_failing {
                    warn!(policy = %id, error, "a status could not be written; it is tried again");
                }
            }
            None => {
                self.writes.written.fetch_add(1, Ordering::Relaxed);
                self.failing.remove(id);
                if were_failing && self.failing.is_empty() {
                    info!("all statuses can be written again");
                }
            }
        }
    }
}

/// `None` when there is nothing to write, or not yet.
fn urgency(
    status: &PolicyStatus,
    before: &Before,
    tried: Option<&Tried>,
    now: Instant,
) -> Option<Urgency> {
    let age = tried.map(|it| now.saturating_duration_since(it.at));
    let is_recent = age.is_some_and(|it| it < limits::STATUS_REFRESH);
    // What failed is not tried again at once, however much it has changed.
    if is_recent && tried.is_some_and(|it| !it.is_written) {
        return None;
    }
    let conditions = conditions(status);
    // A leader that has just started knows less than what is written.
    if is_warming_up(status)
        && said(&before.conditions, "observedGeneration") == said(&conditions, "observedGeneration")
    {
        return None;
    }
    if !is_same(&conditions, &before.conditions) || status.choice != before.choice {
        return Some(Urgency::Condition);
    }
    if is_recent || tried.is_some_and(|it| it.status == *status) {
        return None;
    }
    Some(Urgency::Refresh(tried.map(|it| it.at)))
}

fn is_warming_up(status: &PolicyStatus) -> bool {
    let mut ready = status.conditions.iter().filter(|it| it.condition_type == ConditionType::Ready);
    ready.any(|it| it.reason == Reason::WarmingUp)
}

/// What the condition Ready says under a key; null when there is none.
fn said<'c>(conditions: &'c Json, key: &str) -> &'c Json {
    let mut all = conditions.as_array().into_iter().flatten();
    all.find(|it| it["type"] == ConditionType::Ready.name()).map_or(&Json::Null, |it| &it[key])
}

fn conditions(status: &PolicyStatus) -> Json {
    serde_json::to_value(&status.conditions).unwrap_or_default()
}

/// Whether conditions say the same to programs. A message may differ from one evaluation to the
/// next.
fn is_same(new: &Json, before: &Json) -> bool {
    const SAID: [&str; 4] = ["type", "status", "reason", "observedGeneration"];
    let (Some(new), Some(before)) = (new.as_array(), before.as_array()) else { return false };
    new.len() == before.len()
        && new
            .iter()
            .all(|it| before.iter().any(|other| SAID.iter().all(|key| it[key] == other[key])))
}

impl Due {
    async fn write(self, client: Client) -> (Self, Result<(), String>) {
        let result = self.patch(client).await;
        (self, result)
    }

    /// A merge patch: what is not said any more is null, and goes.
    async fn patch(&self, client: Client) -> Result<(), String> {
        let Self { id, uid, status } = self;
        let resource = resource(id.kind);
        let api: Api<DynamicObject> = match &id.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace.as_str(), &resource),
            None => Api::all_with(client, &resource),
        };
        let patch = Patch::Merge(json!({
            "apiVersion": API_VERSION,
            "kind": id.kind.kind(),
            // Another object of that name is refused.
            "metadata": {"uid": &**uid},
            "status": status,
        }));
        let params =
            PatchParams { field_manager: Some("foresail".to_owned()), ..Default::default() };
        match timeout(WRITE_TIMEOUT, api.patch_status(id.name.as_str(), &params, &patch)).await {
            Ok(Ok(_)) => Ok(()),
            // It went while this was on its way; the watch will say so.
            Ok(Err(kube::Error::Api(status))) if status.code == NOT_FOUND => Ok(()),
            Ok(Err(error)) => Err(whole(&error)),
            Err(_) => Err("the API server does not answer".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::status::ConditionStatus;
    use crate::policy::status::report::{Claim, ForecastState, Learned};

    fn report(reason: Reason, value: f64) -> PolicyReport {
        let claim = Claim::new(ConditionStatus::True, reason, "why");
        PolicyReport {
            uid: "uid".into(),
            generation: 1,
            ready: claim.clone(),
            fresh: claim,
            misleading: None,
            value: crate::domain::finite::Finite::new(value),
            value_time: None,
            values: 1,
            forecast: ForecastState::NotConfigured,
            history: None,
            learned: Learned::default(),
        }
    }

    #[test]
    fn a_condition_is_written_at_once_and_a_value_now_and_then() {
        let begun = Instant::now();
        let later = |seconds| begun + Duration::from_secs(seconds);
        let now = Timestamp::UNIX_EPOCH;
        let written = report(Reason::Published, 1.0).status(&Json::Null, now);
        let before = Before::of(&written);
        let tried = |is_written| Tried {
            uid: "uid".into(),
            at: begun,
            status: written.clone(),
            is_written,
        };
        let (good, failed) = (tried(true), tried(false));
        for (what, next, tried, at, expected) in [
            (
                "never written",
                report(Reason::Published, 1.0),
                None,
                0,
                Some(Urgency::Refresh(None)),
            ),
            ("the same", report(Reason::Published, 1.0), Some(&good), 60, None),
            ("a new value, too early", report(Reason::Published, 2.0), Some(&good), 29, None),
            (
                "a new value",
                report(Reason::Published, 2.0),
                Some(&good),
                30,
                Some(Urgency::Refresh(Some(begun))),
            ),
            ("a new reason", report(Reason::Stale, 1.0), Some(&good), 1, Some(Urgency::Condition)),
            ("a new reason after a failure", report(Reason::Stale, 1.0), Some(&failed), 1, None),
            (
                "the same after a failure",
                report(Reason::Stale, 1.0),
                Some(&failed),
                30,
                Some(Urgency::Condition),
            ),
        ] {
            let status = next.status(&before.conditions, now);
            assert_eq!(urgency(&status, &before, tried, later(at)), expected, "{what}");
        }
        let choice = |model: &str| ChoiceStatus {
            model: model.to_owned(),
            quantile: "0.9".to_owned(),
            headroom: "1".to_owned(),
            down_window: "0s".to_owned(),
            chosen_at: "2026-01-01T00:00:00Z".to_owned(),
            horizon_steps: None,
        };
        let mut chosen = report(Reason::Published, 1.0);
        chosen.learned.choice = Some(choice("analog"));
        let status = chosen.status(&before.conditions, now);
        assert_eq!(
            urgency(&status, &before, Some(&good), later(1)),
            Some(Urgency::Condition),
            "what all replicas are to do"
        );
        let known = Before { choice: Some(choice("analog")), ..Before::of(&written) };
        assert_eq!(urgency(&status, &known, Some(&good), later(1)), None, "they know it");
        let edited = PolicyReport { generation: 2, ..report(Reason::WarmingUp, 1.0) };
        let edited = edited.status(&before.conditions, now);
        assert_eq!(urgency(&edited, &before, None, begun), Some(Urgency::Condition), "an edit");
        assert_eq!(
            urgency(&written, &Before { conditions: Json::Null, choice: None }, None, begun),
            Some(Urgency::Condition),
            "an object without conditions"
        );
        assert!(Urgency::Condition < Urgency::Refresh(None));
        assert!(Urgency::Refresh(None) < Urgency::Refresh(Some(begun)));
    }
}
