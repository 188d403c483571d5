//! Places to read from: asked about signals, they answer samples or say why not.
//!
//! In come what a policy asks and the instant that it asks for; out come samples by object, or a
//! `ReadError` that an on-call person understands. Every read has a deadline and a cap on its
//! size; nothing here knows what a sample is for. A new kind of source is a file here, a variant
//! of `Source`, and the arms that the compiler then asks for.

mod access;
mod breaker;
mod engines;
pub mod fallback;
mod http;
pub mod pods;
mod prometheus;
mod queue;
mod retry;
mod scrape;

pub use access::Reach;
pub use breaker::Breaker;
pub use prometheus::Prometheus;
pub use queue::Queue;
pub use retry::RetryBudget;
pub use scrape::Scrape;
pub use scrape::exposition;

use crate::domain::name::{ObjectName, SourceName};
use crate::domain::sample::Sample;
use crate::policy::{Ask, SourceKind, SourceSettings};
use crate::rules::answer::Answer;
use crate::series::Aged;
use access::Caller;
use jiff::Timestamp;
use std::time::Duration;

/// A source that can be read.
#[derive(Debug)]
pub enum Source {
    /// The HTTP API of Prometheus or of something compatible with it.
    Prometheus(Box<Prometheus>),
    /// One page in exposition format.
    Scrape(Box<Scrape>),
    /// A server that has queues.
    Queue(Box<Queue>),
}

/// Why a read brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no connection; the text is the innermost cause, such as `connection refused`.
    #[error("{0}")]
    Unreachable(String),
    /// No complete answer came in time.
    #[error("no answer within {}", crate::domain::duration::Shown(*.0))]
    TimedOut(Duration),
    /// The source answered with an error of its own.
    #[error("answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It did not answer several times in a row, and is left alone for a moment.
    #[error("{0} (asked only now and then until it answers)")]
    Resting(Box<Self>),
    /// The source answered with an error of its own, without a status of HTTP.
    #[error("answered: {0}")]
    Denied(String),
    /// The credentials cannot be had.
    #[error("{0}")]
    NoCredentials(String),
    /// The server may not be asked for this policy.
    #[error("{0}")]
    NotAllowed(String),
    /// The answer is larger than the limit.
    #[error("the answer is larger than {0} {1}")]
    TooLarge(usize, &'static str),
    /// The answer is not what this kind of source answers.
    #[error("the answer was not understood: {0}")]
    NotUnderstood(String),
    /// The answer has no sample that could be used.
    #[error("{0}")]
    Empty(String),
    /// The source cannot be read that way.
    #[error("the source does not take this kind of question")]
    WrongKind,
}

/// Why, as a closed set for metric labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// See `ReadError::Unreachable`.
    Unreachable,
    /// See `ReadError::TimedOut`.
    TimedOut,
    /// See `ReadError::Refused`, `ReadError::Denied` and `ReadError::NotAllowed`.
    Refused,
    /// See `ReadError::Resting`.
    Resting,
    /// See `ReadError::NoCredentials`.
    NoCredentials,
    /// See `ReadError::TooLarge`.
    TooLarge,
    /// See `ReadError::NotUnderstood` and `ReadError::WrongKind`.
    NotUnderstood,
    /// See `ReadError::Empty`.
    Empty,
}

impl Reason {
    /// The label's value.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Resting => "resting",
            Self::NoCredentials => "no_credentials",
            Self::TooLarge => "too_large",
            Self::NotUnderstood => "not_understood",
            Self::Empty => "empty",
        }
    }
}

impl ReadError {
    /// Whether the source itself is in trouble, and not one question.
    #[must_use]
    pub fn is_of_source(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// The same error, with what others said in it passed through `reword`: what they repeat may be
    /// a secret.
    pub(crate) fn reworded(self, reword: &dyn Fn(String) -> String) -> Self {
        match self {
            Self::Unreachable(text) => Self::Unreachable(reword(text)),
            Self::Refused { status, message } => Self::Refused { status, message: reword(message) },
            Self::Resting(error) => Self::Resting(Box::new(error.reworded(reword))),
            Self::Denied(text) => Self::Denied(reword(text)),
            Self::NoCredentials(text) => Self::NoCredentials(reword(text)),
            Self::NotAllowed(text) => Self::NotAllowed(reword(text)),
            Self::NotUnderstood(text) => Self::NotUnderstood(reword(text)),
            Self::Empty(text) => Self::Empty(reword(text)),
            Self::TimedOut(_) | Self::TooLarge(..) | Self::WrongKind => self,
        }
    }

    /// The kind of failure.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unreachable(_) => Reason::Unreachable,
            Self::TimedOut(_) => Reason::TimedOut,
            Self::Resting(_) => Reason::Resting,
            Self::Refused { .. } | Self::Denied(_) | Self::NotAllowed(_) => Reason::Refused,
            Self::NoCredentials(_) => Reason::NoCredentials,
            Self::TooLarge(..) => Reason::TooLarge,
            Self::NotUnderstood(_) | Self::WrongKind => Reason::NotUnderstood,
            Self::Empty(_) => Reason::Empty,
        }
    }
}

/// A source that cannot be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No HTTP client can be had.
    #[error("failed to set up source {name}")]
    Client {
        /// The source.
        name: SourceName,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// `pods::PodReader` reads it.
    #[error("source {0} is read from pods")]
    OfPods(SourceName),
}

impl Source {
    /// A source with these settings, which proves who asks with what is found in `reach`. Does not
    /// connect.
    ///
    /// # Errors
    /// When no HTTP client can be had, e.g. without a TLS provider, and of what is read from pods.
    pub fn new(settings: &SourceSettings, reach: &Reach) -> Result<Self, SetupError> {
        let SourceSettings { name, kind, timeout } = settings;
        let made = match kind {
            SourceKind::Prometheus { url, method, namespace_label: _, access, parameters } => {
                let caller = Caller::new(url, *timeout, access, reach);
                let made = caller.map(|it| Prometheus::new(url, *method, parameters, it));
                made.map(|it| Self::Prometheus(Box::new(it)))
            }
            SourceKind::Scrape { url, access } => {
                let caller = Caller::new(url, *timeout, access, reach);
                caller.map(|it| Self::Scrape(Box::new(Scrape::new(url, it))))
            }
            SourceKind::Pods(_) => return Err(SetupError::OfPods(name.clone())),
        };
        made.map_err(|cause| SetupError::Client { name: name.clone(), cause })
    }

    /// The samples that answer `ask` about the instant `at`. A page is fetched once for all
    /// questions about the same instant; a query is one request each.
    ///
    /// # Errors
    /// `ReadError` when there is no sample; never an empty answer.
    pub async fn read(&self, ask: &Ask, at: Timestamp) -> Result<Aged, ReadError> {
        match self {
            Self::Prometheus(prometheus) => prometheus.read(ask, at).await,
            Self::Scrape(scrape) => scrape.read(ask, at).await.map(Aged::from),
            Self::Queue(queue) => queue.read(ask, at).await.map(Aged::from),
        }
    }

    /// What a query of a rule answers at the instant `at`.
    ///
    /// # Errors
    /// `ReadError`, also when this kind of source takes no queries.
    pub async fn plain(&self, query: &str, at: Timestamp) -> Result<Answer, ReadError> {
        match self {
            Self::Prometheus(prometheus) => prometheus.plain(query, at).await,
            Self::Scrape(_) | Self::Queue(_) => Err(ReadError::WrongKind),
        }
    }

    /// The names of the labels that the series of a selector had between two instants.
    ///
    /// # Errors
    /// As `plain`.
    pub async fn label_names(
        &self,
        selector: &str,
        span: (Timestamp, Timestamp),
    ) -> Result<Vec<Box<str>>, ReadError> {
        match self {
            Self::Prometheus(prometheus) => prometheus.label_names(selector, span).await,
            Self::Scrape(_) | Self::Queue(_) => Err(ReadError::WrongKind),
        }
    }

    /// How many answers did not tell the age of their samples, although they were asked to, since this
    /// was asked last.
    #[must_use]
    pub fn take_untold_ages(&self) -> u64 {
        match self {
            Self::Prometheus(prometheus) => prometheus.take_untold_ages(),
            Self::Scrape(_) | Self::Queue(_) => 0,
        }
    }

    /// Whether this kind of source can be asked about the past.
    #[must_use]
    pub fn has_history(&self) -> bool {
        match self {
            Self::Prometheus(_) => true,
            Self::Scrape(_) | Self::Queue(_) => false,
        }
    }

    /// The samples that answer `ask` from `from` to `to`, a `step` apart, oldest first.
    ///
    /// # Errors
    /// `ReadError`, also when this kind of source has no history.
    pub async fn history(
        &self,
        ask: &Ask,
        (from, to): (Timestamp, Timestamp),
        step: Duration,
    ) -> Result<Vec<(Option<ObjectName>, Sample)>, ReadError> {
        match self {
            Self::Prometheus(prometheus) => prometheus.history(ask, from, to, step).await,
            Self::Scrape(_) | Self::Queue(_) => Err(ReadError::WrongKind),
        }
    }
}
