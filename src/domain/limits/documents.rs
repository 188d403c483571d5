//! How much the API says about itself, and to how many at once.

/// Metrics of one API group that are listed, unless told otherwise. The aggregator downloads the list
/// five times per half minute and API server, and the HPA does not need it.
pub const METRICS_LISTED: usize = 2_000;
/// The most metrics that a configuration may have listed: three megabytes, kept in each form.
pub const METRICS_LISTED_MAX: usize = 20_000;
/// Requests for documents in progress at once (the generic API server's value for reads). Each waits
/// for nothing but the word on its user. Metrics are not counted: who asks for lists must not keep
/// an HPA from its numbers.
pub const DOCUMENTS_AT_ONCE: usize = 400;
/// Seconds after which one who was turned away may ask again.
pub const RETRY_AFTER_SECONDS: u8 = 1;
