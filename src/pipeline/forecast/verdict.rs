//! From the newest forecast to the value that is published, and why it is that one.

use crate::domain::finite::Finite;
use crate::forecast::Model;
use crate::forecast::gate;
use crate::forecast::past::single;
use crate::pipeline::forecast::{Chosen, STALE_STEPS, Stage};
use crate::policy::forecast::Forecast;
use crate::series::history::History;
use jiff::Timestamp;
use std::time::Duration;

/// What became of the forecast at one evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// What goes on to the guard.
    pub value: Finite,
    /// How it was to be made.
    pub chosen: Chosen,
    /// The forecast with its rise and headroom, before it was bounded; `None` when there is none.
    pub forecast: Option<f64>,
    /// What the forecast was raised by, because the observed value rose since it was made: to be
    /// shown, so half the size will do.
    pub rise: f32,
    /// Whether it was used, and why not.
    pub verdict: Verdict,
    /// What decided the value in the end.
    pub bound: Bound,
}

/// Whether the forecast was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It was.
    Active,
    /// The policy only wants it shown.
    Shadow,
    /// There is too little history for the model, or a hole where it looks.
    WarmingUp,
    /// The newest forecast is too old.
    Late,
    /// It has not earned its place; why, as its gate says.
    Gated(gate::Reason),
}

impl Verdict {
    /// Its name, as status and metrics spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Shadow => "Shadow",
            Self::WarmingUp => "WarmingUp",
            Self::Late => "Late",
            Self::Gated(reason) => reason.name(),
        }
    }
}

/// What decided the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// The observed value: no forecast was used, or it was lower.
    Observed,
    /// The forecast.
    Forecast,
    /// `limits.overHistory` cut the forecast.
    OverHistory,
    /// `limits.overObserved` cut the forecast.
    OverObserved,
    /// The down window held an earlier value.
    DownWindow,
}

impl Bound {
    /// Its name, as explain and metrics spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Forecast => "forecast",
            Self::OverHistory => "overHistory",
            Self::OverObserved => "overObserved",
            Self::DownWindow => "downWindow",
        }
    }
}

impl Stage {
    /// The value to publish for the observed one.
    #[must_use]
    pub fn tell(
        &self,
        settings: &Forecast,
        history: &History,
        observed: Finite,
        now: Timestamp,
    ) -> Told {
        let chosen = self.choice.settled(settings);
        let rise = self.rise(settings, &chosen, history, observed);
        let (forecast, verdict) = self.newest(settings, &chosen, history, (observed, rise), now);
        let caps = Caps { settings, highest: self.highest };
        let (mut value, mut bound) = match (forecast, verdict) {
            (Some(forecast), Verdict::Active) => {
                let (value, bound) = caps.cut(forecast, observed.get());
                let is_below = value <= observed.get() && !settings.below_observed;
                if is_below { (observed.get(), Bound::Observed) } else { (value, bound) }
            }
            _ => (observed.get(), Bound::Observed),
        };
        if !settings.is_shadow
            && let Some(held) = self.held(&chosen, &caps, history, now)
            && held > value
        {
            (value, bound) = (held, Bound::DownWindow);
        }
        let value = Finite::new(value).unwrap_or(observed);
        Told { value, chosen, forecast, rise: single(rise), verdict, bound }
    }

    fn newest(
        &self,
        settings: &Forecast,
        chosen: &Chosen,
        history: &History,
        (observed, rise): (Finite, f64),
        now: Timestamp,
    ) -> (Option<f64>, Verdict) {
        let active = if settings.is_shadow { Verdict::Shadow } else { Verdict::Active };
        if chosen.model == Model::Naive {
            return (Some(observed.get() * chosen.headroom), active);
        }
        let Some(answer) = &self.answer else { return (None, Verdict::WarmingUp) };
        let Some(peak) = &answer.peak else { return (None, Verdict::WarmingUp) };
        let forecast = Some((peak.quantile(chosen.quantile) + rise) * chosen.headroom);
        let is_late = history.last_complete(now).is_none_or(|it| it - answer.at > STALE_STEPS);
        match answer.verdict.is_open {
            _ if is_late => (forecast, Verdict::Late),
            false => (forecast, Verdict::Gated(answer.verdict.reason)),
            true => (forecast, active),
        }
    }

    /// By how much the observed value rose since the newest forecast was made.
    fn rise(
        &self,
        settings: &Forecast,
        chosen: &Chosen,
        history: &History,
        observed: Finite,
    ) -> f64 {
        // Who publishes forecasts below the observed value trusts them more than one sample.
        if chosen.model == Model::Naive || settings.below_observed {
            return 0.0;
        }
        let made = self.answer.as_ref().filter(|it| it.peak.is_some());
        let known = made.and_then(|it| history.values(it.at, it.at + 1).next());
        // At the history's precision, or rounding would look like a rise.
        let observed = f64::from(History::kept(observed.get()));
        known.map_or(0.0, |known| rise(f64::from(known), observed))
    }

    /// The largest value of the down window: of each of its steps what was observed, and what was
    /// forecast where that was used.
    fn held(
        &self,
        chosen: &Chosen,
        caps: &Caps<'_>,
        history: &History,
        now: Timestamp,
    ) -> Option<f64> {
        let steps = steps(chosen.down_window, history.step());
        let newest = history.last_complete(now).filter(|_| steps > 0)?;
        let mut held: Option<f64> = None;
        for at in (newest - steps + 1..=newest).rev() {
            let Some(value) = history.values(at, at + 1).next().map(f64::from) else { continue };
            if value.is_nan() {
                continue;
            }
            let usable = match chosen.model {
                Model::Naive => Some(value),
                _ => self.lately.usable(at),
            };
            let forecast = usable.map(|it| caps.cut(it * chosen.headroom, value).0);
            for value in [Some(value), forecast].into_iter().flatten() {
                held = Some(held.map_or(value, |held| if value > held { value } else { held }));
            }
        }
        held
    }
}

/// What a forecast that was made when `known` was the newest value is raised by once the observed
/// value is `observed`: all of the rise, for what rose within a minute has not gone again when a
/// pod is ready. Found by simulation: half of it costs more, and so does lowering forecasts likewise.
#[must_use]
pub fn rise(known: f64, observed: f64) -> f64 {
    if observed > known { observed - known } else { 0.0 }
}

/// What a forecast may not exceed.
struct Caps<'a> {
    settings: &'a Forecast,
    highest: f64,
}

impl Caps<'_> {
    /// Cuts a forecast, and says what cut it.
    fn cut(&self, forecast: f64, observed: f64) -> (f64, Bound) {
        let history = self.settings.over_history * self.highest;
        // A metric that rests at nothing would never be allowed to rise: a part of the history's
        // largest value counts as observed.
        let base = self.highest * OBSERVED_LEAST;
        let observed = if observed > base { observed } else { base };
        let observed = self.settings.over_observed * observed;
        if self.highest > 0.0 && forecast > history && history <= observed {
            (history, Bound::OverHistory)
        } else if forecast > observed {
            (observed, Bound::OverObserved)
        } else {
            (forecast, Bound::Forecast)
        }
    }
}

/// The share of the history's largest value below which `limits.overObserved` counts from this
/// share: a forecast of a morning's rise starts from a night's nothing.
const OBSERVED_LEAST: f64 = 0.2;

/// How many steps a window is.
fn steps(window: Duration, step: Duration) -> i64 {
    i64::try_from(window.as_nanos().div_ceil(step.as_nanos().max(1))).unwrap_or(i64::MAX)
}
