//! What reading the pages of pods counts, for whoever shows it.

use crate::source::Reason;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Counts {
    good: AtomicU64,
    failed: [AtomicU64; REASONS.len()],
    bytes: AtomicU64,
    left_out: AtomicU64,
    used_in_part: AtomicU64,
}

/// Every reason, in the order of the counters.
const REASONS: [Reason; 6] = [
    Reason::Unreachable,
    Reason::TimedOut,
    Reason::Refused,
    Reason::TooLarge,
    Reason::NotUnderstood,
    Reason::Empty,
];

impl Counts {
    /// Pages fetched, by result.
    pub fn fetches(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let failed = REASONS.iter().zip(&self.failed);
        let failed = failed.map(|(reason, count)| (reason.label(), count.load(Ordering::Relaxed)));
        std::iter::once(("ok", self.good.load(Ordering::Relaxed))).chain(failed)
    }

    /// Bytes of pages that arrived.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Pods that were not asked because there were more than one signal asks.
    #[must_use]
    pub fn n_left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Numbers used although pods were not asked or said nothing.
    #[must_use]
    pub fn n_used_in_part(&self) -> u64 {
        self.used_in_part.load(Ordering::Relaxed)
    }

    pub(super) fn fetched(&self, bytes: usize, failed: Option<Reason>) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let place = failed.and_then(|it| REASONS.iter().position(|reason| *reason == it));
        let counter = place.and_then(|it| self.failed.get(it)).unwrap_or(&self.good);
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn left_out(&self, pods: usize) {
        self.left_out.fetch_add(u64::try_from(pods).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn used_in_part(&self) {
        self.used_in_part.fetch_add(1, Ordering::Relaxed);
    }
}
