//! What is wrong with a document, where, and what to do about it.

use crate::document::path::{Path, Step};
use crate::document::yaml::Position;
use crate::domain::duration::BadDuration;
use crate::domain::name::BadName;
use crate::domain::quantity::BadQuantity;
use serde_json::Value as Json;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, from the root of the document.
    pub path: Path,
    /// What is wrong, as a sentence without its final period.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Line and column, once the document has been asked.
    pub position: Option<Position>,
    /// How a reader may go on who wants to find the other faults, too.
    pub repair: Option<Repair>,
}

/// An error that says what is wrong and, apart from it, what to do.
pub trait Advice {
    /// What is wrong.
    fn problem(&self) -> String;
    /// What to do about it.
    fn advice(&self) -> String;
}

impl Advice for BadName {
    fn problem(&self) -> String {
        self.problem()
    }

    fn advice(&self) -> String {
        self.rule().to_owned()
    }
}

impl Advice for BadDuration {
    fn problem(&self) -> String {
        self.problem()
    }

    fn advice(&self) -> String {
        "write it like `15s`, `2m` or `1h30m`".to_owned()
    }
}

impl Advice for BadQuantity {
    fn problem(&self) -> String {
        self.problem()
    }

    fn advice(&self) -> String {
        "write it like `100`, `1500m`, `2k` or `512Mi`".to_owned()
    }
}

/// What to do about a faulty key while looking for further faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Read it as this key.
    Rename(String),
    /// Pass over it.
    Remove,
}

impl Fault {
    /// A fault without a hint.
    #[must_use]
    pub fn new(path: Path, problem: impl Into<String>) -> Self {
        Self { path, problem: problem.into(), hint: None, position: None, repair: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a way to go on.
    #[must_use]
    pub fn repair(mut self, repair: Repair) -> Self {
        self.repair = Some(repair);
        self
    }

    /// The same with a hint if a known name is near to the unknown one.
    #[must_use]
    pub fn suggest<'a>(self, unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(unknown, known) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// `value` with what `faults` say about its keys; `at` is where it stands in the document.
#[must_use]
pub fn repaired(mut value: Json, at: &Path, faults: &[Fault]) -> Json {
    for fault in faults {
        let below = fault.path.steps().get(at.steps().len()..).unwrap_or_default();
        let (Some((Step::Key(key), way)), Some(repair)) = (below.split_last(), &fault.repair)
        else {
            continue;
        };
        let holder = way.iter().try_fold(&mut value, |value, step| match step {
            Step::Index(index) => value.get_mut(*index),
            Step::Key(key) => value.get_mut(key),
        });
        let Some(entries) = holder.and_then(Json::as_object_mut) else { continue };
        let entry = entries.remove(key);
        if let (Repair::Rename(name), Some(entry)) = (repair, entry) {
            entries.entry(name.clone()).or_insert(entry);
        }
    }
    value
}

/// `path: problem` on one line.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string();
        if !path.is_empty() {
            write!(f, "{}: ", Visible(&path))?;
        }
        Visible(&self.problem).fmt(f)
    }
}

/// Text that may hold anything, shown on one line: what would move the cursor or colour a terminal
/// is escaped.
#[derive(Clone, Copy, Debug)]
pub struct Visible<'t>(pub &'t str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::fmt::Write;
        self.0.chars().try_for_each(|it| {
            if it.is_control() { write!(f, "{}", it.escape_default()) } else { f.write_char(it) }
        })
    }
}

/// Two names this alike are taken for the same one misspelt (Jaro-Winkler, 1 is equal).
const LIKENESS_MIN: f64 = 0.75;

/// The known name that `unknown` most likely was meant to be.
#[must_use]
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&unknown, &name.to_lowercase());
    let scored = known.into_iter().map(|name| (likeness(name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= LIKENESS_MIN).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repaired_value_can_be_read_on() {
        let at = Path::default().key("policies").index(1);
        let faults = [
            Fault::new(at.key("spec").key("combin"), "unknown")
                .repair(Repair::Rename("combine".into())),
            Fault::new(at.key("spec").key("interval"), "wrong").repair(Repair::Remove),
            Fault::new(at.key("spec"), "no repair"),
        ];
        let value = serde_json::json!({"spec": {"combin": "a", "interval": 15, "x": 1}});
        let expected = serde_json::json!({"spec": {"combine": "a", "x": 1}});
        assert_eq!(repaired(value, &at, &faults), expected);
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        let known = ["interval", "signals", "combine", "smooth", "guard", "metric"];
        for (unknown, expected) in [
            ("intervall", Some("interval")),
            ("Smooth", Some("smooth")),
            ("gaurd", Some("guard")),
            ("signal", Some("signals")),
            ("replicas", None),
        ] {
            assert_eq!(nearest(unknown, known), expected, "{unknown}");
        }
    }
}
