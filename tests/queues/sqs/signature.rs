//! AWS Signature Version 4 as its documentation describes it, for whoever has to check one; written
//! without the crate that signs.

use ring::{digest, hmac};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A request as it came over the wire.
pub(super) struct Received<'r> {
    pub(super) method: &'r str,
    pub(super) path: &'r str,
    pub(super) query: &'r str,
    /// By lower-case name.
    pub(super) headers: &'r BTreeMap<String, String>,
    pub(super) body: &'r [u8],
}

/// For whom and for what a request was signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) access_key_id: String,
    pub(super) region: String,
    pub(super) service: String,
    /// As `20150830T123600Z`.
    pub(super) at: String,
    pub(super) headers: Vec<String>,
}

/// Who signed it, if this was done with this key and nothing was changed since.
pub(super) fn check(request: &Received<'_>, secret: &str) -> Result<Signed, String> {
    let header = |name: &str| request.headers.get(name).ok_or(format!("no {name}"));
    let shown = header("authorization")?;
    let parts = shown.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let parts: BTreeMap<&str, &str> =
        parts.split(',').filter_map(|it| it.trim().split_once('=')).collect();
    let part = |name: &str| parts.get(name).copied().ok_or(format!("no {name}"));
    let scope: Vec<&str> = part("Credential")?.split('/').collect();
    let [access_key_id, day, region, service, "aws4_request"] = scope.as_slice() else {
        return Err(format!("not a credential scope: {scope:?}"));
    };
    let at = header("x-amz-date")?;
    if !at.starts_with(*day) {
        return Err(format!("signed for {day}, sent at {at}"));
    }
    let names: Vec<&str> = part("SignedHeaders")?.split(';').collect();
    let mut lines = String::new();
    for name in &names {
        let value = header(name)?.split_whitespace().collect::<Vec<_>>().join(" ");
        lines += &format!("{name}:{value}\n");
    }
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{}\n{}",
        request.method,
        request.path,
        request.query,
        names.join(";"),
        hex(digest::digest(&digest::SHA256, request.body).as_ref())
    );
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{at}\n{day}/{region}/{service}/aws4_request\n{hashed}");
    let key = signing_key(secret, [day, region, service]);
    let expected = hex(&keyed(&key, &to_sign));
    if part("Signature")? != expected {
        return Err(format!("another signature than that of\n{canonical}"));
    }
    Ok(Signed {
        access_key_id: (*access_key_id).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        at: at.clone(),
        headers: names.into_iter().map(str::to_owned).collect(),
    })
}

fn signing_key(secret: &str, scope: [&str; 3]) -> Vec<u8> {
    let first = format!("AWS4{secret}").into_bytes();
    scope.iter().chain(&["aws4_request"]).fold(first, |key, part| keyed(&key, part))
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The examples of AWS's own documentation and test suite.
#[test]
fn the_checker_agrees_with_the_examples_of_aws() {
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    assert_eq!(
        hex(&signing_key(SECRET, ["20150830", "us-east-1", "iam"])),
        "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
    );
    let shown = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, \
                 Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let headers = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", shown),
    ];
    let headers = BTreeMap::from(headers.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let request = Received { method: "GET", path: "/", query: "", headers: &headers, body: b"" };
    let signed = check(&request, SECRET).unwrap();
    assert_eq!((&*signed.access_key_id, &*signed.service), ("AKIDEXAMPLE", "service"));
    let changed = Received { body: b"x", ..request };
    assert!(check(&changed, SECRET).is_err(), "the body is signed, too");
}
