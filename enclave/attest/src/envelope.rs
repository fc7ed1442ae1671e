//! Keys sealed to one launch: HPKE (RFC 9180), base mode, X25519-HKDF-SHA256, HKDF-SHA256, AES-256-GCM.
//!
//! ```text
//! octroi keys: Binding + OpenKeys --seal, to the launch's public key--> SealedKeys
//! zone:        Recipient --open, once--> OpenKeys, for the work, its rules and the columns it asked for, until they expire
//! ```
//!
//! What the keys are for is the `info` of HPKE, so that an envelope opens for nothing else. Trusts: the kernel's
//! generator, and the launch statement that named the public key. Does not give: who sealed it (base mode). Whoever
//! can write to a zone's channel can seal keys of their own; they open no file of ours.

use std::{convert::Infallible, fmt};

use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256, rand_core,
};
use octroi_proto::{Instant, time, wire::zone as wire};
use prost::Message as _;
use zeroize::Zeroizing;

use crate::{FileColumns, LaunchId, OpenKeys, RulesDigest, WorkId};

/// What keys are sealed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The query, or the load.
    pub work: WorkId,
    /// The launch that may open them.
    pub launch: LaunchId,
    /// Whose keys, in the order of the request.
    pub files: Vec<FileColumns>,
    /// No key is used past this moment.
    pub expires: Instant,
    /// What the work is held to.
    pub rules: RulesDigest,
}

/// What a zone knows of the keys it asked for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The work it was given.
    pub work: WorkId,
    /// The launch it was told it is.
    pub launch: LaunchId,
    /// The columns it asked for.
    pub files: &'a [FileColumns],
    /// What it was told that its work is held to.
    pub rules: RulesDigest,
}

/// A zone's key pair, made for one opening. The private key is erased when it is dropped.
pub struct Recipient {
    private: <X25519HkdfSha256 as hpke::Kem>::PrivateKey,
    public: [u8; 32],
}

/// Why keys were not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The keys are not those that the binding names.
    #[error("the keys must be those of the columns that they are bound to")]
    OtherKeys,
    /// Nothing can be sealed to this public key (RFC 9180 section 7.1.4).
    #[error("nothing can be sealed to the launch's public key")]
    PublicKey,
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    Random,
}

/// Why sealed keys were not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Parts are missing or of the wrong size.
    #[error("the sealed keys are malformed")]
    Malformed,
    /// They are for other work, another launch, other columns, or work that is held to other rules.
    #[error("the sealed keys are not those that were asked for")]
    NotAsked,
    /// They may not be used any more.
    #[error("the sealed keys have expired")]
    Expired,
    /// They were sealed to another public key, or were changed.
    #[error("the sealed keys do not open: they are for another zone, or were changed")]
    Sealed,
}

/// Seals keys to a launch's public key.
///
/// # Errors
/// [`SealError`].
pub fn seal(public_key: &[u8; 32], binding: &Binding, keys: &OpenKeys) -> Result<wire::SealedKeys, SealError> {
    if !keys.are_of(&binding.files) {
        return Err(SealError::OtherKeys);
    }
    let to = PublicKey::from_bytes(public_key).map_err(|_| SealError::PublicKey)?;
    let binding = binding.to_wire();
    let mut drawn = Drawn::draw().map_err(|_| SealError::Random)?;
    let sealed = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &to,
        &info(&binding),
        &keys.encode(),
        &[],
        &mut drawn,
    );
    if drawn.exhausted {
        return Err(SealError::Random);
    }
    let (encapsulated_key, ciphertext) = sealed.map_err(|_| SealError::PublicKey)?;
    let encapsulated_key = encapsulated_key.to_bytes().to_vec();
    Ok(wire::SealedKeys { binding: Some(binding), encapsulated_key, ciphertext })
}

impl Recipient {
    /// Draws a key pair from the kernel's generator.
    ///
    /// # Errors
    /// [`getrandom::Error`] when the kernel gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let Drawn { material, .. } = Drawn::draw()?;
        let (private, public) = X25519HkdfSha256::derive_keypair(material.as_slice());
        Ok(Self { private, public: public.to_bytes().into() })
    }

    /// What a launch statement names.
    pub fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// Opens sealed keys and forgets the private key, whether it succeeds or not.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(self, sealed: &wire::SealedKeys, expected: &Expected<'_>, now: Instant) -> Result<OpenKeys, OpenError> {
        let wire = sealed.binding.as_ref().ok_or(OpenError::Malformed)?;
        let binding = Binding::parse(wire).ok_or(OpenError::Malformed)?;
        let same = (binding.work, binding.launch) == (expected.work, expected.launch)
            && binding.files == expected.files
            && binding.rules == expected.rules;
        if !same {
            return Err(OpenError::NotAsked);
        }
        if binding.expires <= now {
            return Err(OpenError::Expired);
        }
        let encapsulated = EncapsulatedKey::from_bytes(&sealed.encapsulated_key).map_err(|_| OpenError::Malformed)?;
        let plaintext = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            &info(&binding.to_wire()),
            &sealed.ciphertext,
            &[],
        );
        let plaintext = plaintext.map(Zeroizing::new).map_err(|_| OpenError::Sealed)?;
        let keys = OpenKeys::decode(&plaintext).map_err(|_| OpenError::Malformed)?;
        if keys.are_of(expected.files) { Ok(keys) } else { Err(OpenError::NotAsked) }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient").field("public", &hex::encode(self.public)).finish_non_exhaustive()
    }
}

impl Binding {
    fn to_wire(&self) -> wire::KeyBinding {
        wire::KeyBinding {
            work_id: self.work.as_bytes().to_vec(),
            launch_id: self.launch.as_bytes().to_vec(),
            files: self.files.iter().map(FileColumns::to_wire).collect(),
            expires: Some(time::to_wire(self.expires)),
            rules: self.rules.as_bytes().to_vec(),
        }
    }

    fn parse(wire: &wire::KeyBinding) -> Option<Self> {
        Some(Self {
            work: wire.work_id.as_slice().try_into().ok()?,
            launch: wire.launch_id.as_slice().try_into().ok()?,
            files: wire.files.iter().map(|file| FileColumns::parse(file).ok()).collect::<Option<_>>()?,
            expires: time::parse(wire.expires).ok()?,
            rules: wire.rules.as_slice().try_into().ok()?,
        })
    }
}

fn info(binding: &wire::KeyBinding) -> Vec<u8> {
    [CONTEXT, &binding.encode_to_vec()].concat()
}

/// Key material drawn beforehand: HPKE's own generator may not fail, and the kernel's may.
struct Drawn {
    material: Zeroizing<[u8; 32]>,
    used: bool,
    exhausted: bool,
}

impl Drawn {
    fn draw() -> Result<Self, getrandom::Error> {
        let mut material = Zeroizing::new([0; 32]);
        getrandom::fill(material.as_mut_slice())?;
        Ok(Self { material, used: false, exhausted: false })
    }
}

impl rand_core::TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.exhausted = true;
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.exhausted = true;
        Ok(0)
    }

    /// Serves the one draw there is: DHKEM's input for the ephemeral key (RFC 9180 section 7.1.3).
    fn try_fill_bytes(&mut self, place: &mut [u8]) -> Result<(), Infallible> {
        if self.used || place.len() != self.material.len() {
            self.exhausted = true;
        } else {
            place.copy_from_slice(self.material.as_slice());
            self.used = true;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Drawn {}

type PublicKey = <X25519HkdfSha256 as hpke::Kem>::PublicKey;
type EncapsulatedKey = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

const CONTEXT: &[u8] = b"octroi keys v1\0";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{FileKeys, HistoryKey, Key};

    fn now() -> Instant {
        Instant::from_second(1_790_000_000).unwrap()
    }

    fn keys() -> OpenKeys {
        let columns = BTreeMap::from([("age".to_owned(), Key::from([3; 32])), ("city".to_owned(), Key::from([4; 32]))]);
        let file = |id| FileKeys { file_id: [id; 16].into(), footer: Key::from([2; 32]), columns: columns.clone() };
        let history = |table: &str, sequence| HistoryKey {
            table: table.to_owned(),
            key: Key::from([6; 32]),
            sequence,
            head: [u8::try_from(sequence).unwrap(); 32],
        };
        let histories = vec![history("census/people", 0), history("mobility/trips", 2)];
        OpenKeys { files: vec![file(9), file(1)], ingest_file_key: Some([5; 16].into()), histories }
    }

    fn binding() -> Binding {
        let columns = ["age", "city"].map(str::to_owned).into();
        let first = FileColumns { file_id: [9; 16].into(), columns };
        let second = FileColumns { file_id: [1; 16].into(), ..first.clone() };
        let expires = Instant::from_second(1_790_000_060).unwrap();
        Binding { work: [7; 16].into(), launch: [8; 16].into(), files: vec![first, second], expires, rules: rules(6) }
    }

    fn rules(byte: u8) -> RulesDigest {
        [byte; 32].as_slice().try_into().unwrap()
    }

    fn expected(binding: &Binding) -> Expected<'_> {
        Expected { work: binding.work, launch: binding.launch, files: &binding.files, rules: binding.rules }
    }

    fn refusal(change: impl FnOnce(&mut wire::SealedKeys)) -> OpenError {
        let recipient = Recipient::generate().unwrap();
        let mut sealed = seal(&recipient.public_key(), &binding(), &keys()).unwrap();
        change(&mut sealed);
        recipient.open(&sealed, &expected(&binding()), now()).unwrap_err()
    }

    #[test]
    fn what_was_sealed_opens_for_its_recipient_and_no_other() {
        let recipient = Recipient::generate().unwrap();
        let sealed = seal(&recipient.public_key(), &binding(), &keys()).unwrap();
        let other = Recipient::generate().unwrap();
        assert_ne!(other.public_key(), recipient.public_key());
        assert_eq!(other.open(&sealed, &expected(&binding()), now()), Err(OpenError::Sealed));
        let opened = recipient.open(&sealed, &expected(&binding()), now()).unwrap();
        assert_eq!(opened, keys());
        assert_eq!(opened.history("mobility/trips").unwrap().sequence, 2);
        assert!(opened.history("mobility/homes").is_none());
    }

    #[test]
    fn histories_are_sorted_named_and_have_a_head_once_there_was_a_release() {
        let changes: [fn(&mut Vec<HistoryKey>); 6] = [
            |histories| histories.swap(0, 1),
            |histories| histories[1].table = "census/people".into(),
            |histories| histories[0].table.clear(),
            |histories| histories[1].table = "x".repeat(128),
            |histories| histories[1].head = [0; 32],
            |histories| histories[1].sequence = 0,
        ];
        for change in changes {
            let mut bad = keys();
            change(&mut bad.histories);
            let recipient = Recipient::generate().unwrap();
            let sealed = seal(&recipient.public_key(), &binding(), &bad).unwrap();
            assert_eq!(recipient.open(&sealed, &expected(&binding()), now()), Err(OpenError::Malformed));
        }
    }

    #[test]
    fn a_load_without_input_and_no_files_at_all_are_envelopes_too() {
        let recipient = Recipient::generate().unwrap();
        let binding = Binding { files: Vec::new(), ..binding() };
        let sealed = seal(&recipient.public_key(), &binding, &OpenKeys::default()).unwrap();
        assert_eq!(recipient.open(&sealed, &expected(&binding), now()).unwrap(), OpenKeys::default());
    }

    #[test]
    fn keys_are_opened_for_the_work_and_the_columns_asked_for_until_they_expire() {
        let wrong = [
            Binding { work: [0; 16].into(), ..binding() },
            Binding { launch: [0; 16].into(), ..binding() },
            Binding { files: binding().files.into_iter().rev().collect(), ..binding() },
            Binding { files: Vec::new(), ..binding() },
            Binding { rules: rules(0), ..binding() },
        ];
        for asked in wrong {
            let recipient = Recipient::generate().unwrap();
            let sealed = seal(&recipient.public_key(), &binding(), &keys()).unwrap();
            assert_eq!(recipient.open(&sealed, &expected(&asked), now()), Err(OpenError::NotAsked));
        }
        let recipient = Recipient::generate().unwrap();
        let sealed = seal(&recipient.public_key(), &binding(), &keys()).unwrap();
        assert_eq!(recipient.open(&sealed, &expected(&binding()), binding().expires), Err(OpenError::Expired));
    }

    #[test]
    fn a_binding_that_was_changed_after_the_sealing_opens_nothing() {
        let later = |sealed: &mut wire::SealedKeys| {
            sealed.binding.as_mut().unwrap().expires.as_mut().unwrap().seconds += 3_600;
        };
        assert_eq!(refusal(later), OpenError::Sealed);
        assert_eq!(refusal(|sealed| sealed.binding = None), OpenError::Malformed);
        // A carrier that says that the keys are for the rules it would rather have.
        let recipient = Recipient::generate().unwrap();
        let mut sealed = seal(&recipient.public_key(), &Binding { rules: rules(0), ..binding() }, &keys()).unwrap();
        sealed.binding.as_mut().unwrap().rules = vec![6; 32];
        assert_eq!(recipient.open(&sealed, &expected(&binding()), now()), Err(OpenError::Sealed));
        assert_eq!(refusal(|sealed| sealed.binding.as_mut().unwrap().rules.clear()), OpenError::Malformed);
        assert_eq!(refusal(|sealed| sealed.encapsulated_key.truncate(31)), OpenError::Malformed);
        let doubled = |sealed: &mut wire::SealedKeys| {
            sealed.binding.as_mut().unwrap().files[0].columns = vec!["age".into(), "age".into()];
        };
        assert_eq!(refusal(doubled), OpenError::Malformed);
    }

    #[test]
    fn keys_other_than_those_bound_are_not_sealed() {
        let recipient = Recipient::generate().unwrap();
        let mut fewer = keys();
        fewer.files[0].columns.remove("age");
        assert_eq!(seal(&recipient.public_key(), &binding(), &fewer), Err(SealError::OtherKeys));
        // A point of small order: the shared secret would be zero.
        assert_eq!(seal(&[0; 32], &binding(), &keys()), Err(SealError::PublicKey));
    }

    #[test]
    fn the_same_keys_never_seal_to_the_same_bytes() {
        let recipient = Recipient::generate().unwrap();
        let [one, two] = [(); 2].map(|()| seal(&recipient.public_key(), &binding(), &keys()).unwrap());
        assert_ne!(one.encapsulated_key, two.encapsulated_key);
        assert_ne!(one.ciphertext, two.ciphertext);
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?} {:?}", keys(), Recipient::generate().unwrap());
        assert!(shown.contains("Key(..)") && shown.contains("AgeFileKey(..)") && !shown.contains("[3, 3"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_damage_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let at_sealed = |sealed: &mut wire::SealedKeys| {
                let whole = sealed.encapsulated_key.len() + sealed.ciphertext.len();
                let at = at.index(whole);
                let inside = sealed.encapsulated_key.len();
                let byte = if at < inside { &mut sealed.encapsulated_key[at] } else { &mut sealed.ciphertext[at - inside] };
                // X25519 ignores its point's top bit, but HPKE binds the bytes as they came.
                *byte ^= 1 << bit;
            };
            prop_assert_eq!(refusal(at_sealed), OpenError::Sealed);
        }

        #[test]
        fn any_bytes_are_keys_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = OpenKeys::decode(&bytes);
        }
    }
}
