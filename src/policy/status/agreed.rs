//! What a status tells all replicas of a policy's pods: how it is written, and how it is read.

use super::{CapacityStatus, StartupBasis, StartupStatus};
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::supply::{Basis, LearnedCapacity, Startup};

impl StartupStatus {
    /// As it is written.
    #[must_use]
    pub fn of(startup: &Startup) -> Self {
        let (basis, starts) = match startup.basis {
            Basis::Given => (StartupBasis::Given, None),
            Basis::Assumed => (StartupBasis::Assumed, None),
            Basis::Measured { starts, .. } => (StartupBasis::Measured, Some(starts)),
        };
        let starts = starts.map(|it| u32::try_from(it).unwrap_or(u32::MAX));
        let is_cold = matches!(startup.basis, Basis::Measured { is_cold: true, .. });
        let is_cold = starts.is_some().then_some(is_cold);
        Self { time: duration::Shown(startup.time).to_string(), basis, starts, is_cold }
    }

    /// What was measured; `None` where nothing was, or nobody would have written that.
    #[must_use]
    pub fn measured(&self) -> Option<Startup> {
        let starts = u64::from(self.starts.filter(|_| self.basis == StartupBasis::Measured)?);
        let time = duration::parse(&self.time).ok().filter(|it| *it <= limits::LEAD_TIME_MAX)?;
        let is_cold = self.is_cold.unwrap_or_default();
        Some(Startup { time, basis: Basis::Measured { starts, is_cold } })
    }
}

impl CapacityStatus {
    /// As it is written.
    #[must_use]
    pub fn of(capacity: &LearnedCapacity) -> Self {
        Self {
            per_pod: capacity.per_pod.get().to_string(),
            samples: u32::try_from(capacity.samples).unwrap_or(u32::MAX),
        }
    }

    /// What was learned; `None` where nobody would have written that.
    #[must_use]
    pub fn learned(&self) -> Option<LearnedCapacity> {
        let per_pod = self.per_pod.parse().ok().and_then(Finite::new)?;
        let samples = usize::try_from(self.samples).ok().filter(|it| *it > 0)?;
        (per_pod > Finite::ZERO).then_some(LearnedCapacity { per_pod, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn what_one_replica_found_out_another_reads_to_the_last_bit(
            millis in 0u64..3_600_000,
            starts in 0u64..1_000_000,
            is_cold: bool,
            per_pod in 1e-9f64..1e12,
            samples in 1usize..100,
        ) {
            let time = Duration::from_millis(millis);
            let startup = Startup { time, basis: Basis::Measured { starts, is_cold } };
            prop_assert_eq!(StartupStatus::of(&startup).measured(), Some(startup));
            let per_pod = Finite::new(per_pod).unwrap();
            let capacity = LearnedCapacity { per_pod, samples };
            prop_assert_eq!(CapacityStatus::of(&capacity).learned(), Some(capacity));
        }
    }

    #[test]
    fn what_was_not_found_out_is_not_gone_by() {
        for startup in [Startup::assumed(), Startup::given(Duration::from_secs(60))] {
            assert_eq!(StartupStatus::of(&startup).measured(), None);
        }
        let told = |time: &str| StartupStatus {
            time: time.to_owned(),
            basis: StartupBasis::Measured,
            starts: Some(3),
            is_cold: None,
        };
        assert!(told("2m").measured().is_some());
        for time in ["", "-1s", "61m", "soon"] {
            assert_eq!(told(time).measured(), None, "{time}");
        }
        let told = |per_pod: &str, samples| CapacityStatus { per_pod: per_pod.to_owned(), samples };
        assert!(told("8", 1).learned().is_some());
        for (per_pod, samples) in [("8", 0), ("0", 9), ("-1", 9), ("NaN", 9), ("inf", 9), ("", 9)] {
            assert_eq!(told(per_pod, samples).learned(), None, "{per_pod} of {samples}");
        }
    }
}
