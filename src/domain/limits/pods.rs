//! The bounds of what is read straight from pods.

use super::TICK_DEADLINE;
use std::time::Duration;

/// How long one pod may take to answer when a policy says nothing: a page of an engine takes some
/// milliseconds, and one that hangs must not hold the others up.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// The longest that one pod may take: a third of the tick's deadline, so that a second wave of pods
/// still gets its turn.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(3);
/// Pods that one signal reads in one evaluation; of more, an even and stable sample stands for all.
/// Five hundred say what ten thousand do to within a few percent, and cost what the design allows.
pub const PER_READ_MAX: usize = 500;
/// Pods that one signal reads at the same time. If all of them hang, five hundred take five
/// timeouts, which is within the tick's deadline.
pub const AT_ONCE: usize = 100;
/// Pods that all signals read at the same time: sockets of a process are few where nobody raised
/// their number.
pub const AT_ONCE_IN_ALL: usize = 500;
/// Of the pods that should answer, the share below which what the others say is not used, whatever
/// the policy says: half of them cannot speak for all.
pub const ANSWERED_MIN_SHARE: f64 = 0.5;
/// `window` when a policy names none: as long as a rate's, and as PromQL's usual `[1m]`.
pub const WINDOW_DEFAULT: Duration = Duration::from_secs(60);
/// The longest `window` of a pod's series: what is older says nothing about now.
pub const WINDOW_MAX: Duration = Duration::from_secs(600);
/// How finely a window is divided: what it looks back over is longer than it by one part at most.
pub const WINDOW_PARTS: u32 = 16;
/// `minObservations` when a policy names none: of fewer, a quantile near one is one observation.
pub const OBSERVATIONS_MIN_DEFAULT: u32 = 20;
/// Series of one pod that one signal remembers as counters.
pub const COUNTERS_MAX: usize = 4_096;
/// Values from here on are no measurement: exporters of GPUs print the largest 64-bit numbers for a
/// sensor that has nothing to say.
pub const BLANK_VALUE_MIN: f64 = 9.22e18;

/// What is kept of one exposition page: the lines of the series that policies read. 20,000 of them
/// fit, and five hundred pages at once fit into the memory that `deploy/` gives if they are usual.
pub const PAGE_KEPT_BYTES_MAX: usize = 2 * 1024 * 1024;

const _: () = assert!(
    TIMEOUT_DEFAULT.as_millis() * (PER_READ_MAX / AT_ONCE) as u128 <= TICK_DEADLINE.as_millis()
);
const _: () = assert!(AT_ONCE <= AT_ONCE_IN_ALL);
