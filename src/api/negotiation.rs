//! Which form of an answer the client takes: JSON, indented or not, YAML or protobuf.

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
    /// YAML.
    Yaml,
    /// Kubernetes' envelope around protocol buffers.
    Protobuf,
}

impl Form {
    /// How to lay out what is JSON in any case.
    pub(crate) const fn layout(self) -> Layout {
        match self {
            Self::Json(layout) => layout,
            Self::Yaml | Self::Protobuf => Layout::Compact,
        }
    }

    /// As the header says it.
    pub(crate) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json(_) => Media::Json.as_str(),
            Self::Yaml => Media::Yaml.as_str(),
            Self::Protobuf => Media::Protobuf.as_str(),
        })
    }
}

/// What is offered, in the order in which a wildcard takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Yaml,
    Protobuf,
}

impl Media {
    pub(crate) const ALL: [Self; 3] = [Self::Json, Self::Yaml, Self::Protobuf];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
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
    let best = best(headers, |range| range.is_plain().then(|| range.media()).flatten());
    Some(match best? {
        None | Some((Media::Json, false)) => Form::Json(layout),
        Some((Media::Json, true)) => Form::Json(Layout::Indented),
        Some((Media::Yaml, _)) => Form::Yaml,
        Some((Media::Protobuf, _)) => Form::Protobuf,
    })
}

/// Whether the client takes JSON at all, for what has no other form.
pub(crate) fn takes_json(headers: &HeaderMap) -> bool {
    best(headers, |range| range.media().filter(|it| *it == Media::Json)).is_some()
}

/// A version of aggregated discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregated {
    V2,
    /// What API servers before 1.30 ask for.
    V2Beta1,
}

impl Aggregated {
    pub(crate) const GROUP: &str = "apidiscovery.k8s.io";
    pub(crate) const KIND: &str = "APIGroupDiscoveryList";

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2Beta1 => "v2beta1",
        }
    }

    /// As the header says it; clients look for the parameters.
    pub(crate) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Self::V2Beta1 => {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
        })
    }
}

/// The version of aggregated discovery that the client likes best, if it asks for any. It counts
/// wherever it stands among plain documents, as upstream counts it.
pub(crate) fn aggregated(headers: &HeaderMap) -> Option<Aggregated> {
    let best = best(headers, |range| {
        let is_it = range.kind == Some(Aggregated::KIND) && range.group == Some(Aggregated::GROUP);
        let version = [Aggregated::V2, Aggregated::V2Beta1]
            .into_iter()
            .find(|it| range.version == Some(it.as_str()));
        version.filter(|_| is_it && range.media() == Some(Media::Json))
    });
    best.flatten().map(|(version, _)| version)
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
    /// `as`, `g` and `v`: the kind that the document is to be turned into.
    kind: Option<&'a str>,
    group: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kingdom, species) = match parts.next()? {
            "*" => ("*", "*"),
            media => media.split_once('/')?,
        };
        let (weight, is_indented) = (1.0, false);
        let (kind, group, version) = (None, None, None);
        let mut range = Self { kingdom, species, weight, is_indented, kind, group, version };
        for (name, value) in parts.filter_map(|it| it.split_once('=')) {
            match name {
                "q" => range.weight = value.parse().unwrap_or(0.0),
                "as" => range.kind = Some(value),
                "g" => range.group = Some(value),
                "v" => range.version = Some(value),
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

    fn is_plain(&self) -> bool {
        (self.kind, self.group, self.version) == (None, None, None)
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
            ("application/yaml", Some(Form::Yaml)),
            ("text/html, application/yaml, */*", Some(Form::Yaml)),
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
    fn aggregated_discovery_is_for_whoever_asks_for_it_by_its_whole_name() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        for (accept, expected) in [
            (v2.to_owned(), Some(Aggregated::V2)),
            (beta.to_owned(), Some(Aggregated::V2Beta1)),
            (format!("{v2},{beta},application/json"), Some(Aggregated::V2)),
            (format!("{beta},{v2}"), Some(Aggregated::V2Beta1)),
            (format!("application/json, {v2}"), Some(Aggregated::V2)),
            (format!("{v2};profile=nopeer"), Some(Aggregated::V2)),
            (v2.replace("v=v2", "v=v3"), None),
            (v2.replace("g=apidiscovery.k8s.io;", ""), None),
            (v2.replace("json", "yaml"), None),
            ("application/json".to_owned(), None),
        ] {
            assert_eq!(aggregated(&headers(header::ACCEPT, &accept)), expected, "{accept}");
        }
        assert_eq!(aggregated(&HeaderMap::new()), None);
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
