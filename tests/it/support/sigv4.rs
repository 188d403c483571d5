//! What Amazon's servers compute to check a signature, written from the description of AWS Signature
//! Version 4, apart from the crate that signs.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use super::web::Asked;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};

/// What is never encoded.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn canonical_query(query: &str) -> String {
    let encoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().unwrap();
        utf8_percent_encode(&text, PLAIN).to_string()
    };
    let pairs = query.split('&').filter(|it| !it.is_empty());
    let pairs = pairs.map(|it| it.split_once('=').unwrap_or((it, "")));
    let mut pairs: Vec<_> = pairs.map(|(name, text)| (encoded(name), encoded(text))).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, text)| format!("{name}={text}")).collect();
    pairs.join("&")
}

/// The signature that `asked` has to have, given what its `Authorization` says about itself: the scope
/// and the names of the signed headers.
pub(crate) fn signature(asked: &Asked, scope: &str, signed: &str, secret: &str) -> String {
    let headers: String = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", asked.headers.get(name).unwrap().trim()))
        .collect();
    let (path, query) = (&asked.path, canonical_query(&asked.query));
    let (method, body) = (&asked.method, sha256(&asked.body));
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{body}");
    let time = asked.headers.get("x-amz-date").unwrap();
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(&canonical));
    let first = format!("AWS4{secret}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| mac(&key, part));
    hex(&mac(&key, &text))
}

/// Checks the signature of `asked`; answers the key's id and the scope without the date.
pub(crate) fn checked(asked: &Asked, secret: &str) -> (String, String) {
    let said = asked.headers.get("authorization").unwrap();
    let said = said.strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let part = |name: &str| {
        let found = said.split(", ").find_map(|it| it.strip_prefix(&format!("{name}=")));
        found.unwrap().to_owned()
    };
    let credential = part("Credential");
    let (id, scope) = credential.split_once('/').unwrap();
    assert_eq!(part("Signature"), signature(asked, scope, &part("SignedHeaders"), secret));
    let scope = scope.split_once('/').unwrap().1;
    (id.to_owned(), scope.to_owned())
}

/// `get-vanilla`, `post-x-www-form-urlencoded` and `get-vanilla-query-order-key-case` of the test
/// suite that Amazon published.
#[test]
fn the_published_vectors_come_out() {
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    for (method, query, body, form, expected) in [
        ("GET", "", "", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "POST",
            "",
            "Param1=value1",
            Some(FORM),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "GET",
            "Param2=value2&Param1=value1",
            "",
            None,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ] {
        let fixed = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        let headers = form.into_iter().chain(fixed);
        let headers = headers.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let asked = Asked {
            method: method.to_owned(),
            path: "/".to_owned(),
            query: query.to_owned(),
            body: body.to_owned(),
            headers,
            ..Asked::default()
        };
        let signed =
            if form.is_some() { "content-type;host;x-amz-date" } else { "host;x-amz-date" };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let scope = "20150830/us-east-1/service/aws4_request";
        assert_eq!(signature(&asked, scope, signed, secret), expected, "{method} {query}");
    }
}
