//! What the door counts; the reasons are a closed set, fit for a metric's label.

use crate::auth::{Refusal, Stranger};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Whom to trust was not known yet.
    NoTrust,
    /// A client certificate that is not trusted.
    Untrusted,
    /// A trusted certificate with a name that is not allowed.
    NotAllowed,
    /// The front proxy named no user, or not in text.
    NoUser,
    /// No bearer token.
    NoToken,
    /// A wrong bearer token.
    WrongToken,
    /// Credentials that are no bearer token.
    Malformed,
    /// The owner of a bearer token could not be asked for.
    TokenReviewFailed,
    /// The user may not.
    Forbidden,
    /// The cluster could not be asked.
    ReviewFailed,
}

impl Reason {
    /// All reasons, to register a metric for each.
    pub const ALL: [Self; 10] = [
        Self::NoTrust,
        Self::Untrusted,
        Self::NotAllowed,
        Self::NoUser,
        Self::NoToken,
        Self::WrongToken,
        Self::Malformed,
        Self::TokenReviewFailed,
        Self::Forbidden,
        Self::ReviewFailed,
    ];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoTrust => "no_trust",
            Self::Untrusted => "untrusted",
            Self::NotAllowed => "not_allowed",
            Self::NoUser => "no_user",
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::Malformed => "malformed",
            Self::TokenReviewFailed => "token_review_failed",
            Self::Forbidden => "forbidden",
            Self::ReviewFailed => "review_failed",
        }
    }
}

impl From<&Refusal> for Reason {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated { why } => Self::from(why),
            Refusal::TokenReviewFailed { .. } => Self::TokenReviewFailed,
            Refusal::Forbidden { .. } => Self::Forbidden,
            Refusal::ReviewFailed { .. } => Self::ReviewFailed,
        }
    }
}

impl From<&Stranger> for Reason {
    fn from(stranger: &Stranger) -> Self {
        match stranger {
            Stranger::NoTrust => Self::NoTrust,
            Stranger::Untrusted { .. } => Self::Untrusted,
            Stranger::NotAllowed { .. } => Self::NotAllowed,
            Stranger::NoUser | Stranger::NotText { .. } | Stranger::TooLong { .. } => Self::NoUser,
            Stranger::NoToken => Self::NoToken,
            Stranger::WrongToken | Stranger::UnknownToken { .. } => Self::WrongToken,
            Stranger::Malformed { .. } => Self::Malformed,
        }
    }
}

/// What one kind of question to the cluster came to since the start.
#[derive(Debug, Default)]
pub struct Asked {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) made: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) evicted: AtomicU64,
}

/// The door's counters since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) reviews: Arc<Asked>,
    pub(crate) tokens: Arc<Asked>,
    refused: [AtomicU64; Reason::ALL.len()],
}

impl Asked {
    /// Questions whose answer was remembered.
    #[must_use]
    pub fn cache_hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Questions whose answer was not, including those shared with one in flight.
    #[must_use]
    pub fn cache_misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Questions that were asked.
    #[must_use]
    pub fn reviews_made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Questions that got no answer.
    #[must_use]
    pub fn reviews_failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Answers forgotten before their time, because there were too many.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// What users may do: SubjectAccessReviews.
    #[must_use]
    pub fn reviews(&self) -> &Asked {
        &self.reviews
    }

    /// Whose tokens are: TokenReviews.
    #[must_use]
    pub fn tokens(&self) -> &Asked {
        &self.tokens
    }

    /// Requests refused for `reason`.
    #[must_use]
    pub fn refused(&self, reason: Reason) -> u64 {
        self.refused.get(reason as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn refuse(&self, reason: Reason) {
        if let Some(count) = self.refused.get(reason as usize) {
            increment(count);
        }
    }
}

pub(crate) fn increment(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
