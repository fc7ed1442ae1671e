//! What the gateway publishes about datasets: DCAT for portals ([`dcat`]), pages for people ([`page`]).
//!
//! ```text
//! Seen (authorise) -> Published (the allow-list) -> Page -> Turtle | JSON-LD | RDF/XML | HTML
//! ```
//!
//! All of it is pure: records in, bytes out. It trusts [`crate::authorise`] that a [`crate::authorise::Seen`] may be
//! shown to whoever asks, and copies out of it only what [`Published`] names, so that a new field of a dataset is
//! unpublished until somebody publishes it. It gives no bytes of objects, and links to them only where a stranger may
//! fetch them.

mod address;
pub mod ckan;
pub mod dcat;
mod file_type;
mod language;
mod licence;
pub mod lint;
mod negotiation;
pub mod oai;
pub mod page;
mod published;
mod record;
mod schema_org;
pub mod search;
mod shelf;
pub mod sitemap;
mod slug;
#[cfg(test)]
mod specimen;
mod vocabulary;
mod words;

pub use address::{Base, InvalidBase, Site};
pub use language::Language;
pub use licence::Licence;
pub use negotiation::{Coding, NotAcceptable, Representation};
pub use published::{File, MOST_DATASETS, MOST_FILES, Page, Published};
pub use record::record;
pub use shelf::{Document, Shelf};
pub use slug::slug;
