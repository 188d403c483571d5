//! A signal of a profile in words: what is looked for, and in which order.

use super::{Canonical, Form, Profile};
use crate::policy::promql::SeriesSelector;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What a signal is looked for under, in order, for whoever explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The engine.
    pub engine: Arc<str>,
    /// The signal.
    pub signal: Canonical,
    /// The candidates of each of the parts that add up to it.
    pub parts: Vec<Vec<String>>,
    /// What asks a Prometheus which of them count, where that is to be asked (`promql::Query`).
    pub query: Option<String>,
}

impl Described {
    /// `None` when the profile has no such signal.
    #[must_use]
    pub fn new(profile: &Profile, signal: Canonical) -> Option<Self> {
        let parts = profile.parts(signal)?.into_iter();
        let parts = parts.map(|it| it.from.iter().map(|from| from.form.to_string()).collect());
        Some(Self {
            engine: Arc::clone(&profile.engine),
            signal,
            parts: parts.collect(),
            query: None,
        })
    }

    /// What was used, of the places of candidates that counted: of a part with one candidate that one.
    /// `None` where of a part nothing is told.
    #[must_use]
    pub fn used(&self, counted: &BTreeSet<(usize, usize)>) -> Option<String> {
        let parts = self.parts.iter().enumerate().map(|(place, candidates)| {
            if let [only] = candidates.as_slice() {
                return Some(only.clone());
            }
            let used = candidates.iter().enumerate();
            let used = used.filter(|(index, _)| counted.contains(&(place, *index)));
            let used: Vec<&str> = used.map(|(_, it)| it.as_str()).collect();
            (!used.is_empty()).then(|| used.join(" and "))
        });
        Some(parts.collect::<Option<Vec<_>>>()?.join(" + "))
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: ", self.signal.name(), self.engine)?;
        for (place, candidates) in self.parts.iter().enumerate() {
            let plus = if place == 0 { "" } else { " + " };
            write!(f, "{plus}{}", candidates.join(", else "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = SeriesSelector::text;
        match self {
            Self::Gauge(series) => f.write_str(text(series)),
            Self::Counter(series) => write!(f, "rate of {}", text(series)),
            Self::Histogram(base) => write!(f, "quantile of {}", text(base)),
            Self::Ratio(of, by) => write!(f, "{} / {}", text(of), text(by)),
            Self::Product(of, by) => write!(f, "{} * {}", text(of), text(by)),
            Self::Excess(of, over) => write!(f, "{} - {}", text(of), text(over)),
            Self::Mean(of, by) => write!(f, "rate of {} / rate of {}", text(of), text(by)),
        }
    }
}
