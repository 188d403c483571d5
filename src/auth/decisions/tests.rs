//! What the cache of decisions remembers, shares and forgets.

use super::*;
use crate::auth::memory::QUESTION_BYTES_MAX;
use crate::domain::limits::{self, door};
use crate::domain::selector::Selector;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Counts the questions, answers when let, and fails when told to.
#[derive(Debug)]
struct Counted {
    calls: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    gate: Semaphore,
    fail: AtomicBool,
    allowed: AtomicBool,
}

impl Counted {
    fn new(gate: usize, fail: bool, allowed: bool) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            gate: Semaphore::new(gate),
            fail: AtomicBool::new(fail),
            allowed: AtomicBool::new(allowed),
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Reviews for Counted {
    fn access<'a>(
        &'a self,
        _: &'a User,
        _: &'a Attributes,
    ) -> Pin<Box<dyn Future<Output = Result<Access, ReviewFailed>> + Send + 'a>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            if self.fail.load(Ordering::SeqCst) {
                return Err(ReviewFailed("connection refused".into()));
            }
            Ok(Access { allowed: self.allowed.load(Ordering::SeqCst), reason: String::new() })
        })
    }
}

const PLENTY: usize = 1_000_000;

fn decisions(reviews: &Arc<Counted>) -> (Arc<Decisions>, Arc<Asked>) {
    let counters = Arc::new(Asked::default());
    let reviews: Arc<dyn Reviews> = Arc::<Counted>::clone(reviews);
    let bounds = Bounds { kept_max: limits::DECISIONS_MAX, at_once: limits::REVIEWS_AT_ONCE };
    (Arc::new(Decisions::new(reviews, bounds, Arc::clone(&counters))), counters)
}

fn question(path: &str) -> Question {
    let user = User {
        name: "jane".into(),
        uid: None,
        groups: vec!["dev".into()],
        extra: std::collections::BTreeMap::new(),
    };
    Question { user, attributes: Attributes::Path { verb: "get".into(), path: path.into() } }
}

#[tokio::test]
async fn a_refusal_is_remembered_for_its_time_and_no_longer() {
    let reviews = Counted::new(PLENTY, false, false);
    let (decisions, counters) = decisions(&reviews);
    let start = Instant::now();
    let ttl = limits::DECISION_TTL;
    for (after, calls) in [
        (Duration::ZERO, 1),
        (ttl / 2, 1),
        (ttl - Duration::from_millis(1), 1),
        (ttl, 2),
        (ttl + ttl / 2, 2),
    ] {
        let (_, answer) = decisions.decide(question("/a"), start + after).await;
        assert!(!answer.unwrap().allowed);
        assert_eq!(reviews.calls(), calls, "after {after:?}");
    }
    assert_eq!((counters.cache_hits(), counters.cache_misses()), (3, 2));
    assert_eq!(counters.reviews_made(), 2);
}

/// Until nothing is being asked.
async fn quiet(decisions: &Decisions) {
    while !decisions.memory.table().asking.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_allowed_is_asked_anew_while_nobody_waits() {
    let reviews = Counted::new(1, false, true);
    let (decisions, counters) = decisions(&reviews);
    let start = Instant::now();
    let fresh = fresh("/a");
    let moment = Duration::from_millis(1);
    decisions.decide(question("/a"), start).await.1.unwrap();
    // No review is let through here: whoever waited for one would wait forever.
    let cases =
        [(fresh - moment, 1), (fresh, 2), (fresh + moment, 2), (door::ALLOWED_TTL - moment, 2)];
    for (after, calls) in cases {
        assert!(decisions.decide(question("/a"), start + after).await.1.unwrap().allowed);
        while reviews.calls() < calls {
            tokio::task::yield_now().await;
        }
        assert_eq!(reviews.calls(), calls, "after {after:?}");
    }
    assert_eq!((counters.cache_hits(), counters.cache_misses()), (4, 1));
    // The answer counts from when it was asked for.
    reviews.gate.add_permits(PLENTY);
    quiet(&decisions).await;
    decisions.decide(question("/a"), start + fresh + fresh - moment).await.1.unwrap();
    assert_eq!(reviews.calls(), 2);
    decisions.decide(question("/a"), start + fresh + fresh).await.1.unwrap();
    quiet(&decisions).await;
    assert_eq!(reviews.calls(), 3);
    // And whoever comes too late waits.
    let late = start + fresh + fresh + door::ALLOWED_TTL;
    decisions.decide(question("/a"), late).await.1.unwrap();
    assert_eq!((reviews.calls(), counters.cache_misses()), (4, 2));
}

#[tokio::test]
async fn leave_that_was_taken_away_is_gone_with_the_next_review() {
    let reviews = Counted::new(PLENTY, false, true);
    let (decisions, _) = decisions(&reviews);
    let start = Instant::now();
    assert!(decisions.decide(question("/a"), start).await.1.unwrap().allowed);
    reviews.allowed.store(false, Ordering::SeqCst);
    let later = start + fresh("/a");
    assert!(decisions.decide(question("/a"), later).await.1.unwrap().allowed);
    quiet(&decisions).await;
    assert!(!decisions.decide(question("/a"), later).await.1.unwrap().allowed);
}

#[tokio::test]
async fn a_failing_cluster_takes_nothing_away_before_its_time() {
    let reviews = Counted::new(PLENTY, false, true);
    let (decisions, counters) = decisions(&reviews);
    let start = Instant::now();
    assert!(decisions.decide(question("/a"), start).await.1.unwrap().allowed);
    reviews.fail.store(true, Ordering::SeqCst);
    for failed in 1..3 {
        let later = start + fresh("/a");
        assert!(decisions.decide(question("/a"), later).await.1.unwrap().allowed);
        quiet(&decisions).await;
        assert_eq!(counters.reviews_failed(), failed);
    }
    decisions.decide(question("/a"), start + door::ALLOWED_TTL).await.1.unwrap_err();
}

/// How long leave for this path is not asked for anew.
fn fresh(path: &str) -> Duration {
    use crate::auth::memory::Question as _;
    question(path).uses(&Access { allowed: true, reason: String::new() }).fresh
}

#[test]
fn questions_that_were_asked_together_are_not_asked_anew_together() {
    let (first, last) = (door::ALLOWED_FRESH, door::ALLOWED_FRESH + door::ALLOWED_SPREAD);
    let quarter = |path: usize| {
        let fresh = fresh(&format!("/{path}"));
        assert!(first <= fresh && fresh < last, "{fresh:?}");
        (fresh - first).as_millis() * 4 / door::ALLOWED_SPREAD.as_millis()
    };
    let mut per_quarter = [0; 4];
    for path in 0..1_000 {
        per_quarter[usize::try_from(quarter(path)).unwrap()] += 1;
    }
    assert!(per_quarter.iter().all(|it| (200..300).contains(it)), "{per_quarter:?}");
}

#[tokio::test]
async fn each_user_and_each_wish_is_a_question_of_its_own() {
    let reviews = Counted::new(PLENTY, false, true);
    let (decisions, _) = decisions(&reviews);
    let now = Instant::now();
    let mut other_group = question("/a");
    other_group.user.groups = vec!["ops".into()];
    let mut other_extra = question("/a");
    other_extra.user.extra.insert("scopes".into(), vec!["read".into()]);
    for question in [question("/a"), question("/b"), other_group, other_extra] {
        decisions.decide(question, now).await.1.unwrap();
    }
    assert_eq!(reviews.calls(), 4);
}

#[tokio::test]
async fn equal_questions_share_one_review() {
    let reviews = Counted::new(0, false, true);
    let (decisions, counters) = decisions(&reviews);
    let now = Instant::now();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let decisions = Arc::clone(&decisions);
            tokio::spawn(async move { decisions.decide(question("/a"), now).await.1 })
        })
        .collect();
    while counters.cache_misses() < 50 {
        tokio::task::yield_now().await;
    }
    reviews.gate.add_permits(1);
    for answer in waiting {
        assert!(answer.await.unwrap().unwrap().allowed);
    }
    assert_eq!(reviews.calls(), 1);
}

#[tokio::test]
async fn a_review_outlives_the_request_that_wanted_it_first() {
    let reviews = Counted::new(0, false, true);
    let (decisions, counters) = decisions(&reviews);
    let now = Instant::now();
    let first = {
        let decisions = Arc::clone(&decisions);
        tokio::spawn(async move { decisions.decide(question("/a"), now).await })
    };
    while reviews.calls() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    reviews.gate.add_permits(1);
    assert!(decisions.decide(question("/a"), now).await.1.unwrap().allowed);
    assert_eq!((reviews.calls(), counters.reviews_made()), (1, 1));
}

#[tokio::test]
async fn a_failed_review_is_not_remembered() {
    let reviews = Counted::new(PLENTY, true, true);
    let (decisions, counters) = decisions(&reviews);
    let now = Instant::now();
    for calls in 1..4 {
        let error = decisions.decide(question("/a"), now).await.1.unwrap_err();
        assert_eq!(error.to_string(), "failed to ask the cluster for a SubjectAccessReview");
        assert_eq!(reviews.calls(), calls);
    }
    assert_eq!(counters.reviews_failed(), 3);
    assert!(decisions.memory.table().asking.is_empty());
}

#[tokio::test]
async fn only_so_many_reviews_are_made_at_once() {
    let reviews = Counted::new(0, false, true);
    let (decisions, counters) = decisions(&reviews);
    let now = Instant::now();
    let n_questions = limits::REVIEWS_AT_ONCE + 20;
    let waiting: Vec<_> = (0..n_questions)
        .map(|number| {
            let decisions = Arc::clone(&decisions);
            tokio::spawn(
                async move { decisions.decide(question(&format!("/{number}")), now).await.1 },
            )
        })
        .collect();
    while counters.cache_misses() < n_questions as u64 || reviews.calls() < limits::REVIEWS_AT_ONCE
    {
        tokio::task::yield_now().await;
    }
    reviews.gate.add_permits(n_questions);
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(reviews.calls(), n_questions);
    assert_eq!(reviews.most_at_once.load(Ordering::SeqCst), limits::REVIEWS_AT_ONCE);
}

#[tokio::test]
async fn the_oldest_decision_goes_when_there_are_too_many() {
    let reviews = Counted::new(PLENTY, false, true);
    let (decisions, counters) = decisions(&reviews);
    let now = Instant::now();
    for number in 0..=limits::DECISIONS_MAX {
        decisions.decide(question(&format!("/{number}")), now).await.1.unwrap();
    }
    assert_eq!(counters.evicted(), 1);
    {
        let table = decisions.memory.table();
        assert_eq!(table.known.len(), limits::DECISIONS_MAX);
        assert!(!table.known.contains_key(&question("/0")));
        assert!(table.known.contains_key(&question("/1")));
    }
    // Expired decisions go first, all of them.
    decisions.decide(question("/later"), now + door::ALLOWED_TTL).await.1.unwrap();
    assert_eq!(counters.evicted(), 1);
    let table = decisions.memory.table();
    assert_eq!((table.known.len(), table.order.len()), (1, 1));
}

#[tokio::test]
async fn a_question_of_unusual_length_is_answered_but_not_kept() {
    let reviews = Counted::new(PLENTY, false, true);
    let (decisions, _) = decisions(&reviews);
    let path = "/x".repeat(QUESTION_BYTES_MAX);
    let now = Instant::now();
    for calls in 1..3 {
        assert!(decisions.decide(question(&path), now).await.1.unwrap().allowed);
        assert_eq!(reviews.calls(), calls);
    }
    assert!(decisions.memory.table().known.is_empty());
}

fn listing(selector: &str) -> Question {
    let Question { user, .. } = question("/a");
    let selector = Selector::parse(selector).unwrap().requirements().to_vec();
    let attributes = Attributes::Resource {
        verb: "list",
        group: "external.metrics.k8s.io",
        version: "v1beta1",
        namespace: "inference".into(),
        resource: "demand".into(),
        subresource: String::new(),
        name: String::new(),
        selector,
    };
    Question { user, attributes }
}

#[tokio::test]
async fn each_selector_is_a_question_of_its_own_and_a_long_one_is_not_kept() {
    let reviews = Counted::new(PLENTY, false, true);
    let (decisions, _) = decisions(&reviews);
    let now = Instant::now();
    for selector in ["", "app=llama", "app!=llama", "app in (llama,mistral)", "app=llama"] {
        decisions.decide(listing(selector), now).await.1.unwrap();
    }
    assert_eq!((reviews.calls(), decisions.memory.table().known.len()), (4, 4));
    let long: Vec<String> = (0..100).map(|it| format!("label-{it:030}=value-{it}")).collect();
    for _ in 0..2 {
        decisions.decide(listing(&long.join(",")), now).await.1.unwrap();
    }
    assert_eq!((reviews.calls(), decisions.memory.table().known.len()), (6, 4));
}
