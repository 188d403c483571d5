//! Configurations of prometheus-adapter: its rules stay word for word, comments included, since they
//! are ours, too; around them comes what its flags said.

use super::{File, Imported, Remark};
use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::{Key, Node, Value, write};
use crate::policy::resolve;
use crate::rules::load;
use crate::rules::wire::KEYS;
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;

/// What prometheus-adapter was told by flags about its Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `--prometheus-url`.
    pub url: Option<String>,
    /// `--prometheus-verb`.
    pub verb: Option<String>,
    /// `--prometheus-header`, each `NAME=VALUE`.
    pub headers: Vec<String>,
    /// `--prometheus-ca-file`.
    pub ca_file: Option<String>,
    /// `--prometheus-client-tls-cert-file`.
    pub cert_file: Option<String>,
    /// `--prometheus-client-tls-key-file`.
    pub key_file: Option<String>,
    /// `--prometheus-token-file`.
    pub token_file: Option<String>,
    /// `--prometheus-auth-incluster`.
    pub is_in_cluster: bool,
}

/// Where prometheus-adapter asks that is told nothing.
const URL_DEFAULT: &str = "https://localhost";
/// What a pod proves itself with.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The name of the source.
const SOURCE: &str = "prometheus";

/// Says a configuration in Foresail's words. There is none where the file cannot be read as rules.
///
/// # Errors
/// When the file is no YAML.
pub fn import(file: &File, server: &Server) -> Result<Imported, Box<Remark>> {
    let documents = super::documents(std::slice::from_ref(file))?;
    let whole = documents.first().map(|(_, node)| node);
    let file = whole.and_then(|it| embedded(file, it)).unwrap_or_else(|| file.clone());
    let mut importer = Importer { path: file.path.clone(), remarks: Vec::new() };
    let rules = match load::load(&file.text) {
        Ok(rules) => rules,
        Err(faults) => {
            faults.into_iter().for_each(|fault| importer.add(fault, true));
            return Ok(Imported { remarks: importer.remarks, ..Imported::default() });
        }
    };
    let resource_rules = Path::default().key("resourceRules");
    for fault in rules.faults {
        importer.add(fault, true);
    }
    for warning in rules.warnings {
        let is_lost = warning.path == resource_rules;
        importer.add(warning, is_lost);
    }
    let head = importer.head(server);
    let text = format!("{head}{}", importer.body(&file.text));
    importer.check(&text);
    let mut remarks = importer.remarks;
    remarks.sort_by_key(|it| it.fault.position);
    Ok(Imported { configuration: Some(text), remarks, ..Imported::default() })
}

/// Whether a text is a configuration of prometheus-adapter, as it is found in the wild.
#[must_use]
pub fn is_configuration(text: &str) -> bool {
    Node::parse(text).is_ok_and(|node| {
        let has = |key: &str| node.get(key).is_some();
        KEYS.iter().any(|key| has(key)) && !has("apiVersion") && !has("kind")
    })
}

/// The file within a ConfigMap, as it lies in a repository or a cluster.
fn embedded(file: &File, node: &Node) -> Option<File> {
    let is_map = node.get("kind").and_then(Node::text) == Some("ConfigMap");
    let Some(Node { value: Value::Mapping(entries), .. }) = node.get("data").filter(|_| is_map)
    else {
        return None;
    };
    let is_rules = |text: &str| {
        Node::parse(text).is_ok_and(|node| KEYS.iter().any(|key| node.get(key).is_some()))
    };
    entries.iter().find_map(|(key, node)| {
        let text = node.text().filter(|it| is_rules(it))?.to_owned();
        let path = format!("{}, {}", file.path.display(), key.text);
        Some(File { path: PathBuf::from(path), text })
    })
}

/// A configuration without rules and policies, with a source that says what the flags said.
#[must_use]
pub fn head(server: &Server) -> String {
    let Server { url, verb, headers, ca_file, cert_file, key_file, token_file, is_in_cluster } =
        server;
    let in_cluster = |name: &str| is_in_cluster.then(|| format!("{SERVICE_ACCOUNT}/{name}"));
    let token = token_file.clone().or_else(|| in_cluster("token"));
    let ca = ca_file.clone().or_else(|| in_cluster("ca.crt"));
    let mut source = Map::new();
    let mut put = |key: &str, value: Option<Json>| {
        source.extend(value.map(|it| (key.to_owned(), it)));
    };
    put("url", Some(url.as_deref().unwrap_or(URL_DEFAULT).into()));
    // It asks by GET unless it is told otherwise; a query of many names needs POST.
    put("method", verb.as_ref().map(|it| it.to_uppercase().into()));
    put("auth", token.map(|it| json!({"bearer": {"tokenFile": it}})));
    let header = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), json!({"value": value}))
    };
    let headers: Map<String, Json> = headers.iter().map(header).collect();
    put("headers", (!headers.is_empty()).then(|| headers.into()));
    let files = [("caFile", &ca), ("certFile", cert_file), ("keyFile", key_file)];
    let given = files.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?)));
    let tls: Map<String, Json> =
        given.map(|(key, file)| (key.to_owned(), file.as_str().into())).collect();
    put("tls", (!tls.is_empty()).then(|| tls.into()));
    write::document(&json!({
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "AdapterConfig",
        "sources": [{"name": SOURCE, "prometheus": source}],
    }))
}

struct Importer {
    path: PathBuf,
    remarks: Vec<Remark>,
}

impl Importer {
    fn add(&mut self, fault: Fault, is_lost: bool) {
        self.remarks.push(Remark { path: self.path.clone(), fault, is_lost });
    }

    /// What stands before the rules.
    fn head(&mut self, server: &Server) -> String {
        if server.url.is_none() {
            let problem = format!("no `--prometheus-url`: prometheus-adapter asks {URL_DEFAULT}");
            let hint = "give the flags of the old Deployment, or write the URL under `sources`";
            self.add(Fault::new(Path::default(), problem).hint(hint), false);
        }
        head(server)
    }

    /// The rules as they stand in the file; `resourceRules` as a comment.
    fn body(&mut self, text: &str) -> String {
        let Ok(document) = Node::parse(text) else { return String::new() };
        let Value::Mapping(entries) = &document.value else { return String::new() };
        if !is_plain_block(entries) {
            let problem = "comments are not kept: the file's keys do not begin their lines";
            let hint = "write each key of the file at the beginning of a line of its own";
            self.add(Fault::new(Path::default(), problem).hint(hint), false);
            let mut json = document.to_json();
            json.as_object_mut().map(|it| it.remove("resourceRules"));
            return write::document(&json);
        }
        let lines: Vec<&str> = text.lines().collect();
        let ignored = ignored_lines(&lines, entries);
        let first = entries.first().map_or(1, |(key, _)| key.at.line);
        let mut body = String::new();
        for (number, line) in (1..).zip(&lines) {
            let is_mark = line.starts_with("---") || line.starts_with('%');
            if (number < first && is_mark) || *line == "..." {
                continue;
            }
            if ignored.contains(&number) && !line.trim().is_empty() {
                body.push_str("# ");
            }
            body.push_str(line);
            body.push('\n');
        }
        body
    }

    /// What comes out is read again as a person's file is. Rules were looked at where they stood.
    fn check(&mut self, text: &str) {
        let faults = match resolve::load(text) {
            Ok(config) => config.faults,
            Err(faults) => faults,
        };
        for mut fault in faults {
            fault.problem = format!("in what came out: {fault}");
            (fault.path, fault.position) = (Path::default(), None);
            self.add(fault, true);
        }
    }
}

/// Whether each key begins a line.
fn is_plain_block(entries: &[(Key, Node)]) -> bool {
    let lines: Vec<usize> = entries.iter().map(|(key, _)| key.at.line).collect();
    entries.iter().all(|(key, _)| key.at.column == 1) && lines.is_sorted_by(|a, b| a < b)
}

/// The lines of `resourceRules`, without the comments that stand above the next key.
fn ignored_lines(lines: &[&str], entries: &[(Key, Node)]) -> std::ops::Range<usize> {
    let mut keys = entries.iter().map(|(key, _)| key);
    let Some(key) = keys.find(|it| it.text == "resourceRules") else { return 0..0 };
    let mut end = keys.next().map_or(lines.len() + 1, |next| next.at.line);
    let is_between = |number: usize| {
        let line = number.checked_sub(1).and_then(|it| lines.get(it));
        line.is_some_and(|it| it.starts_with('#') || it.trim().is_empty())
    };
    while end > key.at.line + 1 && is_between(end - 1) {
        end -= 1;
    }
    key.at.line..end
}
