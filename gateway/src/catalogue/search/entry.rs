//! A dataset as the index holds it.

use octroi_proto::{DatasetId, Instant};

use super::super::{Licence, Published, file_type::file_type, slug};

/// What is searched of a dataset: words that are published, and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub(super) id: DatasetId,
    pub(super) everybodys: bool,
    pub(super) titles: Vec<String>,
    pub(super) title: String,
    pub(super) notes: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) organization: String,
    pub(super) publisher: String,
    pub(super) groups: Vec<String>,
    pub(super) license: &'static str,
    pub(super) formats: Vec<String>,
    pub(super) level: &'static str,
    pub(super) created: Instant,
    pub(super) modified: Instant,
}

impl Entry {
    /// What is published of a dataset, and whether everybody may know of it.
    pub fn new(dataset: &Published, everybodys: bool) -> Self {
        let texts = |texts: &octroi_proto::Localised| texts.iter().map(|(_, text)| text.to_owned()).collect();
        let mut formats: Vec<String> =
            dataset.files.iter().filter_map(|file| file_type(file.media_type.as_str())).map(str::to_owned).collect();
        formats.sort_unstable();
        formats.dedup();
        Self {
            id: dataset.id.clone(),
            everybodys,
            titles: texts(&dataset.title),
            title: dataset.title.preferring("fr").1.to_lowercase(),
            notes: texts(&dataset.description),
            tags: dataset.tags(),
            organization: slug(&dataset.publisher),
            publisher: dataset.publisher.clone(),
            groups: dataset.themes.iter().map(|theme| theme.code().to_ascii_lowercase()).collect(),
            license: Licence::of(&dataset.licence, dataset.level).id,
            formats,
            level: dataset.level.as_str(),
            created: dataset.issued.unwrap_or(dataset.modified),
            modified: dataset.modified,
        }
    }
}
