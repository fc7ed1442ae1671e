//! Finding datasets: a full-text index in a folder of its own.
//!
//! ```text
//! Published -> Entry -> SearchIndex (tantivy) <- Question: words and filters in Lucene's syntax, which is Solr's
//!                            -> Found: how many, which, and how many by facet
//! ```
//!
//! Words are folded to ASCII and stemmed, in French and in English, so `velo` finds `Vélos`. The index can be lost: it
//! says up to which change of the register it goes, and whoever opens it brings it up to date. It holds what is published
//! of every dataset, hidden ones too, and tells which are everybody's; whoever shows what it found asks the gate again.
//!
//! Trusts its folder to be the gateway's own. Does not give: what may be shown to whom.

mod entry;
mod index;
mod question;

pub use entry::Entry;
pub use index::{OpenSearchError, SearchError, SearchIndex};
pub use question::{Facet, Found, InvalidQuery, Order, OrderField, Question, Whose};

#[cfg(test)]
mod tests;
