//! The door: who asks, and may they do that? In come a connection's certificates, a request's
//! headers and what it wants; out comes the user, or a refusal that says why.
//!
//! With a cluster, a user is known by the first of these that holds: kube-apiserver's front proxy shows
//! its certificate and names the user in headers; a certificate of the users' authority names its
//! holder; the cluster knows the owner of a bearer token. Who shows nothing is anonymous. Then the
//! cluster is asked whether that user may. Without a cluster, one bearer token opens. Nothing here
//! answers a request or reads the clock.

mod bearer;
mod chain;
pub mod counters;
mod decisions;
mod front_proxy;
mod memory;
pub mod peer;
#[cfg(test)]
mod tests;
pub mod token;

use crate::domain::identity::{Attributes, Trust, User};
use crate::domain::limits;
use crate::domain::ports::{ReviewFailed, Reviews, TokenReviewFailed, Tokens};
use bearer::Owners;
use counters::{Counters, Reason};
use decisions::Decisions;
use http::{HeaderMap, header};
use memory::Bounds;
use peer::Peer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use token::Token;
use tokio::sync::watch;

/// The two clocks that a decision needs, read by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For the age of what is remembered.
    pub instant: Instant,
    /// For the validity of certificates.
    pub time: jiff::Timestamp,
}

/// Where the token of the standalone mode cannot be had from.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The file cannot be read.
    #[error("failed to read the token file `{path}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// What the file holds is no token.
    #[error("the token file `{path}` is not usable: {problem}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it; never a part of its content.
        problem: String,
    },
}

/// Why a request is not let in. The message is for whoever has to find out why; it holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not known who asks: 401.
    #[error("not authenticated: {why}")]
    Unauthenticated {
        /// Why not.
        why: Stranger,
    },
    /// The user may not: 403.
    #[error("user \"{user}\" cannot {wish}{}", because(reason))]
    Forbidden {
        /// The user's name.
        user: String,
        /// What was asked for, in the words of Kubernetes.
        wish: String,
        /// The authorizer's words; may be empty.
        reason: String,
    },
    /// The cluster could not be asked whose token that is: 500, since the token may be good.
    #[error("failed to find out whose bearer token was sent")]
    TokenReviewFailed {
        /// Why.
        #[source]
        cause: Arc<TokenReviewFailed>,
    },
    /// The cluster could not be asked: 500.
    #[error("failed to find out whether user \"{user}\" can {wish}")]
    ReviewFailed {
        /// The user's name.
        user: String,
        /// What was asked for, in the words of Kubernetes.
        wish: String,
        /// Why.
        #[source]
        cause: Arc<ReviewFailed>,
    },
}

/// Why it is not known who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// Whom to trust has not been read from the cluster yet.
    #[error(
        "whom to trust is not known yet \
         (ConfigMap kube-system/extension-apiserver-authentication)"
    )]
    NoTrust,
    /// The certificate is of no authority that the cluster names, or not valid now.
    #[error("the client certificate is not trusted: {problem}")]
    Untrusted {
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate is good, but carries another name than the front proxy's.
    #[error("the client certificate's common name `{name}` is not an allowed front proxy")]
    NotAllowed {
        /// The common name; empty when there is none, or more than one.
        name: String,
    },
    /// The front proxy names no user.
    #[error("the front proxy named no user")]
    NoUser,
    /// A header that names the user is not text.
    #[error("the header `{header}` is not text")]
    NotText {
        /// Which header.
        header: String,
    },
    /// A header that names the user is longer than any name.
    #[error("the header `{header}` is too long")]
    TooLong {
        /// Which header.
        header: String,
    },
    /// No bearer token was sent.
    #[error("no bearer token was sent")]
    NoToken,
    /// The bearer token is wrong.
    #[error("the bearer token is wrong")]
    WrongToken,
    /// The cluster says that the bearer token is nobody's.
    #[error("the bearer token is not accepted: {problem}")]
    UnknownToken {
        /// The cluster's words.
        problem: String,
    },
    /// The header `Authorization` carries no token that could be asked about.
    #[error("the header `authorization` is of no use: {problem}")]
    Malformed {
        /// What is wrong; no part of the header.
        problem: &'static str,
    },
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Decides who is let in.
#[derive(Debug)]
pub struct Door {
    kind: Kind,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum Kind {
    Delegated(Delegated),
    Standalone { token: Arc<Token> },
}

/// What is left to the cluster.
#[derive(Debug)]
struct Delegated {
    trust: watch::Receiver<Option<Arc<Trust>>>,
    owners: Owners,
    decisions: Decisions,
    /// Apart, because strangers ask for what they like: they must neither use up what is remembered
    /// about users, nor hold up the questions about them.
    of_anonymous: Decisions,
}

impl Door {
    /// A door that believes the certificates of `trust`, asks `tokens` whose a token is and `reviews`
    /// what a user may.
    #[must_use]
    pub fn delegated(
        trust: watch::Receiver<Option<Arc<Trust>>>,
        tokens: Arc<dyn Tokens>,
        reviews: Arc<dyn Reviews>,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let owners = Owners::new(tokens, Arc::clone(&counters.tokens));
        let known = Bounds { kept_max: limits::DECISIONS_MAX, at_once: limits::REVIEWS_AT_ONCE };
        let anonymous = Bounds {
            kept_max: limits::door::ANONYMOUS_DECISIONS_MAX,
            at_once: limits::door::ANONYMOUS_REVIEWS_AT_ONCE,
        };
        let decisions = Decisions::new(Arc::clone(&reviews), known, Arc::clone(&counters.reviews));
        let of_anonymous = Decisions::new(reviews, anonymous, Arc::clone(&counters.reviews));
        let delegated = Delegated { trust, owners, decisions, of_anonymous };
        Self { kind: Kind::Delegated(delegated), counters }
    }

    /// A door that one bearer token opens, for everything.
    #[must_use]
    pub fn standalone(token: Arc<Token>) -> Self {
        Self { kind: Kind::Standalone { token }, counters: Arc::new(Counters::default()) }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Who makes this request, if they may do what it wants.
    ///
    /// # Errors
    /// `Refusal`, counted by its reason.
    pub async fn admit(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        attributes: &Attributes,
        now: Now,
    ) -> Result<User, Refusal> {
        if is_health(attributes) {
            return Ok(User::anonymous());
        }
        let admitted = match &self.kind {
            Kind::Standalone { token } => {
                token.check(headers).map_err(|why| Refusal::Unauthenticated { why })
            }
            Kind::Delegated(cluster) => cluster.admit(peer, headers, attributes, now).await,
        };
        admitted.inspect_err(|refusal| self.counters.refuse(Reason::from(refusal)))
    }

    /// Takes away what names a user or proves one, so that nothing behind the door can believe it or
    /// pass it on.
    pub fn strip(&self, headers: &mut HeaderMap) {
        headers.remove(header::AUTHORIZATION);
        if let Kind::Delegated(Delegated { trust, .. }) = &self.kind
            && let Some(trust) = trust.borrow().as_ref()
        {
            front_proxy::strip(headers, trust);
        }
    }
}

impl Delegated {
    async fn admit(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        attributes: &Attributes,
        now: Now,
    ) -> Result<User, Refusal> {
        let user = self.authenticate(peer, headers, now).await?;
        if user.is_in(User::MASTERS) {
            return Ok(user);
        }
        let is_anonymous = user.name == User::ANONYMOUS;
        let decisions = if is_anonymous { &self.of_anonymous } else { &self.decisions };
        authorize(decisions, user, attributes, now).await
    }

    async fn authenticate(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        now: Now,
    ) -> Result<User, Refusal> {
        let unauthenticated = |why| Refusal::Unauthenticated { why };
        let trust = self.trust.borrow().clone();
        let trust = trust.ok_or(Stranger::NoTrust).map_err(unauthenticated)?;
        let fault = if peer.has_certificate() {
            match by_certificate(peer, &trust, headers, now) {
                Ok(user) => return Ok(user),
                Err(why) => Some(why),
            }
        } else {
            None
        };
        match (bearer::token(headers), fault) {
            (Some(token), _) => {
                self.owners.owner(token.map_err(unauthenticated)?, now.instant).await
            }
            (None, Some(why)) => Err(unauthenticated(why)),
            (None, None) => Ok(User::anonymous()),
        }
    }
}

/// Whom a certificate names. The two authorities have different meaning: one vouches for a proxy that
/// names users in headers, the other one for users, whose headers are not looked at.
fn by_certificate(
    peer: &Peer,
    trust: &Arc<Trust>,
    headers: &HeaderMap,
    now: Now,
) -> Result<User, Stranger> {
    let spoken_for =
        peer.is_front_proxy(trust, now).and_then(|()| front_proxy::user(headers, trust));
    let fault = match spoken_for {
        // Who speaks for others unintelligibly is not taken for itself.
        Ok(_) | Err(Stranger::NotText { .. } | Stranger::TooLong { .. }) => return spoken_for,
        Err(fault) => fault,
    };
    match peer.user(trust, now) {
        Some(Ok(user)) => Ok(user),
        None => Err(fault),
        Some(Err(users)) => Err(match (fault, users) {
            (Stranger::Untrusted { problem }, Stranger::Untrusted { problem: of_users }) => {
                let both = format!("as the front proxy's: {problem}; as a user's: {of_users}");
                Stranger::Untrusted { problem: both }
            }
            // The authority is right, so what is missing is what helps.
            (fault, _) => fault,
        }),
    }
}

async fn authorize(
    decisions: &Decisions,
    user: User,
    attributes: &Attributes,
    now: Now,
) -> Result<User, Refusal> {
    let question = decisions::Question { user, attributes: attributes.clone() };
    let (question, answer) = decisions.decide(question, now.instant).await;
    let user = &question.user;
    match answer {
        Ok(access) if access.allowed => Ok(user.clone()),
        Ok(access) => Err(Refusal::Forbidden {
            user: user.name.clone(),
            wish: wish(attributes),
            reason: access.reason,
        }),
        Err(cause) => {
            Err(Refusal::ReviewFailed { user: user.name.clone(), wish: wish(attributes), cause })
        }
    }
}

/// Health is asked by the kubelet, which has no certificate. A path with dots or escapes is not
/// taken for one, whatever it may resolve to.
fn is_health(attributes: &Attributes) -> bool {
    let Attributes::Path { path, .. } = attributes else { return false };
    let below = |root: &&str| {
        path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["/livez", "/readyz", "/healthz"].iter().any(below)
        && !path.contains('%')
        && !path.split('/').any(|segment| segment == "." || segment == "..")
}

/// As kube-apiserver words a refusal, so that it can be searched for.
fn wish(attributes: &Attributes) -> String {
    match attributes {
        Attributes::Path { verb, path } => format!("{verb} path \"{path}\""),
        Attributes::Resource { verb, group, namespace, resource, subresource, name, .. } => {
            let mut text = format!("{verb} resource \"{resource}");
            if !subresource.is_empty() {
                text.push('/');
                text.push_str(subresource);
            }
            text.push_str(&format!("\" in API group \"{group}\""));
            if !namespace.is_empty() {
                text.push_str(&format!(" in the namespace \"{namespace}\""));
            }
            if !name.is_empty() && name != "*" {
                text.push_str(&format!(" for \"{name}\""));
            }
            text
        }
    }
}
