//! Where things are: every link that the catalogue publishes is made here.

use std::{fmt, num::NonZeroU64, str::FromStr};

use octroi_proto::{DatasetId, ObjectKey};
use oxrdf::NamedNode;

use super::{
    Language,
    dcat::{Addressed, Format},
};

/// What the pages and the feeds say of the place they come from.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where the public listener is reached.
    pub base: Base,
    /// Where the api listener is reached, for those who ask for access.
    pub api: Base,
    /// The organisation that runs the catalogue, by name.
    pub publisher: String,
    /// Where harvesters' operators write to.
    pub contact: String,
}

/// Where a listener is reached: `https://host`, perhaps with a port and a path, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    origin: String,
    path: String,
}

/// Text that is no base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as `https://data.example.org`, without query, fragment or user")]
pub struct InvalidBase;

impl FromStr for Base {
    type Err = InvalidBase;

    fn from_str(text: &str) -> Result<Self, InvalidBase> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidBase)?;
        let rest = rest.trim_end_matches('/');
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        let plain = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b));
        let path = path.map(|path| format!("/{path}")).unwrap_or_default();
        let origin = format!("{scheme}://{authority}");
        let whole = NamedNode::new(format!("{origin}{path}")).is_ok();
        let good = matches!(scheme, "https" | "http") && !authority.is_empty() && plain && whole;
        if good { Ok(Self { origin, path }) } else { Err(InvalidBase) }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl Base {
    /// A link as an IRI.
    pub(super) fn iri(&self, to: &Link) -> NamedNode {
        // INVARIANT: the base was checked as an IRI, and a link holds labels and percent-encoded segments alone.
        NamedNode::new_unchecked(format!("{self}{}", to.0))
    }

    /// A link within the site.
    pub(super) fn href(&self, to: &Link) -> String {
        format!("{}{}", self.path, to.0)
    }
}

/// A place below the base: begins with a slash, safe in IRIs and in HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link(String);

impl Link {
    /// The catalogue, as a thing to speak of.
    pub(super) fn catalogue() -> Self {
        Self("/catalog".to_owned())
    }

    /// One page of the catalogue.
    pub(super) fn feed(addressed: Addressed, number: NonZeroU64) -> Self {
        let suffix = match addressed {
            Addressed::Plainly => String::new(),
            Addressed::BySuffix(format) => format!(".{}", format.suffix()),
        };
        Self(format!("/catalog{suffix}{}", query(&[("page", behind_first(number).as_deref())])))
    }

    /// The start page, or a further page of it.
    pub(super) fn start(number: NonZeroU64, language: Option<Language>) -> Self {
        let pairs = [("page", behind_first(number)), ("lang", language.map(|it| it.code().to_owned()))];
        Self(format!("/{}", query(&pairs.each_ref().map(|(name, value)| (*name, value.as_deref())))))
    }

    pub(super) fn dataset(id: &DatasetId) -> Self {
        Self(format!("/dataset/{id}"))
    }

    /// What a dataset's page says, for programs, in this format.
    pub(super) fn dataset_as(id: &DatasetId, format: Format) -> Self {
        Self(format!("/dataset/{id}.{}", format.suffix()))
    }

    pub(super) fn access(id: &DatasetId) -> Self {
        Self(format!("/access/{id}"))
    }

    /// One file of a public dataset; the slashes of its key divide the path.
    pub(super) fn file(id: &DatasetId, key: &ObjectKey) -> Self {
        let segments: Vec<String> = key.as_str().split('/').map(encoded).collect();
        Self(format!("/dataset/{id}/files/{}", segments.join("/")))
    }

    pub(super) fn style() -> Self {
        Self("/style.css".to_owned())
    }

    /// Where search engines begin.
    pub(super) fn sitemap() -> Self {
        Self("/sitemap.xml".to_owned())
    }

    /// One of several sitemaps.
    pub(super) fn sitemap_file(number: NonZeroU64) -> Self {
        Self(format!("/sitemap-{number}.xml"))
    }

    /// The same place in this language.
    pub(super) fn speaking(&self, language: Language) -> Self {
        let joint = if self.0.contains('?') { '&' } else { '?' };
        Self(format!("{}{joint}lang={}", self.0, language.code()))
    }

    /// A part of what is there.
    pub(super) fn part(&self, name: &str) -> Self {
        Self(format!("{}#{}", self.0, encoded(name)))
    }
}

/// The number of a page, but for the first, which needs none.
fn behind_first(number: NonZeroU64) -> Option<String> {
    (number > NonZeroU64::MIN).then(|| number.to_string())
}

fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let given: Vec<String> =
        pairs.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", encoded(value)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// The IRI of an e-mail address (RFC 6068).
pub(super) fn mailto(email: &str) -> String {
    let address: Vec<String> = email.split('@').map(encoded).collect();
    format!("mailto:{}", address.join("@"))
}

/// RFC 3986: everything but unreserved characters as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bases_at_their_edges() {
        for good in ["https://data.dijon.example", "http://127.0.0.1:8080/", "https://[::1]:8443/octroi"] {
            assert!(good.parse::<Base>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "data",
            "ftp://x",
            "https://",
            "https:///x",
            "https://a?b",
            "https://a#b",
            "https://u@h",
            "https://a b",
        ] {
            assert!(bad.parse::<Base>().is_err(), "{bad}");
        }
        assert_eq!("https://h/p/".parse::<Base>().unwrap().to_string(), "https://h/p");
    }

    proptest! {
        #[test]
        fn any_key_makes_a_good_link(key in "[^/\\\\\\p{Cc}.]{1,20}(/[^/\\\\\\p{Cc}.]{1,20}){0,3}") {
            let base: Base = "https://data.dijon.example/o".parse().unwrap();
            let key: ObjectKey = key.parse().unwrap();
            let iri = base.iri(&Link::file(&"velos".parse().unwrap(), &key));
            prop_assert!(NamedNode::new(iri.as_str()).is_ok());
            prop_assert_eq!(iri.as_str().matches('/').count(), 7 + key.as_str().matches('/').count());
        }
    }
}
