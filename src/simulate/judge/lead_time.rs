//! How long a pod takes from being asked for to its first work, and the pods that are on the way.

use std::collections::VecDeque;
use std::time::Duration;

use crate::simulate::random::Random;

/// From "the autoscaler raises the replica count" to "the new pod serves".
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LeadTime {
    /// The same for every pod.
    Fixed(Duration),
    /// Drawn for each pod from a lognormal distribution.
    Lognormal {
        /// Its mean.
        mean: Duration,
        /// Its standard deviation as a share of the mean.
        variation: f64,
        /// What decides the draws.
        seed: u64,
    },
}

/// The pods that start, in the order in which they were asked for.
#[derive(Debug, Clone)]
pub(super) struct Starting {
    lead_time: LeadTime,
    random: Random,
    groups: VecDeque<Group>,
    pods: u32,
    /// When the next of them is ready, in seconds.
    next_ready: f64,
}

/// Pods that are ready at the same moment.
#[derive(Debug, Clone, Copy)]
struct Group {
    ready_at: f64,
    pods: u32,
}

impl Starting {
    /// None start.
    pub(super) fn new(lead_time: LeadTime) -> Self {
        let seed = match lead_time {
            LeadTime::Fixed(_) => 0,
            LeadTime::Lognormal { seed, .. } => seed,
        };
        Self {
            lead_time,
            random: Random::new(seed),
            groups: VecDeque::new(),
            pods: 0,
            next_ready: f64::INFINITY,
        }
    }

    /// How many start.
    pub(super) fn pods(&self) -> u32 {
        self.pods
    }

    /// Asks for pods, at a time in seconds.
    pub(super) fn ask(&mut self, now: f64, pods: u32) {
        self.pods += pods;
        match self.lead_time {
            LeadTime::Fixed(lead) => self.push(now + lead.as_secs_f64(), pods),
            LeadTime::Lognormal { mean, variation, .. } => {
                let variance = (variation * variation).ln_1p();
                for _ in 0..pods {
                    let exponent = variance.sqrt() * self.random.normal() - variance / 2.0;
                    self.push(now + mean.as_secs_f64() * exponent.exp(), 1);
                }
            }
        }
    }

    /// Removes up to so many pods, those asked for last first, and gives how many it removed.
    pub(super) fn remove_newest(&mut self, pods: u32) -> u32 {
        let removed = pods.min(self.pods);
        self.pods -= removed;
        let mut left = removed;
        while left > 0 {
            let Some(newest) = self.groups.back_mut() else { break };
            let part = newest.pods.min(left);
            newest.pods -= part;
            left -= part;
            if newest.pods == 0 {
                self.groups.pop_back();
            }
        }
        removed
    }

    /// Takes the pods out that are ready by a time, and tells when and how many became so.
    pub(super) fn take_ready(&mut self, by: f64, mut tell: impl FnMut(f64, u32)) {
        if by < self.next_ready {
            return;
        }
        self.next_ready = f64::INFINITY;
        let (mut taken, mut next_ready) = (0, f64::INFINITY);
        self.groups.retain(|group| {
            if group.ready_at <= by {
                tell(group.ready_at, group.pods);
                taken += group.pods;
                return false;
            }
            if group.ready_at < next_ready {
                next_ready = group.ready_at;
            }
            true
        });
        self.pods -= taken;
        self.next_ready = next_ready;
    }

    fn push(&mut self, ready_at: f64, pods: u32) {
        if ready_at < self.next_ready {
            self.next_ready = ready_at;
        }
        self.groups.push_back(Group { ready_at, pods });
    }
}

#[cfg(test)]
mod tests {
    use super::{LeadTime, Starting};
    use std::time::Duration;

    #[test]
    fn drawn_lead_times_have_the_mean_and_the_variation() {
        let mean = Duration::from_secs(200);
        let mut starting = Starting::new(LeadTime::Lognormal { mean, variation: 0.3, seed: 7 });
        starting.ask(1_000.0, 20_000);
        let mut leads = Vec::new();
        starting.take_ready(f64::MAX, |at, pods| {
            leads.extend((0..pods).map(|_| at - 1_000.0));
        });
        let average = leads.iter().sum::<f64>() / 20_000.0;
        let squares = leads.iter().map(|lead| (lead - average).powi(2)).sum::<f64>();
        // Within four standard errors of the mean (60 s / sqrt 20,000), and 5 % of the deviation.
        assert!((average - 200.0).abs() < 1.7, "{average}");
        assert!(((squares / 20_000.0).sqrt() / 60.0 - 1.0).abs() < 0.05);
        assert_eq!((leads.len(), starting.pods()), (20_000, 0));
    }

    #[test]
    fn the_pods_asked_for_last_are_removed_first() {
        let mut starting = Starting::new(LeadTime::Fixed(Duration::from_secs(60)));
        starting.ask(0.0, 3);
        starting.ask(15.0, 4);
        assert_eq!(starting.remove_newest(5), 5);
        let mut ready = Vec::new();
        starting.take_ready(59.9, |at, pods| ready.push((at, pods)));
        assert_eq!(ready, []);
        starting.take_ready(60.0, |at, pods| ready.push((at, pods)));
        assert_eq!((ready, starting.pods()), (vec![(60.0, 2)], 0));
        assert_eq!(starting.remove_newest(1), 0);
    }
}
