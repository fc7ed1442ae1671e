//! Why a question is refused before any key is asked for, and why an answer is kept back afterwards.
//!
//! The first says what the question alone shows, plainly. The second is for the steward, one word of a fixed list: it may
//! depend on data, so nothing of it reaches who asked.

#![expect(clippy::wildcard_enum_match_arm, reason = "enums of other crates: what is not named is the engine failing")]

use std::io;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use octroi_proto::wire::zone as wire;
use octroi_release::{Objection, Rejection, judge::roles::Offence, noise::NoNoise};

use super::place::place;

/// Why a question is refused, and where in it.
#[derive(Debug, thiserror::Error)]
#[error("{refusal}")]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    /// Byte offsets into the SQL.
    pub(super) at: Option<(u32, u32)>,
}

/// Why a question is refused. Says nothing of data: there is none yet.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    /// Above the limit of text or of what can be checked.
    #[error("the question is too long: ask it in parts")]
    TooLong,
    /// Not SQL.
    #[error("the question is not SQL as it is understood here: {text}")]
    Syntax { text: String },
    /// Not one query.
    #[error("a question is one SELECT: nothing else runs here")]
    OneSelect,
    /// A table that the question was not admitted for, or that there is not.
    #[error("there is no table `{name}` in the datasets asked: write \"dataset\".\"table\", or name its dataset too")]
    UnknownTable { name: String },
    /// A column that no table asked has.
    #[error("there is no column `{name}` in the tables asked")]
    UnknownColumn { name: String },
    /// A column that several tables have.
    #[error("column `{name}` is in several tables: write which one's")]
    AmbiguousColumn { name: String },
    /// A function off the list.
    #[error("function `{name}` may not be used in a question")]
    Function { name: String },
    /// SQL that makes no sense.
    #[error("the question makes no sense: {text}")]
    Senseless { text: String },
    /// A construct off the list.
    #[error("{construct} may not be used in a question: {instead}")]
    NotAllowed { construct: &'static str, instead: &'static str },
    /// What cannot be read as a plan.
    #[error(transparent)]
    Judged(#[from] Rejection),
    /// Tables whose steward allows no answer but with noise, and a question that cannot have it.
    #[error("the tables asked are answered with noise alone, and this question cannot be: {0}")]
    NoNoise(#[source] NoNoise),
    /// The same, of keys that are not listed.
    #[error(
        "the tables asked are answered with noise alone: group by columns with declared values, each as it is, in one \
         grouping, or by none"
    )]
    Unlisted,
    /// What the release policies do not allow.
    #[error(transparent)]
    Objected(#[from] Box<Objection>),
}

/// Why nothing may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    /// No keys came, or not those asked for.
    #[error("keys_refused")]
    KeysRefused,
    /// A table's file is not the one that was loaded, or is damaged.
    #[error("damaged_file")]
    DamagedFile,
    /// Memory and scratch together are not enough.
    #[error("out_of_memory")]
    OutOfMemory,
    /// It took too long.
    #[error("out_of_time")]
    OutOfTime,
    /// More rows, or longer ones, than an answer may have.
    #[error("too_many_rows")]
    TooManyRows,
    /// No cell is about enough subjects.
    #[error("too_few_subjects")]
    TooFewSubjects,
    /// Together with earlier answers, nothing of it may leave.
    #[error("disclosive")]
    Disclosive,
    /// There is no budget for the noise that it would need.
    #[error("noise_spent")]
    NoiseSpent,
    /// What was released before is not here as it was recorded.
    #[error("history_damaged")]
    HistoryDamaged,
    /// No more can be recorded of these rows.
    #[error("history_full")]
    HistoryFull,
    /// A column that a join rests on has a value twice: rows would be counted twice.
    #[error("ambiguous_key")]
    AmbiguousKey,
    /// The engine failed.
    #[error("engine_failed")]
    EngineFailed,
}

impl Refused {
    /// What the policies do not allow, and where.
    pub(super) fn objected(objection: Objection, sql: &str) -> Self {
        let at = place(&objection, sql);
        Self { refusal: Refusal::Objected(Box::new(objection)), at }
    }

    /// As it is told to who asked.
    pub(super) fn to_wire(&self) -> wire::Rejected {
        let (from, to) = self.at.unwrap_or_default();
        // A name in it can be as long as the question.
        let text = self.refusal.to_string().chars().take(MOST_TEXT).collect();
        wire::Rejected { code: self.refusal.code().to_owned(), text, from, to }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, at: None }
    }
}

impl Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Syntax { .. } | Self::Senseless { .. } | Self::OneSelect => "syntax",
            Self::UnknownTable { .. } => "unknown_table",
            Self::UnknownColumn { .. } | Self::AmbiguousColumn { .. } => "unknown_column",
            Self::Function { .. } | Self::NotAllowed { .. } | Self::NoNoise(_) | Self::Unlisted => "not_allowed",
            Self::Judged(rejection) => code(rejection),
            Self::Objected(objection) => match &objection.offence {
                Offence::Rejected(rejection) => code(rejection),
                Offence::NoPolicy { .. }
                | Offence::NoRole { .. }
                | Offence::Role { .. }
                | Offence::Construct { .. }
                | Offence::SeveralColumns
                | Offence::NoColumn
                | Offence::SplitsBins { .. }
                | Offence::NoChoice { .. }
                | Offence::Nothing { .. }
                | Offence::JoinKey
                | Offence::OuterJoin
                | Offence::SensitiveForm { .. }
                | Offence::TwoSensitive { .. }
                | Offence::SensitiveCondition { .. } => "not_allowed",
            },
        }
    }
}

fn code(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::TooLong => "too_long",
        Rejection::NoTable => "unknown_table",
        Rejection::Column | Rejection::Hidden { .. } => "unknown_column",
        Rejection::Uncountable { .. } => "unit_missing",
        Rejection::Type { .. }
        | Rejection::Bounds { .. }
        | Rejection::Cast
        | Rejection::TooWide
        | Rejection::Join
        | Rejection::Malformed => "not_allowed",
    }
}

impl Cause {
    /// As it is told to the steward.
    pub(super) fn to_wire(self) -> wire::Withheld {
        wire::Withheld { cause: self.to_string() }
    }
}

/// The kind alone is kept: the engine's texts hold values.
impl From<DataFusionError> for Cause {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::OutOfMemory,
            DataFusionError::IoError(error) if error.kind() == io::ErrorKind::StorageFull => Self::OutOfMemory,
            DataFusionError::ArrowError(error, _) if is_full(error) => Self::OutOfMemory,
            DataFusionError::ParquetError(_) | DataFusionError::IoError(_) => Self::DamagedFile,
            DataFusionError::ArrowError(error, _)
                if matches!(**error, ArrowError::ParquetError(_) | ArrowError::ExternalError(_)) =>
            {
                Self::DamagedFile
            }
            _ => Self::EngineFailed,
        }
    }
}

/// The scratch disk is.
fn is_full(error: &ArrowError) -> bool {
    matches!(error, ArrowError::IoError(_, error) if error.kind() == io::ErrorKind::StorageFull)
}

/// Characters of what is told to who asked.
const MOST_TEXT: usize = 1_000;
