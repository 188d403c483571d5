//! Hedge: a vote whose weights fall exponentially with each voter's loss of late (Freund and
//! Schapire, 1997), with a fixed share that keeps every voter in reach (Herbster and Warmuth,
//! "Tracking the best expert", 1998).

/// How fast weights fall with the mean loss. Losses are in units of what "no change" loses.
const RATE: f64 = 8.0;
/// What is left, after a step, of the weight of a loss: half of it after two hours of minutes.
const DISCOUNT: f64 = 0.995;
/// A loss counts so much at most, so that one burst does not decide the vote.
const LOSS_MAX: f64 = 10.0;
/// The mean loss of a voter that never had an answer: that of "no change".
const LOSS_UNHEARD: f64 = 1.0;
/// Split evenly among all voters, whatever they lost.
const SHARED: f64 = 0.01;

/// The discounted losses of `N` voters.
#[derive(Clone, Debug)]
pub(crate) struct Hedge<const N: usize> {
    losses: [Discounted; N],
    /// The absolute error of the voter that the others' losses are measured by.
    unit: Discounted,
}

/// A discounted mean.
#[derive(Clone, Copy, Debug, Default)]
struct Discounted {
    sum: f64,
    weight: f64,
}

impl<const N: usize> Hedge<N> {
    pub(crate) fn new() -> Self {
        Self { losses: [Discounted::default(); N], unit: Discounted::default() }
    }

    /// Takes in the absolute errors of the voters that had an answer, and of the one by which
    /// losses are measured.
    pub(crate) fn learn(&mut self, errors: [Option<f64>; N], unit: f64) {
        self.unit.add(unit);
        let unit = self.unit.mean().unwrap_or_default();
        for (loss, error) in self.losses.iter_mut().zip(errors) {
            if let Some(error) = error {
                // Where nothing ever changes, nobody errs, and any error is the largest.
                let scaled = if error > 0.0 { error / unit } else { 0.0 };
                loss.add(scaled.clamp(0.0, LOSS_MAX));
            }
        }
    }

    /// The weights of the voters, which sum to 1.
    pub(crate) fn weights(&self) -> [f64; N] {
        weights(self.losses.map(|loss| loss.mean().unwrap_or(LOSS_UNHEARD)))
            .map(|it| (1.0 - SHARED) * it + SHARED / N as f64)
    }
}

impl Discounted {
    fn add(&mut self, number: f64) {
        self.sum = DISCOUNT * self.sum + number;
        self.weight = DISCOUNT * self.weight + 1.0;
    }

    fn mean(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

fn weights<const N: usize>(losses: [f64; N]) -> [f64; N] {
    let raw = losses.map(|loss| (-RATE * loss).exp());
    // Losses are at most LOSS_MAX, so that the sum is above e^-80.
    let sum: f64 = raw.iter().sum();
    raw.map(|weight| weight / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fall_exponentially_with_losses() {
        // e^-8 : e^-6.4 : e^-7.2.
        let found = weights([1.0, 0.8, 0.9]);
        for (weight, expected) in found.iter().zip([0.1223, 0.6056, 0.2721]) {
            assert!((weight - expected).abs() < 5e-5, "{found:?}");
        }
    }

    #[test]
    fn the_voter_that_errs_least_wins_and_none_is_forgotten() {
        let mut hedge = Hedge::new();
        for _ in 0..500 {
            hedge.learn([Some(1.0), Some(0.5), None], 1.0);
        }
        let [naive, better, silent] = hedge.weights();
        assert!(better > 10.0 * naive && naive >= SHARED / 3.0);
        assert!((naive + better + silent - 1.0).abs() < 1e-12);
        for _ in 0..1500 {
            hedge.learn([Some(1.0), Some(3.0), Some(1.2)], 1.0);
        }
        assert!(hedge.weights()[0] > 0.7, "{:?}", hedge.weights());
    }

    #[test]
    fn where_nothing_changes_the_weights_are_numbers() {
        let mut hedge = Hedge::new();
        (0..10).for_each(|_| hedge.learn([Some(0.0), Some(0.0)], 0.0));
        let [one, other] = hedge.weights();
        assert!((one - other).abs() < 1e-12 && (one - 0.5).abs() < 1e-12);
        hedge.learn([Some(0.0), Some(0.1)], 0.0);
        assert!(hedge.weights()[0] > 0.5);
    }
}
