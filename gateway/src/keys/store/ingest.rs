//! The ingest key of a dataset: an age X25519 identity (C2SP age), to whose recipient stewards seal rows.

use age::{Identity as _, x25519::Identity};
use age_core::format::Stanza;
use octroi_attest::keys::AgeFileKey;
use octroi_proto::DatasetId;
use secrecy::ExposeSecret as _;

use super::{KeyError, KeyStore, bundle::Place, damaged};
use crate::keys::wrap::{Kind, NotTheKey};

impl KeyStore {
    /// What a steward seals rows to, `age1...`: made at its first use, durable before it is returned.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn ingest_recipient(&self, dataset: &DatasetId) -> Result<String, KeyError> {
        let place = self.ingest_place(dataset);
        if let Some(identity) = self.ingest_identity(&place)? {
            return Ok(identity.to_public().to_string());
        }
        // Two may come here at once: one names its identity, and both read the one that was named.
        self.create_bundle(&place, Identity::generate().to_string().expose_secret().as_bytes())?;
        let identity = self.ingest_identity(&place)?.ok_or(KeyError::Missing)?;
        Ok(identity.to_public().to_string())
    }

    /// The file key in the stanzas of an age header; `None` when none of them is for this dataset's ingest key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open_stanzas(&self, dataset: &DatasetId, stanzas: &[Stanza]) -> Result<Option<AgeFileKey>, KeyError> {
        let identity = self.ingest_identity(&self.ingest_place(dataset))?;
        let opened = identity.and_then(|identity| identity.unwrap_stanzas(stanzas));
        Ok(opened.and_then(Result::ok).map(|key| AgeFileKey::from(*key.expose_secret())))
    }

    fn ingest_identity(&self, place: &Place<'_>) -> Result<Option<Identity>, KeyError> {
        let Some(text) = self.open_bundle(place)? else { return Ok(None) };
        let identity = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        identity.map(Some).ok_or_else(|| damaged(&place.path)(NotTheKey))
    }

    fn ingest_place<'a>(&self, dataset: &'a DatasetId) -> Place<'a> {
        let path = self.folder.join("ingest").join(dataset.as_str());
        Place { path, kind: Kind::Ingest, dataset, id: [0; 16] }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use age::{Recipient as _, x25519::Recipient};
    use age_core::format::FileKey;

    use super::*;
    use crate::keys::store::tests::{reopen, store};

    /// The stanzas that an age client writes for a file key.
    pub(crate) fn stanzas(recipient: &str, file_key: [u8; 16]) -> Vec<Stanza> {
        recipient.parse::<Recipient>().unwrap().wrap_file_key(&FileKey::new(Box::new(file_key))).unwrap().0
    }

    #[test]
    fn an_ingest_key_is_made_once_and_opens_what_is_sealed_to_it() {
        let (folder, store) = store();
        let (ours, theirs) = ("recensement".parse().unwrap(), "hospital".parse().unwrap());
        assert!(store.open_stanzas(&ours, &[]).unwrap().is_none());
        let recipient = store.ingest_recipient(&ours).unwrap();
        assert!(recipient.starts_with("age1"));
        assert_ne!(store.ingest_recipient(&theirs).unwrap(), recipient);
        drop(store);
        let store = reopen(&folder);
        assert_eq!(store.ingest_recipient(&ours).unwrap(), recipient);
        let sealed = stanzas(&recipient, [7; 16]);
        assert_eq!(store.open_stanzas(&ours, &sealed).unwrap().unwrap().expose(), &[7; 16]);
        assert!(store.open_stanzas(&theirs, &sealed).unwrap().is_none());
    }

    #[test]
    fn a_stanza_that_was_changed_opens_nothing() {
        let (_folder, store) = store();
        let dataset = "recensement".parse().unwrap();
        let recipient = store.ingest_recipient(&dataset).unwrap();
        let changes: [fn(&mut Stanza); 5] = [
            |stanza| stanza.body[0] ^= 1,
            |stanza| stanza.body.truncate(31),
            |stanza| stanza.args.clear(),
            |stanza| stanza.args[0] = "A".repeat(43),
            |stanza| stanza.tag = "scrypt".to_owned(),
        ];
        for change in changes {
            let mut sealed = stanzas(&recipient, [7; 16]);
            change(&mut sealed[0]);
            assert!(store.open_stanzas(&dataset, &sealed).unwrap().is_none());
        }
    }
}
