//! A calendar: a number for each instant that is known beforehand, such as the pods that a match, a
//! campaign or the working day needs.
//!
//! A window has a value from its beginning to its end, and a ramp before and after; several at once
//! count by the largest, and outside of all there is nothing planned, which is zero and not unknown.
//! The ramp climbs in steps, `floor(share × steps) × value / steps`, as the ScalingSchedule of
//! kube-metrics-adapter does, so that each step exceeds the HPA's tolerance. Windows repeat by cron
//! (five fields, in a time zone that knows summer) or are once.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When which value is due.
    pub windows: Vec<Window>,
    /// How long before a window its value begins to be approached, and after it to be left.
    pub ramp: Duration,
    /// In how many steps; at least 1.
    pub steps: u32,
    /// How far ahead is looked: the value is the largest until then.
    pub ahead: Duration,
    /// Whose clock cron means.
    pub zone: TimeZone,
}

/// A value for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// When.
    pub when: When,
    /// The value.
    pub value: Finite,
}

/// When a window is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// From one instant to before another.
    Once {
        /// The beginning.
        from: Timestamp,
        /// The end.
        to: Timestamp,
    },
    /// Again and again.
    Repeated {
        /// When it begins.
        start: Box<Cron>,
        /// When it ends.
        end: End,
    },
}

/// When a window that repeats ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// So long after it began.
    After(Duration),
    /// At the first of these moments after it began.
    At(Box<Cron>),
}

impl Schedule {
    /// What is planned for the time from `at` until as far ahead as is looked.
    #[must_use]
    pub fn value(&self, at: Timestamp) -> Finite {
        Walk::new(self).value(at)
    }

    /// The values from `from` to `to`, a `step` apart, oldest first.
    #[must_use]
    pub fn samples(&self, (from, to): (Timestamp, Timestamp), step: Duration) -> Vec<Sample> {
        let mut walk = Walk::new(self);
        let mut samples = Vec::new();
        let mut next = Some(from);
        while let Some(at) = next.filter(|it| *it <= to) {
            samples.push(Sample { at, value: walk.value(at) });
            next = at.checked_add(step).ok().filter(|it| *it > at);
        }
        samples
    }

    /// The share of a value this far from its window.
    fn ramp_share(&self, distance: SignedDuration) -> f64 {
        let (ramp, steps) = (self.ramp.as_nanos(), u128::from(self.steps));
        // In whole numbers, so that a step is taken when it is due and not a rounding error later.
        let left = ramp.saturating_sub(distance.as_nanos().unsigned_abs());
        let climbed = left.saturating_mul(steps).checked_div(ramp).unwrap_or_default();
        f64::from(u32::try_from(climbed).unwrap_or(self.steps)) / f64::from(self.steps.max(1))
    }
}

/// A way through time. Cron is asked again only when one of its moments has passed, which makes the
/// past of a calendar cheap.
struct Walk<'s> {
    schedule: &'s Schedule,
    /// Each window as it is now, and as it is at the end of what is looked ahead.
    windows: Vec<(&'s Window, Course<'s>, Course<'s>)>,
}

impl<'s> Walk<'s> {
    fn new(schedule: &'s Schedule) -> Self {
        let course = |it: &'s Window| Course::new(&it.when, &schedule.zone);
        let windows = schedule.windows.iter().map(|it| (it, course(it), course(it)));
        Self { schedule, windows: windows.collect() }
    }

    fn value(&mut self, at: Timestamp) -> Finite {
        let Self { schedule, windows } = self;
        let until = at.checked_add(schedule.ahead).unwrap_or(at);
        let due = windows.iter_mut().filter_map(|(window, now, then)| {
            let (now, then) = (now.around(at), then.around(until));
            Finite::new(window.value.get() * schedule.share((at, &now), (until, &then)))
        });
        due.max().unwrap_or(Finite::ZERO)
    }
}

impl Schedule {
    /// The largest share of a window's value between two instants. Between ramps that fall and rise
    /// it lies at one of the ends, unless the window opens in between.
    fn share(&self, now: (Timestamp, &Around), then: (Timestamp, &Around)) -> f64 {
        let opens = now.1.opens.is_some_and(|it| it <= then.0);
        if opens {
            return 1.0;
        }
        let (now, then) = (self.share_at(now), self.share_at(then));
        if then > now { then } else { now }
    }

    fn share_at(&self, (at, around): (Timestamp, &Around)) -> f64 {
        if around.is_open() {
            return 1.0;
        }
        let before = around.opens.map(|it| it.duration_since(at));
        let after = around.closed.map(|it| at.duration_since(it));
        let shares = [before, after].into_iter().flatten().map(|it| self.ramp_share(it));
        shares.fold(0.0, |most, it| if it > most { it } else { most })
    }
}

/// What lies around an instant.
struct Around {
    /// When the window opened last, at the latest then.
    opened: Option<Timestamp>,
    /// When it opens next, after it.
    opens: Option<Timestamp>,
    /// When it closed last, at the latest then.
    closed: Option<Timestamp>,
}

impl Around {
    /// A window that begins when another one of its kind ends is open.
    fn is_open(&self) -> bool {
        self.opened.is_some_and(|opened| self.closed.is_none_or(|it| it <= opened))
    }
}

/// One window on the way through time.
enum Course<'s> {
    Once(Timestamp, Timestamp),
    For(Moments<'s>, Duration),
    Until(Moments<'s>, Moments<'s>),
}

impl<'s> Course<'s> {
    fn new(when: &'s When, zone: &'s TimeZone) -> Self {
        let moments = |cron| Moments { cron, zone, known: None };
        match when {
            When::Once { from, to } => Self::Once(*from, *to),
            When::Repeated { start, end: End::After(length) } => Self::For(moments(start), *length),
            When::Repeated { start, end: End::At(end) } => {
                Self::Until(moments(start), moments(end))
            }
        }
    }

    fn around(&mut self, at: Timestamp) -> Around {
        match self {
            Self::Once(from, to) => Around {
                opened: Some(*from).filter(|it| *it <= at),
                opens: Some(*from).filter(|it| *it > at),
                closed: Some(*to).filter(|it| *it <= at),
            },
            Self::For(start, length) => {
                let (opened, opens) = start.around(at);
                let closes = opened.and_then(|it| it.checked_add(*length).ok());
                Around { opened, opens, closed: closes.filter(|it| *it <= at) }
            }
            Self::Until(start, end) => {
                let (opened, opens) = start.around(at);
                Around { opened, opens, closed: end.around(at).0 }
            }
        }
    }
}

/// The moments of a cron.
struct Moments<'s> {
    cron: &'s Cron,
    zone: &'s TimeZone,
    known: Option<Known>,
}

/// The moments before and after an instant, which are the same until the later one.
#[derive(Clone, Copy)]
struct Known {
    at: Timestamp,
    last: Option<Timestamp>,
    next: Option<Timestamp>,
}

impl Moments<'_> {
    /// The last one, at the latest `at`, and the next one after it.
    fn around(&mut self, at: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        let is_same = |it: &Known| it.at <= at && it.next.is_none_or(|next| at < next);
        let known = self.known.filter(is_same).unwrap_or_else(|| self.look(at));
        self.known = Some(known);
        (known.last, known.next)
    }

    fn look(&self, at: Timestamp) -> Known {
        // Moments of cron are whole minutes; it does not look at parts of a second.
        let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let local = second.to_zoned(self.zone.clone());
        let last = self.cron.find_previous_occurrence(&local, true);
        let next = self.cron.find_next_occurrence(&local, false);
        Known {
            at,
            last: last.ok().map(|it| it.timestamp()),
            next: next.ok().map(|it| it.timestamp()),
        }
    }
}

#[cfg(test)]
mod tests;
