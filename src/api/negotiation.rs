//! Which form of an answer the client takes: JSON, indented or not, or protobuf.

use crate::api::query::Query;
use http::{HeaderMap, HeaderValue, header};
use std::cmp::Ordering;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In one line.
    Compact,
    /// For a person.
    Indented,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON.
    Json(Layout),
    /// Kubernetes' envelope around protocol buffers.
    Protobuf,
}

impl Form {
    /// How to lay out what is JSON in any case.
    pub(crate) const fn layout(self) -> Layout {
        match self {
            Self::Json(layout) => layout,
            Self::Protobuf => Layout::Compact,
        }
    }

    /// As the header says it.
    pub(crate) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json(_) => Media::Json.as_str(),
            Self::Protobuf => Media::Protobuf.as_str(),
        })
    }
}

/// What is offered, in the order in which a wildcard takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Json,
    Protobuf,
}

impl Media {
    const ALL: [Self; 2] = [Self::Json, Self::Protobuf];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// The forms that are offered, for whoever takes none of them.
pub(crate) fn offered() -> String {
    Media::ALL.map(Media::as_str).join(", ")
}

/// How to lay out JSON: as `pretty` says, else indented for the tools that people use by hand.
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

/// The form that the client likes best; `None` if it takes none that is offered. Who says nothing
/// takes JSON. A range with `as` asks for another shape of the document (a table, aggregated
/// discovery), and not for this one.
pub(crate) fn form(layout: Layout, headers: &HeaderMap) -> Option<Form> {
    let best = best(headers, |range| range.kind.is_none().then(|| range.media()).flatten());
    Some(match best? {
        None | Some((Media::Json, false)) => Form::Json(layout),
        Some((Media::Json, true)) => Form::Json(Layout::Indented),
        Some((Media::Protobuf, _)) => Form::Protobuf,
    })
}

/// What the best range that `serves` gives, and whether it wants it indented: `Some(None)` if the
/// client says nothing at all, `None` if nothing of what it says is served.
///
/// The order is upstream's: by weight, then what is written out before what is a wildcard, then as
/// written. The controller-manager sends `application/vnd.kubernetes.protobuf, */*`.
fn best<T>(
    headers: &HeaderMap,
    serves: impl Fn(&Range<'_>) -> Option<T>,
) -> Option<Option<(T, bool)>> {
    let mut best: Option<(Range<'_>, T)> = None;
    let mut is_silent = true;
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
    for text in texts.flat_map(|it| it.split(',')).map(str::trim).filter(|it| !it.is_empty()) {
        is_silent = false;
        let Some(range) = Range::parse(text) else { continue };
        if best.as_ref().is_some_and(|(it, _)| range.order(it) != Ordering::Greater) {
            continue;
        }
        if let Some(served) = serves(&range) {
            best = Some((range, served));
        }
    }
    if is_silent {
        return Some(None);
    }
    best.map(|(range, served)| Some((served, range.is_indented)))
}

/// One element of `Accept`.
#[derive(Clone, Copy, Debug)]
struct Range<'a> {
    kingdom: &'a str,
    species: &'a str,
    weight: f64,
    is_indented: bool,
    /// `as`, the kind that the document is to be turned into.
    kind: Option<&'a str>,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kingdom, species) = match parts.next()? {
            "*" => ("*", "*"),
            media => media.split_once('/')?,
        };
        let (weight, is_indented, kind) = (1.0, false, None);
        let mut range = Self { kingdom, species, weight, is_indented, kind };
        for (name, value) in parts.filter_map(|it| it.split_once('=')) {
            match name {
                "q" => range.weight = value.parse().unwrap_or(0.0),
                "as" => range.kind = Some(value),
                "pretty" => range.is_indented = value == "1",
                _ => {}
            }
        }
        Some(range)
    }

    /// Greater: rather this one.
    fn order(&self, other: &Self) -> Ordering {
        let written_out = |it: &Self| (it.kingdom != "*", it.species != "*");
        self.weight.total_cmp(&other.weight).then(written_out(self).cmp(&written_out(other)))
    }

    /// The first of what is offered that it covers.
    fn media(&self) -> Option<Media> {
        Media::ALL.into_iter().find(|media| {
            let (kingdom, species) = media.as_str().split_once('/').unwrap_or_default();
            match (self.kingdom, self.species) {
                ("*", "*") => true,
                (ours, "*") => ours.eq_ignore_ascii_case(kingdom),
                (ours, its) => {
                    ours.eq_ignore_ascii_case(kingdom) && its.eq_ignore_ascii_case(species)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_form_that_is_liked_best_is_taken() {
        let json = Some(Form::Json(Layout::Compact));
        let protobuf = Some(Form::Protobuf);
        for (accept, expected) in [
            ("", json),
            ("application/json", json),
            ("APPLICATION/JSON", json),
            ("*", json),
            ("text/html, application/*", json),
            ("application/vnd.kubernetes.protobuf", protobuf),
            ("application/vnd.kubernetes.protobuf, */*", protobuf),
            ("*/*, application/vnd.kubernetes.protobuf", protobuf),
            ("application/vnd.kubernetes.protobuf,application/json", protobuf),
            ("application/json,application/vnd.kubernetes.protobuf", json),
            // Upstream weighs, too.
            ("application/vnd.kubernetes.protobuf;q=0.5,application/json", json),
            ("application/vnd.kubernetes.protobuf;q=0.5,application/json;q=0.4", protobuf),
            ("application/json;pretty=1", Some(Form::Json(Layout::Indented))),
            ("application/cbor", None),
            ("nonsense", None),
            ("application/json;as=Table;g=meta.k8s.io;v=v1", None),
            ("application/json;as=Table;g=meta.k8s.io;v=v1, application/json", json),
            ("application/json; as=Table, application/vnd.kubernetes.protobuf", protobuf),
        ] {
            let headers = headers(header::ACCEPT, accept);
            assert_eq!(form(Layout::Compact, &headers), expected, "{accept}");
        }
        assert_eq!(form(Layout::Compact, &HeaderMap::new()), json);
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
