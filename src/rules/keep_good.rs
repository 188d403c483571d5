//! A rule that was good before an edit and is broken after it keeps running as it was.
//!
//! Rules have no names, so that it has to be told which rule stood where a broken one stands: the one
//! after the same neighbour, or before the same neighbour, or at the same place. One that still stands
//! somewhere is none of these. A rule that is gone stays gone.

use crate::rules::{Kind, Rule, Rules};
use std::sync::Arc;

impl Rule {
    /// Whether another is written the same, wherever the two stand.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self { kind, place: _, series_query, naming, resources, query, on_duplicate, source } =
            self;
        *kind == other.kind
            && *series_query == other.series_query
            && *naming == other.naming
            && *resources == other.resources
            && *query == other.query
            && *on_duplicate == other.on_duplicate
            && *source == other.source
    }
}

impl Rules {
    /// These rules, with rules of `before` in the place of those that are broken here; and what was
    /// kept, for the log. `can_ask` says whether there still is what a rule asks.
    #[must_use]
    pub fn keep_good(
        mut self,
        before: &Self,
        can_ask: impl Fn(&Rule) -> bool,
    ) -> (Self, Vec<String>) {
        let mut kept = Vec::new();
        for kind in Kind::ALL {
            let mut now = self.of(kind).to_vec();
            let places = self.broken.iter().filter(|it| it.kind == kind).map(|it| it.place);
            for place in places.collect::<Vec<_>>() {
                let stood = predecessor(place, &now, before.of(kind));
                let Some(rule) = stood.filter(|it| can_ask(it)) else { continue };
                now.push(Arc::new(Rule { place, ..rule.clone() }));
                now.sort_by_key(|it| it.place);
                kept.push(format!("{}[{place}]", kind.key()));
            }
            *match kind {
                Kind::Custom => &mut self.custom,
                Kind::External => &mut self.external,
            } = now;
        }
        (self, kept)
    }

    /// The rules of one list.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &[Arc<Rule>] {
        match kind {
            Kind::Custom => &self.custom,
            Kind::External => &self.external,
        }
    }
}

/// What stood before where `place` is now.
fn predecessor<'b>(place: usize, now: &[Arc<Rule>], before: &'b [Arc<Rule>]) -> Option<&'b Rule> {
    let at = |place: usize| before.iter().find(|it| it.place == place);
    // Where a good neighbour stood before.
    let stood = |place: Option<usize>| {
        let neighbour = now.iter().find(|it| Some(it.place) == place)?;
        Some(before.iter().find(|it| it.says_the_same(neighbour))?.place)
    };
    let is_gone = |rule: &&Arc<Rule>| !now.iter().any(|it| it.says_the_same(rule));
    let after = stood(place.checked_sub(1)).and_then(|it| at(it + 1)).filter(is_gone);
    let ahead = || at(stood(place.checked_add(1))?.checked_sub(1)?).filter(is_gone);
    after.or_else(ahead).or_else(|| at(place).filter(is_gone)).map(AsRef::as_ref)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::load::load;

    /// Rules by the name of their series; `!` before one breaks it.
    fn rules(names: &str) -> Rules {
        let rule = |name: &str| {
            let query = if name.starts_with('!') { "<<.Wrong>>" } else { "<<.Series>>" };
            format!("- {{seriesQuery: {}, metricsQuery: '{query}'}}\n", name.trim_matches('!'))
        };
        let list: String = names.split_whitespace().map(rule).collect();
        load(&format!("externalRules:\n{list}")).unwrap()
    }

    /// What runs at which place.
    fn running(rules: &Rules) -> String {
        let shown = rules.external.iter().map(|it| format!("{}:{}", it.place, it.series_query));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_broken_rule_runs_as_it_was_and_takes_no_other_with_it() {
        for (before, after, expected) in [
            ("a b c", "a b c", "0:a 1:b 2:c"),
            ("a b c", "a !b c", "0:a 1:b 2:c"),
            ("a b c", "!a b c", "0:a 1:b 2:c"),
            ("a b c", "!a !b !c", "0:a 1:b 2:c"),
            // Whatever is wrong in it: its words tell nothing.
            ("a b c", "a !x c", "0:a 1:b 2:c"),
            // Another one was added or taken away in the same edit.
            ("a b c", "n a !b c", "0:n 1:a 2:b 3:c"),
            ("a b c", "b !c", "0:b 1:c"),
            ("a b c", "x !b c", "0:x 1:b 2:c"),
            // One that is new and broken takes the place of none.
            ("a b c", "a !n b c", "0:a 2:b 3:c"),
            ("a b c", "a b c !n", "0:a 1:b 2:c"),
            ("a b c", "!n a b c", "1:a 2:b 3:c"),
            ("", "!a", ""),
            // What is gone stays gone.
            ("a b c", "a c", "0:a 1:c"),
        ] {
            let (kept, _) = rules(after).keep_good(&rules(before), |_| true);
            assert_eq!(running(&kept), expected, "{before} -> {after}");
        }
    }

    #[test]
    fn what_was_kept_is_kept_through_further_edits_and_told() {
        let (first, told) = rules("a !b").keep_good(&rules("a b"), |_| true);
        assert_eq!(
            (running(&first).as_str(), told),
            ("0:a 1:b", vec!["externalRules[1]".to_owned()])
        );
        let (second, _) = rules("n a !b").keep_good(&first, |_| true);
        assert_eq!(running(&second), "0:n 1:a 2:b");
        assert_eq!(second.broken.len(), 1, "and that it is broken is known");
        let (third, told) = rules("n a c").keep_good(&second, |_| true);
        assert_eq!((running(&third).as_str(), told.len()), ("0:n 1:a 2:c", 0));
        let (fourth, told) = rules("n a !c").keep_good(&third, |_| false);
        assert_eq!((running(&fourth).as_str(), told.len()), ("0:n 1:a", 0), "its source is gone");
    }
}
