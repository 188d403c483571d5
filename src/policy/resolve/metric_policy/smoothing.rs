//! From the written shape of smoothing steps to the steps.

mod kinds;
mod reader;

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::domain::finite::Finite;
use crate::domain::limits;
use crate::policy::Combine;
use crate::policy::resolve::Faults;
use crate::policy::smoothing::Smoothing;
use crate::policy::wire::smoothing as wire;
use reader::Reader;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Settles the smoothing of a policy; `None` when something is wrong with it. `interval` is the
/// policy's, as far as that is known.
pub(super) fn resolve(
    steps: &[wire::SmoothStep],
    interval: Option<Duration>,
    path: &Path,
    faults: &mut Faults,
) -> Option<Vec<Smoothing>> {
    let interval = interval.unwrap_or(limits::INTERVAL_DEFAULT);
    // Every step is looked at before the first fault makes the whole unusable.
    let resolved: Vec<Option<Vec<Smoothing>>> = steps
        .iter()
        .enumerate()
        .take(limits::SMOOTHING_STEPS_MAX + 1)
        .map(|(index, step)| {
            let mut reader = Reader { path: path.index(index), interval, faults };
            let resolved = settle(&mut reader, step)?;
            if index > 0 && matches!(resolved.as_slice(), [Smoothing::Rate { .. }, ..]) {
                let problem = "a rate of a counter can only be the first step";
                reader.fault(None, problem, "smooth what it answers, not what it takes");
                return None;
            }
            Some(resolved)
        })
        .collect();
    let resolved = resolved.into_iter().collect::<Option<Vec<_>>>()?.concat();
    if resolved.len() > limits::SMOOTHING_STEPS_MAX {
        let problem = format!("more than {} steps", limits::SMOOTHING_STEPS_MAX);
        faults.add(Fault::new(path.clone(), problem).hint("each step adds its own delay"));
        return None;
    }
    Some(resolved)
}

/// A rate takes one counter: a sum falls when one of its counters begins anew, and what is left of
/// it would count as new events.
pub(super) fn check_counter(
    smooth: Option<&[Smoothing]>,
    combine: Option<&Combine>,
    path: &Path,
    faults: &mut Faults,
) {
    let (Some([Smoothing::Rate { .. }, ..]), Some(Combine::Expression(expression))) =
        (smooth, combine)
    else {
        return;
    };
    let used = expression.used();
    if !used.counters.is_empty() {
        let fault = Fault::new(path.index(0), "`combine` answers a rate already");
        faults.add(fault.hint("leave this step out"));
    } else if used.signals.len() > 1 {
        let fault = Fault::new(path.index(0), "a rate takes one counter, `combine` has several");
        faults.add(fault.hint("write `perSecond(…)` of each in `combine`"));
    }
}

/// The steps that suit a kind of signal.
fn recommended(kind: wire::SignalKind, interval: Duration) -> Vec<Smoothing> {
    let ewma = Smoothing::Ewma { half_life: 30 * SECOND };
    match kind {
        wire::SignalKind::RequestRate => vec![Smoothing::automatic_rate(interval)],
        wire::SignalKind::QueueDepth => vec![
            Smoothing::WindowMax { window: 30 * SECOND },
            Smoothing::Asymmetric { up: Duration::ZERO, down: MINUTE },
        ],
        wire::SignalKind::InFlight => vec![ewma],
        wire::SignalKind::Utilization => vec![
            ewma,
            Smoothing::Deadband { band: Finite::ZERO, share: number(0.05), refresh: 10 * MINUTE },
        ],
        wire::SignalKind::Latency => {
            vec![Smoothing::WindowQuantile { window: 5 * MINUTE, quantile: number(0.9) }]
        }
        wire::SignalKind::DesiredReplicas => {
            vec![Smoothing::WindowMax { window: 15 * MINUTE }]
        }
    }
}

/// A default, which is a number.
fn number(value: f64) -> Finite {
    Finite::new(value).unwrap_or(Finite::ZERO)
}

/// Settles one step, which names exactly one kind.
fn settle(reader: &mut Reader<'_>, step: &wire::SmoothStep) -> Option<Vec<Smoothing>> {
    let wire::SmoothStep {
        signal,
        ewma,
        holt,
        hampel,
        median,
        one_euro,
        kalman,
        window_max,
        window_min,
        window_quantile,
        percentile,
        deadband,
        asymmetric,
        slew_limit,
        rate,
    } = step;
    let mut named = Named { reader, seen: 0, settled: None };
    named.take("signal", signal.as_ref(), |it, kind| Some(recommended(*kind, it.interval)));
    named.take_one("ewma", ewma.as_ref(), kinds::ewma);
    named.take_one("holt", holt.as_ref(), kinds::holt);
    named.take_one("hampel", hampel.as_ref(), kinds::hampel);
    named.take_one("median", median.as_ref(), kinds::median);
    named.take_one("oneEuro", one_euro.as_ref(), kinds::one_euro);
    named.take_one("kalman", kalman.as_ref(), kinds::kalman);
    named.take_one("windowMax", window_max.as_ref(), kinds::window_max);
    named.take_one("windowMin", window_min.as_ref(), kinds::window_min);
    named.take_one("windowQuantile", window_quantile.as_ref(), kinds::window_quantile);
    named.take_one("percentile", percentile.as_ref(), kinds::percentile);
    named.take_one("deadband", deadband.as_ref(), kinds::deadband);
    named.take_one("asymmetric", asymmetric.as_ref(), kinds::asymmetric);
    named.take_one("slewLimit", slew_limit.as_ref(), kinds::slew_limit);
    named.take_one("rate", rate.as_ref(), kinds::rate);
    let Named { reader, seen, settled } = named;
    if seen != 1 {
        let problem = match seen {
            0 => "a step names its kind",
            _ => "a step has one kind",
        };
        reader.fault(None, problem, "write each step as `- ewma: {halfLife: 30s}`");
        return None;
    }
    settled
}

/// What kinds a step names: there must be one.
struct Named<'r, 'f> {
    reader: &'r mut Reader<'f>,
    seen: usize,
    settled: Option<Vec<Smoothing>>,
}

impl Named<'_, '_> {
    /// Settles a kind that becomes several steps, if it is named.
    fn take<W>(
        &mut self,
        key: &str,
        wire: Option<&W>,
        settle: impl FnOnce(&mut Reader<'_>, &W) -> Option<Vec<Smoothing>>,
    ) {
        let Some(wire) = wire else { return };
        self.seen += 1;
        self.settled = settle(&mut self.reader.below(key), wire);
    }

    /// Settles a kind that is one step, if it is named.
    fn take_one<W>(
        &mut self,
        key: &str,
        wire: Option<&W>,
        settle: impl FnOnce(&mut Reader<'_>, &W) -> Option<Smoothing>,
    ) {
        self.take(key, wire, |reader, wire| settle(reader, wire).map(|it| vec![it]));
    }
}

#[cfg(test)]
mod tests;
