//! The forecast's part of a trace, as a person reads it.

use super::{Text, age, number};
use crate::domain::duration::Shown;
use crate::domain::supply::{Basis, LeadTime};
use crate::forecast::{Model, gate};
use crate::pipeline::forecast::{Bound, Chosen, Told, Verdict};
use crate::pipeline::trace::{BAND, Foreseen, Made, Peak};
use crate::policy::Policy;
use crate::policy::forecast::Choice;
use jiff::Timestamp;

/// The forecast, how it was to be made, what its gate says, and what decided in the end.
pub(super) fn lines(text: &mut Text, policy: &Policy, foreseen: &Foreseen, now: Timestamp) {
    let Foreseen { told, lead_time, made } = foreseen;
    let Told { value, chosen, forecast, rise, verdict, bound } = told;
    text.stage("lead time", shown_lead_time(lead_time));
    text.stage("chosen", shown_choice(policy, chosen));
    let no_change = (chosen.model == Model::Naive).then_some(*forecast).flatten();
    match (made, no_change) {
        (_, Some(forecast)) => {
            let (forecast, headroom) = (number(forecast), number(chosen.headroom));
            text.stage("forecast", format_args!("{forecast}: no change, times {headroom}"));
        }
        (None, None) => text.stage("forecast", "none yet: there is too little history"),
        (Some(made), None) => {
            shown_forecast(text, made, (*forecast, *rise), now);
            text.stage("gate", shown_gate(&made.verdict));
        }
    }
    text.stage("decided", format_args!("{}: {}", number(value.get()), reason(*verdict, *bound)));
}

fn shown_lead_time(lead_time: &LeadTime) -> String {
    let LeadTime { startup, data_age, sync } = lead_time;
    let basis = match startup.basis {
        Basis::Given => "as the policy says".to_owned(),
        Basis::Assumed => "assumed, no start was seen yet".to_owned(),
        Basis::Measured { starts, is_cold: false } => format!("measured over {starts} starts"),
        Basis::Measured { starts, is_cold: true } => {
            format!("measured over the cold ones of {starts} starts")
        }
    };
    let total = Shown(lead_time.total());
    let (startup, data_age, sync) = (Shown(startup.time), Shown(*data_age), Shown(*sync));
    format!(
        "{total} = {startup} for a pod to start ({basis}) + {data_age} age of the data at most + {sync} HPA sync"
    )
}

fn shown_choice(policy: &Policy, chosen: &Chosen) -> String {
    let Chosen { model, quantile, headroom, down_window } = chosen;
    let of = |is_auto: bool| if is_auto { " (auto)" } else { "" };
    let settings = policy.forecast.as_ref();
    let is_auto =
        |auto: fn(&crate::policy::forecast::Forecast) -> bool| of(settings.is_some_and(auto));
    let (by_model, by_quantile, by_window) = (
        is_auto(|it| it.model == Choice::Auto),
        is_auto(|it| it.quantile == Choice::Auto),
        is_auto(|it| it.down_window == Choice::Auto),
    );
    let (model, window) = (model.name(), Shown(*down_window));
    let (quantile, headroom) = (number(*quantile), number(*headroom));
    format!(
        "model {model}{by_model}, quantile {quantile}{by_quantile}, headroom {headroom}, \
         down window {window}{by_window}"
    )
}

fn shown_forecast(
    text: &mut Text,
    made: &Made,
    (forecast, rise): (Option<f64>, f32),
    now: Timestamp,
) {
    let Made { at, horizon, peak, .. } = made;
    let (horizon, age) = (Shown(*horizon), age(*at, now));
    let Some(peak) = peak else {
        let line = "none: too little history, or a hole where the model looks";
        return text.stage("forecast", line);
    };
    let value = forecast.map_or_else(|| "unknown".to_owned(), number);
    text.stage("forecast", format_args!("{value}: the peak of the next {horizon}, seen {age} ago"));
    if rise > 0.0 {
        text.more(format_args!(
            "raised by {}: what came since it was made",
            number(f64::from(rise))
        ));
    }
    let Peak { model, point, n_similar, weights, band } = peak;
    let basis = match model {
        Model::ResidualAnalog | Model::Analog | Model::BlendedAnalog => "similar moments",
        Model::Ensemble | Model::Profile | Model::HoltWinters | Model::Linear | Model::Naive => {
            "earlier errors"
        }
    };
    let (model, point) = (model.name(), number(*point));
    text.more(match n_similar {
        0 => format!("{model}: most likely {point}"),
        n => format!("{model}: most likely {point}, by {n} {basis}"),
    });
    let band: Vec<String> = BAND
        .iter()
        .zip(band)
        .map(|(share, value)| format!("{} below {}", percent(*share), number(*value)))
        .collect();
    text.more(format_args!("of such peaks {}", band.join(", ")));
    if !weights.is_empty() {
        let votes: Vec<String> =
            weights.iter().map(|(name, it)| format!("{name} {}", percent(*it))).collect();
        text.more(format_args!("votes: {}", votes.join(", ")));
    }
}

fn shown_gate(verdict: &gate::Verdict) -> String {
    let gate::Verdict { is_open, reason, skill, coverage, n_resolved } = verdict;
    let state = if *is_open { "open" } else { "closed" };
    let why = match reason {
        gate::Reason::Skilled => "better than no change",
        gate::Reason::WarmingUp => "too few forecasts were resolved",
        gate::Reason::Unskilled => "not better than no change",
        gate::Reason::ChangePoint => "errors became one-sided a short while ago",
        gate::Reason::Stale => "no value has come for a while",
    };
    let name = reason.name();
    let score = match (skill, coverage) {
        (Some(skill), Some(coverage)) => format!(
            "; over {n_resolved} forecasts: skill {}, coverage {}",
            percent(*skill),
            percent(*coverage)
        ),
        _ => String::new(),
    };
    format!("{state}, {name}: {why}{score}")
}

/// Why the value is what it is, in a sentence.
fn reason(verdict: Verdict, bound: Bound) -> String {
    let decided = match bound {
        Bound::Observed => "the observed value",
        Bound::Forecast => "the forecast",
        Bound::OverHistory => "the forecast, cut by limits.overHistory",
        Bound::OverObserved => "the forecast, cut by limits.overObserved",
        Bound::DownWindow => "the largest value of the down window",
    };
    let why = match (verdict, bound) {
        (Verdict::Active, Bound::Observed) => "; the forecast is not above it",
        (Verdict::Active, _) => "",
        (Verdict::Shadow, _) => "; mode Shadow only shows the forecast",
        (Verdict::WarmingUp, _) => "; there is no forecast yet",
        (Verdict::Late, _) => "; the newest forecast is too old",
        (Verdict::Gated(_), _) => "; the forecast's gate is closed",
    };
    format!("{decided}{why}")
}

fn percent(share: f64) -> String {
    let percent = format!("{:.1}", share * 100.0);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}
