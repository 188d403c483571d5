//! The shape of a signal that is planned.

use super::IntOrText;
use schemars::JsonSchema;
use serde::Deserialize;

/// What is planned: a value for each instant. Of windows that overlap the largest counts; outside
/// of all it is 0.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleSignal {
    /// The windows.
    pub windows: Vec<ScheduleWindow>,
    /// The time zone of cron's clock, e.g. `Europe/Berlin`; UTC when left out.
    pub time_zone: Option<String>,
    /// How long before a window its value begins to be approached, and after it to be left; 0s when
    /// left out.
    pub ramp: Option<String>,
    /// In how many steps it is approached; 10 when left out.
    pub ramp_steps: Option<u32>,
    /// How far ahead is looked, so that pods are there when a window opens: the value is the largest
    /// until then; 0s when left out.
    pub ahead: Option<String>,
}

/// A value for some time: `start` with `end` or `duration`, or `from` with `to` or `duration`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleWindow {
    /// When it begins again and again: cron with five fields, e.g. `0 8 * * 1-5`.
    pub start: Option<String>,
    /// When it ends again and again, likewise.
    pub end: Option<String>,
    /// When it begins once: a time such as `2026-12-24T08:00:00Z`.
    pub from: Option<String>,
    /// When it ends once.
    pub to: Option<String>,
    /// How long it lasts.
    pub duration: Option<String>,
    /// Its value, a quantity.
    pub value: IntOrText,
}
