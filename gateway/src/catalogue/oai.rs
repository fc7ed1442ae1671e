//! The catalogue for harvesters: a data provider of OAI-PMH 2.0
//! (<https://www.openarchives.org/OAI/openarchivesprotocol.html>).
//!
//! ```text
//! arguments -> parse -> Asked -> [records of the register] -> Answer -> XML
//!             request.rs                                    write.rs
//!          token.rs, set.rs                      dublin_core.rs, datacite.rs
//! ```
//!
//! An item is a dataset, its identifier `oai:HOST:DATASET-ID`; a record of it is what is [`Published`], as Dublin Core
//! or as DataCite. What left the catalogue stays as a deleted record, for good. Lists go in the order of changes, so
//! that a resumption token needs no state here: it says how far a harvest came, and is authenticated, so that it says
//! nothing that was not said by us.
//!
//! Pure, as all of the catalogue. It trusts its caller that the records given are those that were asked for
//! ([`Selection::includes`]) and that whoever asks may know of them. It gives no links to files.

mod datacite;
mod dublin_core;
mod identifier;
mod particulars;
mod prefix;
mod problem;
mod request;
mod selection;
mod set;
mod token;
mod write;
mod xml;

use octroi_proto::{DatasetId, Instant};

use super::Published;

pub use prefix::Prefix;
pub use problem::{Argument, Problem};
pub use request::{Asked, Echo, Refused, Request, parse};
pub use selection::{Cursor, Part, Selection};
pub use set::SetSpec;
pub use write::Answer;

/// What a list says of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whose record it is.
    pub dataset: DatasetId,
    /// When it last changed, or was deleted.
    pub datestamp: Instant,
    /// The smallest sets that it is in: those around them go without saying.
    pub sets: Vec<SetSpec>,
    /// Whether it left the catalogue.
    pub deleted: bool,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// What lists say of it.
    pub header: Header,
    /// What is published; none of what is deleted. Without it a record is written as a deleted one.
    pub published: Option<&'a Published>,
}

/// The media type of answers.
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// A moment to the second, as the protocol writes datestamps.
fn seconds(at: Instant) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A day, in UTC.
fn day(at: Instant) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests;
