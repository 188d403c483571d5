//! From the name of a series to the name of a metric: filters, then `name.matches` and `name.as`.

use crate::domain::name::{BadName, MetricName};
use crate::rules::pattern::{Expansion, Part, Pattern};

/// Which series a rule takes, and what their metrics are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    filters: Vec<Filter>,
    matches: Option<Pattern>,
    name: Expansion,
}

/// What the name of a series must or must not be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// It matches.
    Is(Pattern),
    /// It does not.
    IsNot(Pattern),
}

/// Why a name cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNaming {
    /// Several groups, and nothing said of which one is the name.
    #[error("`matches` has {0} groups, and no `as` says which is the name")]
    ManyGroups(usize),
    /// A group that is not there.
    #[error("`{shown}` names no group of `matches`, so that it would stand for nothing")]
    NoGroup {
        /// As it is written.
        shown: String,
        /// What was probably meant.
        meant: Option<String>,
    },
}

impl BadNaming {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::ManyGroups(_) => "write `as: ${1}`, or `(?:…)` for groups that only group".into(),
            Self::NoGroup { meant: Some(meant), .. } => format!("write `{meant}`"),
            Self::NoGroup { meant: None, .. } => {
                "groups are counted from 1; a `$` itself is written `$$`".into()
            }
        }
    }
}

impl Naming {
    /// Puts a naming together; what is not said is as prometheus-adapter has it.
    ///
    /// # Errors
    /// When the name cannot be made from `matches`.
    pub fn new(
        filters: Vec<Filter>,
        matches: Option<Pattern>,
        name: Option<&str>,
    ) -> Result<Self, BadNaming> {
        let groups = matches.as_ref().map_or(0, Pattern::groups);
        let name = match (name.filter(|it| !it.is_empty()), groups) {
            (Some(name), _) => Expansion::parse(name),
            (None, 0) => Expansion::parse("$0"),
            (None, 1) => Expansion::parse("$1"),
            (None, many) => return Err(BadNaming::ManyGroups(many)),
        };
        for part in name.parts() {
            check(part, matches.as_ref(), groups)?;
        }
        Ok(Self { filters, matches, name })
    }

    /// The name of the metric that a series makes; `None` where the rule does not take it.
    ///
    /// # Errors
    /// When what comes out can be no name of a metric.
    pub fn metric(&self, series: &str) -> Result<Option<MetricName>, BadName> {
        let is_taken = self.filters.iter().all(|filter| match filter {
            Filter::Is(pattern) => pattern.is_match(series),
            Filter::IsNot(pattern) => !pattern.is_match(series),
        });
        if !is_taken {
            return Ok(None);
        }
        let name = match &self.matches {
            Some(matches) => matches.expand(&self.name, series),
            None => Some(self.unmatched(series)),
        };
        name.map(|it| MetricName::new(&it)).transpose()
    }

    /// Without `matches` the whole name is the match.
    fn unmatched(&self, series: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Numbered(_) | Part::Named(_) => series.to_owned(),
        };
        self.name.parts().iter().map(part).collect()
    }
}

/// A group that is not there expands to nothing, silently: `$1_x` is the group `1_x`.
fn check(part: &Part, matches: Option<&Pattern>, groups: usize) -> Result<(), BadNaming> {
    match part {
        Part::Numbered(number) if *number > groups => {
            Err(BadNaming::NoGroup { shown: format!("${number}"), meant: None })
        }
        Part::Named(name) if !matches.is_some_and(|it| it.has_group(name)) => {
            let known = |it: &&str| {
                it.parse().is_ok_and(|number: usize| number <= groups)
                    || matches.is_some_and(|pattern| pattern.has_group(it))
            };
            let ends = name.char_indices().skip(1).map(|(end, _)| end);
            let begins: Vec<&str> = ends.filter_map(|end| name.get(..end)).collect();
            let longest = begins.into_iter().rev().find(known);
            let rest = longest.and_then(|it| name.strip_prefix(it)).unwrap_or_default();
            let meant = longest.map(|it| format!("${{{it}}}{rest}"));
            Err(BadNaming::NoGroup { shown: format!("${name}"), meant })
        }
        Part::Text(_) | Part::Numbered(_) | Part::Named(_) => Ok(()),
    }
}
