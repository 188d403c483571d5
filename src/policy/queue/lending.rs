//! To which namespaces an operator lends the identity that Foresail itself has at a cloud.
//!
//! Whoever may sign as Foresail may ask whatever Foresail may ask, also about what belongs to
//! somebody else: so nobody does who owns no more than a namespace, until the operator says so.

use super::reach::{Reach, matches};
use super::{Place, QueueServer, SqsSigner};
use crate::domain::name::Namespace;
use std::sync::Arc;

/// The namespaces, each by its name or a pattern in which `*` stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lending(Arc<[Box<str>]>);

impl Lending {
    /// To those whose names are like one of these; `Err` has the place of the first that is like
    /// none that a namespace can have.
    ///
    /// # Errors
    /// When one of them is no pattern of names.
    pub fn to<'t>(patterns: impl IntoIterator<Item = &'t str>) -> Result<Self, usize> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-*".contains(c);
        let pattern = |(index, text): (usize, &str)| {
            let is_pattern = !text.is_empty() && text.len() <= 63 && text.chars().all(is_plain);
            if is_pattern { Ok(text.into()) } else { Err(index) }
        };
        patterns.into_iter().enumerate().map(pattern).collect::<Result<_, _>>().map(Self)
    }

    /// To all.
    #[must_use]
    pub fn to_all() -> Self {
        Self([Box::from("*")].into())
    }

    /// Whether a policy may ask a server as whom it wants to.
    #[must_use]
    pub fn permits(&self, server: &QueueServer) -> bool {
        borrower(server).is_none_or(|it| self.0.iter().any(|known| matches(known, it.as_str())))
    }
}

/// The namespace whose policy wants to ask this server as Foresail; `None` where it does not, or
/// belongs to those who run the cluster.
#[must_use]
pub fn borrower(server: &QueueServer) -> Option<&Namespace> {
    match (&server.place, &server.reach) {
        (
            Place::Sqs { signer: SqsSigner::Foresail { .. }, .. },
            Reach::Within { namespace, .. },
        ) => Some(namespace),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::queue::Credentials;
    use std::time::Duration;

    fn server(signer: SqsSigner, namespace: Option<&str>) -> QueueServer {
        let reach = match namespace {
            Some(it) => {
                Reach::Within { namespace: Namespace::new(it).unwrap(), listed: Arc::default() }
            }
            None => Reach::Anywhere,
        };
        let place = Place::Sqs { endpoint: "https://sqs".into(), region: "r".into(), signer };
        QueueServer { place, credentials: Credentials::new(), timeout: Duration::ZERO, reach }
    }

    #[test]
    fn who_owns_a_namespace_asks_as_foresail_only_where_that_is_lent() {
        let own = SqsSigner::Foresail { role: None };
        let role = SqsSigner::Foresail { role: Some("arn:aws:iam::1:role/a".into()) };
        for (lent, namespace, is_permitted) in [
            (vec![], Some("jobs"), false),
            (vec!["other"], Some("jobs"), false),
            (vec!["job"], Some("jobs"), false),
            (vec!["other", "jobs"], Some("jobs"), true),
            (vec!["team-*"], Some("team-a"), true),
            (vec!["team-*"], Some("jobs"), false),
            (vec!["*"], Some("jobs"), true),
            (vec![], None, true),
        ] {
            let lending = Lending::to(lent.iter().copied()).unwrap();
            for signer in [&own, &role] {
                let server = server(signer.clone(), namespace);
                assert_eq!(lending.permits(&server), is_permitted, "{lent:?} {namespace:?}");
            }
            assert!(lending.permits(&server(SqsSigner::AccessKey, namespace)), "its own key");
        }
        assert_eq!(Lending::to(["jobs", "Jobs"]), Err(1));
    }
}
