//! The PromQL that a profile stands for.
//!
//! Each candidate is one number per pod; candidates are joined by `or`, so that of each pod the
//! first counts of which it has series: during an upgrade some pods have the old names and some the
//! new ones. Then pods come together. The forms are those of the tables in `profiles/README.md`.

use super::file::{AboutPods, OverPods, Within};
use super::{Candidate, Canonical, Form, Profile, SignalProfile};
use crate::domain::limits;
use crate::policy::promql::{LabelMatch, SeriesSelector};
use std::time::Duration;

/// The label that names the pod of what an exporter says about other pods.
const WORKLOAD: &str = "workload";

/// The label that names the engine in the answer to which engines are there.
pub const ENGINE: &str = "foresail_engine";

/// The label that tells candidates in the answer to which of them have series: the place of the part
/// and that of the candidate in it, with a dot between them.
pub const CANDIDATE: &str = "foresail_candidate";

/// What is asked of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The label that names a series' namespace, and its value.
    pub namespace: (&'a str, &'a str),
    /// The label that names a series' pod.
    pub pod_label: &'a str,
    /// Labels that series have to have.
    pub labels: &'a [(String, String)],
    /// What the names of pods have to match.
    pub pods: Option<&'a str>,
    /// Over which time rates are taken.
    pub window: Duration,
    /// The quantile of a histogram.
    pub quantile: f64,
    /// Whether each pod has a number of its own.
    pub is_per_pod: bool,
}

/// A query, and the label that names the pod of each series where it answers several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The query.
    pub text: String,
    /// The label.
    pub pod_label: String,
    /// Where a part has several candidates, what tells which of them count: a series with the label
    /// `CANDIDATE` for each. It may stand behind the query with `or`.
    pub candidates: Option<String>,
}

/// The query for a signal; `None` when the profile has no such signal.
#[must_use]
pub fn query(profile: &Profile, signal: Canonical, question: &Question<'_>) -> Option<Query> {
    let writer = Writer { about: profile.about_pods.as_ref(), question };
    let parts = profile.parts(signal)?;
    let told: Vec<String> =
        parts.iter().enumerate().flat_map(|(place, it)| writer.candidates(place, it)).collect();
    let candidates = (!told.is_empty()).then(|| told.join(" or "));
    let parts: Vec<String> = parts.iter().map(|it| writer.part(it)).collect();
    let pod_label = writer.pod_label().to_owned();
    Some(Query { text: parts.join(" + "), pod_label, candidates })
}

/// The query that tells which of these engines are there: of each, how many of its series there are,
/// under the label `ENGINE`. One request for all of them; `None` of none.
pub fn engines<'e>(
    engines: impl Iterator<Item = (&'e str, &'e [SeriesSelector])>,
    question: &Question<'_>,
) -> Option<String> {
    let (namespace, value) = question.namespace;
    let writer = Writer { about: None, question };
    let found = engines.filter(|(_, marks)| !marks.is_empty()).map(|(name, marks)| {
        let selectors = marks.iter().map(|it| {
            let mut matches = vec![LabelMatch::Equal(namespace, value)];
            matches.extend(writer.own_matches(question.pod_label));
            it.narrowed("", &matches)
        });
        let selectors = selectors.collect::<Vec<_>>().join(" or ");
        marked(&format!("count({selectors})"), ENGINE, name)
    });
    let found: Vec<String> = found.collect();
    (!found.is_empty()).then(|| found.join(" or "))
}

/// The same series under a label of our own.
fn marked(vector: &str, label: &str, mark: &str) -> String {
    format!(r#"label_replace({vector}, "{label}", "{mark}", "__name__", ".*")"#)
}

struct Writer<'a> {
    about: Option<&'a AboutPods>,
    question: &'a Question<'a>,
}

impl Writer<'_> {
    fn pod_label(&self) -> &str {
        if self.about.is_some() { WORKLOAD } else { self.question.pod_label }
    }

    fn part(&self, signal: &SignalProfile) -> String {
        let candidates: Vec<String> =
            signal.from.iter().map(|it| self.candidate(it, signal.pods)).collect();
        let known = candidates.join(" or ");
        match (signal.pods, self.question.is_per_pod) {
            (OverPods::Merge, _) | (_, true) if candidates.len() == 1 => known,
            (OverPods::Merge, _) | (_, true) => format!("({known})"),
            (OverPods::Sum, false) => format!("sum({known})"),
            (OverPods::Avg, false) => format!("avg({known})"),
        }
    }

    /// Which of several candidates count: those that have pods which those before them have not.
    fn candidates(&self, place: usize, signal: &SignalProfile) -> Vec<String> {
        let all: Vec<String> =
            signal.from.iter().map(|it| self.candidate(it, signal.pods)).collect();
        if all.len() < 2 {
            return Vec::new();
        }
        let told = all.iter().enumerate().map(|(index, candidate)| {
            let before: Vec<&str> = all.iter().take(index).map(String::as_str).collect();
            let counts = match before.as_slice() {
                [] => candidate.clone(),
                _ => format!("({candidate}) unless ({})", before.join(" or ")),
            };
            marked(&format!("count({counts})"), CANDIDATE, &format!("{place}.{index}"))
        });
        told.collect()
    }

    fn candidate(&self, candidate: &Candidate, pods: OverPods) -> String {
        let window = self.window();
        let gauge = |it: &SeriesSelector| self.reduced(&|_| String::new(), it, candidate, pods);
        let rate = |it: &SeriesSelector| self.rate(it, candidate, pods);
        let text = match &candidate.form {
            Form::Gauge(series) => gauge(series),
            Form::Counter(series) => rate(series),
            Form::Ratio(of, by) => format!("{} / ({} > 0)", gauge(of), gauge(by)),
            Form::Product(of, by) => format!("{} * {}", gauge(of), gauge(by)),
            Form::Excess(of, over) => format!("clamp_min({} - {}, 0)", gauge(of), gauge(over)),
            Form::Mean(of, by) => format!("{} / ({} > 0)", rate(of), rate(by)),
            Form::Histogram(base) => self.histogram(base, &window),
        };
        if (candidate.scale - 1.0).abs() < f64::EPSILON {
            return text;
        }
        format!("({text}) * {}", candidate.scale)
    }

    fn rate(&self, series: &SeriesSelector, candidate: &Candidate, pods: OverPods) -> String {
        let window = self.window();
        self.reduced(&|_| window.clone(), series, candidate, pods)
    }

    /// Series as one number per pod; with a window their rates.
    fn reduced(
        &self,
        window: &dyn Fn(&SeriesSelector) -> String,
        series: &SeriesSelector,
        candidate: &Candidate,
        pods: OverPods,
    ) -> String {
        let window = window(series);
        let mut text = self.series(series, &window);
        let key = self.pod_label();
        if !candidate.max_over.is_empty() {
            text = format!("max without ({}) ({text})", candidate.max_over.join(", "));
        }
        if let Some(about) = self.about {
            let devices = about.device.join(", ");
            // What devices have adds up over devices, however many pods share one.
            if pods == OverPods::Sum && !self.question.is_per_pod {
                return format!("max by ({devices}) ({text})");
            }
            text = format!("max by ({key}, {devices}) ({text})");
        }
        let reduce = match candidate.within {
            Within::Sum => "sum",
            Within::Max => "max",
            Within::Avg => "avg",
        };
        format!("{reduce} by ({key}) ({text})")
    }

    /// The series themselves, with the label that names their pod.
    fn series(&self, series: &SeriesSelector, window: &str) -> String {
        let rated = |matches: &[LabelMatch<'_>]| {
            let selector = series.narrowed("", matches);
            if window.is_empty() { selector } else { format!("rate({selector}[{window}])") }
        };
        let Some(about) = self.about else {
            let (namespace, value) = self.question.namespace;
            let mut matches = vec![LabelMatch::Equal(namespace, value)];
            matches.extend(self.own_matches(self.question.pod_label));
            return rated(&matches);
        };
        let variants: Vec<String> = about
            .rows(self.question.namespace.1)
            .map(|(pod, mut matches)| {
                matches.extend(self.own_matches(pod));
                let series = match about.blank {
                    Some(blank) => format!("({} < {blank})", rated(&matches)),
                    None => rated(&matches),
                };
                format!("label_replace({series}, \"{WORKLOAD}\", \"$1\", \"{pod}\", \"(.+)\")")
            })
            .collect();
        variants.join(" or ")
    }

    fn own_matches<'m>(&'m self, pod: &'m str) -> impl Iterator<Item = LabelMatch<'m>> {
        let labels = self.question.labels.iter();
        let labels = labels.map(|(label, value)| LabelMatch::Equal(label, value));
        labels.chain(self.question.pods.map(|pattern| LabelMatch::Like(pod, pattern)))
    }

    /// A quantile, where there is enough to tell one.
    fn histogram(&self, base: &SeriesSelector, window: &str) -> String {
        let Question { namespace: (namespace, value), pod_label, quantile, .. } = *self.question;
        let mut matches = vec![LabelMatch::Equal(namespace, value)];
        matches.extend(self.own_matches(pod_label));
        let buckets = base.narrowed("_bucket", &matches);
        let count = base.narrowed("_count", &matches);
        let least = limits::QUANTILE_OBSERVATIONS_MIN;
        let (by, of, on) = if self.question.is_per_pod {
            (format!("{pod_label}, le"), format!(" by ({pod_label}) "), pod_label)
        } else {
            ("le".to_owned(), String::new(), "")
        };
        format!(
            "(histogram_quantile({quantile}, sum by ({by}) (rate({buckets}[{window}]))) and on ({on}) \
             (sum{of}(increase({count}[{window}])) >= {least}))"
        )
    }

    fn window(&self) -> String {
        format!("{}ms", self.question.window.as_millis())
    }
}

#[cfg(test)]
mod tests;
