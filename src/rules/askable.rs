//! Which sources a configuration has that take the queries of rules.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::name::SourceName;

/// The sources of a configuration, as rules see them.
#[derive(Clone, Debug, Default)]
pub struct Askable {
    /// Those that take queries.
    pub taking: Vec<SourceName>,
    /// Those that do not.
    pub others: Vec<SourceName>,
    /// Those with faults of their own, by what stands there for a name.
    pub broken: Vec<Box<str>>,
}

impl Askable {
    /// What is wrong with the source that a rule names, or with its naming none. `path` is that of the
    /// rule.
    pub(super) fn fault(&self, source: Option<&SourceName>, path: &Path) -> Option<Fault> {
        let names = || self.taking.iter().map(SourceName::as_str);
        let at = path.key("source");
        let Some(name) = source else {
            return match (self.taking.as_slice(), self.broken.as_slice()) {
                ([_], _) => None,
                // Which kind those are that cannot be read is not known.
                ([], [_, ..]) => None,
                ([], []) => {
                    let fault = Fault::new(path.clone(), "there is no source that takes queries");
                    Some(fault.hint("add one of kind `prometheus` to `sources`"))
                }
                ([_, _, ..], _) => {
                    let problem = "there are several sources that take queries";
                    let known = names().collect::<Vec<_>>().join("`, `");
                    Some(Fault::new(path.clone(), problem).hint(format!("add `source:` `{known}`")))
                }
            };
        };
        if self.taking.contains(name) {
            return None;
        }
        if self.broken.iter().any(|it| **it == *name.as_str()) {
            let problem = format!("source `{name}` cannot be used: something is wrong with it");
            return Some(Fault::new(at, problem).hint("correct the source first"));
        }
        if self.others.contains(name) {
            let problem = format!("source `{name}` takes no queries");
            return Some(Fault::new(at, problem).hint("name one of kind `prometheus`"));
        }
        let fault = Fault::new(at, format!("there is no source `{name}`"));
        Some(fault.hint("add it under `sources`").suggest(name.as_str(), names()))
    }
}
