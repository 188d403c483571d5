//! What an API server says in a `metav1.Status`, in JSON, protobuf, or in whatever came instead.

use crate::domain::limits::external::MESSAGE_CHARS_MAX;

/// The beginning of every message in protobuf.
const MAGIC: &[u8] = b"k8s\0";
/// The fields: `Unknown.raw`, `Status.message`.
const RAW: u64 = 2;
const MESSAGE: u64 = 3;

/// The message, on one line; the beginning of the body where that is no Status.
pub(super) fn message(body: &[u8], content_type: Option<&str>) -> String {
    let said = if let Some(envelope) = body.strip_prefix(MAGIC) {
        let text = text_field(envelope, RAW).and_then(|status| text_field(status, MESSAGE));
        text.map(|it| String::from_utf8_lossy(it).into_owned()).unwrap_or_default()
    } else {
        let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let message = json.as_ref().and_then(|it| it.get("message")?.as_str());
        // Pages of whatever stands between are long and say little.
        let is_page = content_type.is_some_and(|it| it.starts_with("text/html"));
        let whole = || if is_page { String::new() } else { String::from_utf8_lossy(body).into() };
        message.map_or_else(whole, str::to_owned)
    };
    let words: Vec<&str> = said.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(MESSAGE_CHARS_MAX).collect();
    if line.is_empty() { "(no reason given)".to_owned() } else { line }
}

/// The first field of this number that has a length. Nothing else is of interest, and a body that is
/// cut off or broken has none.
fn text_field(mut rest: &[u8], wanted: u64) -> Option<&[u8]> {
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let (number, kind) = (tag >> 3, tag & 7);
        match kind {
            0 => drop(varint(&mut rest)?),
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (field, after) = rest.split_at_checked(length)?;
                if number == wanted {
                    return Some(field);
                }
                rest = after;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    None
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the generic API server of Kubernetes 1.36 writes `{message: "not there"}`: an envelope with
    /// the type, then the Status with its metadata, status, message and code.
    const PROTOBUF: &[u8] =
        b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x1c\x0a\x06\x0a\x00\x12\x00\x1a\x00\
        \x12\x07Failure\x1a\x09not there";

    #[test]
    fn the_message_is_found_in_every_form() {
        let json = br#"{"kind":"Status","message":"not\n there","code":404}"#;
        for (body, content_type, expected) in [
            (PROTOBUF, None, "not there"),
            (&PROTOBUF[..20], None, "(no reason given)"),
            (json.as_slice(), Some("application/json"), "not there"),
            (b"service unavailable\n", Some("text/plain"), "service unavailable"),
            (b"<html>gateway</html>", Some("text/html; charset=utf-8"), "(no reason given)"),
            (b"", None, "(no reason given)"),
        ] {
            assert_eq!(message(body, content_type), expected, "{body:?}");
        }
        let long = "a".repeat(10_000);
        assert_eq!(message(long.as_bytes(), None).len(), MESSAGE_CHARS_MAX);
    }

    proptest! {
        #[test]
        fn no_body_breaks_the_reader(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(message(&body, None));
            let enveloped = [MAGIC, &body].concat();
            drop(message(&enveloped, None));
        }
    }
}
