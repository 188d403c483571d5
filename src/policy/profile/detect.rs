//! A signal of an engine that nobody named: by what each engine is told, and what is asked of it
//! then.

use super::Canonical;
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::pod_place::{ENGINE_LABELS, PodPlace};
use crate::domain::selector::Selector;
use crate::policy::Ask;
use crate::policy::pods::PodPage;
use crate::policy::promql::SeriesSelector;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A signal of whichever engine is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyEngine {
    /// The signal.
    pub signal: Canonical,
    /// The engines that may be there, by name.
    pub engines: Box<[Engine]>,
    /// Where it is looked which one is there.
    pub place: Place,
}

/// Where it is looked which engine is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the answer to a query.
    Query {
        /// The query: it answers a series with the label `promql::ENGINE` for each engine.
        query: Box<str>,
        /// The namespace of the series.
        namespace: Namespace,
    },
    /// At pods: in their labels, and then on their pages.
    Pods {
        /// Which pods of the policy's namespace.
        selector: Selector,
        /// Whether those are looked at, too, that are not ready.
        includes_not_ready: bool,
    },
}

/// One engine that may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// As policies name it.
    pub name: Arc<str>,
    /// What the label of its pods says.
    pub labels: Box<[Box<str>]>,
    /// Series of which one is enough to tell it.
    pub marks: Box<[SeriesSelector]>,
    /// Engines whose series it has as well.
    pub instead_of: Box<[Box<str>]>,
    /// The page of its pods, where pods are looked at.
    pub page: Option<Arc<PodPage>>,
    /// What is asked of it, or why nothing can be: it has no such signal.
    pub ask: Result<Ask, Box<str>>,
}

/// Which engine was told, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The engine.
    pub engine: Arc<str>,
    /// By what.
    pub by: By,
}

/// By what an engine was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By the label of its pods.
    Label,
    /// By its series.
    Series,
}

/// Why no engine is told. What is not known is no number, and zero least of all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// No pod has a label, no page a known series.
    #[error("no series of a known engine was found ({0}); name it with `engine`")]
    Nothing(String),
    /// A label says something that no profile knows.
    #[error(
        "the pod {pod} says that it runs `{label}` (label {}), and known are {known}; \
         name its engine with `engine`, or give it a profile",
        ENGINE_LABELS[0]
    )]
    Unknown {
        /// The pod.
        pod: ObjectName,
        /// What its label says.
        label: Box<str>,
        /// What is known.
        known: String,
    },
    /// Several engines are there.
    #[error("{0}; select the pods of one of them, or name it with `engine`")]
    Several(String),
    /// The engine is told and cannot be asked.
    #[error("{told}, {why}")]
    Without {
        /// The engine.
        told: Told,
        /// Why not.
        why: Box<str>,
    },
}

impl AnyEngine {
    /// What is asked of one of the engines that have the signal: they differ in the series and the
    /// page only.
    #[must_use]
    pub fn example(&self) -> Option<&Ask> {
        self.engines.iter().find_map(|it| it.ask.as_ref().ok())
    }

    /// The engine that the labels of pods tell; `None` where no pod has one. Pods without a label are
    /// of the same engine as the others: labels come with a rollout.
    ///
    /// # Errors
    /// `Untold`, when a label is not known or two differ.
    pub fn of_labels(&self, pods: &[PodPlace]) -> Result<Option<Told>, Untold> {
        let mut told: Option<(&Engine, &ObjectName)> = None;
        for pod in pods {
            let Some(label) = &pod.engine else { continue };
            let known = self.engines.iter().find(|it| it.labels.contains(label));
            let Some(engine) = known else {
                let labels = self.engines.iter().flat_map(|it| &it.labels);
                let known = labels.map(|it| &**it).collect::<Vec<_>>().join(", ");
                let (pod, label) = (pod.name.clone(), label.clone());
                return Err(Untold::Unknown { pod, label, known });
            };
            match told {
                Some((other, of)) if other.name != engine.name => {
                    let (first, second) = (&other.name, &engine.name);
                    let both = format!("{of} runs {first} and {} runs {second}", pod.name);
                    return Err(Untold::Several(both));
                }
                Some(_) => {}
                None => told = Some((engine, &pod.name)),
            }
        }
        Ok(told.map(|(it, _)| Told { engine: Arc::clone(&it.name), by: By::Label }))
    }

    /// The engine of which these are the names that were found.
    ///
    /// # Errors
    /// `Untold`, when there is none or there are several, or the one cannot be asked.
    pub fn of_series(&self, found: &BTreeSet<Arc<str>>) -> Result<Told, Untold> {
        let of = |name: &Arc<str>| self.engines.iter().find(|it| it.name == *name);
        let engines: Vec<&Engine> = found.iter().filter_map(of).collect();
        let is_hidden =
            |name: &str| engines.iter().any(|it| it.instead_of.iter().any(|it| **it == *name));
        let left: Vec<&Engine> =
            engines.iter().copied().filter(|it| !is_hidden(&it.name)).collect();
        match left.as_slice() {
            [only] => {
                let told = Told { engine: Arc::clone(&only.name), by: By::Series };
                // One that cannot be asked is not kept: another may take its place.
                self.ask(&told).map(|_| told.clone())
            }
            [] => Err(Untold::Nothing(self.names())),
            several => {
                let names: Vec<&str> = several.iter().map(|it| &*it.name).collect();
                Err(Untold::Several(format!("there are series of {}", names.join(" and "))))
            }
        }
    }

    /// What is asked of the engine of this name.
    ///
    /// # Errors
    /// `Untold`, when it does not have the signal.
    pub fn ask(&self, told: &Told) -> Result<&Ask, Untold> {
        let engine = self.engines.iter().find(|it| it.name == told.engine);
        let engine = engine.ok_or_else(|| Untold::Nothing(self.names()))?;
        let without = |why: &str| Untold::Without { told: told.clone(), why: why.into() };
        engine.ask.as_ref().map_err(|why| without(why))
    }

    /// The engines that can be told by their series.
    fn names(&self) -> String {
        let named = self.engines.iter().filter(|it| !it.marks.is_empty());
        named.map(|it| &*it.name).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::Label => "the label of its pods",
            By::Series => "its series",
        };
        write!(f, "engine {}, told by {by}", self.engine)
    }
}

#[cfg(test)]
mod tests;
