//! What is known about one policy at a moment, and how it is told in the status of its object.

use super::StartupStatus;
use super::{CapacityStatus, ChoiceStatus, HistoryStatus, ModelStatus, PolicyStatus};
use super::{Condition, ConditionStatus, ConditionType, HPAS_MAX, MESSAGE_CHARS_MAX, Reason};
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::quantity;
use crate::domain::supply::{LeadTime, LearnedCapacity};
use jiff::Timestamp;
use serde_json::Value as Json;

/// What is known about one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyReport {
    /// Tells its object from another one of that name.
    pub uid: Box<str>,
    /// The state of the object that this is about.
    pub generation: i64,
    /// Whether the newest spec is in use and a value is served.
    pub ready: Claim,
    /// Whether what is served is not older than `maxAge`.
    pub fresh: Claim,
    /// What of the newest spec may mislead, although it is not wrong.
    pub misleading: Option<Claim>,
    /// What is served, of a policy that publishes one value.
    pub value: Option<Finite>,
    /// The time of the oldest sample behind what is served.
    pub value_time: Option<Timestamp>,
    /// How many values are served.
    pub values: usize,
    /// How far its forecast is.
    pub forecast: ForecastState,
    /// How far the history for the forecast is read; `None` without one.
    pub history: Option<HistoryStatus>,
    /// What was found out beside the value.
    pub learned: Learned,
}

/// What one condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

/// What is found out about a policy beside its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// How far its forecast looks ahead; `None` without one.
    pub lead_time: Option<LeadTime>,
    /// What `auto` chose, where it did.
    pub choice: Option<ChoiceStatus>,
    /// What one pod serves, as it was learned; `None` while it was not.
    pub capacity: Option<LearnedCapacity>,
    /// The HPAs that ask for the metric, as `namespace/name`.
    pub hpas: Option<Vec<String>>,
}

/// How far the forecast of a policy is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ForecastState {
    /// It asks for none.
    #[default]
    NotConfigured,
    /// There is not enough history yet; how far it is, for people.
    WarmingUp(String),
    /// It is computed and shown, and what was observed is served.
    Shadow(Model),
    /// It does not beat "no change" at present, so what was observed is served; why, for people.
    Gated(Model, String),
    /// There is none of late, so what was observed is served; why, for people.
    Stale(Model, String),
    /// There is no value to forecast from; why, for people.
    NoValue(String),
    /// It is served.
    Active(Model),
}

/// A forecast model in use.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Which one.
    pub name: String,
    /// The share of "no change"'s loss that it saved on this metric; negative when it lost more.
    pub skill: Option<Finite>,
}

impl Claim {
    /// A claim.
    #[must_use]
    pub fn new(status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }
}

impl PolicyReport {
    /// The status to write at `now`. A condition whose status is that of `before` (the object's
    /// conditions as they were seen last) keeps its transition time.
    #[must_use]
    pub fn status(&self, before: &Json, now: Timestamp) -> PolicyStatus {
        let Learned { lead_time, choice, capacity, hpas } = &self.learned;
        let forecast = &self.forecast;
        let conditions = [
            (ConditionType::Ready, self.ready.clone()),
            (ConditionType::Fresh, self.fresh.clone()),
            (ConditionType::ForecastActive, forecast.claim()),
        ];
        let misleading = self.misleading.clone().map(|it| (ConditionType::Misleading, it));
        let conditions = conditions.into_iter().chain(misleading).map(|(condition_type, claim)| {
            let Claim { status, reason, message } = claim;
            let since = transition(before, condition_type, status);
            Condition {
                condition_type,
                status,
                observed_generation: self.generation,
                last_transition_time: since.unwrap_or_else(|| shown(now)),
                reason,
                message: message.chars().take(MESSAGE_CHARS_MAX).collect(),
            }
        });
        let hpas = hpas.as_ref().map(|all| all.iter().take(HPAS_MAX).cloned().collect());
        PolicyStatus {
            observed_generation: Some(self.generation),
            conditions: conditions.collect(),
            last_value: self.value.map(quantity::to_text),
            last_value_time: self.value_time.map(shown),
            values: Some(u32::try_from(self.values).unwrap_or(u32::MAX)),
            model: forecast.model().map(|model| ModelStatus {
                name: model.name.clone(),
                skill: model.skill.map(|it| format!("{:.2}", it.get())),
            }),
            history: self.history,
            choice: choice.clone(),
            lead_time: lead_time.map(|it| duration::Shown(it.total()).to_string()),
            startup: lead_time.map(|it| StartupStatus::of(&it.startup)),
            capacity: capacity.as_ref().map(CapacityStatus::of),
            hpas,
        }
    }
}

impl ForecastState {
    /// The model in use, where there is one.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        match self {
            Self::NotConfigured | Self::WarmingUp(_) | Self::NoValue(_) => None,
            Self::Shadow(model)
            | Self::Gated(model, _)
            | Self::Stale(model, _)
            | Self::Active(model) => Some(model),
        }
    }

    fn claim(&self) -> Claim {
        use ConditionStatus::{False, True};
        match self {
            Self::NotConfigured => {
                Claim::new(False, Reason::NotConfigured, "the policy asks for no forecast")
            }
            Self::WarmingUp(why) => Claim::new(False, Reason::WarmingUp, why),
            Self::Shadow(Model { name, .. }) => {
                Claim::new(False, Reason::Shadow, format!("{name} is computed and not served"))
            }
            Self::Gated(_, why) => Claim::new(False, Reason::Gated, why),
            Self::Stale(_, why) => Claim::new(False, Reason::Stale, why),
            Self::NoValue(why) => Claim::new(False, Reason::SourceFailing, why),
            Self::Active(Model { name, .. }) => {
                Claim::new(True, Reason::Published, format!("{name} is served"))
            }
        }
    }
}

/// Since when a condition has had this status.
fn transition(before: &Json, about: ConditionType, status: ConditionStatus) -> Option<String> {
    let is_it = |it: &&Json| it["type"] == about.name() && it["status"] == status.name();
    let same = before.as_array()?.iter().find(is_it)?;
    same["lastTransitionTime"].as_str().map(str::to_owned)
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::supply::{Basis, Startup};
    use serde_json::json;
    use std::time::Duration;

    fn lead_time() -> LeadTime {
        let [time, data_age, sync] = [150, 75, 15].map(Duration::from_secs);
        let basis = Basis::Measured { starts: 7, is_cold: true };
        LeadTime { startup: Startup { time, basis }, data_age, sync }
    }

    fn choice() -> ChoiceStatus {
        ChoiceStatus {
            model: "analog".to_owned(),
            quantile: "0.95".to_owned(),
            headroom: "1.1".to_owned(),
            down_window: "15m".to_owned(),
            chosen_at: "2026-01-01T00:00:00Z".to_owned(),
            horizon_steps: Some(7),
        }
    }

    fn report(forecast: ForecastState) -> PolicyReport {
        let published = Claim::new(ConditionStatus::True, Reason::Published, "published");
        PolicyReport {
            uid: "uid".into(),
            generation: 3,
            ready: published.clone(),
            fresh: published,
            misleading: None,
            value: Finite::new(12.5),
            value_time: Timestamp::from_second(60).ok(),
            values: 1,
            forecast,
            history: Some(HistoryStatus { chunks_done: 3, chunks_total: 16 }),
            learned: Learned {
                lead_time: Some(lead_time()),
                choice: Some(choice()),
                capacity: Some(LearnedCapacity { per_pod: Finite::new(7.25).unwrap(), samples: 9 }),
                hpas: Some(vec!["inference/llama".to_owned()]),
            },
        }
    }

    #[test]
    fn a_report_is_told_in_the_shape_of_the_status() {
        let model = Model { name: "analog".to_owned(), skill: Finite::new(0.123) };
        let before = json!([
            {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:00:07Z"},
            {"type": "Fresh", "status": "False", "lastTransitionTime": "1970-01-01T00:00:08Z"},
        ]);
        let now = Timestamp::from_millisecond(90_500).unwrap();
        let status = report(ForecastState::Active(model)).status(&before, now);
        let condition = |about: &str, message: &str, since: &str| {
            json!({"type": about, "status": "True", "reason": "Published", "message": message,
                "observedGeneration": 3, "lastTransitionTime": since})
        };
        let expected = json!({
            "observedGeneration": 3,
            "conditions": [
                condition("Ready", "published", "1970-01-01T00:00:07Z"),
                condition("Fresh", "published", "1970-01-01T00:01:30Z"),
                condition("ForecastActive", "analog is served", "1970-01-01T00:01:30Z"),
            ],
            "lastValue": "12500m",
            "lastValueTime": "1970-01-01T00:01:00Z",
            "values": 1,
            "model": {"name": "analog", "skill": "0.12"},
            "history": {"chunksDone": 3, "chunksTotal": 16},
            "choice": {"model": "analog", "quantile": "0.95", "headroom": "1.1",
                "downWindow": "15m", "chosenAt": "2026-01-01T00:00:00Z", "horizonSteps": 7},
            "leadTime": "4m",
            "startup": {"time": "2m30s", "basis": "Measured", "starts": 7, "isCold": true},
            "capacity": {"perPod": "7.25", "samples": 9},
            "hpas": ["inference/llama"],
        });
        assert_eq!(serde_json::to_value(status).unwrap(), expected);
    }

    #[test]
    fn a_forecast_that_is_not_served_says_why() {
        let model = Model { name: "analog".to_owned(), skill: None };
        for (state, reason, has_model) in [
            (ForecastState::NotConfigured, Reason::NotConfigured, false),
            (ForecastState::WarmingUp("2h of 1d".to_owned()), Reason::WarmingUp, false),
            (ForecastState::Shadow(model.clone()), Reason::Shadow, true),
            (ForecastState::Gated(model.clone(), "lost".to_owned()), Reason::Gated, true),
            (ForecastState::Stale(model, "late".to_owned()), Reason::Stale, true),
            (ForecastState::NoValue("away".to_owned()), Reason::SourceFailing, false),
        ] {
            let status = report(state).status(&Json::Null, Timestamp::UNIX_EPOCH);
            let active = &status.conditions[2];
            assert_eq!((active.status, active.reason), (ConditionStatus::False, reason));
            assert_eq!(status.model.is_some(), has_model);
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let mut report = report(ForecastState::NotConfigured);
        report.ready.message = "ä".repeat(MESSAGE_CHARS_MAX + 1);
        let status = report.status(&Json::Null, Timestamp::UNIX_EPOCH);
        assert_eq!(status.conditions[0].message.chars().count(), MESSAGE_CHARS_MAX);
    }
}
