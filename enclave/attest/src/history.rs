//! The history of releases of a table's rows, sealed: approved zones alone read it, the key process alone moves it on,
//! and `octroi serve` keeps it.
//!
//! ```text
//! zone:  HistoryKey + records --open--> what was released before     up to the sequence and the head that the key knows
//!        HistoryKey + record, answer --seal--> SealedRelease
//! serve: keeps the sealed record, and has the release committed:
//! keys:  HistoryKey + commitment --commit--> Commitment              once more: the same; after another release: refused
//! serve: the answer's key + sealed answer --open_answer--> answer
//! ```
//!
//! Records form a chain: the head after a release is a digest of the head before it and of the sealed record, so that
//! whoever holds key and head is told exactly what was released, in order. What lies behind the last release known was
//! never released. Trusts: the kernel's generator, and whoever gives the key for its sequence and head. Does not give:
//! that records are kept; a zone that is shown fewer than there are says so, and nothing more is released.

use std::fmt;

use octroi_proto::wire::zone as wire;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
};
use zeroize::Zeroizing;

use crate::{Key, keys::Malformed};

/// Opens the history of one table's rows, and says how far it has gone. The key is erased when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryKey {
    /// Whose rows: `dataset/table`.
    pub table: String,
    /// Seals records and commitments.
    pub key: Key,
    /// Of the last release; 0 before the first.
    pub sequence: u64,
    /// The chain's head after the last release.
    pub head: Head,
}

/// What a chain of sealed records comes to.
pub type Head = [u8; 32];

/// The head before the first release.
pub const NO_RELEASE: Head = [0; 32];

/// A release as its zone committed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// 1 for the first release.
    pub sequence: u64,
    /// The head with it.
    pub head: Head,
    /// What opens its answer.
    pub answer_key: Key,
    /// Whether it is the last release already: then there is nothing to record.
    pub again: bool,
}

/// Why a history was not opened, or a release not sealed: nothing may be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Not all records are there that are known of.
    #[error("the history of releases ends before its last record")]
    Short,
    /// The records are not those that were committed, or not in that order.
    #[error("the history of releases is not the one that was recorded")]
    OtherHead,
    /// A record or an answer does not open.
    #[error("what was sealed does not open: it was changed, or is of another table or place")]
    Sealed,
    /// More bytes or releases than a history has.
    #[error("the history of releases is full: at most {MOST_RELEASES} releases and {MOST_BYTES} bytes")]
    Full,
    /// A record that no history keeps.
    #[error("the release's record is longer than {MOST_RECORD} bytes: ask for less at a time")]
    TooLong,
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    Random,
}

/// Why a release is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another release came first.
    #[error("the release follows another one than the last: ask again")]
    Superseded,
    /// No zone that had this history's key sealed it.
    #[error("the commitment does not open: no zone of ours made it")]
    Sealed,
}

impl HistoryKey {
    /// The records of all releases so far, in order; what lies behind the last one is not looked at.
    ///
    /// # Errors
    /// [`HistoryError`] unless `records` begins with exactly those that led to the head.
    pub fn open(&self, records: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, HistoryError> {
        if self.sequence > MOST_RELEASES {
            return Err(HistoryError::Full);
        }
        let (mut head, mut opened, mut frames) = (NO_RELEASE, Vec::new(), Records::of(records));
        for sequence in 1..=self.sequence {
            let sealed = frames.next().ok_or(HistoryError::Short)??;
            head = after(&head, sealed);
            opened.push(open(&self.key, sealed, &self.record_context(sequence))?);
        }
        if head == self.head { Ok(opened) } else { Err(HistoryError::OtherHead) }
    }

    /// Seals the next release: its record for later audits, its answer until the record is committed. Draws from the
    /// kernel's generator.
    ///
    /// # Errors
    /// [`HistoryError::Full`], [`HistoryError::TooLong`], [`HistoryError::Random`].
    pub fn seal(&self, record: &[u8], answer: &[u8]) -> Result<wire::SealedRelease, HistoryError> {
        if self.sequence >= MOST_RELEASES {
            return Err(HistoryError::Full);
        }
        if record.len() > MOST_RECORD {
            return Err(HistoryError::TooLong);
        }
        let sequence = self.sequence + 1;
        let answer_key = Key::generate().map_err(|_| HistoryError::Random)?;
        let record = seal(&self.key, record, &self.record_context(sequence))?;
        let promise = Promise { sequence, before: self.head, record: sha256(&record), answer_key };
        Ok(wire::SealedRelease {
            table: self.table.clone(),
            sequence,
            commitment: seal(&self.key, promise.encode().as_slice(), &self.commitment_context())?,
            answer: seal(&promise.answer_key, answer, ANSWER)?,
            record,
        })
    }

    /// What a release comes to that a zone committed to, if it follows the last one, or is the last one.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn commit(&self, commitment: &[u8]) -> Result<Commitment, CommitError> {
        let promise = open(&self.key, commitment, &self.commitment_context()).map_err(|_| CommitError::Sealed)?;
        let Promise { sequence, before, record, answer_key } = Promise::decode(&promise).ok_or(CommitError::Sealed)?;
        let head = linked(&before, &record);
        let follows = before == self.head && self.sequence.checked_add(1) == Some(sequence);
        let again = head == self.head && sequence == self.sequence;
        if follows || again {
            Ok(Commitment { sequence, head, answer_key, again })
        } else {
            Err(CommitError::Superseded)
        }
    }

    /// From an envelope's plaintext.
    pub(crate) fn parse(wire: &wire::HistoryKey) -> Result<Self, Malformed> {
        let head = wire.head.as_slice().try_into().map_err(|_| Malformed)?;
        let named = (1..=LONGEST_TABLE).contains(&wire.table.len());
        if !named || (wire.sequence == 0) != (head == NO_RELEASE) {
            return Err(Malformed);
        }
        Ok(Self { table: wire.table.clone(), key: wire.key.as_slice().try_into()?, sequence: wire.sequence, head })
    }

    /// For an envelope. Whoever takes it erases the key.
    pub(crate) fn to_wire(&self) -> wire::HistoryKey {
        wire::HistoryKey {
            table: self.table.clone(),
            key: self.key.expose().to_vec(),
            sequence: self.sequence,
            head: self.head.to_vec(),
        }
    }

    /// Lengths are fixed in front of the table and behind it, so that no two contexts are one.
    fn record_context(&self, sequence: u64) -> Vec<u8> {
        [RECORD, self.table.as_bytes(), &sequence.to_le_bytes()].concat()
    }

    fn commitment_context(&self) -> Vec<u8> {
        [COMMITMENT, self.table.as_bytes()].concat()
    }
}

impl fmt::Debug for HistoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryKey")
            .field("table", &self.table)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// The answer of a committed release.
///
/// # Errors
/// [`HistoryError::Sealed`].
pub fn open_answer(answer_key: &Key, sealed: &[u8]) -> Result<Vec<u8>, HistoryError> {
    // An answer may leave: whoever may open it may have it.
    open(answer_key, sealed, ANSWER).map(|mut answer| std::mem::take(&mut *answer))
}

/// The head after one more sealed record.
pub fn after(head: &Head, sealed_record: &[u8]) -> Head {
    linked(head, &sha256(sealed_record))
}

/// A sealed record as it is kept: its length as a little-endian `u32`, and its bytes.
///
/// # Errors
/// [`HistoryError::TooLong`].
pub fn framed(sealed_record: &[u8]) -> Result<Vec<u8>, HistoryError> {
    let length = u32::try_from(sealed_record.len()).ok().filter(|_| sealed_record.len() <= MOST_RECORD + SEAL);
    let length = length.ok_or(HistoryError::TooLong)?;
    Ok([&length.to_le_bytes(), sealed_record].concat())
}

/// Sealed records, one after the other as they are kept. Ends at the end of the bytes, or with an error.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    taken: usize,
}

impl<'a> Records<'a> {
    /// The records in these bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, taken: 0 }
    }

    /// Bytes that the records took which came so far.
    pub fn taken(&self) -> usize {
        self.taken
    }

    fn take(&mut self) -> Result<&'a [u8], HistoryError> {
        let (length, rest) = self.rest.split_first_chunk::<FRAME>().ok_or(HistoryError::Short)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| HistoryError::TooLong)?;
        if length > MOST_RECORD + SEAL {
            return Err(HistoryError::TooLong);
        }
        let (record, rest) = rest.split_at_checked(length).ok_or(HistoryError::Short)?;
        self.taken += FRAME + length;
        if self.taken > MOST_BYTES {
            return Err(HistoryError::Full);
        }
        self.rest = rest;
        Ok(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<&'a [u8], HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}

/// What a commitment holds.
struct Promise {
    sequence: u64,
    before: Head,
    /// SHA-256 of the sealed record.
    record: [u8; 32],
    answer_key: Key,
}

impl Promise {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let Self { sequence, before, record, answer_key } = self;
        Zeroizing::new([&sequence.to_le_bytes()[..], before, record, answer_key.expose()].concat())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (sequence, rest) = bytes.split_first_chunk()?;
        let (before, rest) = rest.split_first_chunk()?;
        let (record, rest) = rest.split_first_chunk()?;
        let answer_key = rest.try_into().ok()?;
        Some(Self { sequence: u64::from_le_bytes(*sequence), before: *before, record: *record, answer_key })
    }
}

/// A random nonce, the ciphertext, its tag.
fn seal(key: &Key, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>, HistoryError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| HistoryError::Random)?;
    let mut sealed = Zeroizing::new(plaintext.to_vec());
    let tag = cipher(key)
        .and_then(|key| {
            key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
        })
        .map_err(|_| HistoryError::Sealed)?;
    Ok([&nonce[..], &sealed, tag.as_ref()].concat())
}

fn open(key: &Key, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, HistoryError> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(HistoryError::Sealed)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    let length = cipher(key)
        .and_then(|key| {
            let nonce = Nonce::assume_unique_for_key(*nonce);
            key.open_in_place(nonce, Aad::from(context), &mut plaintext).map(|opened| opened.len())
        })
        .map_err(|_| HistoryError::Sealed)?;
    plaintext.truncate(length);
    Ok(plaintext)
}

fn cipher(key: &Key) -> Result<LessSafeKey, ring::error::Unspecified> {
    UnboundKey::new(&AES_256_GCM, key.expose()).map(LessSafeKey::new)
}

fn linked(head: &Head, record: &[u8; 32]) -> Head {
    sha256(&[CHAIN, head, record].concat())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

/// Most bytes of a history, sealed and framed.
pub const MOST_BYTES: usize = 32 << 20;
/// Most releases of a history.
pub const MOST_RELEASES: u64 = 50_000;
/// Most bytes of the record of one release, before it is sealed.
pub const MOST_RECORD: usize = 4 << 20;
/// What sealing adds: nonce and tag.
pub const SEAL: usize = NONCE_LEN + 16;
/// Bytes of a sealed commitment.
pub const COMMITMENT_BYTES: usize = 8 + 32 + 32 + 32 + SEAL;
/// Bytes of `dataset/table`, each of at most 63.
pub const LONGEST_TABLE: usize = 127;

const FRAME: usize = 4;
const CHAIN: &[u8] = b"octroi release history v1\0";
const RECORD: &[u8] = b"octroi release record v1\0";
const COMMITMENT: &[u8] = b"octroi release commitment v1\0";
const ANSWER: &[u8] = b"octroi release answer v1\0";

#[cfg(test)]
mod tests;
