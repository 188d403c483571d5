//! From the written shape of a forecast to its settings.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::forecast::Model;
use crate::policy::forecast::{Choice, Forecast, ScaleTarget};
use crate::policy::resolve::Faults;
use crate::policy::wire::{MetricType, forecast as wire};
use std::time::Duration;

/// Settles a forecast; `Some(None)` when the policy wants none, `None` when something is wrong.
pub(super) fn resolve(
    wire: Option<&wire::Forecast>,
    metric_type: MetricType,
    path: &Path,
    faults: &mut Faults,
) -> Option<Option<Forecast>> {
    let Some(wire) = wire else { return Some(None) };
    let is_total = has_total(wire, metric_type, path, faults);
    let target = target_of(wire.scale_target.as_ref(), &path.key("scaleTarget"), faults);
    let default = (wire::Objective::default(), wire::ForecastLimits::default());
    let objective = wire.objective.as_ref().unwrap_or(&default.0);
    let bounds = wire.limits.as_ref().unwrap_or(&default.1);
    let lead = &path.key("leadTime");
    let lead_time = lead_time_of(wire.lead_time.as_deref(), lead, faults);
    let model = model_of(wire.model.unwrap_or(wire::Model::Auto));
    let quantile = quantile_of(wire, model, path, faults);
    let down = &path.key("downWindow");
    let down_window = auto_or_duration(wire.down_window.as_deref(), down, faults);
    let down_window = down_window.and_then(|it| {
        at_most(it, limits::DOWN_WINDOW_MAX, down, faults, "it would never come down in a day")
    });
    let season = season_of(wire.season.as_deref(), &path.key("season"), faults);
    let below = path.key("objective");
    let max_wait = match objective.max_wait.as_deref() {
        None => Some(limits::MAX_WAIT_DEFAULT),
        Some(text) => faults.take(below.key("maxWait"), duration::parse(text)),
    };
    let late = objective.late_percent.unwrap_or(limits::LATE_PERCENT_DEFAULT);
    let late = within(late, (0.01, 50.0), &below.key("latePercent"), faults);
    let below = path.key("limits");
    let over_history = bounds.over_history.unwrap_or(limits::OVER_HISTORY_DEFAULT);
    let over_history = within(over_history, (1.0, 100.0), &below.key("overHistory"), faults);
    let over_observed = bounds.over_observed.unwrap_or(limits::OVER_OBSERVED_DEFAULT);
    let over_observed = within(over_observed, (1.0, 1_000.0), &below.key("overObserved"), faults);
    let forecast = Forecast {
        is_shadow: wire.mode == Some(wire::ForecastMode::Shadow),
        model,
        lead_time: lead_time?,
        scale_target: target?,
        quantile: quantile?,
        down_window: down_window?,
        season: season?,
        max_wait: max_wait?,
        late_share: late? / 100.0,
        below_observed: wire.below_observed.unwrap_or(false),
        over_history: over_history?,
        over_observed: over_observed?,
    };
    is_total.then_some((wire.mode != Some(wire::ForecastMode::Off)).then_some(forecast))
}

fn model_of(model: wire::Model) -> Choice<Model> {
    Choice::Given(match model {
        wire::Model::Auto => return Choice::Auto,
        wire::Model::ResidualAnalog => Model::ResidualAnalog,
        wire::Model::Analog => Model::Analog,
        wire::Model::BlendedAnalog => Model::BlendedAnalog,
        wire::Model::Ensemble => Model::Ensemble,
        wire::Model::Profile => Model::Profile,
        wire::Model::HoltWinters => Model::HoltWinters,
        wire::Model::Linear => Model::Linear,
        wire::Model::Naive => Model::Naive,
    })
}

/// A forecast is of one number, so that pods which do not serve yet cannot be missing from it.
fn has_total(
    wire: &wire::Forecast,
    metric_type: MetricType,
    path: &Path,
    faults: &mut Faults,
) -> bool {
    let is_total = metric_type != MetricType::Pods || wire.mode == Some(wire::ForecastMode::Off);
    if !is_total {
        let fault = Fault::new(path.clone(), "a Pods metric has no forecast");
        faults.add(fault.hint("a forecast needs a total: use External or Object"));
    }
    is_total
}

fn target_of(
    wire: Option<&wire::ScaleTarget>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Option<ScaleTarget>> {
    let Some(wire) = wire else { return Some(None) };
    let name = faults.take(path.key("name"), ObjectName::new(&wire.name))?;
    Some(Some(ScaleTarget {
        api_version: wire.api_version.as_deref().unwrap_or("apps/v1").into(),
        kind: wire.kind.as_deref().unwrap_or("Deployment").into(),
        name,
    }))
}

/// The quantile: given, or from the price of a pod too few by the newsvendor's formula
/// `under / (under + over)`, or chosen by `auto`, or the usual one.
fn quantile_of(
    wire: &wire::Forecast,
    model: Choice<Model>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Choice<f64>> {
    match (wire.quantile, wire.cost_ratio) {
        (Some(_), Some(_)) => {
            let fault = Fault::new(path.key("costRatio"), "given beside `quantile`");
            faults.add(fault.hint("the one follows from the other; leave one out"));
            None
        }
        (Some(quantile), None) => {
            within(quantile, limits::QUANTILES, &path.key("quantile"), faults).map(Choice::Given)
        }
        (None, Some(ratio)) => {
            let ratio = within(ratio, (1.0, 999.0), &path.key("costRatio"), faults)?;
            Some(Choice::Given(ratio / (ratio + 1.0)))
        }
        (None, None) if model == Choice::Auto => Some(Choice::Auto),
        (None, None) => Some(Choice::Given(limits::QUANTILE_DEFAULT)),
    }
}

fn lead_time_of(text: Option<&str>, path: &Path, faults: &mut Faults) -> Option<Choice<Duration>> {
    let lead_time = auto_or_duration(text, path, faults)?;
    if matches!(lead_time, Choice::Given(it) if it < limits::LEAD_TIME_MIN) {
        let least = duration::Shown(limits::LEAD_TIME_MIN);
        let fault = Fault::new(path.clone(), format!("shorter than {least}"));
        faults.add(fault.hint("pods this fast need no forecast; leave `forecast` out"));
        return None;
    }
    at_most(lead_time, limits::LEAD_TIME_MAX, path, faults, "no forecast reaches this far")
}

fn season_of(text: Option<&str>, path: &Path, faults: &mut Faults) -> Option<Duration> {
    let Some(text) = text else { return Some(limits::SEASON_DEFAULT) };
    let season = faults.take(path.clone(), duration::parse(text))?;
    let (problem, bound) = match season {
        it if it < limits::SEASON_MIN => ("shorter", limits::SEASON_MIN),
        it if it > limits::DURATION_MAX => ("longer", limits::DURATION_MAX),
        it => return Some(it),
    };
    let fault = Fault::new(path.clone(), format!("{problem} than {}", duration::Shown(bound)));
    faults.add(fault.hint("leave it out: most work repeats after a day"));
    None
}

fn at_most(
    choice: Choice<Duration>,
    most: Duration,
    path: &Path,
    faults: &mut Faults,
    hint: &str,
) -> Option<Choice<Duration>> {
    if matches!(choice, Choice::Given(it) if it > most) {
        let problem = format!("longer than {}", duration::Shown(most));
        faults.add(Fault::new(path.clone(), problem).hint(hint));
        return None;
    }
    Some(choice)
}

fn auto_or_duration(
    text: Option<&str>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Choice<Duration>> {
    match text {
        None | Some("auto") => Some(Choice::Auto),
        Some(text) => faults.take(path.clone(), duration::parse(text)).map(Choice::Given),
    }
}

fn within(value: f64, (low, high): (f64, f64), path: &Path, faults: &mut Faults) -> Option<f64> {
    if (low..=high).contains(&value) {
        return Some(value);
    }
    let fault = Fault::new(path.clone(), format!("{value} is not within {low} and {high}"));
    faults.add(fault.hint("leave it out for the usual value"));
    None
}

#[cfg(test)]
mod tests;
