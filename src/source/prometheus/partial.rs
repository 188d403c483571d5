//! Answers about a part of the data: what the policy takes of them, beside what was answered last.

use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::name::ObjectName;
use crate::policy::partial::OnPartial;
use crate::series::Samples;
use crate::source::ReadError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The last answer to each question that was asked lately.
#[derive(Debug, Default)]
pub(super) struct Lasts(Mutex<BTreeMap<Question, Last>>);

/// The query, and the label that names pods.
pub(super) type Question = (String, Option<Box<str>>);

#[derive(Debug)]
struct Last {
    at: Timestamp,
    values: BTreeMap<Option<ObjectName>, Finite>,
}

impl Lasts {
    /// The samples that may be used; `missing` says why they are about a part of the data only. An
    /// object whose number may not be used is left out, and where none is left that is told.
    pub(super) fn judged(
        &self,
        question: Question,
        at: Timestamp,
        mut samples: Samples,
        (on_partial, missing): (OnPartial, Option<&str>),
    ) -> Result<Samples, ReadError> {
        let mut lasts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(missing) = missing {
            let last = lasts.get(&question).map(|it| &it.values);
            let mut why_not = None;
            samples.retain(|object, sample| {
                let last = last.and_then(|it| it.get(object)).copied();
                let judged = on_partial.judge(sample.value, last);
                judged.map_err(|why| why_not.get_or_insert(why).len()).is_ok()
            });
            if let Some(why_not) = why_not.filter(|_| samples.is_empty()) {
                let problem =
                    format!("the answer is about a part of the data ({missing}); {why_not}");
                return Err(ReadError::Empty(problem));
            }
        }
        let oldest = at.checked_sub(limits::PARTIAL_MEMORY).unwrap_or(Timestamp::MIN);
        lasts.retain(|_, it| it.at >= oldest);
        let values = samples.iter().map(|(object, it)| (object.clone(), it.value));
        let before = lasts.remove(&question).filter(|_| missing.is_some());
        // Who is missing in a part was there before.
        let mut kept = before.map(|it| it.values).unwrap_or_default();
        kept.extend(values);
        lasts.insert(question, Last { at, values: kept });
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::Sample;
    use std::time::Duration;

    const MISSING: Option<&str> = Some("a store is away");

    fn read(
        lasts: &Lasts,
        second: u64,
        value: f64,
        on_partial: OnPartial,
        missing: Option<&str>,
    ) -> Result<f64, String> {
        let at = Timestamp::UNIX_EPOCH + Duration::from_secs(second);
        let value = Finite::new(value).unwrap_or(Finite::ZERO);
        let samples = Samples::from([(None, Sample { at, value })]);
        let question = ("q".to_owned(), None);
        let judged = lasts.judged(question, at, samples, (on_partial, missing));
        judged.map(|it| it[&None].value.get()).map_err(|it| it.to_string())
    }

    #[test]
    fn a_part_never_scales_down_unless_the_policy_wants_that() {
        let part = "the answer is about a part of the data (a store is away); and ";
        let lasts = Lasts::default();
        let up =
            |second, value, missing| read(&lasts, second, value, OnPartial::ScaleUpOnly, missing);
        let why = up(0, 5.0, MISSING).unwrap_err();
        assert_eq!(why, format!("{part}there is no earlier value to tell whether it grew"));
        assert_eq!(up(1, 10.0, None), Ok(10.0));
        assert_eq!(
            up(2, 10.0, MISSING),
            Err(format!("{part}10 of the others is not above the last 10"))
        );
        assert_eq!(up(3, 11.0, MISSING), Ok(11.0));
        assert!(up(4, 10.5, MISSING).is_err(), "what was used counts");
        assert_eq!(up(5, 3.0, None), Ok(3.0), "all of the data");
        assert_eq!(up(6, 4.0, MISSING), Ok(4.0));
        let whole = read(&lasts, 7, 9.0, OnPartial::Refuse, MISSING);
        assert_eq!(whole, Err(format!("{part}the policy refuses a part")));
        assert_eq!(read(&lasts, 8, 1.0, OnPartial::Use, MISSING), Ok(1.0));
        let later = 8 + limits::PARTIAL_MEMORY.as_secs();
        assert_eq!(read(&lasts, later, 2.0, OnPartial::Refuse, None), Ok(2.0));
        assert_eq!(up(later + 1_000, 3.0, None), Ok(3.0));
        assert_eq!(lasts.0.lock().unwrap().len(), 1);
    }
}
