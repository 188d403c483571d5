//! The HPA of the demo: asks the metrics API as the controller does, and scales the fleet by the
//! controller's arithmetic on what it was answered.

use super::DemoError;
use crate::domain::error_chain::ErrorChain;
use crate::domain::quantity;
use crate::simulate::fleet::Fleet;
use crate::simulate::hpa::metric::{MetricSpec, Reading, TotalTarget};
use crate::simulate::hpa::{Hpa, HpaSpec, Observation};
use reqwest::Client;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// What the HPA asks for.
pub(super) const METRIC: &str =
    "/apis/external.metrics.k8s.io/v1beta1/namespaces/demo/llama_demand";
/// How often, in simulated time.
const SYNC: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(1);

/// The HPA and its connection.
#[derive(Debug)]
pub(super) struct Scaler {
    hpa: Hpa,
    client: Client,
    url: String,
    token: String,
    next: Duration,
    served: Served,
}

/// What the HPA was answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Served {
    pub(super) value: Option<f64>,
    pub(super) syncs: u64,
    pub(super) failures: u64,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    value: String,
}

impl Scaler {
    pub(super) fn new(adapter: SocketAddr, token: &str, target: f64) -> Result<Self, DemoError> {
        let hpa = Hpa::new(HpaSpec {
            min_replicas: Some(1),
            max_replicas: 60,
            metrics: vec![MetricSpec::External {
                target: TotalTarget::AverageValue(milli(target)),
            }],
            behavior: None,
        })?;
        let client = Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            // The certificate was made a moment ago, by this process, for this loopback address.
            .tls_danger_accept_invalid_certs(true)
            .build()
            .map_err(DemoError::Client)?;
        Ok(Self {
            hpa,
            client,
            url: format!("https://{adapter}{METRIC}"),
            token: token.to_owned(),
            next: SYNC,
            served: Served::default(),
        })
    }

    /// One sync, if it is time for one.
    pub(super) async fn sync(&mut self, fleet: &mut Fleet) {
        if fleet.now() < self.next {
            return;
        }
        self.next = fleet.now() + SYNC;
        self.served.syncs += 1;
        let reading = match self.ask().await {
            Ok(values) => {
                self.served.value = Some(values.iter().sum());
                Reading::External(values.into_iter().map(milli).collect())
            }
            Err(why) => {
                tracing::debug!(why, "the HPA got no value");
                self.served.value = None;
                self.served.failures += 1;
                Reading::Failed(why)
            }
        };
        let replicas = i32::try_from(fleet.wanted()).unwrap_or(i32::MAX);
        let observation = Observation {
            spec_replicas: replicas,
            status_replicas: replicas,
            pods: &[],
            readings: &[reading],
        };
        let decision = self.hpa.sync(fleet.now(), &observation);
        fleet.scale_to(u32::try_from(decision.replicas).unwrap_or_default());
    }

    pub(super) fn served(&self) -> Served {
        self.served
    }

    async fn ask(&self) -> Result<Vec<f64>, String> {
        let told = |error: reqwest::Error| ErrorChain(&error.without_url()).to_string();
        let request = self.client.get(&self.url).bearer_auth(&self.token);
        let response = request.send().await.map_err(told)?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("{status}: {}", response.text().await.map_err(told)?));
        }
        let body = response.bytes().await.map_err(told)?;
        let list: List = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let values = list.items.iter().map(|item| quantity::parse(&item.value));
        let values: Result<Vec<f64>, _> = values.map(|it| it.map(|it| it.get())).collect();
        values.map_err(|error| error.to_string())
    }
}

/// Thousandths, rounded up as the controller reads a quantity.
fn milli(value: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; values are below 9.2e15")]
    let milli = (value * 1000.0).ceil() as i64;
    milli
}
