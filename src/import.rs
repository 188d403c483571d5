//! What other tools were told, said in Foresail's words: manifests in, manifests out; of
//! prometheus-adapter, a configuration file in and out.
//!
//! Nothing is guessed: what has no equivalent is told with its place, and the documents that come
//! out are read again by the very code that reads a person's before anyone sees them.

pub mod keda;
pub mod kube_metrics_adapter;
mod output;
pub mod prometheus_adapter;

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::{BadYaml, Node, document, write};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it lies, as people know it.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// What became of the files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// The sources that Foresail's configuration has to know, as entries of its `sources`.
    pub sources: Vec<Json>,
    /// The hosts that it has to list, as entries of its `queues.allowedHosts`.
    pub hosts: BTreeSet<String>,
    /// The namespaces that it has to lend Foresail's identity to, as entries of its
    /// `queues.awsIdentityFor`.
    pub borrowers: BTreeSet<String>,
    /// What to apply.
    pub documents: Vec<Json>,
    /// A whole configuration file, where that is what comes out.
    pub configuration: Option<String>,
    /// What a person should know, in the order of the files.
    pub remarks: Vec<Remark>,
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Remark {
    /// The file.
    pub path: PathBuf,
    /// Where, what, and what to do.
    pub fault: Fault,
    /// Whether something is lost by it, or only different.
    pub is_lost: bool,
}

impl Imported {
    /// Whether something could not be carried over.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.remarks.iter().any(|it| it.is_lost)
    }

    /// Whether something came out.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.configuration.is_some() || !self.documents.is_empty()
    }

    /// The configuration file, or the documents as one file for `kubectl apply`, headed by the sources
    /// as a comment.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(configuration) = &self.configuration {
            return configuration.clone();
        }
        let mut texts: Vec<String> = self.documents.iter().map(write::document).collect();
        let mut needed = Map::new();
        let lists = [("allowedHosts", &self.hosts), ("awsIdentityFor", &self.borrowers)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let queues: Map<String, Json> =
            lists.map(|(key, list)| (key.to_owned(), json!(list))).collect();
        if !queues.is_empty() {
            needed.insert("queues".to_owned(), queues.into());
        }
        if !self.sources.is_empty() {
            needed.insert("sources".to_owned(), self.sources.clone().into());
        }
        if !needed.is_empty() {
            let needed = write::document(&needed.into());
            let lines: String = needed.lines().map(|line| format!("#   {line}\n")).collect();
            texts.insert(0, format!("# To be added to Foresail's configuration file:\n{lines}"));
        }
        texts.join("---\n")
    }
}

/// An object of a file.
#[derive(Clone, Copy, Debug)]
struct Object<'n> {
    path: &'n PathBuf,
    node: &'n Node,
}

impl<'n> Object<'n> {
    fn kind(&self) -> &'n str {
        self.node.get("kind").and_then(Node::text).unwrap_or_default()
    }

    fn name(&self) -> &'n str {
        self.metadata("name").unwrap_or_default()
    }

    /// Where `kubectl apply` puts it.
    fn namespace(&self) -> &'n str {
        self.metadata("namespace").unwrap_or("default")
    }

    fn metadata(&self, key: &str) -> Option<&'n str> {
        self.node.get("metadata")?.get(key)?.text()
    }

    fn at(&self, steps: &[&str]) -> Option<&'n Node> {
        steps.iter().try_fold(self.node, |node, step| node.get(step))
    }
}

/// Remarks about the objects of one file.
#[derive(Debug)]
struct Remarks<'n> {
    object: Object<'n>,
    all: Vec<Remark>,
}

impl<'n> Remarks<'n> {
    fn of(object: Object<'n>) -> Self {
        Self { object, all: Vec::new() }
    }

    /// Something is otherwise than it was.
    fn note(&mut self, path: &Path, problem: impl Into<String>, hint: impl Into<String>) {
        self.add(path, problem.into(), hint.into(), false);
    }

    /// Something is not there any more.
    fn lost(&mut self, path: &Path, problem: impl Into<String>, hint: impl Into<String>) {
        self.add(path, problem.into(), hint.into(), true);
    }

    fn add(&mut self, path: &Path, problem: String, hint: String, is_lost: bool) {
        let Object { path: file, node } = self.object;
        let mut fault = Fault::new(path.clone(), problem).hint(hint);
        fault.position = Some(node.position(path));
        self.all.push(Remark { path: file.clone(), fault, is_lost });
    }
}

/// The documents of files, each with its file.
///
/// # Errors
/// What is no YAML.
fn documents(files: &[File]) -> Result<Vec<(PathBuf, Node)>, Box<Remark>> {
    let read = |file: &File| {
        let parsed = document::all(&file.text).into_iter().map(|text| Node::parse(&text));
        let nodes: Result<Vec<Node>, BadYaml> = parsed.collect();
        match nodes {
            Ok(nodes) => Ok(nodes.into_iter().map(|it| (file.path.clone(), it)).collect()),
            Err(error) => {
                let fault = Fault::new(Path::default(), format!("not YAML: {}", error.problem));
                let mut fault =
                    fault.hint("look for a missing quote, bracket or blank in or above this line");
                fault.position = Some(error.at);
                Err(Box::new(Remark { path: file.path.clone(), fault, is_lost: true }))
            }
        }
    };
    let read: Vec<Vec<_>> = files.iter().map(read).collect::<Result<_, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

/// The objects of these documents, those of lists as well.
fn objects(documents: &[(PathBuf, Node)]) -> Vec<Object<'_>> {
    let each = |(path, node)| {
        std::iter::once(node).chain(document::items(node)).map(move |node| Object { path, node })
    };
    documents.iter().map(|(path, node)| (path, node)).flat_map(each).collect()
}

/// A name that an object may have, made from any text.
fn object_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let clean: String =
        lower.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect();
    let parts: Vec<&str> = clean.split('-').filter(|it| !it.is_empty()).collect();
    parts.join("-").chars().take(63).collect::<String>().trim_matches('-').to_owned()
}

/// A name that a metric may have and PromQL can say, made from any text.
fn metric_name(text: &str) -> String {
    object_name(text).replace('-', "_")
}

#[cfg(test)]
mod tests;
