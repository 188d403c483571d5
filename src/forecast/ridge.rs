//! Ridge regression in closed form: least squares with a price on large weights, by the normal
//! equations and Cholesky's decomposition (Golub and Van Loan, "Matrix Computations", 4.2).

/// The sums that the solution needs: one pass over the examples, nothing kept of them.
#[derive(Clone, Debug)]
pub(crate) struct NormalEquations {
    features: usize,
    examples: f64,
    /// The lower triangle of X'X, row by row, in a full square.
    gram: Vec<f64>,
    /// X'y.
    cross: Vec<f64>,
}

/// A linear prediction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ridge {
    weights: Vec<f64>,
}

impl NormalEquations {
    pub(crate) fn new(features: usize) -> Self {
        let (gram, cross) = (vec![0.0; features * features], vec![0.0; features]);
        Self { features, examples: 0.0, gram, cross }
    }

    /// How many examples were added.
    pub(crate) fn examples(&self) -> f64 {
        self.examples
    }

    /// Adds an example, which has as many features as were announced.
    pub(crate) fn add(&mut self, row: &[f64], target: f64) {
        debug_assert_eq!(row.len(), self.features);
        self.examples += 1.0;
        let lines = self.gram.chunks_exact_mut(self.features);
        for (place, ((line, cross), one)) in lines.zip(&mut self.cross).zip(row).enumerate() {
            *cross += one * target;
            for (sum, other) in line.iter_mut().zip(row).take(place + 1) {
                *sum += one * other;
            }
        }
    }

    /// The weights that minimise the squared error plus `price` times each feature's own sum of
    /// squares times its weight's square, so that the price means the same for features of any
    /// scale. `floor` is added to the mean square of each feature, which keeps features that hardly
    /// vary from being blown up. `None` without examples.
    pub(crate) fn solve(mut self, price: f64, floor: f64) -> Option<Ridge> {
        let size = self.features;
        for diagonal in self.gram.iter_mut().step_by(size + 1) {
            *diagonal += price * (*diagonal + floor * self.examples);
        }
        solve_in_place(&mut self.gram, size, &mut self.cross)
            .then_some(Ridge { weights: self.cross })
    }
}

impl Ridge {
    pub(crate) fn predict(&self, row: &[f64]) -> f64 {
        self.weights.iter().zip(row).map(|(weight, feature)| weight * feature).sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.weights)
    }
}

/// Solves a symmetric positive definite system of which the lower triangle is given; the matrix is
/// overwritten by its Cholesky factor and the right side by the solution. `false` when the matrix
/// is not positive definite.
#[expect(
    clippy::indexing_slicing,
    reason = "all places are below `size`, the matrix holds its square and the right side as many"
)]
fn solve_in_place(matrix: &mut [f64], size: usize, right: &mut [f64]) -> bool {
    debug_assert!(matrix.len() == size * size && right.len() == size);
    for column in 0..size {
        for row in column..size {
            let dot: f64 =
                (0..column).map(|it| matrix[row * size + it] * matrix[column * size + it]).sum();
            let rest = matrix[row * size + column] - dot;
            if row > column {
                matrix[row * size + column] = rest / matrix[column * size + column];
            } else if rest > 0.0 {
                matrix[row * size + column] = rest.sqrt();
            } else {
                return false;
            }
        }
    }
    for row in 0..size {
        let dot: f64 = (0..row).map(|it| matrix[row * size + it] * right[it]).sum();
        right[row] = (right[row] - dot) / matrix[row * size + row];
    }
    for row in (0..size).rev() {
        let dot: f64 = (row + 1..size).map(|it| matrix[it * size + row] * right[it]).sum();
        right[row] = (right[row] - dot) / matrix[row * size + row];
    }
    right.iter().all(|it| it.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tiny_case_is_solved_as_by_hand() {
        // Rows (1,0), (1,1), (1,2) with targets 1, 3, 4: X'X = (3 3; 3 5), X'y = (8, 11). A price of
        // 0.1 makes the diagonal (3.3, 5.5), so that the determinant is 9.15 and the weights are
        // (8 * 5.5 - 3 * 11, 3.3 * 11 - 3 * 8) / 9.15.
        let mut equations = NormalEquations::new(2);
        for (row, target) in [([1.0, 0.0], 1.0), ([1.0, 1.0], 3.0), ([1.0, 2.0], 4.0)] {
            equations.add(&row, target);
        }
        let ridge = equations.clone().solve(0.1, 0.0).unwrap();
        for (weight, expected) in ridge.weights.iter().zip([11.0 / 9.15, 12.3 / 9.15]) {
            assert!((weight - expected).abs() < 1e-12, "{weight} {expected}");
        }
        assert!((ridge.predict(&[1.0, 2.0]) - 35.6 / 9.15).abs() < 1e-12);
        // Without a price it is least squares: 7/6 + 1.5 x.
        let plain = equations.solve(0.0, 0.0).unwrap();
        for (weight, expected) in plain.weights.iter().zip([7.0 / 6.0, 1.5]) {
            assert!((weight - expected).abs() < 1e-12, "{weight} {expected}");
        }
    }

    #[test]
    fn a_feature_that_never_varies_gets_no_weight_and_does_no_harm() {
        let mut equations = NormalEquations::new(2);
        for feature in 1..=10 {
            equations.add(&[f64::from(feature), 0.0], 2.0 * f64::from(feature));
        }
        let ridge = equations.solve(1e-9, 1e-6).unwrap();
        assert!((ridge.predict(&[3.0, 5.0]) - 6.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_learnt_from_nothing() {
        assert_eq!(NormalEquations::new(3).solve(0.01, 1e-6), None);
    }
}
