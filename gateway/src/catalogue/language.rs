//! Which language a page speaks.

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// French, unless another is asked for.
    French,
    /// English.
    English,
}

impl Language {
    /// Both, in the order in which pages offer them.
    pub const ALL: [Self; 2] = [Self::French, Self::English];

    /// Its code (BCP 47).
    pub fn code(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    /// Its own name for itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::French => "Français",
            Self::English => "English",
        }
    }

    /// The language asked for: by `?lang=`, else by `Accept-Language`, else French.
    pub fn choose(lang: Option<&str>, accept_language: Option<&str>) -> Self {
        lang.and_then(Self::from_tag).or_else(|| accept_language.and_then(Self::preferred)).unwrap_or(Self::French)
    }

    /// The one of two texts that is in this language.
    pub(super) fn of<'a>(self, french: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::French => french,
            Self::English => english,
        }
    }

    fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.code()))
    }

    /// The language with the highest weight in an `Accept-Language` header (RFC 9110, section 12.5.4); the first of
    /// equals. What does not parse is passed over.
    fn preferred(header: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for range in header.split(',').take(32) {
            let (tag, parameter) = range.split_once(';').map_or((range, None), |(tag, rest)| (tag, Some(rest)));
            let weight = match parameter {
                None => Some(1.0),
                Some(parameter) => parameter.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()),
            };
            let (Some(language), Some(weight)) = (Self::from_tag(tag), weight) else { continue };
            if weight > best.map_or(0.0, |(_, weight)| weight) {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }
}

#[cfg(test)]
mod tests {
    use super::{Language::*, *};

    #[test]
    fn the_query_wins_then_the_header_then_french() {
        for (lang, header, chosen) in [
            (None, None, French),
            (Some("en"), Some("fr"), English),
            (Some("xx"), Some("en-GB,en;q=0.9"), English),
            (None, Some("de, fr;q=0.2, en;q=0.4"), English),
            (None, Some("en;q=0, fr;q=0.1"), French),
            (None, Some("en;q=abc, ;;,"), French),
            (None, Some("de"), French),
            (Some("EN-us"), None, English),
        ] {
            assert_eq!(Language::choose(lang, header), chosen, "{lang:?} {header:?}");
        }
    }
}
