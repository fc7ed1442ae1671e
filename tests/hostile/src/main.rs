//! A guest that lies, floods and hangs: the first process of a zone whose image was approved by mistake.
//!
//! It starts as a real guest does, and takes the first word of the question's SQL as what to do then. What it sends is
//! what an engine taken over by hostile data could send.

use std::{
    error::Error,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::symlink,
    thread,
    time::Duration,
};

use octroi_attest::{FileColumns as Columns, HistoryKey, Recipient, Rules, envelope::Expected, frame};
use octroi_proto::{
    Instant, time,
    wire::{
        v1::{AnswerColumn, AnswerRow, AnswerTable, AnswerValue, answer_value::Value},
        zone::{
            Answer, FileColumns, KeyRequest, Loaded, Question, Ready, Rejected, SealedRelease, ToHost, ToZone, Warm,
            Withheld, answer::Answer as Said, to_host::Message as Out, to_zone::Message as In,
        },
    },
};
use prost::Message as _;

fn main() {
    // Whatever happens, the machine is no use any more.
    let _end = live();
    let _off = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

fn live() -> Result<(), Box<dyn Error>> {
    let mut channel = channel()?;
    say(&mut channel, Out::Warm(Warm {}))?;
    let seed: Option<ToZone> = frame::read(&mut channel, frame::TO_ZONE)?;
    let Some(In::Seed(seed)) = seed.and_then(|it| it.message) else { return Ok(()) };
    // Enough to differ from its siblings; nothing here is a secret.
    fs::write("/dev/urandom", &seed.entropy)?;
    let recipient = Recipient::generate()?;
    say(&mut channel, Out::Ready(Ready { public_key: recipient.public_key().to_vec() }))?;
    let work: Option<ToZone> = frame::read(&mut channel, frame::TO_ZONE)?;
    match work.and_then(|it| it.message) {
        Some(In::Question(question)) => {
            let zone = Zone { question, recipient, now: time::parse(seed.now)? };
            misbehave(&mut channel, zone)
        }
        Some(In::Load(_)) => say(&mut channel, Out::Loaded(Loaded { report: None, file: None })),
        Some(In::Seed(_) | In::Keys(_)) | None => Ok(()),
    }
}

/// What it is asked, and what opens the keys it is given.
struct Zone {
    question: Question,
    recipient: Recipient,
    now: Instant,
}

/// The virtio-serial port, once the kernel has made it.
fn channel() -> Result<File, Box<dyn Error>> {
    fs::create_dir_all("/dev")?;
    rustix::mount::mount("devtmpfs", "/dev", "devtmpfs", rustix::mount::MountFlags::empty(), None)?;
    let _already = symlink("/proc/self/fd", "/dev/fd");
    for _ in 0..1_000 {
        match OpenOptions::new().read(true).write(true).open("/dev/vport0p1") {
            Ok(port) => return Ok(port),
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound).into())
}

fn misbehave(channel: &mut File, zone: Zone) -> Result<(), Box<dyn Error>> {
    let question = &zone.question;
    match question.sql.split_whitespace().next().unwrap_or_default() {
        // Says nothing, for ever.
        "hang" => loop {
            thread::sleep(Duration::from_secs(60));
        },
        // The longest frames there may be, one after the other.
        "flood" => loop {
            channel.write_all(&u32::try_from(frame::TO_HOST)?.to_le_bytes())?;
            channel.write_all(&vec![0_u8; frame::TO_HOST])?;
        },
        // A length that no channel allows.
        "length" => Ok(channel.write_all(&[0xff; 64])?),
        // Half a frame, then the end.
        "torn" => Ok(channel.write_all(&[200, 0, 0, 0, 1, 2, 3])?),
        // A frame that is no message.
        "garbage" => Ok(channel.write_all(&[8, 0, 0, 0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8])?),
        // An answer without having asked for any key.
        "early" => say(channel, in_clear(answer(1, 1))),
        // Keys of a column that the question's tables hide.
        "hidden" => say(channel, request(question, "tenant")),
        // Keys of a file that is not the question's.
        "foreign" => {
            let files = vec![FileColumns { file_id: vec![7; 16], columns: vec!["household".to_owned()] }];
            say(channel, Out::KeyRequest(KeyRequest { files }))
        }
        // Asks, is given, and says that the question was at fault: a channel from data to an immediate answer.
        "reject" => {
            keys(channel, zone)?;
            let rejected = Rejected { code: "syntax".to_owned(), text: "row 1 is 42".to_owned(), from: 0, to: 0 };
            say(channel, Out::Rejected(rejected))
        }
        // Asks twice.
        "twice" => {
            let again = request(question, "household");
            keys(channel, zone)?;
            say(channel, again)
        }
        // More rows than may be.
        "large" => {
            let history = keys(channel, zone)?;
            say(channel, sealed(history.seal(b"", &answer(400_000, 1).encode_to_vec())?))
        }
        // Rows that do not fit their columns.
        "ragged" => {
            let history = keys(channel, zone)?;
            say(channel, sealed(history.seal(b"", &answer(3, 2).encode_to_vec())?))
        }
        // An answer about somebody that no history knows of.
        "clear" => {
            keys(channel, zone)?;
            say(channel, in_clear(answer(3, 1)))
        }
        // A release that nobody can have committed to.
        "forged" => {
            let history = keys(channel, zone)?;
            let release = history.seal(b"", &answer(3, 1).encode_to_vec())?;
            say(channel, sealed(SealedRelease { commitment: vec![7; release.commitment.len()], ..release }))
        }
        // One of rows that the question is not about.
        "elsewhere" => {
            let history = HistoryKey { table: "mobilite/trips".to_owned(), ..keys(channel, zone)? };
            say(channel, sealed(history.seal(b"", &answer(3, 1).encode_to_vec())?))
        }
        // One that others always came before.
        "skips" => {
            let history = keys(channel, zone)?;
            let release = history.seal(b"", &answer(3, 1).encode_to_vec())?;
            say(channel, sealed(SealedRelease { sequence: release.sequence + 1, ..release }))
        }
        // One whose record is another than was committed to: nothing more is released of these rows.
        "unkept" => {
            let history = keys(channel, zone)?;
            let release = history.seal(b"", &answer(3, 1).encode_to_vec())?;
            say(channel, sealed(SealedRelease { record: vec![7; release.record.len()], ..release }))
        }
        // A cause that is a value.
        "cause" => {
            keys(channel, zone)?;
            say(channel, Out::Withheld(Withheld { cause: "the tenant is Zorglub".to_owned() }))
        }
        // Ends without a word.
        _ => Ok(()),
    }
}

/// Asks for keys, and gives the history that comes with them.
fn keys(channel: &mut File, Zone { question, recipient, now }: Zone) -> Result<HistoryKey, Box<dyn Error>> {
    let asked = request(&question, "household");
    let Out::KeyRequest(KeyRequest { files }) = &asked else { return Err("no request".into()) };
    let files = files.iter().map(Columns::parse).collect::<Result<Vec<_>, _>>()?;
    say(channel, asked)?;
    let given: Option<ToZone> = frame::read(channel, frame::TO_ZONE)?;
    let Some(In::Keys(given)) = given.and_then(|it| it.message) else { return Err("no keys".into()) };
    let rules = Rules::parse(question.rules.unwrap_or_default())?.digest();
    let (work, launch) = (question.query_id.as_slice().try_into()?, question.launch_id.as_slice().try_into()?);
    let opened = recipient.open(&given, &Expected { work, launch, files: &files, rules }, now)?;
    opened.histories.first().cloned().ok_or_else(|| "no history".into())
}

fn request(question: &Question, column: &str) -> Out {
    let files = question.tables.iter().flat_map(|table| &table.files);
    let files = files.map(|file| FileColumns { file_id: file.file_id.clone(), columns: vec![column.to_owned()] });
    Out::KeyRequest(KeyRequest { files: files.collect() })
}

/// One column, and rows of so many values.
fn answer(rows: usize, values: usize) -> AnswerTable {
    let columns = vec![AnswerColumn {
        name: "n".to_owned(),
        r#type: "integer".to_owned(),
        rounding: "none".to_owned(),
        noise_deviation: 0.0,
    }];
    let value = AnswerValue { value: Some(Value::Integer(1)) };
    let row = AnswerRow { values: vec![value; values], noise: 0 };
    AnswerTable { columns, rows: vec![row; rows], keys_without_value: Vec::new(), noise_epsilon: 0 }
}

fn in_clear(table: AnswerTable) -> Out {
    Out::Answer(Answer { answer: Some(Said::Table(table)) })
}

fn sealed(release: SealedRelease) -> Out {
    Out::Answer(Answer { answer: Some(Said::Release(release)) })
}

fn say(channel: &mut File, message: Out) -> Result<(), Box<dyn Error>> {
    Ok(frame::write(channel, &ToHost { message: Some(message) }, frame::TO_HOST)?)
}
