//! What was asked and answered, and what is to be done about it.

use crate::domain::limits::on_demand as limits;
use crate::domain::name::{Namespace, ObjectName, SourceName};
use crate::on_demand::Question;
use crate::on_demand::board::{Answer, Asked, Named, Refused, State};
use crate::on_demand::rule::{Relist, Ruled, Standing};
use crate::rules::answer::Answer as Answered;
use crate::rules::catalogue::{Catalogue, Entry, SeriesShape};
use crate::rules::query::{Ask, CannotBuild, Objects};
use crate::rules::resources::RestMapping;
use crate::rules::selector::SeriesSelector;
use crate::rules::{Kind, Rule, Rules};
use crate::series::grid::Grid;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All rules, questions and waiters; `W` is how a waiter is woken.
#[derive(Debug)]
pub struct Ledger<W> {
    custom: Vec<Ruled>,
    external: Vec<Ruled>,
    catalogue: Arc<Catalogue>,
    named: Arc<Named>,
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
            catalogue: Arc::default(),
            named: Arc::default(),
            slots: BTreeMap::new(),
            ticket: 0,
        }
    }
}

impl<W> Ledger<W> {
    /// Takes over the rules of a configuration for this cluster. What stays as it was keeps its series;
    /// if anything changed, all answers are made anew, and that is told.
    pub fn configure(&mut self, rules: &Rules, mapping: &RestMapping) -> bool {
        let taken = |list: &[Arc<Rule>], before: &[Ruled]| -> Vec<Ruled> {
            let made = list.iter().map(|rule| {
                let before = before.iter().find(|it| it.rule == *rule);
                Ruled::new(Arc::clone(rule), mapping, before)
            });
            made.collect()
        };
        let custom = taken(&rules.custom, &self.custom);
        let external = taken(&rules.external, &self.external);
        let is_same = |now: &[Ruled], before: &[Ruled]| {
            let bound = |it: &Ruled| it.bound.clone();
            now.len() == before.len() && now.iter().map(bound).eq(before.iter().map(bound))
        };
        let is_new = !(is_same(&custom, &self.custom) && is_same(&external, &self.external));
        if is_new {
            for slot in self.slots.values_mut() {
                // What is being read is of rules that are gone.
                (slot.reading, slot.begun, slot.kept) = (None, None, None);
            }
        }
        (self.custom, self.external) = (custom, external);
        self.list();
        is_new
    }

    /// What to ask to learn each rule's series.
    #[must_use]
    pub fn relists(&self) -> Vec<Relist> {
        self.rules().filter_map(Ruled::relist).collect()
    }

    /// Takes in the series of one rule; when they could not be had, the last good ones stay.
    pub fn relisted(
        &mut self,
        rule: &Rule,
        series: Result<Vec<SeriesShape>, String>,
        at: Timestamp,
    ) {
        let list = match rule.kind {
            Kind::Custom => &mut self.custom,
            Kind::External => &mut self.external,
        };
        // What is about a rule that changed meanwhile is nobody's.
        let Some(known) = list.iter_mut().find(|it| *it.rule == *rule) else { return };
        match series {
            Ok(series) => {
                known.listed_at = Some(at);
                known.problem = None;
                known.series = series.into();
            }
            Err(why) => known.problem = Some(why),
        }
    }

    /// Puts the metrics together of which the rules' series are made.
    pub fn list(&mut self) {
        let mut catalogue = Catalogue::default();
        for known in self.rules() {
            if let Ok(bound) = &known.bound {
                catalogue.add(bound, &known.series);
            }
        }
        if catalogue != *self.catalogue {
            self.catalogue = Arc::new(catalogue);
            self.named = Arc::new(self.judged());
        }
    }

    fn judged(&self) -> Named {
        let mut named = Named::new();
        for (resource, metric, entry) in self.catalogue.customs() {
            let Some(Ruled { bound: Ok(bound), .. }) = self.ruled(Kind::Custom, entry.rule) else {
                continue;
            };
            let ask = Ask {
                series: &entry.series,
                resource,
                namespace: entry.is_namespaced.then_some("default"),
                objects: Objects::All,
                selector: &SeriesSelector::default(),
            };
            if let Err(reason) = bound.judge(&ask).separable {
                named.insert((resource.clone(), metric.clone()), reason.to_string());
            }
        }
        named
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
        let (rule, said) = match self.maker(&read.question) {
            Some((ruled, _)) => {
                let said = answer.and_then(|it| ruled.numbers(&read.question, &it));
                (ruled.shown(), said)
            }
            None => (String::new(), Err(Refused { is_of_request: false, why: GONE.to_owned() })),
        };
        let Some(slot) = self.slots.get_mut(&read.question) else { return Vec::new() };
        slot.reading = None;
        let is_good_now = |it: &&Arc<Answer>| it.said.is_ok() && now <= it.serve_until;
        let has_good = slot.kept.as_ref().filter(is_good_now).is_some();
        if said.is_ok() || !has_good {
            let (at, asked) = (read.at, slot.asked.clone());
            let serve_until = at.checked_add(limits::SERVE).unwrap_or(Timestamp::MAX);
            slot.kept = Some(Arc::new(Answer { rule, at, serve_until, said, asked }));
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

    /// What requests are answered from.
    #[must_use]
    pub fn state(&self) -> State {
        let answers = self.slots.iter();
        let answers =
            answers.filter_map(|(question, it)| Some((question.clone(), it.kept.clone()?)));
        State {
            catalogue: Arc::clone(&self.catalogue),
            named: Arc::clone(&self.named),
            answers: answers.collect(),
            rules: self.rules().map(|it| self.standing(it)).collect(),
        }
    }

    fn standing(&self, ruled: &Ruled) -> Standing {
        let (kind, place) = (ruled.rule.kind, ruled.rule.place);
        let is_its = |it: &&Entry| it.rule == place;
        let customs = || self.catalogue.customs().filter(|(.., it)| is_its(it));
        let n_metrics = match kind {
            Kind::Custom => customs().count(),
            Kind::External => self.catalogue.externals().filter(|(_, it)| is_its(it)).count(),
        };
        let named = |(resource, metric, _): (&_, &_, &Entry)| {
            self.named.get(&(Clone::clone(resource), Clone::clone(metric))).cloned()
        };
        let named = match kind {
            Kind::Custom => customs().find_map(named),
            Kind::External => None,
        };
        let covered = self.catalogue.covered().iter();
        let is_kind = |is_custom: bool| is_custom == (kind == Kind::Custom);
        let n_covered =
            covered.filter(|it| it.rule == place && is_kind(it.resource.is_some())).count();
        let unbound = ruled.bound.as_ref().err().map(ToString::to_string);
        let problem = unbound.or_else(|| ruled.problem.clone());
        Standing {
            kind,
            place,
            listed_at: ruled.listed_at,
            n_series: ruled.series.len(),
            n_metrics,
            problem,
            named,
            n_covered,
        }
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

    /// The rule that makes a metric.
    fn maker(&self, question: &Question) -> Option<(&Ruled, &Entry)> {
        let (kind, entry) = match question {
            Question::External { metric, .. } => {
                (Kind::External, self.catalogue.external(metric.as_str())?)
            }
            Question::Custom { resource, metric, .. } => {
                (Kind::Custom, self.catalogue.custom(resource, metric.as_str())?)
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
