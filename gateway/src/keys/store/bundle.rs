//! A secret of any length in one file, so that destroying it is destroying a file.
//!
//! ```text
//! a key wrapped under the dataset's key (114 bytes) || AES-256-GCM of the secret under that key || tag (16)
//! ```
//!
//! The inner key is drawn for this file and seals nothing else, so its nonce is zero; the wrapped key, which says
//! what the file is, is the associated data.

use std::path::PathBuf;

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use octroi_proto::DatasetId;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::{KeyError, KeyStore, damaged, dataset_context, nonce, random};
use crate::{
    keys::wrap::{KeyName, Kind, Label, NotTheKey, Wrapped},
    secret_file,
};

/// Which secret.
pub(super) struct Place<'a> {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) dataset: &'a DatasetId,
    pub(super) id: [u8; 16],
}

impl KeyStore {
    /// Seals a secret into its file, durably; `false` when there is one.
    pub(super) fn create_bundle(&self, place: &Place<'_>, secret: &[u8]) -> Result<bool, KeyError> {
        self.name(&place.path, &self.seal_bundle(place, secret)?)
    }

    /// Seals a secret into the place of another, durably. After an error, either may be there.
    pub(super) fn replace_bundle(&self, place: &Place<'_>, secret: &[u8]) -> Result<(), KeyError> {
        self.replace(&place.path, &self.seal_bundle(place, secret)?)
    }

    fn seal_bundle(&self, place: &Place<'_>, secret: &[u8]) -> Result<Vec<u8>, KeyError> {
        let dataset = self.current_dataset_key(place.dataset)?;
        let label = Label { kind: place.kind, wrapped_by: dataset.name, name: place.name(), suites: dataset.suites };
        let key = random()?;
        let wrapped = label.wrap(dataset.key.expose_secret(), &dataset_context(place.dataset), &key, nonce()?);
        let mut bytes = wrapped.map_err(damaged(&place.path))?;
        let mut sealed = Zeroizing::new(secret.to_vec());
        let tag = Aes256Gcm::new(key.expose_secret().into())
            .encrypt_inout_detached(&NONCE.into(), &bytes, InOutBuf::from(sealed.as_mut_slice()))
            .map_err(|_| damaged(&place.path)(NotTheKey))?;
        bytes.extend_from_slice(&sealed);
        bytes.extend_from_slice(&tag);
        Ok(bytes)
    }

    /// Opens a secret; `None` when there is none, or it was destroyed.
    pub(super) fn open_bundle(&self, place: &Place<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let bytes = match secret_file::read_at_most(MOST_BYTES, &place.path) {
            Ok(bytes) if bytes.iter().all(|byte| *byte == 0) => return Ok(None),
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let not_it = || damaged(&place.path)(NotTheKey);
        let (label, rest) = bytes.split_at_checked(Wrapped::BYTES).ok_or_else(not_it)?;
        let (sealed, tag) = rest.split_last_chunk::<16>().ok_or_else(not_it)?;
        let wrapped = Wrapped::parse(label).map_err(damaged(&place.path))?;
        if (wrapped.label.kind, wrapped.label.name) != (place.kind, place.name()) {
            return Err(not_it());
        }
        let version = wrapped.label.wrapped_by.version;
        let dataset = self.dataset_key(place.dataset, version)?.ok_or(KeyError::Missing)?;
        let key = wrapped.unwrap(dataset.key.expose_secret(), &dataset_context(place.dataset));
        let key = key.map_err(damaged(&place.path))?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        Aes256Gcm::new(key.expose_secret().into())
            .decrypt_inout_detached(&NONCE.into(), label, InOutBuf::from(secret.as_mut_slice()), &(*tag).into())
            .map_err(|_| not_it())?;
        Ok(Some(secret))
    }
}

impl Place<'_> {
    fn name(&self) -> KeyName {
        KeyName { id: self.id, version: 0 }
    }
}

const NONCE: [u8; 12] = [0; 12];
/// 500 columns of the longest names stay below.
const MOST_BYTES: usize = 128 * 1024;
