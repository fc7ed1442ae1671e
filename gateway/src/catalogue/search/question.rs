//! What is asked of the index, and what it answers.

use std::str::FromStr;

use octroi_proto::DatasetId;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Words and conditions; empty or `*:*` for all.
    pub words: String,
    /// Conditions that all must hold.
    pub filters: Vec<String>,
    /// Whose datasets.
    pub whose: Whose,
    /// In which order.
    pub order: Order,
    /// How many to leave out at the beginning.
    pub start: usize,
    /// How many to name, at most [`Question::MOST_ROWS`].
    pub rows: usize,
    /// What to count by.
    pub facets: Vec<Facet>,
    /// How many values of each facet to name, the most frequent first; at most [`Question::MOST_VALUES`].
    pub values: usize,
}

/// Whose datasets are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Those that everybody may know of.
    Everybodys,
    /// The others: hidden ones, those of members, drafts, what was withdrawn.
    Others,
    /// Those that everybody may know of, and these of the others.
    EverybodysAnd(Vec<DatasetId>),
}

/// The order of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The best match first.
    #[default]
    Relevance,
    /// By a field.
    By {
        /// Which.
        field: OrderField,
        /// The largest first.
        descending: bool,
    },
}

/// What results can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderField {
    /// The id.
    Id,
    /// The title in the catalogue's first language.
    Title,
    /// First publication.
    Created,
    /// Last change.
    Modified,
}

/// What results can be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    /// The publisher.
    Organization,
    /// The theme.
    Groups,
    /// A keyword.
    Tags,
    /// The licence.
    License,
    /// The format of files.
    Format,
    /// The level.
    Level,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How many in all.
    pub total: usize,
    /// Those from `start` on.
    pub datasets: Vec<DatasetId>,
    /// Of each facet its values with their numbers, in the order in which they were asked for.
    pub facets: Vec<(Facet, Vec<(String, u64)>)>,
}

/// Words that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// Not of the syntax.
    #[error("is no query: write words, or `field:value`, with AND, OR, NOT, quotes and parentheses")]
    Syntax,
    /// A field that is none.
    #[error(
        "names a field that is not searched: use title, notes, tags, organization, groups, license_id, res_format, level, metadata_created or metadata_modified"
    )]
    Field,
    /// A value that its field cannot have.
    #[error("has a value that its field cannot have: write dates as `2026-01-31T00:00:00Z`")]
    Value,
    /// Longer or deeper than is looked at.
    #[error("must be at most 2,000 characters, and parentheses at most 16 deep")]
    TooLong,
    /// No such order.
    #[error("must be `score`, `name`, `title_string`, `metadata_created` or `metadata_modified`, with `asc` or `desc`")]
    Order,
}

impl Order {
    /// The last change first.
    pub const NEWEST: Self = Self::By { field: OrderField::Modified, descending: true };

    /// Nothing is a better match for nothing: then the newest first, as CKAN has it.
    pub fn for_words(self, words: &str) -> Self {
        if self == Self::Relevance && matches!(words.trim(), "" | "*:*") { Self::NEWEST } else { self }
    }
}

impl Question {
    /// The most that one answer names.
    pub const MOST_ROWS: usize = 1_000;
    /// The most values of one facet.
    pub const MOST_VALUES: usize = 1_000;

    /// All datasets of everybody's, in the order of their ids.
    pub fn everything(start: usize, rows: usize) -> Self {
        Self {
            words: String::new(),
            filters: Vec::new(),
            whose: Whose::Everybodys,
            order: Order::By { field: OrderField::Id, descending: false },
            start,
            rows,
            facets: Vec::new(),
            values: 0,
        }
    }
}

impl Facet {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Organization, Self::Groups, Self::Tags, Self::License, Self::Format, Self::Level];

    /// The facet of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facet| facet.name() == name)
    }

    /// Its name, as CKAN has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Groups => "groups",
            Self::Tags => "tags",
            Self::License => "license_id",
            Self::Format => "res_format",
            Self::Level => "level",
        }
    }
}

/// As Solr writes it: `metadata_modified desc`. Of several, the first counts.
impl FromStr for Order {
    type Err = InvalidQuery;

    fn from_str(text: &str) -> Result<Self, InvalidQuery> {
        let first = text.split(',').next().unwrap_or_default();
        let mut words = first.split_whitespace();
        let name = words.next().ok_or(InvalidQuery::Order)?;
        let direction = words.next().map(str::to_ascii_lowercase);
        let descending = match (direction.as_deref(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            (_, _) => return Err(InvalidQuery::Order),
        };
        let field = match name {
            "score" | "relevance" => return Ok(Self::Relevance),
            "id" | "name" => OrderField::Id,
            "title" | "title_string" => OrderField::Title,
            "metadata_created" => OrderField::Created,
            "metadata_modified" => OrderField::Modified,
            _ => return Err(InvalidQuery::Order),
        };
        Ok(Self::By { field, descending })
    }
}
