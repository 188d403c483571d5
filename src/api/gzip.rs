//! gzip for the few bodies that are worth it, in one pass.

/// Shorter bodies travel as they are: what they save is not worth their time (the generic API
/// server's value).
pub(crate) const BYTES_MIN: usize = 128 * 1024;

/// How far back a repetition may lie, by the format.
const DISTANCE_MAX: usize = 32 * 1024;
/// How long a repetition may be, by the format.
const LENGTH_MAX: usize = 258;
/// A repetition begins with so many bytes; the format allows three, which rarely pays.
const LENGTH_MIN: usize = 4;
/// Beginnings that are remembered, as a power of two: as many as there are bytes in reach.
const HASH_BITS: u32 = 15;

/// `body` as a gzip file of one member.
///
/// Lists of metrics repeat themselves from item to item, so that what counts is to find the last
/// place with the same four bytes; codes of the fixed table are good enough for the rest.
pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    // Deflate; no flags, no time, no hint, unknown system.
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut out = Vec::with_capacity(body.len() / 4);
    out.extend_from_slice(&header);
    let mut bits = Bits { out, pending: 0, count: 0 };
    deflate(body, &mut bits);
    let mut out = bits.finish();
    out.extend_from_slice(&crc32(body).to_le_bytes());
    let [a, b, c, d, ..] = body.len().to_le_bytes();
    out.extend_from_slice(&[a, b, c, d]);
    out
}

fn deflate(body: &[u8], bits: &mut Bits) {
    // The last block, with the fixed table.
    bits.put(1, 1);
    bits.put(1, 2);
    let mut last_seen = vec![0_u32; 1 << HASH_BITS];
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        let length = match repetition(body, at, &mut last_seen) {
            Some((distance, length)) => {
                bits.length(length);
                bits.distance(distance);
                length
            }
            None => {
                bits.symbol(u32::from(*byte));
                1
            }
        };
        at += length;
    }
    bits.symbol(END);
}

/// How far back, and how long, what begins `at` stands there already.
fn repetition(body: &[u8], at: usize, last_seen: &mut [u32]) -> Option<(usize, usize)> {
    let here = body.get(at..)?;
    let begin = u32::from_le_bytes(*here.first_chunk::<LENGTH_MIN>()?);
    let hash = begin.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
    // Places are counted from one, so that zero is nowhere.
    let place = last_seen.get_mut(usize::try_from(hash).ok()?)?;
    let before = usize::try_from(*place).ok()?.checked_sub(1);
    *place = u32::try_from(at + 1).ok()?;
    let before = before.filter(|before| at - before <= DISTANCE_MAX)?;
    let same = here.iter().zip(body.get(before..)?).take(LENGTH_MAX).take_while(|(a, b)| a == b);
    let length = same.count();
    (length >= LENGTH_MIN).then_some((at - before, length))
}

/// The symbol that ends a block.
const END: u32 = 256;

/// Bits, the lowest first.
struct Bits {
    out: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.pending |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.byte();
        }
    }

    fn byte(&mut self) {
        let [low, ..] = self.pending.to_le_bytes();
        self.out.push(low);
        self.pending >>= 8;
        self.count = self.count.saturating_sub(8);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.byte();
        }
        self.out
    }

    /// A code of the fixed table, whose highest bit goes first.
    fn symbol(&mut self, symbol: u32) {
        let (code, count) = match symbol {
            0..=143 => (0x30 + symbol, 8),
            144..=255 => (0x190 + (symbol - 144), 9),
            256..=279 => (symbol - 256, 7),
            _ => (0xc0 + (symbol - 280), 8),
        };
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    fn length(&mut self, length: usize) {
        let rest = u32::try_from(length - 3).unwrap_or_default();
        if length == LENGTH_MAX {
            return self.symbol(285);
        }
        if rest < 8 {
            return self.symbol(257 + rest);
        }
        let extra = rest.ilog2() - 2;
        self.symbol(257 + 4 * (extra + 1) + (rest >> extra & 3));
        self.put(rest & ((1 << extra) - 1), extra);
    }

    fn distance(&mut self, distance: usize) {
        let rest = u32::try_from(distance - 1).unwrap_or_default();
        let (code, extra) = if rest < 4 {
            (rest, 0)
        } else {
            let extra = rest.ilog2() - 1;
            (2 * (extra + 1) + (rest >> extra & 1), extra)
        };
        self.put(code.reverse_bits() >> 27, 5);
        self.put(rest & ((1 << extra) - 1), extra);
    }
}

const CRC_TABLE: [u32; 256] = crc_table();

#[expect(clippy::indexing_slicing, reason = "the index counts to the table's length")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u32;
    let mut idx = 0;
    while idx < table.len() {
        let mut value = byte;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[idx] = value;
        byte += 1;
        idx += 1;
    }
    table
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = crc.to_le_bytes();
        let entry = CRC_TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        entry ^ (crc >> 8)
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use std::process::Command;

    /// What the machine's own gzip makes of it.
    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(packed).unwrap();
        let output =
            Command::new("gzip").arg("-dc").arg("-").stdin(file.reopen().unwrap()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[test]
    fn a_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn gzip_reads_what_is_written() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let item = |idx: usize| {
            let pod =
                format!(r#"{{"kind":"Pod","namespace":"inference","name":"llama-{idx:05}"}}"#);
            format!(r#"{{"describedObject":{pod},"value":"{}m"}},"#, idx * 7_919)
        };
        let list: String = (0..20_000).map(item).collect();
        let far = [&list.as_bytes()[..40_000], &every_byte, &list.as_bytes()[..40_000]].concat();
        for body in
            [&b""[..], b"a", b"abcabcabcabc", &[0; 100_000], &every_byte, list.as_bytes(), &far]
        {
            assert_eq!(unpacked(&gzip(body)), body, "{} bytes", body.len());
        }
        let share = list.len() / gzip(list.as_bytes()).len();
        assert!(share >= 5, "a list of metrics becomes 1/{share}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_is_written_reads_back(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), 1_usize..60), 0..30)
        ) {
            let body: Vec<u8> = parts.iter().flat_map(|(part, times)| part.repeat(*times)).collect();
            prop_assert_eq!(unpacked(&gzip(&body)), body);
        }
    }
}
