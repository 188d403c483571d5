//! Durations as people write them in Kubernetes: `15s`, `2m`, `1h30m`, `250ms`.

use std::fmt;
use std::time::Duration;

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as `15s`, `2m` or `1h30m`")]
pub struct BadDuration(String);

impl BadDuration {
    /// What is wrong, without an example.
    #[must_use]
    pub fn problem(&self) -> String {
        format!("`{}` is not a duration", self.0)
    }
}

/// Units, largest first, with their length in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration: whole numbers with the units `h`, `m`, `s`, `ms`, largest first, each at
/// most once (the part of Go's `time.ParseDuration` that people write; no sign, no fraction).
///
/// # Errors
/// `BadDuration` when the text is anything else, or too long for milliseconds in 64 bits.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let bad = || BadDuration(text.chars().take(40).collect());
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut units = UNITS.iter();
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let (digits, tail) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, tail) = split_where(tail, |c| c.is_ascii_digit());
        let (_, length) = units.find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let count: u64 = digits.parse().map_err(|_| bad())?;
        let part = count.checked_mul(*length).ok_or_else(bad)?;
        millis = millis.checked_add(part).ok_or_else(bad)?;
        rest = tail;
    }
    Ok(Duration::from_millis(millis))
}

/// Splits before the first character for which `stop` holds.
fn split_where(text: &str, stop: fn(char) -> bool) -> (&str, &str) {
    let at = text.find(stop).unwrap_or(text.len());
    text.split_at(at)
}

/// Shows a duration the way `parse` reads it, e.g. `3m10s`; sub-millisecond parts are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown(pub Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        for (name, length) in UNITS {
            let count = millis / u128::from(length);
            if count > 0 {
                write!(f, "{count}{name}")?;
                millis %= u128::from(length);
            }
        }
        Ok(())
    }
}

/// Shows an age for people: whole seconds from one second up, e.g. `3m10s`.
#[must_use]
pub fn shown_age(age: Duration) -> Shown {
    if age >= Duration::from_secs(1) {
        Shown(Duration::from_secs(age.as_secs()))
    } else {
        Shown(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_read() {
        for (text, millis) in [
            ("15s", 15_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1m0s", 60_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "15", "s", "-1s", "1.5s", "1d", "1s1h", "1s1s", "1 s", "99999999999999999h"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0u64..1_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&Shown(duration).to_string()), Ok(duration));
        }

        #[test]
        fn no_text_breaks_the_parser(text in "\\PC*") {
            drop(parse(&text));
        }
    }
}
