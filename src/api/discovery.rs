//! The documents that say what there is. They never depend on a source: without them, namespaces
//! would hang in their deletion.

mod aggregated;
pub(crate) mod listed;
pub(crate) mod shelf;

use crate::api::path::{Group, Version};
use crate::api::wire::Kind;
use crate::api::wire::protobuf::Message;
use crate::telemetry::health::Probe;
use listed::{Line, Listed};
use serde::Serialize;

const GROUP: &str = "APIGroup";
const V1: &str = "v1";

/// `/`: every path that is known without asking.
pub(crate) fn paths(served: &[Group]) -> impl Serialize + use<> {
    let known = ["/", "/apis", "/openapi/v2", "/openapi/v3", "/version"];
    let mut paths: Vec<String> = known.map(str::to_owned).into();
    paths.extend(Probe::ALL.map(|it| format!("/{}", it.as_str())));
    for group in served {
        paths.push(format!("/apis/{}", group.as_str()));
        let versions = group.versions().iter().map(|it| it.api_version());
        paths.extend(
            versions.flat_map(|it| [format!("/apis/{it}"), format!("/openapi/v3/apis/{it}")]),
        );
    }
    paths.sort();
    Paths { paths }
}

/// `/apis`.
pub(crate) fn groups(served: &[Group]) -> impl Kind + use<> {
    let groups = served.iter().map(|it| ApiGroup::of(*it, None)).collect();
    ApiGroupList { kind: "APIGroupList", api_version: V1, groups }
}

/// `/apis/GROUP`.
pub(crate) fn group(group: Group) -> impl Kind {
    ApiGroup::of(group, Some((GROUP, V1)))
}

/// `/apis/GROUP/VERSION`.
pub(crate) fn resources(version: Version, listed: &Listed) -> impl Kind {
    let group = version.group();
    let resource = |line: &Line| ApiResource {
        name: line.name(),
        singular_name: "",
        namespaced: line.namespaced,
        kind: group.list_kind(),
        verbs: ["get"],
    };
    let resources = listed.group(group).lines.iter().map(resource).collect();
    let group_version = version.api_version();
    ApiResourceList { kind: "APIResourceList", api_version: V1, group_version, resources }
}

/// `/version`.
pub(crate) fn build() -> impl Serialize {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Build {
        major: env!("CARGO_PKG_VERSION_MAJOR"),
        minor: env!("CARGO_PKG_VERSION_MINOR"),
        git_version: concat!("v", env!("CARGO_PKG_VERSION")),
        git_commit: "",
        git_tree_state: "",
        build_date: "",
        go_version: "",
        compiler: "rustc",
        platform: format!("{}/{arch}", std::env::consts::OS),
    }
}

#[derive(Debug, Serialize)]
struct Paths {
    paths: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiGroupList {
    kind: &'static str,
    api_version: &'static str,
    groups: Vec<ApiGroup>,
}

impl Kind for ApiGroupList {
    fn kind(&self) -> &str {
        self.kind
    }

    fn api_version(&self) -> &str {
        self.api_version
    }

    fn fields(&self, message: &mut Message) {
        for group in &self.groups {
            message.message(1, |it| group.fields(it));
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiGroup {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    name: &'static str,
    versions: Vec<GroupVersion>,
    preferred_version: Option<GroupVersion>,
}

impl ApiGroup {
    /// `head`: the kind and its version, which an entry of a list goes without.
    fn of(group: Group, head: Option<(&'static str, &'static str)>) -> Self {
        let versions: Vec<GroupVersion> = group.versions().iter().map(GroupVersion::of).collect();
        Self {
            kind: head.map(|(kind, _)| kind),
            api_version: head.map(|(_, version)| version),
            name: group.as_str(),
            preferred_version: versions.first().copied(),
            versions,
        }
    }
}

impl Kind for ApiGroup {
    fn kind(&self) -> &str {
        GROUP
    }

    fn api_version(&self) -> &str {
        V1
    }

    fn fields(&self, message: &mut Message) {
        message.text(1, self.name);
        for version in &self.versions {
            message.message(2, |it| version.fields(it));
        }
        if let Some(version) = &self.preferred_version {
            message.message(3, |it| version.fields(it));
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: &'static str,
    version: &'static str,
}

impl GroupVersion {
    fn fields(&self, message: &mut Message) {
        message.text(1, self.group_version);
        message.text(2, self.version);
    }

    fn of(version: &Version) -> Self {
        Self { group_version: version.api_version(), version: version.as_str() }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResourceList {
    kind: &'static str,
    api_version: &'static str,
    group_version: &'static str,
    resources: Vec<ApiResource>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource {
    name: String,
    singular_name: &'static str,
    namespaced: bool,
    kind: &'static str,
    verbs: [&'static str; 1],
}

impl Kind for ApiResourceList {
    fn kind(&self) -> &str {
        self.kind
    }

    fn api_version(&self) -> &str {
        self.api_version
    }

    fn fields(&self, message: &mut Message) {
        message.text(1, self.group_version);
        for resource in &self.resources {
            message.message(2, |it| resource.fields(it));
        }
    }
}

impl ApiResource {
    fn fields(&self, message: &mut Message) {
        message.text(1, &self.name);
        message.number(2, self.namespaced.into());
        message.text(3, self.kind);
        message.message(4, |verbs| {
            for verb in self.verbs {
                verbs.text(1, verb);
            }
        });
        message.text_if_any(6, self.singular_name);
    }
}

/// `version.Info`; the fields that only Go programs have are empty.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Build {
    major: &'static str,
    minor: &'static str,
    git_version: &'static str,
    git_commit: &'static str,
    git_tree_state: &'static str,
    build_date: &'static str,
    go_version: &'static str,
    compiler: &'static str,
    platform: String,
}
