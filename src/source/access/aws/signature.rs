//! Signatures of Amazon (SigV4).

use super::Keys;
use crate::source::ReadError;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use jiff::Timestamp;
use reqwest::Request;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use std::time::SystemTime;
use tracing::subscriber::{NoSubscriber, with_default};

/// Headers of Amazon's own are signed, too.
const OWN: &str = "x-amz-";

/// Signs `request` as it is at `now`: the server takes it for some minutes.
pub(in crate::source) fn signed(
    mut request: Request,
    keys: &Keys,
    (region, service): (&str, &str),
    now: Timestamp,
) -> Result<Request, ReadError> {
    let unfit =
        || ReadError::NoCredentials("the request cannot be signed with these keys".to_owned());
    let url = request.url_mut();
    // A signature is over what a space is called everywhere else.
    let query = url.query().map(|it| it.replace('+', "%20"));
    url.set_query(query.as_deref());
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let is_signed = |name: &HeaderName| *name == CONTENT_TYPE || name.as_str().starts_with(OWN);
    let own = request.headers().iter().filter(|(name, _)| is_signed(name));
    let own = own.filter_map(|(name, text)| Some((name.as_str(), text.to_str().ok()?)));
    let headers = std::iter::once(("host", host.as_str())).chain(own);
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let identity = keys.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::from(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unfit())?;
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        headers,
        SignableBody::Bytes(body),
    )
    .map_err(|_| unfit())?;
    let parameters = parameters.into();
    // At its most talkative the crate tells the log for which key it signs.
    let instructions = with_default(NoSubscriber::new(), || sign(signable, &parameters));
    let (instructions, _) = instructions.map_err(|_| unfit())?.into_parts();
    for (name, text) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        let mut text = HeaderValue::from_str(text).map_err(|_| unfit())?;
        text.set_sensitive(true);
        request.headers_mut().insert(name, text);
    }
    Ok(request)
}
