//! From what the pods say to the answer: one number for each, or one for all, and what it is worth
//! when some of them say nothing.

use crate::domain::duration::Shown;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::policy::partial::OnPartial;
use crate::policy::pods::{Across, Lately, PodReduce, PodValue, PodsAsk};
use crate::policy::profile::Described;
use crate::series::Samples;
use crate::source::ReadError;
use crate::source::pods::quantile::Buckets;
use crate::source::pods::reading::{Observed, PodReading, Reading, Said, Silence, reduced};

/// What the pods answer together.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// One number, or one for each pod.
    pub samples: Samples,
    /// What is missing in it, for a person; `None` when nothing is.
    pub note: Option<String>,
    /// Of which series it was made, where a profile left that to the pages.
    pub used: Option<String>,
    /// Which engine was told, where none was named.
    pub told: Option<String>,
}

/// What the pods say, and how many they are.
#[derive(Debug)]
pub(super) struct Heard {
    /// Of each pod that was asked.
    pub(super) readings: Vec<PodReading>,
    /// How many pods there are, asked or not.
    pub(super) n_pods: usize,
}

/// How many pods a number is made of, and how many it should be made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) n_good: usize,
    pub(super) n_all: usize,
}

/// Folds what was heard; `last` is the last answer, which a partial one is measured by.
pub(super) fn fold(
    ask: &PodsAsk,
    heard: &Heard,
    last: &mut Option<Finite>,
) -> Result<Answer, ReadError> {
    let good: Vec<(&ObjectName, &Reading)> =
        heard.readings.iter().filter_map(|(pod, it)| Some((pod, it.as_ref().ok()?))).collect();
    let Some(at) = good.iter().map(|(_, it)| it.at).min() else {
        return Err(ReadError::Empty(heard.silence(ask).unwrap_or_else(|| NO_POD.to_owned())));
    };
    let said = || good.iter().map(|(_, it)| &it.said);
    let (value, on_partial) = match ask.across {
        Across::Each => return each(ask, heard, &good),
        Across::One(reduce, on_partial) => {
            let numbers = said().map(|it| number(ask, it));
            let numbers = numbers.collect::<Result<Vec<Finite>, ReadError>>()?;
            let reduced = reduced(reduce, &numbers).ok_or_else(no_number)?;
            (heard.scaled(reduce, on_partial, numbers.len(), reduced)?, on_partial)
        }
        Across::Pooled(on_partial) => {
            let observed = said().filter_map(|it| match it {
                Said::Observed(observed) => Some(observed),
                Said::Number(_) => None,
            });
            (pooled(ask, observed)?, on_partial)
        }
    };
    let note = heard.note(ask);
    match heard.silence(ask) {
        None => {}
        Some(silence) => {
            let part = Part { n_good: good.len(), n_all: heard.readings.len() };
            judge(on_partial, value, *last, part, silence)?;
        }
    }
    *last = Some(value);
    let used = used_by(ask, &good);
    let samples = Samples::from([(None, Sample { at, value })]);
    Ok(Answer { samples, note, used, told: None })
}

const NO_POD: &str = "no ready pod matches the selector";

/// No pod could be asked.
pub(super) fn no_pod() -> ReadError {
    ReadError::Empty(NO_POD.to_owned())
}

fn no_number() -> ReadError {
    ReadError::Empty("what the pods say makes no number".to_owned())
}

/// One number for each pod that says one. The HPA knows what to make of pods without.
fn each(
    ask: &PodsAsk,
    heard: &Heard,
    good: &[(&ObjectName, &Reading)],
) -> Result<Answer, ReadError> {
    let mut samples = Samples::new();
    let mut trouble = None;
    for (pod, reading) in good {
        match number(ask, &reading.said) {
            Ok(value) => {
                samples.insert(Some((*pod).clone()), Sample { at: reading.at, value });
            }
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    match (samples.is_empty(), trouble) {
        (true, trouble) => Err(trouble.unwrap_or_else(no_number)),
        (false, _) => {
            Ok(Answer { samples, note: heard.note(ask), used: used_by(ask, good), told: None })
        }
    }
}

/// Which candidates of a profile told the number, and of how many pods where they differ.
fn used_by(ask: &PodsAsk, good: &[(&ObjectName, &Reading)]) -> Option<String> {
    let count = |part: usize, candidate: usize| {
        good.iter().filter(|(_, it)| it.used.get(part) == Some(&candidate)).count()
    };
    ask.profile.as_ref().map(|it| used(it, "pod", &count))
}

/// The same of anything that is counted by part and candidate.
pub(super) fn used(
    described: &Described,
    what: &str,
    count: &dyn Fn(usize, usize) -> usize,
) -> String {
    let parts = described.parts.iter().enumerate().map(|(place, candidates)| {
        let used = candidates.iter().enumerate().map(|(index, it)| (it, count(place, index)));
        let used: Vec<(&String, usize)> = used.filter(|(_, count)| *count > 0).collect();
        match used.as_slice() {
            [(only, _)] => (*only).clone(),
            several => {
                let several = several.iter().map(|(it, count)| {
                    let plural = if *count == 1 { "" } else { "s" };
                    format!("{it} ({count} {what}{plural})")
                });
                several.collect::<Vec<_>>().join(" and ")
            }
        }
    });
    parts.collect::<Vec<_>>().join(" + ")
}

/// The number of one pod.
fn number(ask: &PodsAsk, said: &Said) -> Result<Finite, ReadError> {
    match said {
        Said::Number(number) => Ok(*number),
        Said::Observed(observed) => pooled(ask, std::iter::once(observed)),
    }
}

/// The mean or the quantile of what was observed, if that was enough.
fn pooled<'o>(
    ask: &PodsAsk,
    observed: impl Iterator<Item = &'o Observed>,
) -> Result<Finite, ReadError> {
    let mut histograms = Vec::new();
    let mut mean = (0.0, 0.0);
    for one in observed {
        match one {
            Observed::Mean { sum, count } => mean = (mean.0 + sum, mean.1 + count),
            Observed::Buckets(buckets) => histograms.push(buckets.clone()),
        }
    }
    let (value, count, lately) = match ask.value {
        PodValue::Quantile(at, lately) => {
            let all = Buckets::pooled(&histograms);
            (all.quantile(at), all.total(), lately)
        }
        PodValue::Mean(lately) => (Finite::new(mean.0 / mean.1), mean.1, lately),
        PodValue::Gauge | PodValue::Rate(_) => return Err(no_number()),
    };
    let Lately { window, least } = lately;
    if count < f64::from(least) {
        let problem = format!("{count} observations within {}, fewer than {least}", Shown(window));
        return Err(ReadError::Empty(problem));
    }
    value.ok_or_else(no_number)
}

/// Whether a number without the silent pods may be used.
pub(super) fn judge(
    on_partial: OnPartial,
    value: Finite,
    last: Option<Finite>,
    Part { n_good, n_all }: Part,
    silence: String,
) -> Result<(), ReadError> {
    #[expect(clippy::cast_precision_loss, reason = "there are fewer pods than 2^52")]
    let share = n_good as f64 / n_all as f64;
    let why_not = match on_partial {
        OnPartial::Use if share >= limits::pods::ANSWERED_MIN_SHARE => return Ok(()),
        OnPartial::Use => "which is more than half".to_owned(),
        OnPartial::ScaleUpOnly | OnPartial::Refuse => match on_partial.judge(value, last) {
            Ok(()) => return Ok(()),
            Err(why_not) => why_not,
        },
    };
    Err(ReadError::Empty(format!("{silence}; {why_not}")))
}

impl Heard {
    /// A number over a part of the pods, as it stands for all of them: only a sum grows with them.
    /// Pods that were not asked, since there are too many, are as those that were. Those that were
    /// asked and say nothing count as little as possible, nothing, where the number may only raise
    /// the last one; where it is used whatever it is, as much as the others.
    fn scaled(
        &self,
        reduce: PodReduce,
        on_partial: OnPartial,
        n_good: usize,
        value: Finite,
    ) -> Result<Finite, ReadError> {
        let n_asked = match on_partial {
            OnPartial::Use => n_good,
            OnPartial::ScaleUpOnly | OnPartial::Refuse => self.readings.len(),
        };
        if reduce != PodReduce::Sum || n_asked == self.n_pods {
            return Ok(value);
        }
        #[expect(clippy::cast_precision_loss, reason = "there are fewer pods than 2^52")]
        let share = self.n_pods as f64 / n_asked as f64;
        Finite::new(value.get() * share).ok_or_else(no_number)
    }

    /// What is missing: `2 of 10 pods say nothing: llama-3: connection refused`.
    fn silence(&self, ask: &PodsAsk) -> Option<String> {
        // A pod that was just read for the first time has observed nothing that could be missing.
        let pools = matches!(ask.across, Across::Pooled(_));
        let is_missing = |it: &Silence| match it {
            Silence::Failed(_) => true,
            Silence::New => !pools,
            Silence::Idle => false,
        };
        let silent = self.readings.iter().filter_map(|(pod, it)| Some((pod, it.as_ref().err()?)));
        let silent: Vec<(&ObjectName, &Silence)> = silent.filter(|it| is_missing(it.1)).collect();
        if silent.is_empty() && self.readings.iter().all(|(_, it)| it.is_err()) {
            // All of them are new, or some have nothing to tell.
            let (_, last) = self.readings.last()?;
            return Some(if *last == Err(Silence::Idle) { IDLE } else { NEW }.to_owned());
        }
        // Of several reasons one that is a failure says more than a pod that is new.
        let failed = silent.iter().find(|(_, it)| **it != Silence::New);
        let (pod, silence) = failed.or_else(|| silent.first())?;
        let (n_silent, n_asked) = (silent.len(), self.readings.len());
        let why = match silence {
            Silence::Failed(error) => error.to_string(),
            Silence::New => NEW.to_owned(),
            Silence::Idle => IDLE.to_owned(),
        };
        Some(format!("{n_silent} of {n_asked} pods say nothing: {pod}: {why}"))
    }

    /// What a used answer lacks.
    fn note(&self, ask: &PodsAsk) -> Option<String> {
        let n_asked = self.readings.len();
        let sampled =
            (n_asked < self.n_pods).then(|| format!("{n_asked} of {} pods asked", self.n_pods));
        let parts: Vec<String> = sampled.into_iter().chain(self.silence(ask)).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

const NEW: &str = "a counter needs a second scrape";
const IDLE: &str = "nothing was done lately of which a mean could be told";

#[cfg(test)]
mod tests;
