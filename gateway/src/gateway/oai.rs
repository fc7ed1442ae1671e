//! Lists for incremental harvests, read in the order of changes.

use std::path::Path;

use octroi_proto::DatasetId;
use ring::hmac;

use super::Gateway;
use crate::{
    answer::{OrInternal as _, Refusal},
    catalogue::{
        Published,
        oai::{Cursor, Header, Part, Selection, SetSpec},
    },
    registry::Listing,
    secret_file::{self, SecretFileError},
};

/// A part of a list: what is in it, and where the list goes on.
#[derive(Debug)]
pub(crate) struct Harvested {
    /// Headers, and of what is not gone what is published; nothing where only headers are wanted.
    pub(crate) records: Vec<(Header, Option<Published>)>,
    /// None at the end of the list.
    pub(crate) next: Option<Cursor>,
}

impl Gateway {
    /// The part of a list that is asked for.
    ///
    /// # Errors
    /// [`Refusal`] when the register cannot be read.
    pub(crate) fn harvested(&self, part: &Part, records: bool) -> Result<Harvested, Refusal> {
        let most = if records { MOST_RECORDS } else { MOST_HEADERS };
        let mut after = match part.cursor {
            Some(cursor) => Some(cursor.after),
            None => self.before(&part.selection)?,
        };
        let mut found: Vec<(Header, Option<Published>)> = Vec::new();
        let mut last = 0;
        loop {
            let changes = self.registry.changes(after, SCAN).or_internal()?;
            let Some(end) = changes.last().map(|listing| listing.change) else { break };
            for listing in changes {
                if part.selection.ends_before(listing.changed) {
                    return Ok(Harvested { records: found, next: None });
                }
                let header = header(&listing);
                if !part.selection.includes(&header) {
                    continue;
                }
                let Some(shown) = self.harvestable(&listing, records)? else { continue };
                if found.len() == most {
                    let delivered = part.delivered() + found.len() as u64;
                    return Ok(Harvested {
                        records: found,
                        next: Some(Cursor { after: last, delivered, total: None }),
                    });
                }
                last = listing.change;
                found.push((header, shown));
            }
            after = Some(end);
        }
        Ok(Harvested { records: found, next: None })
    }

    /// One record; none if everybody could never know of the dataset, or a policy hides it.
    ///
    /// # Errors
    /// [`Refusal`] when the register cannot be read.
    pub(crate) fn harvested_one(&self, id: &DatasetId) -> Result<Option<(Header, Option<Published>)>, Refusal> {
        let Some(listing) = self.registry.listing(id).or_internal()? else { return Ok(None) };
        Ok(self.harvestable(&listing, true)?.map(|shown| (header(&listing), shown)))
    }

    /// What is shown of a listing: nothing of what is gone, and of other ones nothing if only its header is wanted.
    /// `None` if it is not even named.
    fn harvestable(&self, listing: &Listing, record: bool) -> Result<Option<Option<Published>>, Refusal> {
        if listing.gone {
            return Ok(Some(None));
        }
        let shown = self.everybodys(listing, if record { RECORD_FILES } else { 0 })?;
        Ok(shown.map(|shown| record.then_some(shown)))
    }

    /// A change before the first that a selection can include: changes are in the order of their dates, so halving finds
    /// it.
    fn before(&self, selection: &Selection) -> Result<Option<u64>, Refusal> {
        let Some(first) = selection.first() else { return Ok(None) };
        // All changes up to `low` are before the date; none behind `high` need be looked at.
        let (mut low, mut high) = (None, self.registry.feed().or_internal()?.change);
        while low.unwrap_or(0) < high {
            let middle = low.unwrap_or(0).midpoint(high);
            match self.registry.changes(Some(middle), 1).or_internal()?.first() {
                Some(listing) if listing.changed < first => low = Some(listing.change),
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }
}

/// The key under which the gateway says how far a harvest came; made when there is none. Whoever has it can have a
/// harvest go on where it likes, and see nothing by that.
///
/// # Errors
/// [`SecretFileError`].
pub(super) fn resumption_key(path: &Path) -> Result<hmac::Key, SecretFileError> {
    let secret = match secret_file::read(path) {
        Err(error) if error.is_absent() => {
            let mut fresh = [0; 32];
            getrandom::fill(&mut fresh)
                .map_err(|cause| SecretFileError::Unwritable { path: path.to_owned(), cause: cause.into() })?;
            secret_file::create(path, &fresh)?;
            fresh.to_vec().into()
        }
        read => read?,
    };
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret))
}

fn header(listing: &Listing) -> Header {
    let sets = &listing.sets;
    Header {
        dataset: listing.dataset.clone(),
        datestamp: listing.changed,
        sets: SetSpec::smallest(&sets.level, sets.themes.iter().map(String::as_str), &sets.publisher),
        deleted: listing.gone,
    }
}

/// Records in one answer.
const MOST_RECORDS: usize = 100;
/// Headers in one answer.
const MOST_HEADERS: usize = 1_000;
/// Changes looked at in one step.
const SCAN: usize = 500;
/// Files that a record counts, so that it says the same alone and in a list.
const RECORD_FILES: usize = 100;
