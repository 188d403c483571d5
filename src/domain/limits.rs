//! The bounds of the product, by name and with their reasons. Reaching one is answered, counted or
//! logged by whoever keeps it. A bound that only makes sense beside its code stands there.

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
/// Nodes of a YAML document with its aliases written out, so that a few lines of aliases of
/// aliases cannot fill the memory.
pub const DOCUMENT_NODES_MAX: usize = 200_000;
/// How deep a YAML document or a query may be nested; bounds the stack of whoever walks it.
pub const DOCUMENT_DEPTH_MAX: usize = 64;
/// Sources in one configuration; each holds connections.
pub const SOURCES_MAX: usize = 1_000;
/// Policies in one configuration; twice the design's load, and more than fit into a ConfigMap.
pub const POLICIES_MAX: usize = 2_000;
/// Policies in the cluster; the youngest beyond that are refused and say so.
pub const POLICY_OBJECTS_MAX: usize = 2_000;
/// One policy of the cluster, as JSON: two long queries. All of them together fit into the memory
/// that `deploy/` gives, whoever writes them.
pub const POLICY_BYTES_MAX: usize = 32 * 1024;
/// HPAs that are remembered, to name them in the status of policies: ten times the design's load.
pub const SCALERS_MAX: usize = 10_000;
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
/// Series in one answer: ten thousand pods with room to spare.
pub const SOURCE_SERIES_MAX: usize = 20_000;
/// One line of an exposition page; longer ones are no metrics.
pub const EXPOSITION_LINE_BYTES_MAX: usize = 64 * 1024;
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

/// Metrics listed in discovery. The aggregator downloads the list five times per half minute
/// and API server, and the HPA does not need it.
pub const DISCOVERY_METRICS_MAX: usize = 2_000;
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

/// How long a decision of the authorizer is remembered (the default of the delegated authorizer).
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
