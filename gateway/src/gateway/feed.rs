//! The catalogue's feed: pages made from the register, and kept while nothing on them changes.
//!
//! A page shows what everybody may know of, whoever asks. It is written anew when a dataset on it changed, or when a
//! dataset came or went, since every page says how many there are; and now and then in any case, since a policy may
//! look at the clock.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use octroi_proto::{Dataset, DatasetId, Instant};
use ring::digest;
use tokio::sync::Semaphore;

use super::Gateway;
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise::Seen,
    catalogue::{
        Document, MOST_DATASETS, MOST_FILES, Page, Published, Shelf,
        dcat::{self, Addressed, Format},
    },
    registry::{FeedState, Listing},
};

/// The pages that were written.
#[derive(Debug)]
pub struct Feed {
    shelf: Shelf<PageKey, Made>,
    writers: Semaphore,
    waiting: AtomicUsize,
}

/// A page in one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PageKey {
    pub(crate) number: NonZeroU64,
    pub(crate) addressed: Addressed,
    pub(crate) format: Format,
}

/// What a page was made from.
#[derive(Debug)]
pub(crate) struct Made {
    /// Up to which change of the feed it is known to be good.
    change: AtomicU64,
    membership_changed: Instant,
    at: Instant,
}

/// A page as it is on the shelf.
pub(crate) type Written = Document<Made>;

/// Whether a page of the catalogue names the datasets' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    Shown,
    Hidden,
}

impl Feed {
    /// Room for so many bytes of pages.
    pub fn new(bytes: u64) -> Self {
        Self { shelf: Shelf::new(bytes), writers: Semaphore::new(WRITERS), waiting: AtomicUsize::new(0) }
    }

    pub(crate) fn shelf(&self) -> &Shelf<PageKey, Made> {
        &self.shelf
    }
}

impl Gateway {
    /// A page in one format; none past the end.
    ///
    /// # Errors
    /// [`Refusal`] when the register cannot be read, or too many wait for pages.
    pub(crate) async fn written(&self, key: PageKey) -> Result<Option<Arc<Written>>, Refusal> {
        let state = self.registry.feed().or_internal()?;
        if key.number > last_page(&state) {
            return Ok(None);
        }
        if let Some(good) = self.on_shelf(&key, &state)? {
            return Ok(Some(good));
        }
        let Some(_place) = Place::take(&self.feed.waiting) else { return Err(Refusal::Busy) };
        let _turn = self.feed.writers.acquire().await.or_internal()?;
        // Whoever was before us may have written it.
        let state = self.registry.feed().or_internal()?;
        if let Some(good) = self.on_shelf(&key, &state)? {
            return Ok(Some(good));
        }
        let gateway = self.clone();
        tokio::task::spawn_blocking(move || gateway.write(key)).await.or_internal()?
    }

    fn on_shelf(&self, key: &PageKey, state: &FeedState) -> Result<Option<Arc<Written>>, Refusal> {
        let Some(document) = self.feed.shelf.get(key) else { return Ok(None) };
        Ok(self.is_good(key.number, &document.state, state)?.then_some(document))
    }

    /// Whether nothing that a page shows changed since it was made.
    fn is_good(&self, number: NonZeroU64, made: &Made, state: &FeedState) -> Result<bool, Refusal> {
        let age = self.registry.now().as_second().saturating_sub(made.at.as_second());
        if made.membership_changed != state.membership_changed || !(0..OLDEST_SECONDS).contains(&age) {
            return Ok(false);
        }
        let known = made.change.load(Ordering::Acquire);
        if known == state.change {
            return Ok(true);
        }
        let changes = self.registry.changes(Some(known), MOST_CHANGES).or_internal()?;
        let first = first_position(number);
        let touches = |listing: &Listing| (first..first + MOST_DATASETS as u64).contains(&listing.position);
        if changes.len() == MOST_CHANGES || changes.iter().any(touches) {
            return Ok(false);
        }
        if let Some(last) = changes.last() {
            made.change.fetch_max(last.change, Ordering::AcqRel);
        }
        Ok(true)
    }

    fn write(&self, key: PageKey) -> Result<Option<Arc<Written>>, Refusal> {
        // The state first: what changes while the page is written makes it old, not wrong.
        let state = self.registry.feed().or_internal()?;
        let Some(read) = self.read_page(key.number, &state, Files::Shown)? else { return Ok(None) };
        let written = dcat::catalogue(&self.site, &read.page, key.addressed, key.format).or_internal()?;
        let made = Made {
            change: AtomicU64::new(state.change),
            membership_changed: state.membership_changed,
            at: self.registry.now(),
        };
        let modified = read.changed.max(state.membership_changed);
        let document = Document::new(&written, tag(&written), modified, made).or_internal()?;
        Ok(Some(self.feed.shelf.put(key, document)))
    }

    /// A page of the catalogue as everybody may see it; none past the end.
    ///
    /// # Errors
    /// [`Refusal`] when the register cannot be read.
    pub(crate) fn page(&self, number: NonZeroU64, files: Files) -> Result<Option<Page>, Refusal> {
        let state = self.registry.feed().or_internal()?;
        Ok(self.read_page(number, &state, files)?.map(|read| read.page))
    }

    fn read_page(&self, number: NonZeroU64, state: &FeedState, files: Files) -> Result<Option<Read>, Refusal> {
        let last = last_page(state);
        if number > last {
            return Ok(None);
        }
        let first = first_position(number);
        let listings = self.registry.listings(first, MOST_DATASETS).or_internal()?;
        let mut changed = Instant::UNIX_EPOCH;
        let mut left = match files {
            Files::Shown => FEED_FILES,
            Files::Hidden => 0,
        };
        let mut datasets = Vec::new();
        for listing in listings {
            changed = changed.max(listing.changed);
            if let Some(shown) = self.everybodys(&listing, left.min(MOST_FILES))? {
                left = left.saturating_sub(shown.files.len());
                datasets.push(shown);
            }
        }
        Ok(Some(Read { page: Page { number, last, total: state.listed, datasets }, changed }))
    }

    /// A listed dataset as everybody may see it, with at most so many files; none if it is gone, or a policy hides it.
    ///
    /// # Errors
    /// [`Refusal`] when the register cannot be read.
    pub(crate) fn everybodys(&self, listing: &Listing, most: usize) -> Result<Option<Published>, Refusal> {
        if listing.gone {
            return Ok(None);
        }
        let Some(dataset) = self.registry.dataset(&listing.dataset).or_internal()? else { return Ok(None) };
        let seen = self.gate.may_see(&Caller::Anonymous, &dataset);
        seen.map(|seen| self.published(seen, most)).transpose()
    }

    /// A dataset as it is shown, with its files where anyone may fetch them.
    ///
    /// # Errors
    /// [`Refusal`] when the register cannot be read.
    pub(crate) fn published(&self, seen: Seen<'_>, most: usize) -> Result<Published, Refusal> {
        let id = &seen.dataset().description.id;
        let shown = Published::of(seen, |origin| self.is_listed(origin));
        let shown = match self.registry.listing(id).or_internal()? {
            Some(listing) if !listing.gone => shown.as_of(listing.changed),
            Some(_) | None => shown,
        };
        if most == 0 || !shown.shows_files() {
            return Ok(shown);
        }
        let files = self.registry.objects(id, "", None, most.saturating_add(1)).or_internal()?;
        Ok(shown.with_files(files, most))
    }

    /// Whether everybody may know of a dataset: no other is named where everybody reads.
    fn is_listed(&self, id: &DatasetId) -> bool {
        let listed = self.registry.listing(id).ok().flatten().is_some_and(|it| !it.gone);
        let dataset: Option<Dataset> = listed.then(|| self.registry.dataset(id).ok().flatten()).flatten();
        dataset.is_some_and(|dataset| self.gate.may_see(&Caller::Anonymous, &dataset).is_some())
    }
}

struct Read {
    page: Page,
    changed: Instant,
}

/// One of those who wait for a page to be written.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        if waiting.fetch_add(1, Ordering::AcqRel) < MOST_WAITING {
            return Some(Self(waiting));
        }
        waiting.fetch_sub(1, Ordering::AcqRel);
        None
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A weak entity tag of a document (RFC 9110, section 8.8.3).
pub(crate) fn tag(written: &[u8]) -> String {
    let sum = digest::digest(&digest::SHA256, written);
    format!("W/\"{}\"", hex::encode(sum.as_ref().get(..16).unwrap_or_default()))
}

fn first_position(number: NonZeroU64) -> u64 {
    (number.get() - 1).saturating_mul(MOST_DATASETS as u64)
}

/// The last page there is; an empty catalogue has one.
fn last_page(state: &FeedState) -> NonZeroU64 {
    NonZeroU64::new(state.positions.div_ceil(MOST_DATASETS as u64)).unwrap_or(NonZeroU64::MIN)
}

/// Pages written at once.
const WRITERS: usize = 2;
/// Requests that may wait for a page.
const MOST_WAITING: usize = 256;
/// Changes that are looked through before a page is rather written anew.
const MOST_CHANGES: usize = 1_000;
/// How long a page is good without another look at the policies.
const OLDEST_SECONDS: i64 = 300;
/// Files on one page of a feed, at most: what bounds its size.
const FEED_FILES: usize = 10_000;
