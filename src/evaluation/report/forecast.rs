//! How far the forecast of a policy is, for its status.

use crate::domain::finite::Finite;
use crate::forecast::gate::{RESOLVED_MIN, Reason};
use crate::pipeline::forecast::Verdict;
use crate::pipeline::outcome::{Foreseen, Outcome};
use crate::policy::Policy;
use crate::policy::status::report::{ForecastState, Model};
use crate::published::Progress;

/// From the last evaluation, and from how far the history is read.
pub(super) fn state(
    policy: &Policy,
    outcome: Option<&Outcome>,
    history: Option<Progress>,
) -> ForecastState {
    if policy.forecast.is_none() {
        return ForecastState::NotConfigured;
    }
    let Some(outcome) = outcome else {
        return ForecastState::WarmingUp(super::NOT_YET.to_owned());
    };
    let Some(Foreseen { told, score }) = outcome.foreseen else {
        return ForecastState::NoValue(super::trouble(outcome).to_owned());
    };
    let skill = score.and_then(|it| it.skill).and_then(Finite::new);
    let model = Model { name: told.chosen.model.name().to_owned(), skill };
    let gated = |why: &str| ForecastState::Gated(model.clone(), why.to_owned());
    match told.verdict {
        Verdict::Active => ForecastState::Active(model),
        Verdict::Shadow => ForecastState::Shadow(model),
        Verdict::WarmingUp => ForecastState::WarmingUp(missing(history)),
        Verdict::Late => ForecastState::Stale(model, "the newest forecast is too old".to_owned()),
        Verdict::Gated(reason) => match reason {
            Reason::WarmingUp => {
                let resolved = score.map_or(0, |it| it.n_resolved);
                let why = format!("{resolved} of {RESOLVED_MIN} forecasts can be judged so far");
                ForecastState::WarmingUp(why)
            }
            // An open gate keeps nothing back.
            Reason::Unskilled | Reason::Skilled => gated("no better than \"no change\" of late"),
            Reason::ChangePoint => gated("the metric does not do what it did before"),
            Reason::Stale => {
                ForecastState::Stale(model, "no value has come for a while".to_owned())
            }
        },
    }
}

/// What there is not enough of.
fn missing(history: Option<Progress>) -> String {
    match history {
        Some(progress @ Progress { chunks_done, chunks_total }) if !progress.is_done() => {
            format!("the past is being read: {chunks_done} of {chunks_total} chunks")
        }
        _ => "there is too little history: a model needs a season and some of the next".to_owned(),
    }
}
