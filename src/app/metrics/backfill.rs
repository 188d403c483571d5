//! What the backfills of histories count.

use crate::domain::sample::Sample;
use crate::evaluation::backfill::ChunkFailure;
use crate::published::Progress;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What the backfills count. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct BackfillMetrics {
    chunks: Family<ChunkLabels, Counter>,
    pending: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChunkLabels {
    result: &'static str,
}

/// What a chunk can come to.
const RESULTS: [&str; 3] = ["filled", "empty", "failed"];

impl BackfillMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { chunks: Family::default(), pending: Gauge::default() };
        for result in RESULTS {
            // Zero is known, too.
            drop(metrics.chunks.get_or_create(&ChunkLabels { result }));
        }
        let help = "Chunks of histories asked for by what they came to";
        registry.register("backfill_chunks", help, metrics.chunks.clone());
        let help = "Chunks of histories that were not answered yet";
        registry.register("backfill_pending_chunks", help, metrics.pending.clone());
        metrics
    }

    pub(crate) fn observe(&self, brought: &Result<Vec<Sample>, ChunkFailure>) {
        let result = match brought {
            Ok(samples) if samples.is_empty() => "empty",
            Ok(_) => "filled",
            Err(_) => "failed",
        };
        self.chunks.get_or_create(&ChunkLabels { result }).inc();
    }

    pub(crate) fn hold(&self, progress: Progress) {
        let pending = progress.chunks_total.saturating_sub(progress.chunks_done);
        self.pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
    }
}
