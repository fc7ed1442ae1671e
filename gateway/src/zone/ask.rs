//! A question as its asker put it, parsed once.

use octroi_attest::{Backend, launch::UnknownBackend};
use octroi_proto::{DatasetId, Purpose, Violations, violation::Check};

/// A question: what is asked, what for, and where it may run. Of which datasets, permits say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    purpose: Purpose,
    sql: String,
    backend: Backend,
}

/// The datasets of a question, in order: 1 to [`MOST_DATASETS`], none twice.
///
/// # Errors
/// [`Violations`] of the field `datasets`.
pub fn datasets(ids: &[String]) -> Result<Vec<DatasetId>, Violations> {
    let refuse = |problem: String| Violations::one("datasets", problem);
    if ids.is_empty() || ids.len() > MOST_DATASETS {
        return Err(refuse(format!("must be 1 to {MOST_DATASETS}")));
    }
    let mut parsed: Vec<DatasetId> = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        let id = id.parse().map_err(|problem| Violations::one(format!("datasets[{index}]"), problem))?;
        if parsed.contains(&id) {
            return Err(refuse("must name each dataset once".to_owned()));
        }
        parsed.push(id);
    }
    Ok(parsed)
}

impl Ask {
    /// A question of at most `most_sql` bytes of SQL.
    ///
    /// # Errors
    /// [`Violations`], every field's.
    pub fn new(purpose: &str, sql: String, backend: &str, most_sql: usize) -> Result<Self, Violations> {
        let mut check = Check::default();
        let purpose = check.field("purpose", purpose.parse::<Purpose>());
        let sql = check.field("sql", bounded(sql, most_sql));
        let backend = check.field("backend", self::backend(backend));
        let built = match (purpose, sql, backend) {
            (Some(purpose), Some(sql), Some(backend)) => Some(Self { purpose, sql, backend }),
            _ => None,
        };
        check.finish(built)
    }

    /// What the answer is for.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The question.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Where it is to run.
    pub fn backend(&self) -> Backend {
        self.backend
    }
}

fn bounded(sql: String, most: usize) -> Result<String, String> {
    let readable = !sql.trim().is_empty() && !sql.contains('\0');
    if readable && sql.len() <= most { Ok(sql) } else { Err(format!("must be one SELECT of 1 to {most} bytes")) }
}

/// The kind of zone; no other is given in the place of the one asked for.
fn backend(word: &str) -> Result<Backend, UnknownBackend> {
    if word.is_empty() { Ok(Backend::Vm) } else { word.parse() }
}

/// The most datasets that one question may join.
pub const MOST_DATASETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_is_wrong_is_named() {
        let refused = Ask::new("", "  ".to_owned(), "cloud", 10).unwrap_err();
        let fields: Vec<_> = refused.iter().map(|it| it.field.clone()).collect();
        assert_eq!(fields, ["purpose", "sql", "backend"]);
        assert!(Ask::new("health", "SELECT 1234".to_owned(), "", 10).is_err());
        let ask = Ask::new("health", "SELECT 123".to_owned(), "", 10).unwrap();
        assert_eq!(ask.backend(), Backend::Vm);
    }

    #[test]
    fn datasets_are_few_and_named_once() {
        let parse = |ids: &[&str]| datasets(&ids.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(parse(&["trips", "homes"]).unwrap().len(), 2);
        for bad in [&[][..], &["trips", "trips"], &["Trips"], &["abc"; 9]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
