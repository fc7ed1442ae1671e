//! Names and identifiers. Each has one fallible constructor, so that none can be confused or malformed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A name that is not a label: 3-63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 3-63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit")]
pub struct InvalidLabel;

fn label(text: &str) -> Result<String, InvalidLabel> {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inside = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    if (3..=63).contains(&bytes.len()) && inside && edge(bytes.first()) && edge(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err(InvalidLabel)
    }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidLabel;
            fn from_str(text: &str) -> Result<Self, InvalidLabel> {
                label(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidLabel;
            fn try_from(text: String) -> Result<Self, InvalidLabel> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

label! {
    /// Identifies a dataset, for good.
    DatasetId
}
label! {
    /// Names a principal; never reused.
    PrincipalName
}
label! {
    /// Identifies an organisation.
    OrganisationId
}
label! {
    /// Identifies an agreement.
    AgreementId
}

/// Text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an id as the gateway gave it (a UUID)")]
pub struct InvalidId;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id made of this UUID.
            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

random_id! {
    /// Identifies a request for access.
    RequestId
}
random_id! {
    /// Identifies a grant.
    GrantId
}

/// Text of the wrong length, or with control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1-{most} characters without control characters")]
pub struct InvalidText {
    /// The most characters allowed.
    pub most: usize,
}

/// One line of 1 to `most` characters, no control characters, trimmed of white space at its ends.
///
/// # Errors
/// [`InvalidText`] when it is empty, too long, or holds a control character.
pub fn line(text: &str, most: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    // Bytes first: counting the characters of something huge would itself be work.
    if text.is_empty() || text.len() > most * 4 || text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(InvalidText { most });
    }
    Ok(text.to_owned())
}

/// Several lines: as [`line`], line feeds and tabs allowed.
///
/// # Errors
/// [`InvalidText`] as [`line`].
pub fn paragraph(text: &str, most: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.is_empty() || text.len() > most * 4 || text.chars().count() > most || text.chars().any(bad) {
        return Err(InvalidText { most });
    }
    Ok(text.to_owned())
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $most:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The words.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;
            fn from_str(text: &str) -> Result<Self, InvalidText> {
                line(text, $most).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// What data may be used for, in words that both sides agreed: 1-200 characters.
    Purpose, 200
}
text! {
    /// Why something was done, for the evidence: 1-500 characters.
    Reason, 500
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_at_their_edges() {
        for good in ["abc", "a-b", "0a9", &"x".repeat(63)] {
            assert!(good.parse::<DatasetId>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "-ab", "ab-", "Abc", "a_b", "a.b", "été", "a b", "a/b", &"x".repeat(64)] {
            assert!(bad.parse::<DatasetId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lines_are_trimmed_and_bounded() {
        assert_eq!("  mobility study ".parse::<Purpose>().unwrap().as_str(), "mobility study");
        assert!("a\nb".parse::<Purpose>().is_err());
        assert!("é".repeat(200).parse::<Purpose>().is_ok());
        assert!("é".repeat(201).parse::<Purpose>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_label_or_a_clear_refusal(text in ".{0,80}") {
            if let Ok(id) = text.parse::<DatasetId>() {
                prop_assert_eq!(id.as_str(), text.as_str());
                prop_assert!(!text.contains(['/', '.', '%', ' ']));
            }
        }
    }
}
