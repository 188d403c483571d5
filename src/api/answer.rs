//! From an answer or a refusal to the HTTP response.

use crate::api::discovery::shelf::Page;
use crate::api::gzip;
use crate::api::negotiation::{Form, Layout};
use crate::api::refusal::{Reason, Refusal};
use crate::api::wire;
use crate::domain::fallback::Reply;
use crate::telemetry::health::Report;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, private");
const CACHE: HeaderValue = HeaderValue::from_static("public");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const BY_ACCEPT: HeaderValue = HeaderValue::from_static("Accept");
const BY_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// What is answered; a client without a content type would take the body for protobuf, so there
/// always is one.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: HeaderValue,
    body: Bytes,
    /// Of a document that clients keep.
    etag: Option<HeaderValue>,
    may_be_cached: bool,
}

impl Answer {
    pub(crate) fn of(body: Vec<u8>, form: Form) -> Self {
        Self::with_type(body.into(), form.content_type())
    }

    /// What another server answered; `None` if its type cannot be told.
    pub(crate) fn passed_on(reply: Reply) -> Option<Self> {
        let content_type = HeaderValue::try_from(reply.content_type).ok()?;
        Some(Self::with_type(reply.body.into(), content_type))
    }

    pub(crate) fn json(body: Vec<u8>) -> Self {
        Self::of(body, Form::Json(Layout::Compact))
    }

    pub(crate) fn with(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A document that clients keep as long as its tag stays.
    pub(crate) fn page(page: Page, content_type: HeaderValue) -> Self {
        Self { etag: Some(page.etag), ..Self::with_type(page.body, content_type) }
    }

    /// Also by whoever stands between.
    pub(crate) fn cached(self) -> Self {
        Self { may_be_cached: true, ..self }
    }

    pub(crate) fn report(report: Report) -> Self {
        let status = if report.ok { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self::with_type(report.text.into(), TEXT).with(status)
    }

    fn with_type(body: Bytes, content_type: HeaderValue) -> Self {
        Self { status: StatusCode::OK, content_type, body, etag: None, may_be_cached: false }
    }

    /// A refusal's Status. If even that could not be written, the code has to say it all.
    fn refused(refusal: &Refusal, form: Form) -> Self {
        let body = wire::encode(&refusal.status(), form).unwrap_or_default();
        Self::of(body, form).with(refusal.reason().status())
    }
}

/// The response, with the headers that API servers send.
pub(crate) fn respond(
    answer: Result<Answer, Refusal>,
    form: Form,
    request: &HeaderMap,
) -> Response {
    let mut headers = HeaderMap::with_capacity(8);
    let answer = answer.unwrap_or_else(|refusal| {
        if refusal.reason() == Reason::Forbidden {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        }
        if let Some(allow) = refusal.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(seconds) = refusal.retry_after {
            headers.insert(header::RETRY_AFTER, u16::from(seconds).into());
        }
        Answer::refused(&refusal, form)
    });
    let Answer { mut status, content_type, mut body, etag, may_be_cached } = answer;
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, if may_be_cached { CACHE } else { NO_CACHE });
    if let Some(id) = request.get(&AUDIT_ID) {
        headers.insert(AUDIT_ID, id.clone());
    }
    if let Some(etag) = etag {
        if has(request, &etag) {
            status = StatusCode::NOT_MODIFIED;
            body = Bytes::new();
            headers.remove(header::CONTENT_TYPE);
        }
        headers.insert(header::ETAG, etag);
        headers.insert(header::VARY, BY_ACCEPT);
    }
    if body.len() > gzip::BYTES_MIN
        && takes_gzip(request)
        && let Ok(packed) = gzip::gzip(&body)
    {
        body = packed.into();
        headers.insert(header::CONTENT_ENCODING, GZIP);
        headers.append(header::VARY, BY_ENCODING);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Whether the client has this version of a document already.
fn has(request: &HeaderMap, etag: &HeaderValue) -> bool {
    elements(request, header::IF_NONE_MATCH)
        .map(|it| it.strip_prefix("W/").unwrap_or(it))
        .any(|it| it == "*" || it.as_bytes() == etag.as_bytes())
}

/// As API servers read it: the word alone counts.
fn takes_gzip(request: &HeaderMap) -> bool {
    elements(request, header::ACCEPT_ENCODING)
        .any(|it| it.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case("gzip")))
}

fn elements(request: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let texts = request.get_all(name).into_iter().filter_map(|it| it.to_str().ok());
    texts.flat_map(|it| it.split(',')).map(str::trim)
}
