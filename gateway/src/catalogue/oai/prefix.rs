//! Metadata formats.

use super::problem::{Argument, Problem};

/// A format of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// Unqualified Dublin Core, which every repository has.
    OaiDc,
    /// DataCite's kernel 4.6, in the wrapper that DataCite's own repository uses.
    OaiDatacite,
}

impl Prefix {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::OaiDc, Self::OaiDatacite];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OaiDc => "oai_dc",
            Self::OaiDatacite => "oai_datacite",
        }
    }

    /// Where its schema is.
    pub(super) fn schema(self) -> &'static str {
        match self {
            Self::OaiDc => "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
            Self::OaiDatacite => "http://schema.datacite.org/oai/oai-1.1/oai.xsd",
        }
    }

    /// The namespace of its outermost element.
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::OaiDc => "http://www.openarchives.org/OAI/2.0/oai_dc/",
            Self::OaiDatacite => "http://schema.datacite.org/oai/oai-1.1/",
        }
    }

    /// The prefix of this name.
    ///
    /// # Errors
    /// [`Problem::Malformed`] for what can be no prefix, [`Problem::CannotDisseminateFormat`] for what could be one.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let known = Self::ALL.into_iter().find(|prefix| prefix.name() == text);
        known.ok_or(if is_name(text) {
            Problem::CannotDisseminateFormat
        } else {
            Problem::Malformed(Argument::MetadataPrefix)
        })
    }
}

/// What prefixes and the parts of sets are made of (`metadataPrefixType` of OAI-PMH.xsd).
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_prefix_is_told_from_what_could_not() {
        assert_eq!(Prefix::parse("oai_dc"), Ok(Prefix::OaiDc));
        assert_eq!(Prefix::parse("oai_datacite"), Ok(Prefix::OaiDatacite));
        assert_eq!(Prefix::parse("marc21"), Err(Problem::CannotDisseminateFormat));
        for bad in ["", "oai dc", "oai_dc ", "<x>", "é"] {
            assert_eq!(Prefix::parse(bad), Err(Problem::Malformed(Argument::MetadataPrefix)), "{bad}");
        }
    }
}
