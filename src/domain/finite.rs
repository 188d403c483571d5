//! `Finite`: an `f64` that is a number, so that NaN and infinity stop at the edge.

use std::cmp::Ordering;
use std::fmt;

/// A floating point number that is neither NaN nor infinite. Totally ordered.
///
/// Everything past a source is made of these; an operation whose result would not be a number
/// answers `None`, which callers treat as "no value", never as zero.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Finite(f64);

impl Finite {
    /// Zero.
    pub const ZERO: Self = Self(0.0);

    /// Takes `value` if it is a number. Negative zero becomes zero.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        // Adding zero turns -0.0 into 0.0 and leaves everything else alone.
        value.is_finite().then_some(Self(value + 0.0))
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether the number is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < 0.0
    }
}

impl Eq for Finite {}

impl PartialOrd for Finite {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Finite {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for Finite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Finite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_is_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -f64::NAN] {
            assert_eq!(Finite::new(value), None, "{value}");
        }
    }

    #[test]
    fn negative_zero_is_zero() {
        let zero = Finite::new(-0.0).unwrap();
        assert_eq!(zero, Finite::ZERO);
        assert_eq!(zero.cmp(&Finite::ZERO), Ordering::Equal);
        assert!(!zero.is_negative());
    }

    #[test]
    fn the_order_is_that_of_numbers() {
        let mut values: Vec<Finite> =
            [2.0, -1.0, 0.0, 1e300, -1e300].into_iter().filter_map(Finite::new).collect();
        values.sort();
        let sorted: Vec<f64> = values.into_iter().map(Finite::get).collect();
        assert_eq!(sorted, [-1e300, -1.0, 0.0, 2.0, 1e300]);
    }
}
