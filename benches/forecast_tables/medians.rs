//! Means, medians and worst cases over series, and figures beside what they should be.

/// The middle of the values, or the mean of the two in the middle; infinite where too many are none.
pub(crate) fn median(values: impl Iterator<Item = Option<f64>>) -> f64 {
    let mut values: Vec<f64> = values.map(|it| it.unwrap_or(f64::INFINITY)).collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// The arithmetic mean.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), it| (sum + it, count + 1));
    sum / f64::from(count)
}

/// The geometric mean.
pub(crate) fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    mean(values.map(f64::ln)).exp()
}

/// The greatest, and whose it is.
pub(crate) fn worst<'n>(values: impl Iterator<Item = (&'n str, f64)>) -> (&'n str, f64) {
    values.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
}

/// The items in order of first appearance, each once.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut found, item| {
        if !found.contains(&item) {
            found.push(item);
        }
        found
    })
}

/// A figure with two decimals; a dash where there is none.
pub(crate) fn figure(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { "–".to_owned() }
}

/// A figure with three decimals, what it should be at the most, and whether it is.
pub(crate) fn against(value: f64, target: Option<f64>) -> String {
    match target {
        Some(target) => {
            let verdict = if value <= target { "ok" } else { "missed" };
            format!("{value:.3} (≤ {target:.2} {verdict})")
        }
        None => format!("{value:.3}"),
    }
}

/// The line of a table.
pub(crate) fn print_row(cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    println!("| {} |", cells.join(" | "));
}

/// The head of a table.
pub(crate) fn print_head(cells: &[String]) {
    print_row(cells.iter().cloned());
    println!("|{}", "---|".repeat(cells.len()));
}
