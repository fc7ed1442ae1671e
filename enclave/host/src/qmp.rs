//! QEMU's control channel: one JSON object a line, descriptors beside it.
//!
//! QEMU may be in its guest's hands, so what it says is bounded: a line's length, the events kept while a reply is
//! awaited, and by the callers' deadlines the time. Does not give deadlines of its own.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Interest},
    net::UnixStream,
};

/// A control channel whose greeting was answered.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: BufReader<UnixStream>,
    /// What came of a line so far: a reader that is dropped half-way loses nothing.
    line: Vec<u8>,
    events: VecDeque<Event>,
}

/// Why QEMU did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// It ended.
    #[error("QEMU ended")]
    Ended,
    /// The channel failed.
    #[error("QEMU's control channel failed")]
    Channel(#[source] io::Error),
    /// It said what makes no sense, or too much of it.
    #[error("QEMU said something that its protocol does not have")]
    Nonsense,
    /// It refused a command.
    #[error("QEMU refused `{command}`: {reason}")]
    Refused {
        /// What it was told.
        command: &'static str,
        /// Its own words, cut.
        reason: String,
    },
}

/// What happened in QEMU, as far as anyone here asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// State was written or read to the end.
    Migrated,
    /// State could not be written or read.
    MigrationFailed,
    /// The guest was stopped, by us or by a fault.
    Stopped,
    /// The guest powered off or gave up.
    Ended,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Hello {
        #[serde(rename = "QMP")]
        _version: IgnoredAny,
    },
    Returned {
        #[serde(rename = "return")]
        _value: IgnoredAny,
    },
    Failed {
        error: Failure,
    },
    Happened {
        event: String,
        #[serde(default)]
        data: Value,
    },
}

#[derive(Deserialize)]
struct Failure {
    desc: String,
}

impl Qmp {
    /// Answers QEMU's greeting.
    pub(crate) async fn open(stream: UnixStream) -> Result<Self, QmpError> {
        let mut qmp = Self { stream: BufReader::new(stream), line: Vec::new(), events: VecDeque::new() };
        match qmp.hear().await? {
            Said::Hello { .. } => {}
            Said::Returned { .. } | Said::Failed { .. } | Said::Happened { .. } => return Err(QmpError::Nonsense),
        }
        qmp.execute("qmp_capabilities", json!({})).await?;
        Ok(qmp)
    }

    /// Has QEMU carry out a command.
    pub(crate) async fn execute(&mut self, command: &'static str, arguments: Value) -> Result<(), QmpError> {
        self.tell(command, arguments, None).await
    }

    /// Hands QEMU a descriptor, found afterwards at `/dev/fdset/SET`.
    pub(crate) async fn hand(&mut self, set: u32, descriptor: OwnedFd) -> Result<(), QmpError> {
        self.tell("add-fd", json!({ "fdset-id": set }), Some(descriptor.as_fd())).await
    }

    /// Waits for the end of a migration.
    pub(crate) async fn migrated(&mut self) -> Result<(), QmpError> {
        loop {
            match self.event().await? {
                Event::Migrated => return Ok(()),
                Event::MigrationFailed => {
                    let reason = "the state could not be moved".to_owned();
                    return Err(QmpError::Refused { command: "migrate", reason });
                }
                Event::Stopped | Event::Ended => {}
            }
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Result<Event, QmpError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            match self.hear().await? {
                Said::Happened { event, data } => self.keep(&event, &data)?,
                Said::Hello { .. } | Said::Returned { .. } | Said::Failed { .. } => return Err(QmpError::Nonsense),
            }
        }
    }

    async fn tell(
        &mut self,
        command: &'static str,
        arguments: Value,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), QmpError> {
        let line = json!({ "execute": command, "arguments": arguments }).to_string();
        self.send(format!("{line}\n").as_bytes(), descriptor).await.map_err(ended)?;
        loop {
            match self.hear().await? {
                Said::Returned { .. } => return Ok(()),
                Said::Failed { error } => {
                    let reason = error.desc.chars().take(MOST_REASON).collect();
                    return Err(QmpError::Refused { command, reason });
                }
                Said::Happened { event, data } => self.keep(&event, &data)?,
                Said::Hello { .. } => return Err(QmpError::Nonsense),
            }
        }
    }

    /// Sends all bytes; the descriptor goes with the first of them.
    async fn send(&self, mut bytes: &[u8], mut descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let stream = self.stream.get_ref();
        while !bytes.is_empty() {
            let sent = stream.async_io(Interest::WRITABLE, || send_once(stream.as_fd(), bytes, descriptor)).await?;
            descriptor = None;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<Said, QmpError> {
        let room = MOST_LINE.saturating_sub(self.line.len());
        (&mut self.stream).take(room as u64).read_until(b'\n', &mut self.line).await.map_err(ended)?;
        let line = std::mem::take(&mut self.line);
        match line.last() {
            None => Err(QmpError::Ended),
            Some(b'\n') => serde_json::from_slice(&line).map_err(|_| QmpError::Nonsense),
            Some(_) => Err(QmpError::Nonsense),
        }
    }

    fn keep(&mut self, name: &str, data: &Value) -> Result<(), QmpError> {
        if self.events.len() >= MOST_EVENTS {
            return Err(QmpError::Nonsense);
        }
        self.events.extend(Event::parse(name, data));
        Ok(())
    }
}

impl Event {
    /// An event anyone here asks for.
    fn parse(name: &str, data: &Value) -> Option<Self> {
        match (name, data.get("status").and_then(Value::as_str)) {
            ("MIGRATION", Some("completed")) => Some(Self::Migrated),
            ("MIGRATION", Some("failed")) => Some(Self::MigrationFailed),
            ("STOP", _) => Some(Self::Stopped),
            ("SHUTDOWN" | "GUEST_PANICKED", _) => Some(Self::Ended),
            _ => None,
        }
    }
}

fn send_once(socket: BorrowedFd<'_>, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
}

fn ended(error: io::Error) -> QmpError {
    let ends = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof];
    if ends.contains(&error.kind()) { QmpError::Ended } else { QmpError::Channel(error) }
}

/// QEMU's longest line here, its greeting, has under 1 KiB.
const MOST_LINE: usize = 64 * 1024;
const MOST_EVENTS: usize = 64;
const MOST_REASON: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// A channel whose other end has said `text` and then hung up.
    async fn told(text: &[u8]) -> Result<(), QmpError> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let text = text.to_vec();
        let qemu = tokio::spawn(async move {
            let _ = theirs.write_all(&text).await;
            let _ = theirs.shutdown().await;
            let _ = theirs.read_to_end(&mut Vec::new()).await;
        });
        let told = async { Qmp::open(ours).await?.migrated().await }.await;
        qemu.await.unwrap();
        told
    }

    const GREETING: &[u8] = b"{\"QMP\": {\"version\": {}}}\n{\"return\": {}}\n";

    #[tokio::test]
    async fn a_migration_ends_well_badly_or_with_qemu() {
        let with = |line: &str| told_after_greeting(line.to_owned());
        async fn told_after_greeting(line: String) -> Result<(), QmpError> {
            told(&[GREETING, line.as_bytes()].concat()).await
        }
        with("{\"event\": \"STOP\"}\n{\"event\":\"MIGRATION\",\"data\":{\"status\":\"completed\"}}\n").await.unwrap();
        let failed = with("{\"event\":\"MIGRATION\",\"data\":{\"status\":\"failed\"}}\n").await;
        assert!(matches!(failed, Err(QmpError::Refused { .. })));
        assert!(matches!(with("").await, Err(QmpError::Ended)));
        assert!(matches!(with("{\"return\": {}}\n").await, Err(QmpError::Nonsense)));
    }

    #[tokio::test]
    async fn a_line_without_end_and_events_without_end_are_nonsense() {
        let long = [GREETING, &vec![b' '; 70 * 1024]].concat();
        assert!(matches!(told(&long).await, Err(QmpError::Nonsense)));
        let greeting = b"{\"QMP\": {}}\n".to_vec();
        let flood = b"{\"event\": \"STOP\"}\n".repeat(MOST_EVENTS + 1);
        assert!(matches!(told(&[greeting, flood].concat()).await, Err(QmpError::Nonsense)));
    }

    #[tokio::test]
    async fn a_refusal_carries_qemus_own_words_cut() {
        let error = format!("{{\"QMP\":{{}}}}\n{{\"error\":{{\"class\":\"G\",\"desc\":\"{}\"}}}}\n", "x".repeat(5_000));
        let Err(QmpError::Refused { command, reason }) = told(error.as_bytes()).await else { panic!("not refused") };
        assert_eq!((command, reason.len()), ("qmp_capabilities", MOST_REASON));
    }

    proptest! {
        #[test]
        fn whatever_qemu_says_is_an_error_or_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            let _ = runtime.block_on(told(&bytes));
            let _ = runtime.block_on(told(&[GREETING, &bytes[..]].concat()));
        }
    }
}
