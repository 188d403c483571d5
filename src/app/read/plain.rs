//! The reads of rules: a query as it is written, and which series a rule has.

use super::{MeteredSource, Sources};
use crate::domain::name::SourceName;
use crate::on_demand::rule::Relist;
use crate::rules::answer::Answer;
use crate::rules::catalogue::SeriesShape;
use crate::source::ReadError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Sources {
    /// What a query of a rule answers.
    pub(crate) async fn plain(
        &self,
        source: Option<&SourceName>,
        query: &str,
        at: Timestamp,
    ) -> Result<Answer, String> {
        let source = self.of_rule(source)?;
        let usable = source.source.as_ref().map_err(String::clone)?;
        let answer = source.permitted(|| usable.plain(query, at)).await;
        answer.map_err(|error| error.to_string())
    }

    /// The series that a rule had within `window`: their names, and which of the rule's labels any of
    /// that name has. Their label sets are not fetched.
    pub(crate) async fn series(
        &self,
        relist: &Relist,
        at: Timestamp,
        window: Duration,
    ) -> Result<Vec<SeriesShape>, String> {
        let rule = &relist.rule;
        let source = self.of_rule(rule.source.as_ref())?;
        let usable = source.source.as_ref().map_err(String::clone)?;
        let shown = |error: ReadError| error.to_string();
        let mut labels = vec![None];
        if !relist.labels.is_empty() {
            let from = at.checked_sub(window).unwrap_or(Timestamp::MIN);
            let there = || usable.label_names(&rule.series_query, (from, at));
            let there = source.permitted(there).await.map_err(shown)?;
            labels = relist.labels.iter().filter(|it| there.contains(it)).map(Some).collect();
        }
        let mut shapes: BTreeMap<Box<str>, SeriesShape> = BTreeMap::new();
        for label in labels {
            let query = rule.names_query(label.map(AsRef::as_ref), window);
            let query = query.ok_or("its seriesQuery is more than one selector of series")?;
            let answer = source.permitted(|| usable.plain(&query, at)).await.map_err(shown)?;
            let Answer::Vector(series) = answer else {
                return Err("its seriesQuery answers no series".to_owned());
            };
            for name in series.iter().filter_map(|(labels, _)| labels.get("__name__")) {
                let shape = shapes
                    .entry(name.into())
                    .or_insert_with(|| SeriesShape { name: name.into(), ..SeriesShape::default() });
                shape.labels.extend(label.cloned());
            }
        }
        Ok(shapes.into_values().collect())
    }

    /// The source that a rule names, or the only one that takes queries.
    fn of_rule(&self, name: Option<&SourceName>) -> Result<Arc<MeteredSource>, String> {
        if let Some(name) = name {
            let source = self.named.get(name).cloned();
            return source.ok_or_else(|| format!("there is no source `{name}`"));
        }
        let takes_queries = |it: &&Arc<MeteredSource>| {
            it.source.as_ref().map_or(true, crate::source::Source::has_history)
        };
        let mut sources = self.named.values().filter(takes_queries);
        match (sources.next(), sources.next()) {
            (Some(only), None) => Ok(Arc::clone(only)),
            (None, _) => Err("there is no source of kind prometheus".to_owned()),
            (Some(_), Some(_)) => {
                Err("there are several sources of kind prometheus; name one by `source`".to_owned())
            }
        }
    }
}
