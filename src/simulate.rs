//! A simulated inference fleet and the autoscaler that drives it.
//!
//! In: a seed and settings for the offered load, a fleet's lead time and capacity, an autoscaler's
//! spec, and on every step the simulated time and the metric values the autoscaler would have read.
//! Out: the load offered, what waited and what was served, the replica count the autoscaler of
//! Kubernetes would have set and why, and the totals of a run (cost and waiting).
//!
//! Never: no I/O, no clock, no global randomness. The same seed, settings and inputs give the same
//! run, to the last request.
//!
//! `demand` says how many requests arrive, `fleet` serves them, `hpa` decides how many pods there
//! should be, `judge` replays recorded demand to say what a published value would have cost, and
//! `random` is the one source of chance.

pub mod auto;
pub mod demand;
pub mod fleet;
pub mod hpa;
pub mod judge;
pub mod random;

mod window;

/// Why settings were refused, or why one metric of an autoscaler has no proposal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulateError {
    /// A setting lies outside its range.
    #[error("{setting} is {value}, but must be {allowed}")]
    OutOfRange {
        /// The setting's name, as its type spells it.
        setting: &'static str,
        /// The value given, as text.
        value: String,
        /// The range, in words.
        allowed: &'static str,
    },
    /// The selector matches no pod, so that there is nothing to average over.
    #[error("no pods match the selector")]
    NoPods,
    /// No value is left after the values of unready and ignored pods were removed.
    #[error("no values for the targeted pods (they may be unready)")]
    NoValues,
    /// None of the values belongs to a known pod, or the pods that have values request nothing.
    #[error("no value belongs to a known pod that requests the resource")]
    NoMatchingRequests,
    /// A pod does not say how much of the resource it requests.
    #[error("pod {pod} does not request the resource")]
    MissingRequest {
        /// The pod's name.
        pod: String,
    },
    /// The reading failed, or was of another kind than the metric asks for.
    #[error("failed to read the metric: {message}")]
    ReadingFailed {
        /// What the metrics API said.
        message: String,
    },
}
