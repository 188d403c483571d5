//! What the expressions of a policy are evaluated for: its signals, the rates of its counters, and
//! the pods of its scale target.

mod rates;

pub use rates::Rates;

use crate::domain::finite::Finite;
use crate::domain::name::ObjectName;
use crate::domain::supply::Supply;
use crate::pipeline::Surroundings;
use crate::policy::Policy;
use crate::policy::expression::{Inputs, Used};
use crate::series::Window;
use jiff::Timestamp;

/// What is known at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Whose signals these are.
    pub policy: &'a Policy,
    /// The signals.
    pub window: &'a Window,
    /// The rates of its counters.
    pub rates: &'a Rates,
    /// `None` while it is not known which pods there are.
    pub pods: Option<Pods>,
}

/// The pods of a policy's scale target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pods {
    /// Those that serve.
    pub ready: u32,
    /// Those on their way.
    pub starting: u32,
    /// What the HPA counts, also those in trouble; `None` where several targets have each their own.
    pub replicas: Option<u32>,
}

impl Pods {
    /// The pods, once those of every target are known: a part of them would read as too few.
    #[must_use]
    pub fn known(policy: &Policy, surroundings: &Surroundings) -> Option<Self> {
        let supply: &Supply = surroundings.supply.as_deref()?;
        let is_named = policy.forecast.as_ref().is_some_and(|it| it.scale_target.is_some());
        let mut users = supply.hpas.iter().flat_map(|it| it.iter());
        let is_whole =
            is_named || users.all(|hpa| supply.targets.iter().any(|it| it.target == hpa.scales));
        if supply.targets.is_empty() || !is_whole {
            return None;
        }
        let (ready, starting) = (supply.n_ready(), supply.n_starting());
        let troubled: usize = supply.targets.iter().map(|it| it.n_troubled).sum();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let all = count(ready.saturating_add(starting).saturating_add(troubled));
        let replicas = (supply.targets.len() == 1).then_some(all);
        Some(Self { ready: count(ready), starting: count(starting), replicas })
    }
}

impl Facts<'_> {
    /// What an expression that uses so much is evaluated for, and the time of its oldest part.
    ///
    /// # Errors
    /// What is not known, in words: unknown is not zero.
    pub fn inputs(
        &self,
        used: &Used,
        object: &Option<ObjectName>,
    ) -> Result<(Inputs, Timestamp), String> {
        let n_signals = self.window.signals.len();
        let mut inputs = Inputs { signals: vec![Finite::ZERO; n_signals], ..Inputs::default() };
        let mut oldest = None;
        for idx in &used.signals {
            let track = self.window.signals.get(*idx);
            let sample = track.and_then(|it| it.samples.get(object));
            let (Some(sample), Some(value)) = (sample, inputs.signals.get_mut(*idx)) else {
                return Err(format!("signal {} has no sample", self.name(*idx)));
            };
            *value = sample.value;
            oldest = Some(oldest.map_or(sample.at, |at| sample.at.min(at)));
        }
        if !used.counters.is_empty() {
            inputs.per_second.resize(n_signals, Finite::ZERO);
        }
        for idx in &used.counters {
            let rate = self.rates.of(*idx, object);
            let (Some(rate), Some(value)) = (rate, inputs.per_second.get_mut(*idx)) else {
                return Err(format!("perSecond({}) needs a second sample", self.name(*idx)));
            };
            *value = rate;
        }
        if used.pods {
            let Pods { ready, starting, replicas: _ } = self.pods.ok_or(
                "the pods of the scale target are not known, so readyPods and startingPods have \
                 no value",
            )?;
            inputs.ready_pods = whole(ready);
            inputs.starting_pods = whole(starting);
        }
        Ok((inputs, oldest.ok_or("no signal is used")?))
    }

    /// When the oldest part of the signals that are used was taken; `None` where one has no sample.
    #[must_use]
    pub fn taken(&self, used: &Used, object: &Option<ObjectName>) -> Option<Timestamp> {
        let tracks = used.signals.iter().map(|idx| self.window.signals.get(*idx));
        let taken: Option<Vec<Timestamp>> = tracks.map(|it| it?.taken(object)).collect();
        taken?.into_iter().min()
    }

    fn name(&self, signal: usize) -> &str {
        self.policy.signals.get(signal).map_or("?", |it| it.name.as_str())
    }
}

/// A count as a number.
pub(super) fn whole(count: u32) -> Finite {
    Finite::new(f64::from(count)).unwrap_or(Finite::ZERO)
}
