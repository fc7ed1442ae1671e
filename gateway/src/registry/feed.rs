//! The order of the feed that everybody may read.
//!
//! A dataset gets a *position* when everybody may first know of it, and keeps it for good: a page is a range of
//! positions, so that nothing moves between pages while a portal reads them. Each change that shows moves its listing
//! to the end of the *changes*, in which incremental harvests read. What leaves the feed leaves a trace that says when,
//! and no more changes: what happens to a hidden dataset shows nowhere.
//!
//! Beside it stands the order in which datasets of whatever visibility were touched, which the search index follows.
//!
//! All orders are worked out from the evidence, entry by entry, so a rebuilt index has the same.

use octroi_proto::{DatasetId, Instant, wire::v1};
use prost::Message;

use super::{
    effects::Occasion,
    index::EffectsError,
    table::{Row, Table},
    view::{ReadError, View},
};

/// Where a dataset stands in the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which.
    pub dataset: DatasetId,
    /// Its place among all that were ever listed, from 0.
    pub position: u64,
    /// The evidence entry of its last change that shows.
    pub change: u64,
    /// When that was: never before an earlier change of any dataset.
    pub changed: Instant,
    /// What it is in the feed by; as it last was, of what is gone.
    pub sets: Sets,
    /// Whether it left the feed.
    pub gone: bool,
}

/// What selective harvests choose by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sets {
    /// The word for its level.
    pub level: String,
    /// Codes of its themes.
    pub themes: Vec<String>,
    /// Its publisher's name.
    pub publisher: String,
}

/// The feed as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedState {
    /// Positions given so far.
    pub positions: u64,
    /// Datasets in it now.
    pub listed: u64,
    /// The evidence entry of its last change.
    pub change: u64,
    /// When that was.
    pub changed: Instant,
    /// When a dataset last came or went.
    pub membership_changed: Instant,
}

/// A [`Listing`] as a row.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ListingRow {
    #[prost(uint64, tag = "1")]
    position: u64,
    #[prost(uint64, tag = "2")]
    change: u64,
    #[prost(message, optional, tag = "3")]
    changed: Option<prost_types::Timestamp>,
    #[prost(bool, tag = "4")]
    gone: bool,
    #[prost(string, tag = "5")]
    level: String,
    #[prost(string, repeated, tag = "6")]
    themes: Vec<String>,
    #[prost(string, tag = "7")]
    publisher: String,
}

/// A [`FeedState`] as a row.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FeedRow {
    #[prost(uint64, tag = "1")]
    positions: u64,
    #[prost(uint64, tag = "2")]
    listed: u64,
    #[prost(uint64, tag = "3")]
    change: u64,
    #[prost(message, optional, tag = "4")]
    changed: Option<prost_types::Timestamp>,
    #[prost(message, optional, tag = "5")]
    membership_changed: Option<prost_types::Timestamp>,
}

impl ListingRow {
    pub(super) fn listing(self, dataset: DatasetId) -> Option<Listing> {
        let Self { position, change, changed, gone, level, themes, publisher } = self;
        let changed = octroi_proto::time::parse(changed).ok()?;
        Some(Listing { dataset, position, change, changed, sets: Sets { level, themes, publisher }, gone })
    }
}

impl FeedRow {
    pub(super) fn state(self) -> Option<FeedState> {
        let Self { positions, listed, change, changed, membership_changed } = self;
        let time = octroi_proto::time::parse;
        Some(FeedState {
            positions,
            listed,
            change,
            changed: time(changed).ok()?,
            membership_changed: time(membership_changed).ok()?,
        })
    }
}

/// What a dataset's new description changes of the feed.
pub(super) fn described(dataset: &v1::Dataset, occasion: Occasion, view: &View<'_>) -> Result<Vec<Row>, EffectsError> {
    let description = dataset.description.clone().unwrap_or_default();
    let Ok(id) = description.id.parse::<DatasetId>() else { return Ok(Vec::new()) };
    let mut rows = touched(&id, occasion, view)?;
    let before = view.listing(&id)?;
    let listing = match before {
        None if !is_listed(dataset) => return Ok(rows),
        Some(before) if !is_listed(dataset) && before.gone => return Ok(rows),
        Some(before) if !is_listed(dataset) => Listing { gone: true, ..before },
        before => {
            let position = before.map_or_else(|| view.feed().map(|feed| feed.positions), |it| Ok(it.position))?;
            let sets = sets(description);
            let Occasion { sequence: change, at: changed } = occasion;
            Listing { dataset: id, position, change, changed, sets, gone: false }
        }
    };
    rows.extend(changed(listing, occasion, view)?);
    Ok(rows)
}

/// What a change of a dataset's files changes of the feed: public files are listed there.
pub(super) fn files_changed(dataset: &str, occasion: Occasion, view: &View<'_>) -> Result<Vec<Row>, EffectsError> {
    let Ok(id) = dataset.parse::<DatasetId>() else { return Ok(Vec::new()) };
    let mut rows = touched(&id, occasion, view)?;
    let listing = view.listing(&id)?.filter(|it| !it.gone && it.sets.level == octroi_proto::Level::Public.as_str());
    if let Some(listing) = listing {
        rows.extend(changed(listing, occasion, view)?);
    }
    Ok(rows)
}

/// The rows that move a dataset to the end of those that were touched.
fn touched(id: &DatasetId, occasion: Occasion, view: &View<'_>) -> Result<Vec<Row>, ReadError> {
    let (id, entry) = (id.as_str().as_bytes(), occasion.sequence.to_be_bytes());
    let key = Table::Touched.key(&[id]);
    let before = view.row(&key)?;
    let gone = before.map(|before| Row { key: Table::Touches.key(&[&before]), value: None });
    let rows = [
        Row { key, value: Some(entry.to_vec()) },
        Row { key: Table::Touches.key(&[&entry]), value: Some(id.to_vec()) },
    ];
    Ok(gone.into_iter().chain(rows).collect())
}

/// The rows that say so; applying the same entry again makes the same rows.
fn changed(listing: Listing, occasion: Occasion, view: &View<'_>) -> Result<Vec<Row>, EffectsError> {
    let before = view.listing(&listing.dataset)?;
    let state = view.feed()?;
    // A clock that was set back must not put a change before one that a harvester has read past.
    let Occasion { sequence: entry, at } = occasion;
    let at = at.max(state.changed);
    let listing = Listing { change: entry, changed: at, ..listing };
    let was_in = before.as_ref().is_some_and(|it| !it.gone);
    let mut rows = Vec::new();
    if let Some(before) = &before {
        rows.push(Row { key: Table::FeedChanges.key(&[&before.change.to_be_bytes()]), value: None });
    }
    let id = listing.dataset.as_str().as_bytes().to_vec();
    rows.push(Row { key: Table::FeedPositions.key(&[&listing.position.to_be_bytes()]), value: Some(id.clone()) });
    rows.push(Row { key: Table::FeedChanges.key(&[&entry.to_be_bytes()]), value: Some(id.clone()) });
    let state = FeedRow {
        positions: state.positions.max(listing.position + 1),
        listed: state.listed + u64::from(!was_in && !listing.gone) - u64::from(was_in && listing.gone),
        change: entry,
        changed: Some(octroi_proto::time::to_wire(at)),
        membership_changed: Some(octroi_proto::time::to_wire(if was_in == listing.gone {
            at
        } else {
            state.membership_changed
        })),
    };
    rows.push(Row { key: Table::Meta.key(&[b"feed"]), value: Some(state.encode_to_vec()) });
    let Listing { position, change, changed, gone, sets: Sets { level, themes, publisher }, .. } = listing;
    let changed = Some(octroi_proto::time::to_wire(changed));
    let row = ListingRow { position, change, changed, gone, level, themes, publisher };
    rows.push(Row { key: Table::Listings.key(&[&id]), value: Some(row.encode_to_vec()) });
    Ok(rows)
}

/// Whether everybody may know of a dataset, by what it says of itself; the policies may still say no.
fn is_listed(dataset: &v1::Dataset) -> bool {
    let description = dataset.description.clone().unwrap_or_default();
    let visible = match description.level() {
        v1::Level::Public | v1::Level::QuasiSensitive => true,
        v1::Level::Sensitive | v1::Level::Unspecified => description.metadata_visibility() == v1::Visibility::Public,
    };
    visible && dataset.state() == v1::DatasetState::Published
}

fn sets(description: v1::DatasetDescription) -> Sets {
    let level = octroi_proto::Level::from_wire(description.level).ok().flatten().unwrap_or_default();
    let themes = description.discovery.map(|it| it.themes).unwrap_or_default();
    Sets { level: level.as_str().to_owned(), themes, publisher: description.publisher }
}

impl View<'_> {
    /// Where a dataset stands in the feed; none if everybody could never know of it.
    pub fn listing(&self, id: &DatasetId) -> Result<Option<Listing>, ReadError> {
        let Some(row) = self.row(&Table::Listings.key(&[id.as_str().as_bytes()]))? else { return Ok(None) };
        let row = ListingRow::decode(row.as_slice()).ok().and_then(|row| row.listing(id.clone()));
        row.map(Some).ok_or(ReadError::Damaged { table: Table::Listings.name() })
    }

    /// The feed as a whole.
    pub fn feed(&self) -> Result<FeedState, ReadError> {
        let Some(row) = self.row(&Table::Meta.key(&[b"feed"]))? else { return Ok(FeedState::default()) };
        let row = FeedRow::decode(row.as_slice()).ok().and_then(FeedRow::state);
        row.ok_or(ReadError::Damaged { table: Table::Meta.name() })
    }

    /// Listings from this position on, gone ones too.
    pub fn listings(&self, from: u64, limit: usize) -> Result<Vec<Listing>, ReadError> {
        self.listed(Table::FeedPositions, from.checked_sub(1), limit)
    }

    /// Listings behind this change, in the order of their changes, gone ones too.
    pub fn changes(&self, after: Option<u64>, limit: usize) -> Result<Vec<Listing>, ReadError> {
        self.listed(Table::FeedChanges, after, limit)
    }

    /// Datasets touched behind this entry, in that order, each with the entry of its last change.
    pub fn touched(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DatasetId)>, ReadError> {
        let damaged = || ReadError::Damaged { table: Table::Touches.name() };
        let after = after.map(|after| Table::Touches.key(&[&after.to_be_bytes()]));
        let rows = self.rows(Table::Touches.prefix(&[], b""), after).take(limit.min(super::PAGE));
        rows.map(|row| {
            let (key, id) = row?;
            let entry = key.last_chunk().copied().map(u64::from_be_bytes).ok_or_else(damaged)?;
            let id = String::from_utf8(id).ok().and_then(|id| id.parse().ok()).ok_or_else(damaged)?;
            Ok((entry, id))
        })
        .collect()
    }

    fn listed(&self, table: Table, after: Option<u64>, limit: usize) -> Result<Vec<Listing>, ReadError> {
        let damaged = || ReadError::Damaged { table: table.name() };
        let after = after.map(|after| table.key(&[&after.to_be_bytes()]));
        let rows = self.rows(table.prefix(&[], b""), after).take(limit.min(super::PAGE));
        rows.map(|row| {
            let id = String::from_utf8(row?.1).ok().and_then(|id| id.parse().ok()).ok_or_else(damaged)?;
            self.listing(&id)?.ok_or_else(damaged)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
