//! Launch statements: what a zone's host says it launched, signed.
//!
//! ```text
//! host:     Launch --LaunchKey::sign--> SignedLaunch
//! believer: SignedLaunch --HostKey::verify--> VerifiedLaunch
//! ```
//!
//! Trusts: whoever holds the host's key. Does not give: proof against that host. Without SEV-SNP or TDX this is a
//! host-signed launch measurement and no more; whether the host and the image may be trusted is for [`crate::reference`]
//! to say.

use std::{fmt, str::FromStr};

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use octroi_proto::{Instant, time, wire::zone as wire};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{LaunchId, Measurement};

/// One launch of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Never twice.
    pub id: LaunchId,
    /// What was launched.
    pub image: Measurement,
    /// How it is kept apart.
    pub zone: Zone,
    /// X25519: what is sealed to it, it alone opens.
    pub public_key: [u8; 32],
    /// When it was given to its work; a zone that waited in a pool was made long before.
    pub started: Instant,
}

/// How a zone is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// A virtual machine of its own.
    Vm {
        /// The RAM and state that it was cloned from.
        template: Measurement,
        /// Who runs its instructions.
        accelerator: Accelerator,
    },
    /// A sandboxed process on the host's kernel.
    Process,
}

/// Who runs a virtual machine's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor, through the host's kernel.
    Kvm,
    /// QEMU, instruction by instruction.
    Tcg,
}

/// The kinds of zones, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// A virtual machine of its own.
    Vm,
    /// A sandboxed process on the host's kernel.
    Process,
}

/// A backend that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `vm` or `process`")]
pub struct UnknownBackend;

/// The key that a zone host signs its launches with; erased when dropped, never shown.
pub struct LaunchKey(SigningKey);

/// The public half of a zone host's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey(VerifyingKey);

/// What is no host's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an Ed25519 public key: 32 bytes, or 64 hexadecimal digits")]
pub struct InvalidHostKey;

/// A launch that a host signed. Made by [`HostKey::verify`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLaunch {
    launch: Launch,
    host: HostKey,
}

/// Why a launch statement is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// Another key signed it, or it was changed.
    #[error("the launch was not signed by this zone host, or was changed since")]
    Signature,
    /// It was signed, and makes no sense.
    #[error("the launch statement is malformed: are the zone host and the gateway of one version?")]
    Malformed,
}

impl LaunchKey {
    /// Draws a key from the kernel's generator.
    ///
    /// # Errors
    /// [`getrandom::Error`] when the kernel gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice())?;
        Ok(Self::from_bytes(&seed))
    }

    /// The key of this seed (RFC 8032 section 5.1.5).
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for the file that keeps it.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Its public half.
    pub fn public(&self) -> HostKey {
        HostKey(self.0.verifying_key())
    }

    /// Signs a launch.
    pub fn sign(&self, launch: &Launch) -> wire::SignedLaunch {
        let launch = launch.to_wire().encode_to_vec();
        let signature = self.0.sign(&signed(&launch)).to_bytes().to_vec();
        wire::SignedLaunch { launch, signature }
    }
}

impl HostKey {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Believes a launch that this host signed.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub fn verify(&self, statement: &wire::SignedLaunch) -> Result<VerifiedLaunch, LaunchError> {
        let signature = statement.signature.as_slice().try_into().map_err(|_| LaunchError::Signature)?;
        // Strictly: a signature holds for one key and one statement.
        self.0.verify_strict(&signed(&statement.launch), &signature).map_err(|_| LaunchError::Signature)?;
        let wire = wire::Launch::decode(statement.launch.as_slice()).map_err(|_| LaunchError::Malformed)?;
        Ok(VerifiedLaunch { launch: Launch::parse(&wire).ok_or(LaunchError::Malformed)?, host: *self })
    }
}

impl VerifiedLaunch {
    /// What was launched.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Who says so.
    pub fn host(&self) -> &HostKey {
        &self.host
    }
}

impl Launch {
    fn to_wire(&self) -> wire::Launch {
        let (template, accelerator) = match self.zone {
            Zone::Vm { template, accelerator } => (template.as_bytes().to_vec(), accelerator.name()),
            Zone::Process => (Vec::new(), "none"),
        };
        wire::Launch {
            launch_id: self.id.as_bytes().to_vec(),
            image: self.image.as_bytes().to_vec(),
            template,
            backend: self.zone.backend().to_string(),
            accelerator: accelerator.to_owned(),
            public_key: self.public_key.to_vec(),
            started: Some(time::to_wire(self.started)),
        }
    }

    fn parse(wire: &wire::Launch) -> Option<Self> {
        let zone = match (wire.backend.parse().ok()?, wire.accelerator.as_str(), wire.template.as_slice()) {
            (Backend::Vm, accelerator, template) => {
                Zone::Vm { template: template.try_into().ok()?, accelerator: Accelerator::of(accelerator)? }
            }
            (Backend::Process, "none", []) => Zone::Process,
            (Backend::Process, _, _) => return None,
        };
        Some(Self {
            id: wire.launch_id.as_slice().try_into().ok()?,
            image: wire.image.as_slice().try_into().ok()?,
            zone,
            public_key: wire.public_key.as_slice().try_into().ok()?,
            started: time::parse(wire.started).ok()?,
        })
    }
}

impl Zone {
    /// Which kind it is.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Vm { .. } => Backend::Vm,
            Self::Process => Backend::Process,
        }
    }
}

impl Accelerator {
    /// Its name in launches and receipts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Kvm, Self::Tcg].into_iter().find(|accelerator| accelerator.name() == name)
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;
    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        match name {
            "vm" => Ok(Self::Vm),
            "process" => Ok(Self::Process),
            _ => Err(UnknownBackend),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vm => "vm",
            Self::Process => "process",
        })
    }
}

impl TryFrom<&[u8]> for HostKey {
    type Error = InvalidHostKey;
    fn try_from(bytes: &[u8]) -> Result<Self, InvalidHostKey> {
        let bytes = bytes.try_into().map_err(|_| InvalidHostKey)?;
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| InvalidHostKey)
    }
}

impl TryFrom<String> for HostKey {
    type Error = InvalidHostKey;
    fn try_from(digits: String) -> Result<Self, InvalidHostKey> {
        digits.parse()
    }
}

impl FromStr for HostKey {
    type Err = InvalidHostKey;
    fn from_str(digits: &str) -> Result<Self, InvalidHostKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidHostKey)?;
        bytes.as_slice().try_into()
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({self})")
    }
}

impl fmt::Debug for LaunchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

fn signed(launch: &[u8]) -> Vec<u8> {
    [b"octroi launch v1\0", launch].concat()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn launch() -> Launch {
        Launch {
            id: [1; 16].into(),
            image: Measurement::from([2; 32]),
            zone: Zone::Vm { template: Measurement::from([3; 32]), accelerator: Accelerator::Tcg },
            public_key: [4; 32],
            started: Instant::from_second(1_790_000_000).unwrap(),
        }
    }

    fn changed(change: impl FnOnce(&mut wire::Launch)) -> Option<Launch> {
        let mut wire = launch().to_wire();
        change(&mut wire);
        Launch::parse(&wire)
    }

    #[test]
    fn a_launch_is_believed_of_the_host_that_signed_it_and_of_no_other() {
        let key = LaunchKey::generate().unwrap();
        let process = Launch { zone: Zone::Process, ..launch() };
        for launch in [launch(), process] {
            let statement = LaunchKey::from_bytes(&key.to_bytes()).sign(&launch);
            let verified = key.public().verify(&statement).unwrap();
            assert_eq!((verified.launch(), verified.host()), (&launch, &key.public()));
            let other = LaunchKey::generate().unwrap().public();
            assert_eq!(other.verify(&statement), Err(LaunchError::Signature));
        }
    }

    #[test]
    fn a_signature_over_something_else_is_none_over_a_launch() {
        let key = LaunchKey::generate().unwrap();
        let launch = launch().to_wire().encode_to_vec();
        let signature = key.0.sign(&launch).to_bytes().to_vec();
        let statement = wire::SignedLaunch { launch, signature };
        assert_eq!(key.public().verify(&statement), Err(LaunchError::Signature));
    }

    #[test]
    fn a_statement_that_contradicts_itself_is_malformed() {
        assert!(changed(|_| ()).is_some());
        assert!(changed(|wire| wire.backend = "VM".into()).is_none());
        assert!(changed(|wire| wire.backend = "process".into()).is_none());
        assert!(changed(|wire| wire.accelerator = "none".into()).is_none());
        assert!(changed(|wire| wire.template.clear()).is_none());
        assert!(changed(|wire| wire.image.push(0)).is_none());
        assert!(changed(|wire| wire.started = None).is_none());
    }

    #[test]
    fn debug_shows_no_private_key() {
        let key = LaunchKey::from_bytes(&[0xA7; 32]);
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.public().to_string()) && !shown.contains("167"), "{shown}");
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    }

    proptest! {
        #[test]
        fn any_change_to_a_signed_launch_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let key = LaunchKey::from_bytes(&[7; 32]);
            let mut statement = key.sign(&launch());
            let at = at.index(statement.launch.len() + 64);
            match at.checked_sub(statement.launch.len()) {
                Some(at) => statement.signature[at] ^= 1 << bit,
                None => statement.launch[at] ^= 1 << bit,
            }
            prop_assert_eq!(key.public().verify(&statement), Err(LaunchError::Signature));
        }

        #[test]
        fn any_bytes_are_a_launch_or_none(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
            if let Ok(wire) = wire::Launch::decode(bytes.as_slice()) {
                let _ = Launch::parse(&wire);
            }
        }
    }
}
