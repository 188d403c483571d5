//! How tokens are asked for in the place of a password, in the words of KEDA.

use std::collections::BTreeMap;

/// What is asked of a server that gives tokens for a client's id and secret. What is left out here
/// is a credential, or not wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenRequest {
    /// Where tokens are given.
    pub endpoint: Option<Box<str>>,
    /// What a token is for, with a space between two.
    pub scope: Option<Box<str>>,
    /// What is shown with a token.
    pub extensions: BTreeMap<Box<str>, Box<str>>,
}

/// Reads `a,b` as OAuth 2.0 writes it: `a b`; `None` where there is nothing.
#[must_use]
pub fn scope(text: &str) -> Option<Box<str>> {
    let scopes: Vec<&str> = text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    (!scopes.is_empty()).then(|| scopes.join(" ").into())
}

/// Reads `key=value,key=value`; `None` when it is something else, or cannot be shown (RFC 7628,
/// 3.1): a key has letters alone, and a value no signs that are not seen.
#[must_use]
pub fn extensions(text: &str) -> Option<BTreeMap<Box<str>, Box<str>>> {
    let pairs = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let pair = |text: &str| {
        let (key, value) = text.split_once('=').map(|(key, value)| (key.trim(), value.trim()))?;
        let is_key = !key.is_empty() && key.bytes().all(|it| it.is_ascii_alphabetic());
        let is_value = !value.is_empty() && value.bytes().all(|it| matches!(it, b' '..=b'~'));
        // The token itself is shown under this name.
        let is_taken = key.eq_ignore_ascii_case("auth");
        (is_key && is_value && !is_taken).then(|| (key.into(), value.into()))
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_written_with_commas_and_asked_for_with_spaces() {
        for (text, expected) in
            [("a", Some("a")), ("a, b,c", Some("a b c")), ("", None), (" , ", None)]
        {
            assert_eq!(scope(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn extensions_are_pairs_that_can_be_shown() {
        let pairs = extensions("logicalCluster=lkc-1, identityPoolId=pool=a b").unwrap();
        let shown: Vec<(&str, &str)> = pairs.iter().map(|(key, it)| (&**key, &**it)).collect();
        assert_eq!(shown, [("identityPoolId", "pool=a b"), ("logicalCluster", "lkc-1")]);
        assert_eq!(extensions(""), Some(BTreeMap::new()));
        for text in ["a", "a=", "=b", "auth=b", "Auth=b", "a1=b", "a=b\u{1}auth=c", "a=b\n"] {
            // What ends in a line break ends there for people, too.
            assert_eq!(extensions(text).is_none(), text != "a=b\n", "{text:?}");
        }
    }
}
