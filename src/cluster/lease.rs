//! Which replica writes: the holder of a Lease in Foresail's own namespace, as client-go elects
//! leaders.
//!
//! A holder renews; another replica takes over once it has not seen a change of the Lease for as
//! long as the Lease is valid, by its own clock, so that clocks need not agree. A holder that cannot
//! renew stops leading before that, and one that ends gives the Lease back.

use crate::cluster::{Client, whole};
use crate::domain::limits;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The Lease's name; `deploy/` gives the right to renew this one alone.
const NAME: &str = "foresail";
/// The answer of an API server to a write of what was changed meanwhile.
const CONFLICT: u16 = 409;
/// How long the end waits for the Lease to be given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// One replica that would lead.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    identity: String,
    clock: fn() -> Timestamp,
    leading: watch::Sender<bool>,
    /// The Lease as it was seen last, and when that was first seen.
    seen: Option<(LeaseSpec, Instant)>,
    /// When it was renewed last.
    renewed: Option<Instant>,
    is_failing: bool,
}

impl Candidate {
    /// A candidate of the name `host`, which need not be unique; the receiver says whether it leads.
    #[must_use]
    pub fn new(
        client: Client,
        host: &str,
        clock: fn() -> Timestamp,
    ) -> (Self, watch::Receiver<bool>) {
        let (leading, receiver) = watch::channel(false);
        let namespace = client.default_namespace().to_owned();
        let candidate = Self {
            api: Api::namespaced(client, &namespace),
            // A hasher's seed is the standard library's source of randomness.
            identity: format!("{host}_{:016x}", RandomState::new().hash_one(NAME)),
            clock,
            leading,
            seen: None,
            renewed: None,
            is_failing: false,
        };
        (candidate, receiver)
    }

    /// Tries to lead until `stop`, then gives back what it holds.
    pub async fn run(mut self, stop: CancellationToken) {
        let trying = async {
            loop {
                self.turn().await;
                sleep(limits::LEASE_RETRY).await;
            }
        };
        stop.run_until_cancelled(trying).await;
        if self.leading.send_replace(false)
            && timeout(RELEASE_TIMEOUT, self.release()).await.is_err()
        {
            warn!("the Lease could not be given back; another replica takes it when it expires");
        }
    }

    /// One try to get or to keep the Lease, in the time in which it may be kept.
    async fn turn(&mut self) {
        let left = limits::LEASE_RENEW_DEADLINE
            .saturating_sub(self.renewed.map(|it| it.elapsed()).unwrap_or_default());
        match timeout(left.max(limits::LEASE_RETRY), self.attempt()).await {
            Ok(Ok(holds)) => {
                self.note_failing(None);
                self.renewed = holds.then(Instant::now);
                self.lead(holds);
            }
            Ok(Err(error)) => self.note_failing(Some(whole(&error))),
            Err(_) => self.note_failing(Some("the API server does not answer".to_owned())),
        }
        let is_late = |it: Instant| it.elapsed() >= limits::LEASE_RENEW_DEADLINE;
        if self.renewed.is_some_and(is_late) {
            self.renewed = None;
            self.lead(false);
        }
    }

    /// Whether the Lease is held afterwards.
    async fn attempt(&mut self) -> kube::Result<bool> {
        let found = self.api.get_opt(NAME).await?;
        let now = MicroTime((self.clock)());
        let params = PostParams::default();
        let written = match found {
            None => {
                let lease = Lease {
                    metadata: ObjectMeta { name: Some(NAME.to_owned()), ..Default::default() },
                    spec: Some(taken(&LeaseSpec::default(), &self.identity, now)),
                };
                self.api.create(&params, &lease).await
            }
            Some(mut lease) => {
                let spec = lease.spec.take().unwrap_or_default();
                let age = self.see(&spec);
                if !may_take(&spec, &self.identity, age) {
                    return Ok(false);
                }
                lease.spec = Some(taken(&spec, &self.identity, now));
                self.api.replace(NAME, &params, &lease).await
            }
        };
        match written {
            Ok(lease) => {
                self.see(&lease.spec.unwrap_or_default());
                Ok(true)
            }
            // Another replica was faster.
            Err(kube::Error::Api(status)) if status.code == CONFLICT => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How long the Lease has been as it is now.
    fn see(&mut self, spec: &LeaseSpec) -> Duration {
        match &self.seen {
            Some((seen, since)) if seen == spec => since.elapsed(),
            _ => {
                self.seen = Some((spec.clone(), Instant::now()));
                Duration::ZERO
            }
        }
    }

    async fn release(&self) {
        let release = async {
            let mut lease = self.api.get(NAME).await?;
            let is_held = |it: &&mut LeaseSpec| it.holder_identity.as_ref() == Some(&self.identity);
            if let Some(spec) = lease.spec.as_mut().filter(is_held) {
                spec.holder_identity = Some(String::new());
                spec.renew_time = Some(MicroTime((self.clock)()));
                self.api.replace(NAME, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        match release.await {
            Ok(()) => info!("the Lease was given back"),
            Err(error) => warn!(error = %whole(&error), "the Lease could not be given back"),
        }
    }

    fn lead(&self, leads: bool) {
        if self.leading.send_replace(leads) != leads {
            let identity = &self.identity;
            if leads {
                info!(identity, "this replica leads and writes the status of policies");
            } else {
                info!(identity, "this replica leads no more");
            }
        }
    }

    /// Tells the change, not the state.
    fn note_failing(&mut self, error: Option<String>) {
        let was_failing = std::mem::replace(&mut self.is_failing, error.is_some());
        match error {
            Some(error) if !was_failing => {
                warn!(error, "the Lease fails; the status of policies may not be written");
            }
            None if was_failing => info!("the Lease works again"),
            _ => {}
        }
    }
}

/// Whether `me` may write itself into a Lease that has been unchanged for `age`.
fn may_take(spec: &LeaseSpec, me: &str, age: Duration) -> bool {
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok());
    let valid = seconds.map_or(limits::LEASE_DURATION, Duration::from_secs);
    holder.is_empty() || holder == me || age >= valid
}

/// The Lease after `me` wrote itself into it.
fn taken(before: &LeaseSpec, me: &str, now: MicroTime) -> LeaseSpec {
    let is_kept = before.holder_identity.as_deref() == Some(me);
    let transitions = before.lease_transitions.unwrap_or_default();
    let is_first = before.holder_identity.is_none();
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(limits::LEASE_DURATION.as_secs()).ok(),
        acquire_time: before.acquire_time.clone().filter(|_| is_kept).or(Some(now.clone())),
        lease_transitions: Some(transitions.saturating_add(i32::from(!is_kept && !is_first))),
        renew_time: Some(now),
        ..before.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> MicroTime {
        MicroTime(Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn a_lease_is_taken_when_nobody_holds_it_or_its_holder_fell_silent() {
        let held = taken(&LeaseSpec::default(), "other", at(1));
        let empty = LeaseSpec { holder_identity: Some(String::new()), ..held.clone() };
        let (silent, nearly) = (limits::LEASE_DURATION, Duration::from_secs(14));
        for (spec, age, expected) in [
            (&LeaseSpec::default(), Duration::ZERO, true),
            (&held, Duration::ZERO, false),
            (&held, nearly, false),
            (&held, silent, true),
            (&empty, Duration::ZERO, true),
            (&taken(&held, "me", at(2)), Duration::ZERO, true),
        ] {
            assert_eq!(may_take(spec, "me", age), expected, "{spec:?} {age:?}");
        }
        let brief = LeaseSpec { lease_duration_seconds: Some(1), ..held };
        assert!(may_take(&brief, "me", Duration::from_secs(1)), "the Lease says how long it holds");
    }

    #[test]
    fn a_renewal_keeps_the_time_of_taking_over_and_a_change_is_counted() {
        let first = taken(&LeaseSpec::default(), "a", at(1));
        assert_eq!((first.acquire_time.clone(), first.lease_transitions), (Some(at(1)), Some(0)));
        let renewed = taken(&first, "a", at(3));
        assert_eq!(
            (renewed.acquire_time.clone(), renewed.lease_transitions),
            (Some(at(1)), Some(0))
        );
        assert_eq!(renewed.renew_time, Some(at(3)));
        let other = taken(&renewed, "b", at(20));
        assert_eq!((other.acquire_time, other.lease_transitions), (Some(at(20)), Some(1)));
    }
}
