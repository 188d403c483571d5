//! Quantiles, of numbers and of histograms, as PromQL has them.

use crate::domain::finite::Finite;

/// The quantile of `values`, between neighbours in proportion to its place; `None` of none.
pub(super) fn of_values(quantile: Finite, values: &[Finite]) -> Option<Finite> {
    let mut sorted = values.to_vec();
    sorted.sort();
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_precision_loss, reason = "there are fewer values than 2^52")]
    let rank = quantile.get() * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is between zero and the number of values"
    )]
    let below = (rank.floor() as usize).min(last);
    let low = sorted.get(below)?.get();
    let high = sorted.get(below + 1).map_or(low, |it| it.get());
    Finite::new(low + (high - low) * rank.fract())
}

/// The buckets of a histogram: upper bounds, rising, with how much was observed up to each; the last
/// bound is infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// From bounds in any order. `None` where the last bound is not infinite: how much was observed
    /// in all is not known then.
    pub(super) fn new(mut buckets: Vec<(f64, f64)>) -> Option<Self> {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut most = 0.0;
        for (_, count) in &mut buckets {
            // Counters that began anew between two buckets leave one below the other.
            if *count < most {
                *count = most;
            }
            most = *count;
        }
        let is_whole = buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY);
        is_whole.then_some(Self(buckets))
    }

    /// The same in another unit.
    pub(super) fn scaled(mut self, scale: f64) -> Self {
        self.0.iter_mut().for_each(|(bound, _)| *bound *= scale);
        self
    }

    /// How much was observed.
    pub(super) fn total(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// How much was observed up to a bound that may not be one of these: what is known for sure.
    fn up_to(&self, bound: f64) -> f64 {
        let within = self.0.iter().take_while(|it| it.0 <= bound);
        within.last().map_or(0.0, |(_, count)| *count)
    }

    /// What several observed together. Where their bounds differ, an observation counts from the
    /// next bound of its own histogram on: a quantile is rather too high than too low.
    pub(super) fn pooled(several: &[Self]) -> Self {
        let mut bounds: Vec<f64> =
            several.iter().flat_map(|it| it.0.iter().map(|(bound, _)| *bound)).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let count = |bound: f64| several.iter().map(|it| it.up_to(bound)).sum();
        Self(bounds.into_iter().map(|bound| (bound, count(bound))).collect())
    }

    /// The quantile, within a bucket in proportion; in the last one its lower bound. `None` of
    /// nothing.
    pub(super) fn quantile(&self, quantile: Finite) -> Option<Finite> {
        let rank = quantile.get() * self.total();
        if self.total() <= 0.0 {
            return None;
        }
        let mut below = None;
        for (bound, count) in &self.0 {
            if *count < rank {
                below = Some((*bound, *count));
                continue;
            }
            return match below {
                _ if *bound == f64::INFINITY => Finite::new(below?.0),
                None if *bound <= 0.0 => Finite::new(*bound),
                None if *count <= 0.0 => Finite::new(0.0),
                None => Finite::new(bound * rank / count),
                Some((low, before)) => {
                    Finite::new(low + (bound - low) * (rank - before) / (count - before))
                }
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finite(value: f64) -> Finite {
        Finite::new(value).unwrap()
    }

    #[test]
    fn a_quantile_lies_between_neighbours() {
        let values = [4.0, 1.0, 2.0, 3.0].map(finite);
        for (quantile, expected) in [(0.0, 1.0), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)] {
            let got = of_values(finite(quantile), &values).unwrap().get();
            assert!((got - expected).abs() < 1e-12, "{quantile}: {got}");
        }
        assert_eq!(of_values(finite(0.5), &[]), None);
        assert_eq!(of_values(finite(0.9), &[finite(7.0)]), Some(finite(7.0)));
    }

    /// As `histogram_quantile` answers for the same buckets.
    #[test]
    fn a_quantile_of_a_histogram_is_that_of_promql() {
        let inf = f64::INFINITY;
        let buckets =
            Buckets::new(vec![(inf, 20.0), (0.1, 0.0), (0.5, 10.0), (1.0, 18.0)]).unwrap();
        assert!((buckets.total() - 20.0).abs() < 1e-12);
        for (quantile, expected) in
            [(0.25, 0.3), (0.5, 0.5), (0.7, 0.75), (0.9, 1.0), (0.95, 1.0), (1.0, 1.0)]
        {
            let got = buckets.quantile(finite(quantile)).unwrap().get();
            assert!((got - expected).abs() < 1e-12, "{quantile}: {got}");
        }
        let first = Buckets::new(vec![(2.0, 10.0), (inf, 10.0)]).unwrap();
        assert_eq!(first.quantile(finite(0.5)), Some(finite(1.0)));
        assert_eq!(Buckets::new(vec![(1.0, 0.0), (inf, 0.0)]).unwrap().quantile(finite(0.5)), None);
        assert_eq!(Buckets::new(vec![(inf, 5.0)]).unwrap().quantile(finite(0.5)), None);
        assert_eq!(Buckets::new(vec![(1.0, 5.0)]), None, "without a last bucket");
    }

    #[test]
    fn histograms_of_several_pods_are_one() {
        let inf = f64::INFINITY;
        let one = Buckets::new(vec![(1.0, 10.0), (inf, 10.0)]).unwrap();
        let other = Buckets::new(vec![(1.0, 0.0), (inf, 10.0)]).unwrap();
        let pooled = Buckets::pooled(&[one.clone(), other]);
        assert_eq!(pooled, Buckets::new(vec![(1.0, 10.0), (inf, 20.0)]).unwrap());
        let finer = Buckets::new(vec![(0.5, 4.0), (2.0, 8.0), (inf, 10.0)]).unwrap();
        let pooled = Buckets::pooled(&[one, finer]);
        let expected = vec![(0.5, 4.0), (1.0, 14.0), (2.0, 18.0), (inf, 20.0)];
        assert_eq!(pooled, Buckets::new(expected).unwrap());
    }
}
