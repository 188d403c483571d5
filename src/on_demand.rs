//! Metrics of rules, between one who asks and the next: what there is, what was answered, what is to
//! be read again and who waits for it.
//!
//! In come rules, lists of series, questions and answers, each with the time; out come the reads to
//! make, the waiters to wake, and `Board`, from which requests are answered. Does no I/O: `app` reads.

pub mod board;
pub mod counts;
pub mod ledger;
pub mod rule;

use crate::domain::name::{MetricName, Namespace, ObjectName};
use crate::domain::object::GroupResource;
use crate::rules::selector::SeriesSelector;

/// What is asked of Prometheus: one answer is for all who ask the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// An external metric.
    External {
        /// The namespace in which it is asked for.
        namespace: Namespace,
        /// The metric.
        metric: MetricName,
        /// `labelSelector`.
        selector: SeriesSelector,
    },
    /// A custom metric.
    Custom {
        /// The namespace of the objects; `None` for objects of the root scope.
        namespace: Option<Namespace>,
        /// What kind of objects.
        resource: GroupResource,
        /// The metric.
        metric: MetricName,
        /// `metricLabelSelector`.
        selector: SeriesSelector,
        /// The objects, sorted, where the query has to name them; `None` for all at once.
        objects: Option<Vec<ObjectName>>,
    },
}
