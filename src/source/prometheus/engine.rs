//! Which engine there are series of: one query for all engines, when it is not known.

use super::Prometheus;
use super::response::{Data, Told as Answered};
use super::{seconds, shown_seconds};
use crate::domain::limits;
use crate::policy::Ask;
use crate::policy::profile::detect::{AnyEngine, Place, Told};
use crate::policy::profile::promql::ENGINE;
use crate::series::Aged;
use crate::source::ReadError;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Prometheus {
    /// The samples of whichever engine there is.
    pub(super) async fn read_any(&self, any: &AnyEngine, at: Timestamp) -> Result<Aged, ReadError> {
        let (ask, told) = self.engine_of(any, at).await?;
        match self.read_query(ask, at).await {
            Ok(aged) => Ok(Aged { told: Some(told.to_string()), ..aged }),
            Err(error) => {
                if let (ReadError::Empty(_), Place::Query { query, .. }) = (&error, &any.place) {
                    self.engines.doubt(query, at).await;
                }
                Err(error)
            }
        }
    }

    /// What is asked of the engine that there is.
    pub(super) async fn engine_of<'a>(
        &self,
        any: &'a AnyEngine,
        at: Timestamp,
    ) -> Result<(&'a Ask, Told), ReadError> {
        let Place::Query { query, namespace } = &any.place else {
            return Err(ReadError::WrongKind);
        };
        let look = self.look(any, query, at);
        let (told, is_new) = self.engines.get(query, at, None, look).await?;
        if is_new {
            tracing::info!(%namespace, "{told}");
        }
        let ask = any.ask(&told).map_err(|untold| ReadError::Empty(untold.to_string()))?;
        Ok((ask, told))
    }

    async fn look(&self, any: &AnyEngine, query: &str, at: Timestamp) -> Result<Told, ReadError> {
        let lookback = match any.example() {
            Some(Ask::Query { lookback, .. }) => *lookback,
            _ => limits::MAX_AGE_DEFAULT,
        };
        let parameters = [
            ("query", query.to_owned()),
            ("time", seconds(at)),
            ("lookback_delta", shown_seconds(lookback)),
        ];
        let Answered { data, .. } = self.ask("query", &parameters).await?;
        let Data::Vector(series) = data else { return Err(super::unexpected("scalar or matrix")) };
        let found: BTreeSet<Arc<str>> =
            series.iter().filter_map(|it| it.label(ENGINE)).map(Into::into).collect();
        any.of_series(&found).map_err(|untold| ReadError::Empty(untold.to_string()))
    }
}
