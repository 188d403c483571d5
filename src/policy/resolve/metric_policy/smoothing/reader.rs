//! Reads the parameters of one smoothing step, each with its default and its range.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::domain::quantity;
use crate::policy::resolve::Faults;
use crate::policy::wire::IntOrText;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A window when a policy names none: what the scrapes of a minute say.
const WINDOW_DEFAULT: Duration = Duration::from_secs(60);

/// One step while it is read.
pub(super) struct Reader<'f> {
    /// Where it stands.
    pub(super) path: Path,
    /// The policy's interval.
    pub(super) interval: Duration,
    pub(super) faults: &'f mut Faults,
}

impl Reader<'_> {
    /// The same below a key.
    pub(super) fn below(&mut self, key: &str) -> Reader<'_> {
        Reader { path: self.path.key(key), interval: self.interval, faults: self.faults }
    }

    /// A count of samples, and the time after which they do not count any more.
    pub(super) fn samples(
        &mut self,
        written: Option<i64>,
        default: usize,
    ) -> Option<(usize, Duration)> {
        let (least, most) = (limits::MEDIAN_SAMPLES_MIN, limits::MEDIAN_SAMPLES_MAX);
        let window = written.map_or(Some(default), |it| usize::try_from(it).ok());
        let Some(window) = window.filter(|it| (least..=most).contains(it)) else {
            let problem = format!("expected {least} to {most} samples");
            self.fault(Some("window"), problem, "5 to 9 suits most signals");
            return None;
        };
        let intervals = u32::try_from(window).unwrap_or(u32::MAX) * limits::MEDIAN_SPANS;
        Some((window, self.interval.saturating_mul(intervals)))
    }

    pub(super) fn window(&mut self, text: Option<&str>) -> Option<Duration> {
        self.positive("window", text, WINDOW_DEFAULT)
    }

    pub(super) fn quantile(&mut self, written: Option<f64>, default: f64) -> Option<Finite> {
        let hint = "0 to 1; 0.9 is exceeded by a tenth of the values";
        self.number("quantile", written, default, 0.0..=1.0, hint)
    }

    /// A duration above zero.
    pub(super) fn positive(
        &mut self,
        key: &str,
        text: Option<&str>,
        default: Duration,
    ) -> Option<Duration> {
        let duration = self.duration(key, text, default)?;
        if duration.is_zero() {
            self.fault(Some(key), "expected more than 0s", "30s to 2m suits most signals");
            return None;
        }
        Some(duration)
    }

    pub(super) fn duration(
        &mut self,
        key: &str,
        text: Option<&str>,
        default: Duration,
    ) -> Option<Duration> {
        let Some(text) = text else { return Some(default) };
        let duration = self.faults.take(self.path.key(key), duration::parse(text))?;
        if duration > limits::DURATION_MAX {
            let most = duration::Shown(limits::DURATION_MAX);
            self.fault(Some(key), format!("longer than {most}"), "30s to 2m suits most signals");
            return None;
        }
        Some(duration)
    }

    /// A number above zero, up to `most`.
    pub(super) fn above_zero(
        &mut self,
        key: &str,
        written: Option<f64>,
        default: f64,
        most: f64,
        hint: &str,
    ) -> Option<Finite> {
        self.number(key, written, default, f64::MIN_POSITIVE..=most, hint)
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        written: Option<f64>,
        default: f64,
        range: RangeInclusive<f64>,
        hint: &str,
    ) -> Option<Finite> {
        let value = written.unwrap_or(default);
        match Finite::new(value).filter(|it| range.contains(&it.get())) {
            Some(value) => Some(value),
            None => {
                self.fault(Some(key), format!("`{value}` is out of range"), hint);
                None
            }
        }
    }

    /// A quantity that is not negative; nothing where none is written.
    pub(super) fn quantity(
        &mut self,
        key: &str,
        written: Option<&IntOrText>,
    ) -> Option<Option<Finite>> {
        let Some(written) = written else { return Some(None) };
        let value = self.faults.take(self.path.key(key), quantity::parse(&written.text()))?;
        if value.is_negative() {
            self.fault(Some(key), "expected no negative quantity", "write it without the sign");
            return None;
        }
        Some(Some(value))
    }

    pub(super) fn fault(&mut self, key: Option<&str>, problem: impl Into<String>, hint: &str) {
        let path = key.map_or_else(|| self.path.clone(), |key| self.path.key(key));
        self.faults.add(Fault::new(path, problem).hint(hint));
    }
}
