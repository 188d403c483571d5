//! The seam to a second server of external metrics, which is asked for what is not known here.

use crate::domain::identity::User;
use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

/// A request that may be passed on: its user is known, and may make it.
#[derive(Clone, Copy, Debug)]
pub struct PassedOn<'a> {
    /// Who asks.
    pub user: &'a User,
    /// In which namespace.
    pub namespace: &'a str,
    /// For which metric.
    pub metric: &'a str,
    /// With which selector of labels, as it was sent and looked at; empty for none.
    pub selector: &'a str,
    /// In which forms the answer is taken: the header `Accept`.
    pub accept: Option<&'a str>,
}

/// What the other server answered, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// In which form.
    pub content_type: String,
    /// The list of values.
    pub body: Vec<u8>,
}

/// Why the other server gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// It has no such metric, or no value of it.
    #[error("says: {0}")]
    Absent(String),
    /// It does not understand the request.
    #[error("does not take the request: {0}")]
    Malformed(String),
    /// It does not let the caller in.
    #[error("does not let the caller in: {0}")]
    Forbidden(String),
    /// It does not let Foresail in.
    #[error("does not let Foresail in ({status}: {message})")]
    NotLetIn {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It answered with an error of its own.
    #[error("answered {status}: {message}")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It could not be asked, or its answer is of no use.
    #[error("cannot be asked: {0}")]
    Unusable(String),
    /// It did not answer in time.
    #[error("did not answer within {}", crate::domain::duration::Shown(*.0))]
    TimedOut(Duration),
    /// Too many requests wait for it already.
    #[error("was not asked, since {0} requests wait for it already")]
    TooMany(usize),
}

/// A second server of external metrics.
pub trait Fallback: Debug + Send + Sync {
    /// What people are told that it is.
    fn name(&self) -> &str;

    /// Passes a request on.
    fn ask<'a>(
        &'a self,
        request: PassedOn<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, NoReply>> + Send + 'a>>;
}
