//! Several signals become one number for each object.

use crate::domain::finite::Finite;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use crate::policy::{Combine, Policy};
use crate::series::{Samples, Window};
use std::collections::BTreeSet;

/// The combined samples, and what went wrong on the way.
#[derive(Debug, Default, PartialEq)]
pub struct Combined {
    /// One for each object for which every signal in use has a sample.
    pub samples: Samples,
    /// The first thing that went wrong, if anything did.
    pub trouble: Option<String>,
}

/// Combines what is known about the signals of `policy`.
///
/// The time of a combined sample is that of its oldest part: a sum is as old as the number in it
/// that nobody has renewed. An object that lacks a signal is left out, since unknown is not zero.
#[must_use]
pub fn all(policy: &Policy, window: &Window) -> Combined {
    let used: BTreeSet<usize> = match &policy.combine {
        Combine::Only => BTreeSet::from([0]),
        Combine::Expression(expression) => expression.used(),
    };
    let tracks = window.signals.iter().enumerate().filter(|(idx, _)| used.contains(idx));
    let mut combined = Combined {
        trouble: tracks.clone().find_map(|(idx, track)| {
            let signal = policy.signals.get(idx)?;
            let why = track.trouble.as_ref()?;
            Some(format!("source {}: {why}", signal.source))
        }),
        ..Combined::default()
    };
    let objects: BTreeSet<&Option<ObjectName>> =
        tracks.flat_map(|(_, track)| track.samples.keys()).collect();
    for object in objects {
        match one(policy, window, &used, object) {
            Ok(sample) => {
                combined.samples.insert(object.clone(), sample);
            }
            Err(why) => {
                combined.trouble.get_or_insert(why);
            }
        }
    }
    combined
}

fn one(
    policy: &Policy,
    window: &Window,
    used: &BTreeSet<usize>,
    object: &Option<ObjectName>,
) -> Result<Sample, String> {
    let mut values = vec![Finite::ZERO; window.signals.len()];
    let mut oldest = None;
    for (idx, (track, value)) in window.signals.iter().zip(&mut values).enumerate() {
        if !used.contains(&idx) {
            continue;
        }
        let Some(sample) = track.samples.get(object) else {
            let name = policy.signals.get(idx).map_or("?", |it| it.name.as_str());
            return Err(format!("signal {name} has no sample"));
        };
        *value = sample.value;
        oldest = Some(oldest.map_or(sample.at, |at| sample.at.min(at)));
    }
    let value = match &policy.combine {
        Combine::Only => values.first().copied(),
        Combine::Expression(expression) => expression.evaluate(&values),
    };
    // Nothing that is asked for can be less than nothing: the HPA reads a negative sum as an
    // overflow and scales to the maximum.
    match (value.filter(|it| !it.is_negative()), oldest) {
        (Some(value), Some(at)) => Ok(Sample { at, value }),
        _ => Err("combine: the result is negative or not a number".to_owned()),
    }
}
