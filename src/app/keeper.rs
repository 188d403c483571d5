//! Keeps the serving certificate of Foresail's own authority: every replica serves what the Secret holds,
//! the one that leads does what is to be done about it.

use crate::app::clock;
use crate::cluster::serving::{ServingFault, ServingStore, Written};
use crate::domain::error_chain::ErrorChain;
use crate::domain::kept_certificate::KeptCertificate;
use crate::telemetry::health::Check;
use crate::tls::authority::{self, ServerNames, Step};
use crate::tls::certificates::{Certificates, Look};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the Secret is looked at; what it holds is renewed weeks before it expires.
const LOOK: Duration = Duration::from_secs(30);
/// The same while nothing of it is served yet.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// What is known between two looks.
#[derive(Debug)]
pub(super) struct Keeper {
    store: ServingStore,
    certificates: Arc<Certificates>,
    leading: watch::Receiver<bool>,
    is_served: Arc<Check>,
    names: ServerNames,
    has_served: bool,
    /// The last complaint, so that it is logged once.
    fault: Option<String>,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum LookFault {
    #[error(transparent)]
    Store(#[from] ServingFault),
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    #[error("there is no certificate in it yet")]
    Empty,
}

impl Keeper {
    /// Keeps what is in `store`, serves it by `certificates` and passes `is_served` once it does.
    pub(super) fn new(
        store: ServingStore,
        certificates: Arc<Certificates>,
        leading: watch::Receiver<bool>,
        is_served: Arc<Check>,
    ) -> Self {
        let (service, namespace) = store.service();
        let names = ServerNames::of_service(service, namespace);
        Self { store, certificates, leading, is_served, names, has_served: false, fault: None }
    }

    /// Looks until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let looking = async {
            loop {
                let has_led = *self.leading.borrow();
                let looked = self.look().await;
                self.note(looked);
                let pause = if self.has_served { LOOK } else { FIRST_LOOK };
                drop(tokio::time::timeout(pause, turned(&mut self.leading, has_led)).await);
            }
        };
        stop.run_until_cancelled(looking).await;
    }

    async fn look(&mut self) -> Result<(), LookFault> {
        let mut kept = self.store.read().await?;
        // What is kept is served whatever becomes of the care for it.
        let mut cared = Ok(());
        if *self.leading.borrow() {
            cared = self.care(&mut kept).await;
        }
        if kept.certificate.is_empty() {
            return cared.and(Err(LookFault::Empty));
        }
        match self.certificates.take(&kept) {
            Look::Unchanged | Look::Replaced => {
                self.has_served = true;
                self.is_served.set(true);
                cared
            }
            Look::Kept(error) => Err(error.into()),
        }
    }

    /// Does what is to be done; the APIServices first name what is about to sign.
    async fn care(&mut self, kept: &mut KeptCertificate) -> Result<(), LookFault> {
        let published = if kept.authorities.is_empty() {
            Ok(false)
        } else {
            self.store.publish(&kept.authorities).await
        };
        let is_trusted = published.as_ref().is_ok_and(|it| *it);
        let now = clock::now();
        let step = authority::plan(kept, &self.names, is_trusted, now);
        if step != Step::Rest {
            let next = authority::take(step, kept, &self.names, now)?;
            // When another replica was faster, what it wrote is read at the next look.
            if self.store.write(&next).await? == Written::Done {
                info!(?step, "the serving certificate in the Secret was renewed");
                *kept = next;
                self.store.publish(&kept.authorities).await?;
            }
        }
        published?;
        Ok(())
    }

    /// Tells the change, not the state.
    fn note(&mut self, looked: Result<(), LookFault>) {
        let fault = looked.err().map(|error| ErrorChain(&error).to_string());
        match &fault {
            Some(fault) if self.fault.as_ref() != Some(fault) => {
                warn!(error = %fault, "cannot keep the serving certificate");
            }
            None if self.fault.is_some() => info!("the serving certificate can be kept"),
            _ => {}
        }
        self.fault = fault;
    }
}

/// Waits until this replica leads, or no more: who begins to lead looks at once.
async fn turned(leading: &mut watch::Receiver<bool>, has_led: bool) {
    if leading.wait_for(|leads| *leads != has_led).await.is_err() {
        // The candidate is gone, so nothing will change.
        std::future::pending::<()>().await;
    }
}
