//! The one place where failures become answers. Callers learn the kind and what to do; the log learns the cause.
//!
//! ```text
//! what the services' stations say no with -> Refusal -+
//!                                                     +-> Problem -> gRPC status | application/problem+json
//! what the edge and authentication say no with -------+
//! ```

mod edge;
mod problem;
mod refusal;
mod station;

use std::{error::Error, fmt};

pub use problem::{Problem, Protocol};
pub(crate) use refusal::OrInternal;
pub use refusal::Refusal;

/// An error and what caused it, on one line.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
