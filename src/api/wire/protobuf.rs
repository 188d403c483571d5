//! Kubernetes' protobuf envelope, and the few kinds of fields that its messages have.

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// A message that is being written; fields may come in any order.
///
/// A field that is empty may be left out: readers take what is absent for empty.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// The body of a kind: `runtime.Unknown` around what `fields` writes.
pub(crate) fn envelope(
    api_version: &str,
    kind: &str,
    fields: impl FnOnce(&mut Message),
) -> Vec<u8> {
    let mut body = Message(MAGIC.to_vec());
    body.message(1, |type_meta| {
        type_meta.text(1, api_version);
        type_meta.text(2, kind);
    });
    body.message(2, fields);
    body.0
}

impl Message {
    /// A string.
    pub(crate) fn text(&mut self, field: u8, text: &str) {
        self.tag(field, WireType::Delimited);
        self.varint(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A string, if it is not empty.
    pub(crate) fn text_if_any(&mut self, field: u8, text: &str) {
        if !text.is_empty() {
            self.text(field, text);
        }
    }

    /// An integer of any width that is not negative, or a truth.
    pub(crate) fn number(&mut self, field: u8, value: u64) {
        self.tag(field, WireType::Varint);
        self.varint(value);
    }

    /// A signed integer; negative ones take ten bytes.
    pub(crate) fn signed(&mut self, field: u8, value: i64) {
        self.number(field, value.cast_unsigned());
    }

    /// A message within this one.
    pub(crate) fn message(&mut self, field: u8, fields: impl FnOnce(&mut Self)) {
        self.tag(field, WireType::Delimited);
        let begin = self.0.len();
        fields(self);
        // The length stands before the content and is known after it: what was written moves on by
        // the few bytes that the length takes, which is cheaper than to measure all of it first.
        let length = self.0.len() - begin;
        let length = varint(u64::try_from(length).unwrap_or(u64::MAX));
        self.0.splice(begin..begin, length);
    }

    /// A map of strings.
    pub(crate) fn map<'a>(&mut self, field: u8, map: impl Iterator<Item = (&'a str, &'a str)>) {
        for (key, value) in map {
            self.message(field, |entry| {
                entry.text(1, key);
                entry.text(2, value);
            });
        }
    }

    fn tag(&mut self, field: u8, wire_type: WireType) {
        self.varint(u64::from(field) << 3 | wire_type as u64);
    }

    fn varint(&mut self, value: u64) {
        self.0.extend(varint(value));
    }
}

#[derive(Clone, Copy, Debug)]
enum WireType {
    Varint = 0,
    Delimited = 2,
}

/// Seven bits a byte, the lowest first; all but the last byte have their highest bit set.
fn varint(value: u64) -> impl Iterator<Item = u8> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest?;
        let [low, ..] = value.to_le_bytes();
        rest = Some(value >> 7).filter(|it| *it > 0);
        Some(if rest.is_some() { low | 0x80 } else { low & 0x7f })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_written_as_the_encoding_guide_has_them() {
        for (value, bytes) in [
            (0, &[0][..]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (150, &[0x96, 0x01]),
            (300, &[0xac, 0x02]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ] {
            assert_eq!(varint(value).collect::<Vec<_>>(), bytes, "{value}");
        }
    }

    #[test]
    fn fields_are_written_as_the_encoding_guide_has_them() {
        let mut message = Message::default();
        message.number(1, 150);
        message.text(2, "testing");
        message.message(3, |it| it.number(1, 150));
        message.signed(4, -2);
        message.map(5, [("a", "b")].into_iter());
        message.text(16, "");
        message.text_if_any(17, "");
        let expected: [&[u8]; 6] = [
            b"\x08\x96\x01",
            b"\x12\x07testing",
            b"\x1a\x03\x08\x96\x01",
            b"\x20\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x2a\x06\x0a\x01a\x12\x01b",
            b"\x82\x01\x00",
        ];
        assert_eq!(message.0, expected.concat());
    }

    #[test]
    fn the_envelope_names_what_is_in_it() {
        let body = envelope("v1", "Status", |it| it.text(2, "Failure"));
        assert_eq!(body, b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x09\x12\x07Failure");
    }

    proptest! {
        #[test]
        fn a_message_is_as_long_as_it_says(length in 0_usize..40_000, depth in 1_u8..5) {
            let text = "x".repeat(length);
            let mut message = Message::default();
            nest(&mut message, depth, &text);
            let mut rest = message.0.as_slice();
            for _ in 0..=depth {
                prop_assert_eq!(rest[0], 0x0a);
                let end = rest.iter().skip(1).position(|it| it & 0x80 == 0).unwrap() + 1;
                let said = rest[1..=end].iter().rev().fold(0, |sum, it| sum << 7 | usize::from(it & 0x7f));
                rest = &rest[end + 1..];
                prop_assert_eq!(rest.len(), said);
            }
            prop_assert_eq!(rest, text.as_bytes());
        }
    }

    fn nest(message: &mut Message, depth: u8, text: &str) {
        match depth {
            0 => message.text(1, text),
            _ => message.message(1, |it| nest(it, depth - 1, text)),
        }
    }
}
