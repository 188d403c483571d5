//! The rules of a configuration file, read with the sources that it has.

use super::Settled;
use crate::document::fault::Fault;
use crate::domain::name::SourceName;
use crate::policy::{Config, SourceKind, SourceSettings};
use crate::rules::askable::Askable;
use crate::rules::{Rule, Rules, load};
use std::sync::Arc;

/// The configuration with its rules, and with what is wrong in them.
pub(super) fn with_rules(mut config: Config, text: &str) -> Result<Settled, Vec<Fault>> {
    let rules = load::load_asking(text, Some(&askable(&config)))?;
    config.faults.extend(rules.faults.iter().cloned());
    config.warnings.extend(rules.warnings.iter().cloned());
    config.faults.sort_by_key(|it| it.position);
    config.warnings.sort_by_key(|it| it.position);
    Ok(Settled { config, rules: Arc::new(rules) })
}

/// The rules with good ones of `before` in the place of broken ones, where `config` has what they
/// ask; and what was kept.
pub(super) fn keep_good(rules: &Rules, before: &Rules, config: &Config) -> (Rules, Vec<String>) {
    let askable = askable(config);
    let can_ask = |rule: &Rule| match &rule.source {
        Some(name) => askable.taking.contains(name),
        None => askable.taking.len() == 1,
    };
    rules.clone().keep_good(before, can_ask)
}

fn askable(config: &Config) -> Askable {
    let takes = |it: &&SourceSettings| matches!(it.kind, SourceKind::Prometheus { .. });
    let (taking, others): (Vec<_>, Vec<_>) = config.sources.iter().partition(takes);
    let names = |list: Vec<&SourceSettings>| -> Vec<SourceName> {
        list.into_iter().map(|it| it.name.clone()).collect()
    };
    let broken = config.broken_sources.iter().map(|it| it.as_str().into()).collect();
    Askable { taking: names(taking), others: names(others), broken }
}
