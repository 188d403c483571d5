//! The parameters of a document that is read over HTTP: `metricsApi`.

use super::{Credential, Place, Question, QueueAsk, QueueServer, Reader, web_url};
use crate::policy::promql::SeriesSelector;
use crate::policy::queue::reach::Reach;
use crate::policy::queue::value_path::ValuePath;
use crate::policy::queue::{Auth, ValueLocation};
use crate::policy::wire::queue::{AuthMode, DocumentFormat, KeyMethod, MetricsApiSignal};

/// A document, and where in it the number stands.
pub(super) fn document(wire: &MetricsApiSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let url = web_url("url", &wire.url, reader);
    let location = location(wire, reader);
    let timeout = reader.timeout(wire.timeout.as_deref());
    let auth = auth(wire, reader);
    let credentials = reader.credentials(&[
        (Credential::ApiKey, "apiKeyFrom", wire.api_key_from.as_ref()),
        (Credential::Username, "usernameFrom", wire.username_from.as_ref()),
        (Credential::Password, "passwordFrom", wire.password_from.as_ref()),
        (Credential::Token, "tokenFrom", wire.token_from.as_ref()),
        (Credential::Ca, "caFrom", wire.ca_from.as_ref()),
    ]);
    let is_unsafe = wire.unsafe_ssl.unwrap_or_default();
    let place = Place::Web { url: url?, auth: auth?, is_unsafe };
    let server =
        QueueServer { place, credentials: credentials?, timeout: timeout?, reach: Reach::Anywhere };
    Some(QueueAsk { server, question: Question::Document(location?) })
}

fn location(wire: &MetricsApiSignal, reader: &mut Reader<'_>) -> Option<ValueLocation> {
    const KEY: &str = "valueLocation";
    let text = &wire.value_location;
    if let Some(DocumentFormat::Prometheus) = wire.format {
        return match SeriesSelector::parse(text) {
            Ok(selector) => Some(ValueLocation::Exposition(selector)),
            Err(error) => {
                let hint = error.hint.unwrap_or_else(|| "write `name{label=\"value\"}`".to_owned());
                reader.fault(KEY, error.problem, hint);
                None
            }
        };
    }
    match ValuePath::parse(text) {
        Ok(path) if matches!(wire.format, Some(DocumentFormat::Yaml)) => {
            Some(ValueLocation::Yaml(path))
        }
        Ok(path) => Some(ValueLocation::Json(path)),
        Err(problem) => {
            reader.fault(
                KEY,
                problem,
                "write keys and positions, e.g. `queues.0.length` or `$.queues[0].length`",
            );
            None
        }
    }
}

/// How to show who asks: as it is said, or as the credentials that are given suggest.
fn auth(wire: &MetricsApiSignal, reader: &mut Reader<'_>) -> Option<Auth> {
    let modes = [
        (AuthMode::ApiKey, wire.api_key_from.is_some()),
        (AuthMode::Basic, wire.password_from.is_some()),
        (AuthMode::Bearer, wire.token_from.is_some()),
    ];
    let mut given = modes.iter().filter(|(_, is_given)| *is_given).map(|(mode, _)| *mode);
    let (mode, another) = (given.next(), given.next());
    if another.is_some() || wire.auth_mode.is_some_and(|it| Some(it) != mode) {
        let problem = "expected the credentials of one way to show who asks";
        let hint = "give `apiKeyFrom`, or `username` and `passwordFrom`, or `tokenFrom`";
        reader.fault("authMode", problem, hint);
        return None;
    }
    let name = |usual: &str| wire.key_param_name.as_deref().unwrap_or(usual).into();
    Some(match (mode, wire.method) {
        (None, _) => Auth::None,
        (Some(AuthMode::ApiKey), Some(KeyMethod::Query)) => Auth::KeyInQuery(name("api_key")),
        (Some(AuthMode::ApiKey), _) => Auth::KeyInHeader(name("X-API-KEY")),
        (Some(AuthMode::Bearer), _) => Auth::Bearer,
        (Some(AuthMode::Basic), _) => {
            if wire.username.is_some() == wire.username_from.is_some() {
                let hint = "give one of them, beside `passwordFrom`";
                reader.fault("username", "expected `username` or `usernameFrom`", hint);
                return None;
            }
            Auth::Basic(wire.username.as_deref().map(Into::into))
        }
    })
}
