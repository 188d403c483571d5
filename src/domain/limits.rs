//! The bounds of the product, by name and with their reasons. Reaching one is answered, counted or
//! logged by whoever keeps it. A bound that only makes sense beside its code stands there.

pub mod documents;
pub mod door;
pub mod external;
pub mod on_demand;
pub mod pods;
pub mod profile;
pub mod schedule;

use std::time::Duration;

/// A value above this would overflow the thousandths in 64 bits that the HPA computes with, and
/// the HPA would read zero; a published value is cut to it.
pub const VALUE_MAX: f64 = 9.2e15;

/// A label selector in a request. kube-apiserver takes request lines of this size at most.
pub const SELECTOR_BYTES_MAX: usize = 8 * 1024;
/// A label value. Kubernetes allows 63; metric labels may be longer, so this is generous.
pub const LABEL_VALUE_BYTES_MAX: usize = 1024;

/// The configuration file. A ConfigMap holds at most 1 MiB.
pub const CONFIG_BYTES_MAX: usize = 1024 * 1024;
/// Nodes of a YAML document with its aliases written out: a few lines of them must not fill the memory.
pub const DOCUMENT_NODES_MAX: usize = 200_000;
/// How deep a YAML document or a query may be nested; bounds the stack of whoever walks it.
pub const DOCUMENT_DEPTH_MAX: usize = 64;
/// Sources in one configuration; each holds connections.
pub const SOURCES_MAX: usize = 1_000;
/// Policies in one configuration; twice the design's load, and more than fit into a ConfigMap.
pub const POLICIES_MAX: usize = 2_000;
/// A file of another tool's manifests may be as large as this, in bytes.
pub const IMPORT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Policies in the cluster; the youngest beyond that are refused and say so.
pub const POLICY_OBJECTS_MAX: usize = 2_000;
/// One policy of the cluster, as JSON: two long queries. All of them together fit into the memory
/// that `deploy/` gives, whoever writes them.
pub const POLICY_BYTES_MAX: usize = 32 * 1024;
/// Signals of one policy; each costs a read per interval.
pub const SIGNALS_MAX: usize = 16;
/// Smoothing steps of one policy; each adds its own delay.
pub const SMOOTHING_STEPS_MAX: usize = 8;
/// A PromQL query. prometheus-adapter sent 25 KB for 1,500 pods; ours never enumerate pods.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;
/// A `combine` expression; bounds the cost of an evaluation.
pub const EXPRESSION_BYTES_MAX: usize = 1024;
/// How deep a `combine` expression may be nested; bounds the evaluation's stack.
pub const EXPRESSION_DEPTH_MAX: usize = 32;

/// The shortest evaluation interval; shorter ones would ask faster than any exporter changes.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest evaluation interval; a value older than this says nothing about now.
pub const INTERVAL_MAX: Duration = Duration::from_secs(3600);
/// The interval when a policy names none: the HPA's own sync period.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(15);
/// The longest duration anywhere in a policy: a week, so that a typing error is found.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shortest time in which `drain` lets a backlog be gone: no pod starts sooner.
pub const DRAIN_TIME_MIN: Duration = Duration::from_secs(1);
/// `guard.maxAge` when a policy names none: four syncs of the HPA.
pub const MAX_AGE_DEFAULT: Duration = Duration::from_secs(60);
/// `guard.hold` when a policy names none: a restart of Prometheus.
pub const HOLD_DEFAULT: Duration = Duration::from_secs(120);
/// How long after a grid instant its reads begin, so that samples scraped just before that
/// instant have arrived and all replicas read the same ones.
pub const SETTLE: Duration = Duration::from_millis(250);
/// The largest share of an interval that settling may take, for intervals below ten times that.
pub const SETTLE_SHARE: u32 = 10;

/// Reads of one source in flight at once, so that a thousand policies do not arrive at it in one
/// instant.
pub const READS_AT_ONCE: usize = 64;
/// Failures in a row after which a source is left alone for a moment. A few, because a source that
/// restarts refuses some connections.
pub const BREAKER_FAILURES: u32 = 5;
/// For how long at first.
pub const BREAKER_PAUSE: Duration = Duration::from_secs(1);
/// And at most: one default interval, so that what is away is noticed to be back by the next one.
pub const BREAKER_PAUSE_MAX: Duration = Duration::from_secs(15);
/// Second tries that a source may have in a burst of failures.
pub const RETRIES_MAX: u32 = 10;
/// Second tries for each hundred reads that succeeded.
pub const RETRY_PERCENT: u32 = 10;
/// The wait before a second try, in the mean.
pub const RETRY_WAIT: Duration = Duration::from_millis(100);
/// Observations of a histogram below which it tells no quantile: one in twenty is what a 95th
/// percentile is about.
pub const QUANTILE_OBSERVATIONS_MIN: u32 = 20;
/// The deadline of all reads for one evaluation, the wait for their turn included.
pub const TICK_DEADLINE: Duration = Duration::from_secs(10);
/// A source's timeout when it names none: a third of the HPA's sync period.
pub const SOURCE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// The longest timeout that a source may have: a tick waits no longer.
pub const SOURCE_TIMEOUT_MAX: Duration = TICK_DEADLINE;
/// The answer of a source. 20,000 series of an instant query are about 6 MiB.
pub const SOURCE_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much of a source's error answer is read; the rest says nothing more.
pub const SOURCE_ERROR_BYTES_MAX: usize = 4 * 1024;
/// So long before it expires a token is fetched anew, or for a fifth of its lifetime if that is less:
/// clocks differ, and a token must not expire on its way.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(60);
/// How long a token that cannot be had is not asked for again.
pub const TOKEN_RETRY: Duration = Duration::from_secs(2);
/// A token that is refused is fetched anew once it is so old; a younger one is refused for another
/// reason.
pub const TOKEN_REFETCH: Duration = Duration::from_secs(10);
/// How long the last answer to a query is remembered that is not asked any more, to tell whether a
/// part of the data has grown beyond it.
pub const PARTIAL_MEMORY: Duration = Duration::from_secs(600);
/// Selectors of a query up to which its samples' ages are asked for: each costs the server a lookup.
pub const AGED_SELECTORS_MAX: usize = 8;
/// How long a query is asked without ages after a server refused it with them.
pub const AGES_REST: Duration = Duration::from_secs(600);
/// Series in one answer: ten thousand pods with room to spare.
pub const SOURCE_SERIES_MAX: usize = 20_000;
/// One line of an exposition page; longer ones are no metrics.
pub const EXPOSITION_LINE_BYTES_MAX: usize = 64 * 1024;
/// A credential, or a file with one; certificates of some authorities are the largest.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// How long a Secret of the cluster is remembered; one that is refused somewhere is read again
/// sooner.
pub const SECRET_TTL: Duration = Duration::from_secs(60);
/// How often a Secret is read again at most that is refused somewhere.
pub const SECRET_REREAD: Duration = Duration::from_secs(5);
/// How often a RabbitMQ and its client show each other that they live.
pub const QUEUE_HEARTBEAT_SECONDS: u16 = 10;
/// Hosts that an operator may list for the queues of namespaces: all are looked through for each
/// connection.
pub const ALLOWED_HOSTS_MAX: usize = 1_000;
/// How often a policy's past is asked for before it begins without one.
pub const BACKFILL_TRIES: u32 = 3;
/// Samples this far in the future mean that the clock was set back. Less is a page's own time.
pub const CLOCK_JUMP: Duration = Duration::from_secs(30);
/// Points per series that a range query may return; Prometheus refuses more than 11,000.
pub const BACKFILL_POINTS_MAX: usize = 2_000;
/// How many half-lives of history prime a smoothing step after a start: what is left of the
/// unknown beginning weighs 2^-30, so that replicas differ by one in the last digit at most.
pub const BACKFILL_HALF_LIVES: u32 = 30;

/// Objects that one signal and one policy remember. An answer has no more series, and pods that
/// come and go within `maxAge` and `hold` are remembered beside those that are there; the longest
/// unseen goes first.
pub const OBJECTS_MAX: usize = SOURCE_SERIES_MAX;

/// Connections on one port at once; each API server keeps one, each kubectl brings one.
pub const CONNECTIONS_MAX: usize = 512;
/// A TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The request line and headers of one request, in time (the generic API server's value).
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(32);
/// The request line and headers of one request, in bytes.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// HTTP/2 streams on one connection, as the generic API server sets it; kube-apiserver sends all
/// requests of one replica over one connection.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 250;
/// How long requests in flight may take to finish after SIGTERM; with the delay before it less than
/// the 30 s that a pod is given.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long readiness fails before the ports close, unless told otherwise: a Service forgets an
/// endpoint within a second or two.
pub const SHUTDOWN_DELAY_DEFAULT: Duration = Duration::from_secs(5);

/// How long a refusal of the authorizer is remembered (the default of the delegated authorizer).
pub const DECISION_TTL: Duration = Duration::from_secs(10);
/// Decisions remembered (the default of the delegated authorizer).
pub const DECISIONS_MAX: usize = 8_192;
/// One SubjectAccessReview (the default of the delegated authorizer).
pub const REVIEW_TIMEOUT: Duration = Duration::from_secs(10);
/// SubjectAccessReviews in flight at once; the HPA controller has far fewer workers.
pub const REVIEWS_AT_ONCE: usize = 64;

/// A connection from which nothing comes for so long is dead: HTTP/2 pings every
/// `KEEP_ALIVE_INTERVAL`, and HTTP/1 ends idle connections earlier.
pub const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(90);
/// How often an HTTP/2 client is asked whether it lives.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// Evaluations that end within this time are published together.
pub const GATHER: Duration = Duration::from_millis(10);
/// How long readiness waits for the first evaluations and the first list of pods. No source may
/// hold it back for ever.
pub const FIRST_ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long a Lease is valid after its last renewal (the default of leader election in Kubernetes).
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long stops leading, before another one begins.
pub const LEASE_RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the Lease is renewed or looked at.
pub const LEASE_RETRY: Duration = Duration::from_secs(2);
/// How often the leader looks for statuses to write.
pub const STATUS_ROUND: Duration = Duration::from_secs(2);
/// Statuses written in one round, ten a second: what two thousand policies whose conditions all
/// change at once may cost the API server.
pub const STATUS_WRITES_PER_ROUND: usize = 20;
/// How long a status stays as it is while no condition changes, and how long after a failure it is
/// left alone. People look at it; the HPA does not.
pub const STATUS_REFRESH: Duration = Duration::from_secs(30);

/// How often configuration, certificate and token files are looked at. Mounted ConfigMaps and
/// Secrets arrive with a minute's delay anyway, and reading small files costs nothing.
pub const FILES_POLL: Duration = Duration::from_secs(2);

const _: () = assert!(SOURCE_TIMEOUT_DEFAULT.as_millis() <= SOURCE_TIMEOUT_MAX.as_millis());
const _: () = assert!(LEASE_RENEW_DEADLINE.as_secs() < LEASE_DURATION.as_secs());
const _: () = assert!(2 * LEASE_RETRY.as_secs() < LEASE_RENEW_DEADLINE.as_secs());
const _: () = assert!(DRAIN_TIMEOUT.as_secs() + SHUTDOWN_DELAY_DEFAULT.as_secs() < 30);
const _: () = assert!(CONNECTION_IDLE_MAX.as_secs() > 2 * KEEP_ALIVE_INTERVAL.as_secs());
const _: () = assert!(INTERVAL_MIN.as_millis() < INTERVAL_MAX.as_millis());
const _: () = assert!(BACKFILL_POINTS_MAX < 11_000);

/// The largest value of a recording that is replayed: an HPA counts thousandths, in 64 bits.
pub const RECORDED_MAX: f64 = 1e15;
/// The shortest lead time: pods that start faster need no forecast.
pub const LEAD_TIME_MIN: Duration = Duration::from_secs(1);
/// The longest lead time; an hour ahead, what happened at this time of other days says more than
/// now does.
pub const LEAD_TIME_MAX: Duration = Duration::from_secs(3600);
/// The longest down window.
pub const DOWN_WINDOW_MAX: Duration = Duration::from_secs(24 * 3600);
/// The quantile when a policy names a model and no quantile: a pod too few is nine times as dear
/// as one too many.
pub const QUANTILE_DEFAULT: f64 = 0.9;
/// The shares of peaks that a forecast may be asked to cover.
pub const QUANTILES: (f64, f64) = (0.5, 0.999);
/// `objective.maxWait` when a policy names none.
pub const MAX_WAIT_DEFAULT: Duration = Duration::from_secs(10);
/// `objective.latePercent` when a policy names none.
pub const LATE_PERCENT_DEFAULT: f64 = 0.5;
/// `limits.overHistory` when a policy names none.
pub const OVER_HISTORY_DEFAULT: f64 = 1.2;
/// `limits.overObserved` when a policy names none.
pub const OVER_OBSERVED_DEFAULT: f64 = 3.0;
/// Samples that one smoothing step with a window remembers of one object. More of them share the
/// window's 512 slots: one slot keeps what matters of its samples.
pub const SMOOTHING_SAMPLES_MAX: usize = 512;
/// Samples of a median: three is the fewest of which one can be an outlier.
pub const MEDIAN_SAMPLES_MIN: usize = 3;
/// Samples of a median: half of them are its delay, and at 15 s this is twelve minutes.
pub const MEDIAN_SAMPLES_MAX: usize = 99;
/// A median counts samples back to so many times its window at the policy's interval, so that
/// those from before a long gap do not vote against those after it.
pub const MEDIAN_SPANS: u32 = 2;
/// What Holt's trend may keep of itself in one step at most: an undamped trend runs away.
pub const HOLT_DAMPING_MAX: f64 = 0.99;
/// Buckets of a percentile: 32 for each doubling, so that values may span a factor of 256 at full
/// resolution; beyond it the smallest values share one.
pub const PERCENTILE_BUCKETS_MAX: usize = 256;
/// The lowest quantile of a percentile; the smallest value is a matter of `windowMin`.
pub const PERCENTILE_MIN: f64 = 0.01;
/// The highest quantile of a percentile; the largest value is a matter of `windowMax`.
pub const PERCENTILE_MAX: f64 = 0.99;
/// How many half-lives of history prime a percentile: a thousandth of the weight does not move it.
pub const PERCENTILE_HALF_LIVES: u32 = 10;
/// How much history primes a slew limit: what it holds back for longer it should not be asked to.
pub const SLEW_MEMORY: Duration = Duration::from_secs(3600);
/// Events in the window of a rate: 400 random ones keep two standard deviations of it within 10 %,
/// which is what the HPA ignores.
pub const RATE_EVENTS: f64 = 400.0;
/// The shortest window of a rate when a policy names none.
pub const RATE_WINDOW_MIN: Duration = Duration::from_secs(60);
/// The longest window of a rate when a policy names none; half of it is its delay.
pub const RATE_WINDOW_MAX: Duration = Duration::from_secs(300);
/// Intervals in the window of a rate, so that one lost sample changes little.
pub const RATE_INTERVALS_MIN: u32 = 4;
/// A counter that was not seen for so long begins anew, as in Prometheus; longer where the window
/// of its rate is longer.
pub const RATE_STALE: Duration = Duration::from_secs(300);

const _: () = assert!(MEDIAN_SAMPLES_MAX <= SMOOTHING_SAMPLES_MAX);
const _: () = assert!(RATE_WINDOW_MIN.as_secs() < RATE_WINDOW_MAX.as_secs());
const _: () = assert!(PERCENTILE_HALF_LIVES <= BACKFILL_HALF_LIVES);

/// `forecast.season` when a policy names none: a day.
pub const SEASON_DEFAULT: Duration = Duration::from_secs(24 * 3600);
/// The shortest season: a step would be shorter than the shortest interval by more than a little.
pub const SEASON_MIN: Duration = Duration::from_secs(120);
/// Steps of a season in a history: minutes of a day, below which similar moments are chance.
pub const HISTORY_STEPS_PER_SEASON: usize = 1_440;
/// Seasons of history: two weeks of days, so that each weekday is there twice.
pub const HISTORY_SEASONS: usize = 14;
/// Which part of a season is kept finer: an hour of a day, as far back as a forecast looks closely.
pub const HISTORY_FINE_PART: u32 = 24;
/// Steps of the finer part: an hour of 5 s.
pub const HISTORY_FINE_STEPS_MAX: usize = 720;
/// Stretches of a history of which live samples saw only a part and which were not read again yet.
pub const HISTORY_GAPS_MAX: usize = 32;
/// One history, everything included: a thousand of them and the rest fit into 256 MiB.
pub const HISTORY_BYTES_MAX: usize = 128 * 1024;

const _: () = assert!(
    3 * (HISTORY_SEASONS * HISTORY_STEPS_PER_SEASON + HISTORY_FINE_STEPS_MAX) < HISTORY_BYTES_MAX
);

/// Points per series that one chunk of a backfill may ask for; Prometheus refuses more than 11,000.
pub const BACKFILL_CHUNK_POINTS_MAX: usize = 8_000;
/// Samples of the past in one step of a history: those of the usual interval in a minute. More
/// would change the mean little and cost the source as much again.
pub const BACKFILL_SAMPLES_PER_STEP: u32 = 4;
/// A chunk of so few steps is not halved any more when it is too much for its source.
pub const BACKFILL_CHUNK_STEPS_MIN: i64 = 30;
/// Chunks that are read from one source at once; live reads have permits of their own.
pub const BACKFILL_CHUNKS_AT_ONCE: usize = 2;
/// How long a source rests after a chunk, at least; otherwise as long as the chunk took, so that a
/// source which is slow because it is busy is not kept so.
pub const BACKFILL_REST_MIN: Duration = Duration::from_millis(50);
/// How long after its first failure a chunk is asked for again; then twice as long each time.
pub const BACKFILL_RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest wait before a chunk is asked for again: a source that was away for long is soon
/// found back, and one that stays away costs little.
pub const BACKFILL_RETRY_MAX: Duration = Duration::from_secs(300);
/// Chunks of one policy that wait to be read: two weeks halved as often as may be. Gaps beyond that
/// stay gaps.
pub const BACKFILL_CHUNKS_MAX: usize = 1_500;
/// How often the log tells how far all backfills are.
pub const BACKFILL_TELL: Duration = Duration::from_secs(10);

const _: () = assert!(BACKFILL_CHUNK_POINTS_MAX < 11_000);
const _: () = assert!(HISTORY_FINE_STEPS_MAX < BACKFILL_CHUNK_POINTS_MAX / 2);

/// How long a pod is taken to need before any start was seen: what a large model takes to load.
pub const STARTUP_DEFAULT: Duration = Duration::from_secs(300);
/// With fewer starts than this the measured time is raised to `STARTUP_UNSURE_MIN`: the one that
/// was seen may have been a lucky one.
pub const STARTUP_STARTS_MIN: u64 = 3;
/// The shortest measured time that a few starts can prove.
pub const STARTUP_UNSURE_MIN: Duration = Duration::from_secs(60);
/// The longest measured time; a policy whose pods take longer names its lead time itself.
pub const STARTUP_MAX: Duration = Duration::from_secs(1800);
/// The share of the starts that are no longer than the measured time.
pub const STARTUP_QUANTILE: f64 = 0.9;
/// The age at which a start weighs half: images and models change from week to week.
pub const STARTS_HALF_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many later starts halve a start's weight as well, so that a busy target learns of its new
/// image within a day; the starts of a month still make a quantile of 46 of them.
pub const STARTS_HALF_COUNT: f64 = 32.0;
/// Once the recent cold starts weigh as much as so many new ones (the last five weigh 4.8), only
/// these count: a fleet that grows past its nodes meets no other kind. A tenth of the starts can be
/// enough for that, which is the share that the quantile looks at anyway.
pub const COLD_STARTS_MIN: f64 = 4.5;
/// Pods that are not ready yet raise the measured time to this multiple of it at most, so that a
/// pod which never becomes ready cannot pretend to be a slow one.
pub const STARTUP_RAISE_MAX: u32 = 3;
/// A wait longer than this before a pod has a node, or between its sandbox and its first container,
/// tells a cold start: one was made or found for it, or its image was pulled. Conditions carry
/// whole seconds, and without a pull a container follows within two.
pub const COLD_WAIT: Duration = Duration::from_secs(4);
/// Scale targets whose pods are measured: one for each policy that there may be.
pub const SCALE_TARGETS_MAX: usize = POLICIES_MAX;
/// How often it is looked which pods have started. Conditions carry whole seconds.
pub const SUPPLY_LOOK: Duration = Duration::from_secs(1);
/// The HPA controller's default sync period, which nothing in the API tells.
pub const HPA_SYNC_DEFAULT: Duration = Duration::from_secs(15);
/// The HPA's scale-down stabilisation window when it names none (the controller's default).
pub const HPA_DOWN_WINDOW_DEFAULT: Duration = Duration::from_secs(300);

/// The HPA controller's default tolerance: it overlooks smaller changes, in shares of the replicas.
pub const HPA_TOLERANCE_DEFAULT: f64 = 0.1;
/// The finest that the metrics APIs tell apart.
pub const MILLI: f64 = 0.001;
/// A share of a pod that is not worth one more: what a filter leaves of a rounding error.
pub const REPLICA_GRAIN: f64 = 1e-6;
/// How long a fleet has to be saturated until what it did is a sample of its capacity: two syncs of
/// the HPA, so that a burst which one pod took alone is none.
pub const SATURATED_FOR: Duration = Duration::from_secs(30);
/// Samples of a capacity of which the median counts: five minutes of saturation, and enough that
/// four of them may be wrong.
pub const CAPACITY_SAMPLES: usize = 10;
/// Samples of a replica that began to tell the status after which its own median counts for more
/// than what another one told: two of them may be wrong.
pub const CAPACITY_SAMPLES_TAKE_OVER: usize = 5;

const _: () = assert!(STARTUP_MAX.as_secs() <= LEAD_TIME_MAX.as_secs());
const _: () = assert!(STARTUP_DEFAULT.as_secs() < STARTUP_MAX.as_secs());

/// Forecasts that are made at once, beside the tick: one core at most.
pub const FORECASTS_AT_ONCE: usize = 1;
/// How often it is looked for a choice that is due: the tick turns a thousand times a minute for a
/// thousand policies, and a choice is for a day.
pub const CHOICE_LOOK: Duration = Duration::from_millis(250);

/// Traces that one policy keeps: a quarter of an hour at the usual interval, in which who is called
/// has opened a terminal. Evaluations that come to the same share one.
pub const TRACES_MAX: usize = 60;
/// Pods whose way through the stages a trace shows.
pub const TRACE_OBJECTS_MAX: usize = 3;
/// HPAs that a trace names; the rest is counted.
pub const TRACE_HPAS_MAX: usize = 8;
/// Questions about evaluations that wait for their answer: a team on call, with one to spare.
pub const INQUIRIES_MAX: usize = 16;
/// How long a question about evaluations waits; a turn of the tick takes far less.
pub const INQUIRY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a person's terminal waits for an explanation: longer than the adapter's own limit.
pub const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// An explanation; `TRACES_MAX` evaluations of many objects are some hundred KiB.
pub const EXPLANATION_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = assert!(INQUIRY_TIMEOUT.as_secs() < EXPLAIN_TIMEOUT.as_secs());
/// The traces of a policy with one number; a thousand of them beside their histories.
pub const TRACES_BYTES_MAX: usize = 16 * 1024;
