//! What is wrong with an input, by field, all at once.

use std::fmt;

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the input (`contact_point.email`).
    pub field: String,
    /// What is wrong and what would be right: lower-case, no full stop, never the refused value itself.
    pub problem: String,
}

/// At least one violation. The only way to report bad input, so that a caller learns of everything at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// A single violation.
    #[expect(clippy::needless_pass_by_value, reason = "callers give errors and sentences alike, which end here")]
    pub fn one(field: impl Into<String>, problem: impl ToString) -> Self {
        Self(vec![Violation { field: field.into(), problem: problem.to_string() }])
    }

    /// The violations, in the order of the fields; never empty.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Violation { field, problem }) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "`{field}`: {problem}")?;
        }
        Ok(())
    }
}

/// Collects violations while a message is parsed field by field.
#[derive(Debug, Default)]
pub struct Check(Vec<Violation>);

impl Check {
    /// Notes a violation.
    #[expect(clippy::needless_pass_by_value, reason = "callers give errors and sentences alike, which end here")]
    pub fn refuse(&mut self, field: impl Into<String>, problem: impl ToString) {
        self.0.push(Violation { field: field.into(), problem: problem.to_string() });
    }

    /// The value of a field, or `None` and a note of what is wrong with it.
    pub fn field<T, E: ToString>(&mut self, field: impl Into<String>, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|problem| self.refuse(field, problem)).ok()
    }

    /// The message if nothing was noted.
    ///
    /// # Errors
    /// All that was noted. A `None` with nothing noted is itself a violation: a field was forgotten.
    pub fn finish<T>(self, message: Option<T>) -> Result<T, Violations> {
        match (self.0.is_empty(), message) {
            (true, Some(message)) => Ok(message),
            (true, None) => Err(Violations::one("", "the message is incomplete")),
            (false, _) => Err(Violations(self.0)),
        }
    }
}
