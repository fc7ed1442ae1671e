//! Sets: records by their level, their themes and the organisation that publishes them.

use std::{collections::BTreeMap, fmt};

use octroi_proto::{Level, dataset::Theme};

use super::{
    super::{Language, slug, words},
    prefix::is_name,
    problem::{Argument, Problem},
};

/// A set: one of three, or a part of one of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetSpec {
    /// All, by level.
    Levels,
    /// Those of a level.
    Level(Level),
    /// All that have a theme.
    Themes,
    /// Those of a theme.
    Theme(Theme),
    /// All, by organisation.
    Organisations,
    /// Those of an organisation.
    Organisation(Slug),
}

/// An organisation's name, as sets write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl SetSpec {
    /// The set of an organisation, by its name.
    pub fn organisation(name: &str) -> Self {
        Self::Organisation(Slug(slug(name)))
    }

    /// The smallest sets that a record is in, by the words of the register for its level, its themes and its
    /// publisher. Words that are in no vocabulary make no set.
    pub fn smallest<'a>(level: &str, themes: impl IntoIterator<Item = &'a str>, publisher: &str) -> Vec<Self> {
        let level = level.parse().ok().map(Self::Level);
        let themes = themes.into_iter().filter_map(|theme| theme.parse().ok().map(Self::Theme));
        level.into_iter().chain(themes).chain([Self::organisation(publisher)]).collect()
    }

    /// Whether what is in the other set is in this one.
    pub fn holds(&self, other: &Self) -> bool {
        match self {
            Self::Levels => matches!(other, Self::Levels | Self::Level(_)),
            Self::Themes => matches!(other, Self::Themes | Self::Theme(_)),
            Self::Organisations => matches!(other, Self::Organisations | Self::Organisation(_)),
            Self::Level(_) | Self::Theme(_) | Self::Organisation(_) => self == other,
        }
    }

    /// The set of this name.
    ///
    /// # Errors
    /// [`Problem::Malformed`] for what can be no set, [`Problem::NoRecordsMatch`] for what could be one.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if !text.split(':').all(is_name) {
            return Err(Problem::Malformed(Argument::Set));
        }
        Self::known(text).ok_or(Problem::NoRecordsMatch)
    }

    fn known(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == LEVEL => Some(Self::Levels),
            None if text == THEME => Some(Self::Themes),
            None if text == ORGANISATION => Some(Self::Organisations),
            Some((LEVEL, word)) => word.parse().ok().map(Self::Level),
            Some((THEME, code)) => code.parse().ok().map(Self::Theme),
            Some((ORGANISATION, name)) => Slug::parse(name).map(Self::Organisation),
            None | Some(_) => None,
        }
    }

    /// Every set with its name, those of these organisations among them.
    pub(super) fn listed<'a>(organisations: impl IntoIterator<Item = &'a str>) -> Vec<(Self, String)> {
        let both = |french: &str, english: &str| format!("{french} / {english}");
        let level = |level: &Level| match level {
            Level::Public => both("Données publiques", "Public data"),
            Level::QuasiSensitive => both("Données quasi sensibles", "Quasi-sensitive data"),
            Level::Sensitive => both("Données sensibles", "Sensitive data"),
        };
        let theme = |theme: Theme| both(words::theme(theme, Language::French), words::theme(theme, Language::English));
        // Names that differ in case or accents alone are of one organisation.
        let organisations: BTreeMap<Self, &str> =
            organisations.into_iter().map(|name| (Self::organisation(name), name)).collect();
        let mut sets = vec![(Self::Levels, both("Par niveau", "By level"))];
        sets.extend(Level::ALL.iter().map(|it| (Self::Level(*it), level(it))));
        sets.push((Self::Themes, both("Par thème", "By theme")));
        sets.extend(Theme::ALL.iter().map(|it| (Self::Theme(*it), theme(*it))));
        sets.push((Self::Organisations, both("Par organisation", "By organisation")));
        sets.extend(organisations.into_iter().map(|(set, name)| (set, name.to_owned())));
        sets
    }
}

impl fmt::Display for SetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Levels => f.write_str(LEVEL),
            Self::Level(level) => write!(f, "{LEVEL}:{level}"),
            Self::Themes => f.write_str(THEME),
            Self::Theme(theme) => write!(f, "{THEME}:{theme}"),
            Self::Organisations => f.write_str(ORGANISATION),
            Self::Organisation(Slug(name)) => write!(f, "{ORGANISATION}:{name}"),
        }
    }
}

impl Slug {
    /// Only what [`slug`] makes, which it leaves as it is.
    fn parse(text: &str) -> Option<Self> {
        (text.len() <= MOST_BYTES && slug(text) == text).then(|| Self(text.to_owned()))
    }
}

const LEVEL: &str = "level";
const THEME: &str = "theme";
const ORGANISATION: &str = "organisation";

/// The longest slug of a name of 200 characters, each of which may fold to two.
const MOST_BYTES: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_set_is_read_back() {
        let sets = SetSpec::listed(["Dijon métropole", "DIJON Metropole", "Divia"]);
        assert_eq!(sets.len(), 3 + 3 + 13 + 2);
        for (set, name) in sets {
            assert_eq!(SetSpec::parse(&set.to_string()).as_ref(), Ok(&set));
            assert!(!name.is_empty() && set.holds(&set));
        }
    }

    #[test]
    fn sets_hold_their_parts() {
        let sets = SetSpec::smallest("quasi-sensitive", ["TRAN", "nonsense", "ENVI"], "Dijon métropole");
        let names: Vec<String> = sets.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["level:quasi-sensitive", "theme:TRAN", "theme:ENVI", "organisation:dijon-metropole"]);
        let held = |text: &str| sets.iter().any(|it| SetSpec::parse(text).unwrap().holds(it));
        assert!(held("level") && held("theme") && held("organisation") && held("theme:ENVI"));
        assert!(!held("level:public") && !held("theme:AGRI") && !held("organisation:dijon"));
        assert!(!SetSpec::Level(Level::Public).holds(&SetSpec::Levels));
    }

    #[test]
    fn what_could_be_a_set_is_told_from_what_could_not() {
        let long = format!("organisation:{}", "x".repeat(401));
        for unknown in ["levels", "level:secret", "theme:tran", "organisation:Dijon", "a:b:c", "level:public:x", &long]
        {
            assert_eq!(SetSpec::parse(unknown), Err(Problem::NoRecordsMatch), "{unknown}");
        }
        for bad in ["", ":", "level:", "a b", "thème", "<x>", "a::b"] {
            assert_eq!(SetSpec::parse(bad), Err(Problem::Malformed(Argument::Set)), "{bad}");
        }
    }
}
