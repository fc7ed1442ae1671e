//! The space that released cells lie in: declared dimensions cut into bins, and products of sets of bins.
//!
//! ```text
//! Bins          a dimension's declared bins, numbered from 0; the last one holds what lies outside, missing values too
//! BinSet        some of a dimension's bins
//! Region        of a table's rows, those whose every dimension lies in its BinSet: where a cell's rows are
//! ```
//!
//! Whatever a question may choose or group by is a union of bins, so that what two cells share, and what one has beyond
//! another, is known without looking at data.

mod bins;
mod region;

pub use bins::{BinSet, Runs};
pub use region::{Dimension, Facts, Region};
