//! Entity tags of objects, and the conditions that name them (RFC 9110 section 13).

use http::{HeaderMap, HeaderName, header};
use octroi_proto::StoredObject;

/// A strong entity tag: the version and the beginning of the plaintext's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityTag(String);

impl EntityTag {
    pub(super) fn of(object: &StoredObject) -> Self {
        let digest = object.sha256.first_chunk::<12>().map(hex::encode).unwrap_or_default();
        Self(format!("\"{}-{digest}\"", object.version))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a list of tags names this one. Weak tags match only where the comparison is weak.
    fn listed(&self, list: &str, weak: bool) -> bool {
        list.split(',').map(str::trim).any(|tag| {
            let tag = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
            tag == "*" || tag == self.0
        })
    }

    /// Whether the caller has this representation already (`If-None-Match`).
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        text(headers, &header::IF_NONE_MATCH).is_some_and(|list| self.listed(list, true))
    }

    /// Whether the caller insists on another representation (`If-Match`).
    pub(super) fn is_refused(&self, headers: &HeaderMap) -> bool {
        text(headers, &header::IF_MATCH).is_some_and(|list| !self.listed(list, false))
    }

    /// Whether a range is wanted of this very representation (`If-Range`); true when the caller does not say.
    pub(super) fn ranges(&self, headers: &HeaderMap) -> bool {
        text(headers, &header::IF_RANGE).is_none_or(|tag| tag == self.0)
    }
}

/// The version that an `If-Match` of an upload names; `None` without one.
///
/// # Errors
/// A sentence for the caller when it is no tag of ours.
pub(super) fn wanted_version(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    tag.to_str()
        .ok()
        .and_then(|tag| tag.strip_prefix('"')?.split_once('-')?.0.parse().ok())
        .map(Some)
        .ok_or("must be one entity tag as a download gave it")
}

/// Whether an upload must not replace anything (`If-None-Match: *`).
pub(super) fn must_be_absent(headers: &HeaderMap) -> bool {
    text(headers, &header::IF_NONE_MATCH).is_some_and(|list| list.trim() == "*")
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn conditions_name_representations() {
        let tag = EntityTag("\"2-ab\"".into());
        assert!(tag.is_known(&headers(header::IF_NONE_MATCH, "\"1-aa\", W/\"2-ab\"")));
        assert!(!tag.is_known(&headers(header::IF_NONE_MATCH, "\"1-aa\"")));
        assert!(tag.is_refused(&headers(header::IF_MATCH, "\"1-aa\"")));
        assert!(tag.is_refused(&headers(header::IF_MATCH, "W/\"2-ab\"")));
        assert!(!tag.is_refused(&headers(header::IF_MATCH, "*")));
        assert!(!tag.ranges(&headers(header::IF_RANGE, "\"1-aa\"")));
        assert!(tag.ranges(&HeaderMap::new()));
    }

    #[test]
    fn uploads_name_versions() {
        assert_eq!(wanted_version(&headers(header::IF_MATCH, "\"12-abc\"")), Ok(Some(12)));
        assert_eq!(wanted_version(&HeaderMap::new()), Ok(None));
        for bad in ["12", "\"x-1\"", "*", "\"12\""] {
            assert!(wanted_version(&headers(header::IF_MATCH, bad)).is_err(), "{bad}");
        }
    }
}
