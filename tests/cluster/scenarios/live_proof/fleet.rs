//! The workload of the live proof: a queue in front of the Ready pods of a real Deployment.

use std::collections::VecDeque;

use super::{ARRIVALS, FLEETS, MAX_WAIT, WAITING, labels};
use crate::bed::Bed;

/// What one fleet has done and cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    /// All work that was done, in what one pod does in a second.
    pub(super) work: f64,
    /// What of it had waited longer than `MAX_WAIT`.
    pub(super) late: f64,
    /// Seconds of pods, those that were starting included: they hold their accelerator as well.
    pub(super) pod_seconds: f64,
    /// The most pods.
    pub(super) most: f64,
}

/// One fleet with its queue: first come, first served.
#[derive(Debug)]
pub(super) struct Fleet {
    namespace: &'static str,
    /// When work arrived, in seconds, and how much of it waits.
    queue: VecDeque<(f64, f64)>,
    pub(super) account: Account,
}

/// Pods of one Deployment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pods {
    pub(super) all: f64,
    pub(super) ready: f64,
}

/// The end of a stretch of time, and what arrived in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: f64,
    pub(super) seconds: f64,
    pub(super) rate: f64,
}

impl Fleet {
    pub(super) fn all() -> Vec<Self> {
        let fleet =
            |namespace| Self { namespace, queue: VecDeque::new(), account: Account::default() };
        FLEETS.into_iter().map(fleet).collect()
    }

    /// Lets work arrive and the pods work on what is there.
    fn work(&mut self, moment: Moment, pods: Pods) {
        let Moment { now, seconds, rate } = moment;
        self.queue.push_back((now - seconds / 2.0, rate * seconds));
        let mut can = pods.ready * seconds;
        while can > 0.0 {
            let Some((arrived, waiting)) = self.queue.front_mut() else { break };
            let done = if *waiting < can { *waiting } else { can };
            (*waiting, can) = (*waiting - done, can - done);
            self.account.work += done;
            if now - *arrived > MAX_WAIT {
                self.account.late += done;
            }
            if *waiting <= 0.0 {
                self.queue.pop_front();
            }
        }
        self.account.pod_seconds += pods.all * seconds;
        if pods.all > self.account.most {
            self.account.most = pods.all;
        }
    }

    /// What waits, in what one pod does in a second.
    fn waiting(&self) -> f64 {
        self.queue.iter().map(|(_, waiting)| waiting).sum()
    }

    fn publish(&self, bed: &Bed, rate: f64) {
        bed.exporter.set(ARRIVALS, &labels(self.namespace), rate);
        bed.exporter.set(WAITING, &labels(self.namespace), self.waiting());
    }
}

/// Lets the same demand arrive at all fleets.
pub(super) fn step(bed: &Bed, fleets: &mut [Fleet], pods: &[Pods], moment: Moment) {
    for (fleet, pods) in fleets.iter_mut().zip(pods) {
        fleet.work(moment, *pods);
        fleet.publish(bed, moment.rate);
    }
}

/// The pods of each fleet, as the cluster counts them.
pub(super) fn pods(bed: &Bed) -> Vec<Pods> {
    let path = "apis/apps/v1/deployments?labelSelector=proof%3Dlive";
    let url = format!("{}/{path}", bed.control_plane.server());
    let reply = bed.http.get(&url, &[("Authorization", "Bearer admin")]).unwrap().json();
    let items = reply["items"].as_array().unwrap();
    let of = |namespace: &str| {
        let found = items.iter().find(|it| it["metadata"]["namespace"] == namespace).unwrap();
        let count = |key: &str| found["status"][key].as_f64().unwrap_or(0.0);
        Pods { all: count("replicas"), ready: count("readyReplicas") }
    };
    FLEETS.into_iter().map(of).collect()
}
