//! Numbers, instants and texts in few bytes: what a trace is kept as until somebody asks for it.
//!
//! Most numbers of a trace are there twice: what was combined is what was read, what was published is
//! what the guard was given. A number that came before takes one byte.

use crate::domain::finite::Finite;
use crate::domain::sample::Sample;
use jiff::Timestamp;
use std::time::Duration;

/// Numbers that are told again by their place; later ones are written out each time.
const KNOWN_MAX: usize = 64;
/// The byte before a number that is written out.
const NEW: u8 = u8::MAX;
/// The byte in the place of a number that is unknown.
const UNKNOWN: u8 = u8::MAX - 1;
const _: () = assert!(KNOWN_MAX < UNKNOWN as usize);
/// The bits of a count that one byte holds; the highest bit says that more follow.
const COUNT_BITS: u32 = 7;

/// Writes one record.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    known: Known,
}

/// Reads what a `Writer` wrote, in the same order. `None` at the end of the record, or where it says
/// something else.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: std::slice::Iter<'a, u8>,
    known: Known,
}

/// The numbers that came before.
#[derive(Debug)]
struct Known {
    words: [u64; KNOWN_MAX],
    count: usize,
}

impl Known {
    fn new() -> Self {
        Self { words: [0; KNOWN_MAX], count: 0 }
    }

    fn place(&self, word: u64) -> Option<u8> {
        let place = self.words.iter().take(self.count).position(|it| *it == word)?;
        u8::try_from(place).ok()
    }

    fn add(&mut self, word: u64) {
        if let Some(place) = self.words.get_mut(self.count) {
            *place = word;
            self.count += 1;
        }
    }
}

impl Writer {
    /// For a record of about so many bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), known: Known::new() }
    }

    /// What was written.
    pub(super) fn finish(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn count(&mut self, count: usize) {
        let mut left = count;
        loop {
            let low = u8::try_from(left & 0x7f).unwrap_or_default();
            left >>= COUNT_BITS;
            if left == 0 {
                return self.byte(low);
            }
            self.byte(low | 0x80);
        }
    }

    pub(super) fn text(&mut self, text: Option<&str>) {
        self.count(text.map_or(0, |it| it.len() + 1));
        self.bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
    }

    pub(super) fn number(&mut self, number: Option<f64>) {
        self.word(number.map(f64::to_bits));
    }

    pub(super) fn finite(&mut self, number: Option<Finite>) {
        self.number(number.map(Finite::get));
    }

    pub(super) fn instant(&mut self, at: Option<Timestamp>) {
        self.word(at.map(|it| nanos(it).cast_unsigned()));
    }

    pub(super) fn span(&mut self, span: Option<Duration>) {
        self.word(span.map(|it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX)));
    }

    pub(super) fn sample(&mut self, sample: Option<Sample>) {
        self.instant(sample.map(|it| it.at));
        if let Some(sample) = sample {
            self.finite(Some(sample.value));
        }
    }

    fn word(&mut self, word: Option<u64>) {
        let Some(word) = word else { return self.byte(UNKNOWN) };
        match self.known.place(word) {
            Some(place) => self.byte(place),
            None => {
                self.byte(NEW);
                self.bytes.extend_from_slice(&word.to_le_bytes());
                self.known.add(word);
            }
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), known: Known::new() }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes.next().copied()
    }

    pub(super) fn count(&mut self) -> Option<usize> {
        let mut count = 0_usize;
        for place in 0.. {
            let byte = self.byte()?;
            count |= usize::from(byte & 0x7f).checked_shl(place * COUNT_BITS)?;
            if byte < 0x80 {
                break;
            }
        }
        Some(count)
    }

    pub(super) fn text(&mut self) -> Option<Option<&'a str>> {
        let Some(length) = self.count()?.checked_sub(1) else { return Some(None) };
        let (text, rest) = self.bytes.as_slice().split_at_checked(length)?;
        self.bytes = rest.iter();
        Some(Some(std::str::from_utf8(text).ok()?))
    }

    pub(super) fn number(&mut self) -> Option<Option<f64>> {
        Some(self.word()?.map(f64::from_bits))
    }

    pub(super) fn finite(&mut self) -> Option<Option<Finite>> {
        Some(self.number()?.and_then(Finite::new))
    }

    pub(super) fn instant(&mut self) -> Option<Option<Timestamp>> {
        Some(self.word()?.map(|it| instant(it.cast_signed())))
    }

    pub(super) fn span(&mut self) -> Option<Option<Duration>> {
        Some(self.word()?.map(Duration::from_nanos))
    }

    pub(super) fn sample(&mut self) -> Option<Option<Sample>> {
        let Some(at) = self.instant()? else { return Some(None) };
        let value = self.finite()??;
        Some(Some(Sample { at, value }))
    }

    fn word(&mut self) -> Option<Option<u64>> {
        match self.byte()? {
            UNKNOWN => Some(None),
            NEW => {
                let (word, rest) = self.bytes.as_slice().split_first_chunk()?;
                self.bytes = rest.iter();
                let word = u64::from_le_bytes(*word);
                self.known.add(word);
                Some(Some(word))
            }
            place => Some(Some(*self.known.words.get(usize::from(place))?)),
        }
    }
}

/// Nanoseconds since the epoch, from the year 1677 to 2262: no clock is that wrong.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The instant that `nanos` told.
pub(super) fn instant(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a record may hold, one of each kind.
    type Parts = (usize, Option<String>, Option<f64>, Option<(i64, f64)>, Option<u64>);

    fn write(writer: &mut Writer, (count, text, number, sample, span): &Parts) {
        writer.count(*count);
        writer.text(text.as_deref());
        writer.number(*number);
        writer.sample(sample.map(read_sample));
        writer.span(span.map(Duration::from_nanos));
    }

    fn read(reader: &mut Reader<'_>) -> Option<Parts> {
        Some((
            reader.count()?,
            reader.text()?.map(str::to_owned),
            reader.number()?,
            reader.sample()?.map(|it| (nanos(it.at), it.value.get())),
            reader.span()?.map(|it| u64::try_from(it.as_nanos()).unwrap()),
        ))
    }

    fn read_sample((at, value): (i64, f64)) -> Sample {
        Sample { at: instant(at), value: Finite::new(value).unwrap() }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            parts in prop::collection::vec(
                (
                    any::<usize>(),
                    prop::option::of(".{0,12}"),
                    // Few enough that some come again, and more than are told by their place.
                    prop::option::of((0..99_u8).prop_map(f64::from)),
                    prop::option::of((any::<i64>(), 0.0..1e9)),
                    prop::option::of(0..9_u64),
                ),
                0..80,
            ),
        ) {
            let mut writer = Writer::new(0);
            parts.iter().for_each(|it| write(&mut writer, it));
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for part in &parts {
                let found = read(&mut reader);
                prop_assert_eq!(found.as_ref(), Some(part));
            }
            prop_assert_eq!(reader.byte(), None);
        }

        #[test]
        fn what_was_cut_off_or_is_something_else_is_no_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut reader = Reader::new(&bytes);
            while read(&mut reader).is_some() {}
        }
    }

    #[test]
    fn a_number_that_came_before_takes_one_byte() {
        let mut writer = Writer::new(0);
        let sample = Some(read_sample((7, 3.5)));
        writer.sample(sample);
        writer.sample(sample);
        writer.number(Some(3.5));
        writer.number(None);
        assert_eq!(writer.finish().len(), 2 * 9 + 4);
    }
}
