//! Which form of an answer the client takes: JSON or nothing, indented or not.

use crate::api::query::Query;
use http::{HeaderMap, header};

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In one line.
    Compact,
    /// For a person.
    Indented,
}

/// How to lay out: as `pretty` says, else indented for the tools that people use by hand.
pub(crate) fn layout(query: &Query<'_>, headers: &HeaderMap) -> Layout {
    let by_hand = || {
        let agent = headers.get(header::USER_AGENT).map(|it| it.as_bytes()).unwrap_or_default();
        [&b"curl"[..], b"Wget", b"Mozilla"].iter().any(|it| agent.starts_with(it))
    };
    let is_indented = match query.first("pretty").filter(|it| !it.is_empty()) {
        Some(value) => {
            value == "1" || ["t", "true"].iter().any(|it| value.eq_ignore_ascii_case(it))
        }
        None => by_hand(),
    };
    if is_indented { Layout::Indented } else { Layout::Compact }
}

/// Whether plain JSON is among what the client takes. A range with `as` asks for another shape of
/// the document (a table, aggregated discovery), so it counts only where `any_shape` is legal.
/// Weights are ignored, as upstream ignores them; the HPA sends `protobuf, */*`.
pub(crate) fn takes_json(headers: &HeaderMap, any_shape: bool) -> bool {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .peekable();
    ranges.peek().is_none()
        || ranges.any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let fits = ["application/json", "application/*", "*/*"]
                .iter()
                .any(|it| media.eq_ignore_ascii_case(it));
            fits && (any_shape || !parts.any(|it| it.starts_with("as=")))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn json_is_taken_by_whoever_takes_anything() {
        for (accept, plain, any_shape) in [
            ("", true, true),
            ("application/json", true, true),
            ("application/vnd.kubernetes.protobuf, */*", true, true),
            ("application/vnd.kubernetes.protobuf,application/json;q=0.5", true, true),
            ("text/html, application/*", true, true),
            ("application/yaml", false, false),
            ("application/vnd.kubernetes.protobuf", false, false),
            ("application/json;as=Table;g=meta.k8s.io;v=v1", false, true),
            ("application/json;as=Table;g=meta.k8s.io;v=v1, application/json", true, true),
        ] {
            let headers = headers(header::ACCEPT, accept);
            assert_eq!(takes_json(&headers, false), plain, "{accept}");
            assert_eq!(takes_json(&headers, true), any_shape, "{accept}");
        }
        assert!(takes_json(&HeaderMap::new(), false));
    }

    #[test]
    fn people_get_indented_json_and_programs_do_not() {
        for (query, agent, expected) in [
            ("", "kube-controller-manager/v1.36", Layout::Compact),
            ("", "curl/8.0", Layout::Indented),
            ("", "Wget/1.2", Layout::Indented),
            ("", "Mozilla/5.0", Layout::Indented),
            ("pretty=true", "kubectl/v1.36", Layout::Indented),
            ("pretty=0", "curl/8.0", Layout::Compact),
            ("pretty=", "curl/8.0", Layout::Indented),
        ] {
            let headers = headers(header::USER_AGENT, agent);
            assert_eq!(
                layout(&Query::parse(query).unwrap(), &headers),
                expected,
                "{query} {agent}"
            );
        }
    }
}
