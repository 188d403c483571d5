//! From an answer or a refusal to the HTTP response.

use crate::api::negotiation::{Form, Layout};
use crate::api::refusal::{Reason, Refusal};
use crate::api::wire;
use crate::telemetry::health::Report;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, private");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// What is answered; a client without a content type would take the body for protobuf, so there
/// always is one.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: HeaderValue,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn of(body: Vec<u8>, form: Form) -> Self {
        Self { status: StatusCode::OK, content_type: form.content_type(), body }
    }

    pub(crate) fn json(body: Vec<u8>) -> Self {
        Self::of(body, Form::Json(Layout::Compact))
    }

    pub(crate) fn with(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn report(report: Report) -> Self {
        let status = if report.ok { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self { status, content_type: TEXT, body: report.text.into_bytes() }
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
    let mut headers = HeaderMap::with_capacity(6);
    let answer = answer.unwrap_or_else(|refusal| {
        if refusal.reason() == Reason::Forbidden {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        }
        if let Some(allow) = refusal.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        Answer::refused(&refusal, form)
    });
    headers.insert(header::CONTENT_TYPE, answer.content_type);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    if let Some(id) = request.get(&AUDIT_ID) {
        headers.insert(AUDIT_ID, id.clone());
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    response
}
