//! Objects: the files of a dataset.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{DatasetId, Instant, OrganisationId, Violations, time, violation::Check, wire::v1};

/// Names an object within its dataset: 1-512 bytes of UTF-8, segments divided by `/`, none empty, `.` or `..`, no
/// control characters and no backslash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// Text that is not an object key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1-512 bytes, segments divided by `/`, none empty, `.` or `..`, no control characters or backslashes")]
pub struct InvalidObjectKey;

impl ObjectKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidObjectKey;

    fn from_str(text: &str) -> Result<Self, InvalidObjectKey> {
        let length = (1..=512).contains(&text.len());
        let segments = text.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        let characters = !text.chars().any(|c| c.is_control() || c == '\\');
        if length && segments && characters { Ok(Self(text.to_owned())) } else { Err(InvalidObjectKey) }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A media type (RFC 6838), `type/subtype` with parameters as given, at most 127 bytes of visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(String);

/// Text that is not a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a media type such as `text/csv`, at most 127 visible ASCII characters")]
pub struct InvalidMediaType;

impl MediaType {
    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MediaType {
    fn default() -> Self {
        Self("application/octet-stream".to_owned())
    }
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        let token = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        let essence = text.split(';').next().unwrap_or_default().trim();
        let named = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
        let visible = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if named && visible && text.trim() == text && text.len() <= 127 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidMediaType)
        }
    }
}

/// Which bytes a sealed object holds: the object's identity and the version under it. Sealed into the object's
/// header and into the wrap of its data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The dataset it belongs to.
    pub dataset: DatasetId,
    /// The object's identity, which survives new versions.
    pub uuid: Uuid,
    /// The version's identity.
    pub version_id: Uuid,
}

/// A committed object, as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Identity and version.
    pub at: ObjectVersion,
    /// 1 for the first version committed under its key, one more at each.
    pub version: u64,
    /// Its name within the dataset.
    pub key: ObjectKey,
    /// Bytes of plaintext.
    pub length: u64,
    /// SHA-256 of the plaintext.
    pub sha256: [u8; 32],
    /// What the one who stored it said it is.
    pub media_type: MediaType,
    /// SHA-256 of the sealed bytes.
    pub sealed_sha256: [u8; 32],
    /// Bytes of the sealed object.
    pub sealed_length: u64,
    /// When it was committed.
    pub stored: Instant,
    /// The organisation whose principal stored this version.
    pub stored_by: OrganisationId,
}

impl StoredObject {
    /// What callers see of it.
    pub fn published(&self) -> v1::Object {
        v1::Object {
            dataset: self.at.dataset.to_string(),
            key: self.key.to_string(),
            version: self.version,
            length: self.length,
            sha256: self.sha256.to_vec(),
            media_type: self.media_type.as_str().to_owned(),
            stored: Some(time::to_wire(self.stored)),
        }
    }
}

impl From<&StoredObject> for v1::StoredObject {
    fn from(object: &StoredObject) -> Self {
        Self {
            object: Some(object.published()),
            uuid: object.at.uuid.as_bytes().to_vec(),
            sealed_sha256: object.sealed_sha256.to_vec(),
            sealed_length: object.sealed_length,
            version_id: object.at.version_id.as_bytes().to_vec(),
            stored_by: object.stored_by.to_string(),
        }
    }
}

impl TryFrom<v1::StoredObject> for StoredObject {
    type Error = Violations;

    fn try_from(wire: v1::StoredObject) -> Result<Self, Violations> {
        let mut check = Check::default();
        let object = wire.object.unwrap_or_default();
        let dataset = check.field("object.dataset", object.dataset.parse());
        let key = check.field("object.key", object.key.parse());
        let media_type = check.field("object.media_type", object.media_type.parse());
        let sha256 = check.field("object.sha256", digest(&object.sha256));
        let stored = check.field("object.stored", time::parse(object.stored));
        let uuid = check.field("uuid", Uuid::from_slice(&wire.uuid).map_err(|_| "must be 16 bytes"));
        let version_id = check.field("version_id", Uuid::from_slice(&wire.version_id).map_err(|_| "must be 16 bytes"));
        let sealed_sha256 = check.field("sealed_sha256", digest(&wire.sealed_sha256));
        let stored_by = check.field("stored_by", wire.stored_by.parse());
        let parsed = (|| {
            Some(Self {
                at: ObjectVersion { dataset: dataset?, uuid: uuid?, version_id: version_id? },
                version: object.version,
                key: key?,
                length: object.length,
                sha256: sha256?,
                media_type: media_type?,
                sealed_sha256: sealed_sha256?,
                sealed_length: wire.sealed_length,
                stored: stored?,
                stored_by: stored_by?,
            })
        })();
        check.finish(parsed)
    }
}

/// A SHA-256 digest from the wire.
pub(crate) fn digest(bytes: &[u8]) -> Result<[u8; 32], &'static str> {
    bytes.try_into().map_err(|_| "must be 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_cannot_climb_or_hide() {
        for good in ["a", "2026/january.csv", "été/données.csv", "a..b", "...", &"x".repeat(512)] {
            assert!(good.parse::<ObjectKey>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/..", "./a", "a\\b", "a\0b", "a\nb", &"x".repeat(513)] {
            assert!(bad.parse::<ObjectKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn media_types_cannot_smuggle_headers() {
        for good in ["text/csv", "text/csv; charset=utf-8", "application/vnd.apache.parquet"] {
            assert!(good.parse::<MediaType>().is_ok(), "{good}");
        }
        for bad in ["", "csv", "text/", "/csv", "text/csv\r\nx: y", "text/çsv", "te xt/csv", " text/csv", "text/csv "]
        {
            assert!(bad.parse::<MediaType>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_object_keeps_who_stored_it_to_the_evidence() {
        let object = StoredObject {
            at: ObjectVersion {
                dataset: "capteurs".parse().unwrap(),
                uuid: Uuid::from_bytes([1; 16]),
                version_id: Uuid::from_bytes([2; 16]),
            },
            version: 3,
            key: "a.csv".parse().unwrap(),
            length: 4,
            sha256: [5; 32],
            media_type: MediaType::default(),
            sealed_sha256: [6; 32],
            sealed_length: 7,
            stored: Instant::UNIX_EPOCH,
            stored_by: "voltaic-sas".parse().unwrap(),
        };
        let wire = v1::StoredObject::from(&object);
        assert_eq!(StoredObject::try_from(wire.clone()), Ok(object.clone()));
        assert!(!format!("{:?}", object.published()).contains("voltaic"));
        let nobodys = v1::StoredObject { stored_by: String::new(), ..wire };
        assert!(StoredObject::try_from(nobodys).unwrap_err().to_string().contains("stored_by"));
    }

    proptest! {
        #[test]
        fn a_parsed_key_is_what_was_given(text in "[ -~éà/.]{0,40}") {
            if let Ok(key) = text.parse::<ObjectKey>() {
                prop_assert_eq!(key.as_str(), text.as_str());
                prop_assert!(!text.split('/').any(|s| s == ".."));
            }
        }
    }
}
