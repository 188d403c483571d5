//! The door: who asks, and may they do that? In come a connection's certificates, a request's
//! headers and what it wants; out comes the user, or a refusal that says why.
//!
//! With a cluster, the only way in is through kube-apiserver: its front proxy shows a certificate
//! and names the user in headers, and the cluster is asked whether that user may. Without one, a
//! bearer token opens. Nothing here answers a request or reads the clock.

pub mod counters;
mod decisions;
mod front_proxy;
pub mod peer;
#[cfg(test)]
mod tests;
pub mod token;

use crate::domain::identity::{Attributes, ProxyTrust, User};
use crate::domain::ports::{ReviewFailed, Reviews};
use counters::{Counters, Reason};
use decisions::Decisions;
use http::HeaderMap;
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
        "the front proxy's authority is not known yet \
         (ConfigMap kube-system/extension-apiserver-authentication)"
    )]
    NoTrust,
    /// No certificate was shown.
    #[error("no client certificate was shown; only kube-apiserver's front proxy is let in")]
    NoCertificate,
    /// The certificate is not one of the front proxy's authority, or not valid now.
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
    /// No bearer token was sent.
    #[error("no bearer token was sent")]
    NoToken,
    /// The bearer token is wrong.
    #[error("the bearer token is wrong")]
    WrongToken,
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
    Delegated { trust: watch::Receiver<Option<Arc<ProxyTrust>>>, decisions: Decisions },
    Standalone { token: Arc<Token> },
}

impl Door {
    /// A door that believes the front proxy of `trust` and asks `reviews` what a user may.
    #[must_use]
    pub fn delegated(
        trust: watch::Receiver<Option<Arc<ProxyTrust>>>,
        reviews: Arc<dyn Reviews>,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let decisions = Decisions::new(reviews, Arc::clone(&counters));
        Self { kind: Kind::Delegated { trust, decisions }, counters }
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
            return Ok(anonymous());
        }
        let user = self.authenticate(peer, headers, now).map_err(|why| {
            self.counters.refuse(Reason::from(&why));
            Refusal::Unauthenticated { why }
        })?;
        match &self.kind {
            Kind::Standalone { .. } => Ok(user),
            Kind::Delegated { .. } if user.is_in(User::MASTERS) => Ok(user),
            Kind::Delegated { decisions, .. } => {
                self.authorize(decisions, user, attributes, now).await
            }
        }
    }

    fn authenticate(&self, peer: &Peer, headers: &HeaderMap, now: Now) -> Result<User, Stranger> {
        match &self.kind {
            Kind::Standalone { token } => token.check(headers),
            Kind::Delegated { trust, .. } => {
                let trust = trust.borrow().clone().ok_or(Stranger::NoTrust)?;
                peer.is_front_proxy(&trust, now)?;
                front_proxy::user(headers, &trust)
            }
        }
    }

    async fn authorize(
        &self,
        decisions: &Decisions,
        user: User,
        attributes: &Attributes,
        now: Now,
    ) -> Result<User, Refusal> {
        let question = decisions::Question { user, attributes: attributes.clone() };
        let (question, answer) = decisions.decide(question, now.instant).await;
        match answer {
            Ok(access) if access.allowed => Ok(question.user.clone()),
            Ok(access) => {
                self.counters.refuse(Reason::Forbidden);
                Err(Refusal::Forbidden {
                    user: question.user.name.clone(),
                    wish: wish(attributes),
                    reason: access.reason,
                })
            }
            Err(cause) => {
                self.counters.refuse(Reason::ReviewFailed);
                let user = question.user.name.clone();
                Err(Refusal::ReviewFailed { user, wish: wish(attributes), cause })
            }
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

fn anonymous() -> User {
    User {
        name: front_proxy::ANONYMOUS.to_owned(),
        uid: None,
        groups: vec![front_proxy::UNAUTHENTICATED.to_owned()],
        extra: std::collections::BTreeMap::new(),
    }
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
