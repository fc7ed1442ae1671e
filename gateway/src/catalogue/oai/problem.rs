//! What is wrong with a request: the error conditions of OAI-PMH 2.0, section 3.6.

use std::fmt;

/// An argument of a request, beside the verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Which item.
    Identifier,
    /// Which format.
    MetadataPrefix,
    /// No record from before this.
    From,
    /// No record from behind this.
    Until,
    /// Records of this set alone.
    Set,
    /// Where a list goes on.
    ResumptionToken,
}

impl Argument {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Identifier, Self::MetadataPrefix, Self::From, Self::Until, Self::Set, Self::ResumptionToken];

    /// Its name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::MetadataPrefix => "metadataPrefix",
            Self::From => "from",
            Self::Until => "until",
            Self::Set => "set",
            Self::ResumptionToken => "resumptionToken",
        }
    }

    /// What its values look like.
    fn form(self) -> &'static str {
        match self {
            Self::Identifier => "a URI such as `oai:data.example.org:velos`",
            Self::MetadataPrefix => "a prefix that ListMetadataFormats gives",
            Self::From | Self::Until => "a UTC date such as `2026-01-31` or `2026-01-31T12:00:00Z`",
            Self::Set => "a set that ListSets gives",
            Self::ResumptionToken => "the token that the list's last part gave",
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error condition. What it says of a request repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No verb.
    #[error("`verb` is missing: give one of the protocol's six")]
    VerbMissing,
    /// More than one.
    #[error("`verb` is given more than once")]
    VerbRepeated,
    /// None of the protocol's.
    #[error("`verb` must be Identify, ListMetadataFormats, ListSets, GetRecord, ListIdentifiers or ListRecords")]
    VerbUnknown,
    /// An argument that the verb does not take.
    #[error("there is an argument that this verb does not take")]
    UnknownArgument,
    /// An argument that the verb needs.
    #[error("`{0}` is missing")]
    Missing(Argument),
    /// An argument twice.
    #[error("`{0}` is given more than once")]
    Repeated(Argument),
    /// An argument that cannot be read.
    #[error("`{}` must be {}", .0.name(), .0.form())]
    Malformed(Argument),
    /// A token with other arguments.
    #[error("`resumptionToken` must be the only argument beside `verb`")]
    NotExclusive,
    /// A day and a second.
    #[error("`from` and `until` must have the same granularity")]
    Granularities,
    /// The wrong way round.
    #[error("`from` must not be later than `until`")]
    FromAfterUntil,
    /// A token that we did not give, or not for this list.
    #[error("the token is not one of this list: begin the list anew")]
    BadResumptionToken,
    /// A format that there is not.
    #[error("there is no such format: ask ListMetadataFormats")]
    CannotDisseminateFormat,
    /// An item that there is not, or that nobody may know of.
    #[error("there is no such item")]
    IdDoesNotExist,
    /// An empty list.
    #[error("no record matches")]
    NoRecordsMatch,
    /// An item without formats.
    #[error("the item is in no format")]
    NoMetadataFormats,
}

impl Problem {
    /// The protocol's code for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::VerbMissing | Self::VerbRepeated | Self::VerbUnknown => "badVerb",
            Self::UnknownArgument
            | Self::Missing(_)
            | Self::Repeated(_)
            | Self::Malformed(_)
            | Self::NotExclusive
            | Self::Granularities
            | Self::FromAfterUntil => "badArgument",
            Self::BadResumptionToken => "badResumptionToken",
            Self::CannotDisseminateFormat => "cannotDisseminateFormat",
            Self::IdDoesNotExist => "idDoesNotExist",
            Self::NoRecordsMatch => "noRecordsMatch",
            Self::NoMetadataFormats => "noMetadataFormats",
        }
    }

    /// Whether an answer to it may repeat the request's arguments (section 3.6: not of `badVerb` and `badArgument`).
    pub(super) fn allows_echo(self) -> bool {
        !matches!(self.code(), "badVerb" | "badArgument")
    }
}
