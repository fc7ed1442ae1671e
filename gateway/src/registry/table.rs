//! The rows of the index: their tables and keys.

/// A table of the index. All lie in one ordered tree, so that one batch changes any of them at once or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Meta,
    Datasets,
    Principals,
    ByCertificate,
    ByOidc,
    Organisations,
    /// Organisation and principal's name; no value.
    Members,
    Agreements,
    Requests,
    Grants,
    /// Dataset, organisation and grant's id; no value.
    GrantsByDataset,
    /// Organisation and grant's id; no value.
    GrantsByOrganisation,
    /// Dataset and object's key.
    Objects,
    /// Dataset.
    Schemas,
    /// Dataset and table's name.
    Tables,
    /// Dataset.
    Policies,
    /// Dataset: where it stands in the feed that everybody may read.
    Listings,
    /// Position in the feed; the dataset's id.
    FeedPositions,
    /// Entry of a listing's last change; the dataset's id.
    FeedChanges,
    /// Dataset: the entry of its own last change, or of its files'.
    Touched,
    /// That entry; the dataset's id.
    Touches,
}

impl Table {
    pub(super) const ALL: [Self; 21] = [
        Self::Meta,
        Self::Datasets,
        Self::Principals,
        Self::ByCertificate,
        Self::ByOidc,
        Self::Organisations,
        Self::Members,
        Self::Agreements,
        Self::Requests,
        Self::Grants,
        Self::GrantsByDataset,
        Self::GrantsByOrganisation,
        Self::Objects,
        Self::Schemas,
        Self::Tables,
        Self::Policies,
        Self::Listings,
        Self::FeedPositions,
        Self::FeedChanges,
        Self::Touched,
        Self::Touches,
    ];

    /// The byte that the keys of its rows begin with; part of the schema.
    fn tag(self) -> u8 {
        match self {
            Self::Meta => 0,
            Self::Datasets => 1,
            Self::Principals => 2,
            Self::ByCertificate => 3,
            Self::ByOidc => 4,
            Self::Organisations => 5,
            Self::Members => 6,
            Self::Agreements => 7,
            Self::Requests => 8,
            Self::Grants => 9,
            Self::GrantsByDataset => 10,
            Self::GrantsByOrganisation => 11,
            Self::Objects => 12,
            Self::Schemas => 13,
            Self::Tables => 14,
            Self::Policies => 15,
            Self::Listings => 16,
            Self::FeedPositions => 17,
            Self::FeedChanges => 18,
            Self::Touched => 19,
            Self::Touches => 20,
        }
    }

    /// The name for it in errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Datasets => "datasets",
            Self::Principals => "principals",
            Self::ByCertificate => "principals by certificate",
            Self::ByOidc => "principals by OIDC subject",
            Self::Organisations => "organisations",
            Self::Members => "members of organisations",
            Self::Agreements => "agreements",
            Self::Requests => "requests",
            Self::Grants => "grants",
            Self::GrantsByDataset => "grants by dataset",
            Self::GrantsByOrganisation => "grants by organisation",
            Self::Objects => "objects",
            Self::Schemas => "schemas",
            Self::Tables => "tables",
            Self::Policies => "policies",
            Self::Listings => "listings of the feed",
            Self::FeedPositions => "positions in the feed",
            Self::FeedChanges => "changes of the feed",
            Self::Touched => "last changes of datasets",
            Self::Touches => "datasets by their last change",
        }
    }

    /// The table that a row's key is of.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        let tag = key.first()?;
        Self::ALL.into_iter().find(|table| table.tag() == *tag)
    }

    /// A row's key. No part but the last may hold a zero byte; names and ids cannot, and OIDC issuers do not parse
    /// with one.
    pub(super) fn key(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut key = vec![self.tag()];
        key.extend(parts.join(&0));
        key
    }

    /// What the keys of all rows under these parts begin with; the last part may be cut short.
    pub(super) fn prefix(self, parts: &[&[u8]], last: &[u8]) -> Vec<u8> {
        let mut prefix = vec![self.tag()];
        for part in parts {
            prefix.extend(*part);
            prefix.push(0);
        }
        prefix.extend(last);
        prefix
    }
}

/// One row as it will be: its key, and its value or that it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}
