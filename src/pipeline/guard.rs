//! What may be published: freshness first, then bounds.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::sample::Sample;
use crate::pipeline::outcome::{Standing, Value};
use crate::policy::Guard;
use jiff::Timestamp;

/// Whether a value of this time may still be served at `now`: `hold` past `maxAge`.
#[must_use]
pub fn is_servable(guard: &Guard, at: Timestamp, now: Timestamp) -> bool {
    now <= serve_until(guard, at)
}

/// The value to publish for a sample that is still servable; its time is that of its oldest part.
#[must_use]
pub fn apply(guard: &Guard, sample: Sample, now: Timestamp) -> Value {
    let fresh_until = sample.at.checked_add(guard.max_age).unwrap_or(Timestamp::MAX);
    let is_fresh = now <= fresh_until;
    let raised = guard.min.map_or(sample.value, |min| sample.value.max(min));
    let most = Finite::new(limits::VALUE_MAX).unwrap_or(Finite::ZERO);
    let value = raised.min(guard.max.unwrap_or(most)).min(most);
    Value {
        value,
        at: sample.at,
        serve_until: serve_until(guard, sample.at),
        standing: if is_fresh { Standing::Fresh } else { Standing::Held },
    }
}

fn serve_until(guard: &Guard, at: Timestamp) -> Timestamp {
    at.checked_add(guard.lifetime()).unwrap_or(Timestamp::MAX)
}
