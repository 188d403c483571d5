//! Bounds of what the door remembers and asks about people who come without kube-apiserver between.

use std::time::Duration;

/// How long what was allowed is remembered before it is asked for anew, at least. The HPA controller asks
/// every 15 s for each metric; a review for each of its requests would cost more than the answers.
pub const ALLOWED_FRESH: Duration = Duration::from_secs(60);
/// Up to so much longer, each question by its own: those that were first asked together shall not be asked
/// together for ever.
pub const ALLOWED_SPREAD: Duration = Duration::from_secs(60);
/// How long what was allowed may be done at most when it is taken away: the request that finds it old does not
/// wait for the review that it causes. The kubelet, whose doors lead further, remembers for 5 min.
pub const ALLOWED_TTL: Duration = Duration::from_secs(180);
const _: () = assert!(ALLOWED_FRESH.as_secs() + ALLOWED_SPREAD.as_secs() < ALLOWED_TTL.as_secs());

/// Owners of bearer tokens remembered, and tokens that nobody owns; for `limits::DECISION_TTL`. Few clients come
/// without kube-apiserver between: a monitoring system, a person with a port forward.
pub const TOKENS_MAX: usize = 2_048;
/// TokenReviews in flight at once: strangers cause them, and must not keep kube-apiserver busy.
pub const TOKEN_REVIEWS_AT_ONCE: usize = 16;
/// SubjectAccessReviews about the anonymous user in flight at once, apart from those about users who are
/// known, which strangers must not hold up.
pub const ANONYMOUS_REVIEWS_AT_ONCE: usize = 4;
/// Decisions about the anonymous user remembered.
pub const ANONYMOUS_DECISIONS_MAX: usize = 256;
/// A bearer token's length. A token of a ServiceAccount has 1 to 2 KiB; kube-apiserver takes no longer
/// header than this, either.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// A header's value that names a user, a group or an extra field. No authority of any cluster gives such
/// names; what is asked about and told in refusals stays small.
pub const NAME_BYTES_MAX: usize = 4 * 1024;
