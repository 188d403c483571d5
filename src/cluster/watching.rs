//! Following a watch for as long as the program runs: backing off, and telling trouble once.

use crate::cluster::{refusal, whole};
use futures::{Stream, StreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::{debug, info, warn};

/// The first pause after a failure; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause: how old the pods may be when the API server is back. The library's usual
/// half a minute is for controllers with hundreds of watches; here there are a few.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// Without a failure for so long, the next one is a first one again.
const FORGIVEN: Duration = Duration::from_secs(60);

/// A watch in trouble is over it when nothing has gone wrong for so long: an attempt fails after
/// half a minute at the latest, and a quiet watch says nothing while all is well.
const CALM: Duration = Duration::from_secs(60);

/// The answer of the API server to a watch that has fallen behind; a new list follows.
const GONE: u16 = 410;
/// The answer of the API server to who may not.
const FORBIDDEN: u16 = 403;
/// What is to be done about that.
const RIGHTS: &str = "deploy/kustomize/base/rbac.yaml has what Foresail's service account needs";
/// The answer of the API server where there is no such resource.
const NOT_FOUND: u16 = 404;

/// How a watch is doing; several watches may share one.
#[derive(Debug, Default)]
pub struct Progress {
    lists: AtomicU64,
    failures: AtomicU64,
    n_failing: AtomicU64,
}

impl Progress {
    /// How often a list was begun since the start; each list begins a watch anew.
    #[must_use]
    pub fn lists(&self) -> u64 {
        self.lists.load(Ordering::Relaxed)
    }

    /// How often a list or a watch failed since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How many watches are in trouble now, so that what is known may be old.
    #[must_use]
    pub fn n_failing(&self) -> u64 {
        self.n_failing.load(Ordering::Relaxed)
    }
}

/// Hands every event to `take`. Ends only when it is dropped.
pub(crate) async fn follow<K: Send>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    progress: &Progress,
    take: impl FnMut(Event<K>) + Send,
) {
    follow_known(events, progress, take, || {}).await;
}

/// The same for a kind that the cluster may not know: then `unknown` is told at each try, and it is
/// no failure.
pub(crate) async fn follow_known<K: Send>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    progress: &Progress,
    mut take: impl FnMut(Event<K>) + Send,
    mut unknown: impl FnMut() + Send,
) {
    let mut events = pin!(events.backoff(Pauses::default()));
    let trouble = Trouble { progress, is_failing: AtomicBool::new(false) };
    let mut is_unknown = false;
    loop {
        match timeout(CALM, events.next()).await {
            Err(_) => trouble.end(),
            Ok(None) => return,
            Ok(Some(Ok(event))) => {
                // The first event of a list comes before anything has been asked.
                if matches!(event, Event::Init) {
                    progress.lists.fetch_add(1, Ordering::Relaxed);
                } else {
                    trouble.end();
                    is_unknown = false;
                }
                take(event);
            }
            Ok(Some(Err(watcher::Error::WatchError(status)))) if status.code == GONE => {
                debug!("the watch has fallen behind and lists again");
            }
            Ok(Some(Err(watcher::Error::InitialListFailed(error)))) if is_not_found(&error) => {
                trouble.end();
                if !std::mem::replace(&mut is_unknown, true) {
                    info!("the cluster does not know this kind; it is asked again and again");
                }
                unknown();
            }
            Ok(Some(Err(error))) => trouble.begin(&error),
        }
    }
}

/// Whether the API server has no such resource.
fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == NOT_FOUND)
}

/// How long to wait after each failure.
#[derive(Default)]
struct Pauses {
    last: Option<(Instant, Duration)>,
}

impl Pauses {
    fn after_failure(&mut self, now: Instant) -> Duration {
        let pause = match self.last {
            Some((at, pause)) if now.saturating_duration_since(at) < FORGIVEN => {
                PAUSE_MAX.min(pause * 2)
            }
            _ => PAUSE_MIN,
        };
        self.last = Some((now, pause));
        pause
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.after_failure(Instant::now()))
    }
}

impl Backoff for Pauses {
    /// Only time forgives: this is called for each event, and a list that fails for ever is
    /// preceded by the event of its beginning each time.
    fn reset(&mut self) {}
}

/// Whether one watch is in trouble; logs the change, not the state.
struct Trouble<'a> {
    progress: &'a Progress,
    is_failing: AtomicBool,
}

impl Trouble<'_> {
    fn begin(&self, error: &watcher::Error) {
        self.progress.failures.fetch_add(1, Ordering::Relaxed);
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            self.progress.n_failing.fetch_add(1, Ordering::Relaxed);
            let hint = refusal(error).filter(|it| it.code == FORBIDDEN).map(|_| RIGHTS);
            warn!(error = %whole(error), hint, "the watch fails; what was seen last stays in force");
        }
    }

    fn end(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            self.progress.n_failing.fetch_sub(1, Ordering::Relaxed);
            info!("the watch works again");
        }
    }
}

impl Drop for Trouble<'_> {
    fn drop(&mut self) {
        if self.is_failing.load(Ordering::Relaxed) {
            self.progress.n_failing.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_good_while() {
        let mut pauses = Pauses::default();
        let mut now = Instant::now();
        for expected in [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000] {
            let pause = pauses.after_failure(now);
            assert_eq!(pause, Duration::from_millis(expected));
            pauses.reset();
            now += pause;
        }
        assert_eq!(pauses.after_failure(now + FORGIVEN), PAUSE_MIN);
    }
}
