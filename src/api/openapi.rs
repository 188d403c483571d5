//! OpenAPI, versions 2 and 3: the paths and kinds that are served here, and none of others.
//!
//! Types of other servers (references, selectors, times) are written out where they are used: a
//! definition that two servers publish under one name is renamed when kube-apiserver merges them.

mod schemas;

use crate::api::negotiation::Media;
use crate::api::path::{Group, Version};
use schemas::{References, definitions};
use serde_json::{Map, Value, json};

/// `/openapi/v2`: everything in one document. kube-apiserver takes the paths of a group out of it.
pub(crate) fn v2(served: &[Group]) -> Value {
    let mut paths = Map::new();
    let mut all = Map::new();
    for version in versions(served) {
        for route in routes(version) {
            paths.insert(route.path(), json!({"get": route.v2()}));
        }
        all.extend(definitions(version, References::Two));
    }
    json!({"swagger": "2.0", "info": info(), "paths": paths, "definitions": all})
}

/// `/openapi/v3`: where each version's document is, with the hash of its content.
pub(crate) fn v3_root(hashes: &[(Version, String)]) -> Value {
    let place = |(version, hash): &(Version, String)| {
        let name = format!("apis/{}", version.api_version());
        let url = format!("/openapi/v3/{name}?hash={hash}");
        (name, json!({"serverRelativeURL": url}))
    };
    json!({"paths": hashes.iter().map(place).collect::<Map<String, Value>>()})
}

/// `/openapi/v3/apis/GROUP/VERSION`
pub(crate) fn v3(version: Version) -> Value {
    let paths: Map<String, Value> =
        routes(version).iter().map(|it| (it.path(), json!({"get": it.v3()}))).collect();
    json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": paths,
        "components": {"schemas": definitions(version, References::Three)},
    })
}

fn versions(served: &[Group]) -> impl Iterator<Item = Version> {
    served.iter().flat_map(|it| it.versions()).copied()
}

fn info() -> Value {
    json!({"title": "Foresail", "version": concat!("v", env!("CARGO_PKG_VERSION"))})
}

/// One path below a version.
#[derive(Clone, Copy, Debug)]
struct Route {
    version: Version,
    /// Unique within the version.
    operation: &'static str,
    description: &'static str,
    below: &'static str,
}

fn routes(version: Version) -> Vec<Route> {
    let route = |operation, description, below| Route { version, operation, description, below };
    match version.group() {
        Group::Custom => vec![
            route(
                "OfNamespacedObjects",
                "a metric of one object of a namespace, or, with the name `*`, of all that the selector selects",
                "/namespaces/{namespace}/{resource}/{name}/{metric}",
            ),
            route(
                "OfNamespace",
                "a metric of a namespace itself",
                "/namespaces/{namespace}/metrics/{metric}",
            ),
            route(
                "OfObjects",
                "a metric of one object without a namespace, or, with the name `*`, of all",
                "/{resource}/{name}/{metric}",
            ),
        ],
        Group::External => vec![route(
            "External",
            "a metric of no object, one value for each policy that the selector selects",
            "/namespaces/{namespace}/{metric}",
        )],
    }
}

/// Every parameter, with the groups whose routes take it in their query.
const QUERIES: [(&str, &[Group], &str); 3] = [
    (
        "labelSelector",
        &Group::ALL,
        "custom metrics: the objects wanted, by their labels; external metrics: the values wanted, by theirs",
    ),
    ("metricLabelSelector", &[Group::Custom], "the values wanted, by the labels of the metric"),
    ("fieldSelector", &[Group::Custom], "`metadata.name=NAME` and nothing else"),
];

impl Route {
    fn path(self) -> String {
        format!("/apis/{}{}", self.version.api_version(), self.below)
    }

    /// What both versions of OpenAPI say alike, and what only one says.
    fn operation(
        self,
        parameters: Vec<Value>,
        responses: Value,
        own: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Value {
        let group = self.version.group();
        let version: String = self.version.api_version().split(['.', '/']).collect();
        let common = json!({
            "description": self.description,
            "operationId": format!("read{version}{}", self.operation),
            "tags": [self.version.api_version().replace(['.', '/'], "_")],
            "parameters": parameters,
            "responses": responses,
            "x-kubernetes-action": "list",
            "x-kubernetes-group-version-kind": {
                "group": group.as_str(),
                "version": self.version.as_str(),
                "kind": group.list_kind(),
            },
        });
        let common = common.as_object().cloned().unwrap_or_default();
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Object(common.into_iter().chain(own).collect())
    }

    fn v2(self) -> Value {
        let parameters = self.parameters(|parameter| {
            parameter.insert("type".to_owned(), json!("string"));
        });
        let list = References::Two.of(self.version, self.version.group().list_kind());
        let responses = json!({
            "200": {"description": "OK", "schema": list},
            "401": {"description": "Unauthorized"},
        });
        let media = json!(Media::ALL.map(Media::as_str));
        let own = [("produces", media), ("schemes", json!(["https"]))];
        self.operation(parameters, responses, own)
    }

    fn v3(self) -> Value {
        let parameters = self.parameters(|parameter| {
            parameter.insert("schema".to_owned(), json!({"type": "string"}));
        });
        let list = References::Three.of(self.version, self.version.group().list_kind());
        let media = Media::ALL.iter().map(|media| media.as_str().to_owned());
        let content: Map<String, Value> =
            media.map(|media| (media, json!({"schema": list}))).collect();
        let responses = json!({
            "200": {"description": "OK", "content": content},
            "401": {"description": "Unauthorized"},
        });
        self.operation(parameters, responses, [])
    }

    /// The parameters of the path, then those of the query; `typed` says that each is a text.
    fn parameters(self, typed: impl Fn(&mut Map<String, Value>)) -> Vec<Value> {
        let in_path =
            self.below.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
        let in_path = in_path.map(|name| (name, "path", format!("the {name}")));
        let in_query = QUERIES
            .iter()
            .filter(|(_, groups, _)| groups.contains(&self.version.group()))
            .map(|(name, _, description)| (*name, "query", (*description).to_owned()));
        let parameter = |(name, place, description): (&str, &str, String)| {
            let mut parameter = Map::new();
            parameter.insert("name".to_owned(), json!(name));
            parameter.insert("in".to_owned(), json!(place));
            parameter.insert("description".to_owned(), json!(description));
            if place == "path" {
                parameter.insert("required".to_owned(), json!(true));
            }
            typed(&mut parameter);
            Value::Object(parameter)
        };
        in_path.chain(in_query).map(parameter).collect()
    }
}

#[cfg(test)]
mod tests;
