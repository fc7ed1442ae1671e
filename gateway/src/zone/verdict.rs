//! How a question ends, from what its zone said: an answer of sound shape, or none. A zone that has seen data is
//! hostile: its answer is bounded, typed, and made anew from what was understood. An answer that is about somebody is
//! sealed, and opens once its release is recorded; one in clear is taken where the question's tables are about nobody.

use octroi_attest::{
    history::{self, COMMITMENT_BYTES, Head, MOST_RECORD, SEAL},
    said,
};
use octroi_proto::{
    Instant,
    wire::{
        v1::{AnswerColumn, AnswerRow, AnswerTable, AnswerValue, answer_value::Value},
        zone::{Answer, SealedRelease, Withheld, answer},
    },
};
use prost::Message as _;

use super::{Limits, NoKeys, Subject, history::NotRecorded};
use crate::keys::{Committed, FactTable};

/// What a zone made of a question once it had keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// An answer that cannot be read yet.
    Sealed(Box<Sealed>),
    /// The end of it.
    Ended(Verdict),
}

/// A sealed answer within its bounds, of rows that the question is about. Only this module makes one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sealed {
    table: FactTable,
    release: SealedRelease,
}

/// A release that the history has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    /// Of whose rows.
    pub(super) table: FactTable,
    /// 1 for the first one of these rows.
    pub(super) sequence: u64,
    /// What the history comes to with it.
    pub(super) head: Head,
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// With an answer that may leave.
    Answered(Sound),
    /// Without; for the evidence alone.
    Withheld(Cause),
}

/// An answer whose rows fit its columns and whose size fits the limits, recorded unless it is about nobody. Only this
/// module makes one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sound {
    table: AnswerTable,
    recorded: Option<Recorded>,
}

/// Why nothing leaves: for auditors and stewards, in the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The zone says why, in a word of its list.
    Zone(&'static str),
    /// The zone gave a cause that is not of the list.
    Unnamed,
    /// Too slow.
    Timeout,
    /// The zone ended, or its channel broke.
    ZoneLost,
    /// The zone said what it should not have, or an answer that is none.
    ZoneLied,
    /// More rows than an answer may have.
    TooManyRows,
    /// More bytes than an answer may have.
    TooLarge,
    /// The key process refused the launch, a column or a file.
    KeysRefused,
    /// The key process failed.
    KeysUnavailable,
    /// Other releases of the same rows came first, each time.
    Superseded,
    /// The history of releases is not what was recorded.
    HistoryDamaged,
    /// The history of releases has no room for another one.
    HistoryFull,
    /// The release could not be kept.
    HistoryUnkept,
    /// What was granted had ended by the release.
    PermitEnded,
    /// The question was not allowed by itself; its asker was told why.
    Rejected,
    /// The asker went away.
    Abandoned,
    /// It was only to be judged; its asker was told what of it.
    Checked,
}

impl Cause {
    /// The word for it in the evidence.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Zone(word) => word,
            Self::Unnamed => "unnamed",
            Self::Timeout => "timeout",
            Self::ZoneLost => "zone_lost",
            Self::ZoneLied => "zone_lied",
            Self::TooManyRows => "too_many_rows",
            Self::TooLarge => "too_large",
            Self::KeysRefused => "keys_refused",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Superseded => "superseded",
            Self::HistoryDamaged => "history_damaged",
            Self::HistoryFull => "history_full",
            Self::HistoryUnkept => "history_unkept",
            Self::PermitEnded => "permit_ended",
            Self::Rejected => "rejected",
            Self::Abandoned => "abandoned",
            Self::Checked => "checked",
        }
    }

    /// What a zone says of itself. A word that is not of the list says nothing: it could be made of data.
    pub(super) fn of_zone(word: &str) -> Self {
        match word {
            "history_damaged" => Self::HistoryDamaged,
            "history_full" => Self::HistoryFull,
            word => ZONES.iter().find(|known| **known == word).map_or(Self::Unnamed, |known| Self::Zone(known)),
        }
    }
}

/// The causes that a zone may give.
const ZONES: &[&str] = &[
    "out_of_memory",
    "out_of_time",
    "damaged_file",
    "engine_failed",
    "too_many_rows",
    "too_few_subjects",
    "disclosive",
    "ambiguous_key",
    "keys_refused",
];

impl Cause {
    pub(super) fn of_keys(error: &NoKeys) -> Self {
        match error {
            NoKeys::Refused => Self::KeysRefused,
            NoKeys::Unavailable => Self::KeysUnavailable,
        }
    }
}

impl From<NotRecorded> for Cause {
    fn from(error: NotRecorded) -> Self {
        match error {
            NotRecorded::Superseded => Self::Superseded,
            NotRecorded::Denied => Self::ZoneLied,
            NotRecorded::Full => Self::HistoryFull,
            NotRecorded::Damaged => Self::HistoryDamaged,
            NotRecorded::Unkept => Self::HistoryUnkept,
            NotRecorded::Unavailable => Self::KeysUnavailable,
        }
    }
}

impl Sound {
    pub(super) fn into_parts(self) -> (AnswerTable, Option<Recorded>) {
        (self.table, self.recorded)
    }
}

impl Sealed {
    fn parse(release: SealedRelease, subject: &Subject, limits: &Limits) -> Result<Self, Cause> {
        let about = subject.facts().into_iter().map(|(table, _)| table);
        let table = about.into_iter().find(|table| table.to_string() == release.table).ok_or(Cause::ZoneLied)?;
        if release.commitment.len() != COMMITMENT_BYTES || release.record.len() < SEAL || release.answer.len() < SEAL {
            return Err(Cause::ZoneLied);
        }
        let answer = u64::try_from(release.answer.len() - SEAL).unwrap_or(u64::MAX);
        if release.record.len() > MOST_RECORD + SEAL || answer > limits.result_bytes {
            return Err(Cause::TooLarge);
        }
        Ok(Self { table, release })
    }

    /// Of whose rows.
    pub(super) fn table(&self) -> &FactTable {
        &self.table
    }

    /// Its place in their history, by its zone.
    pub(super) fn sequence(&self) -> u64 {
        self.release.sequence
    }

    /// The record and the commitment to it, which are of no use afterwards.
    pub(super) fn take_record(&mut self) -> (Vec<u8>, Vec<u8>) {
        (std::mem::take(&mut self.release.record), std::mem::take(&mut self.release.commitment))
    }

    /// The end that it is, once it is recorded.
    pub(super) fn opened(self, committed: &Committed, limits: &Limits) -> Verdict {
        let opened = history::open_answer(&committed.answer_key, &self.release.answer).ok();
        let Some(table) = opened.and_then(|answer| said::decode_table(&answer).ok()) else {
            return Verdict::Withheld(Cause::ZoneLied);
        };
        let Committed { sequence, head, .. } = *committed;
        ended(table, Some(Recorded { table: self.table, sequence, head }), limits)
    }
}

/// What a zone's answer is.
pub(super) fn answered(answer: Answer, subject: &Subject, limits: &Limits) -> Told {
    match answer.answer {
        Some(answer::Answer::Release(release)) => match Sealed::parse(release, subject, limits) {
            Ok(sealed) => Told::Sealed(Box::new(sealed)),
            Err(cause) => Told::Ended(Verdict::Withheld(cause)),
        },
        Some(answer::Answer::Table(table)) if subject.facts().is_empty() => Told::Ended(ended(table, None, limits)),
        Some(answer::Answer::Table(_)) | None => Told::Ended(Verdict::Withheld(Cause::ZoneLied)),
    }
}

fn ended(table: AnswerTable, recorded: Option<Recorded>, limits: &Limits) -> Verdict {
    match sound(table, limits) {
        Ok(table) => Verdict::Answered(Sound { table, recorded }),
        Err(cause) => Verdict::Withheld(cause),
    }
}

/// The end that a zone's refusal is.
pub(super) fn withheld(withheld: &Withheld) -> Verdict {
    Verdict::Withheld(Cause::of_zone(&withheld.cause))
}

fn sound(table: AnswerTable, limits: &Limits) -> Result<AnswerTable, Cause> {
    let count = |rows: &[AnswerRow]| u64::try_from(rows.len()).unwrap_or(u64::MAX);
    if count(&table.rows) > limits.result_rows || count(&table.keys_without_value) > MOST_KEYS {
        return Err(Cause::TooManyRows);
    }
    if u64::try_from(table.encoded_len()).unwrap_or(u64::MAX) > limits.result_bytes {
        return Err(Cause::TooLarge);
    }
    if fits(&table) { Ok(table) } else { Err(Cause::ZoneLied) }
}

fn fits(table: &AnswerTable) -> bool {
    let AnswerTable { columns, rows, keys_without_value: keys, noise_epsilon } = table;
    // Rows with noise can have been left out by what follows the cells.
    if *noise_epsilon > MOST_EPSILON || (*noise_epsilon == 0 && rows.iter().any(|row| row.noise != 0)) {
        return false;
    }
    let Some(kinds) = kinds(columns) else { return false };
    let key_columns = keys.first().map_or(0, |key| key.values.len());
    (1..=MOST_COLUMNS).contains(&columns.len())
        && rows.iter().all(|row| {
            row.values.len() == columns.len()
                && (columns.len() >= 64 || row.noise >> columns.len() == 0)
                && row.values.iter().zip(&kinds).all(|(value, kind)| kind.takes(value))
        })
        && keys.iter().all(|key| {
            (1..=columns.len()).contains(&key_columns)
                && key.values.len() == key_columns
                && key.values.iter().all(is_key)
        })
}

fn kinds(columns: &[AnswerColumn]) -> Option<Vec<Kind>> {
    let kind = |column: &AnswerColumn| {
        let named = octroi_proto::id::line(&column.name, MOST_NAME).is_ok();
        let rounded = octroi_proto::id::line(&column.rounding, MOST_ROUNDING).is_ok();
        let spread = column.noise_deviation.is_finite() && column.noise_deviation >= 0.0;
        (named && rounded && spread).then(|| Kind::parse(&column.r#type)).flatten()
    };
    columns.iter().map(kind).collect()
}

/// What a column of an answer holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Boolean,
    Integer,
    Float,
    String,
    Date,
    Timestamp,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "float" => Self::Float,
            "string" => Self::String,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }

    /// Whether a value is of this kind; a missing one is of every.
    fn takes(self, value: &AnswerValue) -> bool {
        let Some(value) = &value.value else { return true };
        match (self, value) {
            (Self::Boolean, Value::Boolean(_))
            | (Self::Integer, Value::Integer(_))
            | (Self::Float, Value::Float(_))
            | (Self::String, Value::String(_)) => true,
            (Self::Date, Value::String(text)) => text.len() <= MOST_TIME && text.parse::<jiff::civil::Date>().is_ok(),
            (Self::Timestamp, Value::String(text)) => text.len() <= MOST_TIME && text.parse::<Instant>().is_ok(),
            (
                Self::Boolean | Self::Integer | Self::Float | Self::String | Self::Date | Self::Timestamp,
                Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::String(_),
            ) => false,
        }
    }
}

/// Keys of a declared domain are strings or integers, and there.
fn is_key(value: &AnswerValue) -> bool {
    matches!(value.value, Some(Value::String(_) | Value::Integer(_)))
}

const MOST_COLUMNS: usize = 500;
const MOST_KEYS: u64 = 1 << 20;
/// Characters of a column's name: an expression as it was written.
const MOST_NAME: usize = 1_000;
const MOST_ROUNDING: usize = 64;
/// Of one question, thousandths: no policy allows more.
pub(super) const MOST_EPSILON: u32 = 1_000;
/// Characters of a date or a moment.
const MOST_TIME: usize = 40;

#[cfg(test)]
mod tests {
    use super::{super::tests::world, *};
    use proptest::prelude::*;

    fn column(kind: &str) -> AnswerColumn {
        AnswerColumn {
            name: format!("a {kind}"),
            r#type: kind.to_owned(),
            rounding: "none".to_owned(),
            noise_deviation: 0.0,
        }
    }

    fn row(values: &[Option<Value>]) -> AnswerRow {
        AnswerRow { values: values.iter().map(|value| AnswerValue { value: value.clone() }).collect(), noise: 0 }
    }

    fn end(table: AnswerTable) -> Option<Cause> {
        match answered(plain(table), &subject(&[]), &world::limits()) {
            Told::Ended(Verdict::Answered(sound)) => {
                assert_eq!(sound.recorded, None);
                None
            }
            Told::Ended(Verdict::Withheld(cause)) => Some(cause),
            Told::Sealed(_) => panic!("sealed"),
        }
    }

    fn plain(table: AnswerTable) -> Answer {
        Answer { answer: Some(answer::Answer::Table(table)) }
    }

    fn subject(about: &[&str]) -> Subject {
        let holding = world::holding_about(about, &[("trips", &[9])]);
        Subject::new(vec![(world::dataset_id(), holding)], "trips").unwrap()
    }

    fn history_key() -> octroi_attest::HistoryKey {
        octroi_attest::HistoryKey { table: "mobility/trips".into(), key: [7; 32].into(), sequence: 4, head: [1; 32] }
    }

    fn told(about: &[&str], change: impl FnOnce(&mut SealedRelease)) -> Told {
        let mut release = history_key().seal(b"record", &good().encode_to_vec()).unwrap();
        change(&mut release);
        answered(Answer { answer: Some(answer::Answer::Release(release)) }, &subject(about), &world::limits())
    }

    #[test]
    fn an_answer_about_somebody_is_sealed_and_one_about_nobody_is_not() {
        let Told::Sealed(mut sealed) = told(&["person"], |_| ()) else { panic!("it is sound") };
        assert_eq!((sealed.table().to_string().as_str(), sealed.sequence()), ("mobility/trips", 5));
        let (_, commitment) = sealed.take_record();
        let history::Commitment { sequence, head, answer_key, .. } = history_key().commit(&commitment).unwrap();
        let committed = Committed { sequence, head, answer_key };
        let Verdict::Answered(sound) = sealed.clone().opened(&committed, &world::limits()) else { panic!("withheld") };
        let table = "mobility/trips".parse().unwrap();
        assert_eq!(sound.into_parts(), (good(), Some(Recorded { table, sequence: 5, head })));
        let other = Committed { answer_key: [1; 32].into(), ..committed };
        assert_eq!(sealed.opened(&other, &world::limits()), Verdict::Withheld(Cause::ZoneLied));
        let lied = Told::Ended(Verdict::Withheld(Cause::ZoneLied));
        assert_eq!(answered(plain(good()), &subject(&["person"]), &world::limits()), lied);
        assert_eq!(told(&[], |_| ()), lied);
    }

    #[test]
    fn a_sealed_answer_is_within_its_bounds_before_anything_is_done_with_it() {
        let lies: [fn(&mut SealedRelease); 6] = [
            |it| it.table.clear(),
            |it| it.table = "mobility/homes".into(),
            |it| it.commitment.push(0),
            |it| it.commitment.clear(),
            |it| it.record.truncate(27),
            |it| it.answer.truncate(27),
        ];
        for lie in lies {
            assert_eq!(told(&["person"], lie), Told::Ended(Verdict::Withheld(Cause::ZoneLied)));
        }
        let floods: [fn(&mut SealedRelease); 2] = [
            |it| it.record = vec![0; MOST_RECORD + SEAL + 1],
            |it| it.answer = vec![0; usize::try_from(world::limits().result_bytes).unwrap() + SEAL + 1],
        ];
        for flood in floods {
            assert_eq!(told(&["person"], flood), Told::Ended(Verdict::Withheld(Cause::TooLarge)));
        }
    }

    fn text(text: &str) -> Option<Value> {
        Some(Value::String(text.to_owned()))
    }

    fn good() -> AnswerTable {
        AnswerTable {
            columns: ["string", "integer", "float", "date", "timestamp", "boolean"].map(column).into(),
            rows: vec![
                row(&[
                    text("Chenôve"),
                    Some(Value::Integer(25)),
                    Some(Value::Float(1.5)),
                    text("2026-11-23"),
                    text("2026-11-23T05:15:04Z"),
                    Some(Value::Boolean(true)),
                ]),
                row(&[None, None, None, None, None, None]),
            ],
            keys_without_value: vec![row(&[text("Talant")]), row(&[Some(Value::Integer(3))])],
            noise_epsilon: 0,
        }
    }

    #[test]
    fn a_sound_answer_leaves() {
        assert_eq!(end(good()), None);
        let mut noisy = AnswerTable { noise_epsilon: 500, ..good() };
        (noisy.rows[0].noise, noisy.columns[1].noise_deviation) = (1 << 1, 8.7);
        assert_eq!(end(noisy), None);
        assert_eq!(end(AnswerTable { rows: Vec::new(), keys_without_value: Vec::new(), ..good() }), None);
    }

    #[test]
    fn an_answer_that_does_not_fit_itself_does_not() {
        let alter = |alter: fn(&mut AnswerTable)| {
            let mut table = good();
            alter(&mut table);
            end(table)
        };
        let lies: [fn(&mut AnswerTable); 16] = [
            |it| it.rows[0].noise = 1,
            |it| (it.noise_epsilon, it.rows[0].noise) = (1_001, 1),
            |it| (it.noise_epsilon, it.rows[0].noise) = (500, 1 << 6),
            |it| it.columns[1].noise_deviation = f64::NAN,
            |it| it.columns.clear(),
            |it| it.columns[0].r#type = "blob".into(),
            |it| it.columns[0].name = String::new(),
            |it| it.columns[0].rounding = "x".repeat(65),
            |it| it.rows[0].values.truncate(5),
            |it| it.rows[1].values.push(AnswerValue::default()),
            |it| it.rows[0].values.swap(0, 1),
            |it| it.rows[0].values.swap(2, 3),
            |it| it.rows[0].values[3] = AnswerValue { value: text("23/11/2026") },
            |it| it.rows[0].values[4] = AnswerValue { value: text("now") },
            |it| it.keys_without_value[1].values[0] = AnswerValue::default(),
            |it| it.keys_without_value[0].values = vec![AnswerValue { value: text("Talant") }; 7],
        ];
        for (index, lie) in lies.into_iter().enumerate() {
            assert_eq!(alter(lie), Some(Cause::ZoneLied), "lie {index}");
        }
        let nothing = answered(Answer { answer: None }, &subject(&[]), &world::limits());
        assert_eq!(nothing, Told::Ended(Verdict::Withheld(Cause::ZoneLied)));
    }

    #[test]
    fn floods_are_cut() {
        let many = usize::try_from(world::limits().result_rows).unwrap() + 1;
        let table = AnswerTable { columns: vec![column("integer")], rows: vec![row(&[None]); many], ..good() };
        assert_eq!(end(table), Some(Cause::TooManyRows));
        let large = usize::try_from(world::limits().result_bytes).unwrap();
        let table = AnswerTable {
            columns: vec![column("string")],
            rows: vec![row(&[text(&"x".repeat(large))])],
            keys_without_value: Vec::new(),
            noise_epsilon: 0,
        };
        assert_eq!(end(table), Some(Cause::TooLarge));
    }

    #[test]
    fn a_zone_names_causes_of_the_list_and_no_others() {
        let cause = |word: &str| withheld(&Withheld { cause: word.to_owned() });
        assert_eq!(cause("out_of_memory"), Verdict::Withheld(Cause::Zone("out_of_memory")));
        for word in ["disclosive", "history_damaged", "history_full"] {
            let Verdict::Withheld(cause) = cause(word) else { panic!("answered") };
            assert_eq!(cause.as_str(), word);
        }
        // That others came first, the zone cannot know.
        assert_eq!(cause("superseded"), Verdict::Withheld(Cause::Unnamed));
        assert_eq!(cause("Mme Martin, 12 rue de la Liberté"), Verdict::Withheld(Cause::Unnamed));
    }

    proptest! {
        #[test]
        fn any_bytes_that_decode_are_an_answer_that_fits_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let Ok(answer) = Answer::decode(bytes.as_slice()) else { return Ok(()) };
            if let Told::Ended(Verdict::Answered(Sound { table, .. })) = answered(answer, &subject(&[]), &world::limits()) {
                prop_assert!(table.rows.iter().all(|row| row.values.len() == table.columns.len()));
            }
        }
    }
}
