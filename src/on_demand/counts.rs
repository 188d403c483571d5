//! What a rule has done since it is in use, counted for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one rule; whoever serves its answers counts, too.
#[derive(Debug, Default)]
pub struct Counts {
    list_failures: AtomicU64,
    queries: AtomicU64,
    query_failures: AtomicU64,
    served: AtomicU64,
    awaited: AtomicU64,
}

impl Counts {
    /// Its series were looked for in vain.
    pub(super) fn note_list_failure(&self) {
        add(&self.list_failures);
    }

    /// A query came back, with numbers or without.
    pub(super) fn note_query(&self, is_good: bool) {
        add(if is_good { &self.queries } else { &self.query_failures });
    }

    /// A request found its answer there.
    pub(super) fn note_served(&self) {
        add(&self.served);
    }

    /// A request waited for its answer.
    pub(super) fn note_awaited(&self) {
        add(&self.awaited);
    }

    /// Looks at its series that failed.
    #[must_use]
    pub fn list_failures(&self) -> u64 {
        self.list_failures.load(Ordering::Relaxed)
    }

    /// Queries that brought numbers.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Queries that brought none.
    #[must_use]
    pub fn query_failures(&self) -> u64 {
        self.query_failures.load(Ordering::Relaxed)
    }

    /// Requests whose answer was there already.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Requests that waited for their answer.
    #[must_use]
    pub fn awaited(&self) -> u64 {
        self.awaited.load(Ordering::Relaxed)
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
