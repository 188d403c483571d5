//! Waiting for a state: poll, never sleep a fixed time, and say what was seen last when time is up.

use std::thread;
use std::time::{Duration, Instant};

/// Short enough that it does not show in a measured time, long enough to leave the two cores alone.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Polls `probe` until it answers `Ok` and gives back what it answered. `Err` is the state seen,
/// in words; the last one is shown when `deadline` has passed.
#[track_caller]
pub(crate) fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, String>,
) -> T {
    match poll(deadline, &mut probe) {
        Ok(value) => value,
        Err(state) => panic!("not within {deadline:?}: {what}\nlast seen: {state}"),
    }
}

/// The same without the panic, for callers that have more to say about the failure.
pub(crate) fn poll<T>(
    deadline: Duration,
    mut probe: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let started = Instant::now();
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(state) if started.elapsed() >= deadline => return Err(state),
            Err(_) => thread::sleep(POLL_INTERVAL),
        }
    }
}

/// `Ok` when `condition` holds, else the state in words: the usual last line of a probe.
pub(crate) fn seen(condition: bool, state: impl ToString) -> Result<(), String> {
    if condition { Ok(()) } else { Err(state.to_string()) }
}
