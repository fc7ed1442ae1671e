//! Patterns, and the words around what they find.
//!
//! The library's engine does not backtrack: a search takes time in proportion to the text, and texts are bounded. What
//! a pattern cannot say, such as what must not stand before it, is asked of the words around.

use std::ops::Range;

use regex::Regex;

/// The pattern that these parts make, one after the other.
#[expect(clippy::expect_used, reason = "the parts are constants")]
pub(super) fn pattern(parts: &[&str]) -> Regex {
    // INVARIANT: the parts are constants of this folder, and the tests read a text by every rule.
    Regex::new(&parts.concat()).expect("a constant pattern is a pattern")
}

/// What stands before a place, so many bytes at most.
pub(super) fn before(text: &str, at: usize, most: usize) -> &str {
    text.get(text.floor_char_boundary(at.saturating_sub(most))..at).unwrap_or_default()
}

/// What stands behind a place, so many bytes at most.
pub(super) fn after(text: &str, at: usize, most: usize) -> &str {
    text.get(at..text.floor_char_boundary(at.saturating_add(most))).unwrap_or_default()
}

/// The sentence around a range, or the part of a long one that is near.
pub(super) fn sentence<'a>(text: &'a str, around: &Range<usize>) -> &'a str {
    part_around(text, around, NEAR, NEAR)
}

/// So many bytes at most before and behind a range, not beyond its sentence.
pub(super) fn part_around<'a>(text: &'a str, around: &Range<usize>, ahead: usize, behind: usize) -> &'a str {
    let head = before(text, around.start, ahead);
    let tail = after(text, around.end, behind);
    let begun = ENDS.iter().filter_map(|end| head.rfind(*end).map(|at| at + end.len())).max().unwrap_or_default();
    let ended = ENDS.iter().filter_map(|end| tail.find(*end)).min().unwrap_or(tail.len());
    text.get(around.start - (head.len() - begun)..around.end + ended).unwrap_or_default()
}

/// The character before a place.
pub(super) fn previous(text: &str, at: usize) -> Option<char> {
    text.get(..at)?.chars().next_back()
}

/// The character at a place.
pub(super) fn next(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// Whether it is no part of a longer word or number.
pub(super) fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    !previous(text, range.start).is_some_and(inside) && !next(text, range.end).is_some_and(inside)
}

/// Whether a number begins here, rather than goes on: `5` in `PM2.5`, in `1,5` or in `12:05` does not.
pub(super) fn begins_number(text: &str, at: usize) -> bool {
    let mut ahead = before(text, at, 8).chars().rev();
    match ahead.next() {
        Some(c) if c.is_alphanumeric() || c == '_' => false,
        Some('.' | ',' | ':' | '/') => !ahead.next().is_some_and(|c| c.is_ascii_digit()),
        Some('-') => !ahead.next().is_some_and(char::is_alphanumeric),
        _ => true,
    }
}

/// What ends a sentence.
const ENDS: [&str; 4] = [". ", "! ", "? ", "\n"];

/// How far a word can be and still be about something, in bytes.
const NEAR: usize = 300;
