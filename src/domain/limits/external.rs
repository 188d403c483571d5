//! External metrics that another server is asked for.

use std::time::Duration;

/// How long the other server may take: what it asks in turn has three seconds with KEDA, and one of the
/// HPA's few workers waits.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// Requests that are passed on at once: more than the HPA controller and some people ever have open.
pub const PASSED_ON_AT_ONCE: usize = 64;
/// The other server's answer: some thousands of values.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// A metric's name that is passed on; Kubernetes' own names end there, too.
pub const NAME_BYTES_MAX: usize = 253;
/// What is repeated of the other server's words.
pub const MESSAGE_CHARS_MAX: usize = 400;
