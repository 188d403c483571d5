//! What `auto` chose for a policy, as it is told in a status and read from there again.

use crate::domain::duration;
use crate::domain::limits;
use crate::forecast::Model;
use crate::pipeline::forecast::Chosen;
use crate::policy::status::ChoiceStatus;
use jiff::Timestamp;

/// What was chosen, and from what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DatedChoice {
    /// What was chosen.
    pub chosen: Chosen,
    /// The instant up to which the history was looked at.
    pub at: Timestamp,
    /// How many steps ahead the forecast looked; `None` when it was not told.
    pub horizon_steps: Option<u32>,
}

/// Why a choice in a status cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be the {what} of a choice")]
pub struct BadChoice {
    what: &'static str,
    text: String,
}

/// The headrooms that anybody chose, with room for later versions.
const HEADROOMS: (f64, f64) = (0.01, 100.0);

impl DatedChoice {
    /// As the status tells it.
    #[must_use]
    pub fn told(&self) -> ChoiceStatus {
        let Self { chosen, at, horizon_steps } = self;
        let Chosen { model, quantile, headroom, down_window } = chosen;
        ChoiceStatus {
            model: model.name().to_owned(),
            quantile: quantile.to_string(),
            headroom: headroom.to_string(),
            down_window: duration::Shown(*down_window).to_string(),
            chosen_at: at.to_string(),
            horizon_steps: *horizon_steps,
        }
    }

    /// Reads what a status tells.
    ///
    /// # Errors
    /// `BadChoice` when it is none that `told` would have written.
    pub fn read(told: &ChoiceStatus) -> Result<Self, BadChoice> {
        let bad = |what, text: &str| BadChoice { what, text: text.chars().take(40).collect() };
        let within = |what, text: &str, (least, most): (f64, f64)| {
            let number = text.parse().ok().filter(|it| *it >= least && *it <= most);
            number.ok_or_else(|| bad(what, text))
        };
        let ChoiceStatus { model, quantile, headroom, down_window, chosen_at, horizon_steps } =
            told;
        let named = Model::ALL.into_iter().find(|it| it.name() == *model);
        let window = duration::parse(down_window).ok();
        let chosen = Chosen {
            model: named.ok_or_else(|| bad("model", model))?,
            quantile: within("quantile", quantile, limits::QUANTILES)?,
            headroom: within("headroom", headroom, HEADROOMS)?,
            down_window: window
                .filter(|it| *it <= limits::DOWN_WINDOW_MAX)
                .ok_or_else(|| bad("down window", down_window))?,
        };
        let at = chosen_at.parse().map_err(|_| bad("time", chosen_at))?;
        Ok(Self { chosen, at, horizon_steps: *horizon_steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn what_one_replica_tells_another_reads_to_the_last_bit(
            model in 0..Model::ALL.len(),
            quantile in 0.5f64..0.999,
            headroom in 0.01f64..10.0,
            window in 0u64..86_400_000,
            nanos in 0i64..2_000_000_000_000_000_000,
        ) {
            let chosen = Chosen {
                model: Model::ALL[model],
                quantile,
                headroom,
                down_window: Duration::from_millis(window),
            };
            let at = Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            let choice = DatedChoice { chosen, at, horizon_steps: Some(7) };
            prop_assert_eq!(DatedChoice::read(&choice.told()), Ok(choice));
        }
    }

    #[test]
    fn what_nobody_would_have_chosen_is_refused() {
        let good = DatedChoice {
            chosen: Chosen::default(),
            at: Timestamp::UNIX_EPOCH,
            horizon_steps: None,
        };
        let good = good.told();
        assert!(DatedChoice::read(&good).is_ok());
        let refused = |told: ChoiceStatus| DatedChoice::read(&told).unwrap_err().to_string();
        for (said, told) in [
            (
                "`x` cannot be the model of a choice",
                ChoiceStatus { model: "x".into(), ..good.clone() },
            ),
            (
                "`NaN` cannot be the quantile",
                ChoiceStatus { quantile: "NaN".into(), ..good.clone() },
            ),
            ("`1` cannot be the quantile", ChoiceStatus { quantile: "1".into(), ..good.clone() }),
            ("`-1` cannot be the headroom", ChoiceStatus { headroom: "-1".into(), ..good.clone() }),
            (
                "`inf` cannot be the headroom",
                ChoiceStatus { headroom: "inf".into(), ..good.clone() },
            ),
            (
                "`25h` cannot be the down window",
                ChoiceStatus { down_window: "25h".into(), ..good.clone() },
            ),
            ("`now` cannot be the time", ChoiceStatus { chosen_at: "now".into(), ..good.clone() }),
        ] {
            let refused = refused(told);
            assert!(refused.starts_with(said), "{refused}");
        }
    }
}
