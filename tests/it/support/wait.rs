//! Waiting for a state: poll, never sleep a fixed time, and say what was seen last when time is up.
#![expect(clippy::panic, reason = "a test fails loudly")]

use std::time::{Duration, Instant};

/// Far more than anything here takes, for machines that are busy with something else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Short beside everything that is waited for.
const POLL: Duration = Duration::from_millis(25);

/// Polls `probe` until it answers `Ok`; `Err` is the state seen, in words.
pub(crate) async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(state) if begin.elapsed() > DEADLINE => {
                panic!("not within {DEADLINE:?}: {what}\nlast seen: {state}")
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// `Ok` when `condition` holds, else the state in words.
pub(crate) fn seen(condition: bool, state: impl ToString) -> Result<(), String> {
    if condition { Ok(()) } else { Err(state.to_string()) }
}
