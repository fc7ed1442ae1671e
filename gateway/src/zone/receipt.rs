//! Receipts: what their holder can show of an answer, and their check, offline.
//!
//! The file is JSON in one spelling, ours, as the proof of an entry is; any other spelling is refused, so that whatever
//! byte is altered, the check fails. A receipt shows that the log's holder recorded this release, from which data, by
//! which rules and in which launch. It does not show that the launch was what it claims: its measurement is signed by
//! the host that made it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use octroi_proto::wire::{
    v1::{self, entry::Record},
    zone::Launch,
};
use prost::Message as _;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};

use super::{Register, Unavailable, admit::Admitted, verdict::Recorded};
use crate::evidence::{ProofFile, Verified, VerifierKey, VerifyError, verify_proof};

/// What stands while answers are released.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    pub(super) least_subjects: u32,
    pub(super) configuration: [u8; 32],
}

/// The record of a release, and the key that its receipt adds.
pub(super) struct Prepared {
    pub(super) record: v1::ReleasedAnswer,
    pub(super) query_key: [u8; 32],
}

impl Prepared {
    /// The record of this answer's release.
    pub(super) fn new<R: Register>(
        admitted: &Admitted<R>,
        (answer, recorded): (&v1::AnswerTable, Option<&Recorded>),
        ground: Ground,
    ) -> Result<Self, Unavailable> {
        let mut query_key = [0; 32];
        getrandom::fill(&mut query_key).map_err(|error| Unavailable(error.into()))?;
        let record = v1::ReleasedAnswer {
            query_id: admitted.query_id().to_vec(),
            tables: admitted.subject().queried(),
            query_hmac: query_hmac(&query_key, admitted.ask().sql()).as_ref().to_vec(),
            answer_sha256: sha256(&answer.encode_to_vec()),
            policy_sha256: admitted.subject().policy().to_vec(),
            least_subjects: ground.least_subjects,
            launch: admitted.launch().launch.clone(),
            launch_signature: admitted.launch().signature.clone(),
            configuration_sha256: ground.configuration.to_vec(),
            purpose: admitted.ask().purpose().to_string(),
            owners: admitted.owners(),
            notice: NOTICE.to_owned(),
            query_key_sha256: sha256(&query_key),
            history_table: recorded.map(|it| it.table.to_string()).unwrap_or_default(),
            history_sequence: recorded.map(|it| it.sequence).unwrap_or_default(),
            history_sha256: recorded.map(|it| it.head.to_vec()).unwrap_or_default(),
            noise_epsilon: answer.noise_epsilon,
        };
        Ok(Self { record, query_key })
    }
}

/// A receipt as it lies in a file: `octroi query --receipt` writes it, `octroi verify` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFile {
    format: Format,
    /// The key under which the question is committed to, base64.
    query_key: String,
    /// The release's entry and its proof.
    proof: ProofFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "octroi-receipt/1")]
    One,
}

/// Why a receipt does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// It is no receipt, byte for byte as it is written.
    #[error("the receipt is malformed or was altered: take it from the answer again")]
    Malformed,
    /// Its entry is not proven.
    #[error(transparent)]
    Proof(#[from] VerifyError),
    /// Its entry is of something else than a release.
    #[error("the receipt's entry is not of a released answer")]
    NotReleased,
    /// Its key is not the one the entry commits to.
    #[error("the receipt's query key is not the one that was recorded: it was altered")]
    QueryKey,
    /// The question given is another.
    #[error("the receipt is not for this question: give the SQL byte for byte as it was asked")]
    OtherQuestion,
    /// The answer given is another.
    #[error("the receipt is not for this answer: it was altered, or is another one's")]
    OtherAnswer,
}

/// A receipt that holds. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedReceipt {
    entry: Verified,
    release: v1::ReleasedAnswer,
    launch: Launch,
}

impl ReceiptFile {
    /// The file of a receipt; `None` for one without a proof.
    pub fn new(receipt: &v1::Receipt) -> Option<Self> {
        let proof = receipt.proof.as_ref()?.into();
        Some(Self { format: Format::One, query_key: BASE64.encode(&receipt.query_key), proof })
    }

    /// The file's text.
    ///
    /// # Errors
    /// None that a receipt gives: its fields are all text and numbers.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Whether a text claims to be a receipt, so that it is checked as one.
    pub fn claims(text: &str) -> bool {
        #[derive(Deserialize)]
        struct Claim {
            format: Format,
        }
        serde_json::from_str::<Claim>(text).is_ok_and(|Claim { format: Format::One }| true)
    }

    fn parse(text: &str) -> Option<v1::Receipt> {
        let file: Self = serde_json::from_str(text).ok()?;
        let receipt = v1::Receipt { proof: Some(file.proof.proof()?), query_key: BASE64.decode(&file.query_key).ok()? };
        let canonical = Self::new(&receipt)?.to_json().ok()?;
        (canonical == text).then_some(receipt)
    }
}

/// Checks a receipt's file against a checkpoint that one trusts and the log's verifier key; and, where they are given,
/// that it is for this SQL and for this answer (an encoded `AnswerTable`).
///
/// # Errors
/// [`ReceiptError`] whenever a byte of any of them is not what it was.
pub fn verify(
    receipt: &str,
    checkpoint: &str,
    key: &VerifierKey,
    sql: Option<&str>,
    answer: Option<&v1::AnswerTable>,
) -> Result<VerifiedReceipt, ReceiptError> {
    let receipt = ReceiptFile::parse(receipt).ok_or(ReceiptError::Malformed)?;
    let proof = receipt.proof.ok_or(ReceiptError::Malformed)?;
    let entry = verify_proof(&proof, checkpoint, key)?;
    let Some(Record::ReleasedAnswer(release)) = entry.entry().record.clone() else {
        return Err(ReceiptError::NotReleased);
    };
    if sha256(&receipt.query_key) != release.query_key_sha256 {
        return Err(ReceiptError::QueryKey);
    }
    if sql.is_some_and(|sql| query_hmac(&receipt.query_key, sql).as_ref() != release.query_hmac) {
        return Err(ReceiptError::OtherQuestion);
    }
    if answer.is_some_and(|answer| sha256(&answer.encode_to_vec()) != release.answer_sha256) {
        return Err(ReceiptError::OtherAnswer);
    }
    let launch = Launch::decode(release.launch.as_slice()).map_err(|_| ReceiptError::NotReleased)?;
    Ok(VerifiedReceipt { entry, release, launch })
}

impl VerifiedReceipt {
    /// The release's entry in the log.
    pub fn entry(&self) -> &Verified {
        &self.entry
    }

    /// What was recorded of the release.
    pub fn release(&self) -> &v1::ReleasedAnswer {
        &self.release
    }

    /// The launch that the answer was computed in, as its host says.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }
}

fn query_hmac(key: &[u8], sql: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), sql.as_bytes())
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

const NOTICE: &str = "This answer is an aggregate of sensitive data, for the purpose stated and no other. It must not be \
    combined with other data to single out anyone. Thresholds and rounding are not anonymity: pass it on with this notice.";

#[cfg(test)]
mod tests {
    use super::{super::tests::world, *};

    fn verified(receipt: &str, checkpoint: &str, key: &VerifierKey) -> Result<VerifiedReceipt, ReceiptError> {
        verify(receipt, checkpoint, key, None, None)
    }

    #[test]
    fn a_receipt_says_what_was_released_and_of_what() {
        let world::Receipt { text, checkpoint, key, sql, answer } = world::receipt();
        assert!(ReceiptFile::claims(&text) && !ReceiptFile::claims(&checkpoint));
        let holds = verify(&text, &checkpoint, &key, Some(&sql), Some(&answer)).unwrap();
        assert_eq!((holds.launch().backend.as_str(), holds.release().least_subjects), ("vm", 11));
        let release = holds.release();
        assert_eq!((release.history_table.as_str(), release.history_sequence), ("mobility/trips", 1));
        assert_eq!(release.history_sha256.len(), 32);
        let other = verify(&text, &checkpoint, &key, Some(&format!("{sql} ")), None);
        assert_eq!(other, Err(ReceiptError::OtherQuestion));
        let other = verify(&text, &checkpoint, &key, None, Some(&v1::AnswerTable::default()));
        assert_eq!(other, Err(ReceiptError::OtherAnswer));
    }

    #[test]
    fn every_altered_byte_of_either_file_fails() {
        let world::Receipt { text, checkpoint, key, .. } = world::receipt();
        verified(&text, &checkpoint, &key).unwrap();
        for (index, mask) in (0..text.len()).flat_map(|index| [1_u8, 4, 0x20, 0xFF].map(|mask| (index, mask))) {
            let mut altered = text.clone().into_bytes();
            altered[index] ^= mask;
            let passed = String::from_utf8(altered).is_ok_and(|text| verified(&text, &checkpoint, &key).is_ok());
            assert!(!passed, "receipt byte {index} ^ {mask:#x}");
        }
        for (index, mask) in (0..checkpoint.len()).flat_map(|index| [1_u8, 4, 0x20, 0xFF].map(|mask| (index, mask))) {
            let mut altered = checkpoint.clone().into_bytes();
            altered[index] ^= mask;
            let passed = String::from_utf8(altered).is_ok_and(|altered| verified(&text, &altered, &key).is_ok());
            assert!(!passed, "checkpoint byte {index} ^ {mask:#x}");
        }
    }

    #[test]
    fn the_receipt_within_a_printed_answer_is_the_file_once_it_is_spread_over_lines() {
        let world::Receipt { text, .. } = world::receipt();
        let receipt = ReceiptFile::parse(&text).unwrap();
        let verdict = v1::Verdict::Released.into();
        let answer = v1::Answer { verdict, receipt: Some(receipt), ..v1::Answer::default() };
        let printed = crate::zone::AnswerObject::from(&answer).to_json().unwrap();
        let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(serde_json::to_string_pretty(&printed["receipt"]).unwrap() + "\n", text);
    }

    #[test]
    fn an_entry_of_something_else_is_no_receipt() {
        let (proof, checkpoint, key) = world::other_entry();
        let receipt = ReceiptFile::new(&v1::Receipt { proof: Some(proof), query_key: vec![1; 32] }).unwrap();
        let refused = verified(&receipt.to_json().unwrap(), &checkpoint, &key);
        assert_eq!(refused, Err(ReceiptError::NotReleased));
    }
}
