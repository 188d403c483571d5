//! Where a query stops being one: the parser crate tells that it is wrong, not where.
//!
//! A beginning of a query is sound if something can be put behind it that makes it a query. Every
//! beginning of a sound beginning is sound, so the longest one is found by bisection over the
//! tokens; the fault is at the token after it.

use promql_parser::parser;

/// What may be needed behind a beginning before its brackets are closed.
const COMPLETIONS: [&str; 16] = [
    "",
    "x",
    "1",
    "\"a\"",
    "[5m]",
    "x[5m]",
    "5m]",
    "5m",
    "=\"a\"",
    "a=\"a\"",
    "=~\"a\"",
    "(x)",
    "(a) (x)",
    ",x",
    "(1,x)",
    "(0.5,x[5m])",
];

/// The character (from zero) of `query` at which it stops making sense; its length when only
/// something is missing at the end.
pub(super) fn of_fault(query: &str) -> usize {
    let ends = token_ends(query);
    let sound = ends.partition_point(|end| query.get(..*end).is_some_and(is_sound));
    let sound_to = sound.checked_sub(1).and_then(|idx| ends.get(idx)).copied().unwrap_or(0);
    let rest = query.get(sound_to..).unwrap_or_default();
    let blank = rest.chars().take_while(|c| c.is_whitespace()).count();
    let before = query.get(..sound_to).unwrap_or_default().chars().count();
    if rest.trim().is_empty() { before } else { before + blank }
}

/// How deeply brackets are nested, at most.
pub(super) fn nesting(query: &str) -> usize {
    let mut depth: usize = 0;
    let mut deepest = 0;
    for token in tokens(query) {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn is_sound(beginning: &str) -> bool {
    let closing = closing_brackets(beginning);
    COMPLETIONS.iter().any(|completion| {
        let spaced = format!("{beginning} {completion}{closing}");
        parser::parse(&spaced).is_ok()
            || closing.starts_with(']') && {
                // Inside a range, the completion brings the bracket itself.
                let closing = closing.get(1..).unwrap_or_default();
                parser::parse(&format!("{beginning}{completion}{closing}")).is_ok()
            }
    })
}

fn closing_brackets(beginning: &str) -> String {
    let mut open = Vec::new();
    for token in tokens(beginning) {
        match token {
            "(" => open.push(')'),
            "[" => open.push(']'),
            "{" => open.push('}'),
            ")" | "]" | "}" => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().rev().collect()
}

fn token_ends(query: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut rest = query;
    while let Some(token) = next_token(rest) {
        rest = rest.get(token.len()..).unwrap_or_default();
        if !token.trim().is_empty() {
            ends.push(query.len() - rest.len());
        }
    }
    ends
}

fn tokens(query: &str) -> impl Iterator<Item = &str> {
    let mut rest = query;
    std::iter::from_fn(move || {
        let token = next_token(rest)?;
        rest = rest.get(token.len()..)?;
        Some(token)
    })
}

/// A word, a text in quotes, a run of blanks, an operator, or one other character.
fn next_token(rest: &str) -> Option<&str> {
    let first = rest.chars().next()?;
    let is_word = |c: char| c.is_alphanumeric() || "_:.".contains(c);
    let length = if is_word(first) {
        rest.find(|c| !is_word(c))
    } else if "\"'`".contains(first) {
        text_end(rest, first)
    } else if first.is_whitespace() {
        rest.find(|c: char| !c.is_whitespace())
    } else if "=!<>~".contains(first) {
        rest.find(|c| !"=!<>~".contains(c))
    } else {
        Some(first.len_utf8())
    };
    rest.get(..length.unwrap_or(rest.len()))
}

/// Where a quoted text ends, its closing quote included.
fn text_end(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (idx, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            _ if c == quote => return Some(idx + c.len_utf8()),
            _ => {}
        }
    }
    None
}
