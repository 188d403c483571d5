//! A sign that the tick turns, for `/livez`.

use crate::telemetry::health::Check;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A tick that has not turned for this long is stuck; it turns every few seconds at least.
const PULSE_MAX: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// When the tick turned last, by the steady clock.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    /// A pulse that beats now.
    pub(crate) fn start() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Lets `check` fail while the tick is stuck.
    pub(crate) async fn watch(self, check: Arc<Check>, stop: CancellationToken) {
        let watching = async {
            loop {
                let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
                check.set(last.elapsed() < PULSE_MAX);
                tokio::time::sleep(LOOK).await;
            }
        };
        stop.run_until_cancelled(watching).await;
    }
}
