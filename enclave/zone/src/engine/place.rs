//! Where in the SQL an objection is about: the aggregate, the clause or the name that is meant, as far as the words show
//! it. The planner turns conditions about, so that their own order says little.

use octroi_release::{Objection, judge::roles::Place};

/// Byte offsets into the SQL.
pub(super) fn place(objection: &Objection, sql: &str) -> Option<(u32, u32)> {
    let words = Words(sql.to_ascii_lowercase());
    let column = objection.column().map(str::to_ascii_lowercase);
    let within = |clause: Option<(usize, usize)>| {
        let clause = clause?;
        column.as_deref().and_then(|column| words.named(column, clause)).or(Some(clause))
    };
    let all = (0, sql.len());
    let named = || column.as_deref().and_then(|column| words.named(column, all));
    let found = match objection.place {
        Place::Aggregate(number) => words.call(number).or_else(named),
        Place::Where(_) => within(words.clause("where", &["group", "having", "order", "limit"])).or_else(named),
        Place::Key(_) => named().or_else(|| words.clause("select", &["from"])),
        Place::Question | Place::Scan(_) | Place::Join(_) | Place::Filter(_) => named(),
    };
    let (from, to) = found?;
    Some((u32::try_from(from).ok()?, u32::try_from(to).ok()?))
}

/// SQL in lower case: offsets are those of what was written.
struct Words(String);

impl Words {
    /// Where a name first stands by itself.
    fn named(&self, name: &str, (from, to): (usize, usize)) -> Option<(usize, usize)> {
        let all = self.0.get(from..to)?;
        let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let stands = |at: &usize| {
            let before = at.checked_sub(1).and_then(|before| all.as_bytes().get(before));
            !part(before) && !part(all.as_bytes().get(at + name.len()))
        };
        let at = from + all.match_indices(name).map(|(at, _)| at).find(stands)?;
        Some((at, at + name.len()))
    }

    /// What follows a keyword, up to one of others.
    fn clause(&self, keyword: &str, ends: &[&str]) -> Option<(usize, usize)> {
        let (_, from) = self.named(keyword, (0, self.0.len()))?;
        let end = ends.iter().filter_map(|end| self.named(end, (from, self.0.len()))).map(|(at, _)| at).min();
        let clause = self.0.get(from..end.unwrap_or(self.0.len()))?;
        let from = from + (clause.len() - clause.trim_start().len());
        Some((from, from + clause.trim().len()))
    }

    /// The call of an aggregate, by its number, with what it is given.
    fn call(&self, number: usize) -> Option<(usize, usize)> {
        let starts = AGGREGATES.iter().flat_map(|name| self.0.match_indices(name)).map(|(at, _)| at);
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let whole = |at: &usize| {
            let before = at.checked_sub(1).and_then(|before| self.0.as_bytes().get(before));
            !before.is_some_and(part)
        };
        let mut calls: Vec<(usize, usize)> =
            starts.filter(whole).filter_map(|at| Some((at, self.closed(at)?))).collect();
        calls.sort_unstable();
        calls.dedup();
        calls.get(number).copied()
    }

    /// The end of a call's parentheses, which begin right behind its name.
    fn closed(&self, from: usize) -> Option<usize> {
        let name = self.0.get(from..)?.find(|it: char| !it.is_ascii_alphanumeric() && it != '_')?;
        let mut open = 0_usize;
        for (at, sign) in self.0.get(from + name..)?.char_indices() {
            match sign {
                '(' => open += 1,
                ')' if open == 1 => return Some(from + name + at + 1),
                ')' => open = open.checked_sub(1)?,
                _ if open == 0 => return None,
                _ => {}
            }
        }
        None
    }
}

/// How the names of aggregates begin.
const AGGREGATES: &[&str] = &["count", "sum", "avg", "var", "stddev", "corr", "covar", "regr_", "approx_"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_by_themselves_and_calls_are_whole() {
        let words =
            Words("select summary, sum(a - (b)) , count(*) from t where a_b > 1 and b = 2 group by 1".to_owned());
        let cut =
            |place: Option<(usize, usize)>| place.and_then(|(from, to)| words.0.get(from..to)).unwrap_or_default();
        assert_eq!(cut(words.call(0)), "sum(a - (b))");
        assert_eq!(cut(words.call(1)), "count(*)");
        assert_eq!(words.call(2), None);
        let chosen = words.clause("where", &["group"]);
        assert_eq!(cut(chosen), "a_b > 1 and b = 2");
        assert_eq!(words.named("b", chosen.unwrap()).map(|(from, _)| from), words.0.find("b = 2"));
        assert_eq!(words.named("c", (0, words.0.len())), None);
        assert_eq!(Words("sum(".to_owned()).call(0), None);
        assert_eq!(Words(String::new()).clause("where", &[]), None);
    }
}
