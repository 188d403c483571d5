//! Random metric histories: what a metric should say at each of its syncs.

use foresail::simulate::hpa::HpaSpec;
use foresail::simulate::random::Random;

use super::{draw, pick};

/// How many syncs a history is long; more than any run lasts.
const LENGTH: usize = 200;

/// What a metric should say at one sync.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wish {
    /// A demand that so many replicas would serve on target.
    Demand(f64),
    /// The end of the band of tolerance, give or take a milli unit: up or down, and how far off.
    Edge { up: bool, off_milli: i64 },
    /// Nothing but this error's status.
    Refused(u16),
    /// A list without items.
    Empty,
}

/// A history for an HPA: one shape after the other.
pub(super) fn wishes(spec: &HpaSpec, random: &mut Random) -> Vec<Wish> {
    let mut wishes = Vec::with_capacity(LENGTH);
    // Above the maximum and below the minimum, too.
    let top = f64::from(spec.max_replicas) * 1.4;
    while wishes.len() < LENGTH {
        let length = usize::try_from(draw(random, 3, 10)).unwrap();
        let (from, to) = (top * random.uniform(), top * random.uniform());
        let shape = draw(random, 0, 9);
        for step in 0..length {
            let part = step as f64 / length as f64;
            wishes.push(match shape {
                0..=2 => Wish::Demand(from),
                3 | 4 => Wish::Demand(from + (to - from) * part),
                // A burst, and a spike.
                5 => Wish::Demand(if step % 3 == 0 { to } else { from }),
                6 => Wish::Demand(if step == length / 2 { top } else { from / 2.0 }),
                7 => Wish::Demand(0.0),
                8 => fault(random).unwrap_or(Wish::Demand(from)),
                _ => Wish::Edge {
                    up: draw(random, 0, 1) == 0,
                    off_milli: i64::from(draw(random, -1, 1)),
                },
            });
        }
    }
    wishes
}

/// Half of the time an answer without a value.
fn fault(random: &mut Random) -> Option<Wish> {
    let faults = [Wish::Refused(404), Wish::Refused(500), Wish::Empty];
    (draw(random, 0, 1) == 0).then(|| *pick(random, &faults))
}
