//! The Kubernetes face: what an aggregated API server answers for `custom.metrics.k8s.io` and
//! `external.metrics.k8s.io`, in JSON or protobuf.
//!
//! In come requests, out come answers from the newest snapshot. A request never waits for a source
//! and never starts a read; the only thing it may wait for is the cluster's word on its user.

mod answer;
mod custom_metrics;
mod discovery;
mod external_metrics;
pub mod metrics;
mod negotiation;
mod path;
mod query;
mod refusal;
mod wire;
mod world;

use crate::api::answer::Answer;
use crate::api::metrics::Metrics;
use crate::api::negotiation::{Form, Layout};
use crate::api::path::{Ask, Document};
use crate::api::query::Query;
use crate::api::refusal::{Reason, Refusal};
use crate::api::world::World;
use crate::auth::peer::Peer;
use crate::auth::{Door, Now};
use crate::domain::ports::Pods;
use crate::published::Published;
use crate::telemetry::health::Health;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use std::fmt;
use std::sync::Arc;
use tracing::warn;

/// What the face answers from.
#[derive(Clone, Debug)]
pub struct Face {
    /// The values.
    pub published: Arc<Published>,
    /// Who may ask.
    pub door: Arc<Door>,
    /// Which pods a selector selects.
    pub pods: Arc<dyn Pods>,
    /// How the process is.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
}

/// Asks for the time; a simulation has its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// A clock that calls `now`, once for each request.
    #[must_use]
    pub fn new(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The service of the secure port. The connection's `Arc<Peer>` is expected among a request's
/// extensions; a request without one comes from a peer without a certificate.
pub fn router(face: Face) -> axum::Router {
    let face = Arc::new(face);
    // One door for all paths: what is asked for is read from the path once, both for the answer
    // and for the attributes that the user needs, so the two cannot disagree.
    axum::Router::new().fallback(move |request: Request| {
        let face = Arc::clone(&face);
        async move { face.serve(request).await }
    })
}

impl Face {
    async fn serve(&self, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        let ask = path::parse(parts.uri.path());
        let timer = self.metrics.begin(&ask);
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let layout =
            query.as_ref().map_or(Layout::Compact, |it| negotiation::layout(it, &parts.headers));
        // Who takes nothing that is offered learns so in JSON, if it may learn anything.
        let form = negotiation::form(layout, &parts.headers);
        let shown = form.unwrap_or(Form::Json(layout));
        let now = self.clock.now();
        let answer = match self.admit(&parts, &ask, now).await {
            Ok(()) => check_form(&parts, &ask, form).and_then(|()| {
                let query = query
                    .map_err(|_| Refusal::bad_request("the query parameters are not UTF-8"))?;
                self.answer(&ask, &query, shown, now)
            }),
            Err(refusal) => Err(refusal),
        };
        let response = answer::respond(answer, shown, &parts.headers);
        timer.end(response.status());
        response
    }

    async fn admit(&self, parts: &Parts, ask: &Ask, now: Now) -> Result<(), Refusal> {
        let attributes = ask.attributes(&parts.method, parts.uri.path());
        let stranger = Peer::default();
        let peer = parts.extensions.get::<Arc<Peer>>().map_or(&stranger, AsRef::as_ref);
        let admitted = self.door.admit(peer, &parts.headers, &attributes, now).await;
        admitted.map(drop).map_err(|refusal| Refusal::at_the_door(&refusal, &attributes))
    }

    fn answer(
        &self,
        ask: &Ask,
        query: &Query<'_>,
        form: Form,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let snapshot = self.published.load();
        let world = World { snapshot: &snapshot, pods: &*self.pods, now: now.time };
        match ask {
            Ask::Custom(ask) => {
                custom_metrics::answer(ask, query, form, &world).map(|it| Answer::of(it, form))
            }
            Ask::External(ask) => {
                external_metrics::answer(ask, query, form, &world).map(|it| Answer::of(it, form))
            }
            Ask::Document(document) => self.document(document, query, form, &world),
            Ask::Malformed => Err(Refusal::bad_request(
                "invalid request path: an object's metric is at \
                 namespaces/NAMESPACE/RESOURCE/NAME/METRIC, a namespace's own at \
                 namespaces/NAMESPACE/metrics/METRIC",
            )),
            Ask::Unmatched { is_api: true } => Err(Refusal::unmatched()),
            Ask::Unmatched { is_api: false } => {
                let body = wire::to_bytes(&discovery::paths(), form.layout())?;
                Ok(Answer::json(body).with(StatusCode::NOT_FOUND))
            }
        }
    }

    fn document(
        &self,
        document: &Document,
        query: &Query<'_>,
        form: Form,
        world: &World<'_>,
    ) -> Result<Answer, Refusal> {
        let body = match document {
            // These two are no kinds, and have no form but JSON.
            Document::Root => {
                return wire::to_bytes(&discovery::paths(), form.layout()).map(Answer::json);
            }
            Document::Build => {
                return wire::to_bytes(&discovery::build(), form.layout()).map(Answer::json);
            }
            Document::Groups => wire::encode(&discovery::groups(), form),
            Document::Group(group) => wire::encode(&discovery::group(*group), form),
            Document::Resources(version) => {
                let (list, left_out) = discovery::resources(*version, world.snapshot);
                if self.metrics.leave_out(version.group(), left_out) && left_out > 0 {
                    let group = version.group().as_str();
                    warn!(group, left_out, "too many metrics to list; they are served unlisted");
                }
                wire::encode(&list, form)
            }
            Document::Health { probe, check } => {
                let report = match check {
                    Some(check) => self.health.report_one(*probe, check),
                    None => {
                        let excluded: Vec<&str> = query.all("exclude").collect();
                        Some(self.health.report(
                            *probe,
                            query.first("verbose").is_some(),
                            &excluded,
                        ))
                    }
                };
                return Ok(Answer::report(report.ok_or_else(Refusal::unmatched)?));
            }
        };
        body.map(|it| Answer::of(it, form))
    }
}

/// Refuses methods and media types that are not served.
fn check_form(parts: &Parts, ask: &Ask, form: Option<Form>) -> Result<(), Refusal> {
    let is_get = parts.method == Method::GET;
    match ask {
        // Upstream knows no HEAD of a metric, although HTTP does.
        Ask::Custom(_) | Ask::External(_) | Ask::Malformed if !is_get => {
            return Err(Refusal::method("GET"));
        }
        Ask::Document(_) if !is_get && parts.method != Method::HEAD => {
            return Err(Refusal::method("GET, HEAD"));
        }
        // What has one form only goes to whoever asks.
        Ask::Document(Document::Health { .. } | Document::Root | Document::Build)
        | Ask::Unmatched { .. } => return Ok(()),
        // kube-apiserver asks for aggregated discovery and takes the plain documents instead.
        Ask::Document(Document::Groups) => return Ok(()),
        Ask::Custom(_) | Ask::External(_) | Ask::Malformed | Ask::Document(_) => {}
    }
    form.map(drop).ok_or_else(|| {
        let offered = negotiation::offered();
        let message = format!("only the following media types are accepted: {offered}");
        Refusal::new(Reason::NotAcceptable, message)
    })
}
