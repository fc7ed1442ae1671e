//! A question in its zone: two states, told apart by whether keys were given. Before, the zone knows nothing but the
//! question, so that what it says against it may be told at once; after, only an answer or its absence counts.
//!
//! Each state is moved by what the zone says next, and no frame counts twice. Anything else than what a state awaits
//! is a lie, and ends the question.

use std::collections::BTreeSet;

use octroi_attest::{
    FileColumns,
    frame::FrameError,
    history::{COMMITMENT_BYTES, LONGEST_TABLE, MOST_RECORD, SEAL},
    said::{MOST_CHECKED, MOST_REQUEST},
};
use octroi_host::lease::{Frames, ReceiveError};
use octroi_proto::{
    DatasetId, FileId,
    wire::zone::{
        self as wire, KeyRequest, Question, Rejected, SealedKeys, ToZone, to_host::Message, to_zone::Message as Word,
    },
};

use super::{
    Checked, Limits, Subject,
    verdict::{self, Cause, Told, Verdict},
};

/// The zone has the question and no key.
#[derive(Debug)]
pub(super) struct Planning {
    frames: Frames,
    sql_bytes: usize,
}

/// What a zone makes of a question.
#[derive(Debug)]
pub(super) enum Planned {
    /// It is not allowed, by itself.
    Rejected(Rejection),
    /// It needs keys.
    Wants(Wants),
    /// It ended without any.
    Ended(Verdict),
}

/// What a zone makes of a question that is only to be judged.
#[derive(Debug)]
pub(super) enum Judged {
    /// It is not allowed, by itself.
    Rejected(Rejection),
    /// It may be asked.
    Allowed(Checked),
    /// It was not judged.
    Ended(Cause),
}

/// The zone named the columns it needs: of this question's files, in their tables, not hidden.
#[derive(Debug)]
pub(super) struct Wants {
    frames: Frames,
    files: Vec<(DatasetId, FileColumns)>,
}

/// The zone has keys, and so may have read data.
#[derive(Debug)]
pub(super) struct Keyed {
    frames: Frames,
}

/// Why a question is not allowed, in words that no data stands behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    code: &'static str,
    text: String,
    place: Option<(u32, u32)>,
}

/// The zone is gone, or did not take what it was sent.
pub(super) fn lost() -> Verdict {
    Verdict::Withheld(Cause::ZoneLost)
}

impl Planning {
    /// Puts the question.
    pub(super) async fn begin(mut frames: Frames, question: Question) -> Result<Self, Cause> {
        let sql_bytes = question.sql.len();
        send(&mut frames, Word::Question(question)).await?;
        Ok(Self { frames, sql_bytes })
    }

    /// What the zone makes of it.
    pub(super) async fn planned(mut self, subject: &Subject) -> Planned {
        match receive(&mut self.frames, MOST_REQUEST + AROUND).await {
            Ok(Message::Rejected(rejected)) => match Rejection::parse(&rejected, self.sql_bytes) {
                Some(rejection) => Planned::Rejected(rejection),
                None => lied(),
            },
            Ok(Message::KeyRequest(request)) => match wanted(&request, subject) {
                Some(files) => Planned::Wants(Wants { frames: self.frames, files }),
                None => lied(),
            },
            Ok(Message::Withheld(withheld)) => Planned::Ended(verdict::withheld(&withheld)),
            // Without keys it knows nothing to answer with.
            Ok(
                Message::Answer(_)
                | Message::Warm(_)
                | Message::Ready(_)
                | Message::LoadKeyRequest(_)
                | Message::Loaded(_)
                | Message::Checked(_),
            ) => lied(),
            Err(cause) => Planned::Ended(Verdict::Withheld(cause)),
        }
    }

    /// What the zone makes of a question that is only to be judged: the last that it says.
    pub(super) async fn judged(mut self) -> Judged {
        match receive(&mut self.frames, MOST_CHECKED + AROUND).await {
            Ok(Message::Rejected(rejected)) => match Rejection::parse(&rejected, self.sql_bytes) {
                Some(rejection) => Judged::Rejected(rejection),
                None => Judged::Ended(Cause::ZoneLied),
            },
            Ok(Message::Checked(checked)) => match Checked::parse(&checked) {
                Some(checked) => Judged::Allowed(checked),
                None => Judged::Ended(Cause::ZoneLied),
            },
            Ok(Message::Withheld(withheld)) => Judged::Ended(Cause::of_zone(&withheld.cause)),
            Ok(
                Message::KeyRequest(_)
                | Message::Answer(_)
                | Message::Warm(_)
                | Message::Ready(_)
                | Message::LoadKeyRequest(_)
                | Message::Loaded(_),
            ) => Judged::Ended(Cause::ZoneLied),
            Err(cause) => Judged::Ended(cause),
        }
    }
}

impl Wants {
    /// The columns wanted, file by file.
    pub(super) fn files(&self) -> &[(DatasetId, FileColumns)] {
        &self.files
    }

    /// Gives the zone the sealed keys.
    pub(super) async fn unlock(mut self, keys: SealedKeys) -> Result<Keyed, Cause> {
        send(&mut self.frames, Word::Keys(keys)).await?;
        Ok(Keyed { frames: self.frames })
    }
}

impl Keyed {
    /// What it makes of the question. The zone is gone when this returns.
    pub(super) async fn told(mut self, subject: &Subject, limits: &Limits) -> Told {
        let most = usize::try_from(limits.result_bytes).unwrap_or(usize::MAX).saturating_add(AROUND + AROUND_RELEASE);
        match receive(&mut self.frames, most).await {
            Ok(Message::Answer(answer)) => verdict::answered(answer, subject, limits),
            Ok(Message::Withheld(withheld)) => Told::Ended(verdict::withheld(&withheld)),
            // It knows data now: what it has against the question may be made of it.
            Ok(Message::Rejected(_) | Message::KeyRequest(_))
            | Ok(
                Message::Warm(_)
                | Message::Ready(_)
                | Message::LoadKeyRequest(_)
                | Message::Loaded(_)
                | Message::Checked(_),
            ) => Told::Ended(Verdict::Withheld(Cause::ZoneLied)),
            Err(cause) => Told::Ended(Verdict::Withheld(cause)),
        }
    }
}

impl Rejection {
    fn parse(wire: &Rejected, sql_bytes: usize) -> Option<Self> {
        let code = CODES.iter().find(|code| **code == wire.code)?;
        // Parsers speak in several lines, and quote what they were given.
        let plain = wire.text.chars().take(MOST_TEXT).map(|it| if it.is_control() { ' ' } else { it });
        let text = octroi_proto::id::line(&plain.collect::<String>(), MOST_TEXT).ok()?;
        let inside = wire.from <= wire.to && usize::try_from(wire.to).is_ok_and(|to| to <= sql_bytes);
        if !inside {
            return None;
        }
        Some(Self { code, text, place: (wire.to > 0).then_some((wire.from, wire.to)) })
    }

    /// What kind it is: one of a fixed list.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for the asker.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the SQL that are meant, where that is known.
    pub fn place(&self) -> Option<(u32, u32)> {
        self.place
    }
}

async fn send(frames: &mut Frames, word: Word) -> Result<(), Cause> {
    frames.send(&ToZone { message: Some(word) }).await.map_err(|_| Cause::ZoneLost)
}

async fn receive(frames: &mut Frames, most: usize) -> Result<Message, Cause> {
    frames.receive(most).await.map_err(|error| match error {
        ReceiveError::Ended | ReceiveError::Frame(FrameError::Torn | FrameError::Channel(_)) => Cause::ZoneLost,
        ReceiveError::Frame(FrameError::TooLong { .. } | FrameError::Unfolds | FrameError::Malformed) => {
            Cause::ZoneLied
        }
    })
}

fn lied() -> Planned {
    Planned::Ended(Verdict::Withheld(Cause::ZoneLied))
}

/// The columns that a zone asks for: each file once and of this question; each column once, in order, of the file's
/// table, and not hidden.
fn wanted(request: &KeyRequest, subject: &Subject) -> Option<Vec<(DatasetId, FileColumns)>> {
    let mut seen = BTreeSet::new();
    let file = |file: &wire::FileColumns| {
        let file = FileColumns::parse(file).ok().filter(|file| seen.insert(file.file_id))?;
        let table = subject.table_of(&FileId::new(*file.file_id.as_bytes()))?;
        let known = |name: &String| {
            let column = name.parse().ok().and_then(|name| table.schema.column(&name));
            column.is_some_and(|column| !column.hidden)
        };
        let sound = !file.columns.is_empty() && file.columns.iter().all(known);
        sound.then(|| (table.dataset.clone(), file))
    };
    let files: Vec<_> = request.files.iter().map(file).collect::<Option<_>>()?;
    (!files.is_empty()).then_some(files)
}

const CODES: &[&str] = &["syntax", "unknown_table", "unknown_column", "not_allowed", "unit_missing", "too_long"];
/// Characters of the sentence for the asker.
const MOST_TEXT: usize = 1_000;
/// Bytes of a frame that say what is in it.
const AROUND: usize = 64;
/// What a sealed answer has besides: its record, its commitment, its table's name, and the seals.
const AROUND_RELEASE: usize = MOST_RECORD + LONGEST_TABLE + COMMITMENT_BYTES + 2 * SEAL;

#[cfg(test)]
mod tests {
    use super::{super::tests::world, *};
    use proptest::prelude::*;

    fn subject() -> Subject {
        let holding = world::holding(&[("trips", &[9, 10]), ("homes", &[11])]);
        Subject::new(vec![(world::dataset_id(), holding)], "trips").unwrap()
    }

    fn request(files: &[(u8, &[&str])]) -> KeyRequest {
        let file = |(id, columns): &(u8, &[&str])| wire::FileColumns {
            file_id: vec![*id; 16],
            columns: columns.iter().map(ToString::to_string).collect(),
        };
        KeyRequest { files: files.iter().map(file).collect() }
    }

    #[test]
    fn keys_are_asked_for_columns_of_the_question_and_no_others() {
        let good = request(&[(0, &["age", "person"]), (1, &["age"])]);
        assert_eq!(wanted(&good, &subject()).unwrap().len(), 2);
        let bad: [&[(u8, &[&str])]; 8] = [
            &[],
            &[(0, &[])],
            &[(0, &["age"]), (0, &["age"])],
            &[(0, &["person", "age"])],
            &[(0, &["age", "age"])],
            &[(0, &["age", "secret"])],
            &[(0, &["Age"])],
            // A file of the same dataset, of a table that the question does not name.
            &[(2, &["age"])],
        ];
        for files in bad {
            assert_eq!(wanted(&request(files), &subject()), None, "{files:?}");
        }
        let short = KeyRequest { files: vec![wire::FileColumns { file_id: vec![0; 15], columns: vec!["age".into()] }] };
        assert_eq!(wanted(&short, &subject()), None);
    }

    #[test]
    fn rejections_are_of_the_list_and_point_into_the_question() {
        let rejected = |code: &str, text: &str, from, to| {
            Rejection::parse(&Rejected { code: code.into(), text: text.into(), from, to }, 10)
        };
        let rejection = rejected("syntax", "expected FROM", 2, 10).unwrap();
        assert_eq!((rejection.code(), rejection.place()), ("syntax", Some((2, 10))));
        assert_eq!(rejected("syntax", "expected FROM", 0, 0).unwrap().place(), None);
        for (code, text, from, to) in
            [("secret", "x", 0, 0), ("syntax", "", 0, 0), ("syntax", "x", 3, 2), ("syntax", "x", 0, 11)]
        {
            assert_eq!(rejected(code, text, from, to), None, "{code} {text} {from} {to}");
        }
        assert_eq!(rejected("syntax", "a\n\x1b[2Jb", 0, 0).unwrap().text(), "a  [2Jb");
        assert_eq!(rejected("syntax", &"x".repeat(5_000), 0, 0).unwrap().text().len(), 1_000);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_only_this_question_s_columns_pass(
            files in proptest::collection::vec(
                (0_u8..5, proptest::collection::vec("age|person|secret|other", 0..4)), 0..4,
            ),
        ) {
            let file = |(id, columns): &(u8, Vec<String>)| {
                wire::FileColumns { file_id: vec![*id; 16], columns: columns.clone() }
            };
            let request = KeyRequest { files: files.iter().map(file).collect() };
            if let Some(passed) = wanted(&request, &subject()) {
                for (dataset, file) in passed {
                    prop_assert_eq!(dataset, world::dataset_id());
                    prop_assert!(file.file_id.as_bytes()[0] < 2);
                    prop_assert!(file.columns.iter().all(|name| ["age", "person"].contains(&name.as_str())));
                }
            }
        }
    }
}
