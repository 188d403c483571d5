//! What was read lately: for every signal of a policy the newest sample of each object, and what
//! went wrong when there is none.
//!
//! In come readings, out goes a `Window` for the pipeline. Never asks the time and never reads;
//! bounded because a sample leaves as soon as no policy could still use it.

pub mod grid;
pub mod history;
pub mod lead_time;

use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::domain::sample::Sample;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Samples by the object that they are about; `None` is the one number of a signal without
/// objects.
pub type Samples = BTreeMap<Option<ObjectName>, Sample>;

/// When the oldest part of what was read of an object was taken, where the source tells that.
pub type Taken = BTreeMap<Option<ObjectName>, Timestamp>;

/// What one good read of a signal brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aged {
    /// The samples, of the instant that was asked about.
    pub samples: Samples,
    /// How old they are.
    pub taken: Taken,
    /// Whether the source said that they are about a part of the data only.
    pub is_partial: bool,
}

/// They are as old as they say, and about all of the data.
impl From<Samples> for Aged {
    fn from(samples: Samples) -> Self {
        Self { samples, taken: Taken::new(), is_partial: false }
    }
}

/// What is known about one policy's signals, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// One for each signal.
    pub signals: Vec<Track>,
}

/// What is known about one signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// The newest samples.
    pub samples: Samples,
    /// When their oldest parts were taken, where that is known to be earlier.
    taken: Taken,
    /// Why the last read brought nothing; `None` after a good one.
    pub trouble: Option<String>,
    /// What the last read lacks, although it brought something.
    pub note: Option<String>,
}

impl Window {
    /// Nothing is known yet about so many signals.
    #[must_use]
    pub fn new(signals: usize) -> Self {
        Self { signals: vec![Track::default(); signals] }
    }
}

impl Track {
    /// Takes the samples of one good read. One that is not newer than what is known is ignored,
    /// so that a source which answers out of order cannot turn time back. Answers how many objects
    /// had to be forgotten because there are more than `limits::OBJECTS_MAX`.
    pub fn extend(
        &mut self,
        samples: impl IntoIterator<Item = (Option<ObjectName>, Sample)>,
    ) -> usize {
        self.trouble = None;
        for (object, sample) in samples {
            let known = self.samples.get(&object);
            if known.is_none_or(|known| known.at < sample.at) {
                self.taken.remove(&object);
                self.samples.insert(object, sample);
            }
        }
        let evicted = evict_oldest(&mut self.samples, |sample| sample.at);
        self.taken.retain(|object, _| self.samples.contains_key(object));
        evicted
    }

    /// Notes how old the samples are that were taken over last.
    pub fn date(&mut self, taken: Taken) {
        let known = taken.into_iter().filter(|(object, _)| self.samples.contains_key(object));
        self.taken.extend(known);
    }

    /// When the oldest part of an object's sample was taken: never after the sample.
    #[must_use]
    pub fn taken(&self, object: &Option<ObjectName>) -> Option<Timestamp> {
        let at = self.samples.get(object)?.at;
        Some(self.taken.get(object).map_or(at, |it| at.min(*it)))
    }

    /// When the oldest part of all samples was taken.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        let taken = |object| self.taken.get(object).copied().unwrap_or(Timestamp::MAX);
        self.samples.iter().map(|(object, it)| it.at.min(taken(object))).min()
    }

    /// The sample of an object with the time of its oldest part.
    #[must_use]
    pub fn dated(&self, object: &Option<ObjectName>) -> Option<Sample> {
        Some(Sample { at: self.taken(object)?, ..*self.samples.get(object)? })
    }

    /// Notes that a read brought nothing, and why.
    pub fn fail(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// Drops the samples from before `oldest`.
    pub fn expire(&mut self, oldest: Timestamp) {
        self.samples.retain(|_, sample| sample.at >= oldest);
        self.taken.retain(|object, _| self.samples.contains_key(object));
    }
}

/// Brings `objects` down to `limits::OBJECTS_MAX` by dropping those unseen for longest; answers
/// how many.
pub fn evict_oldest<T>(
    objects: &mut BTreeMap<Option<ObjectName>, T>,
    seen: impl Fn(&T) -> Timestamp,
) -> usize {
    let surplus = objects.len().saturating_sub(limits::OBJECTS_MAX);
    if surplus == 0 {
        return 0;
    }
    let mut by_age: Vec<(Timestamp, Option<ObjectName>)> =
        objects.iter().map(|(object, it)| (seen(it), object.clone())).collect();
    by_age.sort();
    for (_, object) in by_age.into_iter().take(surplus) {
        objects.remove(&object);
    }
    surplus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finite::Finite;

    fn sample(second: i64, value: f64) -> Sample {
        let at = Timestamp::from_second(second).unwrap();
        Sample { at, value: Finite::new(value).unwrap() }
    }

    fn pod(name: &str) -> Option<ObjectName> {
        Some(ObjectName::new(name).unwrap())
    }

    #[test]
    fn the_newest_sample_of_each_object_stays() {
        let mut track = Track::default();
        track.extend([(pod("a"), sample(10, 1.0)), (pod("b"), sample(10, 2.0))]);
        track.extend([(pod("a"), sample(25, 3.0)), (pod("b"), sample(5, 9.0))]);
        assert_eq!(track.samples[&pod("a")], sample(25, 3.0));
        assert_eq!(track.samples[&pod("b")], sample(10, 2.0), "an older sample came later");
    }

    #[test]
    fn more_objects_than_the_limit_push_out_the_longest_unseen() {
        let pod = |n: usize| pod(&format!("pod-{n}"));
        let mut track = Track::default();
        let first: Vec<_> = (0..limits::OBJECTS_MAX).map(|n| (pod(n), sample(10, 1.0))).collect();
        assert_eq!(track.extend(first), 0);
        assert_eq!(track.extend([(pod(0), sample(20, 1.0))]), 0, "seen again");
        let next = (0..2).map(|n| (pod(limits::OBJECTS_MAX + n), sample(20, 1.0)));
        assert_eq!(track.extend(next), 2);
        assert_eq!(track.samples.len(), limits::OBJECTS_MAX);
        assert!(track.samples.contains_key(&pod(0)));
    }

    #[test]
    fn trouble_lasts_until_the_next_good_read_and_keeps_the_samples() {
        let mut track = Track::default();
        track.extend([(None, sample(10, 1.0))]);
        track.fail("connection refused".to_owned());
        assert_eq!(track.samples.len(), 1);
        assert_eq!(track.trouble.as_deref(), Some("connection refused"));
        track.extend([]);
        assert_eq!(track.trouble, None);
    }

    #[test]
    fn old_samples_leave() {
        let mut track = Track::default();
        track.extend([(pod("a"), sample(10, 1.0)), (pod("b"), sample(20, 1.0))]);
        track.expire(Timestamp::from_second(15).unwrap());
        assert_eq!(track.samples.keys().collect::<Vec<_>>(), [&pod("b")]);
    }

    #[test]
    fn a_sample_is_as_old_as_its_oldest_part_until_a_newer_one_comes() {
        let mut track = Track::default();
        let second = |it| Timestamp::from_second(it).unwrap();
        track.extend([(pod("a"), sample(20, 1.0)), (pod("b"), sample(20, 2.0))]);
        track.date([(pod("a"), second(5)), (pod("gone"), second(5))].into());
        assert_eq!(track.dated(&pod("a")), Some(sample(5, 1.0)));
        assert_eq!(track.dated(&pod("b")), Some(sample(20, 2.0)));
        assert_eq!(track.taken(&pod("gone")), None);
        track.date([(pod("b"), second(25))].into());
        assert_eq!(track.taken(&pod("b")), Some(second(20)), "a clock that is ahead");
        track.extend([(pod("a"), sample(30, 1.0))]);
        assert_eq!(track.taken(&pod("a")), Some(second(30)));
    }
}
