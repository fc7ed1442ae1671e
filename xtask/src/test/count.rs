//! How many tests ran, read from what the runners say.

use std::{fmt, ops::AddAssign};

/// Tests by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    /// The counts of a runner's closing line: nextest's `Summary [..] 5 tests run: 5 passed, 0 skipped` or the
    /// standard harness's `test result: ok. 5 passed; 0 failed; ..`. `None` for any other line.
    pub(super) fn in_line(line: &str) -> Option<Self> {
        let line = plain(line);
        let (_, counts) = if line.trim_start().starts_with("Summary [") {
            line.split_once(" run: ")?
        } else {
            line.strip_prefix("test result: ")?.split_once(". ")?
        };
        let mut count = Self::default();
        for part in counts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(outcome)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match outcome {
                "passed" => count.passed += number,
                "failed" | "exec" | "timed" => count.failed += number,
                "skipped" | "ignored" => count.skipped += number,
                _ => {}
            }
        }
        Some(count)
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Without terminal colours.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_runners_are_understood() {
        let nextest = "     Summary [   1.250s] 15 tests run: 13 passed (2 slow), 1 failed, 1 timed out, 4 skipped";
        assert_eq!(Count::in_line(nextest), Some(Count { passed: 13, failed: 2, skipped: 4 }));
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m2\u{1b}[0m tests run: 2 passed, 0 skipped";
        assert_eq!(Count::in_line(coloured), Some(Count { passed: 2, failed: 0, skipped: 0 }));
        let harness = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.50s";
        assert_eq!(Count::in_line(harness), Some(Count { passed: 3, failed: 0, skipped: 1 }));
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(Count { passed: 3, failed: 0, skipped: 1 }.to_string(), "3 passed, 0 failed, 1 skipped");
    }

    proptest! {
        #[test]
        fn other_lines_count_nothing(line in ".{0,60}") {
            prop_assume!(!line.contains("Summary") && !line.contains("test result"));
            prop_assert_eq!(Count::in_line(&line), None);
        }
    }
}
