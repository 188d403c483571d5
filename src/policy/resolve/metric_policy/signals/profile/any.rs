//! From `engine: auto` to what is asked of each engine that may be there, and by what it is told.

use super::{Reader, Way};
use crate::policy::Ask;
use crate::policy::profile::detect::{AnyEngine, Engine, Place};
use crate::policy::profile::promql::engines;
use crate::policy::profile::{Canonical, Profile, Profiles};
use crate::policy::promql::{self, confine};
use crate::policy::resolve::metric_policy::signals::pods;
use std::sync::Arc;

impl<'r> Reader<'r> {
    /// What is asked of whichever engine is there. Exporters are none: their series are about pods of
    /// any engine.
    pub(super) fn any(&mut self, profiles: &Profiles, way: Way<'r>) -> Option<Ask> {
        let signal = self.wire.signal;
        let own = || profiles.iter().filter(|it| it.about_pods.is_none());
        if own().all(|it| it.parts(signal).is_none()) {
            let has = profiles.iter().filter(|it| it.parts(signal).is_some());
            let has: Vec<&str> = has.map(|it| &*it.engine).collect();
            let problem = format!("no engine has a signal `{}` of its own", signal.name());
            self.fault("engine", problem, format!("name what has it: {}", has.join(", ")));
            return None;
        }
        // What is wrong is wrong for each engine alike, and told once.
        let all: Option<Vec<Engine>> = own().map(|it| self.engine(it, way)).collect();
        let engines = all?;
        let place = match way {
            Way::Query(label) => Place::Query {
                query: self.looking(&engines, label)?.into(),
                namespace: self.about.namespace?.clone(),
            },
            // Those are of an exporter, and that has to be named.
            Way::Pages(_) => return None,
            Way::Pods(selector) => Place::Pods {
                selector: pods::selector(selector, &self.path.key("selector"), self.faults)?,
                includes_not_ready: self.wire.include_not_ready == Some(true),
            },
        };
        Some(Ask::Engine(Arc::new(AnyEngine { signal, engines: engines.into(), place })))
    }

    fn engine(&mut self, profile: &Profile, way: Way<'r>) -> Option<Engine> {
        let ask = match self.why_not(profile, way) {
            Some(why_not) => Err(why_not.into()),
            None => Ok(self.one(profile, way)?),
        };
        let page = match (&ask, way) {
            (Ok(Ask::Pods(ask)), _) => Some(Arc::clone(&ask.page)),
            (Err(_), Way::Pods(selector)) if self.port(profile).is_some() => {
                Some(Arc::new(self.page(profile, selector)?))
            }
            _ => None,
        };
        Some(Engine {
            name: Arc::clone(&profile.engine),
            labels: profile.detect.iter().map(|it| it.as_str().into()).collect(),
            marks: profile.detect_series.iter().cloned().collect(),
            instead_of: profile.detect_instead_of.iter().map(|it| it.as_str().into()).collect(),
            page,
            ask,
        })
    }

    /// Why an engine cannot be asked, should it be the one.
    fn why_not(&self, profile: &Profile, way: Way<'_>) -> Option<String> {
        let signal = self.wire.signal;
        let Some(parts) = profile.parts(signal) else {
            let has: Vec<&str> = profile.has().map(Canonical::name).collect();
            return Some(format!("has no signal `{}`; it has {}", signal.name(), has.join(", ")));
        };
        let Way::Pods(_) = way else { return None };
        if self.port(profile).is_none() {
            return Some("has no usual port: write `port`".to_owned());
        }
        let mut over = parts.iter().map(|it| it.pods);
        let first = over.next();
        (!over.all(|it| Some(it) == first)).then(|| {
            format!("has parts of `{}` that come together in different ways", signal.name())
        })
    }

    /// The query that tells which of the engines are there, in the policy's namespace alone.
    fn looking(&mut self, all: &[Engine], label: &str) -> Option<String> {
        let narrow = self.narrow()?;
        let marks = all.iter().map(|it| (&*it.name, &*it.marks));
        let made = engines(marks, &narrow.question(label));
        let is_sound = |it: &String| {
            promql::check(it).is_ok() && confine::demands(it, &[label], narrow.namespace)
        };
        let made = made.filter(is_sound);
        if made.is_none() {
            let problem = "no profile says by which series its engine is told";
            self.fault("engine", problem, "name the engine, or give profiles `detectSeries`");
        }
        made
    }
}

#[cfg(test)]
mod tests;
