//! The task that serves rules: it lists their series, reads what is asked for on the wall-clock grid
//! and wakes who waits.
//!
//! One task owns all state. Each read and each relist is a task of its own, so that a rule whose
//! source hangs delays only what is made from it.

use crate::api::OnDemand;
use crate::app::clock;
use crate::app::configuration::Loaded;
use crate::app::read::Sources;
use crate::app::tasks::Tasks;
use crate::domain::error_chain::ErrorChain;
use crate::domain::limits;
use crate::domain::limits::on_demand::{
    INTERVAL, POD_NAMESPACES_MAX, PODS_WAIT_MAX, RELIST_INTERVAL, RELIST_MIN, RELIST_WINDOW,
    WAIT_MAX, WAITING_MAX,
};
use crate::domain::name::Namespace;
use crate::domain::ports::{Objects, Pods, PodsUnknown};
use crate::domain::selector::Selector;
use crate::on_demand::Question;
use crate::on_demand::board::{Board, Refused, Wants};
use crate::on_demand::ledger::{Ledger, Listed, Read, Wanted};
use crate::rules::Rule;
use crate::rules::answer::Answer;
use crate::rules::catalogue::SeriesShape;
use crate::rules::resources::RestMapping;
use crate::series::grid::Grid;
use crate::telemetry::health::{Check, Health};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// The longest sleep: a clock that was set must not stop the reads.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// How a request is woken; with the reason where it cannot wait.
type Waiter = oneshot::Sender<Result<(), String>>;

/// How often series are looked for, and how far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From one look to the next.
    pub every: Duration,
    /// How far back.
    pub window: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { every: RELIST_INTERVAL, window: RELIST_WINDOW }
    }
}

impl Pace {
    /// As flags say; a window is never shorter than the time between two looks.
    #[must_use]
    pub fn of(every: Option<Duration>, window: Option<Duration>) -> Self {
        let usual = Self::default();
        let every = every.unwrap_or(usual.every).max(RELIST_MIN);
        Self { every, window: window.unwrap_or(usual.window).max(every) }
    }
}

/// The namespaces whose pods somebody asked for, and when.
pub(crate) type AskedPods = BTreeMap<Namespace, Timestamp>;

/// What the task works with.
pub(super) struct Needs {
    pub(super) pace: Pace,
    /// What the cluster has.
    pub(super) mapping: watch::Receiver<Arc<RestMapping>>,
    pub(super) pods: Arc<dyn Pods>,
    pub(super) asked_pods: Arc<watch::Sender<AskedPods>>,
    /// Other objects; `None` without a cluster.
    pub(super) objects: Option<Arc<dyn Objects>>,
}

/// Where requests leave their questions.
#[derive(Debug)]
pub(crate) struct Counter {
    questions: mpsc::Sender<(Question, Waiter)>,
    pods: Arc<dyn Pods>,
    asked_pods: Arc<watch::Sender<AskedPods>>,
}

impl Wants for Counter {
    fn want(
        &self,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async move {
            let (waiter, woken) = oneshot::channel();
            let busy = |_| "too many requests wait for metrics of rules".to_owned();
            self.questions.try_send((question, waiter)).map_err(busy)?;
            match tokio::time::timeout(WAIT_MAX, woken).await {
                Ok(Ok(told)) => told,
                Ok(Err(_)) => Err("the metrics of rules are not read any more".to_owned()),
                Err(_) => Err("no answer yet; it is being read".to_owned()),
            }
        })
    }

    fn want_pods(&self, namespace: Namespace) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        /// How often it is looked whether they are known.
        const LOOK: Duration = Duration::from_millis(25);
        Box::pin(async move {
            let now = clock::now();
            self.asked_pods.send_if_modified(|asked| {
                let has_room = asked.len() < POD_NAMESPACES_MAX;
                match asked.get_mut(&namespace) {
                    Some(at) => *at = now,
                    None if has_room => return asked.insert(namespace.clone(), now).is_none(),
                    None => {}
                }
                false
            });
            let known = async {
                while self.pods.matching(&namespace, &Selector::default())
                    == Err(PodsUnknown::NotSynced)
                {
                    tokio::time::sleep(LOOK).await;
                }
            };
            // Whoever asked learns by the next look whether that was in time.
            tokio::time::timeout(PODS_WAIT_MAX, known).await.ok();
        })
    }
}

/// The task's state.
struct Keeper {
    board: Arc<Board>,
    /// What the cluster has.
    mapping: watch::Receiver<Arc<RestMapping>>,
    pace: Pace,
    asked_pods: Arc<watch::Sender<AskedPods>>,
    /// Passes when the series were looked for once.
    listed: Arc<Check>,
    ledger: Ledger<Waiter>,
    sources: Sources,
    reads: JoinSet<(Read, Result<Answer, Refused>)>,
    relists: JoinSet<Listing>,
    /// Metrics that are put together of what was listed.
    lists: JoinSet<Listed>,
    relist_at: Instant,
    begun: Instant,
}

/// What was listed of one rule.
struct Listing {
    rule: Arc<Rule>,
    at: Timestamp,
    series: Result<Vec<SeriesShape>, String>,
}

/// Starts the task; answers where requests find it.
pub(super) fn serve(
    needs: Needs,
    loaded: watch::Receiver<Arc<Loaded>>,
    tasks: &mut Tasks,
    health: &mut Health,
    stop: &CancellationToken,
) -> OnDemand {
    let Needs { pace, mapping, pods, asked_pods, objects } = needs;
    let board = Arc::new(Board::default());
    let (sender, questions) = mpsc::channel(WAITING_MAX);
    let keeper = Keeper {
        board: Arc::clone(&board),
        mapping,
        pace,
        asked_pods: Arc::clone(&asked_pods),
        listed: health.add_ready("rules"),
        ledger: Ledger::default(),
        sources: Sources::default(),
        reads: JoinSet::new(),
        relists: JoinSet::new(),
        lists: JoinSet::new(),
        relist_at: Instant::now(),
        begun: Instant::now(),
    };
    tasks.spawn("rules", keeper.run(loaded, questions, stop.clone()));
    let counter = Counter { questions: sender, pods, asked_pods };
    OnDemand { board, wants: Some(Arc::new(counter)), objects }
}

impl Keeper {
    async fn run(
        mut self,
        mut loaded: watch::Receiver<Arc<Loaded>>,
        mut questions: mpsc::Receiver<(Question, Waiter)>,
        stop: CancellationToken,
    ) {
        self.configure(&loaded.borrow_and_update().clone());
        loop {
            let sleep = self.start_due();
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = loaded.changed() => {
                    let loaded = loaded.borrow_and_update().clone();
                    self.configure(&loaded);
                }
                Ok(()) = self.mapping.changed() => {
                    let loaded = loaded.borrow().clone();
                    self.configure(&loaded);
                }
                Some((question, waiter)) = questions.recv() => self.want(question, waiter),
                Some(first) = self.reads.join_next() => {
                    // What comes in together is put on the board together.
                    tokio::time::sleep(limits::GATHER).await;
                    self.take(first);
                }
                Some(first) = self.relists.join_next() => {
                    tokio::time::sleep(limits::GATHER).await;
                    self.take_listings(first);
                }
                Some(listed) = self.lists.join_next() => self.take_listed(listed),
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    fn configure(&mut self, loaded: &Loaded) {
        self.sources = loaded.sources.clone();
        let mapping = Arc::clone(&self.mapping.borrow_and_update());
        if self.ledger.configure(&loaded.rules, &mapping) {
            // What is under way is of rules that may be gone; it is looked for again at once.
            self.relists.abort_all();
            self.relist_at = Instant::now();
        }
        self.board.replace(self.ledger.state());
    }

    /// Starts what is due; answers how long nothing more is.
    fn start_due(&mut self) -> Duration {
        let now = clock::now();
        let settled = now.checked_sub(limits::SETTLE).unwrap_or(Timestamp::MIN);
        for read in self.ledger.due(settled) {
            let sources = self.sources.clone();
            self.reads.spawn(async move {
                let answer = answer(&sources, &read).await;
                (read, answer)
            });
        }
        if self.begun.elapsed() > limits::FIRST_ANSWER_MAX {
            // No source may hold readiness back for ever.
            self.listed.set(true);
        }
        if self.relists.is_empty() && self.relist_at <= Instant::now() {
            self.relist_at = Instant::now() + self.pace.every;
            self.start_relists(now);
        }
        let next = Grid::new(INTERVAL).after(settled).duration_since(settled);
        let next = Duration::try_from(next).unwrap_or_default();
        let next = next.min(SLEEP_MAX);
        if self.relists.is_empty() {
            next.min(self.relist_at.saturating_duration_since(Instant::now()))
        } else {
            // Who is done with listing wakes the loop.
            next
        }
    }

    /// Lets go of the pods that nobody asks for any more.
    fn forget_pods(&self, now: Timestamp) {
        let used = self.ledger.pod_namespaces();
        let since = now.checked_sub(self.pace.every).unwrap_or(Timestamp::MIN);
        self.asked_pods.send_if_modified(|asked| {
            let before = asked.len();
            asked.retain(|namespace, at| *at >= since || used.contains(namespace));
            asked.len() != before
        });
    }

    fn start_relists(&mut self, now: Timestamp) {
        self.forget_pods(now);
        let window = self.pace.window;
        let relists = self.ledger.relists();
        if relists.is_empty() {
            self.listed.set(true);
        }
        for relist in relists {
            let sources = self.sources.clone();
            self.relists.spawn(async move {
                let series = sources.series(&relist, now, window).await;
                Listing { rule: relist.rule, at: now, series }
            });
        }
    }

    fn take_listings(&mut self, first: Result<Listing, JoinError>) {
        let (mut is_new, mut next) = (false, Some(first));
        while let Some(listing) = next {
            match listing {
                Ok(Listing { rule, at, series }) => {
                    if let Err(why) = &series {
                        let rule = crate::on_demand::rule::shown(rule.kind, rule.place);
                        tracing::warn!(
                            rule,
                            why,
                            "a rule's series were not listed; the last are kept"
                        );
                    }
                    is_new |= self.ledger.relisted(&rule, series, at);
                }
                Err(error) if error.is_cancelled() => {}
                Err(error) => {
                    let error = ErrorChain(&error).to_string();
                    tracing::error!(error, "listing the series of a rule broke off");
                }
            }
            next = self.relists.try_join_next();
        }
        if is_new {
            // Ten thousands of names take a while, and requests are answered meanwhile. What is made of
            // older series is made in vain.
            self.lists.detach_all();
            let material = self.ledger.material();
            self.lists.spawn_blocking(move || material.listed());
        }
        self.board.replace(self.ledger.state());
        self.note_listed();
    }

    fn take_listed(&mut self, listed: Result<Listed, JoinError>) {
        match listed {
            Ok(listed) => self.ledger.take(listed),
            Err(error) => {
                let error = ErrorChain(&error).to_string();
                tracing::error!(error, "putting metrics together broke off");
            }
        }
        self.board.replace(self.ledger.state());
        self.note_listed();
    }

    /// Ready once all series were looked for.
    fn note_listed(&self) {
        if self.relists.is_empty() && self.lists.is_empty() {
            self.listed.set(true);
        }
    }

    fn want(&mut self, question: Question, waiter: Waiter) {
        // Who has gone meanwhile need not be told.
        match self.ledger.want(question, waiter, clock::now()) {
            Wanted::Waits => {}
            Wanted::Answered(waiter) => drop(waiter.send(Ok(()))),
            Wanted::TooMany(waiter, why) => drop(waiter.send(Err(why.to_owned()))),
        }
    }

    fn take(&mut self, first: Result<(Read, Result<Answer, Refused>), JoinError>) {
        let mut woken = Vec::new();
        let mut next = Some(first);
        while let Some(read) = next {
            match read {
                Ok((read, answer)) => {
                    woken.extend(self.ledger.answered(&read, answer, clock::now()));
                }
                Err(error) => {
                    let error = ErrorChain(&error).to_string();
                    tracing::error!(error, "the read of a rule's metric broke off");
                }
            }
            next = self.reads.try_join_next();
        }
        self.board.replace(self.ledger.state());
        for waiter in woken {
            waiter.send(Ok(())).ok();
        }
    }
}

async fn answer(sources: &Sources, read: &Read) -> Result<Answer, Refused> {
    let query = read.query.as_ref().map_err(Refused::clone)?;
    let answer = sources.plain(read.source.as_ref(), query, read.at).await;
    answer.map_err(|why| Refused { is_of_request: false, why })
}
