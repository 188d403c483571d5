//! Every answer that is an error, and its `metav1.Status`.

use crate::api::wire::Kind;
use crate::api::wire::protobuf::Message;
use crate::auth;
use crate::domain::error_chain::ErrorChain;
use crate::domain::identity::Attributes;
use crate::domain::limits;
use http::StatusCode;
use serde::Serialize;

/// Why a request gets no metric. The message is what an on-call person reads in
/// `kubectl describe hpa`.
#[derive(Debug)]
pub(crate) struct Refusal {
    reason: Reason,
    message: String,
    /// What the Status says about the thing asked for.
    details: Option<Details>,
    /// The methods that are allowed, for the header of a 405.
    pub(crate) allow: Option<&'static str>,
    /// After how many seconds to ask again, never for a metric.
    pub(crate) retry_after: Option<u8>,
}

/// The reasons of Kubernetes that Foresail uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    TooManyRequests,
    InternalError,
    Timeout,
}

impl Reason {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::TooManyRequests => "TooManyRequests",
            Self::InternalError => "InternalError",
            Self::Timeout => "Timeout",
        }
    }
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: None, allow: None, retry_after: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// There is no such metric, or it has no value now.
    ///
    /// Both are 404, as prometheus-adapter answers them. The HPA treats every error alike and
    /// shows the message, so the message tells them apart. 503 is what kube-apiserver itself says
    /// when it cannot reach Foresail; a metric without a value must not look like that. No answer
    /// about a metric carries `Retry-After`: client-go would sleep on it inside one of the HPA's few
    /// workers.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Reason::NotFound, message)
    }

    /// The path leads nowhere; worded as API servers do, because clients look for it.
    pub(crate) fn unmatched() -> Self {
        let message = "the server could not find the requested resource";
        Self { details: Some(Details::default()), ..Self::not_found(message) }
    }

    /// The path is there, but not for this method; `allow` lists the methods it is there for.
    pub(crate) fn method(allow: &'static str) -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self { allow: Some(allow), ..Self::new(Reason::MethodNotAllowed, message) }
    }

    /// Too many ask for documents at once. Only those are turned away, and may be told to wait.
    pub(crate) fn too_many() -> Self {
        let seconds = limits::documents::RETRY_AFTER_SECONDS;
        let details = Details { retry_after_seconds: seconds, ..Details::default() };
        let message = "too many requests for documents are in progress";
        Self {
            details: Some(details),
            retry_after: Some(seconds),
            ..Self::new(Reason::TooManyRequests, message)
        }
    }

    /// The door is closed for this request.
    pub(crate) fn at_the_door(refusal: &auth::Refusal, attributes: &Attributes) -> Self {
        let message = ErrorChain(refusal).to_string();
        match refusal {
            auth::Refusal::Unauthenticated { .. } => Self::new(Reason::Unauthorized, message),
            auth::Refusal::Forbidden { .. } => {
                let details = Some(Details::of(attributes));
                Self { details, ..Self::new(Reason::Forbidden, message) }
            }
            auth::Refusal::ReviewFailed { .. } | auth::Refusal::TokenReviewFailed { .. } => {
                Self::new(Reason::InternalError, message)
            }
        }
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    /// The body.
    pub(crate) fn status(&self) -> Status<'_> {
        Status {
            kind: "Status",
            api_version: "v1",
            metadata: Empty {},
            status: "Failure",
            message: &self.message,
            reason: self.reason.as_str(),
            details: self.details.as_ref(),
            code: self.reason.status().as_u16(),
        }
    }
}

/// `metav1.Status`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    status: &'static str,
    message: &'a str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Details>,
    code: u16,
}

impl Kind for Status<'_> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn api_version(&self) -> &str {
        self.api_version
    }

    fn fields(&self, message: &mut Message) {
        message.text(2, self.status);
        message.text(3, self.message);
        message.text(4, self.reason);
        if let Some(details) = self.details {
            message.message(5, |it| details.fields(it));
        }
        message.number(6, self.code.into());
    }
}

#[derive(Debug, Serialize)]
struct Empty {}

/// `metav1.StatusDetails`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "is_zero")]
    retry_after_seconds: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl Details {
    fn fields(&self, message: &mut Message) {
        message.text_if_any(1, &self.name);
        message.text_if_any(2, self.group);
        message.text_if_any(3, &self.kind);
        if self.retry_after_seconds > 0 {
            message.number(5, self.retry_after_seconds.into());
        }
    }

    fn of(attributes: &Attributes) -> Self {
        match attributes {
            Attributes::Resource { group, resource, name, .. } => Self {
                name: name.clone(),
                group: *group,
                kind: resource.clone(),
                retry_after_seconds: 0,
            },
            Attributes::Path { .. } => Self::default(),
        }
    }
}
