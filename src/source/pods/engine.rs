//! Which engine pods run: by their label, else by the series on the pages of some of them.

use super::choice::{Chosen, choose};
use super::{Answer, Asker, PodReader, fetch, fold};
use crate::domain::limits;
use crate::domain::pod_place::PodPlace;
use crate::policy::Ask;
use crate::policy::pods::PodPage;
use crate::policy::profile::detect::{AnyEngine, Engine, Place, Told, Untold};
use crate::policy::promql::SeriesSelector;
use crate::source::ReadError;
use crate::source::scrape::exposition::sieve::{Page, Wanted};
use crate::source::scrape::exposition::{Format, line_of};
use futures::future::join_all;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

impl PodReader {
    /// What the pods say about the instant `at`, whichever engine they run.
    ///
    /// # Errors
    /// `ReadError` when there is no number, or the engine is not told.
    pub async fn read_any(
        &self,
        asker: Asker,
        any: &AnyEngine,
        at: Timestamp,
    ) -> Result<Answer, ReadError> {
        let Place::Pods { selector, includes_not_ready } = &any.place else {
            return Err(ReadError::WrongKind);
        };
        let places = self.places.places(&asker.0.namespace, selector);
        let places = places.map_err(|error| ReadError::Empty(error.to_string()))?;
        let Chosen { pods, .. } = choose(*includes_not_ready, places);
        if pods.is_empty() {
            return Err(fold::no_pod());
        }
        let label = any.of_labels(&pods).map_err(untold)?;
        let look = self.look(any, &pods);
        let (told, is_new) = self.engines.get(&asker, at, label, look).await?;
        if is_new {
            let (policy, signal) = (&asker.0, &asker.1);
            tracing::info!(%policy, %signal, "{told}");
            // What another engine counted has nothing to do with it.
            self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(&asker);
        }
        let Ask::Pods(ask) = any.ask(&told).map_err(untold)? else {
            return Err(ReadError::WrongKind);
        };
        match self.heard(asker.clone(), ask, at).await {
            Ok(answer) => Ok(Answer { told: Some(told.to_string()), ..answer }),
            Err((error, is_mute)) => {
                // While some pods tell what is asked of this engine, it is the one.
                if is_mute {
                    self.engines.doubt(&asker, at).await;
                }
                Err(error)
            }
        }
    }

    /// Looks at the pages of some pods, on the usual port of each engine.
    async fn look(&self, any: &AnyEngine, pods: &[PodPlace]) -> Result<Told, ReadError> {
        let mut pages: BTreeMap<&PodPage, Vec<&Engine>> = BTreeMap::new();
        for engine in any.engines.iter().filter(|it| !it.marks.is_empty()) {
            if let Some(page) = engine.page.as_deref() {
                pages.entry(page).or_default().push(engine);
            }
        }
        let looked: Vec<&PodPlace> = pods.iter().take(limits::profile::LOOK_PODS).collect();
        let looks = looked.iter().flat_map(|pod| {
            pages.iter().map(move |(page, engines)| self.look_at(page, engines, pod))
        });
        let looks = join_all(looks).await;
        let mut found = BTreeSet::new();
        let mut failed = None;
        for look in &looks {
            match look {
                Ok(names) => found.extend(names.iter().cloned()),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match (any.of_series(&found), failed) {
            (Ok(told), _) => Ok(told),
            // Where no page can be read at all, that is the reason.
            (Err(Untold::Nothing(_)), Some(error)) if looks.iter().all(Result::is_err) => {
                let pods: Vec<&str> = looked.iter().map(|it| it.name.as_str()).collect();
                let problem = format!("no page of {} could be read: {error}", pods.join(", "));
                Err(ReadError::Empty(format!("the engine is not told: {problem}")))
            }
            (Err(error), _) => Err(untold(error)),
        }
    }

    /// The engines of which a page has series.
    async fn look_at(
        &self,
        page: &PodPage,
        engines: &[&Engine],
        pod: &PodPlace,
    ) -> Result<Vec<Arc<str>>, ReadError> {
        let caller = self.clients.caller(page).map_err(ReadError::Empty)?;
        let marks = engines.iter().flat_map(|it| &it.marks);
        let wanted = Wanted::new(marks.map(SeriesSelector::name));
        let fetched = {
            let _permit = self.permits.acquire().await;
            // Not counted: most of these ports are closed, and that is no trouble of the pod's.
            fetch(&caller, page, pod, &wanted, &mut 0).await?
        };
        let is_there = |engine: &&&Engine| engine.marks.iter().any(|mark| has(&fetched, mark));
        Ok(engines.iter().filter(is_there).map(|it| Arc::clone(&it.name)).collect())
    }
}

/// Whether a page has a series.
fn has((page, format): &(Page, Format), mark: &SeriesSelector) -> bool {
    page.lines.split(|byte| *byte == b'\n').any(|line| match line_of(line, *format) {
        Some(Ok(line)) => line.name == mark.name() && mark.matches_by(|name| line.label(name)),
        Some(Err(_)) | None => false,
    })
}

fn untold(untold: Untold) -> ReadError {
    ReadError::Empty(untold.to_string())
}
