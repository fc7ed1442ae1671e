//! Entity tags of objects, and the conditions that name them (RFC 9110 section 13).

use http::{HeaderMap, HeaderName, header};
use octroi_proto::StoredObject;

use crate::{answer::Refusal, object::Precondition};

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

/// What a change of an object demands of what is there now (`If-Match`, `If-None-Match: *`).
///
/// # Errors
/// [`Refusal`] when it does not hold, or is not of these forms.
pub(super) fn demanded(headers: &HeaderMap, current: Option<&StoredObject>) -> Result<Precondition, Refusal> {
    let (matching, absent) = (headers.get(header::IF_MATCH), headers.get(header::IF_NONE_MATCH));
    match (matching, absent) {
        (None, None) => Ok(Precondition::None),
        (None, Some(list)) if list.as_bytes().trim_ascii() == b"*" => match current {
            None => Ok(Precondition::Absent),
            Some(_) => Err(Refusal::Changed),
        },
        (None, Some(_)) => Err(Refusal::field("if-none-match", "must be `*` for an upload")),
        (Some(_), None) => {
            let current = current.filter(|object| !EntityTag::of(object).is_refused(headers));
            current.map(|object| Precondition::Version(object.version)).ok_or(Refusal::Changed)
        }
        (Some(_), Some(_)) => {
            Err(Refusal::field("if-match", "demand a current version or that there is none, not both"))
        }
    }
}

/// A header's value, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
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
    fn changes_demand_what_is_there_or_nothing() {
        assert_eq!(demanded(&HeaderMap::new(), None), Ok(Precondition::None));
        assert_eq!(demanded(&headers(header::IF_NONE_MATCH, "*"), None), Ok(Precondition::Absent));
        assert_eq!(demanded(&headers(header::IF_MATCH, "\"1-aa\""), None), Err(Refusal::Changed));
        assert_eq!(demanded(&headers(header::IF_MATCH, "\"0-x\""), None), Err(Refusal::Changed));
        assert!(matches!(demanded(&headers(header::IF_NONE_MATCH, "\"1-aa\""), None), Err(Refusal::Invalid(_))));
    }
}
