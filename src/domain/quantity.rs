//! Numbers as Kubernetes writes them (`1500m`, `2k`, `512Mi`): the only place that knows how.
//!
//! The rules are those of apimachinery's `resource.Quantity` in canonical decimal form: no
//! fraction, the largest suffix for which the number stays whole.

use crate::domain::finite::Finite;

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a quantity such as `100`, `1500m` or `512Mi`")]
pub struct BadQuantity(String);

impl BadQuantity {
    /// What is wrong, without an example.
    #[must_use]
    pub fn problem(&self) -> String {
        format!("`{}` is not a quantity", self.0)
    }
}

/// Decimal suffixes by their power of 1000, smallest first.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Binary suffixes by their power of 1024, smallest first.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// The place of the empty suffix in `DECIMAL`.
const ONES: usize = 3;

/// The canonical text of `value`, rounded to micro at one and above and to nano below.
///
/// The HPA reads thousandths and rounds them up, so six decimals lose nothing; the shortest
/// decimal of the float is rounded, so 0.1 + 0.2 is `300m`.
#[must_use]
pub fn to_text(value: Finite) -> String {
    let decimals = if value.get().abs() >= 1.0 { 6 } else { 9 };
    let shown = format!("{:.decimals$}", value.get());
    let (whole, fraction) = shown.split_once('.').unwrap_or((&shown, ""));
    let mut digits = format!("{whole}{fraction:0<9}");
    let negative = digits.starts_with('-');
    digits.retain(|c| c.is_ascii_digit());
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let mut mantissa = significant.to_owned();
    let mut suffixes = DECIMAL.iter().peekable();
    let mut suffix = suffixes.next().copied().unwrap_or_default();
    while let Some(next) = suffixes.peek()
        && mantissa.ends_with("000")
    {
        mantissa.truncate(mantissa.len() - 3);
        suffix = next;
        suffixes.next();
    }
    let sign = if negative { "-" } else { "" };
    format!("{sign}{mantissa}{suffix}")
}

/// Reads a quantity: sign, decimal number, then a decimal or binary suffix or an exponent.
///
/// # Errors
/// `BadQuantity` when the text is anything else or the number is out of the range of a float.
pub fn parse(text: &str) -> Result<Finite, BadQuantity> {
    let bad = || BadQuantity(text.chars().take(40).collect());
    let number_end = text
        .char_indices()
        .find(|(idx, c)| !(c.is_ascii_digit() || *c == '.' || (*idx == 0 && "+-".contains(*c))))
        .map_or(text.len(), |(idx, _)| idx);
    let (number, suffix) = text.split_at(number_end);
    if !number.contains(|c: char| c.is_ascii_digit()) {
        return Err(bad());
    }
    let factor = factor(suffix).ok_or_else(bad)?;
    let number: f64 = number.parse().map_err(|_| bad())?;
    Finite::new(number * factor).ok_or_else(bad)
}

fn factor(suffix: &str) -> Option<f64> {
    if let Some(idx) = DECIMAL.iter().position(|it| *it == suffix) {
        let power = i32::try_from(idx).ok()? - i32::try_from(ONES).ok()?;
        return Some(1000f64.powi(power));
    }
    if let Some(idx) = BINARY.iter().position(|it| *it == suffix) {
        return Some(1024f64.powi(i32::try_from(idx).ok()?));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    (-30..=30).contains(&exponent).then(|| 10f64.powi(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finite(value: f64) -> Finite {
        Finite::new(value).unwrap()
    }

    #[test]
    fn numbers_are_written_as_kubernetes_writes_them() {
        // The cases of part 1.4 of the wire facts, then floats with noise in their last digits.
        for (value, text) in [
            (0.0, "0"),
            (0.5, "500m"),
            (1.5, "1500m"),
            (1.0, "1"),
            (100.0, "100"),
            (1000.0, "1k"),
            (1500.0, "1500"),
            (12_345.0, "12345"),
            (12_000.0, "12k"),
            (2_500_000.0, "2500k"),
            (0.001, "1m"),
            (0.0005, "500u"),
            (0.25, "250m"),
            (-0.25, "-250m"),
            (123_456.789, "123456789m"),
            (1e15, "1P"),
            (1e18, "1E"),
            (0.1 + 0.2, "300m"),
            (10.318_212_345_6, "10318212u"),
            (10.000_000_000_1, "10"),
            (1e-9, "1n"),
            (1e-12, "0"),
        ] {
            assert_eq!(to_text(finite(value)), text, "{value}");
        }
    }

    #[test]
    fn every_form_of_kubernetes_is_read() {
        for (text, value) in [
            ("0", 0.0),
            ("100", 100.0),
            ("1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("+3", 3.0),
            ("-250m", -0.25),
            ("2k", 2_000.0),
            ("1Ki", 1_024.0),
            ("1.5Gi", 1_610_612_736.0),
            ("1e3", 1_000.0),
            ("1E3", 1_000.0),
            ("1E", 1e18),
            ("12e-2", 0.12),
        ] {
            let read = parse(text).unwrap().get();
            assert!((read - value).abs() <= value.abs() * 1e-12, "{text}: {read}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "-", ".", "k", "1 k", "1kk", "0x10", "1e", "1e99", "NaN", "inf", "1.2.3", "--1"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in -9.2e15f64..9.2e15) {
            let value = finite(value);
            let read = parse(&to_text(value)).unwrap().get();
            prop_assert!((read - value.get()).abs() <= value.get().abs() * 1e-9 + 1e-9);
        }

        #[test]
        fn no_text_breaks_the_parser(text in "\\PC*") {
            drop(parse(&text));
        }
    }
}
