//! Queries as rules write them, answered as they come: nothing is asked beside them, and nothing is
//! made of the answer here.

use super::response::{self, Data, Told};
use super::{Prometheus, seconds};
use crate::rules::answer::Answer;
use crate::source::ReadError;
use jiff::Timestamp;

impl Prometheus {
    /// What a query answers at the instant `at`. How far back it looks is the server's setting, as it
    /// was for prometheus-adapter.
    pub(in crate::source) async fn plain(
        &self,
        query: &str,
        at: Timestamp,
    ) -> Result<Answer, ReadError> {
        let parameters = [("query", query.to_owned()), ("time", seconds(at))];
        let Told { data, missing } = self.ask("query", &parameters).await?;
        if let Some(missing) = missing {
            let problem = format!("the answer is about a part of the data ({missing})");
            return Err(ReadError::Empty(problem));
        }
        Ok(match data {
            Data::Scalar(point) => Answer::Scalar(point.value),
            Data::Vector(series) => {
                let values = series.iter().filter_map(|one| {
                    let point = one.points().next()?;
                    Some((one.labels(), point.value))
                });
                Answer::Vector(values.collect())
            }
            Data::Matrix(_) => Answer::Other("matrix".into()),
        })
    }

    /// The names of the labels that the series of a selector had between two instants.
    pub(in crate::source) async fn label_names(
        &self,
        selector: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Box<str>>, ReadError> {
        let parameters =
            [("match[]", selector.to_owned()), ("start", seconds(from)), ("end", seconds(to))];
        self.ask_for("labels", &parameters, response::label_names).await
    }
}
