//! What the scenarios share: an adapter that kube-apiserver asks, and how to read its answers.

pub(crate) mod policies;
pub(crate) mod workload;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::bed::Bed;
use super::bed::adapter::Adapter;
use super::bed::http::{Http, Reply};
use super::bed::registration::Registration;
use super::bed::wait::{seen, wait_until};

/// Scrape, tick and HPA sync take a second each; the rest is for a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// An adapter with a configuration, asked by kube-apiserver for as long as this lives.
pub(crate) struct Stage<'a> {
    pub(crate) bed: &'a Bed,
    // Taken away before the adapter: registered without an answer, namespaces would hang.
    pub(crate) registration: Registration,
    pub(crate) adapter: Adapter,
}

impl<'a> Stage<'a> {
    /// Starts and registers an adapter.
    #[track_caller]
    pub(crate) fn new(bed: &'a Bed, config: &str) -> Self {
        Self::with(bed, config, &[])
    }

    /// The same with further arguments.
    #[track_caller]
    pub(crate) fn with(bed: &'a Bed, config: &str, arguments: &[String]) -> Self {
        let adapter = bed.start_adapter_with(foresail(), config, arguments);
        let registration = bed.register(&adapter);
        Self { bed, registration, adapter }
    }

    /// The value of the one item that `kubectl get --raw PATH` answers; the error is what kubectl
    /// said instead.
    pub(crate) fn served(&self, path: &str) -> Result<f64, String> {
        let output = self.bed.kubectl.run(&format!("get --raw {path}"));
        if !output.success {
            return Err(output.stderr);
        }
        let list: Value = serde_json::from_str(&output.stdout)
            .map_err(|error| format!("{error}: {}", output.stdout))?;
        match list["items"].as_array().map(Vec::as_slice) {
            Some([only]) => Ok(quantity(&only["value"])),
            _ => Err(format!("not one item: {list}")),
        }
    }

    /// Waits until `path` answers exactly `value`.
    #[track_caller]
    pub(crate) fn wait_served(&self, path: &str, value: f64) {
        wait_until(SOON, &format!("{path} answers {value}"), || {
            let served = self.served(path);
            seen(served == Ok(value), format!("{served:?}"))
        });
    }

    /// Waits until the HPA controller has asked `n` more times for a metric of this route
    /// (`external`, `object`, `objects`) and got this status.
    #[track_caller]
    pub(crate) fn wait_asked(&self, n: u32, route: &str, status: u16) {
        let asked = || {
            let labels = [&format!(r#"route="{route}""#), &format!(r#"code="{status}""#)];
            metric(&self.adapter, "foresail_api_requests_total", &labels.map(String::as_str))
        };
        let enough = asked() + f64::from(n);
        wait_until(SOON, &format!("the HPA controller asks {n} more times"), || {
            seen(asked() >= enough, asked())
        });
    }

    /// A client that shows the certificate of kube-apiserver's front proxy.
    pub(crate) fn front_proxy(&self) -> Http {
        self.bed.http_as(&self.bed.certificates.front_proxy)
    }
}

/// The binary under test.
pub(crate) fn foresail() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_foresail"))
}

/// The path of an External metric.
pub(crate) fn external(namespace: &str, metric: &str) -> String {
    format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}")
}

/// The path of the metric of an object (`*` for all) in the newest version.
pub(crate) fn custom(namespace: &str, resource: &str, object: &str, metric: &str) -> String {
    let group = "/apis/custom.metrics.k8s.io/v1beta2";
    format!("{group}/namespaces/{namespace}/{resource}/{object}/{metric}")
}

/// A quantity in whole numbers or thousandths, which is all that the scenarios use.
#[track_caller]
pub(crate) fn quantity(text: &Value) -> f64 {
    let text = text.as_str().unwrap_or_else(|| panic!("no quantity: {text}"));
    let (digits, scale) = match text.split_at(text.len() - 1) {
        (digits, "n") => (digits, 1e9),
        (digits, "u") => (digits, 1e6),
        (digits, "m") => (digits, 1e3),
        (digits, "k") => (digits, 1e-3),
        _ => (text, 1.0),
    };
    digits.parse::<f64>().unwrap() / scale
}

/// The sum of the series of a self metric whose labels contain all of `labels`; 0 when none does.
#[track_caller]
pub(crate) fn metric(adapter: &Adapter, name: &str, labels: &[&str]) -> f64 {
    lines(&page(adapter).body, name, labels).map(|(_, value)| value).sum()
}

/// The self metrics' page.
#[track_caller]
pub(crate) fn page(adapter: &Adapter) -> Reply {
    adapter.observe("/metrics").unwrap()
}

/// Label text and value of each line of one series on a page.
pub(crate) fn lines<'p>(
    page: &'p str,
    name: &'p str,
    labels: &'p [&str],
) -> impl Iterator<Item = (&'p str, f64)> {
    page.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (found, value) = rest.rsplit_once(' ')?;
        let is_it = found.is_empty() || found.starts_with('{');
        let fits = labels.iter().all(|label| found.contains(label));
        (is_it && fits).then(|| (found, value.parse().unwrap()))
    })
}
