//! An entry's proof as a file, and its check: offline, by anyone who holds a checkpoint and the log's verifier key.
//!
//! The file is JSON in one spelling, ours; any other spelling of the same content is refused, so that whatever byte
//! is altered, the check fails.
//!
//! A proof leads to one checkpoint. The one it is checked against is that same one, or a later one that the same key
//! signed: then the proof holds under its own, and that the later log continues it is for monitors to see.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use octroi_proto::wire::v1;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use tlog_tiles::tlog::{Hash, check_record};

use super::{CheckpointError, Head, VerifierKey, journal::commitment, tree::leaf_hash};

/// A proof as it lies in a file: `octroi evidence export` writes it, `octroi verify` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofFile {
    /// What the file is and how it is read.
    format: Format,
    /// Place of the entry in the log.
    sequence: u64,
    /// The entry's bytes, base64.
    entry: String,
    /// The salt, base64.
    salt: String,
    /// Hashes from the leaf to the root, base64.
    inclusion: Vec<String>,
    /// The checkpoint the proof leads to.
    checkpoint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "octroi-evidence-proof/1")]
    One,
}

/// An entry that was in the log when the checkpoint was signed. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    entry: v1::Entry,
    head: Head,
    given: Head,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is no proof file, byte for byte as it is written.
    #[error("the proof file is malformed or was altered: export it again")]
    Malformed,
    /// The proof leads to a newer checkpoint than the one given, or to another of the same size.
    #[error(
        "the proof is for the checkpoint of {proof} entries and the one given is of {given}: give that one, or a later"
    )]
    OtherCheckpoint {
        /// Entries under the proof's checkpoint.
        proof: u64,
        /// Entries under the given one.
        given: u64,
    },
    /// The given checkpoint is not believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The entry does not lead to the checkpoint's root.
    #[error("the entry is not in the log that the checkpoint was signed for: the entry or the proof was altered")]
    NotIncluded,
}

impl ProofFile {
    /// The file's text.
    ///
    /// # Errors
    /// None that a proof gives: its fields are all text and numbers.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The proof in the file, if every field is well-formed.
    pub(crate) fn proof(&self) -> Option<v1::EvidenceProof> {
        let bytes = |text: &String| BASE64.decode(text).ok();
        Some(v1::EvidenceProof {
            entry: bytes(&self.entry)?,
            salt: bytes(&self.salt)?,
            sequence: self.sequence,
            inclusion: self.inclusion.iter().map(bytes).collect::<Option<_>>()?,
            checkpoint: self.checkpoint.clone(),
        })
    }

    fn parse(text: &str) -> Option<v1::EvidenceProof> {
        let proof = serde_json::from_str::<Self>(text).ok()?.proof()?;
        let canonical = Self::from(&proof).to_json().ok()?;
        (canonical == text).then_some(proof)
    }
}

impl From<&v1::EvidenceProof> for ProofFile {
    fn from(proof: &v1::EvidenceProof) -> Self {
        Self {
            format: Format::One,
            sequence: proof.sequence,
            entry: BASE64.encode(&proof.entry),
            salt: BASE64.encode(&proof.salt),
            inclusion: proof.inclusion.iter().map(|hash| BASE64.encode(hash)).collect(),
            checkpoint: proof.checkpoint.clone(),
        }
    }
}

impl Verified {
    /// The entry.
    pub fn entry(&self) -> &v1::Entry {
        &self.entry
    }

    /// The log it was in: that of the proof's own checkpoint.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The log of the checkpoint it was checked against.
    pub fn given(&self) -> Head {
        self.given
    }

    /// What was checked, in a sentence.
    pub fn statement(&self) -> String {
        if self.head == self.given {
            return "verified: the log commits to this entry".to_owned();
        }
        format!(
            "verified: the log commits to this entry under the proof's own checkpoint of {} entries, signed by the log's \
             key; that the given one of {} entries continues it is for `octroi evidence monitor` to show",
            self.head.size, self.given.size
        )
    }
}

/// Checks a proof file against a checkpoint that one trusts or has from a monitor, and the log's verifier key.
///
/// # Errors
/// [`VerifyError`] whenever a byte of the file or of the checkpoint is not what the log's holder wrote.
pub fn verify(proof: &str, checkpoint: &str, key: &VerifierKey) -> Result<Verified, VerifyError> {
    let given = key.open(checkpoint)?;
    check(&ProofFile::parse(proof).ok_or(VerifyError::Malformed)?, checkpoint, given, key)
}

/// Checks a proof that lies in another file than one of its own, such as a receipt.
pub(crate) fn verify_proof(
    proof: &v1::EvidenceProof,
    checkpoint: &str,
    key: &VerifierKey,
) -> Result<Verified, VerifyError> {
    check(proof, checkpoint, key.open(checkpoint)?, key)
}

fn check(proof: &v1::EvidenceProof, checkpoint: &str, given: Head, key: &VerifierKey) -> Result<Verified, VerifyError> {
    let head = if proof.checkpoint == checkpoint {
        given
    } else {
        let own = key.open(&proof.checkpoint).map_err(|_| VerifyError::Malformed)?;
        if own.size >= given.size && own != given {
            return Err(VerifyError::OtherCheckpoint { proof: own.size, given: given.size });
        }
        own
    };
    if proof.sequence >= head.size || proof.salt.len() != 32 {
        return Err(VerifyError::NotIncluded);
    }
    let path: Vec<Hash> = proof
        .inclusion
        .iter()
        .map(|hash| hash.as_slice().try_into().map(Hash).map_err(|_| VerifyError::Malformed))
        .collect::<Result<_, _>>()?;
    let leaf = leaf_hash(&commitment(&proof.salt, &proof.entry));
    check_record(&path, head.size, head.root, proof.sequence, leaf).map_err(|_| VerifyError::NotIncluded)?;
    let entry = v1::Entry::decode(proof.entry.as_slice()).map_err(|_| VerifyError::Malformed)?;
    if entry.sequence != proof.sequence || entry.encode_to_vec() != proof.entry {
        return Err(VerifyError::Malformed);
    }
    Ok(Verified { entry, head, given })
}

#[cfg(test)]
mod tests {
    use super::{
        super::store::tests::{fill, store},
        *,
    };
    use proptest::prelude::*;

    fn proven() -> (String, String, VerifierKey) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 13);
        store.publish().unwrap();
        let log = store.log();
        let proof = log.export(5, None).unwrap();
        (ProofFile::from(&proof).to_json().unwrap(), log.checkpoint(), log.verifier_key().clone())
    }

    #[test]
    fn every_entry_is_proven_under_every_size() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 20);
        store.publish().unwrap();
        let log = store.log();
        for size in 1..=20 {
            for sequence in 0..size {
                let proof = log.export(sequence, Some(size)).unwrap();
                let file = ProofFile::from(&proof).to_json().unwrap();
                let verified = verify(&file, &proof.checkpoint, log.verifier_key()).unwrap();
                assert_eq!((verified.entry().sequence, verified.head().size), (sequence, size));
            }
        }
    }

    #[test]
    fn a_proof_under_an_older_checkpoint_carries_that_checkpoint_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 9);
        store.publish().unwrap();
        let older = store.log().checkpoint();
        fill(&mut store, 4);
        store.publish().unwrap();
        let log = store.log();
        assert_eq!(log.export(2, Some(9)).unwrap().checkpoint, older);
        let newer = ProofFile::from(&log.export(2, None).unwrap()).to_json().unwrap();
        let refused = verify(&newer, &older, log.verifier_key());
        assert_eq!(refused, Err(VerifyError::OtherCheckpoint { proof: 13, given: 9 }));
    }

    #[test]
    fn a_later_checkpoint_will_do_and_what_was_checked_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 9);
        store.publish().unwrap();
        let proof = ProofFile::from(&store.log().export(2, None).unwrap()).to_json().unwrap();
        fill(&mut store, 4);
        store.publish().unwrap();
        let log = store.log();
        let verified = verify(&proof, &log.checkpoint(), log.verifier_key()).unwrap();
        assert_eq!((verified.head().size, verified.given().size), (9, 13));
        assert!(verified.statement().contains("own checkpoint of 9") && verified.statement().contains("13"));
    }

    #[test]
    fn another_log_of_the_same_key_and_size_is_caught() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 9);
        store.publish().unwrap();
        let log = store.log();
        let key = crate::evidence::LogKey::load(&folder.path().join("log.key")).unwrap();
        let forked = key.sign(Head { root: Hash([7; 32]), ..log.head() }).unwrap();
        let proof = ProofFile::from(&log.export(2, None).unwrap()).to_json().unwrap();
        let refused = verify(&proof, &forked, log.verifier_key());
        assert_eq!(refused, Err(VerifyError::OtherCheckpoint { proof: 9, given: 9 }));
    }

    #[test]
    fn every_altered_byte_of_either_file_fails() {
        let (proof, checkpoint, key) = proven();
        assert!(verify(&proof, &checkpoint, &key).is_ok());
        let alterations = [1_u8, 2, 4, 8, 16, 32, 64, 128, 0xFF];
        for (index, mask) in (0..proof.len()).flat_map(|index| alterations.map(|mask| (index, mask))) {
            let mut altered = proof.clone().into_bytes();
            altered[index] ^= mask;
            let passed = String::from_utf8(altered).is_ok_and(|text| verify(&text, &checkpoint, &key).is_ok());
            assert!(!passed, "proof byte {index} ^ {mask:#x}");
        }
        for (index, mask) in (0..checkpoint.len()).flat_map(|index| alterations.map(|mask| (index, mask))) {
            let mut altered = checkpoint.clone().into_bytes();
            altered[index] ^= mask;
            let passed = String::from_utf8(altered).is_ok_and(|text| verify(&proof, &text, &key).is_ok());
            assert!(!passed, "checkpoint byte {index} ^ {mask:#x}");
        }
    }

    proptest! {
        #[test]
        fn cuts_insertions_and_swaps_fail(at: prop::sample::Index, other: prop::sample::Index, inserted in "[ -~\n]{1,3}") {
            let (proof, checkpoint, key) = proven();
            let (mut at, other) = (at.index(proof.len()), other.index(proof.len()));
            while !proof.is_char_boundary(at) {
                at -= 1;
            }
            let mut longer = proof.clone();
            longer.insert_str(at, &inserted);
            prop_assert!(verify(&longer, &checkpoint, &key).is_err());
            prop_assert!(verify(proof.split_at(at).0, &checkpoint, &key).is_err());
            let mut swapped = proof.clone().into_bytes();
            swapped.swap(at, other);
            let swapped = String::from_utf8_lossy(&swapped).into_owned();
            prop_assert!(swapped == proof || verify(&swapped, &checkpoint, &key).is_err());
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,200}") {
            let (_, checkpoint, key) = proven();
            prop_assert!(verify(&text, &checkpoint, &key).is_err());
            prop_assert!(key.open(&text).is_err());
        }
    }
}
