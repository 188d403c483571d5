//! Bearer tokens of people and services that come without kube-apiserver between: whose they are, as
//! the cluster said lately.

use crate::auth::counters::Asked;
use crate::auth::memory::{self, Bounds, Memory};
use crate::auth::{Refusal, Stranger};
use crate::domain::identity::User;
use crate::domain::limits::door;
use crate::domain::ports::{TokenReviewFailed, Tokens};
use futures::FutureExt;
use http::{HeaderMap, header};
use ring::digest::{SHA256, digest};
use std::sync::Arc;
use std::time::Instant;

/// A token by its digest: what opens the door is never kept.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

/// The owner, or why there is none.
type Owner = Result<Arc<User>, Arc<str>>;

/// The remembered owners, and who knows them.
#[derive(Debug)]
pub(crate) struct Owners {
    tokens: Arc<dyn Tokens>,
    memory: Memory<Digest>,
}

impl Owners {
    pub(crate) fn new(tokens: Arc<dyn Tokens>, counts: Arc<Asked>) -> Self {
        let bounds = Bounds { kept_max: door::TOKENS_MAX, at_once: door::TOKEN_REVIEWS_AT_ONCE };
        Self { tokens, memory: Memory::new(bounds, counts) }
    }

    /// Whose `token` is.
    pub(crate) async fn owner(&self, token: &str, now: Instant) -> Result<User, Refusal> {
        let ask = |_| {
            let (tokens, token) = (Arc::clone(&self.tokens), token.to_owned());
            async move {
                let owner = tokens.owner(&token).await?;
                Ok(owner.and_then(named).map(Arc::new).map_err(Arc::from))
            }
            .boxed()
        };
        match self.memory.answer(&Arc::new(Digest::of(token)), now, ask).await {
            Ok(Ok(user)) => Ok(User::clone(&user)),
            Ok(Err(problem)) => {
                let why = Stranger::UnknownToken { problem: problem.as_ref().to_owned() };
                Err(Refusal::Unauthenticated { why })
            }
            Err(cause) => Err(Refusal::TokenReviewFailed { cause }),
        }
    }
}

/// The user, who must have a name, as one who is known.
fn named(user: User) -> Result<User, String> {
    if user.name.is_empty() { Err("its owner has no name".to_owned()) } else { Ok(user.known()) }
}

impl Digest {
    fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        // Both have the length of SHA-256.
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

impl memory::Question for Digest {
    type Answer = Owner;
    type Failed = TokenReviewFailed;

    fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// The token of a request; `None` when it shows no credentials of this kind at all.
pub(crate) fn token(headers: &HeaderMap) -> Option<Result<&str, Stranger>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        // One reader would believe the first, and another one the last.
        return Some(Err(Stranger::Malformed { problem: "there are several" }));
    }
    Some(parse(value.as_bytes()))
}

fn parse(value: &[u8]) -> Result<&str, Stranger> {
    let malformed = |problem| Stranger::Malformed { problem };
    let token = after_scheme(value).ok_or(malformed("it is not `Bearer TOKEN`"))?;
    if token.len() > door::TOKEN_BYTES_MAX {
        return Err(malformed("the token is too long"));
    }
    match std::str::from_utf8(token) {
        Ok(token) if !token.is_empty() && token.bytes().all(|it| it.is_ascii_graphic()) => {
            Ok(token)
        }
        _ => Err(malformed("the token is not one word of visible characters")),
    }
}

/// What follows `Bearer`, whose case does not matter.
pub(crate) fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
