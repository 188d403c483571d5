//! Replicas that are there and on their way: how pods start, and how long that takes.

use crate::domain::finite::Finite;
use crate::domain::hpa::HpaUse;
use crate::domain::labels::Labels;
use crate::domain::limits;
use crate::domain::object::ObjectRef;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What is known of one pod's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodStart {
    /// Tells a pod from a later one of the same name.
    pub uid: Box<str>,
    /// For the selector of its scale target.
    pub labels: Labels,
    /// When it was asked for.
    pub created: Timestamp,
    /// Since when it is ready; `None` while it is not.
    pub ready: Option<Timestamp>,
    /// Whether the start was a cold one.
    pub kind: StartKind,
    /// Whether a container of it was started again: the time at which it became ready does not tell
    /// its first start any more.
    pub has_restarted: bool,
    /// Whether it is being deleted, or its containers have ended for good.
    pub is_leaving: bool,
}

/// What a pod found on its node when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartKind {
    /// It waited for a node, or for its image.
    Cold,
    /// Node and image were there.
    Cached,
    /// Its status does not tell.
    Untold,
}

impl StartKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cold, Self::Cached, Self::Untold];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Cached => "cached",
            Self::Untold => "untold",
        }
    }
}

/// How long pods take from creation to Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startup {
    /// No start in ten was longer.
    pub time: Duration,
    /// How that is known.
    pub basis: Basis,
}

/// How a startup time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The policy names it.
    Given,
    /// Nothing was measured yet.
    Assumed,
    /// From starts that were seen.
    Measured {
        /// How many, ever.
        starts: u64,
        /// Whether the cold ones alone decided.
        is_cold: bool,
    },
}

impl Startup {
    /// The policy names it.
    #[must_use]
    pub fn given(time: Duration) -> Self {
        Self { time, basis: Basis::Given }
    }

    /// Nothing was measured yet.
    #[must_use]
    pub fn assumed() -> Self {
        Self { time: limits::STARTUP_DEFAULT, basis: Basis::Assumed }
    }

    /// Whether starts were seen.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        matches!(self.basis, Basis::Measured { .. })
    }
}

/// How far ahead a forecast has to look: from the sample that it is made from until a pod serves
/// that the HPA asks for because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadTime {
    /// From a pod's creation until it serves.
    pub startup: Startup,
    /// How old the newest sample is.
    pub data_age: Duration,
    /// Until the HPA looks again.
    pub sync: Duration,
}

impl LeadTime {
    /// The sum of its parts, `limits::LEAD_TIME_MAX` at most.
    #[must_use]
    pub fn total(&self) -> Duration {
        let Self { startup, data_age, sync } = self;
        let sum = startup.time.saturating_add(*data_age).saturating_add(*sync);
        sum.min(limits::LEAD_TIME_MAX)
    }
}

/// The pods of one scale target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSupply {
    /// The scale target.
    pub target: ObjectRef,
    /// Pods that serve.
    pub n_ready: usize,
    /// When each pod was created that has not served yet, oldest first.
    pub starting: Vec<Timestamp>,
    /// Pods that served and are not ready now, or have been starting for longer than any start
    /// takes.
    pub n_troubled: usize,
    /// How long a start takes.
    pub startup: Startup,
}

/// What the holder of the Lease found out about a policy's pods and told in its status. Every
/// replica goes by it, so that one that has just started answers as the others do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreed {
    /// How long a start takes, where that was measured.
    pub startup: Option<Startup>,
    /// What one pod serves, where that was learned.
    pub capacity: Option<LearnedCapacity>,
}

/// What one pod serves when it is full, in the unit of the combined signals, as it was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedCapacity {
    /// So much.
    pub per_pod: Finite,
    /// How many samples that is the median of.
    pub samples: usize,
}

/// Who uses a policy's metric, and with which pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supply {
    /// The HPAs that ask for the metric, by name; `None` while it is not known which HPAs exist.
    pub hpas: Option<Arc<[HpaUse]>>,
    /// Their scale targets, or the policy's; only those whose pods are known.
    pub targets: Vec<TargetSupply>,
    /// What all replicas go by.
    pub agreed: Agreed,
}

impl Supply {
    /// How long a pod takes to start: as all replicas agreed, else as it was measured here.
    #[must_use]
    pub fn startup(&self) -> Option<Startup> {
        self.agreed.startup.or_else(|| self.startup_here())
    }

    /// How long the slowest target takes to start a pod, by what this replica saw; one that was
    /// measured says more than any that was not. `None` when no target's pods are known.
    #[must_use]
    pub fn startup_here(&self) -> Option<Startup> {
        let startups = self.targets.iter().map(|it| it.startup);
        startups.max_by_key(|it| (it.is_measured(), it.time))
    }

    /// Pods that serve.
    #[must_use]
    pub fn n_ready(&self) -> usize {
        self.targets.iter().map(|it| it.n_ready).sum()
    }

    /// Pods that are on their way.
    #[must_use]
    pub fn n_starting(&self) -> usize {
        self.targets.iter().map(|it| it.starting.len()).sum()
    }

    /// For how long each pod has been starting by `now`, longest first: supply on its way.
    #[must_use]
    pub fn starting(&self, now: Timestamp) -> Vec<Duration> {
        let created = self.targets.iter().flat_map(|it| &it.starting);
        let mut ages: Vec<Duration> = created.map(|it| since(*it, now)).collect();
        ages.sort_unstable_by(|one, other| other.cmp(one));
        ages
    }
}

/// The time between two instants; zero when they are the other way round, as clocks may differ.
#[must_use]
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_time_is_the_sum_of_its_parts_up_to_a_bound() {
        for (startup, age, sync, total) in
            [(60, 15, 15, 90), (0, 0, 0, 0), (3_000, 500, 500, 3_600), (1_800, 0, 15, 1_815)]
        {
            let [startup, data_age, sync] = [startup, age, sync].map(Duration::from_secs);
            let lead_time = LeadTime { startup: Startup::given(startup), data_age, sync };
            assert_eq!(lead_time.total(), Duration::from_secs(total));
        }
    }

    #[test]
    fn the_slowest_measured_target_decides_and_pods_add_up() {
        let target = |startup, n_ready: usize, starting: &[i64]| TargetSupply {
            target: ObjectRef {
                kind: crate::domain::object::ObjectKind::pod(),
                namespace: None,
                name: crate::domain::name::ObjectName::new("a").unwrap(),
            },
            n_ready,
            starting: starting.iter().map(|it| Timestamp::from_second(*it).unwrap()).collect(),
            n_troubled: 0,
            startup,
        };
        let measured = |seconds| Startup {
            time: Duration::from_secs(seconds),
            basis: Basis::Measured { starts: 9, is_cold: false },
        };
        assert_eq!(Supply::default().startup(), None);
        let unknown = target(Startup::assumed(), 0, &[]);
        let slow = target(measured(90), 3, &[105, 999]);
        let targets = vec![target(measured(60), 2, &[100, 110]), slow, unknown.clone()];
        let supply = Supply { targets, ..Supply::default() };
        assert_eq!(supply.startup(), Some(measured(90)));
        let nothing = Supply { targets: vec![unknown], ..Supply::default() };
        assert_eq!(nothing.startup(), Some(Startup::assumed()));
        let agreed = Agreed { startup: Some(measured(45)), ..Agreed::default() };
        let all = Supply { agreed, ..supply.clone() };
        assert_eq!((all.startup(), all.startup_here()), (Some(measured(45)), Some(measured(90))));
        assert_eq!(supply.n_ready(), 5);
        let ages = supply.starting(Timestamp::from_second(120).unwrap());
        assert_eq!(ages, [20, 15, 10, 0].map(Duration::from_secs));
    }
}
