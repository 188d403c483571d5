//! The environment of the process, as far as platforms hand credentials to it there.

use std::collections::BTreeMap;
use std::fmt;

/// Variables that platforms set for whoever is to prove who he is, by name. Read once, at the start.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Keeps those of `variables` that say who this process is; the others are nobody's business.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_wanted = |name: &str| {
            ["AWS_", "AZURE_", "GCE_METADATA_", "GOOGLE_"].iter().any(|it| name.starts_with(it))
        };
        let wanted =
            variables.into_iter().filter(|(name, text)| is_wanted(name) && !text.is_empty());
        Self(wanted.collect())
    }

    /// What a variable says; `None` also where it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    /// The names alone: some of the texts are keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_platforms_set_is_kept_and_only_names_are_shown() {
        let variables =
            [("AWS_SECRET_ACCESS_KEY", "hidden"), ("AWS_REGION", ""), ("HOME", "hidden")];
        let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let environment = Environment::new(variables);
        assert_eq!(environment.get("AWS_SECRET_ACCESS_KEY"), Some("hidden"));
        assert_eq!((environment.get("AWS_REGION"), environment.get("HOME")), (None, None));
        assert_eq!(format!("{environment:?}"), r#"{"AWS_SECRET_ACCESS_KEY"}"#);
    }
}
