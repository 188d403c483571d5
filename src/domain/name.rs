//! Names, checked on entry: what is held here can be put into a path, a label or a log line.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Why a text is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}; {rule}")]
pub struct BadName {
    text: String,
    what: &'static str,
    rule: &'static str,
}

impl BadName {
    /// What is wrong, without the rule.
    #[must_use]
    pub fn problem(&self) -> String {
        format!("`{}` is not a {}", self.text, self.what)
    }

    /// The rule that it breaks, as an instruction.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` if it is such a name.
            ///
            /// # Errors
            /// `BadName` with the rule that it breaks.
            pub fn new(text: &str) -> Result<Self, BadName> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    let text = text.chars().take(SHOWN_CHARS_MAX).collect();
                    Err(BadName { text, what: $what, rule: $rule })
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

/// How much of a refused name is shown again, so that garbage cannot flood a log.
const SHOWN_CHARS_MAX: usize = 80;

names! {
    /// A Kubernetes namespace.
    Namespace, "namespace",
    "use lower-case letters, digits and `-`, at most 63, beginning and ending with a letter or digit",
    is_dns_label;

    /// The name of a Kubernetes object.
    ObjectName, "object name",
    "use lower-case letters, digits, `-` and `.`, at most 253, beginning and ending with a letter or digit",
    |text| text.len() <= 253 && !text.is_empty() && text.split('.').all(is_dns_part);

    /// The name of a policy.
    PolicyName, "policy name",
    "use lower-case letters, digits, `-` and `.`, at most 253, beginning and ending with a letter or digit",
    |text| text.len() <= 253 && !text.is_empty() && text.split('.').all(is_dns_part);

    /// The name of a source in the configuration.
    SourceName, "source name",
    "use lower-case letters, digits and `-`, at most 63, beginning and ending with a letter or digit",
    is_dns_label;

    /// The name under which a metric is published; one path segment of the metrics APIs.
    MetricName, "metric name",
    "use letters, digits, `_`, `-`, `.` and `:`, at most 253, beginning with a letter or digit",
    |text| {
        text.len() <= 253
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
    };

    /// The name of a signal; an identifier in `combine`.
    SignalName, "signal name",
    "use letters, digits and `_`, at most 63, beginning with a letter",
    |text| {
        text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
}

impl SourceName {
    /// The name of a server that no source of the configuration names: its kind and place, such as
    /// `redis://jobs:6379`. No name that people give looks like this.
    #[must_use]
    pub fn of_server(place: &impl fmt::Display) -> Self {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || ".:/-_[]".contains(*c);
        let place = place.to_string();
        let name: String = place.chars().filter(is_plain).take(SERVER_CHARS_MAX).collect();
        Self(name.into())
    }
}

/// The name of a server in logs and labels: as long as the longest host with some more.
const SERVER_CHARS_MAX: usize = 300;

fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_part(text)
}

fn is_dns_part(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || c == '-')
}

/// Which policy: shown as `namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyKey {
    /// The policy's namespace.
    pub namespace: Namespace,
    /// The policy's name.
    pub name: PolicyName,
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kubernetes_takes_are_taken() {
        for text in ["a", "inference", "team-1", "0"] {
            assert!(Namespace::new(text).is_ok(), "{text}");
        }
        for text in ["llama", "llama-7d9f.x", "a.b-c"] {
            assert!(ObjectName::new(text).is_ok(), "{text}");
        }
        for text in ["llama_demand", "vllm:num_requests_running", "queue-depth", "p99.latency"] {
            assert!(MetricName::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn names_that_would_break_a_path_are_refused() {
        for text in ["", "-a", "a-", "A", "a/b", "a.b", "ä", &"a".repeat(64)] {
            assert!(Namespace::new(text).is_err(), "{text}");
        }
        for text in ["", "a..b", ".a", "a.", "a b", &"a".repeat(254)] {
            assert!(ObjectName::new(text).is_err(), "{text}");
        }
        for text in ["", "a/b", "*", "a%2Fb", "a b", "_a", ".", ".."] {
            assert!(MetricName::new(text).is_err(), "{text}");
        }
        for text in ["", "1a", "a-b", "a.b"] {
            assert!(SignalName::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_rule_and_stays_short() {
        let error = Namespace::new(&"A".repeat(5_000)).unwrap_err().to_string();
        assert!(error.contains("is not a namespace; use lower-case letters"), "{error}");
        assert!(error.len() < 300, "{} bytes", error.len());
    }
}
