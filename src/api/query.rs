//! A request's query parameters.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::str::Utf8Error;

/// The parameters, decoded, in the order given.
#[derive(Debug, Default)]
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Reads the part of a URL after `?`.
    ///
    /// # Errors
    /// When an escape is not UTF-8.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Utf8Error> {
        let pairs = text.split('&').filter(|it| !it.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        Ok(Self(pairs.collect::<Result<_, _>>()?))
    }

    /// The parameter's value; the first one counts.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of the parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// Whether a boolean parameter is set; as API servers read it, only `0` and `false` say no.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.first(name).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, Utf8Error> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Ok(Cow::Owned(percent_decode_str(&spaced).decode_utf8()?.into_owned()));
    }
    percent_decode_str(text).decode_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_decoded_once_and_the_first_one_counts() {
        let query = Query::parse("a=1%2C2&&b=x+y&c&a=3&d=%252A").unwrap();
        for (name, value) in [
            ("a", Some("1,2")),
            ("b", Some("x y")),
            ("c", Some("")),
            ("d", Some("%2A")),
            ("e", None),
        ] {
            assert_eq!(query.first(name), value, "{name}");
        }
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1,2", "3"]);
        assert!(Query::parse("a=%ff").is_err());
    }

    #[test]
    fn a_flag_is_read_as_api_servers_read_it() {
        for (text, expected) in [
            ("", false),
            ("w", true),
            ("w=", true),
            ("w=true", true),
            ("w=1", true),
            ("w=0", false),
        ] {
            assert_eq!(Query::parse(text).unwrap().is_set("w"), expected, "{text}");
        }
        assert!(!Query::parse("w=False").unwrap().is_set("w"));
    }

    proptest! {
        #[test]
        fn only_an_escape_can_break_a_query(text in "[a=&%+0-9A-F\\PC]{0,60}") {
            prop_assert!(Query::parse(&text).is_ok() || text.contains('%'));
        }
    }
}
