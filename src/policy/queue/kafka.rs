//! A consumer group of a Kafka, and how its lag becomes one number.

use crate::policy::queue::token::TokenRequest;
use crate::policy::queue::{Address, Encryption};
use std::collections::BTreeSet;
use std::time::Duration;

/// Where a Kafka is, and how one logs in there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KafkaPlace {
    /// Brokers to begin with.
    pub servers: Vec<Address>,
    /// How a name and a password are shown; `None` when none are wanted.
    pub sasl: Option<Mechanism>,
    /// As whom, where that is no secret.
    pub username: Option<Box<str>>,
    /// How tokens are asked for, where the mechanism wants them.
    pub tokens: Option<TokenRequest>,
    /// TLS or not.
    pub encryption: Encryption,
}

/// What is asked about a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaQuestion {
    /// The consumer group.
    pub group: Box<str>,
    /// The topic; all of the group when left out.
    pub topic: Option<Box<str>>,
    /// Only these partitions; all when left out.
    pub partitions: Option<BTreeSet<i32>>,
    /// How the lags become one number.
    pub rules: LagRules,
}

/// How a name and a password are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// As they are.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
    /// Not shown themselves, but a token that is given for them (RFC 7628).
    OauthBearer,
}

impl Mechanism {
    /// As SASL names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// How the lags of partitions become one number: KEDA's rules.
#[expect(clippy::struct_excessive_bools, reason = "KEDA has so many")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagRules {
    /// The HPA's target, above zero.
    pub threshold: i64,
    /// Whether a group that has committed nothing begins with the oldest message.
    pub begins_with_oldest: bool,
    /// Whether a partition for which nothing was committed has no lag.
    pub nothing_committed_is_no_lag: bool,
    /// Whether more consumers than partitions are wanted.
    pub allows_idle: bool,
    /// Whether only partitions that have a lag get a consumer.
    pub only_lagging: bool,
    /// After how long without progress partitions do not count: one interval of the policy, where
    /// that is wanted.
    pub stuck_after: Option<Duration>,
    /// Whether each consumer is to have as many partitions as any other.
    pub distributes_evenly: bool,
}

/// One partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The offset of the next message.
    pub newest: i64,
    /// What the group has committed; `None` when nothing.
    pub committed: Option<i64>,
    /// For how long that has been so, as far as it is known; zero where it was not so before.
    pub unchanged_for: Duration,
}

impl LagRules {
    /// The lag of one partition.
    #[must_use]
    pub fn lag_of(&self, partition: Partition) -> i64 {
        let Partition { newest, committed, unchanged_for } = partition;
        let is_stuck = self.stuck_after.is_some_and(|it| unchanged_for >= it);
        match committed {
            None if self.nothing_committed_is_no_lag => 0,
            None if self.begins_with_oldest => newest,
            // One consumer at least has to come for the first message.
            None => 1,
            Some(_) if is_stuck => 0,
            Some(committed) => newest.saturating_sub(committed),
        }
    }

    /// The lag of all, capped so that the HPA does not ask for consumers that would be idle.
    #[must_use]
    pub fn total(&self, partitions: &[Partition]) -> i64 {
        let lags = partitions.iter().map(|it| self.lag_of(*it));
        let (sum, lagging) = lags.fold((0_i64, 0_i64), |(sum, lagging), lag| {
            (sum.saturating_add(lag), lagging + i64::from(lag > 0))
        });
        if self.allows_idle && !self.only_lagging && !self.distributes_evenly {
            return sum;
        }
        let threshold = self.threshold.max(1);
        let count = i64::try_from(partitions.len()).unwrap_or(i64::MAX);
        let sum = match self.distributes_evenly {
            true => even(count, threshold, sum).saturating_mul(threshold),
            false => sum,
        };
        let most = if self.only_lagging { lagging } else { count };
        if sum / threshold > most { most.saturating_mul(threshold) } else { sum }
    }
}

/// The fewest consumers for this lag by whom the partitions can be divided.
fn even(partitions: i64, threshold: i64, lag: i64) -> i64 {
    let divides = |it: &i64| partitions % it == 0;
    let mut divisors = (1..=partitions).filter(divides);
    divisors.find(|it| it.saturating_mul(threshold) >= lag).unwrap_or(partitions)
}

/// Reads `1,2,4-6`.
#[must_use]
pub fn partitions(text: &str) -> Option<BTreeSet<i32>> {
    /// More partitions than any topic has.
    const MOST: usize = 100_000;
    let mut found = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<i32>().ok()?, last.trim().parse::<i32>().ok()?);
        let count = usize::try_from(last.checked_sub(first)?).ok()?;
        if first < 0 || count >= MOST {
            return None;
        }
        found.extend(first..=last);
    }
    (found.len() <= MOST).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: LagRules = LagRules {
        threshold: 10,
        begins_with_oldest: false,
        nothing_committed_is_no_lag: false,
        allows_idle: false,
        only_lagging: false,
        stuck_after: None,
        distributes_evenly: false,
    };

    fn partition(newest: i64, committed: impl Into<Option<i64>>) -> Partition {
        Partition { newest, committed: committed.into(), unchanged_for: Duration::ZERO }
    }

    #[test]
    fn what_was_never_committed_counts_as_the_policy_of_the_group_says() {
        let rules = [
            (RULES, 1),
            (LagRules { begins_with_oldest: true, ..RULES }, 7),
            (LagRules { nothing_committed_is_no_lag: true, ..RULES }, 0),
            (LagRules { nothing_committed_is_no_lag: true, begins_with_oldest: true, ..RULES }, 0),
        ];
        for (rules, expected) in rules {
            assert_eq!(rules.lag_of(partition(7, None)), expected, "{rules:?}");
            assert_eq!(rules.lag_of(partition(7, 5)), 2, "{rules:?}");
        }
    }

    #[test]
    fn a_partition_without_progress_does_not_count_where_that_is_wanted() {
        let interval = Duration::from_secs(15);
        let rules = LagRules { stuck_after: Some(interval), ..RULES };
        let stuck = Partition { unchanged_for: interval, ..partition(7, 5) };
        assert_eq!(RULES.lag_of(stuck), 2);
        assert_eq!(rules.lag_of(stuck), 0);
        assert_eq!(rules.lag_of(partition(7, 5)), 2, "the first time");
        // Another policy may have read a moment ago.
        let just_read = Partition { unchanged_for: Duration::from_millis(200), ..stuck };
        assert_eq!(rules.lag_of(just_read), 2);
        let nothing = Partition { committed: None, ..stuck };
        assert_eq!(rules.lag_of(nothing), 1, "nothing committed is not without progress");
    }

    #[test]
    fn the_sum_is_capped_as_keda_caps_it() {
        let all = [partition(100, 0), partition(5, 5), partition(8, 5), partition(0, 0)];
        for (rules, expected) in [
            (RULES, 40),
            (LagRules { threshold: 30, ..RULES }, 103),
            (LagRules { allows_idle: true, ..RULES }, 103),
            (LagRules { only_lagging: true, ..RULES }, 20),
            (LagRules { allows_idle: true, only_lagging: true, ..RULES }, 20),
            (LagRules { distributes_evenly: true, threshold: 50, ..RULES }, 200),
            (LagRules { distributes_evenly: true, threshold: 60, ..RULES }, 120),
            (LagRules { distributes_evenly: true, threshold: 200, ..RULES }, 200),
        ] {
            assert_eq!(rules.total(&all), expected, "{rules:?}");
        }
        // KEDA divides without a remainder: up to a threshold more gets through.
        assert_eq!(RULES.total(&[partition(19, 0)]), 19);
        assert_eq!(RULES.total(&[partition(20, 0)]), 10);
        assert_eq!(RULES.total(&[]), 0);
    }

    #[test]
    fn partitions_are_written_one_by_one_or_as_ranges() {
        assert_eq!(partitions("1,2,4-6"), Some(BTreeSet::from([1, 2, 4, 5, 6])));
        assert_eq!(partitions(" 3 "), Some(BTreeSet::from([3])));
        for text in ["", "1,", "a", "3-1", "-1", "0-2000000000"] {
            assert_eq!(partitions(text), None, "{text}");
        }
    }
}
