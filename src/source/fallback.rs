//! Another server of external metrics, asked for what is not known here: KEDA's, for instance.
//!
//! It decides by itself whom it lets in, and believes the name of a caller only from a front proxy. So
//! it is asked as an account of its own; or, with a front proxy's certificate, as the caller.

mod status;

use crate::domain::fallback::{Fallback, NoReply, PassedOn, Reply};
use crate::domain::identity::User;
use crate::domain::limits::external as limits;
use crate::policy::external::{Fallback as Settings, FallbackIdentity};
use crate::source::access::{Caller, Reach};
use crate::source::{ReadError, http};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, VIA};
use std::fmt::Write;
use std::pin::Pin;
use tokio::sync::Semaphore;

/// What a request that was passed on carries (RFC 9110, 7.6.3); such a one is not passed on again.
pub const VIA_FORESAIL: &str = "1.1 foresail";

const API: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces";
/// What stands in a segment of a path as it is.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');
/// The media types that API servers write.
const FORMS: [&str; 3] =
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// A server and what is shown to it.
#[derive(Debug)]
pub struct FallbackServer {
    name: Box<str>,
    namespaces: String,
    identity: FallbackIdentity,
    caller: Caller,
    permits: Semaphore,
}

impl FallbackServer {
    /// A server that is asked as `settings` say. Nothing is sent yet.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(settings: &Settings, reach: &Reach) -> Result<Self, reqwest::Error> {
        let Settings { name, url, identity, access } = settings;
        let caller = Caller::new(url, limits::DEADLINE, access, reach)?;
        Ok(Self {
            name: name.clone(),
            namespaces: format!("{url}{API}"),
            identity: *identity,
            caller: caller.at_most(limits::ANSWER_BYTES_MAX),
            permits: Semaphore::new(limits::PASSED_ON_AT_ONCE),
        })
    }

    async fn pass(&self, request: PassedOn<'_>) -> Result<Reply, NoReply> {
        let _permit =
            self.permits.try_acquire().map_err(|_| NoReply::TooMany(limits::PASSED_ON_AT_ONCE))?;
        let path = self.path(&request)?;
        let headers = self.headers(&request)?;
        let make = |client: &reqwest::Client| -> RequestBuilder {
            let ask = client.get(&path).headers(headers.clone());
            if request.selector.is_empty() {
                ask
            } else {
                ask.query(&[("labelSelector", request.selector)])
            }
        };
        // The deadline of the client is one of each step; this one is of all.
        let sent = tokio::time::timeout(limits::DEADLINE, Box::pin(self.caller.send(make))).await;
        let sent = sent.map_err(|_| NoReply::TimedOut(limits::DEADLINE))?;
        let (answer, hidden) = sent.map_err(unusable)?;
        if answer.status != 200 {
            let message = status::message(&answer.body, answer.content_type.as_deref());
            return Err(self.refused(answer.status, hidden.without(message)));
        }
        reply(answer)
    }

    /// Kubernetes' own rule for what can be a name in a path; no other one could mean something else
    /// there than it did here.
    fn path(&self, request: &PassedOn<'_>) -> Result<String, NoReply> {
        let encoded = |name: &str| {
            let is_name = !name.is_empty()
                && name.len() <= limits::NAME_BYTES_MAX
                && !matches!(name, "." | "..")
                && !name.contains(['/', '%'])
                && !name.contains(char::is_control);
            if is_name {
                Ok(utf8_percent_encode(name, ESCAPED).to_string())
            } else {
                Err(NoReply::Absent("there can be no metric of this name".to_owned()))
            }
        };
        let (namespace, metric) = (encoded(request.namespace)?, encoded(request.metric)?);
        Ok(format!("{}/{namespace}/{metric}", self.namespaces))
    }

    fn headers(&self, request: &PassedOn<'_>) -> Result<HeaderMap, NoReply> {
        let mut headers = HeaderMap::new();
        headers.insert(VIA, HeaderValue::from_static(VIA_FORESAIL));
        if let Some(accept) = request.accept {
            headers.insert(ACCEPT, value(accept)?);
        }
        match self.identity {
            FallbackIdentity::Account => {}
            FallbackIdentity::Caller => name_user(&mut headers, request.user)?,
        }
        Ok(headers)
    }

    fn refused(&self, status: u16, message: String) -> NoReply {
        match (status, self.identity) {
            (404, _) => NoReply::Absent(message),
            (400 | 405 | 406, _) => NoReply::Malformed(message),
            (403, FallbackIdentity::Caller) => NoReply::Forbidden(message),
            (401 | 403, _) => NoReply::NotLetIn { status, message },
            (_, _) => NoReply::Failed { status, message },
        }
    }
}

impl Fallback for FallbackServer {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(
        &'a self,
        request: PassedOn<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, NoReply>> + Send + 'a>> {
        Box::pin(self.pass(request))
    }
}

/// Only what an API server writes is handed on: an error page of something else would be taken for
/// numbers.
fn reply(answer: http::Answer) -> Result<Reply, NoReply> {
    let content_type = answer.content_type.unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    if !FORMS.iter().any(|it| it.eq_ignore_ascii_case(media)) {
        let shown: String = media.chars().take(80).collect();
        return Err(NoReply::Unusable(format!("its answer is no list of metrics but `{shown}`")));
    }
    Ok(Reply { content_type, body: answer.body })
}

fn unusable(error: ReadError) -> NoReply {
    match error {
        ReadError::TimedOut(after) => NoReply::TimedOut(after),
        ReadError::Refused { status, message } => NoReply::Failed { status, message },
        other => NoReply::Unusable(other.to_string()),
    }
}

/// The headers by which kube-apiserver's own aggregator names a user.
fn name_user(headers: &mut HeaderMap, user: &User) -> Result<(), NoReply> {
    let User { name, uid, groups, extra } = user;
    headers.insert("x-remote-user", value(name)?);
    if let Some(uid) = uid.as_ref().filter(|it| !it.is_empty()) {
        headers.insert("x-remote-uid", value(uid)?);
    }
    for group in groups {
        headers.append("x-remote-group", value(group)?);
    }
    for (key, values) in extra {
        let name = HeaderName::from_bytes(format!("x-remote-extra-{}", escaped(key)).as_bytes());
        let name = name.map_err(|_| unfit())?;
        for text in values {
            headers.append(&name, value(text)?);
        }
    }
    Ok(())
}

/// A key as it can stand in a header's name: what is no token character is percent-encoded, and so is
/// the percent sign.
fn escaped(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn value(text: &str) -> Result<HeaderValue, NoReply> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| unfit())
}

fn unfit() -> NoReply {
    NoReply::Unusable("who asks, or in which form, cannot be told in a header".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_user_is_named_as_the_aggregator_names_it() {
        let user = User {
            name: "jäne".into(),
            uid: Some("7".into()),
            groups: vec!["dev".into(), "system:authenticated".into()],
            extra: BTreeMap::from([
                ("acme.com/project one".into(), vec!["a".into(), "b".into()]),
                ("50%".into(), vec!["x".into()]),
            ]),
        };
        let mut headers = HeaderMap::new();
        name_user(&mut headers, &user).unwrap();
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, text)| format!("{name}: {}", String::from_utf8_lossy(text.as_bytes())))
            .collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "x-remote-extra-50%25: x",
                "x-remote-extra-acme.com%2fproject%20one: a",
                "x-remote-extra-acme.com%2fproject%20one: b",
                "x-remote-group: dev",
                "x-remote-group: system:authenticated",
                "x-remote-uid: 7",
                "x-remote-user: jäne",
            ]
        );
        let smuggler = User { name: "a\r\nx-remote-group: b".into(), ..user };
        assert!(name_user(&mut headers, &smuggler).is_err());
    }
}
