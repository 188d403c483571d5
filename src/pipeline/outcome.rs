//! What one evaluation came to.

use crate::domain::duration::shown_age;
use crate::domain::finite::Finite;
use crate::domain::name::ObjectName;
use crate::domain::supply::LearnedCapacity;
use crate::forecast::gate;
use crate::pipeline::capacity::PodCapacity;
use crate::pipeline::forecast::Told;
use jiff::Timestamp;
use std::time::Duration;

/// The values to publish, or why there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// One for each object, sorted; the only one of a metric without objects has none.
    pub values: Vec<(Option<ObjectName>, Value)>,
    /// Why there is no value, or why no newer one came while older ones are served: they may come
    /// to their end before the next evaluation, and then this is what is said.
    pub absent: Option<Absence>,
    /// How many objects were forgotten because there were too many.
    pub evicted: usize,
    /// What one pod serves, where that is known.
    pub pod_capacity: Option<PodCapacity>,
    /// What this replica learned of that by itself.
    pub learned_here: Option<LearnedCapacity>,
    /// What the forecast made of the value; `None` where nothing is forecast, or there is no value.
    pub foreseen: Option<Foreseen>,
}

/// What became of a policy's forecast at one evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foreseen {
    /// What was published, and why.
    pub told: Told,
    /// The score of the newest forecast; `None` while there is none.
    pub score: Option<gate::Verdict>,
}

/// One value to publish.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The value.
    pub value: Finite,
    /// When it was true: the time of the oldest sample that it was made from.
    pub at: Timestamp,
    /// Past this instant it must not be served, whoever holds it.
    pub serve_until: Timestamp,
    /// How far it can be trusted.
    pub standing: Standing,
}

/// How far a value can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its oldest part is younger than the policy's `maxAge`.
    Fresh,
    /// Nothing newer came; it is kept for the policy's `hold`.
    Held,
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// When the last sample was true; `None` if there never was one.
    pub last: Option<Timestamp>,
    /// What went wrong, e.g. `source default: connection refused`.
    pub why: String,
}

impl Absence {
    /// For a person: `no sample for 3m10s: source default: connection refused`.
    #[must_use]
    pub fn shown(&self, now: Timestamp) -> String {
        match self.last {
            Some(last) => {
                let age = Duration::try_from(now.duration_since(last)).unwrap_or_default();
                format!("no sample for {}: {}", shown_age(age), self.why)
            }
            None => format!("no sample yet: {}", self.why),
        }
    }
}
