//! What is published of a dataset: an allow-list, field by field.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
};

use octroi_proto::{
    ContactPoint, Dataset, DatasetId, DatasetState, Instant, Level, Localised, MediaType, ObjectKey, Purpose,
    StoredObject,
    dataset::{
        DataLanguage, Discovery, Frequency, HighValueCategory, Limitation, Origin, SpatialCoverage, TemporalCoverage,
        Theme,
    },
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
    /// Keywords by language.
    pub(super) localised_keywords: BTreeMap<String, Vec<String>>,
    pub(super) themes: BTreeSet<Theme>,
    pub(super) frequency: Option<Frequency>,
    pub(super) languages: BTreeSet<DataLanguage>,
    pub(super) temporal: Vec<TemporalCoverage>,
    pub(super) spatial: Vec<SpatialCoverage>,
    pub(super) version: Option<String>,
    pub(super) landing_page: Option<String>,
    pub(super) high_value_categories: BTreeSet<HighValueCategory>,
    pub(super) legislation: Vec<String>,
    /// What it was made from, as far as whoever reads may know of that.
    pub(super) origins: Vec<Origin>,
    pub(super) standards: Vec<String>,
    pub(super) limitation: Option<Limitation>,
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
    /// What may be shown of a dataset to whom it may be shown. Datasets that it was made from are named as far as
    /// `known` says that they may be.
    pub fn of(seen: Seen<'_>, known: impl Fn(&DatasetId) -> bool) -> Self {
        let Dataset { description, state, published, modified, revision: _, registered: _ } = seen.dataset();
        let Discovery {
            keywords,
            themes,
            frequency,
            languages,
            temporal,
            spatial,
            version,
            landing_page,
            high_value_categories,
            legislation,
            derived_from,
            standards,
            limitation,
        } = &description.discovery;
        let origin_is_known = |origin: &&Origin| match origin {
            Origin::Dataset(id) => known(id),
            Origin::Elsewhere(_) => true,
        };
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
            localised_keywords: keywords.clone(),
            themes: themes.clone(),
            frequency: *frequency,
            languages: languages.clone(),
            temporal: temporal.clone(),
            spatial: spatial.clone(),
            version: version.clone(),
            landing_page: landing_page.clone(),
            high_value_categories: high_value_categories.clone(),
            legislation: legislation.clone(),
            origins: derived_from.iter().filter(origin_is_known).cloned().collect(),
            standards: standards.clone(),
            limitation: *limitation,
            issued: *published,
            modified: *modified,
            current: *state == DatasetState::Published,
            files: Vec::new(),
            more_files: false,
            open: seen.open(),
        }
    }

    /// With links to at most so many of its files, where a stranger may fetch them; else unchanged.
    #[must_use]
    pub fn with_files(mut self, objects: impl IntoIterator<Item = StoredObject>, most: usize) -> Self {
        if !self.open {
            return self;
        }
        let mut files = objects.into_iter().map(File::from);
        self.files = files.by_ref().take(most).collect();
        self.more_files = files.next().is_some();
        self
    }

    /// Its keywords in every language, each once.
    pub(super) fn tags(&self) -> Vec<String> {
        let mut tags = self.keywords.clone();
        for keyword in self.localised_keywords.values().flatten() {
            if !tags.contains(keyword) {
                tags.push(keyword.clone());
            }
        }
        tags
    }

    /// Who publishes it.
    pub(crate) fn publisher(&self) -> &str {
        &self.publisher
    }

    /// When what is shown last changed.
    pub(crate) fn modified(&self) -> Instant {
        self.modified
    }

    /// As of the last change that shows: of its description, or of its files.
    #[must_use]
    pub fn as_of(self, changed: Instant) -> Self {
        Self { modified: changed.max(self.modified), ..self }
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
    /// Which: 1 for the first.
    pub number: NonZeroU64,
    /// The last there is.
    pub last: NonZeroU64,
    /// Datasets on all pages.
    pub total: u64,
    /// In the order in which they were first published, at most [`MOST_DATASETS`]. What was withdrawn leaves its place
    /// empty, so that nothing behind it moves while somebody reads.
    pub datasets: Vec<Published>,
}

impl Page {
    /// The page before.
    pub(super) fn previous(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.number.get() - 1)
    }

    /// The page behind.
    pub(super) fn next(&self) -> Option<NonZeroU64> {
        (self.number < self.last).then(|| self.number.saturating_add(1))
    }
}
