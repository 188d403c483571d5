//! How far the tick is with one policy.

use crate::pipeline::outcome::{Outcome, Standing};
use crate::policy::Policy;
use jiff::Timestamp;

/// One policy's place in the tick.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn {
    /// The instant for which it was read last.
    last: Option<Timestamp>,
    is_reading: bool,
    /// What was logged last.
    told: Option<Told>,
}

/// What there is to tell about a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Fresh,
    Held,
    Absent,
}

impl Turn {
    /// Begins to read for the instant `at`, unless that was done or a read is under way. Any other
    /// instant will do, not only a later one: the clock may have been set back.
    pub(super) fn begin(&mut self, at: Timestamp) -> bool {
        let is_due = !self.is_reading && self.last != Some(at);
        if is_due {
            self.last = Some(at);
            self.is_reading = true;
        }
        is_due
    }

    /// The read is over.
    pub(super) fn end(&mut self) {
        self.is_reading = false;
    }

    /// Whether a first read is over.
    pub(super) fn was_taken(&self) -> bool {
        self.last.is_some() && !self.is_reading
    }

    /// One line when a policy begins to have fresh values, when they begin to be held, and when
    /// there are none any more; not one for each new wording of the cause.
    pub(super) fn tell(&mut self, policy: &Policy, outcome: &Outcome, now: Timestamp) {
        let is_fresh = outcome.values.iter().any(|(_, it)| it.standing == Standing::Fresh);
        let state = match (is_fresh, outcome.values.is_empty()) {
            (true, _) => Told::Fresh,
            (false, false) => Told::Held,
            (false, true) => Told::Absent,
        };
        if self.told == Some(state) {
            return;
        }
        self.told = Some(state);
        let policy = &policy.key;
        let why = outcome.absent.as_ref().map(|it| it.shown(now)).unwrap_or_default();
        match state {
            Told::Fresh => tracing::info!(%policy, "publishing values"),
            Told::Held => tracing::warn!(%policy, why, "holding the last good values"),
            Told::Absent => tracing::warn!(%policy, why, "no value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_instant_is_read_once_and_never_two_at_a_time() {
        let mut turn = Turn::default();
        assert!(!turn.was_taken());
        assert!(turn.begin(at(15)));
        assert!(!turn.begin(at(30)), "still reading");
        turn.end();
        assert!(turn.was_taken());
        assert!(!turn.begin(at(15)), "read already");
        assert!(turn.begin(at(30)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_reads() {
        let mut turn = Turn::default();
        assert!(turn.begin(at(3_600)));
        turn.end();
        assert!(turn.begin(at(15)));
    }
}
