//! Datasets and what a steward says of them.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    DatasetId, Instant, PrincipalName, Purpose, Violations,
    id::{line, paragraph},
    time,
    violation::Check,
    wire::v1,
};

pub use discovery::{
    Bounds, DataLanguage, Discovery, Frequency, HighValueCategory, Limitation, Origin, SpatialCoverage,
    TemporalCoverage, Theme,
};

pub mod discovery;

/// A word that is not one of a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {0}")]
pub struct NotListed(pub &'static str);

/// A closed list of words: text for people and files, and the enum of the wire.
macro_rules! listed {
    ($name:ident, $wire:ident, $list:literal, { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it, in files and on the command line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The value on the wire.
            pub fn to_wire(self) -> v1::$wire {
                match self {
                    $(Self::$variant => v1::$wire::$variant),+
                }
            }

            /// A value from the wire; `None` when it is absent.
            ///
            /// # Errors
            /// [`NotListed`] for a number that is on no list.
            pub fn from_wire(number: i32) -> Result<Option<Self>, $crate::dataset::NotListed> {
                match v1::$wire::try_from(number) {
                    Ok(v1::$wire::Unspecified) => Ok(None),
                    $(Ok(v1::$wire::$variant) => Ok(Some(Self::$variant)),)+
                    Err(_) => Err($crate::dataset::NotListed($list)),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::dataset::NotListed;
            fn from_str(text: &str) -> Result<Self, $crate::dataset::NotListed> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::dataset::NotListed($list)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use listed;

/// How closely a dataset is guarded; ordered, so that raising is `>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Published; anyone may download it.
    Public,
    /// Metadata published; data lent to holders of a live grant.
    QuasiSensitive,
    /// Never leaves; may only be asked. What a dataset is unless it says otherwise (requirement 7).
    #[default]
    Sensitive,
}

listed!(Level, Level, "`public`, `quasi-sensitive`, `sensitive`", {
    Public = "public",
    QuasiSensitive = "quasi-sensitive",
    Sensitive = "sensitive",
});

/// What a loss would do (FIPS 199).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// Limited adverse effect.
    Low,
    /// Serious adverse effect.
    Moderate,
    /// Severe or catastrophic adverse effect.
    High,
}

listed!(Impact, Impact, "`L`, `M`, `H`", { Low = "L", Moderate = "M", High = "H" });

/// Who may see the metadata of a sensitive dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Everyone.
    Public,
    /// Any authenticated principal.
    Members,
    /// Its steward and the auditors.
    Hidden,
}

listed!(Visibility, Visibility, "`public`, `members`, `hidden`", {
    Public = "public",
    Members = "members",
    Hidden = "hidden",
});

/// Where a dataset stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatasetState {
    /// Registered, in no feed.
    Draft,
    /// In the feeds that its level and visibility allow.
    Published,
    /// Taken out of every feed; no link works.
    Withdrawn,
}

listed!(DatasetState, DatasetState, "`draft`, `published`, `withdrawn`", {
    Draft = "draft",
    Published = "published",
    Withdrawn = "withdrawn",
});

/// Text in the languages of the city, at least one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localised(BTreeMap<String, String>);

impl Localised {
    /// The languages understood, in the order of preference.
    pub const LANGUAGES: [&'static str; 2] = ["fr", "en"];

    /// Language and text, in the order of the languages' codes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(language, text)| (language.as_str(), text.as_str()))
    }

    /// The text in this language, or in the first one there is; with the language it is in.
    pub fn preferring(&self, language: &str) -> (&str, &str) {
        self.0
            .get_key_value(language)
            .or_else(|| Self::LANGUAGES.iter().find_map(|other| self.0.get_key_value(*other)))
            .map_or(("", ""), |(language, text)| (language, text))
    }

    fn parse(
        texts: BTreeMap<String, String>,
        text: impl Fn(&str) -> Result<String, crate::id::InvalidText>,
    ) -> Result<Self, String> {
        if texts.is_empty() {
            return Err("is missing: give it in `fr`, `en` or both".to_owned());
        }
        let mut parsed = BTreeMap::new();
        for (language, words) in texts {
            if !Self::LANGUAGES.contains(&language.as_str()) {
                return Err("has a language other than `fr` and `en`".to_owned());
            }
            let words = text(&words).map_err(|problem| format!("in `{language}` {problem}"))?;
            parsed.insert(language, words);
        }
        Ok(Self(parsed))
    }
}

/// Whom to ask about a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactPoint {
    /// A person or a desk.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// How long data is kept: an ISO 8601 duration in calendar units, such as `P5Y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention(String);

impl Retention {
    /// The duration as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Retention {
    type Err = InvalidRetention;

    fn from_str(text: &str) -> Result<Self, InvalidRetention> {
        let span: jiff::Span = text.parse().map_err(|_| InvalidRetention)?;
        let calendar = text.starts_with('P') && !text.contains(['T', 't']) && text.len() <= 32;
        if calendar && span.is_positive() { Ok(Self(text.to_owned())) } else { Err(InvalidRetention) }
    }
}

/// Text that is not a retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a positive ISO 8601 duration in years, months, weeks or days, such as `P5Y`")]
pub struct InvalidRetention;

/// What a steward says of a dataset, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetDescription {
    /// Its id, for good.
    pub id: DatasetId,
    /// Title by language.
    pub title: Localised,
    /// Description by language.
    pub description: Localised,
    /// Keywords.
    pub keywords: Vec<String>,
    /// The organisation that publishes it.
    pub publisher: String,
    /// Who answers for the data.
    pub owner: String,
    /// Who manages it here.
    pub steward: PrincipalName,
    /// Whom to ask.
    pub contact_point: ContactPoint,
    /// How closely it is guarded.
    pub level: Level,
    /// Impact of a loss of confidentiality.
    pub confidentiality: Impact,
    /// Impact of a loss of integrity.
    pub integrity: Impact,
    /// Impact of a loss of availability.
    pub availability: Impact,
    /// What it may be used for; at least one.
    pub purposes: Vec<Purpose>,
    /// IRI of the licence.
    pub licence: String,
    /// How long it is kept.
    pub retention: Retention,
    /// Whether a grant must rest on an agreement.
    pub agreement_required: bool,
    /// Who may see the metadata. Always [`Visibility::Public`] below the sensitive level.
    pub visibility: Visibility,
    /// What helps others to find it.
    pub discovery: Discovery,
}

impl TryFrom<v1::DatasetDescription> for DatasetDescription {
    type Error = Violations;

    fn try_from(wire: v1::DatasetDescription) -> Result<Self, Violations> {
        let mut check = Check::default();
        let id = check.field("id", wire.id.parse());
        let title = check.field("title", Localised::parse(wire.title, |text| line(text, 300)));
        let description =
            check.field("description", Localised::parse(wire.description, |text| paragraph(text, 10_000)));
        let keywords = check.field("keywords", keywords(&wire.keywords));
        let publisher = check.field("publisher", line(&wire.publisher, 200));
        let owner = check.field("owner", line(&wire.owner, 200));
        let steward = check.field("steward", wire.steward.parse());
        let contact_point = contact_point(&mut check, wire.contact_point);
        let level = check.field("level", Level::from_wire(wire.level)).map(Option::unwrap_or_default);
        let confidentiality = impact(&mut check, "confidentiality", wire.confidentiality);
        let integrity = impact(&mut check, "integrity", wire.integrity);
        let availability = impact(&mut check, "availability", wire.availability);
        let purposes = check.field("purposes", purposes(&wire.purposes));
        let licence = check.field("licence", iri(&wire.licence));
        let retention = check.field("retention", wire.retention.parse());
        let agreement_required =
            check.field("agreement_required", wire.agreement_required.ok_or("is missing: say `true` or `false`"));
        let visibility = check.field("metadata_visibility", visibility(level, wire.metadata_visibility));
        let discovery = Discovery::parse(wire.discovery.unwrap_or_default(), &mut check);
        if level == Some(Level::Public) && agreement_required == Some(true) {
            check.refuse("agreement_required", "must be `false` for a public dataset");
        }
        if confidentiality == Some(Impact::High) && level.is_some_and(|level| level < Level::Sensitive) {
            check.refuse("level", "must be `sensitive` when `confidentiality` is `H`");
        }
        let parsed = (|| {
            Some(Self {
                id: id?,
                title: title?,
                description: description?,
                keywords: keywords?,
                publisher: publisher?,
                owner: owner?,
                steward: steward?,
                contact_point: contact_point?,
                level: level?,
                confidentiality: confidentiality?,
                integrity: integrity?,
                availability: availability?,
                purposes: purposes?,
                licence: licence?,
                retention: retention?,
                agreement_required: agreement_required?,
                visibility: visibility?,
                discovery: discovery?,
            })
        })();
        check.finish(parsed)
    }
}

impl From<&DatasetDescription> for v1::DatasetDescription {
    fn from(it: &DatasetDescription) -> Self {
        let visibility = match it.level {
            Level::Public | Level::QuasiSensitive => v1::Visibility::Unspecified,
            Level::Sensitive => it.visibility.to_wire(),
        };
        Self {
            id: it.id.to_string(),
            title: it.title.0.clone(),
            description: it.description.0.clone(),
            keywords: it.keywords.clone(),
            publisher: it.publisher.clone(),
            owner: it.owner.clone(),
            steward: it.steward.to_string(),
            contact_point: Some(v1::ContactPoint {
                name: it.contact_point.name.clone(),
                email: it.contact_point.email.clone(),
            }),
            level: it.level.to_wire().into(),
            confidentiality: it.confidentiality.to_wire().into(),
            integrity: it.integrity.to_wire().into(),
            availability: it.availability.to_wire().into(),
            purposes: it.purposes.iter().map(ToString::to_string).collect(),
            licence: it.licence.clone(),
            retention: it.retention.as_str().to_owned(),
            agreement_required: Some(it.agreement_required),
            metadata_visibility: visibility.into(),
            // Absent where nothing is said, so that the digest of a description from before there was any stays.
            discovery: (it.discovery != Discovery::default()).then(|| (&it.discovery).into()),
        }
    }
}

/// A dataset as the register keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// What its steward says of it.
    pub description: DatasetDescription,
    /// Where it stands.
    pub state: DatasetState,
    /// 1 at registration, one more at each change.
    pub revision: u64,
    /// When it was registered.
    pub registered: Instant,
    /// When it last changed.
    pub modified: Instant,
    /// When it was first published.
    pub published: Option<Instant>,
}

impl From<&Dataset> for v1::Dataset {
    fn from(dataset: &Dataset) -> Self {
        Self {
            description: Some((&dataset.description).into()),
            state: dataset.state.to_wire().into(),
            revision: dataset.revision,
            registered: Some(time::to_wire(dataset.registered)),
            modified: Some(time::to_wire(dataset.modified)),
            published: dataset.published.map(time::to_wire),
        }
    }
}

impl TryFrom<v1::Dataset> for Dataset {
    type Error = Violations;

    fn try_from(wire: v1::Dataset) -> Result<Self, Violations> {
        let description = wire.description.unwrap_or_default().try_into()?;
        let mut check = Check::default();
        let state = check.field("state", required(DatasetState::from_wire(wire.state)));
        let registered = check.field("registered", time::parse(wire.registered));
        let modified = check.field("modified", time::parse(wire.modified));
        let published = check.field("published", time::parse_optional(wire.published));
        let parsed = (|| {
            Some(Self {
                description,
                state: state?,
                revision: wire.revision,
                registered: registered?,
                modified: modified?,
                published: published?,
            })
        })();
        check.finish(parsed)
    }
}

/// A listed value that may not be absent.
pub(crate) fn required<T>(value: Result<Option<T>, NotListed>) -> Result<T, String> {
    match value {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err("is missing".to_owned()),
        Err(problem) => Err(problem.to_string()),
    }
}

fn impact(check: &mut Check, field: &str, wire: i32) -> Option<Impact> {
    let impact = Impact::from_wire(wire).and_then(|impact| impact.ok_or(NotListed("`L`, `M`, `H`")));
    check.field(field, impact)
}

fn visibility(level: Option<Level>, wire: i32) -> Result<Visibility, String> {
    let stated = Visibility::from_wire(wire).map_err(|problem| problem.to_string())?;
    match (level, stated) {
        (None | Some(Level::Sensitive), stated) => Ok(stated.unwrap_or(Visibility::Hidden)),
        (Some(Level::Public | Level::QuasiSensitive), None | Some(Visibility::Public)) => Ok(Visibility::Public),
        (Some(Level::Public | Level::QuasiSensitive), Some(Visibility::Members | Visibility::Hidden)) => {
            Err("applies to sensitive datasets only: leave it out".to_owned())
        }
    }
}

fn contact_point(check: &mut Check, wire: Option<v1::ContactPoint>) -> Option<ContactPoint> {
    let Some(wire) = wire else {
        check.refuse("contact_point", "is missing: give `name` and `email`");
        return None;
    };
    let name = check.field("contact_point.name", line(&wire.name, 200));
    let email = check.field("contact_point.email", email(&wire.email));
    Some(ContactPoint { name: name?, email: email? })
}

fn email(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>()\",;:\\[]".contains(&b));
    let halves = text
        .split_once('@')
        .is_some_and(|(local, host)| !local.is_empty() && host.contains('.') && !host.contains('@'));
    if plain && halves && text.len() <= 254 { Ok(text.to_owned()) } else { Err("must be an e-mail address") }
}

fn keywords(texts: &[String]) -> Result<Vec<String>, String> {
    if texts.len() > 50 {
        return Err("must be at most 50".to_owned());
    }
    texts.iter().map(|text| line(text, 100).map_err(|problem| problem.to_string())).collect()
}

fn purposes(texts: &[String]) -> Result<Vec<Purpose>, String> {
    if !(1..=20).contains(&texts.len()) {
        return Err("must be 1-20".to_owned());
    }
    texts.iter().map(|text| text.parse().map_err(|problem: crate::id::InvalidText| problem.to_string())).collect()
}

/// An absolute http(s) IRI that can stand in Turtle, HTML and a header without escaping.
pub(crate) fn iri(text: &str) -> Result<String, &'static str> {
    let schemed = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = schemed.is_some_and(|rest| rest.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()));
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b));
    if host && plain && text.len() <= 500 {
        Ok(text.to_owned())
    } else {
        Err("must be an absolute IRI such as `https://www.etalab.gouv.fr/licence-ouverte`")
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> v1::DatasetDescription {
        let texts = |text: &str| BTreeMap::from([("fr".to_owned(), text.to_owned())]);
        v1::DatasetDescription {
            id: "velo-compteurs".into(),
            title: texts("Compteurs vélo"),
            description: texts("Passages par heure."),
            keywords: vec!["vélo".into()],
            publisher: "Dijon Métropole".into(),
            owner: "Direction des mobilités".into(),
            steward: "claire".into(),
            contact_point: Some(v1::ContactPoint {
                name: "Guichet données".into(),
                email: "donnees@metropole-dijon.fr".into(),
            }),
            level: v1::Level::Public.into(),
            confidentiality: v1::Impact::Low.into(),
            integrity: v1::Impact::Moderate.into(),
            availability: v1::Impact::Low.into(),
            purposes: vec!["any".into()],
            licence: "https://www.etalab.gouv.fr/licence-ouverte-open-licence".into(),
            retention: "P10Y".into(),
            agreement_required: Some(false),
            metadata_visibility: 0,
            discovery: None,
        }
    }

    #[test]
    fn a_complete_description_survives_the_wire() {
        let parsed = DatasetDescription::try_from(complete()).unwrap();
        assert_eq!(v1::DatasetDescription::from(&parsed), complete());
    }

    #[test]
    fn an_absent_level_is_sensitive_and_hidden() {
        let parsed = DatasetDescription::try_from(v1::DatasetDescription { level: 0, ..complete() }).unwrap();
        assert_eq!((parsed.level, parsed.visibility), (Level::Sensitive, Visibility::Hidden));
    }

    #[test]
    fn an_empty_description_lists_every_missing_field() {
        let violations = DatasetDescription::try_from(v1::DatasetDescription::default()).unwrap_err();
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "id",
                "title",
                "description",
                "publisher",
                "owner",
                "steward",
                "contact_point",
                "confidentiality",
                "integrity",
                "availability",
                "purposes",
                "licence",
                "retention",
                "agreement_required",
            ]
        );
    }

    #[test]
    fn what_contradicts_the_level_is_refused() {
        let members = v1::DatasetDescription { metadata_visibility: v1::Visibility::Members.into(), ..complete() };
        assert!(DatasetDescription::try_from(members).unwrap_err().to_string().contains("metadata_visibility"));
        let high = v1::DatasetDescription { confidentiality: v1::Impact::High.into(), ..complete() };
        assert!(DatasetDescription::try_from(high).unwrap_err().to_string().contains("`level`"));
        let agreement = v1::DatasetDescription { agreement_required: Some(true), ..complete() };
        assert!(DatasetDescription::try_from(agreement).is_err());
        let unknown = v1::DatasetDescription { level: 9, ..complete() };
        assert!(DatasetDescription::try_from(unknown).is_err());
    }

    #[test]
    fn retention_is_a_positive_calendar_duration() {
        for good in ["P5Y", "P6M", "P90D", "P2W", "P1Y6M"] {
            assert!(good.parse::<Retention>().is_ok(), "{good}");
        }
        for bad in ["", "5 years", "PT5H", "P1Dt1H", "P0D", "-P5Y", "P", "P5Y "] {
            assert!(bad.parse::<Retention>().is_err(), "{bad}");
        }
    }

    #[test]
    fn licences_cannot_break_out_of_turtle_or_html() {
        for bad in ["", "licence", "javascript:alert(1)", "https://x/<>", "https://x/\"", "https:// x", "https://"] {
            assert!(iri(bad).is_err(), "{bad}");
        }
    }
}
