//! From the age file that a steward sealed to its plaintext.

use std::{
    cell::{Cell, RefCell},
    io, iter,
    ops::Range,
};

use age::{DecryptError, Decryptor, Identity, stream::StreamReader};
use age_core::format::{FileKey, Stanza};
use octroi_attest::{FileId, FileKeys, OpenKeys};
use octroi_proto::wire::zone;

use super::{LoadError, Stop, report::Failure};
use crate::table::{Disk, DiskReader};

/// Authenticated plaintext, a chunk at a time; it seeks.
pub(super) type Plaintext = StreamReader<DiskReader>;

/// What opening an age file gives.
pub(super) struct Opened {
    pub(super) plaintext: Plaintext,
    /// Of the file to be written.
    pub(super) keys: FileKeys,
}

/// Has the file key given by whoever holds the ingest key: the stanzas go out, keys come back.
struct Asked<F> {
    ask: Cell<Option<F>>,
    file: FileId,
    keys: RefCell<Option<Result<FileKeys, LoadError>>>,
}

/// Opens the age file in this extent of the disk.
pub(super) fn open<F>(input: &Disk, extent: Range<u64>, file: FileId, ask: F) -> Result<Opened, Stop>
where
    F: FnOnce(zone::LoadKeyRequest) -> Option<OpenKeys>,
{
    header_ends(input, &extent)?;
    let decryptor = Decryptor::new_buffered(input.reader(extent)).map_err(|_| Failure::NotAge)?;
    let identity = Asked { ask: Cell::new(Some(ask)), file, keys: RefCell::new(None) };
    let plaintext = decryptor.decrypt(iter::once(&identity as &dyn Identity));
    // What went wrong in asking outweighs what age makes of it.
    let keys = identity.keys.into_inner().transpose()?;
    let plaintext = plaintext.map_err(|_| Failure::WrongKey)?;
    Ok(Opened { plaintext, keys: keys.ok_or(LoadError::NoKeys)? })
}

impl<F> Asked<F>
where
    F: FnOnce(zone::LoadKeyRequest) -> Option<OpenKeys>,
{
    fn ask(&self, stanzas: Vec<zone::AgeStanza>) -> Result<(FileKeys, FileKey), LoadError> {
        let ask = self.ask.take().ok_or(LoadError::NoKeys)?;
        let OpenKeys { files, ingest_file_key, histories: _ } =
            ask(zone::LoadKeyRequest { stanzas }).ok_or(LoadError::NoKeys)?;
        let [keys] = <[FileKeys; 1]>::try_from(files).map_err(|_| LoadError::NoKeys)?;
        let file_key = ingest_file_key.ok_or(LoadError::NoKeys)?;
        if keys.file_id != self.file {
            return Err(LoadError::NoKeys);
        }
        Ok((keys, FileKey::init_with_mut(|key| key.copy_from_slice(file_key.expose()))))
    }
}

impl<F> Identity for Asked<F>
where
    F: FnOnce(zone::LoadKeyRequest) -> Option<OpenKeys>,
{
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        None
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let ours = stanzas.iter().filter(|stanza| stanza.tag == "X25519").take(MOST_STANZAS);
        let told: Vec<_> = ours
            .map(|stanza| zone::AgeStanza {
                tag: stanza.tag.clone(),
                arguments: stanza.args.clone(),
                body: stanza.body.clone(),
            })
            .collect();
        if told.is_empty() {
            return None;
        }
        let (keys, file_key) = match self.ask(told) {
            Ok((keys, file_key)) => (Ok(keys), Some(Ok(file_key))),
            Err(error) => (Err(error), Some(Err(DecryptError::NoMatchingKeys))),
        };
        *self.keys.borrow_mut() = Some(keys);
        file_key
    }
}

/// Age reads a header until it ends, each time from its beginning: one that is too long is not given to it.
fn header_ends(input: &Disk, extent: &Range<u64>) -> Result<(), Stop> {
    let end = extent.end.min(extent.start.saturating_add(MOST_HEADER_BYTES));
    let beginning = input.read(extent.start..end).map_err(unreadable)?;
    let ends = beginning.windows(HEADER_END.len()).any(|window| window == HEADER_END);
    if ends { Ok(()) } else { Err(Failure::NotAge.into()) }
}

fn unreadable(error: io::Error) -> Stop {
    LoadError::Disk(error).into()
}

const MOST_STANZAS: usize = 8;
const MOST_HEADER_BYTES: u64 = 64 * 1024;
const HEADER_END: &[u8] = b"\n--- ";
