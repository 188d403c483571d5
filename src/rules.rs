//! The rules of prometheus-adapter: which series become metrics of which objects, and how their
//! values are asked for.
//!
//! In comes the text of its configuration, out come `Rule` values that cannot be wrong, and the
//! faults of those that were. With what the cluster's discovery says, a rule is `Bound`: it can tell
//! which metrics series make (`catalogue`), write the query of a request (`query`), judge whether it
//! may be asked once for all objects (`separable`), and read the values of an answer (`answer`).
//! Never does I/O; one broken rule never hides the good ones beside it.

pub mod answer;
pub mod askable;
pub mod catalogue;
mod keep_good;
pub mod load;
pub mod naming;
pub mod pattern;
pub mod query;
mod quote;
mod relist;
pub mod resources;
pub mod selector;
pub mod separable;
pub mod template;
#[cfg(test)]
mod tests;
pub mod wire;

use crate::document::fault::Fault;
use crate::domain::name::SourceName;
use crate::rules::naming::Naming;
use crate::rules::resources::{ResourceLabels, Resources, RestMapping, UnknownResource};
use crate::rules::template::Template;
use crate::rules::wire::OnDuplicate;
use std::collections::BTreeSet;
use std::sync::Arc;

/// All rules of a configuration, with what is wrong in it.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The rules of custom metrics that can be used, in the order of the file.
    pub custom: Vec<Arc<Rule>>,
    /// Those of external metrics, likewise.
    pub external: Vec<Arc<Rule>>,
    /// The rules that cannot.
    pub broken: Vec<BrokenRule>,
    /// Everything that is wrong, each with its line, in the order of the file.
    pub faults: Vec<Fault>,
    /// What is not wrong and may mislead, likewise.
    pub warnings: Vec<Fault>,
}

/// A rule, before it is known what the cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// In which API its metrics are.
    pub kind: Kind,
    /// Its place among those of its kind, from zero.
    pub place: usize,
    /// Which series, as a selector of PromQL.
    pub series_query: Box<str>,
    /// Which of them, and what their metrics are called.
    pub naming: Naming,
    /// Which labels name objects.
    pub resources: Resources,
    /// How a query is written.
    pub query: Template,
    /// What several values for one object are.
    pub on_duplicate: OnDuplicate,
    /// The source that is asked; the only one when left out.
    pub source: Option<SourceName>,
}

/// In which API the metrics of a rule are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `custom.metrics.k8s.io`.
    Custom,
    /// `external.metrics.k8s.io`.
    External,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// In which list it stands.
    pub kind: Kind,
    /// Where in it, from zero.
    pub place: usize,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// A rule with the labels that name this cluster's resources. To be made anew when the cluster gets
/// other resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    rule: Arc<Rule>,
    labels: ResourceLabels,
}

impl Rules {
    /// How many the file has, broken ones included.
    #[must_use]
    pub fn count(&self) -> usize {
        let places = |kind| self.of(kind).iter().map(move |it| (kind, it.place));
        let broken = self.broken.iter().map(|it| (it.kind, it.place));
        let all = Kind::ALL.into_iter().flat_map(places).chain(broken);
        all.collect::<BTreeSet<_>>().len()
    }
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Custom, Self::External];

    /// The key of its list in the file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Custom => "rules",
            Self::External => "externalRules",
        }
    }
}

impl Bound {
    /// Binds a rule to what the cluster has.
    ///
    /// # Errors
    /// When the rule names a resource that the cluster lacks, today.
    pub fn new(rule: Arc<Rule>, mapping: &RestMapping) -> Result<Self, UnknownResource> {
        let labels = rule.resources.bind(mapping)?;
        Ok(Self { rule, labels })
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The labels that matter to it: a relist need ask for no others.
    #[must_use]
    pub fn labels(&self) -> &ResourceLabels {
        &self.labels
    }
}
