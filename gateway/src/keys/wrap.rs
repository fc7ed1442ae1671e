//! A key wrapped under another: AES-256-GCM, random nonce, and associated data that say which key it is.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroize as _;

use super::Suites;

/// Names a key: an identity and a version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyName {
    pub(super) id: [u8; 16],
    pub(super) version: u32,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Dataset,
    Data,
    /// Seals a dataset's ingest identity.
    Ingest,
    /// Seals the keys of a table's file.
    Table,
    /// Seals the history key of a table, and how far its history has gone.
    History,
}

/// What a wrapped key says in clear, all of it authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) kind: Kind,
    pub(super) wrapped_by: KeyName,
    pub(super) name: KeyName,
    pub(super) suites: Suites,
}

/// A wrapped key as it was read.
#[derive(Debug)]
pub(super) struct Wrapped {
    pub(super) label: Label,
    nonce: [u8; 12],
    secret: [u8; 32],
    tag: [u8; 16],
}

/// Bytes that are not a wrapped key, or not the one they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the wrapped key is damaged, or is not the one that should be there")]
pub(super) struct NotTheKey;

impl Label {
    /// Wraps a secret. `context` is what the key is bound to besides its label; the nonce must be random.
    pub(super) fn wrap(
        &self,
        under: &[u8; 32],
        context: &[u8],
        secret: &SecretBox<[u8; 32]>,
        nonce: [u8; 12],
    ) -> Result<Vec<u8>, NotTheKey> {
        let mut bytes = self.encode();
        let associated = [&bytes, context].concat();
        let mut sealed = *secret.expose_secret();
        let tag = Aes256Gcm::new(under.into())
            .encrypt_inout_detached(&nonce.into(), &associated, InOutBuf::from(&mut sealed[..]))
            .map_err(|_| NotTheKey)?;
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        bytes.extend_from_slice(&tag);
        Ok(bytes)
    }

    fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Dataset => 1,
            Kind::Data => 2,
            Kind::Ingest => 3,
            Kind::Table => 4,
            Kind::History => 5,
        };
        let mut bytes = Vec::with_capacity(Wrapped::BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, kind]);
        for name in [self.wrapped_by, self.name] {
            bytes.extend_from_slice(&name.id);
            bytes.extend_from_slice(&name.version.to_be_bytes());
        }
        bytes.extend_from_slice(&self.suites.bits().to_be_bytes());
        bytes
    }
}

impl Wrapped {
    /// Bytes of a wrapped key.
    pub(super) const BYTES: usize = 114;

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NotTheKey> {
        let (magic, rest) = field::<8>(bytes)?;
        let ([version, kind], rest) = field(rest)?;
        let kind = match kind {
            1 => Kind::Dataset,
            2 => Kind::Data,
            3 => Kind::Ingest,
            4 => Kind::Table,
            5 => Kind::History,
            _ => return Err(NotTheKey),
        };
        let (wrapped_by, rest) = name(rest)?;
        let (name, rest) = name(rest)?;
        let (suites, rest) = field(rest)?;
        let (nonce, rest) = field(rest)?;
        let (secret, rest) = field(rest)?;
        let (tag, rest) = field(rest)?;
        if magic != MAGIC || version != VERSION || !rest.is_empty() {
            return Err(NotTheKey);
        }
        let label = Label { kind, wrapped_by, name, suites: Suites::from_bits(u32::from_be_bytes(suites)) };
        Ok(Self { label, nonce, secret, tag })
    }

    /// Unwraps it; the label and the context are what it was wrapped with, or it fails.
    pub(super) fn unwrap(&self, under: &[u8; 32], context: &[u8]) -> Result<SecretBox<[u8; 32]>, NotTheKey> {
        let associated = [&self.label.encode(), context].concat();
        let mut secret = Box::new(self.secret);
        let opened = Aes256Gcm::new(under.into()).decrypt_inout_detached(
            &self.nonce.into(),
            &associated,
            InOutBuf::from(secret.as_mut_slice()),
            &self.tag.into(),
        );
        match opened {
            Ok(()) => Ok(SecretBox::new(secret)),
            Err(_) => {
                secret.zeroize();
                Err(NotTheKey)
            }
        }
    }
}

fn name(bytes: &[u8]) -> Result<(KeyName, &[u8]), NotTheKey> {
    let (id, rest) = field(bytes)?;
    let (version, rest) = field(rest)?;
    Ok((KeyName { id, version: u32::from_be_bytes(version) }, rest))
}

fn field<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), NotTheKey> {
    bytes.split_first_chunk().map(|(field, rest)| (*field, rest)).ok_or(NotTheKey)
}

const MAGIC: [u8; 8] = *b"\x89OCTKEY\n";
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label() -> Label {
        Label {
            kind: Kind::Data,
            wrapped_by: KeyName { id: [1; 16], version: 2 },
            name: KeyName { id: [3; 16], version: 4 },
            suites: Suites::CURRENT,
        }
    }

    fn wrapped() -> Vec<u8> {
        label().wrap(&[9; 32], b"capteurs", &SecretBox::new(Box::new([5; 32])), [6; 12]).unwrap()
    }

    #[test]
    fn a_wrapped_key_unwraps_where_it_belongs_only() {
        let read = Wrapped::parse(&wrapped()).unwrap();
        assert_eq!(read.label, label());
        assert_eq!(read.unwrap(&[9; 32], b"capteurs").unwrap().expose_secret(), &[5; 32]);
        assert!(read.unwrap(&[8; 32], b"capteurs").is_err());
        assert!(read.unwrap(&[9; 32], b"compteurs").is_err());
    }

    #[test]
    fn ring_opens_what_aes_gcm_wrapped() {
        use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let bytes = wrapped();
        let (label, rest) = bytes.split_at(bytes.len() - 12 - 32 - 16);
        let (nonce, sealed) = rest.split_at(12);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[9; 32]).unwrap());
        let mut sealed = sealed.to_vec();
        let associated = [label, b"capteurs"].concat();
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        assert_eq!(key.open_in_place(nonce, Aad::from(associated), &mut sealed).unwrap(), &[5; 32]);
    }

    proptest! {
        #[test]
        fn any_damage_is_refused(at in 0usize..114, bit in 0u8..8) {
            let mut bytes = wrapped();
            prop_assert_eq!(bytes.len(), 114);
            bytes[at] ^= 1 << bit;
            prop_assert!(Wrapped::parse(&bytes).and_then(|read| read.unwrap(&[9; 32], b"capteurs")).is_err());
        }

        #[test]
        fn any_bytes_are_a_wrapped_key_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..140)) {
            let _ = Wrapped::parse(&bytes);
        }
    }
}
