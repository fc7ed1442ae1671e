//! A question for eyes, with the piece of it that is meant underlined.

/// The lines of the SQL that bytes `from..to` lie in, each with `^` below what is meant of it; of long lines the part
/// around that. `None` for what is no piece of it.
pub(super) fn underlined(sql: &str, from: usize, to: usize) -> Option<String> {
    if from >= to || !sql.is_char_boundary(from) || !sql.is_char_boundary(to) {
        return None;
    }
    let mut begins = 0;
    let mut shown = Vec::new();
    for line in sql.split_inclusive('\n') {
        let (start, end) = (from.saturating_sub(begins).min(line.len()), to.saturating_sub(begins).min(line.len()));
        begins += line.len();
        let (before, rest) = line.split_at_checked(start)?;
        let (meant, after) = rest.split_at_checked(end - start)?;
        if !meant.trim().is_empty() {
            shown.push(one(before, meant.trim_end(), after.trim_end()));
        }
    }
    let more = shown.len() > MOST_LINES;
    shown.truncate(MOST_LINES);
    shown.extend(more.then(|| "  ...".to_owned()));
    (!shown.is_empty()).then(|| shown.join("\n"))
}

fn one(before: &str, meant: &str, after: &str) -> String {
    let (before, meant, after) = (plain(before), plain(meant), plain(after));
    let cut = before.len().saturating_sub(MOST_BEFORE);
    let lead: Vec<char> =
        if cut == 0 { before } else { ['.'; 3].into_iter().chain(before.into_iter().skip(cut)).collect() };
    let room = WIDTH.saturating_sub(lead.len());
    let marks = meant.len().min(room);
    let tail: Vec<char> = meant.into_iter().chain(after).collect();
    let dots = if tail.len() > room { "..." } else { "" };
    let text: String = lead.iter().chain(tail.iter().take(room)).collect();
    format!("  {text}{dots}\n  {}{}", " ".repeat(lead.len()), "^".repeat(marks))
}

/// One place for each character: tabs and the like as blanks.
fn plain(text: &str) -> Vec<char> {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// Characters before what is meant.
const MOST_BEFORE: usize = 60;
/// Characters of a line.
const WIDTH: usize = 110;
const MOST_LINES: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_meant_is_underlined_in_its_lines() {
        let sql = "SELECT COUNT(*)\n\tFROM trips WHERE é <> 'car'";
        let at = sql.find("é").unwrap();
        assert_eq!(
            underlined(sql, at, sql.len()).unwrap(),
            "   FROM trips WHERE é <> 'car'\n                    ^^^^^^^^^^"
        );
        assert_eq!(underlined("ab\ncd\nef", 1, 5).unwrap(), "  ab\n   ^\n  cd\n  ^^");
        for (from, to) in [(0, 0), (3, 2), (0, 900), (at + 1, at + 3)] {
            assert_eq!(underlined(sql, from, to), None, "{from}..{to}");
        }
    }

    #[test]
    fn long_lines_show_what_is_around_it() {
        let long = format!("SELECT {} FROM trips", "x + ".repeat(300));
        let shown = underlined(&long, 699, 702).unwrap();
        let [text, marks] = shown.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert!(text.starts_with("  ...") && text.ends_with("...") && text.len() < 120, "{text}");
        assert_eq!(marks.trim(), "^^^");
        let all = underlined(&long, 0, long.len()).unwrap();
        assert!(all.lines().all(|line| line.len() < 120), "{all}");
    }

    proptest! {
        #[test]
        fn any_piece_of_any_text_is_shown_or_none(sql in "[a-zé \t\n\u{1b}]{0,300}", from in 0_usize..320, to in 0_usize..320) {
            if let Some(shown) = underlined(&sql, from, to) {
                prop_assert!(shown.lines().count() <= 2 * MOST_LINES + 1);
                prop_assert!(shown.lines().all(|line| line.chars().count() <= WIDTH + 8));
                prop_assert!(shown.chars().all(|it| it == '\n' || !it.is_control()));
            }
        }
    }
}
