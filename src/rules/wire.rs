//! The shape of prometheus-adapter's rules, as people write them; and the keys that Foresail adds.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The keys of a configuration file that are rules.
pub const KEYS: [&str; 3] = ["rules", "externalRules", "resourceRules"];

/// A configuration file of prometheus-adapter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RulesFile {
    /// Rules of custom metrics.
    pub rules: Option<Vec<Rule>>,
    /// Rules of external metrics.
    pub external_rules: Option<Vec<Rule>>,
    /// What prometheus-adapter serves in place of metrics-server; read by nobody here.
    pub resource_rules: Option<serde_json::Value>,
}

/// How series become metrics.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Which series, as a selector of PromQL.
    pub series_query: String,
    /// Which of them, by name.
    pub series_filters: Option<Vec<Filter>>,
    /// Which labels name objects.
    pub resources: Option<Resources>,
    /// What the metrics are called.
    pub name: Option<Name>,
    /// The template of the query.
    pub metrics_query: String,
    /// What several values for one object are; refuse when left out.
    pub on_duplicate: Option<OnDuplicate>,
    /// The source that is asked; may be left out where there is one.
    pub source: Option<String>,
}

/// A condition on the name of a series: exactly one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Filter {
    /// A regular expression that it matches.
    pub is: Option<String>,
    /// A regular expression that it does not match.
    pub is_not: Option<String>,
}

/// Which labels name objects.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// Whether external metrics are asked of the series of their namespace; true when left out.
    pub namespaced: Option<bool>,
    /// Resources by label.
    pub overrides: Option<BTreeMap<String, GroupResource>>,
    /// The template of a label's name.
    pub template: Option<String>,
}

/// A resource of the cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupResource {
    /// The API group; any, the core group first, when left out.
    pub group: Option<String>,
    /// Its name, in the singular or the plural.
    pub resource: String,
}

/// What metrics are called.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Name {
    /// A regular expression that the name of a series matches.
    pub matches: Option<String>,
    /// What the metric is called, with `$1` or `${1}` for the groups of `matches`.
    #[serde(rename = "as")]
    pub name_as: Option<String>,
}

/// What several values for one object are.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum OnDuplicate {
    /// The last one counts, as in prometheus-adapter.
    Last,
    /// None counts: the object has no value, and the answer says why.
    #[default]
    Refuse,
}

/// The JSON schema of the file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RulesFile).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::schema::Schema;

    #[test]
    fn no_keyword_of_the_schema_goes_unchecked() {
        assert_eq!(Schema::new(&schema()).unknown_keywords(), Vec::<String>::new());
    }
}
