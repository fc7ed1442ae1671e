//! Numbers, units and what is counted: the parts that several rules' patterns share.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern::pattern;

/// A number: a sign, thousands divided by a space, decimals behind a comma or a point.
pub(super) const NUMBER: &str =
    r"[+\-\u{2212}]?(?:[0-9]{1,3}(?:[\u{20}\u{a0}\u{202f}][0-9]{3}\b)+|[0-9]+)(?:[.,][0-9]+)?";

/// A unit of what sensors and meters measure. Units of time are not among them: they tell how data was collected.
/// Degrees are those of temperature.
pub(super) const UNIT: &str = concat!(
    r"(?:°\s?[CFK]\b|%|[€$£]|k€|m[²³]|[µμ]g/m³|W/m²|(?:[kMG]?Wh|[kM]?W|k?V|km/h|m/s|[kcm]?m|m[23]|ha|dB(?:\(A\)|A)?|",
    r"pp[mb]|[µμ]g/m3|mg/l|k?g|h?Pa|lux|bars?|tonnes?|euros?|EUR|USD|dollars?|degr[ée]s?|degrees?|litres?|liters?|",
    r"(?:kilo|centi|milli)?m[èe]tres?|(?:kilo|centi|milli)?met(?:er|re)s?|kilowatt-?(?:heure|hour)s?)\b)",
);

/// Whom and what a threshold protects: persons, what persons live in, drive or are measured by.
pub(super) const SUBJECT: &str = concat!(
    r"(?:personnes?|individus?|habitants?|r[ée]sidents?|m[ée]nages?|foyers?|familles?|logements?|appartements?|",
    r"abonn[ée]s?|usagers?|patients?|[ée]l[èe]ves?|[ée]tudiants?|enfants?|salari[ée]s?|b[ée]n[ée]ficiaires?|",
    r"allocataires?|locataires?|victimes?|d[ée]c[èe]s|naissances?|v[ée]hicules?|conducteurs?|participants?|",
    r"r[ée]pondants?|compteurs?|persons?|people|individuals?|inhabitants?|households?|families|dwellings?|apartments?|",
    r"flats?|customers?|subscribers?|pupils?|students?|children|employees?|beneficiaries|tenants?|victims?|deaths?|",
    r"births?|vehicles?|drivers?|respondents?|(?:smart|electricity|gas|water|heat|energy)\s+met(?:er|re)s?)\b",
);

/// The value of what [`NUMBER`] found.
pub(super) fn value(number: &str) -> Option<f64> {
    let plain = number.chars().filter(|c| !c.is_whitespace()).map(|c| match c {
        ',' => '.',
        '\u{2212}' => '-',
        other => other,
    });
    plain.collect::<String>().parse().ok()
}

/// Whether it has decimals. Three behind a comma are thousands in English.
pub(super) fn has_decimals(number: &str) -> bool {
    match number.split_once(['.', ',']) {
        Some((_, decimals)) => !(number.contains(',') && decimals.len() == 3),
        None => false,
    }
}

/// Whether it can be a year that data is about.
pub(super) fn is_year(number: &str) -> bool {
    number.len() == 4 && number.parse().is_ok_and(|year: u16| (1800..=2100).contains(&year))
}

/// Words that say how data is made, or what is allowed, rather than what it holds: rhythm, resolution, classes, rules.
pub(super) static METHOD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)seuil|threshold|conserv|r[ée]tention|\bretain|\bkept\b|d[ée]lai|mises? [àa] jour|\bupdat|\brefresh|",
        r"rafra[iî]ch|tou(?:te)?s les|\bevery\b|pas de temps|time step|r[ée]solution|pr[ée]cision|accura|\bmaille|",
        r"grille|\bgrid|carreau|[ée]chelle|\bscale|\brayon|radius|tampon|\bbuffer|arrondi|\bround(?:ed|ing)|",
        r"d[ée]cimale|\bdecimal|caract[èe]re|\bcharacter|\bclasse|\bclass(?:es)?\b|tranche|\bbands?\b|\bbracket|",
        r"requ[êe]te|\brequest|\bquer(?:y|ies)\b|tol[ée]rance|incertitude|uncertaint|plages? de mesure|",
        r"measuring range|range of the (?:sensor|device)|r[èe]glement|\blimit|autoris|\ballowed|\bl[ée]gal|latitude|",
        r"longitude|emprise|\bbbox\b|\bbounding",
    ])
});

/// Words near numbers with points between that are versions, licences or sections.
pub(super) static VERSION: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)\bversions?\b|licen[cs]e|\bDCAT|\bODbL\b|\bISO\b|\barticles?\b|\bsections?\b"]));
