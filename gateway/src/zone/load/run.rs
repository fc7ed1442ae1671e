//! A load in its zone: three states, each moved by what the zone says next. What a state does not await is a lie and
//! ends the load.

use octroi_host::lease::{Frames, ReceiveError};
use octroi_proto::{
    FileId, TableSchema,
    wire::zone::{AgeStanza, Load, Loaded, SealedKeys, TableFile, ToZone, to_host::Message, to_zone::Message as Word},
};

use super::{DISK_START, LoadError, Report, keep::Pins};

/// What the zone was asked to write, to hold its answer against.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) schema: TableSchema,
    pub(super) file: FileId,
    pub(super) aad_prefix: String,
    /// Bytes that the disk may hold.
    pub(super) most: u64,
}

/// The zone has the load and no key.
#[derive(Debug)]
pub(super) struct Reading {
    frames: Frames,
    awaited: Awaited,
}

/// What became of reading the header.
pub(super) enum Read {
    /// It can be opened by whoever holds the ingest key.
    Wants(Wants),
    /// It cannot be opened by anyone.
    Told(Told),
}

/// The zone read the age header.
#[derive(Debug)]
pub(super) struct Wants {
    frames: Frames,
    awaited: Awaited,
    stanzas: Vec<AgeStanza>,
}

/// The zone has its keys.
#[derive(Debug)]
pub(super) struct Writing {
    frames: Frames,
    awaited: Awaited,
}

/// How a load ended in its zone.
#[derive(Debug)]
pub(super) enum Told {
    /// Nothing was written.
    Nothing(Report),
    /// A file lies on the output disk, as it says.
    Written { report: Report, pins: Pins },
}

impl Reading {
    /// Hands over the load.
    pub(super) async fn begin(mut frames: Frames, load: Load, awaited: Awaited) -> Result<Self, LoadError> {
        send(&mut frames, Word::Load(load)).await?;
        Ok(Self { frames, awaited })
    }

    /// What the zone makes of the header.
    pub(super) async fn read(mut self) -> Result<Read, LoadError> {
        match receive(&mut self.frames).await? {
            Message::LoadKeyRequest(request) if fits(&request.stanzas) => {
                let Self { frames, awaited } = self;
                Ok(Read::Wants(Wants { frames, awaited, stanzas: request.stanzas }))
            }
            Message::Loaded(loaded) => match self.awaited.told(loaded)? {
                told @ Told::Nothing(_) => Ok(Read::Told(told)),
                Told::Written { .. } => Err(LoadError::Lied("rows were written without keys")),
            },
            Message::Withheld(_) => Err(LoadError::Zone("it gave up")),
            Message::LoadKeyRequest(_) => Err(LoadError::Lied("the age header's stanzas")),
            Message::Warm(_)
            | Message::Ready(_)
            | Message::KeyRequest(_)
            | Message::Rejected(_)
            | Message::Answer(_)
            | Message::Checked(_) => Err(LoadError::Lied("what a load does not say")),
        }
    }
}

impl Wants {
    /// The stanzas of the age header.
    pub(super) fn stanzas(&self) -> &[AgeStanza] {
        &self.stanzas
    }

    /// Hands over the keys.
    pub(super) async fn unlock(self, keys: SealedKeys) -> Result<Writing, LoadError> {
        let Self { mut frames, awaited, .. } = self;
        send(&mut frames, Word::Keys(keys)).await?;
        Ok(Writing { frames, awaited })
    }
}

impl Writing {
    /// How it ends.
    pub(super) async fn told(mut self) -> Result<Told, LoadError> {
        match receive(&mut self.frames).await? {
            Message::Loaded(loaded) => self.awaited.told(loaded),
            Message::Withheld(_) => Err(LoadError::Zone("it gave up")),
            Message::Warm(_)
            | Message::Ready(_)
            | Message::KeyRequest(_)
            | Message::LoadKeyRequest(_)
            | Message::Rejected(_)
            | Message::Answer(_)
            | Message::Checked(_) => Err(LoadError::Lied("what a load does not say")),
        }
    }
}

impl Awaited {
    fn told(&self, loaded: Loaded) -> Result<Told, LoadError> {
        let report = loaded.report.and_then(|report| Report::parse(report, &self.schema));
        let report = report.ok_or(LoadError::Lied("its report"))?;
        match loaded.file {
            None if report.rows() == 0 => Ok(Told::Nothing(report)),
            Some(file) if report.rows() > 0 => {
                let pins = self.pins(&file, report.rows()).ok_or(LoadError::Lied("its file"))?;
                Ok(Told::Written { report, pins })
            }
            None | Some(_) => Err(LoadError::Lied("rows without a file, or a file without rows")),
        }
    }

    fn pins(&self, file: &TableFile, rows: u64) -> Option<Pins> {
        let asked = file.file_id == self.file.as_bytes()
            && file.aad_prefix == self.aad_prefix
            && file.disk_offset == DISK_START
            && file.rows == rows
            && file.length <= self.most.saturating_sub(DISK_START);
        let footer_sha256 = file.footer_sha256.as_slice().try_into().ok()?;
        let pins = Pins::new(self.file, file.length, (footer_sha256, file.footer_length), rows);
        pins.filter(|_| asked)
    }
}

/// Stanzas as an age header may have them; the key process parses them.
fn fits(stanzas: &[AgeStanza]) -> bool {
    let short = |stanza: &AgeStanza| {
        let arguments = stanza.arguments.iter().map(String::len).sum::<usize>();
        stanza.arguments.len() <= MOST_ARGUMENTS && stanza.tag.len() + arguments + stanza.body.len() <= MOST_BYTES
    };
    (1..=MOST_STANZAS).contains(&stanzas.len()) && stanzas.iter().all(short)
}

async fn send(frames: &mut Frames, word: Word) -> Result<(), LoadError> {
    frames.send(&ToZone { message: Some(word) }).await.map_err(|_| LoadError::Zone("it does not listen"))
}

async fn receive(frames: &mut Frames) -> Result<Message, LoadError> {
    match frames.receive(MOST_SAID).await {
        Ok(message) => Ok(message),
        Err(ReceiveError::Ended) => Err(LoadError::Zone("it is gone")),
        Err(ReceiveError::Frame(_)) => Err(LoadError::Lied("what is no frame")),
    }
}

/// Of a frame: a report names a thousand rows at most. Bytes.
const MOST_SAID: usize = 2 * 1024 * 1024;
const MOST_STANZAS: usize = 8;
const MOST_ARGUMENTS: usize = 8;
const MOST_BYTES: usize = 2_048;
