//! Which engines were told: each is looked for once by everybody who asks, kept, and looked for again
//! when what is asked of it brings nothing.

use crate::domain::limits;
use crate::policy::profile::detect::Told;
use crate::source::ReadError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What is known of the engines, by who asks.
#[derive(Debug)]
pub(super) struct Engines<K>(Mutex<BTreeMap<K, Entry>>);

#[derive(Debug)]
struct Entry {
    /// When somebody asked last.
    at: Timestamp,
    known: Arc<tokio::sync::Mutex<Known>>,
}

/// What is known of one engine.
#[derive(Debug, Default)]
struct Known {
    told: Option<Told>,
    /// Whether what was asked of it last brought nothing.
    is_in_doubt: bool,
    /// When it was looked for in doubt and was the same.
    confirmed: Option<Timestamp>,
    /// When nothing could be told last, and why.
    failed: Option<(Timestamp, ReadError)>,
}

/// An engine, and whether it was another one before.
pub(super) type News = (Told, bool);

impl<K> Default for Engines<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Engines<K> {
    /// The engine that is known, or else what `look` tells. What is told beside it, by a label, counts
    /// in any case.
    pub(super) async fn get(
        &self,
        key: &K,
        at: Timestamp,
        label: Option<Told>,
        look: impl Future<Output = Result<Told, ReadError>>,
    ) -> Result<News, ReadError> {
        let known = self.entry(key, at);
        // Whoever comes while somebody looks waits for what that brings.
        let mut known = known.lock().await;
        if let Some(told) = label {
            return Ok(known.take(told, at));
        }
        let is_sure = !known.is_in_doubt
            || known.confirmed.is_some_and(|it| is_within(it, at, limits::profile::LOOK_AGAIN));
        if let Some(told) = known.told.as_ref().filter(|_| is_sure) {
            return Ok((told.clone(), false));
        }
        let failed = known.failed.as_ref();
        if let Some((_, error)) =
            failed.filter(|(then, _)| is_within(*then, at, limits::profile::LOOK_REST))
        {
            return Err(error.clone());
        }
        match look.await {
            Ok(told) => Ok(known.take(told, at)),
            Err(error) => {
                known.failed = Some((at, error.clone()));
                Err(error)
            }
        }
    }

    /// What was asked of the engine brought nothing: it may be another one by now.
    pub(super) async fn doubt(&self, key: &K, at: Timestamp) {
        self.entry(key, at).lock().await.is_in_doubt = true;
    }

    /// Forgets those of whom this is not true.
    pub(super) fn retain(&self, is_wanted: impl Fn(&K) -> bool) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|key, _| is_wanted(key));
    }

    fn entry(&self, key: &K, at: Timestamp) -> Arc<tokio::sync::Mutex<Known>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(key) {
            entry.at = at;
            return Arc::clone(&entry.known);
        }
        let oldest = at.checked_sub(limits::profile::LOOK_MEMORY).unwrap_or(Timestamp::MIN);
        entries.retain(|_, it| it.at >= oldest);
        let known = Arc::default();
        entries.insert(key.clone(), Entry { at, known: Arc::clone(&known) });
        known
    }
}

/// Whether `then` is less than `span` before `at`.
fn is_within(then: Timestamp, at: Timestamp, span: Duration) -> bool {
    then <= at && then > at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

impl Known {
    fn take(&mut self, told: Told, at: Timestamp) -> News {
        let is_new = self.told.as_ref().is_none_or(|it| it.engine != told.engine);
        let confirmed = (self.is_in_doubt && !is_new).then_some(at);
        *self = Self { told: Some(told.clone()), is_in_doubt: false, confirmed, failed: None };
        (told, is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::profile::detect::By;
    use std::cell::Cell;

    fn told(engine: &str) -> Told {
        Told { engine: engine.into(), by: By::Series }
    }

    #[tokio::test]
    async fn an_engine_is_looked_for_once_and_again_when_it_says_nothing() {
        let engines = Engines::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let looks = Cell::new(0);
        let get = async |second, label: Option<&str>, look: Result<&str, &str>| {
            let look = async {
                looks.set(looks.get() + 1);
                look.map(told).map_err(|it| ReadError::Empty(it.to_owned()))
            };
            let news = engines.get(&"a", at(second), label.map(told), look).await;
            news.map(|(told, is_new)| (told.engine.to_string(), is_new))
                .map_err(|error| error.to_string())
        };
        let is = |engine: &str, is_new| Ok((engine.to_owned(), is_new));
        // What could not be told is not looked for at each read.
        for (second, expected, looked) in
            [(0, "away", 1), (4, "away", 1), (5, "gone", 2), (6, "gone", 2)]
        {
            let look = if second == 0 { Err("away") } else { Err("gone") };
            assert_eq!(get(second, None, look).await, Err(expected.to_owned()));
            assert_eq!(looks.get(), looked, "{second}");
        }
        assert_eq!(get(20, None, Ok("vllm")).await, is("vllm", true));
        assert_eq!(get(40, None, Ok("sglang")).await, is("vllm", false), "it is known");
        assert_eq!(looks.get(), 3);
        engines.doubt(&"a", at(40)).await;
        assert_eq!(get(60, None, Ok("vllm")).await, is("vllm", false), "it is still there");
        // Something else is wrong: it is not looked for at each read.
        engines.doubt(&"a", at(60)).await;
        assert_eq!(get(119, None, Ok("sglang")).await, is("vllm", false));
        assert_eq!(looks.get(), 4);
        assert_eq!(get(120, None, Ok("sglang")).await, is("sglang", true));
        assert_eq!(get(130, Some("tgi"), Ok("vllm")).await, is("tgi", true), "a label counts");
        assert_eq!(looks.get(), 5);
        engines.retain(|_| false);
        assert_eq!(get(131, None, Ok("vllm")).await, is("vllm", true));
    }
}
