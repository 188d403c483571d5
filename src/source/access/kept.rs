//! What was fetched to prove who asks: kept until shortly before it expires, fetched by one for all,
//! and not asked for again at once by everybody when it cannot be had.

use crate::domain::limits;
use crate::source::ReadError;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Something that expires.
#[derive(Debug)]
pub(in crate::source) struct Kept<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    good: Option<Fetched<T>>,
    failed: Option<(Instant, ReadError)>,
}

/// What was fetched, and when.
#[derive(Clone, Debug)]
pub(in crate::source) struct Fetched<T> {
    pub(in crate::source) what: T,
    pub(in crate::source) at: Instant,
    /// How long it is good.
    pub(in crate::source) lifetime: Duration,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { good: None, failed: None }) }
    }
}

impl<T: Clone> Kept<T> {
    /// What is kept, or what `fetch` brings with its lifetime.
    pub(in crate::source) async fn get(
        &self,
        now: Instant,
        fetch: impl Future<Output = Result<(T, Duration), ReadError>>,
    ) -> Result<Fetched<T>, ReadError> {
        let mut state = self.state.lock().await;
        if let Some(good) = state.good.as_ref().filter(|it| it.is_fresh(now)) {
            return Ok(good.clone());
        }
        let usable = state.good.clone().filter(|it| it.age(now) < it.lifetime);
        let failed = state
            .failed
            .clone()
            .filter(|it| now.saturating_duration_since(it.0) < limits::TOKEN_RETRY);
        let error = match failed {
            Some((_, error)) => error,
            None => match fetch.await {
                Ok((what, lifetime)) => {
                    let fetched = Fetched { what, at: now, lifetime };
                    *state = State { good: Some(fetched.clone()), failed: None };
                    return Ok(fetched);
                }
                Err(error) => {
                    state.failed = Some((Instant::now(), error.clone()));
                    error
                }
            },
        };
        // Until it expires the old one is as good as it was.
        usable.ok_or(error)
    }

    /// Somebody was refused with what was fetched at `used`; answers whether there may be something
    /// better now.
    pub(in crate::source) async fn refused(&self, used: Instant, now: Instant) -> bool {
        let mut state = self.state.lock().await;
        match &state.good {
            // A server that refuses what was just fetched refuses the next one, too.
            Some(good) if good.at == used && good.age(now) < limits::TOKEN_REFETCH => false,
            Some(good) if good.at == used => {
                state.good = None;
                true
            }
            _ => true,
        }
    }
}

impl<T> Fetched<T> {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        let margin = limits::TOKEN_MARGIN.min(self.lifetime / 5);
        self.age(now) < self.lifetime.saturating_sub(margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(600);

    fn away() -> ReadError {
        ReadError::NoCredentials("away".to_owned())
    }

    #[tokio::test]
    async fn it_is_fetched_anew_before_it_expires_and_the_old_one_serves_while_that_fails() {
        let kept = Kept::default();
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let never = async || -> Result<(u8, Duration), ReadError> { panic!("fetched") };
        let get = async |at, what: Result<u8, ReadError>| {
            kept.get(at, async { what.map(|it| (it, LIFETIME)) }).await.map(|it| it.what)
        };
        assert_eq!(get(begin, Ok(1)).await, Ok(1));
        assert_eq!(kept.get(after(539), never()).await.map(|it| it.what), Ok(1));
        assert_eq!(get(after(540), Err(away())).await, Ok(1), "still good");
        assert_eq!(get(after(599), Ok(2)).await, Ok(2));
        assert_eq!(get(after(599 + 600), Err(away())).await, Err(away()), "too old");
    }

    #[tokio::test]
    async fn a_failure_is_everybodys_for_a_moment() {
        let kept = Kept::<u8>::default();
        let now = Instant::now();
        assert_eq!(kept.get(now, async { Err(away()) }).await.map(|it| it.what), Err(away()));
        let soon = Instant::now();
        let fetched = kept.get(soon, async { Ok((1, LIFETIME)) }).await;
        assert_eq!(fetched.map(|it| it.what), Err(away()), "not asked again");
        let later = soon + limits::TOKEN_RETRY + Duration::from_secs(1);
        assert_eq!(kept.get(later, async { Ok((1, LIFETIME)) }).await.map(|it| it.what), Ok(1));
    }

    #[tokio::test]
    async fn what_is_refused_is_fetched_anew_once() {
        let kept = Kept::default();
        let begin = Instant::now();
        let first = kept.get(begin, async { Ok((1, LIFETIME)) }).await.unwrap();
        assert!(!kept.refused(first.at, begin).await, "it was just fetched");
        let later = begin + limits::TOKEN_REFETCH;
        assert!(kept.refused(first.at, later).await);
        let second = kept.get(later, async { Ok((2, LIFETIME)) }).await.unwrap();
        assert_eq!(second.what, 2);
        assert!(kept.refused(first.at, later).await, "somebody else has renewed it");
        assert!(!kept.refused(second.at, later).await);
    }
}
