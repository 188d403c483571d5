//! Regular expressions as Go reads them, said in the words of the crate that runs them; and what
//! their groups expand to.
//!
//! Both are descendants of RE2 and agree but for details: Go's `\d`, `\w`, `\s` and `\b` are ASCII,
//! its classes know no set operations, a `{` that repeats nothing is a brace, and `\Q…\E` quotes.
//! What cannot be said is refused.

mod expansion;
mod translate;

pub use expansion::{Expansion, Part};

use regex::{Regex, RegexBuilder};

/// A compiled expression may take so many bytes: a hundred times those of the field.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// A written one is no longer than this; the longest of the field have 300 bytes.
const PATTERN_BYTES_MAX: usize = 4 * 1024;

/// A regular expression of Go, searched anywhere in a text.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    regex: Regex,
}

/// Why a text is no regular expression that can be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadPattern {
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl Pattern {
    /// Reads an expression as Go does.
    ///
    /// # Errors
    /// `BadPattern` when it is none, or says what cannot be said here.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.len() > PATTERN_BYTES_MAX {
            let problem = format!("longer than {PATTERN_BYTES_MAX} bytes");
            return Err(BadPattern { problem, hint: None });
        }
        let translated = translate::translated(text)?;
        let built = RegexBuilder::new(&translated).size_limit(COMPILED_BYTES_MAX).build();
        let regex = built.map_err(|error| BadPattern {
            problem: format!("not a regular expression: {}", reason(&error)),
            hint: Some("the syntax is that of Go's package regexp (RE2)"),
        })?;
        Ok(Self { text: text.into(), regex })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches anywhere.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// How many groups it captures, the whole match not counted.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    /// Whether there is a group of this name.
    #[must_use]
    pub fn has_group(&self, name: &str) -> bool {
        self.regex.capture_names().flatten().any(|it| it == name)
    }

    /// What `expansion` becomes at the first match in `text`; `None` where nothing matches. A group
    /// that took no part is empty.
    #[must_use]
    pub fn expand(&self, expansion: &Expansion, text: &str) -> Option<String> {
        let captures = self.regex.captures(text)?;
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Numbered(number) => {
                captures.get(*number).map(|it| it.as_str().to_owned()).unwrap_or_default()
            }
            Part::Named(name) => {
                captures.name(name).map(|it| it.as_str().to_owned()).unwrap_or_default()
            }
        };
        Some(expansion.parts().iter().map(part).collect())
    }
}

/// Two are one when they are written alike.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// The crate shows the expression over several lines; the last one says what is wrong.
fn reason(error: &regex::Error) -> String {
    let shown = error.to_string();
    let last = shown.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions_mean_what_they_mean_to_go() {
        for (pattern, text, expected) in [
            ("^container_.*", "container_cpu", true),
            ("_total$", "a_total_b", false),
            (r"\d", "٣", false),
            (r"\w", "é", false),
            (r"^\D$", "٣", true),
            (r"[\d]", "٣", false),
            (r"^[^\W]+$", "a_9", true),
            (r"a\b", "aé", true),
            (r"\Qa.b\E.", "a.bc", true),
            (r"\Qa.b\E", "axb", false),
            (r"\Qa.b", "a.b", true),
            ("[a&&b]", "&", true),
            ("^[a&&b]$", "b", true),
            ("[[]", "[", true),
            ("[[a]b", "ab", true),
            ("[]a]", "]", true),
            ("[^]a]", "]", false),
            ("[a~~b]", "~", true),
            ("[[:alpha:]_]+", "x_y", true),
            ("^a{,2}$", "a{,2}", true),
            ("^a{2}$", "aa", true),
            ("^a{1,}$", "aaa", true),
            ("^{a}$", "{a}", true),
            (r"^\<x\>$", "<x>", true),
            (r"^\_$", "_", true),
            (r"^\x{41}\x42$", "AB", true),
            (r"\p{Greek}\pN", "α1", true),
            ("(?i)^VLLM", "vllm:x", true),
            ("(?P<x>a)(?<y>b)", "ab", true),
            ("x*", "", true),
        ] {
            let found = Pattern::new(pattern).unwrap().is_match(text);
            assert_eq!(found, expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_go_or_we_cannot_say_is_refused() {
        for (pattern, problem) in [
            ("(a", "unclosed group"),
            ("a**(", "unclosed group"),
            (r"\C", "`\\C`"),
            (r"a\B", "`\\B`"),
            ("(?x)a", "the flag `x`"),
            ("[a--b]", "`--` in a class"),
            ("(?=a)", "look-around"),
            (r"(a)\1", "backreferences"),
            ("[b-a]", "invalid character class range"),
            (r"(\w{1000}){1000}", "size limit"),
        ] {
            let bad = Pattern::new(pattern).unwrap_err().problem;
            assert!(bad.contains(problem), "{pattern}: {bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_text_breaks_the_translation(text in "[a-c0-9\\\\(){}\\[\\]?P<>:^$.*+|&~!_QEdwsbBCpx, -]{0,24}") {
            if let Ok(pattern) = Pattern::new(&text) {
                prop_assert!(pattern.expand(&Expansion::parse(&text), "abc_total").is_none_or(|it| it.len() < 1_000));
            }
        }

        /// Quoted by Go's own rule, every text finds itself.
        #[test]
        fn a_quoted_text_is_that_text(text in "[ -~]{1,12}") {
            prop_assume!(!text.contains("\\E"));
            let quoted = format!("^\\Q{text}\\E$");
            prop_assert!(Pattern::new(&quoted).unwrap().is_match(&text));
        }
    }
}
