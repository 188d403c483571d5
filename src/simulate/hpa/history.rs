//! What the controller remembers between two syncs: its recommendations and its scale events.

use std::time::Duration;

use super::behavior::Behavior;

/// The raw recommendations of the recent past, newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recommendations(Vec<Recommendation>);

/// What the metrics asked for at one sync, before any stabilisation or limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recommendation {
    /// When, counted from the start of the run.
    pub at: Duration,
    /// The replica count.
    pub replicas: i32,
}

impl Recommendations {
    /// A log with these entries.
    #[must_use]
    pub fn of(entries: Vec<Recommendation>) -> Self {
        Self(entries)
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Recommendation] {
        &self.0
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, at: Duration, replicas: i32) {
        self.0.push(Recommendation { at, replicas });
    }

    /// Drops entries older than the window. The controller keeps them in slots that it reuses one by
    /// one; since a window only moves forward, an expired entry never counts again either way.
    pub(super) fn drop_older_than(&mut self, window: Duration, now: Duration) {
        self.0.retain(|entry| now.saturating_sub(entry.at) <= window);
    }

    /// The counts recommended less than a window ago. An entry exactly as old as the window is out.
    pub(super) fn younger_than(
        &self,
        window: Duration,
        now: Duration,
    ) -> impl Iterator<Item = i32> + '_ {
        let young = move |entry: &&Recommendation| now.saturating_sub(entry.at) < window;
        self.0.iter().filter(young).map(|entry| entry.replicas)
    }
}

/// The changes the controller made, kept as long as the longest policy of their direction looks back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScaleEvents {
    /// Pods added.
    pub up: Vec<ScaleEvent>,
    /// Pods removed.
    pub down: Vec<ScaleEvent>,
}

/// One change of the replica count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScaleEvent {
    /// When, counted from the start of the run.
    pub at: Duration,
    /// By how many pods; positive in both directions.
    pub change: i32,
}

impl ScaleEvents {
    /// Adds a change, and drops those of its direction that no policy looks back to any more.
    pub(super) fn remember(&mut self, behavior: &Behavior, now: Duration, from: i32, to: i32) {
        let (events, rules) = if to > from {
            (&mut self.up, &behavior.scale_up)
        } else {
            (&mut self.down, &behavior.scale_down)
        };
        let longest = rules.policies.iter().map(|policy| policy.period).max().unwrap_or_default();
        events.retain(|event| now.saturating_sub(event.at) <= longest);
        events.push(ScaleEvent { at: now, change: to.saturating_sub(from).saturating_abs() });
    }

    /// How many replicas there were a period ago: the current ones less those added since, plus
    /// those removed since. Events strictly younger than the period count.
    pub(super) fn replicas_before(&self, period: Duration, current: i32, now: Duration) -> i32 {
        let sum = |events: &[ScaleEvent]| {
            let young = events.iter().filter(|event| now.saturating_sub(event.at) < period);
            young.fold(0_i32, |sum, event| sum.saturating_add(event.change))
        };
        current.saturating_sub(sum(&self.up)).saturating_add(sum(&self.down))
    }
}
