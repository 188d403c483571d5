//! What the controller remembers between two syncs: its recommendations and its scale events.
//!
//! It keeps both in slots. A new entry takes the place of one that has expired; other expired ones
//! stay where they are, and count for whoever looks back further: the policies of the other
//! direction, or wider windows after an edit of the spec.

use std::time::Duration;

use super::behavior::Behavior;

/// The raw recommendations of the recent past, in no order.
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

    /// Adds an entry in the place of one that is older than the window, if there is one.
    pub(super) fn log(&mut self, entry: Recommendation, window: Duration) {
        put(&mut self.0, entry, |old| entry.at.saturating_sub(old.at) > window);
    }

    /// The counts recommended at most a window ago. An entry exactly as old as the window is in.
    pub(super) fn not_older_than(
        &self,
        window: Duration,
        now: Duration,
    ) -> impl Iterator<Item = i32> + '_ {
        let young = move |entry: &&Recommendation| now.saturating_sub(entry.at) <= window;
        self.0.iter().filter(young).map(|entry| entry.replicas)
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

/// The changes the controller made. One expires when the longest policy of its own direction no
/// longer looks back to it, yet counts for the policies of the other as long as it is there.
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

/// Puts an entry in the place of the last one that is free, or behind all others.
fn put<T>(entries: &mut Vec<T>, entry: T, is_free: impl Fn(&T) -> bool) {
    match entries.iter_mut().rev().find(|entry| is_free(entry)) {
        Some(slot) => *slot = entry,
        None => entries.push(entry),
    }
}

impl ScaleEvents {
    /// Notes a change from one count to another.
    pub(super) fn remember(&mut self, behavior: &Behavior, at: Duration, from: i32, to: i32) {
        let (events, rules) = if to > from {
            (&mut self.up, &behavior.scale_up)
        } else {
            (&mut self.down, &behavior.scale_down)
        };
        // How far the policies of its direction look back.
        let longest = rules.policies.iter().map(|policy| policy.period).max().unwrap_or_default();
        let event = ScaleEvent { at, change: to.saturating_sub(from).saturating_abs() };
        put(events, event, |old| at.saturating_sub(old.at) > longest);
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
