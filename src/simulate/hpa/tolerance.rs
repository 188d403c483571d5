//! The band around a usage ratio of 1 inside which nothing changes, and Go's rounding to `int32`.

/// How far a usage ratio may be from 1 before the replica count changes, per direction. Fractions:
/// 0.1 is ten percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerances {
    /// How far the ratio may exceed 1.
    pub scale_up: f64,
    /// How far the ratio may fall short of 1.
    pub scale_down: f64,
}

impl Tolerances {
    /// The same tolerance in both directions.
    #[must_use]
    pub fn both(tolerance: f64) -> Self {
        Self { scale_up: tolerance, scale_down: tolerance }
    }

    /// Whether the ratio is inside the band, both ends included. NaN never is.
    #[must_use]
    pub fn contain(self, ratio: f64) -> bool {
        (1.0 - self.scale_down..=1.0 + self.scale_up).contains(&ratio)
    }
}

/// Rounds up to a replica count.
///
/// The controller caps some of its results at `i32::MAX` and leaves others to the conversion of the
/// processor it runs on; here every result is capped. NaN becomes 0.
#[expect(clippy::cast_possible_truncation, reason = "saturating is the rule stated above")]
pub(super) fn round_up(replicas: f64) -> i32 {
    replicas.ceil() as i32
}

/// Cuts the fraction off a replica count, capped like [`round_up`].
#[expect(clippy::cast_possible_truncation, reason = "cutting the fraction off is the purpose")]
pub(super) fn truncate(replicas: f64) -> i32 {
    replicas as i32
}

/// Rounds a usage up to a whole milli unit, capped at the range of `i64`.
#[expect(clippy::cast_possible_truncation, reason = "saturating is the rule stated above")]
pub(super) fn round_up_usage(usage_milli: f64) -> i64 {
    usage_milli.ceil() as i64
}
