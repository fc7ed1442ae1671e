//! What helps others to find a dataset: the optional words of DCAT-AP, each from the vocabulary it is to come from.
//!
//! Codes are those of the EU's authority tables (op.europa.eu, as DCAT-AP 3.0.1 section 5 names them), categories those
//! of Implementing Regulation (EU) 2023/138, limitations those of Article 13(1) of Directive 2007/2/EC.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use jiff::civil::Date;

use super::{Localised, NotListed, iri};
use crate::{DatasetId, id::line, violation::Check, wire::v1};

/// A word of a closed vocabulary, kept as the vocabulary writes it.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident, $sentence:literal, [$($code:literal),+ $(,)?]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(&'static str);

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self($code)),+];

            /// The word for it.
            pub fn code(self) -> &'static str {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = NotListed;
            fn from_str(text: &str) -> Result<Self, NotListed> {
                Self::ALL.iter().find(|word| word.0 == text).copied().ok_or(NotListed($sentence))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.0)
            }
        }
    };
}

coded! {
    /// What a dataset is about (EU data themes).
    Theme,
    "the EU's data themes: `AGRI`, `ECON`, `EDUC`, `ENER`, `ENVI`, `GOVE`, `HEAL`, `INTR`, `JUST`, `REGI`, `SOCI`, `TECH`, `TRAN`",
    ["AGRI", "ECON", "EDUC", "ENER", "ENVI", "GOVE", "HEAL", "INTR", "JUST", "REGI", "SOCI", "TECH", "TRAN"]
}

coded! {
    /// How often data is brought up to date (EU frequencies).
    Frequency,
    "the EU's frequencies, such as `CONT`, `HOURLY`, `DAILY`, `WEEKLY`, `MONTHLY`, `QUARTERLY`, `ANNUAL`, `IRREG`, `NEVER`",
    [
        "1MIN", "5MIN", "10MIN", "15MIN", "30MIN", "12HRS", "ANNUAL", "ANNUAL_2", "ANNUAL_3", "AS_NEEDED", "BIDECENNIAL",
        "BIENNIAL", "BIHOURLY", "BIMONTHLY", "BIWEEKLY", "CONT", "DAILY", "DAILY_2", "DECENNIAL", "HOURLY", "IRREG",
        "MONTHLY", "MONTHLY_2", "MONTHLY_3", "NEVER", "NOT_PLANNED", "OTHER", "QUADRENNIAL", "QUARTERLY",
        "QUINQUENNIAL", "TRIDECENNIAL", "TRIENNIAL", "TRIHOURLY", "UNKNOWN", "UPDATE_CONT", "WEEKLY", "WEEKLY_2",
        "WEEKLY_3", "WEEKLY_5",
    ]
}

coded! {
    /// A language that data is in (EU languages): those of the Union, and those spoken in its cities most.
    DataLanguage,
    "the EU's codes of languages, such as `FRA`, `ENG`, `DEU`",
    [
        "ARA", "BRE", "BUL", "CAT", "CES", "COR", "COS", "DAN", "DEU", "ELL", "ENG", "EST", "EUS", "FIN", "FRA", "GLE",
        "GSW", "HRV", "HUN", "ITA", "LAV", "LIT", "LTZ", "MLT", "MUL", "NLD", "OCI", "POL", "POR", "RON", "RUS", "SLK",
        "SLV", "SPA", "SWE", "TUR", "UKR", "ZHO",
    ]
}

coded! {
    /// What makes a dataset one of high value (Implementing Regulation (EU) 2023/138, annex).
    HighValueCategory,
    "`companies`, `earth-observation`, `geospatial`, `meteorological`, `mobility`, `statistics`",
    ["companies", "earth-observation", "geospatial", "meteorological", "mobility", "statistics"]
}

coded! {
    /// Why the public has no access: the letter of Article 13(1) of the INSPIRE directive.
    Limitation,
    "the letters of Article 13(1) of the INSPIRE directive, `a` to `h`",
    ["a", "b", "c", "d", "e", "f", "g", "h"]
}

impl Limitation {
    /// The confidentiality of personal data: what is not public here is so for that reason, unless it says otherwise.
    pub const PERSONAL_DATA: Self = Self("f");
}

/// What helps others to find a dataset and to judge whether it serves them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Keywords by language.
    pub keywords: BTreeMap<String, Vec<String>>,
    /// What it is about.
    pub themes: BTreeSet<Theme>,
    /// How often it is brought up to date.
    pub frequency: Option<Frequency>,
    /// The languages of the data.
    pub languages: BTreeSet<DataLanguage>,
    /// The time it is about.
    pub temporal: Vec<TemporalCoverage>,
    /// The places it is about.
    pub spatial: Vec<SpatialCoverage>,
    /// The data's version.
    pub version: Option<String>,
    /// A page about it elsewhere.
    pub landing_page: Option<String>,
    /// What makes it one of high value.
    pub high_value_categories: BTreeSet<HighValueCategory>,
    /// Laws that demand its publication.
    pub legislation: Vec<String>,
    /// What it was made from.
    pub derived_from: Vec<Origin>,
    /// Standards it keeps to.
    pub standards: Vec<String>,
    /// Why it is not public; of what is not public alone.
    pub limitation: Option<Limitation>,
}

/// A stretch of days; at least one end, the last not before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemporalCoverage {
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub to: Option<Date>,
}

/// A place, by at least one of three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpatialCoverage {
    /// Its name.
    pub name: Option<String>,
    /// An IRI of it.
    pub iri: Option<String>,
    /// A box around it.
    pub bounds: Option<Bounds>,
}

/// A box in degrees (WGS 84), kept as it was written so that it says no more digits than its steward did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// West, south, east, north.
    edges: [String; 4],
}

/// What a dataset was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A dataset of this catalogue.
    Dataset(DatasetId),
    /// Something elsewhere, by its IRI.
    Elsewhere(String),
}

/// Text that is no box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be west, south, east and north in degrees, such as `4.90,47.20,5.20,47.40`")]
pub struct InvalidBounds;

impl Bounds {
    /// West, south, east and north, as written.
    pub fn edges(&self) -> &[String; 4] {
        &self.edges
    }

    /// As well-known text (OGC 06-103r4), longitude first, counter-clockwise.
    pub fn to_wkt(&self) -> String {
        let [west, south, east, north] = &self.edges;
        format!("POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))")
    }
}

impl Bounds {
    /// As GeoJSON (RFC 7946).
    pub fn to_geojson(&self) -> String {
        let [west, south, east, north] = &self.edges;
        format!(
            "{{\"type\": \"Polygon\", \"coordinates\": [[[{west}, {south}], [{east}, {south}], [{east}, {north}], [{west}, {north}], [{west}, {south}]]]}}"
        )
    }
}

impl FromStr for Bounds {
    type Err = InvalidBounds;

    fn from_str(text: &str) -> Result<Self, InvalidBounds> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let edges: [&str; 4] = parts.try_into().map_err(|_| InvalidBounds)?;
        let mut degrees = [0.0; 4];
        for (degree, edge) in degrees.iter_mut().zip(edges) {
            // What `f64` reads beyond plain decimals (`1e3`, `inf`) is no WKT everywhere.
            let plain = edge.len() <= 20 && edge.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'.');
            *degree = if plain { edge.parse::<f64>().map_err(|_| InvalidBounds)? } else { return Err(InvalidBounds) };
        }
        let [west, south, east, north] = degrees;
        let around = |degree: f64, most: f64| (-most..=most).contains(&degree);
        let good = around(west, 180.0) && around(east, 180.0) && around(south, 90.0) && around(north, 90.0);
        if good && west < east && south < north {
            Ok(Self { edges: edges.map(str::to_owned) })
        } else {
            Err(InvalidBounds)
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.edges.join(","))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset(id) => id.fmt(f),
            Self::Elsewhere(iri) => f.write_str(iri),
        }
    }
}

impl Discovery {
    pub(super) fn parse(wire: v1::Discovery, check: &mut Check) -> Option<Self> {
        let keywords = check.field("discovery.keywords", keywords(wire.keywords));
        let themes = list(check, "discovery.themes", &wire.themes, |text| text.parse::<Theme>());
        let frequency = optional(check, "discovery.frequency", &wire.frequency, str::parse::<Frequency>);
        let languages = list(check, "discovery.languages", &wire.languages, |text| text.parse::<DataLanguage>());
        let temporal = list(check, "discovery.temporal", &wire.temporal, TemporalCoverage::parse);
        let spatial = list(check, "discovery.spatial", &wire.spatial, SpatialCoverage::parse);
        let version = optional(check, "discovery.version", &wire.version, |text| line(text, 100));
        let landing_page = optional(check, "discovery.landing_page", &wire.landing_page, iri);
        let categories = list(check, "discovery.high_value_categories", &wire.high_value_categories, |text| {
            text.parse::<HighValueCategory>()
        });
        let legislation = list(check, "discovery.legislation", &wire.legislation, |text| iri(text));
        let derived_from = list(check, "discovery.derived_from", &wire.derived_from, |text| Origin::parse(text));
        let standards = list(check, "discovery.standards", &wire.standards, |text| iri(text));
        let limitation = optional(check, "discovery.limitation", &wire.limitation, str::parse::<Limitation>);
        Some(Self {
            keywords: keywords?,
            themes: themes?.into_iter().collect(),
            frequency: frequency?,
            languages: languages?.into_iter().collect(),
            temporal: temporal?,
            spatial: spatial?,
            version: version?,
            landing_page: landing_page?,
            high_value_categories: categories?.into_iter().collect(),
            legislation: legislation?,
            derived_from: derived_from?,
            standards: standards?,
            limitation: limitation?,
        })
    }
}

impl TemporalCoverage {
    fn parse(wire: &v1::TemporalCoverage) -> Result<Self, &'static str> {
        let day = |text: &str| match text {
            "" => Ok(None),
            // Exactly the form that `xsd:date` has, though the parser would take more.
            _ if text.len() != 10 => Err("must give days such as `2019-01-01`"),
            _ => text.parse::<Date>().map(Some).map_err(|_| "must give days such as `2019-01-01`"),
        };
        let (from, to) = (day(&wire.from)?, day(&wire.to)?);
        match (from, to) {
            (None, None) => Err("must give a first day, a last day, or both"),
            (Some(from), Some(to)) if to < from => Err("must not end before it begins"),
            (from, to) => Ok(Self { from, to }),
        }
    }
}

impl SpatialCoverage {
    fn parse(wire: &v1::SpatialCoverage) -> Result<Self, String> {
        let name =
            given(&wire.name).map(|text| line(text, 200)).transpose().map_err(|problem| format!("`name` {problem}"))?;
        let iri = given(&wire.iri).map(iri).transpose().map_err(|problem| format!("`iri` {problem}"))?;
        let bounds = given(&wire.r#box).map(str::parse).transpose();
        let bounds = bounds.map_err(|problem: InvalidBounds| format!("`box` {problem}"))?;
        if name.is_none() && iri.is_none() && bounds.is_none() {
            return Err("must give a name, an IRI or a box".to_owned());
        }
        Ok(Self { name, iri, bounds })
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let elsewhere = || iri(text).map(Self::Elsewhere).map_err(|_| "must be an id of a dataset here, or an IRI");
        text.parse().map(Self::Dataset).or_else(|_| elsewhere())
    }
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn optional<T, E: ToString>(
    check: &mut Check,
    field: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Option<T>> {
    check.field(field, given(text).map(parse).transpose())
}

fn list<W, T, E: ToString>(
    check: &mut Check,
    field: &str,
    items: &[W],
    parse: impl Fn(&W) -> Result<T, E>,
) -> Option<Vec<T>> {
    if items.len() > MOST {
        check.refuse(field, format!("must be at most {MOST}"));
        return None;
    }
    let parsed = items.iter().enumerate().map(|(place, item)| check.field(format!("{field}[{place}]"), parse(item)));
    // All of them, so that every violation is told.
    let parsed: Vec<Option<T>> = parsed.collect();
    parsed.into_iter().collect()
}

fn keywords(wire: BTreeMap<String, v1::Keywords>) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut keywords = BTreeMap::new();
    for (language, v1::Keywords { words }) in wire {
        if !Localised::LANGUAGES.contains(&language.as_str()) {
            return Err("has a language other than `fr` and `en`".to_owned());
        }
        keywords.insert(language, super::keywords(&words)?);
    }
    Ok(keywords)
}

impl From<&Discovery> for v1::Discovery {
    fn from(it: &Discovery) -> Self {
        let words =
            |(language, words): (&String, &Vec<String>)| (language.clone(), v1::Keywords { words: words.clone() });
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            keywords: it.keywords.iter().map(words).collect(),
            themes: it.themes.iter().map(ToString::to_string).collect(),
            frequency: it.frequency.map(|it| it.to_string()).unwrap_or_default(),
            languages: it.languages.iter().map(ToString::to_string).collect(),
            temporal: it.temporal.iter().map(Into::into).collect(),
            spatial: it.spatial.iter().map(Into::into).collect(),
            version: text(&it.version),
            landing_page: text(&it.landing_page),
            high_value_categories: it.high_value_categories.iter().map(ToString::to_string).collect(),
            legislation: it.legislation.clone(),
            derived_from: it.derived_from.iter().map(ToString::to_string).collect(),
            standards: it.standards.clone(),
            limitation: it.limitation.map(|it| it.to_string()).unwrap_or_default(),
        }
    }
}

impl From<&TemporalCoverage> for v1::TemporalCoverage {
    fn from(it: &TemporalCoverage) -> Self {
        let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        Self { from: day(it.from), to: day(it.to) }
    }
}

impl From<&SpatialCoverage> for v1::SpatialCoverage {
    fn from(it: &SpatialCoverage) -> Self {
        Self {
            name: it.name.clone().unwrap_or_default(),
            iri: it.iri.clone().unwrap_or_default(),
            r#box: it.bounds.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// Items of each list.
const MOST: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Violations;

    fn full() -> v1::Discovery {
        v1::Discovery {
            keywords: [("fr".to_owned(), v1::Keywords { words: vec!["vélo".to_owned()] })].into(),
            themes: vec!["ENVI".to_owned(), "TRAN".to_owned()],
            frequency: "15MIN".to_owned(),
            languages: vec!["FRA".to_owned()],
            temporal: vec![v1::TemporalCoverage { from: "2019-01-01".to_owned(), to: String::new() }],
            spatial: vec![v1::SpatialCoverage {
                name: "Dijon métropole".to_owned(),
                iri: "https://sws.geonames.org/11071625/".to_owned(),
                r#box: "4.90,47.20,5.20,47.40".to_owned(),
            }],
            version: "2".to_owned(),
            landing_page: "https://www.metropole-dijon.fr/velo".to_owned(),
            high_value_categories: vec!["mobility".to_owned()],
            legislation: vec!["https://www.legifrance.gouv.fr/eli/loi/2019/12/24/2019-1428/jo/texte".to_owned()],
            derived_from: vec!["compteurs-bruts".to_owned(), "https://example.org/d".to_owned()],
            standards: vec!["https://www.netex.org".to_owned()],
            limitation: "d".to_owned(),
        }
    }

    fn parse(wire: v1::Discovery) -> Result<Discovery, Violations> {
        let mut check = Check::default();
        let parsed = Discovery::parse(wire, &mut check);
        check.finish(parsed)
    }

    #[test]
    fn all_of_it_survives_the_wire() {
        assert_eq!(v1::Discovery::from(&parse(full()).unwrap()), full());
        assert_eq!(parse(v1::Discovery::default()).unwrap(), Discovery::default());
    }

    #[test]
    fn every_violation_is_told_by_its_place() {
        let wire = v1::Discovery {
            themes: vec!["TRAN".to_owned(), "transport".to_owned(), "x".to_owned()],
            frequency: "often".to_owned(),
            languages: vec!["fr".to_owned()],
            temporal: vec![v1::TemporalCoverage::default()],
            spatial: vec![v1::SpatialCoverage::default()],
            landing_page: "javascript:alert(1)".to_owned(),
            derived_from: vec!["?".to_owned()],
            limitation: "z".to_owned(),
            ..v1::Discovery::default()
        };
        let violations = parse(wire).unwrap_err();
        let fields: Vec<&str> = violations.iter().map(|it| it.field.as_str()).collect();
        let expected = [
            "discovery.themes[1]",
            "discovery.themes[2]",
            "discovery.frequency",
            "discovery.languages[0]",
            "discovery.temporal[0]",
            "discovery.spatial[0]",
            "discovery.landing_page",
            "discovery.derived_from[0]",
            "discovery.limitation",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn boxes_keep_the_digits_of_their_steward() {
        let bounds: Bounds = "4.90, 47.20 ,5.20,47.40".parse().unwrap();
        assert_eq!(bounds.to_wkt(), "POLYGON ((4.90 47.20, 5.20 47.20, 5.20 47.40, 4.90 47.40, 4.90 47.20))");
        for bad in
            ["", "1,2,3", "5,47,4,48", "4,48,5,47", "4,47,5,91", "-181,0,0,1", "1e0,2,3,4", "NaN,0,1,1", "1,2,3,4,5"]
        {
            assert!(bad.parse::<Bounds>().is_err(), "{bad}");
        }
    }

    #[test]
    fn days_are_days() {
        let coverage = |from: &str, to: &str| {
            TemporalCoverage::parse(&v1::TemporalCoverage { from: from.to_owned(), to: to.to_owned() })
        };
        assert!(coverage("2019-01-01", "2019-01-01").is_ok());
        for (from, to) in
            [("2019-1-1", ""), ("2019-02-30", ""), ("2019-01-02", "2019-01-01"), ("20190101", ""), ("", "")]
        {
            assert!(coverage(from, to).is_err(), "{from} {to}");
        }
    }
}
