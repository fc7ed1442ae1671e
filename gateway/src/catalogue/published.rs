//! What is published of a dataset: an allow-list, field by field.

use octroi_proto::{
    ContactPoint, Dataset, DatasetId, DatasetState, Instant, Level, Localised, MediaType, ObjectKey, Purpose,
    StoredObject,
};

use crate::authorise::Seen;

/// Datasets on one page, at most.
pub const MOST_DATASETS: usize = 100;

/// Files shown of one dataset, at most: what makes a page's size bounded.
pub const MOST_FILES: usize = 1_000;

/// A dataset as the catalogue shows it. Owner and purposes are among what is shown, since whoever discloses data must
/// say who answers for it and what it may be used for (requirement 49). Its steward, its retention, its impact levels
/// and how it is kept are not.
#[derive(Debug, Clone)]
pub struct Published {
    pub(super) id: DatasetId,
    pub(super) title: Localised,
    pub(super) description: Localised,
    pub(super) keywords: Vec<String>,
    pub(super) publisher: String,
    pub(super) owner: String,
    pub(super) contact_point: ContactPoint,
    pub(super) licence: String,
    pub(super) purposes: Vec<Purpose>,
    pub(super) level: Level,
    pub(super) agreement_required: bool,
    /// First publication.
    pub(super) issued: Option<Instant>,
    pub(super) modified: Instant,
    /// Whether access can be asked for: what is in no feed is not lent.
    pub(super) current: bool,
    pub(crate) files: Vec<File>,
    /// Whether there are more than are shown.
    pub(super) more_files: bool,
    open: bool,
}

/// A file that anyone may download.
#[derive(Debug, Clone)]
pub struct File {
    pub(super) key: ObjectKey,
    pub(super) media_type: MediaType,
    pub(super) length: u64,
    pub(super) stored: Instant,
}

impl Published {
    /// What may be shown of a dataset to whom it may be shown.
    pub fn of(seen: Seen<'_>) -> Self {
        let Dataset { description, state, published, modified, revision: _, registered: _ } = seen.dataset();
        Self {
            id: description.id.clone(),
            title: description.title.clone(),
            description: description.description.clone(),
            keywords: description.keywords.clone(),
            publisher: description.publisher.clone(),
            owner: description.owner.clone(),
            contact_point: description.contact_point.clone(),
            licence: description.licence.clone(),
            purposes: description.purposes.clone(),
            level: description.level,
            agreement_required: description.agreement_required,
            issued: *published,
            modified: *modified,
            current: *state == DatasetState::Published,
            files: Vec::new(),
            more_files: false,
            open: seen.open(),
        }
    }

    /// With links to its files, where a stranger may fetch them; else unchanged. At most [`MOST_FILES`] are shown.
    #[must_use]
    pub fn with_files(mut self, objects: impl IntoIterator<Item = StoredObject>) -> Self {
        if !self.open {
            return self;
        }
        let mut files = objects.into_iter().map(File::from);
        self.files = files.by_ref().take(MOST_FILES).collect();
        self.more_files = files.next().is_some();
        self
    }

    /// Whether [`Published::with_files`] would show any: no need to read them otherwise.
    pub fn shows_files(&self) -> bool {
        self.open
    }

    /// Whether access to it can be asked for.
    pub(super) fn lends(&self) -> bool {
        self.level == Level::QuasiSensitive && self.current
    }
}

impl From<StoredObject> for File {
    fn from(object: StoredObject) -> Self {
        Self { key: object.key, media_type: object.media_type, length: object.length, stored: object.stored }
    }
}

/// One page of the catalogue.
#[derive(Debug, Clone)]
pub struct Page {
    /// The dataset that the page before ended with; absent on the first page.
    pub after: Option<DatasetId>,
    /// In the order of their ids, at most [`MOST_DATASETS`].
    pub datasets: Vec<Published>,
    /// What to continue after; absent on the last page.
    pub next: Option<DatasetId>,
}
