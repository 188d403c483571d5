//! From a signal of an exporter, as it is written, to what is read of the pages of its pods.

use super::Reader;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::policy::Ask;
use crate::policy::pods::{Across, Lately, PodPages, PodReduce, PodsAsk};
use crate::policy::profile::file::OverPods;
use crate::policy::profile::pages::{self, PageQuestion, Pages};
use crate::policy::profile::{Described, Profile};
use crate::policy::wire::MetricType;
use std::sync::Arc;

impl<'r> Reader<'r> {
    /// What is read of the pages that a source names. All that a query takes is taken here, too.
    pub(super) fn exporter(&mut self, profile: &Profile, from: &'r PodPages) -> Option<Ask> {
        let signal = self.wire.signal;
        if profile.about_pods.is_none() {
            let problem = format!("the series of {} are about its own pods", profile.engine);
            self.fault("engine", problem, "leave `source` out, and select them with `selector`");
            return None;
        }
        let (narrow, on_partial) = (self.narrow(), self.on_partial());
        let narrow = narrow?;
        let lately = Lately { window: narrow.window, least: limits::QUANTILE_OBSERVATIONS_MIN };
        let quantile = Finite::new(narrow.quantile)?;
        let question = PageQuestion { labels: &narrow.labels, lately, quantile };
        let made = pages::pages(profile, signal, &question).and_then(|it| {
            let namespaces = (&from.namespace, self.about.namespace?);
            let exporter = pages::exporter(profile, &it.parts, namespaces, narrow.pattern)?;
            Some((it, exporter))
        });
        let Some((Pages { parts, value, over }, exporter)) = made else {
            let problem =
                "what counts, or comes together in several ways, is not read of an exporter";
            self.fault("signal", problem, "ask a prometheus `source` instead");
            return None;
        };
        let on_partial = on_partial?;
        let across = match over {
            _ if self.about.metric_type == MetricType::Pods => Across::Each,
            OverPods::Sum => Across::One(PodReduce::Sum, on_partial),
            OverPods::Avg => Across::One(PodReduce::Avg, on_partial),
            OverPods::Merge => return None,
        };
        Some(Ask::Pods(Arc::new(PodsAsk {
            selector: from.selector.clone(),
            includes_not_ready: from.includes_not_ready,
            page: Arc::clone(&from.page),
            parts,
            value,
            across,
            profile: Some(Arc::new(Described::new(profile, signal)?)),
            exporter: Some(Arc::new(exporter)),
        })))
    }
}

#[cfg(test)]
mod tests;
