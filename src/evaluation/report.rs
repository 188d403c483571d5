//! What the status of a policy's object says: from what became of the object and from what is
//! published.

mod forecast;

use crate::pipeline::outcome::{Outcome, Standing, Value};
use crate::policy::Policy;
use crate::policy::resolve::objects::{Cause, Refused, Verdict, on_one_line};
use crate::policy::resolve::warnings::{About, Warning};
use crate::policy::status::report::{Claim, Learned, PolicyReport};
use crate::policy::status::{ConditionStatus, HistoryStatus, Reason};
use crate::published::{Entry, Snapshot, State};
use jiff::Timestamp;

/// The report about one object at `now`; `learned` is what others found out about its policy.
#[must_use]
pub fn report(
    verdict: &Verdict,
    snapshot: &Snapshot,
    learned: Learned,
    now: Timestamp,
) -> PolicyReport {
    let running = verdict.running.as_deref();
    let entry = running.and_then(|it| entry(it, snapshot));
    let outcome = entry.and_then(|it| match &it.state {
        State::Evaluated(outcome) => Some(outcome),
        State::Waiting | State::Broken(_) => None,
    });
    let history = entry.and_then(|it| it.history);
    let forecast = running.map(|it| forecast::state(it, outcome, history)).unwrap_or_default();
    let history = history.map(|it| HistoryStatus {
        chunks_done: u32::try_from(it.chunks_done).unwrap_or(u32::MAX),
        chunks_total: u32::try_from(it.chunks_total).unwrap_or(u32::MAX),
    });
    let served: Vec<&Value> = outcome
        .iter()
        .flat_map(|it| &it.values)
        .map(|(_, value)| value)
        .filter(|it| now <= it.serve_until)
        .collect();
    let ready = match (&verdict.refused, &verdict.running) {
        (Some(refused), running) => claim_refused(refused, running.is_some()),
        (None, None) => Claim::new(ConditionStatus::Unknown, Reason::WarmingUp, NOT_YET),
        (None, Some(policy)) => claim_ready(policy, outcome, &served),
    };
    PolicyReport {
        uid: verdict.uid.clone(),
        generation: verdict.generation,
        fresh: claim_fresh(&ready, outcome, &served),
        ready,
        misleading: claim_misleading(&verdict.warnings),
        value: match served.as_slice() {
            [only] => Some(only.value),
            _ => None,
        },
        value_time: served.iter().map(|it| it.at).min(),
        values: served.len(),
        forecast,
        history,
        learned,
    }
}

const NOT_YET: &str = "not evaluated yet";

fn entry<'s>(policy: &Policy, snapshot: &'s Snapshot) -> Option<&'s Entry> {
    let entries = snapshot.find(&policy.metric_key());
    entries.iter().map(AsRef::as_ref).find(|it| it.policy == policy.key)
}

fn claim_refused(refused: &Refused, is_kept: bool) -> Claim {
    let reason = match refused.cause {
        Cause::Query => Reason::InvalidQuery,
        Cause::Spec => Reason::InvalidSpec,
        Cause::Conflict => Reason::Conflict,
        Cause::TooMany => Reason::TooManyPolicies,
    };
    let kept = if is_kept { "; the last good spec stays in use" } else { "" };
    Claim::new(ConditionStatus::False, reason, format!("{}{kept}", refused.message))
}

/// The reason is that of the first, the message tells all.
fn claim_misleading(warnings: &[Warning]) -> Option<Claim> {
    let reason = match warnings.first()?.about {
        About::BusyGpu => Reason::GpuUtilization,
        About::FullGpu => Reason::GpuMemory,
        About::Mean => Reason::MeanNotTotal,
    };
    let message = on_one_line(warnings.iter().map(|it| &it.fault));
    Some(Claim::new(ConditionStatus::True, reason, message))
}

fn claim_ready(policy: &Policy, outcome: Option<&Outcome>, served: &[&Value]) -> Claim {
    let Some(outcome) = outcome else {
        return Claim::new(ConditionStatus::Unknown, Reason::WarmingUp, NOT_YET);
    };
    if served.is_empty() {
        let why = trouble(outcome);
        return Claim::new(ConditionStatus::False, Reason::SourceFailing, why);
    }
    let message = format!("published as {}", policy.metric_key());
    Claim::new(ConditionStatus::True, Reason::Published, message)
}

fn claim_fresh(ready: &Claim, outcome: Option<&Outcome>, served: &[&Value]) -> Claim {
    let Some(outcome) = outcome.filter(|_| !served.is_empty()) else {
        // Nothing is served, for the reason that was told.
        return ready.clone();
    };
    if served.iter().any(|it| it.standing == Standing::Fresh) {
        return Claim::new(ConditionStatus::True, Reason::Published, "newer than maxAge");
    }
    Claim::new(ConditionStatus::False, Reason::Stale, trouble(outcome))
}

/// Why nothing newer came, without its age, which would be another one each time.
fn trouble(outcome: &Outcome) -> &str {
    outcome.absent.as_ref().map_or("evaluation is late", |it| it.why.as_str())
}

#[cfg(test)]
mod tests;
