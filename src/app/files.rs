//! Files that may change at any time: looked at again and again, off the runtime's own threads.

use crate::app::clock;
use crate::domain::environment::Environment;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::ports::Files;
use crate::source::Reach;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Lets `look` look at its files every `limits::FILES_POLL`, until `stop`. Reading and parsing take
/// long enough to be in the way of requests, so that happens on a thread for such work.
pub(super) async fn look_every<T: Send + 'static>(
    mut state: T,
    look: fn(&mut T),
    stop: CancellationToken,
) {
    let mut timer = interval(limits::FILES_POLL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(timer.tick()).await.is_some() {
        let looked = spawn_blocking(move || {
            look(&mut state);
            state
        });
        match looked.await {
            Ok(looked) => state = looked,
            // The runtime is going down, and nobody waits any more.
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                // A defect in a parser: what was read last stays in force.
                let error = ErrorChain(&error).to_string();
                tracing::error!(error, "the files are not followed any more");
                return stop.cancelled().await;
            }
        }
    }
}

/// The files that policies name, each read again after `limits::FILES_POLL`. One that cannot be read
/// any more stays as it was.
#[derive(Debug, Default)]
pub(super) struct NamedFiles(Mutex<BTreeMap<Box<str>, Known>>);

/// What stood in a file, and when it was read.
type Known = (Instant, Arc<[u8]>);

/// Certificates of authorities: those of a whole machine are a quarter of this.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl Files for NamedFiles {
    fn content(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(path);
        if let Some((read_at, content)) = before
            && read_at.elapsed() < limits::FILES_POLL
        {
            return Ok(Arc::clone(content));
        }
        let mut content = Vec::new();
        let read =
            File::open(path).and_then(|it| it.take(FILE_BYTES_MAX).read_to_end(&mut content));
        let content: Arc<[u8]> = match (read, before) {
            (Ok(_), _) => content.into(),
            (Err(_), Some((_, last))) => Arc::clone(last),
            (Err(error), None) => return Err(format!("`{path}` cannot be read: {error}")),
        };
        known.insert(path.into(), (Instant::now(), Arc::clone(&content)));
        Ok(content)
    }
}

/// Where sources find what proves who asks.
pub(super) fn reach(environment: Environment) -> Reach {
    Reach {
        files: Arc::new(NamedFiles::default()),
        environment: Arc::new(environment),
        now: clock::now,
    }
}
