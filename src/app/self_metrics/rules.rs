//! How each rule is doing, for the exposition page. The label `rule` has as many values as the file
//! has rules, of which there is a limit.

use crate::on_demand::board::{Board, Kept};
use crate::on_demand::rule::{Standing, shown};
use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::Error;
use std::sync::Arc;

/// Adds how the rules are doing.
pub(in crate::app) fn rules(registry: &mut Registry, board: &Arc<Board>) {
    registry.register_collector(Box::new(OfRules(Arc::clone(board))));
}

#[derive(Debug)]
struct OfRules(Arc<Board>);

/// A rule, as the file has it, how it is doing and what is kept of it.
type One<'a> = (String, &'a Standing, Kept);

impl Collector for OfRules {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let state = self.0.load();
        let mut kept = state.kept();
        let all = state.rules.iter().map(|it| {
            let rule = shown(it.kind, it.place);
            let kept = kept.remove(rule.as_str()).unwrap_or_default();
            (rule, it, kept)
        });
        let all: Vec<One<'_>> = all.collect();
        if all.is_empty() {
            return Ok(());
        }
        encode_series(&mut encoder, &all)?;
        encode_answers(&mut encoder, &all)
    }
}

fn encode_series(encoder: &mut DescriptorEncoder<'_>, all: &[One<'_>]) -> Result<(), Error> {
    let help = "Whether the rule of the file is used and its series were listed at the last look";
    gauges(encoder, ("rule_ready", help, None), all, |(_, it, _)| {
        let is_ready = it.refused.is_none() && it.problem.is_none() && it.listed_at.is_some();
        Some(if is_ready { 1.0 } else { 0.0 })
    })?;
    let help = "Names of series that the last good look found";
    gauges(encoder, ("rule_series", help, None), all, |(_, it, _)| Some(whole(it.n_series)))?;
    let help = "Metrics that a rule answers for";
    gauges(encoder, ("rule_metrics", help, None), all, |(_, it, _)| Some(whole(it.n_metrics)))?;
    let help = "When a rule's series were listed last";
    let listed = ("rule_listed_timestamp", help, Some(&Unit::Seconds));
    gauges(encoder, listed, all, |(_, it, _)| it.listed_at.map(seconds))?;
    let help = "Looks at a rule's series that failed";
    let name = "rule_list_failures";
    counters(encoder, (name, help, None), all, |it| vec![("", it.counts.list_failures())])
}

fn encode_answers(encoder: &mut DescriptorEncoder<'_>, all: &[One<'_>]) -> Result<(), Error> {
    let help = "Queries of a rule that brought numbers, and that brought none";
    let described = ("rule_queries", help, Some("result"));
    counters(encoder, described, all, |it| {
        vec![("numbers", it.counts.queries()), ("none", it.counts.query_failures())]
    })?;
    let help = "Requests for metrics of a rule whose answer was there, and that waited for it";
    let described = ("rule_requests", help, Some("answer"));
    counters(encoder, described, all, |it| {
        vec![("kept", it.counts.served()), ("awaited", it.counts.awaited())]
    })?;
    let help = "Answers of a rule that are kept up to date";
    let kept = |it: &One<'_>| Some(whole(it.2.questions));
    gauges(encoder, ("rule_answers", help, None), all, kept)?;
    let help = "The instant of the oldest answer with numbers that is kept of a rule";
    let oldest = ("rule_answer_timestamp", help, Some(&Unit::Seconds));
    gauges(encoder, oldest, all, |(_, _, kept)| kept.oldest.map(seconds))
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): (&str, &str, Option<&Unit>),
    all: &[One<'_>],
    number: impl Fn(&One<'_>) -> Option<f64>,
) -> Result<(), Error> {
    let mut numbers = all.iter().filter_map(|it| Some((&it.0, number(it)?))).peekable();
    if numbers.peek().is_none() {
        return Ok(());
    }
    let none = ConstGauge::new(0.0_f64);
    let mut family = encoder.encode_descriptor(name, help, unit, none.metric_type())?;
    for (rule, number) in numbers {
        ConstGauge::new(number).encode(family.encode_family(&[("rule", rule.as_str())])?)?;
    }
    Ok(())
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, label): (&str, &str, Option<&str>),
    all: &[One<'_>],
    counts: impl Fn(&Standing) -> Vec<(&'static str, u64)>,
) -> Result<(), Error> {
    let none = ConstCounter::new(0_u64);
    let mut family = encoder.encode_descriptor(name, help, None, none.metric_type())?;
    for (rule, standing, _) in all {
        for (value, count) in counts(standing) {
            let own = ("rule", rule.as_str());
            let count = ConstCounter::new(count);
            match label {
                Some(label) => {
                    count.encode(family.encode_family(&[own, (label, value)])?)?;
                }
                None => count.encode(family.encode_family(&[own])?)?,
            }
        }
    }
    Ok(())
}

fn seconds(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn whole(count: usize) -> f64 {
    count as f64
}
