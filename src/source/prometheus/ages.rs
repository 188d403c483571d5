//! The ages of samples: for which queries they are asked, and what an answer that is too old is worth.

use super::object;
use super::response::Series;
use crate::domain::duration::Shown;
use crate::domain::limits;
use crate::policy::promql::age::{self, WithAges};
use crate::series::{Samples, Taken};
use crate::source::ReadError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The queries whose ages a server did not tell.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// Queries that the server refuses when they ask for ages, with the instant at which it did.
    refused: Mutex<BTreeMap<String, Timestamp>>,
    untold: AtomicU64,
}

/// When the oldest samples behind an answer were taken.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    /// Whether the server said anything about it.
    is_told: bool,
    by_object: Taken,
}

impl Ages {
    /// The query with its ages, where they can be asked for at the instant `at`.
    pub(super) fn asked(
        &self,
        query: &str,
        pod_label: Option<&str>,
        at: Timestamp,
    ) -> Option<WithAges> {
        let made = age::with_ages(query, pod_label)?;
        if self.is_refused(query, at) {
            self.miss();
            return None;
        }
        Some(made)
    }

    /// Whether the server refused lately to tell anything beside this query.
    pub(super) fn is_refused(&self, query: &str, at: Timestamp) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = at.checked_sub(limits::AGES_REST).unwrap_or(Timestamp::MIN);
        refused.retain(|_, it| *it >= oldest && *it <= at);
        refused.contains_key(query)
    }

    /// Whether the query alone may be answered although this came of it with its ages. If so it is
    /// asked alone for a while: a good number is worth more than its age.
    pub(super) fn is_to_blame(&self, error: &ReadError, query: &str, at: Timestamp) -> bool {
        let may_be = match error {
            ReadError::Refused { status, .. } => {
                (400..500).contains(status) && ![401, 403, 407, 429].contains(status)
            }
            ReadError::NotUnderstood(_) | ReadError::TooLarge(..) => true,
            _ => false,
        };
        if may_be {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(query.to_owned(), at);
            self.miss();
        }
        may_be
    }

    /// Notes that ages were not told.
    fn miss(&self) {
        self.untold.fetch_add(1, Ordering::Relaxed);
    }

    /// How often ages were not told since this was asked last.
    pub(super) fn take_untold(&self) -> u64 {
        self.untold.swap(0, Ordering::Relaxed)
    }

    /// Takes the series of ages out of an answer.
    pub(super) fn taken(&self, series: &mut Vec<Series>, pod_label: Option<&str>) -> Oldest {
        let mut oldest = Oldest::default();
        series.retain(|one| {
            let is_age = one.label(age::LABEL).is_some();
            if is_age {
                oldest.take(one, pod_label);
            }
            !is_age
        });
        if !oldest.is_told {
            self.miss();
        }
        oldest
    }
}

impl Oldest {
    fn take(&mut self, series: &Series, pod_label: Option<&str>) {
        self.is_told = true;
        let seconds = series.points().next().map(|it| it.value).filter(|it| *it > 0.0);
        #[expect(clippy::cast_possible_truncation, reason = "saturates; a bad time is left out")]
        let at = seconds.and_then(|it| Timestamp::from_millisecond((it * 1000.0) as i64).ok());
        if let (Some(at), Some(object)) = (at, object(series, pod_label)) {
            self.by_object.insert(object, at);
        }
    }

    pub(super) fn into_taken(self) -> Taken {
        self.by_object
    }

    /// `samples` without those whose oldest part was taken more than `lookback` before `at`: of a
    /// series that nobody writes any more a server may repeat the last sample for minutes.
    pub(super) fn without_old(
        &self,
        mut samples: Samples,
        is_strict: bool,
        at: Timestamp,
        lookback: Duration,
    ) -> Result<Samples, ReadError> {
        let bound = at.checked_sub(lookback).unwrap_or(Timestamp::MIN);
        samples.retain(|object, _| match self.by_object.get(object) {
            Some(taken) => *taken >= bound,
            None => !(self.is_told && is_strict),
        });
        if samples.is_empty() {
            let problem = format!(
                "the newest answer has a sample older than {}; is the series still written?",
                Shown(lookback)
            );
            return Err(ReadError::Empty(problem));
        }
        Ok(samples)
    }
}
