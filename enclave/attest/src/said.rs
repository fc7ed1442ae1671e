//! What a zone says, looked at before it is decoded.
//!
//! ```text
//! frame ─> Word::of ─> which message it is, as short as that one may be, and small once decoded ─> decode
//! ```
//!
//! Decoding makes of two bytes, an empty message in a list, a structure of up to two hundred: 16 MiB of them would become
//! a gigabyte. So what a frame unfolds to is counted first, on the wire, in the time it takes to read it once. Does not
//! give: sense. What passes may still lie, or not decode at all.

use octroi_proto::wire::{
    v1,
    zone::{self as wire, to_host},
};

use crate::frame::{self, FrameError};

/// Which message of a zone's a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The template waits for its seed.
    Warm,
    /// The engine waits for work.
    Ready,
    /// A question needs keys.
    KeyRequest,
    /// A load needs keys.
    LoadKeyRequest,
    /// A question is refused for what it is.
    Rejected,
    /// An answer.
    Answer,
    /// Nothing may leave.
    Withheld,
    /// A load is done.
    Loaded,
    /// A question that was only to be judged may be asked.
    Checked,
}

/// Most bytes, about, that the parts of a message may take in memory once it is decoded; lists that grow as they are
/// decoded have up to three times that for a moment. Of an answer: two million values.
pub const MOST_UNFOLDED: usize = 64 * 1024 * 1024;

/// Most bytes of a request for keys: one that is longer could not be answered within [`frame::TO_ZONE`].
pub const MOST_REQUEST: usize = 512 * 1024;

/// Most bytes of a zone's word against a question.
pub const MOST_REJECTED: usize = 8 * 1024;

/// An answer that was sealed, once it is opened.
///
/// # Errors
/// [`FrameError::Unfolds`], [`FrameError::Malformed`].
pub fn decode_table(table: &[u8]) -> Result<v1::AnswerTable, FrameError> {
    TABLE.count(table, &mut 0)?;
    frame::decode(table)
}
/// Most bytes of what a zone says of a question that was only to be judged: twenty lines.
pub const MOST_CHECKED: usize = 32 * 1024;

/// The message in a frame, its length left off.
///
/// # Errors
/// [`FrameError::TooLong`], [`FrameError::Unfolds`], [`FrameError::Malformed`].
pub fn decode(frame: &[u8]) -> Result<to_host::Message, FrameError> {
    Word::of(frame)?;
    frame::decode::<wire::ToHost>(frame)?.message.ok_or(FrameError::Malformed)
}

impl Word {
    /// Which message a frame holds, its length left off: exactly one, as short as it may be, and small once decoded.
    ///
    /// # Errors
    /// As of [`decode`]; but [`FrameError::Malformed`] only where what the frame holds cannot be told.
    pub fn of(frame: &[u8]) -> Result<Self, FrameError> {
        let mut rest = frame;
        let (number, content) = field(&mut rest).ok_or(FrameError::Malformed)?;
        let (Some(content), []) = (content, rest) else { return Err(FrameError::Malformed) };
        let word = Self::numbered(number).ok_or(FrameError::Malformed)?;
        if content.len() > word.longest() {
            return Err(FrameError::TooLong { limit: word.longest() });
        }
        let mut unfolded = 0;
        word.shape().count(content, &mut unfolded)?;
        Ok(word)
    }

    /// By the number of its field in `ToHost`.
    fn numbered(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Warm,
            2 => Self::Ready,
            3 => Self::KeyRequest,
            4 => Self::LoadKeyRequest,
            5 => Self::Rejected,
            6 => Self::Answer,
            7 => Self::Withheld,
            8 => Self::Loaded,
            9 => Self::Checked,
            _ => return None,
        })
    }

    /// Most bytes of it.
    fn longest(self) -> usize {
        match self {
            Self::Warm | Self::Ready | Self::Withheld => 1_024,
            Self::Rejected => MOST_REJECTED,
            Self::KeyRequest => MOST_REQUEST,
            Self::Checked => MOST_CHECKED,
            Self::LoadKeyRequest => 64 * 1024,
            // A thousand bad rows, each with the name of its column.
            Self::Loaded => 1024 * 1024,
            Self::Answer => frame::TO_HOST,
        }
    }

    fn shape(self) -> &'static Shape {
        match self {
            Self::Warm | Self::Ready | Self::Rejected | Self::Withheld => &PLAIN,
            Self::KeyRequest => &KEY_REQUEST,
            Self::LoadKeyRequest => &LOAD_KEY_REQUEST,
            Self::Answer => &ANSWER,
            Self::Loaded => &LOADED,
            Self::Checked => &CHECKED,
        }
    }
}

/// Those fields of a message that take memory of their own each time they are there: lists, and messages in it.
struct Shape(&'static [Part]);

struct Part {
    number: u64,
    /// Bytes of the structure that one becomes.
    size: usize,
    /// If it is a message.
    inside: Option<&'static Shape>,
}

impl Part {
    const fn message<T>(number: u64, inside: &'static Shape) -> Self {
        Self { number, size: size_of::<T>(), inside: Some(inside) }
    }

    const fn text(number: u64) -> Self {
        Self { number, size: size_of::<String>(), inside: None }
    }
}

impl Shape {
    /// Adds what a message of this shape unfolds to. Goes no deeper than shapes are.
    fn count(&self, mut message: &[u8], unfolded: &mut usize) -> Result<(), FrameError> {
        while !message.is_empty() {
            let (number, content) = field(&mut message).ok_or(FrameError::Malformed)?;
            let part = self.0.iter().find(|part| part.number == number);
            let (Some(part), Some(content)) = (part, content) else { continue };
            *unfolded += part.size;
            if *unfolded > MOST_UNFOLDED {
                return Err(FrameError::Unfolds);
            }
            if let Some(inside) = part.inside {
                inside.count(content, unfolded)?;
            }
        }
        Ok(())
    }
}

/// Takes the first field off: its number, and its content unless that is a number. `None` for what is no field; groups
/// are none here.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let tag = varint(bytes)?;
    let mut take = |length: usize| {
        let (content, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(content)
    };
    let content = match tag & 7 {
        0 => {
            varint(bytes)?;
            None
        }
        1 => take(8).map(|_| None)?,
        5 => take(4).map(|_| None)?,
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            let (content, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Some(content)
        }
        _ => return None,
    };
    Some((tag >> 3, content))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

const PLAIN: Shape = Shape(&[]);
const KEY_REQUEST: Shape = Shape(&[Part::message::<wire::FileColumns>(1, &FILE_COLUMNS)]);
const FILE_COLUMNS: Shape = Shape(&[Part::text(2)]);
const CHECKED: Shape = Shape(&[Part::text(2)]);
const LOAD_KEY_REQUEST: Shape = Shape(&[Part::message::<wire::AgeStanza>(1, &STANZA)]);
const STANZA: Shape = Shape(&[Part::text(2)]);
const ANSWER: Shape = Shape(&[
    Part::message::<v1::AnswerTable>(1, &TABLE),
    // Its answer is bytes until it is opened: then it is counted as a table is.
    Part::message::<wire::SealedRelease>(2, &PLAIN),
]);
const TABLE: Shape = Shape(&[
    Part::message::<v1::AnswerColumn>(1, &PLAIN),
    Part::message::<v1::AnswerRow>(2, &ROW),
    Part::message::<v1::AnswerRow>(3, &ROW),
]);
const ROW: Shape = Shape(&[Part::message::<v1::AnswerValue>(1, &PLAIN)]);
const LOADED: Shape =
    Shape(&[Part::message::<v1::LoadReport>(1, &REPORT), Part::message::<wire::TableFile>(2, &PLAIN)]);
const REPORT: Shape = Shape(&[Part::message::<v1::BadRow>(3, &PLAIN), Part::message::<[(String, u64); 2]>(4, &PLAIN)]);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use octroi_proto::wire::{DESCRIPTORS, v1::answer_value::Value, zone::to_host::Message as Said};
    use proptest::prelude::*;
    use prost::Message as _;
    use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

    use super::*;

    fn frame_of(message: Said) -> Vec<u8> {
        wire::ToHost { message: Some(message) }.encode_to_vec()
    }

    fn answer(rows: Vec<Vec<Option<Value>>>) -> v1::AnswerTable {
        let row = |row: Vec<Option<Value>>| v1::AnswerRow {
            values: row.into_iter().map(|value| v1::AnswerValue { value }).collect(),
            noise: 0,
        };
        v1::AnswerTable { rows: rows.into_iter().map(row).collect(), ..v1::AnswerTable::default() }
    }

    fn plain(table: v1::AnswerTable) -> wire::Answer {
        wire::Answer { answer: Some(wire::answer::Answer::Table(table)) }
    }

    fn sealed() -> wire::Answer {
        let key = crate::HistoryKey { table: "mobility/trips".into(), key: [7; 32].into(), sequence: 0, head: [0; 32] };
        wire::Answer { answer: Some(wire::answer::Answer::Release(key.seal(b"record", b"answer").unwrap())) }
    }

    /// A field of bytes.
    fn put(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        [bytes, content.to_vec()].concat()
    }

    #[test]
    fn each_message_is_known_by_its_number() {
        let report = v1::LoadReport { bad_by_rule: BTreeMap::from([("type".into(), 3)]), ..v1::LoadReport::default() };
        let file = wire::FileColumns { file_id: vec![0xff; 16], columns: vec!["delay".into(), "tail".into()] };
        let stanza = wire::AgeStanza { tag: "X25519".into(), arguments: vec!["TEiF0yp".into()], body: vec![7; 32] };
        for (message, word) in [
            (Said::Warm(wire::Warm {}), Word::Warm),
            (Said::Ready(wire::Ready { public_key: vec![1; 32] }), Word::Ready),
            (Said::KeyRequest(wire::KeyRequest { files: vec![file] }), Word::KeyRequest),
            (Said::LoadKeyRequest(wire::LoadKeyRequest { stanzas: vec![stanza] }), Word::LoadKeyRequest),
            (Said::Rejected(wire::Rejected { code: "syntax".into(), ..Default::default() }), Word::Rejected),
            (Said::Answer(plain(answer(vec![vec![None]; 3]))), Word::Answer),
            (Said::Answer(sealed()), Word::Answer),
            (Said::Withheld(wire::Withheld { cause: "out_of_time".into() }), Word::Withheld),
            (Said::Loaded(wire::Loaded { report: Some(report), file: None }), Word::Loaded),
            (
                Said::Checked(wire::Checked { tier: "rounded".into(), notes: vec!["counts".into()], noise_epsilon: 0 }),
                Word::Checked,
            ),
        ] {
            let frame = frame_of(message.clone());
            assert_eq!(Word::of(&frame).unwrap(), word);
            assert_eq!(decode(&frame).unwrap(), message);
        }
    }

    #[test]
    fn millions_of_empty_parts_are_refused_before_they_are_decoded() {
        let rows = put(6, &put(1, &[0x12, 0].repeat(4_000_000)));
        assert!(rows.len() < frame::TO_HOST);
        let columns = put(6, &put(1, &[0x0a, 0].repeat(4_000_000)));
        let values = put(6, &put(1, &put(2, &[0x0a, 0].repeat(4_000_000))));
        let tables = put(6, &[0x0a, 0].repeat(4_000_000));
        let releases = put(6, &[0x12, 0].repeat(4_000_000));
        for frame in [rows, columns, values, tables, releases] {
            assert!(matches!(decode(&frame), Err(FrameError::Unfolds)));
        }
        assert!(matches!(decode_table(&[0x12, 0].repeat(4_000_000)), Err(FrameError::Unfolds)));
        for (number, limit) in
            [(2, 1_024), (3, MOST_REQUEST), (5, MOST_REJECTED), (7, 1_024), (8, 1 << 20), (9, MOST_CHECKED)]
        {
            let refused = decode(&put(number, &[0x0a, 0].repeat(limit / 2 + 1)));
            assert!(matches!(refused, Err(FrameError::TooLong { limit: told }) if told == limit), "{number}");
        }
    }

    #[test]
    fn what_the_limits_of_an_answer_allow_passes() {
        let row = vec![Some(Value::Integer(i64::MAX)); 100];
        let frame = frame_of(Said::Answer(plain(answer(vec![row; 10_000]))));
        assert!(frame.len() < frame::TO_HOST);
        assert!(decode(&frame).is_ok());
    }

    #[test]
    fn two_messages_at_once_groups_and_numbers_are_none() {
        let one = frame_of(Said::Warm(wire::Warm {}));
        for bytes in [
            &[][..],
            &[0],
            &[one.clone(), one.clone()].concat(),
            &[0x0b, 0x0c],
            &[0x08, 1],
            &[0x52, 0],
            &[0x0a, 1],
            &[0xff; 12],
        ] {
            assert!(matches!(Word::of(bytes), Err(FrameError::Malformed)), "{bytes:?}");
        }
    }

    /// Every list and every message that the contract puts into a zone's words is counted.
    #[test]
    fn nothing_that_takes_memory_is_left_out() {
        fn covered(shape: &Shape, message: &MessageDescriptor) {
            for field in message.fields() {
                let inner = if let Kind::Message(inner) = field.kind() { Some(inner) } else { None };
                if !field.is_list() && !field.is_map() && inner.is_none() {
                    continue;
                }
                let part = shape.0.iter().find(|part| part.number == u64::from(field.number()));
                let part = part.unwrap_or_else(|| panic!("{} is not counted", field.full_name()));
                match inner {
                    Some(inner) if !field.is_map() => covered(part.inside.unwrap(), &inner),
                    Some(_) => {}
                    None => assert!(part.inside.is_none() && field.kind() == Kind::String, "{}", field.full_name()),
                }
            }
        }
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let words = pool.get_message_by_name("octroi.zone.v1.ToHost").unwrap();
        assert_eq!(words.fields().count(), 9);
        for field in words.fields() {
            let Kind::Message(message) = field.kind() else { panic!("no message") };
            covered(Word::numbered(field.number().into()).unwrap().shape(), &message);
        }
    }

    fn values() -> impl Strategy<Value = Option<Value>> {
        prop_oneof![
            Just(None),
            any::<i64>().prop_map(|value| Some(Value::Integer(value))),
            "[a-z]{0,9}".prop_map(|value| Some(Value::String(value))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_it_becomes(rows in prop::collection::vec(prop::collection::vec(values(), 0..6), 0..20)) {
            let table = answer(rows);
            let cells: usize = table.rows.iter().map(|row| row.values.len()).sum();
            let expected = size_of::<v1::AnswerTable>()
                + table.rows.len() * size_of::<v1::AnswerRow>()
                + cells * size_of::<v1::AnswerValue>();
            let mut unfolded = 0;
            prop_assert!(decode_table(&table.encode_to_vec()).is_ok_and(|it| it == table));
            ANSWER.count(&plain(table).encode_to_vec(), &mut unfolded).unwrap();
            prop_assert_eq!(unfolded, expected);
        }

        #[test]
        fn any_bytes_are_a_word_or_none_and_whatever_is_sent_is_one(
            bytes in prop::collection::vec(prop_oneof![3 => 0_u8..0x50, 1 => any::<u8>()], 0..80),
        ) {
            let _refused = Word::of(&bytes);
            if let Ok(wire::ToHost { message: Some(message) }) = wire::ToHost::decode(bytes.as_slice()) {
                let again = frame_of(message.clone());
                prop_assert!(decode(&again).is_ok_and(|it| it.encoded_len() == message.encoded_len()));
            }
        }
    }
}
