//! Two servers of the metrics APIs asked the same: the one that the cluster has registered, and
//! another one beside it, with the rights of one kubeconfig.

use crate::cluster::{Client, ClusterError, client, hpas, refusal, targets, whole};
use crate::domain::hpa::{About, Hpa, HpaMetric};
use crate::domain::name::{Namespace, ObjectName};
use crate::domain::object::ObjectKind;
use crate::domain::selector::Selector;
use http::Request;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{GroupVersionKind, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube::discovery::pinned_kind;
use kube::{Api, Config};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One question; the HPA controller waits as long.
const DEADLINE: Duration = Duration::from_secs(30);
/// HPAs in one answer of the API server.
const PAGE: u32 = 500;
/// What stands in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where the other server is, and how its certificate is checked, in the words of kubectl.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Its URL.
    pub server: String,
    /// PEM of the authorities behind its certificate; the kubeconfig's when there is none.
    pub certificate_authority: Option<PathBuf>,
    /// The name in its certificate; the URL's host when there is none.
    pub tls_server_name: Option<String>,
    /// Whether its certificate is not checked at all.
    pub skips_tls_verify: bool,
}

/// The HPAs that there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// Those that are understood.
    pub hpas: Vec<Hpa>,
    /// How many of their Pods, Object and External metrics no server could have.
    pub n_unusable: usize,
}

/// Why a server has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It refuses, in its own words.
    #[error("{code}: {message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// Its message.
        message: String,
    },
    /// It cannot be reached, or what it says is not understood.
    #[error("{0}")]
    Failed(String),
}

/// Makes a client of the other server, which shows what the kubeconfig holds to prove who asks.
///
/// # Errors
/// `ClusterError` when the kubeconfig cannot be used.
pub async fn connect(kubeconfig: Option<&Path>, beside: &Beside) -> Result<Client, ClusterError> {
    let unusable = |problem: String| match kubeconfig {
        Some(path) => ClusterError::Kubeconfig { path: path.into(), problem },
        None => ClusterError::NoCluster { problem },
    };
    let read = kubeconfig.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    let mut file = read.map_err(|error| unusable(whole(&error)))?;
    for cluster in file.clusters.iter_mut().filter_map(|it| it.cluster.as_mut()) {
        cluster.server = Some(beside.server.clone());
        cluster.tls_server_name.clone_from(&beside.tls_server_name);
        cluster.proxy_url = None;
        cluster.insecure_skip_tls_verify = Some(beside.skips_tls_verify);
        if let Some(path) = &beside.certificate_authority {
            cluster.certificate_authority = Some(path.display().to_string());
            cluster.certificate_authority_data = None;
        }
    }
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    client(config.map_err(|error| unusable(whole(&error)))?)
}

/// The HPAs of one namespace, or of all.
///
/// # Errors
/// Why the API server does not tell them.
pub async fn hpas(client: &Client, namespace: Option<&Namespace>) -> Result<Listed, NoAnswer> {
    let api: Api<HorizontalPodAutoscaler> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace.as_str()),
        None => Api::all(client.clone()),
    };
    let mut listed = Listed::default();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let answer = in_time(api.list(&page)).await?;
        for object in answer.items {
            let wanted = object.spec.metrics.iter().flatten();
            let is_ours = |it: &&_| of_these_apis(it);
            let n_wanted = wanted.filter(is_ours).count();
            let name = object.metadata.name.as_deref().and_then(|it| ObjectName::new(it).ok());
            let hpa = name.and_then(|name| hpas::read(&name, object));
            let n_kept = hpa.as_ref().map_or(0, |it| it.metrics.len());
            listed.n_unusable += n_wanted.saturating_sub(n_kept);
            listed.hpas.extend(hpa);
        }
        match answer.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(next) => page = page.continue_token(&next),
            None => return Ok(listed),
        }
    }
}

fn of_these_apis(metric: &k8s_openapi::api::autoscaling::v2::MetricSpec) -> bool {
    metric.external.is_some() || metric.pods.is_some() || metric.object.is_some()
}

/// The path that the HPA controller would ask for this metric.
///
/// # Errors
/// Why there is none: no selector of the scale target's pods, no such kind.
pub async fn path(client: &Client, hpa: &Hpa, metric: &HpaMetric) -> Result<String, NoAnswer> {
    let (namespace, name) = (&hpa.namespace, &metric.metric);
    Ok(match &metric.about {
        About::External => {
            let query = query(&[("labelSelector", &metric.selector)]);
            format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{name}{query}")
        }
        About::Pods => {
            let pods =
                targets::selector_of(client, hpa.target.clone()).await.map_err(NoAnswer::Failed)?;
            let query =
                query(&[("labelSelector", &pods), ("metricLabelSelector", &metric.selector)]);
            format!("{CUSTOM}/namespaces/{namespace}/pods/*/{name}{query}")
        }
        About::Object { kind, name: object } => {
            let query = query(&[("metricLabelSelector", &metric.selector)]);
            if kind.kind.as_ref() == "Namespace" && kind.group().is_empty() {
                return Ok(format!("{CUSTOM}/namespaces/{object}/metrics/{name}{query}"));
            }
            let (resource, is_namespaced) = resource(client, kind).await?;
            let place =
                if is_namespaced { format!("/namespaces/{namespace}") } else { String::new() };
            format!("{CUSTOM}{place}/{resource}/{object}/{name}{query}")
        }
    })
}

const CUSTOM: &str = "/apis/custom.metrics.k8s.io/v1beta1";

fn query(parameters: &[(&str, &Selector)]) -> String {
    let mut query = String::new();
    for (key, selector) in parameters.iter().filter(|(_, selector)| !selector.is_empty()) {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(key);
        query.push('=');
        query.extend(utf8_percent_encode(&selector.to_string(), PLAIN));
    }
    query
}

/// `deployments.apps`, and whether such objects live in namespaces.
async fn resource(client: &Client, kind: &ObjectKind) -> Result<(String, bool), NoAnswer> {
    let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
    let wanted = GroupVersionKind::gvk(group, version, &kind.kind);
    let (found, capabilities) = in_time(pinned_kind(client, &wanted)).await?;
    let dot = if group.is_empty() { "" } else { "." };
    let is_namespaced = capabilities.scope == kube::discovery::Scope::Namespaced;
    Ok((format!("{}{dot}{group}", found.plural), is_namespaced))
}

/// Whether anybody is there and speaks as an API server does; a refusal is an answer, too.
///
/// # Errors
/// Why it cannot be reached.
pub async fn greet(client: &Client) -> Result<(), NoAnswer> {
    match ask(client, "/version").await {
        Ok(_) | Err(NoAnswer::Refused { .. }) => Ok(()),
        Err(failed) => Err(failed),
    }
}

/// What a server answers.
///
/// # Errors
/// Its own words when it refuses, or why it cannot be reached.
pub async fn ask(client: &Client, path: &str) -> Result<String, NoAnswer> {
    let request =
        Request::get(path).body(Vec::new()).map_err(|it| NoAnswer::Failed(it.to_string()))?;
    in_time(client.request_text(request)).await
}

async fn in_time<T>(asking: impl Future<Output = kube::Result<T>>) -> Result<T, NoAnswer> {
    match tokio::time::timeout(DEADLINE, asking).await {
        Ok(answer) => answer.map_err(|error| match refusal(&error) {
            Some(Status { code, message, .. }) => {
                NoAnswer::Refused { code: *code, message: message.clone() }
            }
            None => NoAnswer::Failed(whole(&error)),
        }),
        Err(_) => Err(NoAnswer::Failed(format!("no answer in {} s", DEADLINE.as_secs()))),
    }
}
