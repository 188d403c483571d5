//! External metrics beside another server of them: whether they are served here, and what becomes of a
//! request for one that is not known here.

use crate::api::answer::Answer;
use crate::api::external_metrics;
use crate::api::metrics::{Metrics, PassedOn as Outcome};
use crate::api::path::{Ask, ExternalAsk, Group};
use crate::api::query::Query;
use crate::api::refusal::{Reason, Refusal};
use crate::api::world::{World, cut};
use crate::domain::fallback::{Fallback, NoReply, PassedOn, Reply};
use crate::domain::identity::User;
use crate::domain::selector::Selector;
use http::{HeaderMap, header};
use std::fmt;
use std::sync::Arc;

/// What holds for external metrics now.
#[derive(Clone, Debug)]
pub struct External {
    /// Whether they are served at all.
    pub is_served: bool,
    /// Who is asked for those that are not known here.
    pub fallback: Option<Arc<dyn Fallback>>,
}

impl Default for External {
    fn default() -> Self {
        Self { is_served: true, fallback: None }
    }
}

/// Tells what holds for external metrics; a configuration may change it at any time.
#[derive(Clone)]
pub struct ExternalRules(Arc<dyn Fn() -> External + Send + Sync>);

impl ExternalRules {
    /// Rules that call `told`, once for each request.
    #[must_use]
    pub fn new(told: impl Fn() -> External + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    pub(crate) fn now(&self) -> External {
        (self.0)()
    }
}

impl Default for ExternalRules {
    fn default() -> Self {
        Self::new(External::default)
    }
}

impl fmt::Debug for ExternalRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalRules")
    }
}

/// What a request for an external metric says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) query: &'a Query<'a>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) user: &'a User,
}

impl External {
    /// Refuses what is asked for about external metrics where they are not served.
    pub(crate) fn check(&self, ask: &Ask) -> Result<(), Refusal> {
        match ask {
            _ if self.is_served || ask.group() != Some(Group::External) => Ok(()),
            Ask::External(_) => Err(Refusal::not_found(
                "external metrics are not served here (`externalMetrics.serve` is false); no APIService \
                 of external.metrics.k8s.io may lead to Foresail",
            )),
            Ask::Custom(_) | Ask::Document(_) | Ask::Malformed | Ask::Unmatched { .. } => {
                Err(Refusal::unmatched())
            }
        }
    }

    /// The other server's answer, where there is one and the metric is not known here.
    ///
    /// # Errors
    /// `Refusal` where it has none, or must not be asked.
    pub(crate) async fn passed_on(
        &self,
        asked: Asked<'_>,
        world: &World<'_>,
        metrics: &Metrics,
    ) -> Result<Option<Answer>, Refusal> {
        let (Some(fallback), Ask::External(ask)) = (&self.fallback, asked.ask) else {
            return Ok(None);
        };
        if external_metrics::locate(ask, world).is_some() || asked.query.is_set("watch") {
            return Ok(None);
        }
        let what =
            format!("external metric {} in namespace {}", cut(&ask.metric), cut(&ask.namespace));
        if is_from_foresail(asked.headers) {
            metrics.pass_on(Outcome::Looped);
            return Err(Refusal::not_found(format!(
                "no policy publishes {what}; the request came from another Foresail, so {} is not asked",
                fallback.name()
            )));
        }
        let request = request(ask, &asked)?;
        let reply = fallback.ask(request).await;
        metrics.pass_on(outcome(&reply));
        let no_reply = match reply {
            Ok(reply) => match Answer::passed_on(reply) {
                Some(answer) => return Ok(Some(answer)),
                None => NoReply::Unusable("the type of its answer is no text".to_owned()),
            },
            Err(no_reply) => no_reply,
        };
        let text = format!("no policy publishes {what}; {} {no_reply}", fallback.name());
        Err(Refusal::new(reason(&no_reply), text + hint(&no_reply)))
    }
}

/// What is passed on is what the cluster was asked about: the selector that could be read.
fn request<'a>(ask: &'a ExternalAsk, asked: &Asked<'a>) -> Result<PassedOn<'a>, Refusal> {
    let selector = asked.query.first("labelSelector").unwrap_or_default();
    Selector::parse(selector).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let accept = asked.headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let (namespace, metric) = (ask.namespace.as_str(), ask.metric.as_str());
    Ok(PassedOn { user: asked.user, namespace, metric, selector, accept })
}

/// Whether a Foresail has passed the request on already (RFC 9110, 7.6.3): two that have each other as
/// fallback would never end.
fn is_from_foresail(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::VIA).into_iter().filter_map(|it| it.to_str().ok());
    let mut hops = lines.flat_map(|it| it.split(','));
    hops.any(|hop| {
        hop.split_whitespace().nth(1).is_some_and(|it| it.eq_ignore_ascii_case("foresail"))
    })
}

fn outcome(reply: &Result<Reply, NoReply>) -> Outcome {
    match reply {
        Ok(_) => Outcome::Answered,
        Err(NoReply::Absent(_)) => Outcome::Absent,
        Err(NoReply::Malformed(_) | NoReply::Forbidden(_) | NoReply::NotLetIn { .. }) => {
            Outcome::Refused
        }
        Err(NoReply::Failed { .. } | NoReply::Unusable(_)) => Outcome::Failed,
        Err(NoReply::TimedOut(_)) => Outcome::TimedOut,
        Err(NoReply::TooMany(_)) => Outcome::TooMany,
    }
}

fn reason(no_reply: &NoReply) -> Reason {
    match no_reply {
        NoReply::Absent(_) => Reason::NotFound,
        NoReply::Malformed(_) => Reason::BadRequest,
        NoReply::Forbidden(_) => Reason::Forbidden,
        NoReply::TimedOut(_) => Reason::Timeout,
        // Too many are no 429: a client of Kubernetes would sleep on it.
        NoReply::NotLetIn { .. }
        | NoReply::Failed { .. }
        | NoReply::Unusable(_)
        | NoReply::TooMany(_) => Reason::InternalError,
    }
}

/// What to do about it, where that is not the other server's matter.
fn hint(no_reply: &NoReply) -> &'static str {
    match no_reply {
        NoReply::NotLetIn { status: 401, .. } => {
            "; hint: the token or certificate of `externalMetrics.fallback` proves nobody to it"
        }
        NoReply::NotLetIn { .. } => {
            "; hint: the account of `externalMetrics.fallback` needs the right to list external.metrics.k8s.io"
        }
        NoReply::Unusable(_) => "; hint: look at `externalMetrics.fallback`",
        NoReply::Absent(_)
        | NoReply::Malformed(_)
        | NoReply::Forbidden(_)
        | NoReply::Failed { .. }
        | NoReply::TimedOut(_)
        | NoReply::TooMany(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_request_that_a_foresail_passed_on_is_known_by_its_way() {
        for (lines, expected) in [
            (&[][..], false),
            (&["1.1 foresail"], true),
            (&["1.0 fred, 1.1 Foresail (proxy)"], true),
            (&["1.1 other", "2.0 foresail"], true),
            (&["1.1 foresail.example"], false),
            (&["foresail"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::VIA, HeaderValue::from_static(line));
            }
            assert_eq!(is_from_foresail(&headers), expected, "{lines:?}");
        }
    }
}
