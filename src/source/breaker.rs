//! A circuit breaker: a source that does not answer is asked by one at a time, now and then, until
//! it answers again, so that a source which hangs costs one deadline and not one for each policy.
//!
//! Closed, everybody asks. After `limits::BREAKER_FAILURES` failures in a row of the source itself
//! (no connection, no answer in time, overloaded) it opens: for a pause that doubles with each
//! failed trial up to `limits::BREAKER_PAUSE_MAX`, reads fail at once with the last error. Then the
//! first read is the trial, and those that come meanwhile wait for what it comes to.

use crate::domain::limits;
use crate::source::ReadError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What keeps reads from a source that does not answer.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
    trial_over: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// `None` while closed.
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    until: Instant,
    pause: Duration,
    is_trying: bool,
    last: ReadError,
}

/// Leave to read. Whoever drops it without telling what came of the read failed.
#[derive(Debug)]
pub struct Pass<'b> {
    breaker: &'b Breaker,
    /// Since when.
    at: Instant,
    is_trial: bool,
    is_told: bool,
}

impl Breaker {
    /// Leave to read at `now`, at once or when a trial that is under way has succeeded.
    ///
    /// # Errors
    /// `ReadError::Resting` while the source is left alone.
    pub async fn admit(&self, now: Instant) -> Result<Pass<'_>, ReadError> {
        let mut has_waited = false;
        loop {
            // Registered before the look, so that a trial that ends in between is not missed.
            let over = self.trial_over.notified();
            {
                let mut state = self.lock();
                let Some(open) = &mut state.open else { return Ok(self.pass(now, false)) };
                let is_over = now >= open.until;
                if is_over && !open.is_trying && !has_waited {
                    open.is_trying = true;
                    return Ok(self.pass(now, true));
                }
                if !open.is_trying {
                    return Err(ReadError::Resting(Box::new(open.last.clone())));
                }
            }
            over.await;
            has_waited = true;
        }
    }

    /// Whether the source is left alone.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().open.is_some()
    }

    fn pass(&self, at: Instant, is_trial: bool) -> Pass<'_> {
        Pass { breaker: self, at, is_trial, is_told: false }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what came of a read.
    fn take(&self, error: Option<&ReadError>, is_trial: bool, now: Instant) {
        let mut state = self.lock();
        match error.filter(|it| it.is_of_source()) {
            None => *state = State::default(),
            Some(error) => state.fail(error, is_trial, now),
        }
        drop(state);
        self.trial_over.notify_waiters();
    }
}

impl State {
    fn fail(&mut self, error: &ReadError, is_trial: bool, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let pause = match &self.open {
            Some(open) if is_trial => open.pause.saturating_mul(2),
            // Whoever began to read before it opened says nothing new.
            Some(_) => return,
            None if self.failures < limits::BREAKER_FAILURES => return,
            None => limits::BREAKER_PAUSE,
        };
        let pause = pause.min(limits::BREAKER_PAUSE_MAX);
        let until = now + pause;
        self.open = Some(Open { until, pause, is_trying: false, last: error.clone() });
    }
}

impl Pass<'_> {
    /// Tells what came of the read at `now`.
    pub fn tell<T>(mut self, result: &Result<T, ReadError>, now: Instant) {
        self.is_told = true;
        self.breaker.take(result.as_ref().err(), self.is_trial, now);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            let error = ReadError::Unreachable("no answer in time".to_owned());
            self.breaker.take(Some(&error), self.is_trial, self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::task::yield_now;

    fn away() -> Result<(), ReadError> {
        Err(ReadError::Unreachable("connection refused".to_owned()))
    }

    /// Asks `times` times in vain.
    async fn fail(breaker: &Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.admit(now).await.unwrap().tell(&away(), now);
        }
    }

    async fn succeed(breaker: Arc<Breaker>, now: Instant) -> Result<(), ReadError> {
        breaker.admit(now).await?.tell(&Ok(()), now);
        Ok(())
    }

    #[tokio::test]
    async fn after_failures_in_a_row_the_source_is_left_alone_for_growing_pauses() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        fail(&breaker, limits::BREAKER_FAILURES - 1, now).await;
        breaker.admit(now).await.unwrap().tell(&Ok(()), now);
        fail(&breaker, limits::BREAKER_FAILURES, now).await;
        let mut pause = limits::BREAKER_PAUSE;
        for _ in 0..6 {
            now += pause - Duration::from_millis(1);
            let error = breaker.admit(now).await.unwrap_err();
            assert!(error.to_string().contains("connection refused"), "{error}");
            now += Duration::from_millis(1);
            fail(&breaker, 1, now).await;
            pause = (pause * 2).min(limits::BREAKER_PAUSE_MAX);
        }
        now += pause;
        breaker.admit(now).await.unwrap().tell(&Ok(()), now);
        assert!(!breaker.is_open());
        assert!(breaker.admit(now).await.is_ok());
    }

    #[tokio::test]
    async fn one_tries_and_the_others_wait_for_what_it_comes_to() {
        for (result, admitted) in [(Ok(()), 5), (away(), 0)] {
            let breaker = Arc::new(Breaker::default());
            let mut now = Instant::now();
            fail(&breaker, limits::BREAKER_FAILURES, now).await;
            now += limits::BREAKER_PAUSE;
            let trial = breaker.admit(now).await.unwrap();
            let mut waiting = tokio::task::JoinSet::new();
            for _ in 0..5 {
                waiting.spawn(succeed(Arc::clone(&breaker), now));
            }
            for _ in 0..20 {
                yield_now().await;
            }
            assert!(waiting.try_join_next().is_none(), "they wait");
            trial.tell(&result, now);
            let ends = waiting.join_all().await;
            assert_eq!(ends.iter().filter(|it| it.is_ok()).count(), admitted);
        }
    }

    #[tokio::test]
    async fn a_trial_that_is_given_up_lets_another_try() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        fail(&breaker, limits::BREAKER_FAILURES, now).await;
        now += limits::BREAKER_PAUSE;
        drop(breaker.admit(now).await.unwrap());
        assert!(breaker.admit(now).await.is_err());
        now += limits::BREAKER_PAUSE_MAX;
        breaker.admit(now).await.unwrap().tell(&Ok(()), now);
        assert!(!breaker.is_open());
    }

    #[tokio::test]
    async fn a_question_that_is_refused_says_nothing_against_the_source() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..3 * limits::BREAKER_FAILURES {
            let refused = ReadError::Refused { status: 422, message: "no".to_owned() };
            breaker.admit(now).await.unwrap().tell(&Err::<(), _>(refused), now);
        }
        assert!(!breaker.is_open());
        fail(&breaker, limits::BREAKER_FAILURES, now).await;
        assert!(breaker.is_open());
    }
}
