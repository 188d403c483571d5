//! Two servers of the metrics APIs side by side: each metric that an HPA asks for is asked of both,
//! before one takes the place of the other.

mod reading;

use crate::app::simulate::Table;
use crate::cluster::beside::{self, Listed, NoAnswer};
use crate::cluster::{self, Client, ClusterError};
use crate::domain::finite::Finite;
use crate::domain::hpa::{Hpa, HpaMetric};
use crate::domain::name::Namespace;
use futures::{StreamExt, stream};
use reading::Reading;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// The server that is not registered: where it is, and how its certificate is checked.
pub type Other = beside::Beside;

/// Metrics asked at the same time.
const AT_ONCE: usize = 4;
/// How often a metric is asked at most: the two answers are not of the same moment, so a value that
/// moves gets further chances.
const ROUNDS: u32 = 3;
/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(2);

/// What is compared.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The kubeconfig; the usual one when there is none.
    pub kubeconfig: Option<&'a Path>,
    /// The server that is not registered.
    pub other: &'a Other,
    /// Only HPAs of this namespace.
    pub namespace: Option<&'a Namespace>,
    /// By how much of the larger value the two may differ.
    pub tolerance: Finite,
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// No cluster.
    #[error("failed to reach the cluster")]
    Cluster(#[source] ClusterError),
    /// The other server is not there.
    #[error("failed to reach the other server at {server}")]
    Other {
        /// Its URL.
        server: String,
        /// Why.
        #[source]
        cause: NoAnswer,
    },
    /// The HPAs are not told.
    #[error("failed to list the HPAs")]
    Hpas(#[source] NoAnswer),
}

impl CompareError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "--kubeconfig FILE names another cluster",
            Self::Other { .. } => {
                "kubectl -n foresail-system port-forward deployment/foresail 6443:6443 brings it to this \
                 machine; --certificate-authority and --tls-server-name say how its certificate is checked"
            }
            Self::Hpas(_) => {
                "the user of the kubeconfig has to be allowed to list HPAs; --namespace asks for those of one namespace"
            }
        }
    }
}

/// What both servers say of all metrics.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// One for each metric of each HPA.
    pub metrics: Vec<Compared>,
    /// Metrics of HPAs that no server can have, by their name or selector.
    pub n_unusable: usize,
}

/// What both servers say of one metric.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Of the HPA.
    pub namespace: String,
    /// The HPA.
    pub hpa: String,
    /// The metric.
    pub metric: String,
    /// What is asked for, as the HPA controller would.
    pub path: Option<String>,
    /// What the registered server says.
    #[serde(serialize_with = "reading::or_error")]
    pub registered: Result<Reading, String>,
    /// What the other server says.
    #[serde(serialize_with = "reading::or_error")]
    pub other: Result<Reading, String>,
    /// What that means.
    pub verdict: Verdict,
}

/// How two answers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Within the tolerance.
    Alike,
    /// Only the other server has a value.
    OnlyOther,
    /// Neither has a value.
    Neither,
    /// Beyond the tolerance, or about other objects.
    Differs,
    /// Only the registered server has a value.
    OnlyRegistered,
}

impl Verdict {
    /// Whether an HPA would be worse off with the other server, or otherwise.
    #[must_use]
    pub fn is_a_difference(self) -> bool {
        matches!(self, Self::Differs | Self::OnlyRegistered)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Alike => "alike",
            Self::OnlyOther => "only the other",
            Self::Neither => "neither",
            Self::Differs => "DIFFERS",
            Self::OnlyRegistered => "MISSING",
        }
    }
}

/// Asks both servers for every metric of every HPA. `progress` is told how many are done, of how
/// many.
///
/// # Errors
/// `CompareError` when there is no cluster, or it does not tell its HPAs.
pub async fn compare(
    wish: &Wish<'_>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Comparison, CompareError> {
    let registered = cluster::connect(wish.kubeconfig).await.map_err(CompareError::Cluster)?;
    let other = beside::connect(wish.kubeconfig, wish.other).await;
    let other = other.map_err(CompareError::Cluster)?;
    beside::greet(&other).await.map_err(|cause| {
        let server = wish.other.server.clone();
        CompareError::Other { server, cause }
    })?;
    let listed = beside::hpas(&registered, wish.namespace).await.map_err(CompareError::Hpas)?;
    let Listed { hpas, n_unusable } = listed;
    let wanted: Vec<(&Hpa, &HpaMetric)> =
        hpas.iter().flat_map(|hpa| hpa.metrics.iter().map(move |metric| (hpa, metric))).collect();
    let both = Both { registered, other, tolerance: wish.tolerance };
    let asking = wanted.iter().map(|(hpa, metric)| both.compared(hpa, metric));
    let mut answers = stream::iter(asking).buffered(AT_ONCE);
    let mut metrics = Vec::new();
    progress(0, wanted.len());
    while let Some(compared) = answers.next().await {
        metrics.push(compared);
        progress(metrics.len(), wanted.len());
    }
    Ok(Comparison { metrics, n_unusable })
}

struct Both {
    registered: Client,
    other: Client,
    tolerance: Finite,
}

impl Both {
    async fn compared(&self, hpa: &Hpa, metric: &HpaMetric) -> Compared {
        let mut compared = Compared {
            namespace: hpa.namespace.to_string(),
            hpa: hpa.name.to_string(),
            metric: metric.metric.to_string(),
            path: None,
            registered: Err(String::new()),
            other: Err(String::new()),
            verdict: Verdict::Neither,
        };
        let path = match beside::path(&self.registered, hpa, metric).await {
            Ok(path) => compared.path.insert(path).clone(),
            Err(why) => {
                // The HPA controller would not come to ask, either.
                compared.registered = Err(format!("nobody can ask for it: {why}"));
                compared.other.clone_from(&compared.registered);
                return compared;
            }
        };
        for round in 1..=ROUNDS {
            let (registered, other) =
                tokio::join!(read(&self.registered, &path), read(&self.other, &path));
            compared.verdict = verdict(&registered, &other, self.tolerance);
            (compared.registered, compared.other) = (registered, other);
            if !compared.verdict.is_a_difference() || round == ROUNDS {
                break;
            }
            sleep(PAUSE).await;
        }
        compared
    }
}

async fn read(client: &Client, path: &str) -> Result<Reading, String> {
    let answer = beside::ask(client, path).await.map_err(|error| error.to_string())?;
    let answer = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    Reading::of(&answer)
}

fn verdict(
    registered: &Result<Reading, String>,
    other: &Result<Reading, String>,
    tolerance: Finite,
) -> Verdict {
    match (registered, other) {
        (Ok(registered), Ok(other)) if registered.is_near(other, tolerance) => Verdict::Alike,
        (Ok(_), Ok(_)) => Verdict::Differs,
        (Ok(_), Err(_)) => Verdict::OnlyRegistered,
        (Err(_), Ok(_)) => Verdict::OnlyOther,
        (Err(_), Err(_)) => Verdict::Neither,
    }
}

impl Comparison {
    /// Whether an HPA would be worse off with the other server, or otherwise.
    #[must_use]
    pub fn has_differences(&self) -> bool {
        self.metrics.iter().any(|it| it.verdict.is_a_difference())
    }

    /// A row for each metric, and below it why some have no value.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let heads = ["HPA", "metric", "registered", "other", "verdict"].map(str::to_owned).into();
        let rows = self.metrics.iter().map(|it| {
            let shown = |it: &Result<Reading, String>| {
                it.as_ref().map_or_else(|_| "-".to_owned(), Reading::to_string)
            };
            let hpa = format!("{}/{}", it.namespace, it.hpa);
            let (registered, other) = (shown(&it.registered), shown(&it.other));
            vec![hpa, it.metric.clone(), registered, other, it.verdict.word().to_owned()]
        });
        let mut lines = Table { heads, rows: rows.collect() }.lines();
        for it in self.metrics.iter().filter(|it| it.verdict != Verdict::Alike) {
            for (who, answer) in [("registered", &it.registered), ("other", &it.other)] {
                if let Err(why) = answer {
                    lines.push(format!("{}/{} {}, {who}: {why}", it.namespace, it.hpa, it.metric));
                }
            }
        }
        lines
    }

    /// What both answered, for a program.
    ///
    /// # Errors
    /// Only if a number were no number, which readings are not.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// How many are alike, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |wanted| self.metrics.iter().filter(|it| it.verdict == wanted).count();
        let mut parts =
            vec![format!("{} of {} metrics alike", count(Verdict::Alike), self.metrics.len())];
        for (verdict, words) in [
            (Verdict::Differs, "differ"),
            (Verdict::OnlyRegistered, "would go missing"),
            (Verdict::OnlyOther, "only the other server has"),
            (Verdict::Neither, "neither server has"),
        ] {
            if count(verdict) > 0 {
                parts.push(format!("{} {words}", count(verdict)));
            }
        }
        if self.n_unusable > 0 {
            parts.push(format!("{} with a name or selector that no server knows", self.n_unusable));
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reading(values: &[(&str, &str)]) -> Result<Reading, String> {
        let items = values.iter().map(|(name, value)| {
            json!({"describedObject": {"kind": "Pod", "name": name}, "value": value})
        });
        Reading::of(&json!({"items": items.collect::<Vec<_>>()}))
    }

    #[test]
    fn an_hpa_is_no_worse_off_within_the_tolerance_and_with_the_same_objects() {
        let tolerance = Finite::new(0.1).unwrap();
        let none = || Err("404".to_owned());
        for (registered, other, expected) in [
            (reading(&[("a", "10")]), reading(&[("a", "10")]), Verdict::Alike),
            (reading(&[("a", "10")]), reading(&[("a", "10900m")]), Verdict::Alike),
            (reading(&[("a", "10")]), reading(&[("a", "12")]), Verdict::Differs),
            (reading(&[("a", "0")]), reading(&[("a", "0")]), Verdict::Alike),
            (reading(&[("a", "0")]), reading(&[("a", "1m")]), Verdict::Differs),
            (reading(&[("a", "10"), ("b", "10")]), reading(&[("a", "10")]), Verdict::Differs),
            (
                reading(&[("a", "1"), ("b", "3")]),
                reading(&[("b", "1"), ("a", "3")]),
                Verdict::Alike,
            ),
            (reading(&[("a", "10")]), none(), Verdict::OnlyRegistered),
            (none(), reading(&[("a", "10")]), Verdict::OnlyOther),
            (none(), none(), Verdict::Neither),
            (reading(&[("a", "10")]), reading(&[]), Verdict::OnlyRegistered),
        ] {
            let found = verdict(&registered, &other, tolerance);
            assert_eq!(found, expected, "{registered:?} {other:?}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_the_servers_words() {
        let compared = |metric: &str, other, verdict| Compared {
            namespace: "inference".to_owned(),
            hpa: "llama".to_owned(),
            metric: metric.to_owned(),
            path: None,
            registered: reading(&[("a", "10"), ("b", "30")]),
            other,
            verdict,
        };
        let metrics = vec![
            compared("waiting", reading(&[("a", "12"), ("b", "28")]), Verdict::Alike),
            compared("running", Err("404: no such metric".to_owned()), Verdict::OnlyRegistered),
        ];
        let comparison = Comparison { metrics, n_unusable: 1 };
        assert!(comparison.has_differences());
        let shown = comparison.lines().join("\n");
        insta::assert_snapshot!(shown, @r"
        HPA                metric   registered    other   verdict
        inference/llama   waiting       20 x 2   20 x 2     alike
        inference/llama   running       20 x 2        -   MISSING
        inference/llama running, other: 404: no such metric
        ");
        insta::assert_snapshot!(
            comparison.summary(),
            @"1 of 2 metrics alike, 1 would go missing, 1 with a name or selector that no server knows"
        );
    }
}
