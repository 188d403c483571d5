//! One page in exposition format: fetched once, asked many things.

pub mod exposition;

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use crate::policy::promql::SeriesSelector;
use crate::policy::{Ask, Reduce};
use crate::series::Samples;
use crate::source::ReadError;
use crate::source::access::Caller;
use crate::source::http::Answer;
use exposition::{Format, Line};
use jiff::Timestamp;
use reqwest::Client;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// The format that is asked for: OpenMetrics costs its writer more. Who has nothing else may answer
/// it.
const ACCEPT: &str = "text/plain;version=0.0.4";

/// A page.
#[derive(Debug)]
pub struct Scrape {
    url: String,
    caller: Caller,
    newest: Mutex<Option<Fetch>>,
}

/// The fetch of one instant, shared by everybody who asks about that instant.
#[derive(Clone, Debug)]
struct Fetch {
    at: Timestamp,
    page: Arc<OnceCell<Fetched>>,
}

/// A page and its format.
type Fetched = Result<(Vec<u8>, Format), ReadError>;

impl Scrape {
    pub(super) fn new(url: &str, caller: Caller) -> Self {
        Self { url: url.to_owned(), caller, newest: Mutex::new(None) }
    }

    /// Answers from the page as it was fetched for the instant `at`. A sample without a time of
    /// its own is as old as the fetch.
    pub(super) async fn read(&self, ask: &Ask, at: Timestamp) -> Result<Samples, ReadError> {
        let Ask::Series { selector, reduce } = ask else { return Err(ReadError::WrongKind) };
        let cell = self.shared(at);
        let page = cell.get_or_init(|| self.fetch()).await;
        let (page, format) = page.as_ref().map_err(Clone::clone)?;
        answer((page, *format), selector, *reduce, at)
    }

    fn shared(&self, at: Timestamp) -> Arc<OnceCell<Fetched>> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.as_ref().filter(|it| it.at == at) {
            Some(fetch) => Arc::clone(&fetch.page),
            None => {
                let page = Arc::new(OnceCell::new());
                *newest = Some(Fetch { at, page: Arc::clone(&page) });
                page
            }
        }
    }

    async fn fetch(&self) -> Fetched {
        let make = |client: &Client| client.get(&self.url).header("accept", ACCEPT);
        // What a server repeats of a secret is on no page that is read, and in no error.
        let (Answer { status, body, content_type, .. }, _) = self.caller.send(make).await?;
        if (200..300).contains(&status) {
            return Ok((body, Format::declared(content_type.as_deref())));
        }
        let message = "expected a page in exposition format".to_owned();
        Err(ReadError::Refused { status, message })
    }
}

fn answer(
    (page, format): (&[u8], Format),
    selector: &SeriesSelector,
    reduce: Reduce,
    at: Timestamp,
) -> Result<Samples, ReadError> {
    let mut values = Vec::new();
    let mut oldest = at;
    let mut lines = 0_usize;
    let mut bad = 0_usize;
    for line in exposition::lines(page, format) {
        lines += 1;
        match line {
            Err(_) => bad += 1,
            Ok(line) if line.is_selected_by(selector) => {
                let value = Finite::new(line.value).filter(|it| !it.is_negative());
                // One series that is no number makes the sum of all unknown.
                let value = value.ok_or_else(|| {
                    let problem = "is NaN, an infinity or a negative number on the page";
                    ReadError::Empty(format!("{} {problem}", selector.text()))
                })?;
                values.push(value);
                oldest = line.at(at).min(oldest);
            }
            Ok(_) => {}
        }
    }
    if lines > 0 && bad == lines {
        let problem = "the page is not in exposition format";
        return Err(ReadError::NotUnderstood(problem.to_owned()));
    }
    let missing = || ReadError::Empty(format!("{} is not on the page", selector.text()));
    let value = reduced(&values, reduce).ok_or_else(missing)?;
    Ok(Samples::from([(None, Sample { at: oldest, value })]))
}

impl Line<'_> {
    fn is_selected_by(&self, selector: &SeriesSelector) -> bool {
        self.name == selector.name() && selector.matches(&self.labels())
    }

    fn at(&self, read_at: Timestamp) -> Timestamp {
        let own = self.millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        own.unwrap_or(read_at)
    }
}

/// One number from several; `None` from none.
fn reduced(values: &[Finite], reduce: Reduce) -> Option<Finite> {
    let sum = || values.iter().map(|it| it.get()).sum::<f64>();
    #[expect(clippy::cast_precision_loss, reason = "a page has fewer lines than 2^52")]
    let count = values.len() as f64;
    match reduce {
        _ if values.is_empty() => None,
        Reduce::Sum => Finite::new(sum()),
        Reduce::Avg => Finite::new(sum() / count),
        Reduce::Max => values.iter().max().copied(),
        Reduce::Min => values.iter().min().copied(),
    }
}

#[cfg(test)]
mod tests;
