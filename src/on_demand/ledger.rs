//! What was asked and answered, and what is to be done about it.

use crate::domain::limits::on_demand as limits;
use crate::domain::name::{Namespace, ObjectName, SourceName};
use crate::on_demand::Question;
use crate::on_demand::board::{Answer, Asked, Refused};
use crate::on_demand::rule::Ruled;
use crate::rules::answer::Answer as Answered;
use crate::rules::catalogue::Entry;
use crate::rules::query::{Ask, CannotBuild, Objects};
use crate::rules::resources::RestMapping;
use crate::rules::{Bound, BrokenRule, Kind, Rule, Rules};
use crate::series::grid::Grid;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod listing;
mod standing;

pub use self::listing::{Listed, Material};

/// All rules, questions and waiters; `W` is how a waiter is woken.
#[derive(Debug)]
pub struct Ledger<W> {
    custom: Vec<Ruled>,
    external: Vec<Ruled>,
    /// The rules of the file that cannot be used.
    broken: Vec<BrokenRule>,
    listed: Listed,
    /// How often rules were taken over.
    configured: u64,
    slots: BTreeMap<Question, Slot<W>>,
    /// Of the read that was begun last.
    ticket: u64,
}

#[derive(Debug)]
struct Slot<W> {
    asked: Asked,
    waiters: Vec<W>,
    /// The read that is under way.
    reading: Option<u64>,
    /// The instant that was read last, or is being read.
    begun: Option<Timestamp>,
    kept: Option<Arc<Answer>>,
}

/// A read to make.
#[derive(Clone, Debug)]
pub struct Read {
    /// To be handed back with the answer.
    pub ticket: u64,
    /// For whom.
    pub question: Question,
    /// The instant that it is about.
    pub at: Timestamp,
    /// The rule's source; the only one when it names none.
    pub source: Option<SourceName>,
    /// The query, or why there is none.
    pub query: Result<String, Refused>,
}

impl<W> Default for Ledger<W> {
    fn default() -> Self {
        Self {
            custom: Vec::new(),
            external: Vec::new(),
            broken: Vec::new(),
            listed: Listed::default(),
            configured: 0,
            slots: BTreeMap::new(),
            ticket: 0,
        }
    }
}

impl<W> Ledger<W> {
    /// Takes over the rules of a configuration for this cluster. What stays as it was keeps its series
    /// and its answers; whether anything changed is told.
    pub fn configure(&mut self, rules: &Rules, mapping: &RestMapping) -> bool {
        let taken = |list: &[Arc<Rule>], before: &[Ruled]| -> Vec<Ruled> {
            let made = list.iter().map(|rule| {
                let before = before.iter().find(|it| it.rule.says_the_same(rule));
                Ruled::new(Arc::clone(rule), mapping, before)
            });
            made.collect()
        };
        let custom = taken(&rules.custom, &self.custom);
        let external = taken(&rules.external, &self.external);
        self.broken.clone_from(&rules.broken);
        let is_same = |now: &[Ruled], before: &[Ruled]| {
            now.len() == before.len() && now.iter().zip(before).all(|(a, b)| a.is_as(b))
        };
        if is_same(&custom, &self.custom) && is_same(&external, &self.external) {
            // Nothing is told of them that was not known.
            (self.custom, self.external) = (custom, external);
            return false;
        }
        let makers: Vec<_> = self.slots.keys().map(|it| self.made_by(it)).collect();
        (self.custom, self.external) = (custom, external);
        self.configured += 1;
        self.list();
        let now: Vec<_> = self.slots.keys().map(|it| self.made_by(it)).collect();
        for (slot, (before, now)) in self.slots.values_mut().zip(makers.iter().zip(&now)) {
            if before.is_none() || before != now {
                // What is being read, and what was, is of a rule that is gone.
                (slot.reading, slot.begun, slot.kept) = (None, None, None);
            }
        }
        true
    }

    /// What an answer to a question is made by.
    fn made_by(&self, question: &Question) -> Option<(Arc<Bound>, Entry)> {
        let (ruled, entry) = self.maker(question)?;
        Some((Arc::clone(ruled.bound.as_ref().ok()?), entry.clone()))
    }

    /// Somebody waits for the answer to a question. What comes back need not wait: it is answered, or
    /// nothing can be done, and why.
    ///
    /// # Errors
    /// Why nobody can wait for it; the waiter comes back.
    pub fn want(&mut self, question: Question, waiter: W, now: Timestamp) -> Wanted<W> {
        let n_questions = self.slots.len();
        if let Some(slot) = self.slots.get_mut(&question) {
            slot.asked.note(now);
            if slot.kept.as_ref().is_some_and(|it| now <= it.serve_until) {
                return Wanted::Answered(waiter);
            }
            if slot.waiters.len() >= limits::WAITERS_MAX {
                return Wanted::TooMany(waiter, "too many requests wait for the answer");
            }
            slot.waiters.push(waiter);
            return Wanted::Waits;
        }
        if n_questions >= limits::QUESTIONS_MAX {
            let why = "too many different questions are asked of rules";
            return Wanted::TooMany(waiter, why);
        }
        let slot = Slot {
            asked: Asked::at(now),
            waiters: vec![waiter],
            reading: None,
            begun: None,
            kept: None,
        };
        self.slots.insert(question, slot);
        Wanted::Waits
    }

    /// The reads to begin now: of what has a newer instant on the grid, and of what somebody waits for.
    /// What nobody asks for any more is forgotten.
    pub fn due(&mut self, now: Timestamp) -> Vec<Read> {
        let idle = i64::try_from(limits::IDLE_MAX.as_secs()).unwrap_or(i64::MAX);
        self.slots.retain(|_, it| !it.waiters.is_empty() || it.asked.idle_seconds(now) <= idle);
        let at = Grid::new(limits::INTERVAL).at_or_before(now);
        let mut due: Vec<Question> = Vec::new();
        for (question, slot) in &mut self.slots {
            let is_late = slot.begun.is_none_or(|it| it < at);
            let is_unanswered = slot.kept.as_ref().is_none_or(|it| it.serve_until < now);
            let is_wanted = is_unanswered && !slot.waiters.is_empty();
            if slot.reading.is_none() && (is_late || is_wanted) {
                self.ticket += 1;
                slot.reading = Some(self.ticket);
                slot.begun = Some(at);
                due.push(question.clone());
            }
        }
        due.into_iter().filter_map(|question| self.read(question, at)).collect()
    }

    fn read(&self, question: Question, at: Timestamp) -> Option<Read> {
        let ticket = self.slots.get(&question)?.reading?;
        let ruled = self.maker(&question).map(|(ruled, _)| ruled);
        let source = ruled.and_then(Ruled::source);
        Some(Read { ticket, query: self.query(&question), question, at, source })
    }

    /// Takes in what a read brought; answers who waits for it.
    pub fn answered(
        &mut self,
        read: &Read,
        answer: Result<Answered, Refused>,
        now: Timestamp,
    ) -> Vec<W> {
        let is_it = |it: &&mut Slot<W>| it.reading == Some(read.ticket);
        // An answer by rules that changed meanwhile is nobody's.
        if self.slots.get_mut(&read.question).filter(is_it).is_none() {
            return Vec::new();
        }
        let mut rule = (String::new(), Arc::default());
        let mut said = Err(Refused { is_of_request: false, why: GONE.to_owned() });
        if let Some((kind, place)) = self.maker(&read.question).map(|(it, _)| it.place())
            && let Some(ruled) = self.ruled_mut(kind, place)
        {
            said = answer.and_then(|it| ruled.numbers(&read.question, &it));
            if read.query.is_ok() {
                ruled.note(&said, read.at);
            }
            rule = (ruled.shown(), Arc::clone(&ruled.counts));
        }
        let Some(slot) = self.slots.get_mut(&read.question) else { return Vec::new() };
        slot.reading = None;
        let is_good_now = |it: &&Arc<Answer>| it.said.is_ok() && now <= it.serve_until;
        let has_good = slot.kept.as_ref().filter(is_good_now).is_some();
        if said.is_ok() || !has_good {
            let (at, asked) = (read.at, slot.asked.clone());
            let serve_until = at.checked_add(limits::SERVE).unwrap_or(Timestamp::MAX);
            let (rule, counts) = rule;
            slot.kept = Some(Arc::new(Answer { rule, at, serve_until, said, asked, counts }));
        }
        std::mem::take(&mut slot.waiters)
    }

    /// The namespaces whose pods somebody asks for.
    #[must_use]
    pub fn pod_namespaces(&self) -> BTreeSet<Namespace> {
        let namespace = |question: &Question| match question {
            Question::Custom { namespace, resource, .. } if resource.is_pods() => namespace.clone(),
            Question::Custom { .. } | Question::External { .. } => None,
        };
        self.slots.keys().filter_map(namespace).collect()
    }

    fn rules(&self) -> impl Iterator<Item = &Ruled> {
        self.custom.iter().chain(&self.external)
    }

    /// The rule that stands at a place of the file.
    fn ruled(&self, kind: Kind, place: usize) -> Option<&Ruled> {
        let list = match kind {
            Kind::Custom => &self.custom,
            Kind::External => &self.external,
        };
        list.iter().find(|it| it.rule.place == place)
    }

    fn ruled_mut(&mut self, kind: Kind, place: usize) -> Option<&mut Ruled> {
        let list = match kind {
            Kind::Custom => &mut self.custom,
            Kind::External => &mut self.external,
        };
        list.iter_mut().find(|it| it.rule.place == place)
    }

    /// The rule that makes a metric.
    fn maker(&self, question: &Question) -> Option<(&Ruled, &Entry)> {
        let (kind, entry) = match question {
            Question::External { metric, .. } => {
                (Kind::External, self.listed.catalogue.external(metric.as_str())?)
            }
            Question::Custom { resource, metric, .. } => {
                (Kind::Custom, self.listed.catalogue.custom(resource, metric.as_str())?)
            }
        };
        Some((self.ruled(kind, entry.rule)?, entry))
    }

    fn query(&self, question: &Question) -> Result<String, Refused> {
        let gone = || Refused { is_of_request: false, why: GONE.to_owned() };
        let (ruled, entry) = self.maker(question).ok_or_else(gone)?;
        let bound = ruled.bound.as_ref().map_err(|_| gone())?;
        let written = match question {
            Question::External { namespace, selector, .. } => {
                bound.external_query(&entry.series, Some(namespace.as_str()), selector)
            }
            Question::Custom { namespace, resource, selector, objects, .. } => {
                let names: Option<Vec<&str>> =
                    objects.as_ref().map(|it| it.iter().map(ObjectName::as_str).collect());
                bound.query(&Ask {
                    series: &entry.series,
                    resource,
                    namespace: namespace.as_ref().map(Namespace::as_str),
                    objects: names.as_deref().map_or(Objects::All, Objects::Named),
                    selector,
                })
            }
        };
        written.map_err(|error| refused(&error))
    }
}

/// What becomes of one who waits.
#[derive(Debug)]
pub enum Wanted<W> {
    /// It is woken when the answer is there.
    Waits,
    /// The answer is there already.
    Answered(W),
    /// It cannot wait; why.
    TooMany(W, &'static str),
}

/// What is said of a metric that no rule makes any more.
pub(super) const GONE: &str = "no rule makes this metric any more";

fn refused(error: &CannotBuild) -> Refused {
    let why = crate::domain::error_chain::ErrorChain(error).to_string();
    Refused { is_of_request: error.is_of_the_request(), why }
}

#[cfg(test)]
mod tests;
