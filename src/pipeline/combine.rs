//! Several signals become one number for each object.

use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::pipeline::facts::Facts;
use crate::policy::Combine;
use crate::policy::expression::{Expression, Used};
use crate::series::{Samples, Taken};
use std::collections::BTreeSet;

/// The combined samples, and what went wrong on the way.
#[derive(Debug, Default, PartialEq)]
pub struct Combined {
    /// One for each object for which every signal in use has a sample.
    pub samples: Samples,
    /// When the oldest part of each was taken, where that is known to be earlier.
    pub taken: Taken,
    /// The first thing that went wrong, if anything did.
    pub trouble: Option<String>,
}

impl Combined {
    /// The sample of an object with the time of its oldest part.
    #[must_use]
    pub fn dated(&self, object: &Option<ObjectName>) -> Option<Sample> {
        let sample = self.samples.get(object)?;
        Some(Sample { at: self.taken.get(object).map_or(sample.at, |it| *it), ..*sample })
    }
}

/// Combines what is known about the signals of a policy.
///
/// The time of a combined sample is that of its oldest part: a sum is as old as the number in it
/// that nobody has renewed. An object that lacks a signal is left out, since unknown is not zero.
#[must_use]
pub fn all(facts: &Facts<'_>) -> Combined {
    let only = Used { signals: BTreeSet::from([0]), ..Used::default() };
    let (used, expression) = match &facts.policy.combine {
        Combine::Only => (&only, None),
        Combine::Expression(expression) => (expression.used(), Some(expression)),
    };
    let tracks = facts.window.signals.iter().enumerate();
    let tracks = tracks.filter(|(idx, _)| used.signals.contains(idx));
    let mut combined = Combined {
        trouble: tracks.clone().find_map(|(idx, track)| {
            let signal = facts.policy.signals.get(idx)?;
            let why = track.trouble.as_ref()?;
            Some(format!("source {}: {why}", signal.source))
        }),
        ..Combined::default()
    };
    let objects: BTreeSet<&Option<ObjectName>> =
        tracks.flat_map(|(_, track)| track.samples.keys()).collect();
    for object in objects {
        match one(facts, used, expression, object) {
            Ok(sample) => {
                combined.samples.insert(object.clone(), sample);
                if let Some(taken) = facts.taken(used, object).filter(|it| *it < sample.at) {
                    combined.taken.insert(object.clone(), taken);
                }
            }
            Err(why) => {
                combined.trouble.get_or_insert(why);
            }
        }
    }
    combined
}

fn one(
    facts: &Facts<'_>,
    used: &Used,
    expression: Option<&Expression>,
    object: &Option<ObjectName>,
) -> Result<Sample, String> {
    let (inputs, at) = facts.inputs(used, object)?;
    let value = match expression {
        None => inputs.signals.first().copied(),
        Some(expression) => expression.evaluate(&inputs),
    };
    // Nothing that is asked for can be less than nothing: the HPA reads a negative sum as an
    // overflow and scales to the maximum.
    match value.filter(|it| !it.is_negative()) {
        Some(value) => Ok(Sample { at, value }),
        None => Err("combine: the result is negative or not a number".to_owned()),
    }
}
