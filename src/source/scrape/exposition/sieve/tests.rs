//! Whatever the pieces in which a page arrives, the wanted lines are those that the parser reads.

use super::*;
use crate::source::scrape::exposition::lines;
use proptest::prelude::*;

const PAGE: &str = "# TYPE a gauge\na{x=\"1\"} 1\na_bucket{le=\"1\"} 2\n\n  a 3\r\nab 4\n{\"a.b\",x=\"1\"} 5\n{\"a.c\"} 6\nb:c 7\n# EOF\n";

fn sifted(page: &[u8], names: &[&str], piece: usize, format: Format) -> Result<Page, Unfit> {
    let wanted = Wanted::new(names.iter().copied());
    let mut sieve = Sieve::new(&wanted);
    for chunk in page.chunks(piece.max(1)) {
        sieve.push(chunk)?;
    }
    sieve.finish(format)
}

#[test]
fn wanted_lines_are_found_in_pieces_of_any_size() {
    let expected = "a{x=\"1\"} 1\na 3\r\n{\"a.b\",x=\"1\"} 5\nb:c 7\n";
    for piece in 1..=PAGE.len() {
        let page = sifted(PAGE.as_bytes(), &["a", "a.b", "b:c"], piece, Format::OpenMetrics);
        let Page { lines, n_lines, n_strange } = page.unwrap();
        assert_eq!(String::from_utf8(lines).unwrap(), expected, "pieces of {piece}");
        assert_eq!((n_lines, n_strange), (7, 0), "pieces of {piece}");
    }
    let without_newline = sifted(b"a 1\na 2", &["a"], 3, Format::Text).unwrap();
    assert_eq!(without_newline.lines, b"a 1\na 2\n");
}

#[test]
fn what_is_no_page_is_told_from_a_page_without_the_series() {
    let garbage = sifted(b"<html>\n<body>\n", &["a"], 5, Format::Text);
    assert_eq!(garbage, Err(Unfit::NotExposition));
    let nothing = sifted(b"", &["a"], 5, Format::Text).unwrap();
    assert_eq!(nothing.n_lines, 0);
    let other = sifted(b"b 1\n", &["a"], 5, Format::Text).unwrap();
    assert_eq!((other.lines.len(), other.n_lines), (0, 1));
    assert_eq!(sifted(b"a 1\n", &["a"], 5, Format::OpenMetrics), Err(Unfit::Unfinished));
}

#[test]
fn a_line_without_end_is_not_kept() {
    let long = format!("a{{x=\"{}\"}} 1\na 2\n", "x".repeat(limits::EXPOSITION_LINE_BYTES_MAX));
    for piece in [1_000, long.len()] {
        let page = sifted(long.as_bytes(), &["a"], piece, Format::Text).unwrap();
        assert_eq!((page.lines.as_slice(), page.n_lines, page.n_strange), (&b"a 2\n"[..], 2, 1));
    }
}

#[test]
fn a_page_with_too_many_wanted_series_is_left() {
    let wanted = Wanted::new(["a"]);
    let mut sieve = Sieve::new(&wanted);
    let chunk = "a 1\n".repeat(4_096);
    let pieces = limits::pods::PAGE_KEPT_BYTES_MAX / chunk.len();
    for _ in 0..pieces {
        assert_eq!(sieve.push(chunk.as_bytes()), Ok(()));
    }
    assert_eq!(sieve.push(chunk.as_bytes()), Err(Unfit::TooMuch));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_break_the_sieve(page in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
        drop(sifted(&page, &["a"], piece, Format::Text));
    }

    #[test]
    fn what_is_kept_is_what_the_parser_reads_of_the_whole(
        page in "([ab#{}\" \n]|a\\{b=\"c\"\\} |[ab] 1\n|\\{\"a\"\\} 1\n){0,30}", piece in 1usize..40,
    ) {
        let read = |page: &[u8]| -> Vec<String> {
            let lines = lines(page, Format::Text).flatten().filter(|it| it.name == "a");
            lines.map(|it| format!("{it:?}")).collect()
        };
        if let Ok(kept) = sifted(page.as_bytes(), &["a"], piece, Format::Text) {
            prop_assert_eq!(read(&kept.lines), read(page.as_bytes()));
        }
    }
}
