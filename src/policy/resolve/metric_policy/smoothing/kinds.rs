//! Each kind of smoothing step: its parameters, their defaults and their ranges.

use super::reader::Reader;
use super::{MINUTE, SECOND};
use crate::domain::duration;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::policy::smoothing::Smoothing;
use crate::policy::wire::smoothing as wire;
use std::time::Duration;

pub(super) fn ewma(reader: &mut Reader<'_>, wire: &wire::Ewma) -> Option<Smoothing> {
    let wire::Ewma { half_life } = wire;
    let half_life = reader.positive("halfLife", Some(half_life), Duration::ZERO)?;
    Some(Smoothing::Ewma { half_life })
}

pub(super) fn holt(reader: &mut Reader<'_>, wire: &wire::Holt) -> Option<Smoothing> {
    let wire::Holt { level, trend, damping, step } = wire;
    let most = 1.0 - f64::EPSILON;
    let level = reader.above_zero(
        "level",
        *level,
        0.5,
        most,
        "above 0 and below 1; 0.3 to 0.5 suits most signals",
    );
    let trend = reader.above_zero(
        "trend",
        *trend,
        0.1,
        most,
        "above 0 and below 1; 0.05 to 0.1 suits most signals",
    );
    let hint = "above 0 and at most 0.99: a trend that is not damped runs away";
    let damping = reader.above_zero("damping", *damping, 0.9, limits::HOLT_DAMPING_MAX, hint);
    let step = reader.positive("step", step.as_deref(), reader.interval);
    Some(Smoothing::Holt { level: level?, trend: trend?, damping: damping?, step: step? })
}

pub(super) fn hampel(reader: &mut Reader<'_>, wire: &wire::Hampel) -> Option<Smoothing> {
    let wire::Hampel { window, threshold } = wire;
    let window = reader.samples(*window, 9);
    let hint = "above 0 and at most 100; 3 suits most signals";
    let threshold = reader.above_zero("threshold", *threshold, 3.0, 100.0, hint);
    let (window, span) = window?;
    Some(Smoothing::Hampel { window, threshold: threshold?, span })
}

pub(super) fn median(reader: &mut Reader<'_>, wire: &wire::Median) -> Option<Smoothing> {
    let wire::Median { window } = wire;
    let (window, span) = reader.samples(*window, 5)?;
    Some(Smoothing::Median { window, span })
}

pub(super) fn one_euro(reader: &mut Reader<'_>, wire: &wire::OneEuro) -> Option<Smoothing> {
    let wire::OneEuro { time_constant, speed, derivative_time_constant, scale } = wire;
    let constant = reader.positive("timeConstant", time_constant.as_deref(), 2 * MINUTE);
    let speed =
        reader.number("speed", *speed, 0.5, 0.0..=100.0, "0 to 100; 0.5 suits most signals");
    let key = "derivativeTimeConstant";
    let derivative = reader.positive(key, derivative_time_constant.as_deref(), 30 * SECOND);
    let scale = reader.quantity("scale", scale.as_ref())?;
    if scale == Some(Finite::ZERO) {
        reader.fault(Some("scale"), "a scale is above zero", "leave it out if you know none");
        return None;
    }
    let (time_constant, speed, derivative) = (constant?, speed?, derivative?);
    Some(Smoothing::OneEuro { time_constant, speed, derivative, scale })
}

pub(super) fn kalman(reader: &mut Reader<'_>, wire: &wire::Kalman) -> Option<Smoothing> {
    let wire::Kalman { process_variance, measurement_variance, initial_variance } = wire;
    let most = limits::VALUE_MAX;
    let hint = "above 0; only the proportions of the variances matter";
    let process = reader.above_zero("processVariance", *process_variance, 0.01, most, hint);
    let measurement =
        reader.above_zero("measurementVariance", *measurement_variance, 1.0, most, hint);
    let default = measurement.map_or(1.0, Finite::get);
    let initial = reader.above_zero("initialVariance", *initial_variance, default, most, hint);
    let (process, measurement, initial) = (process?, measurement?, initial?);
    Some(Smoothing::Kalman { process, measurement, initial })
}

pub(super) fn window_quantile(
    reader: &mut Reader<'_>,
    wire: &wire::WindowQuantile,
) -> Option<Smoothing> {
    let wire::WindowQuantile { window, quantile } = wire;
    let window = reader.window(window.as_deref());
    let quantile = reader.quantile(*quantile, 0.9);
    Some(Smoothing::WindowQuantile { window: window?, quantile: quantile? })
}

pub(super) fn percentile(reader: &mut Reader<'_>, wire: &wire::Percentile) -> Option<Smoothing> {
    let wire::Percentile { quantile, half_life } = wire;
    let hint = "0.01 to 0.99; for the largest or smallest value take windowMax or windowMin";
    let range = limits::PERCENTILE_MIN..=limits::PERCENTILE_MAX;
    let quantile = reader.number("quantile", *quantile, 0.95, range, hint);
    let half_life = reader.positive("halfLife", half_life.as_deref(), 30 * MINUTE);
    Some(Smoothing::Percentile { quantile: quantile?, half_life: half_life? })
}

pub(super) fn deadband(reader: &mut Reader<'_>, wire: &wire::Deadband) -> Option<Smoothing> {
    let wire::Deadband { band, share, refresh } = wire;
    let default = if band.is_some() { 0.0 } else { 0.05 };
    let band = reader.quantity("band", band.as_ref());
    let hint = "0 to 1; 0.05 is half of what the HPA ignores";
    let share = reader.number("share", *share, default, 0.0..=1.0, hint);
    let refresh = reader.positive("refresh", refresh.as_deref(), 10 * MINUTE);
    let band = band?.unwrap_or(Finite::ZERO);
    Some(Smoothing::Deadband { band, share: share?, refresh: refresh? })
}

pub(super) fn asymmetric(reader: &mut Reader<'_>, wire: &wire::Asymmetric) -> Option<Smoothing> {
    let wire::Asymmetric { up, down } = wire;
    let up = reader.duration("up", up.as_deref(), Duration::ZERO);
    let down = reader.duration("down", down.as_deref(), MINUTE);
    Some(Smoothing::Asymmetric { up: up?, down: down? })
}

pub(super) fn slew_limit(reader: &mut Reader<'_>, wire: &wire::SlewLimit) -> Option<Smoothing> {
    let wire::SlewLimit { up_per_minute, down_per_minute } = wire;
    let up = reader.quantity("upPerMinute", up_per_minute.as_ref());
    let down = reader.quantity("downPerMinute", down_per_minute.as_ref());
    let (up_per_minute, down_per_minute) = (up?, down?);
    for (key, limit) in [("upPerMinute", up_per_minute), ("downPerMinute", down_per_minute)] {
        if limit == Some(Finite::ZERO) {
            reader.fault(Some(key), "the value could never change", "leave it out for no limit");
            return None;
        }
    }
    if up_per_minute.is_none() && down_per_minute.is_none() {
        let hint = "write `- slewLimit: {downPerMinute: 10}`, in the metric's unit";
        reader.fault(None, "limits neither rise nor fall", hint);
        return None;
    }
    Some(Smoothing::SlewLimit { up_per_minute, down_per_minute })
}

pub(super) fn rate(reader: &mut Reader<'_>, wire: &wire::Rate) -> Option<Smoothing> {
    let wire::Rate { window } = wire;
    let Some(text) = window else { return Some(Smoothing::automatic_rate(reader.interval)) };
    let window = reader.positive("window", Some(text), Duration::ZERO)?;
    let least = reader.interval * limits::RATE_INTERVALS_MIN;
    if window < least {
        let problem = format!("shorter than {}", duration::Shown(least));
        let hint = "a rate needs four intervals; leave it out to have it chosen";
        reader.fault(Some("window"), problem, hint);
        return None;
    }
    Some(Smoothing::Rate { least: window, most: window })
}

pub(super) fn window_max(reader: &mut Reader<'_>, wire: &wire::Window) -> Option<Smoothing> {
    let wire::Window { window } = wire;
    Some(Smoothing::WindowMax { window: reader.window(window.as_deref())? })
}

pub(super) fn window_min(reader: &mut Reader<'_>, wire: &wire::Window) -> Option<Smoothing> {
    let wire::Window { window } = wire;
    Some(Smoothing::WindowMin { window: reader.window(window.as_deref())? })
}
