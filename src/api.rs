//! The Kubernetes face: what an aggregated API server answers for `custom.metrics.k8s.io` and
//! `external.metrics.k8s.io`, in JSON, YAML or
//! protobuf, with the documents that describe them.
//!
//! In come requests, out come answers from the newest snapshot. A request never waits for a source
//! and never starts a read; what it may wait for is the cluster's word on its user, the first read of a
//! rule's metric, and another server, where that is asked for external metrics that are not known here.

mod answer;
mod custom_metrics;
mod discovery;
mod external_metrics;
mod fallback;
mod gzip;
pub mod metrics;
mod negotiation;
mod on_demand;
mod openapi;
mod path;
mod query;
mod refusal;
mod turn;
mod wire;
mod world;

pub use fallback::{External, ExternalRules};
pub use on_demand::OnDemand;

use crate::api::answer::Answer;
use crate::api::discovery::shelf::{Shelf, Title};
use crate::api::fallback::Asked;
use crate::api::metrics::Metrics;
use crate::api::negotiation::{Form, Layout};
use crate::api::on_demand::Demanded;
use crate::api::path::{Ask, Document, Group};
use crate::api::query::Query;
use crate::api::refusal::{Reason, Refusal};
use crate::api::turn::Turn;
use crate::api::world::World;
use crate::auth::peer::Peer;
use crate::auth::{Door, Now};
use crate::domain::identity::User;
use crate::domain::limits;
use crate::domain::ports::Pods;
use crate::domain::selector::Selector;
use crate::published::{Published, Snapshot};
use crate::telemetry::health::Health;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tracing::warn;

/// What the face answers from.
#[derive(Clone, Debug)]
pub struct Face {
    /// The values.
    pub published: Arc<Published>,
    /// The metrics of rules.
    pub on_demand: OnDemand,
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
    /// How many metrics the list of each group names.
    pub listed_max: ListedMax,
    /// What holds for external metrics.
    pub external: ExternalRules,
}

/// Tells how many metrics a list names; a configuration may change it at any time.
#[derive(Clone)]
pub struct ListedMax(Arc<dyn Fn() -> usize + Send + Sync>);

impl ListedMax {
    /// A limit that calls `told`, once for each request for a document.
    #[must_use]
    pub fn new(told: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }
}

impl Default for ListedMax {
    fn default() -> Self {
        Self::new(|| limits::documents::METRICS_LISTED)
    }
}

impl fmt::Debug for ListedMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ListedMax")
    }
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
    let server = Server { face, shelf: Shelf::new(), documents: AtomicUsize::new(0) };
    let server = Arc::new(server);
    // One door for all paths: what is asked for is read from the path once, both for the answer
    // and for the attributes that the user needs, so the two cannot disagree.
    axum::Router::new().fallback(move |request: Request| {
        let server = Arc::clone(&server);
        async move { server.serve(request).await }
    })
}

/// The face, with what it remembers between requests.
#[derive(Debug)]
struct Server {
    face: Face,
    shelf: Shelf,
    /// Requests for documents in progress.
    documents: AtomicUsize,
}

impl Server {
    async fn serve(&self, request: Request) -> Response {
        let (mut parts, _) = request.into_parts();
        let ask = path::parse(parts.uri.path());
        let timer = self.face.metrics.begin(&ask);
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let layout =
            query.as_ref().map_or(Layout::Compact, |it| negotiation::layout(it, &parts.headers));
        // Who takes nothing that is offered learns so in JSON, if it may learn anything.
        let form = negotiation::form(layout, &parts.headers);
        let shown = form.unwrap_or(Form::Json(layout));
        let now = self.face.clock.now();
        let selector = selector(&ask, query.as_ref().ok());
        let admitted = self.admit(&parts, (&ask, &selector), now).await;
        self.face.door.strip(&mut parts.headers);
        let answer = async {
            let (_turn, user) = admitted?;
            let external = self.face.external.now();
            external.check(&ask)?;
            check_form(&parts, &ask, form)?;
            let query =
                query.map_err(|_| Refusal::bad_request("the query parameters are not UTF-8"))?;
            if let Some(demanded) = self.demanded(&ask, &query, now).await? {
                return self.of_rule(&demanded, &ask, &query, shown);
            }
            let headers = &parts.headers;
            let asked = Asked { ask: &ask, query: &query, headers, user: &user };
            match self.passed_on(&external, asked, now).await? {
                Some(answer) => Ok(answer),
                None => self.answer((headers, &external), &ask, &query, shown, now),
            }
        };
        let answer = answer.await;
        let response = answer::respond(answer, shown, &parts.headers);
        timer.end(response.status());
        response
    }

    /// Lets the request in, and counts it until its answer is made.
    async fn admit(
        &self,
        parts: &Parts,
        (ask, selector): (&Ask, &Selector),
        now: Now,
    ) -> Result<(Turn<'_>, User), Refusal> {
        let turn = Turn::take(ask, &self.documents)?;
        let attributes = ask.attributes(&parts.method, parts.uri.path(), selector);
        let stranger = Peer::default();
        let peer = parts.extensions.get::<Arc<Peer>>().map_or(&stranger, AsRef::as_ref);
        let admitted = self.face.door.admit(peer, &parts.headers, &attributes, now).await;
        admitted
            .map(|user| (turn, user))
            .map_err(|refusal| Refusal::at_the_door(&refusal, &attributes))
    }

    /// The answer of a rule, where `ask` is for a metric of one that no policy publishes.
    async fn demanded(
        &self,
        ask: &Ask,
        query: &Query<'_>,
        now: Now,
    ) -> Result<Option<Demanded>, Refusal> {
        if !matches!(ask, Ask::Custom(_) | Ask::External(_)) {
            return Ok(None);
        }
        let (snapshot, rules) = (self.face.published.load(), self.face.on_demand.board.load());
        let pods = &*self.face.pods;
        let world = World { snapshot: &snapshot, rules: &rules, pods, now: now.time };
        self.face.on_demand.find(ask, query, &world).await
    }

    /// The answer of another server, where there is one and `asked` is for nothing that is known here.
    async fn passed_on(
        &self,
        external: &External,
        asked: Asked<'_>,
        now: Now,
    ) -> Result<Option<Answer>, Refusal> {
        if external.fallback.is_none() {
            return Ok(None);
        }
        let (snapshot, rules) = (self.face.published.load(), self.face.on_demand.board.load());
        let pods = &*self.face.pods;
        let world = World { snapshot: &snapshot, rules: &rules, pods, now: now.time };
        external.passed_on(asked, &world, &self.face.metrics).await
    }

    fn of_rule(
        &self,
        demanded: &Demanded,
        ask: &Ask,
        query: &Query<'_>,
        form: Form,
    ) -> Result<Answer, Refusal> {
        // The request may have waited.
        let now = self.face.clock.now().time;
        demanded.body(ask, query, form, now).map(|it| Answer::of(it, form))
    }

    fn answer(
        &self,
        (headers, external): (&HeaderMap, &External),
        ask: &Ask,
        query: &Query<'_>,
        form: Form,
        now: Now,
    ) -> Result<Answer, Refusal> {
        let (snapshot, rules) = (self.face.published.load(), self.face.on_demand.board.load());
        let pods = &*self.face.pods;
        let world = World { snapshot: &snapshot, rules: &rules, pods, now: now.time };
        match ask {
            Ask::Custom(ask) => {
                custom_metrics::answer(ask, query, form, &world).map(|it| Answer::of(it, form))
            }
            Ask::External(ask) => {
                external_metrics::answer(ask, query, form, &world).map(|it| Answer::of(it, form))
            }
            Ask::Document(Document::Health { probe, check }) => {
                let health = &self.face.health;
                let report = match check {
                    Some(check) => health.report_one(*probe, check),
                    None => {
                        let excluded: Vec<&str> = query.all("exclude").collect();
                        let is_verbose = query.first("verbose").is_some();
                        Some(health.report(*probe, is_verbose, &excluded))
                    }
                };
                report.map(Answer::report).ok_or_else(Refusal::unmatched)
            }
            Ask::Document(document) => {
                let served = Group::served(external.is_served);
                self.document(document, (headers, served), form, &snapshot)
            }
            Ask::Malformed => Err(Refusal::bad_request(
                "invalid request path: an object's metric is at \
                 namespaces/NAMESPACE/RESOURCE/NAME/METRIC, a namespace's own at \
                 namespaces/NAMESPACE/metrics/METRIC",
            )),
            Ask::Unmatched { is_api: true } => Err(Refusal::unmatched()),
            Ask::Unmatched { is_api: false } => {
                let served = Group::served(external.is_served);
                let body = wire::to_bytes(&discovery::paths(served), form.layout())?;
                Ok(Answer::json(body).with(StatusCode::NOT_FOUND))
            }
        }
    }

    fn document(
        &self,
        document: &Document,
        (headers, served): (&HeaderMap, &'static [Group]),
        form: Form,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Answer, Refusal> {
        self.look(snapshot, served);
        let json = Form::Json(Layout::Compact);
        let (title, form) = match document {
            Document::Root => {
                let paths = discovery::paths(served);
                return wire::to_bytes(&paths, form.layout()).map(Answer::json);
            }
            Document::Build => {
                return wire::to_bytes(&discovery::build(), form.layout()).map(Answer::json);
            }
            Document::Groups => match negotiation::aggregated(headers) {
                Some(version) => {
                    let page = self.shelf.page(Title::Aggregated(version), json)?;
                    return Ok(Answer::page(page, version.content_type()).cached());
                }
                None => (Title::Groups, form),
            },
            Document::Group(group) => (Title::Group(*group), form),
            Document::Resources(version) => (Title::Resources(*version), form),
            Document::OpenApiV2 => (Title::OpenApiV2, json),
            Document::OpenApiV3 => (Title::OpenApiV3, json),
            Document::OpenApiV3Of(version) => (Title::OpenApiV3Of(*version), json),
            // Answered before: it is no document that is kept.
            Document::Health { .. } => return Err(Refusal::unmatched()),
        };
        Ok(Answer::page(self.shelf.page(title, form)?, form.content_type()))
    }

    /// Takes note of what there is to list, and says once what is not.
    fn look(&self, snapshot: &Arc<Snapshot>, served: &'static [Group]) {
        let rules = Arc::clone(&self.face.on_demand.board.load().catalogue);
        let listed = self.shelf.look(snapshot, &rules, ((self.face.listed_max.0)(), served));
        let Some(listed) = listed else { return };
        for group in Group::ALL {
            let left_out = listed.group(group).left_out;
            if self.face.metrics.leave_out(group, left_out) && left_out > 0 {
                let group = group.as_str();
                warn!(group, left_out, "too many metrics to list; they are served unlisted");
            }
        }
    }
}

/// What a list demands of labels, as far as it can be read; what cannot is refused later, to those who may
/// ask at all.
fn selector(ask: &Ask, query: Option<&Query<'_>>) -> Selector {
    let text = query.filter(|_| matches!(ask, Ask::External(_)));
    let text = text.and_then(|it| it.first("labelSelector"));
    text.and_then(|it| Selector::parse(it).ok()).unwrap_or_default()
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
        Ask::Document(Document::Groups) if negotiation::aggregated(&parts.headers).is_some() => {
            return Ok(());
        }
        Ask::Document(Document::OpenApiV2 | Document::OpenApiV3 | Document::OpenApiV3Of(_))
            if negotiation::takes_json(&parts.headers) =>
        {
            return Ok(());
        }
        Ask::Custom(_) | Ask::External(_) | Ask::Malformed | Ask::Document(_) => {}
    }
    form.map(drop).ok_or_else(|| {
        let offered = negotiation::offered();
        let message = format!("only the following media types are accepted: {offered}");
        Refusal::new(Reason::NotAcceptable, message)
    })
}
