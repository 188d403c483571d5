//! The shape of the code base, checked: who may name whom, how long a file may be, that no file is
//! left out of the build, and that pure rooms stay pure. The reasons are in ARCHITECTURE.md;
//! change both together.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room with its level, the rooms that it may name (all of lower levels), and the fenced
/// crates that it may use.
const ROOMS: &[Room] = &[
    Room { name: "domain", level: 0, may_name: &[], outside: &[] },
    Room { name: "forecast", level: 1, may_name: &[], outside: &[] },
    Room {
        name: "document",
        level: 1,
        may_name: &["domain"],
        outside: &["saphyr_parser", "serde_json", "strsim"],
    },
    Room { name: "promql", level: 1, may_name: &["domain"], outside: &["promql_parser"] },
    Room {
        name: "policy",
        level: 2,
        may_name: &["domain", "document", "forecast", "promql"],
        outside: &[
            "cel",
            "croner",
            "promql_parser",
            "schemars",
            "serde",
            "serde_json",
            "serde_json_path",
        ],
    },
    Room {
        name: "rules",
        level: 2,
        may_name: &["domain", "document", "promql"],
        outside: &["promql_parser", "regex", "schemars", "serde", "serde_json"],
    },
    Room { name: "series", level: 2, may_name: &["domain"], outside: &[] },
    Room {
        name: "source",
        level: 3,
        may_name: &["domain", "document", "policy", "rules", "series"],
        outside: &[
            "amqprs",
            "aws_config",
            "aws_credential_types",
            "aws_runtime",
            "aws_sdk_sts",
            "aws_sigv4",
            "aws_smithy_async",
            "aws_smithy_runtime_api",
            "aws_smithy_types",
            "google_cloud_auth",
            "kafka_protocol",
            "oauth2",
            "redis",
            "reqwest",
            "rustls",
            "rustls_native_certs",
            "serde",
            "serde_json",
            "tokio",
            "tokio_postgres",
            "tokio_postgres_rustls",
            "tokio_rustls",
        ],
    },
    Room {
        name: "pipeline",
        level: 3,
        may_name: &["domain", "forecast", "policy", "series"],
        outside: &[],
    },
    Room { name: "published", level: 4, may_name: &["domain", "pipeline"], outside: &["arc_swap"] },
    Room {
        name: "simulate",
        level: 4,
        may_name: &["domain", "forecast", "pipeline"],
        outside: &["statrs"],
    },
    Room {
        name: "import",
        level: 4,
        may_name: &["document", "policy", "rules"],
        outside: &["serde_json"],
    },
    Room {
        name: "evaluation",
        level: 5,
        may_name: &["domain", "forecast", "policy", "series", "pipeline", "published", "simulate"],
        outside: &[],
    },
    Room {
        name: "on_demand",
        level: 5,
        may_name: &["domain", "rules", "series"],
        outside: &["arc_swap"],
    },
    Room {
        name: "replay",
        level: 5,
        may_name: &["domain", "document", "forecast", "policy", "series", "pipeline", "simulate"],
        outside: &[],
    },
    Room {
        name: "auth",
        level: 5,
        may_name: &["domain"],
        outside: &["rcgen", "rustls", "subtle", "tokio", "x509_parser"],
    },
    Room {
        name: "tls",
        level: 5,
        may_name: &["domain"],
        outside: &["arc_swap", "rcgen", "rustls", "tokio", "tokio_rustls", "x509_parser"],
    },
    Room {
        name: "telemetry",
        level: 5,
        may_name: &[],
        outside: &["prometheus_client", "tracing_subscriber"],
    },
    Room {
        name: "cluster",
        level: 5,
        may_name: &["domain", "policy", "rules"],
        outside: &["k8s_openapi", "kube", "serde", "serde_json", "tokio", "tokio_util"],
    },
    Room {
        name: "api",
        level: 6,
        may_name: &[
            "domain",
            "document",
            "rules",
            "pipeline",
            "published",
            "on_demand",
            "auth",
            "telemetry",
        ],
        outside: &["axum", "prometheus_client", "serde", "serde_json", "strsim"],
    },
    Room {
        name: "web",
        level: 6,
        may_name: &[
            "domain",
            "document",
            "policy",
            "pipeline",
            "evaluation",
            "on_demand",
            "telemetry",
        ],
        outside: &["axum", "prometheus_client", "serde", "serde_json", "tokio"],
    },
    // axum serves both ports and the demo's page; reqwest plays the HPA of the demo.
    Room {
        name: "app",
        level: 7,
        may_name: &[
            "domain",
            "document",
            "policy",
            "rules",
            "series",
            "source",
            "pipeline",
            "published",
            "simulate",
            "import",
            "evaluation",
            "on_demand",
            "replay",
            "auth",
            "tls",
            "telemetry",
            "cluster",
            "api",
            "web",
        ],
        outside: &[
            "axum",
            "hyper_util",
            "prometheus_client",
            "reqwest",
            "serde",
            "serde_json",
            "tokio",
            "tokio_util",
        ],
    },
    Room {
        name: "cli",
        level: 8,
        may_name: &["domain", "document", "telemetry", "tls", "replay", "app"],
        outside: &["anyhow", "clap", "tokio", "tokio_util"],
    },
];

/// Crates that only some rooms may name. A crate not listed here may be named anywhere.
const FENCED: &[&str] = &[
    "amqprs",
    "anyhow",
    "arc_swap",
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sdk_sts",
    "aws_sigv4",
    "aws_smithy_async",
    "aws_smithy_runtime_api",
    "aws_smithy_types",
    "axum",
    "cel",
    "clap",
    "croner",
    "google_cloud_auth",
    "hyper_util",
    "k8s_openapi",
    "kafka_protocol",
    "kube",
    "oauth2",
    "prometheus_client",
    "promql_parser",
    "rcgen",
    "redis",
    "regex",
    "reqwest",
    "rustls",
    "rustls_native_certs",
    "saphyr_parser",
    "schemars",
    "serde",
    "serde_json",
    "serde_json_path",
    "statrs",
    "strsim",
    "subtle",
    "tokio",
    "tokio_postgres",
    "tokio_postgres_rustls",
    "tokio_rustls",
    "tokio_util",
    "tracing_subscriber",
    "x509_parser",
];

/// Rooms that calculate: no I/O, no tasks, and `now` is an argument.
const PURE: &[&str] = &[
    "domain",
    "document",
    "forecast",
    "promql",
    "policy",
    "rules",
    "series",
    "pipeline",
    "published",
    "simulate",
    "import",
    "evaluation",
    "on_demand",
    "replay",
];

/// What a pure room must not contain.
const IMPURE: &[&str] =
    &["::now()", "std::fs", "std::net", "std::env", "std::thread", "tokio::", "reqwest::"];

const FILE_LINES_MAX: usize = 400;

struct Room {
    name: &'static str,
    level: u8,
    may_name: &'static [&'static str],
    outside: &'static [&'static str],
}

#[test]
fn every_room_only_looks_down() {
    let mut faults = Vec::new();
    for file in source_files() {
        let Some(room) = ROOMS.iter().find(|room| room.name == file.room()) else { continue };
        let text = file.code();
        for refused in ["use crate::{", "super::super::", "pub use crate::"] {
            if text.contains(refused) {
                faults.push(format!("{}: contains `{refused}`", file.shown()));
            }
        }
        for named in names_after(&text, "crate::") {
            if named != room.name && !room.may_name.contains(&named) {
                faults.push(format!("{}: `{}` may not name `{named}`", file.shown(), room.name));
            }
        }
        for fenced in FENCED.iter().filter(|it| names_crate(&text, it)) {
            if !room.outside.contains(fenced) {
                faults.push(format!("{}: `{}` may not use `{fenced}`", file.shown(), room.name));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_room_is_in_the_table_and_the_table_looks_down() {
    let rooms: BTreeSet<String> =
        source_files().iter().filter(|file| !file.is_root()).map(SourceFile::room).collect();
    let known: BTreeSet<String> = ROOMS.iter().map(|room| room.name.to_owned()).collect();
    assert_eq!(rooms, known);
    for room in ROOMS {
        for named in room.may_name {
            let named = ROOMS.iter().find(|it| it.name == *named).unwrap();
            let (from, to) = (room.name, named.name);
            assert!(named.level < room.level, "`{from}` must not look up or across to `{to}`");
        }
    }
}

#[test]
fn nothing_is_permitted_that_nobody_uses() {
    let mut faults = Vec::new();
    for room in ROOMS {
        let files = source_files();
        let texts: Vec<String> =
            files.iter().filter(|it| it.room() == room.name).map(SourceFile::code).collect();
        let is_named =
            |name: &str| texts.iter().any(|it| names_after(it, "crate::").contains(name));
        let is_used = |name: &str| texts.iter().any(|it| names_crate(it, name));
        let named = room.may_name.iter().filter(|it| !is_named(it));
        let unused = named.chain(room.outside.iter().filter(|it| !is_used(it)));
        faults.extend(unused.map(|it| format!("`{}` does not use `{it}`", room.name)));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn pure_rooms_do_no_io_and_never_ask_the_time() {
    let mut faults = Vec::new();
    for file in source_files().iter().filter(|file| PURE.contains(&&*file.room())) {
        let text = file.code();
        for impure in IMPURE.iter().filter(|it| text.contains(**it)) {
            faults.push(format!("{}: contains `{impure}`", file.shown()));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_file_is_short_and_tells_its_purpose() {
    let mut faults = Vec::new();
    for file in source_files() {
        let text = file.text();
        if text.lines().count() > FILE_LINES_MAX {
            faults.push(format!("{}: more than {FILE_LINES_MAX} lines", file.shown()));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{}: begin with `//!` and one sentence", file.shown()));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_file_is_part_of_the_build() {
    let files = source_files();
    let declared: BTreeSet<PathBuf> = files.iter().flat_map(SourceFile::modules).collect();
    let orphans: Vec<String> = files
        .iter()
        .filter(|file| !file.is_root() && !declared.contains(&file.path))
        .map(SourceFile::shown)
        .collect();
    assert!(orphans.is_empty(), "no `mod` line names: {}", orphans.join(", "));
}

struct SourceFile {
    src: PathBuf,
    path: PathBuf,
}

impl SourceFile {
    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// The text without comment lines.
    fn code(&self) -> String {
        let text = self.text();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.collect::<Vec<_>>().join("\n")
    }

    fn shown(&self) -> String {
        self.path.strip_prefix(&self.src).unwrap().display().to_string()
    }

    fn room(&self) -> String {
        let shown = self.shown();
        shown.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
    }

    fn is_root(&self) -> bool {
        self.path.parent() == Some(&self.src) && ["lib", "main"].contains(&self.room().as_str())
    }

    /// The files that this file's `mod NAME;` lines stand for.
    fn modules(&self) -> Vec<PathBuf> {
        let folder = if self.is_root() { self.src.clone() } else { self.path.with_extension("") };
        let code = self.code();
        names_after(&code, "mod ")
            .into_iter()
            .map(|name| folder.join(format!("{name}.rs")))
            .collect()
    }
}

fn source_files() -> Vec<SourceFile> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(SourceFile { src: src.clone(), path });
            }
        }
    }
    files
}

fn names_after<'a>(text: &'a str, mark: &str) -> BTreeSet<&'a str> {
    let rests = text.split(mark).skip(1);
    rests.filter_map(|rest| rest.split(ends_name).next()).filter(|it| !it.is_empty()).collect()
}

/// Whether `NAME::` stands in the text as a path's beginning, not as the end of another name.
fn names_crate(text: &str, name: &str) -> bool {
    let mark = format!("{name}::");
    text.match_indices(&mark).any(|(at, _)| {
        text.get(..at).and_then(|before| before.chars().next_back()).is_none_or(ends_name)
    })
}

fn ends_name(c: char) -> bool {
    !c.is_alphanumeric() && c != '_'
}
