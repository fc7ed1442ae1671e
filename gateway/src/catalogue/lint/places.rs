//! Places finer than the level allows: streets, and coordinates in degrees or in metres.
//!
//! A thousandth of a degree is about a hundred metres, a block; a hundredth about a kilometre, a district.

use std::sync::LazyLock;

use octroi_proto::Level;
use regex::{Captures, Regex};

use super::{
    Code, Hit,
    pattern::{after, before, begins_number, next, pattern},
    quantity::{UNIT, is_year, value},
};

/// Streets with a number, and without.
pub(super) fn streets(text: &str) -> Vec<Hit> {
    let patterns = [&*NUMBER_AND_STREET, &*NUMBER_AND_SQUARE, &*NUMBER_AND_ENGLISH_STREET];
    let numbered = patterns.into_iter().flat_map(|pattern| pattern.captures_iter(text));
    let numbered = numbered.filter(|found| found.name("number").is_some_and(|number| !is_year(number.as_str())));
    let numbered = numbered.filter_map(|found| Some(Hit::new(Code::StreetAddress, found.get(0)?.range())));
    let french = STREET.find_iter(text).filter(|it| !NO_SQUARE.is_match(before(text, it.start(), 12)));
    let english = ENGLISH_STREET
        .captures_iter(text)
        .filter(|it| it.name("street").is_some_and(|name| !NO_STREETS.contains(&name.as_str())));
    let named = french.map(|it| it.range()).chain(english.filter_map(|it| Some(it.get(0)?.range())));
    numbered.chain(named.map(|range| Hit::new(Code::StreetName, range))).collect()
}

/// Coordinates with more decimals than the level allows.
pub(super) fn coordinates(text: &str, level: Level) -> Vec<Hit> {
    let Some(most) = decimals_allowed(level) else { return Vec::new() };
    let pairs = PAIR.captures_iter(text).filter(|it| is_precise_pair(text, it, most));
    let single = [&*LABELLED, &*IN_DEGREES].into_iter().flat_map(|pattern| pattern.captures_iter(text));
    let single = single.filter(|it| {
        it.name("temperature").is_none() && it.name("degrees").is_some_and(|it| decimals(it.as_str()) > most)
    });
    let projected = PROJECTED.captures_iter(text).filter(|it| is_precise_projection(it, most));
    let seconds = WITH_SECONDS.captures_iter(text);
    let found = pairs.chain(single).chain(projected).chain(seconds);
    found.filter_map(|it| Some(Hit::new(Code::PreciseCoordinates, it.get(0)?.range()))).collect()
}

/// A box whose edges have more decimals than the level allows; the whole of it.
pub(super) fn bounds(edges: &str, level: Level) -> Vec<Hit> {
    let precise = |most| edges.split(',').any(|edge| decimals(edge) > most);
    let whole = 0..edges.len();
    decimals_allowed(level)
        .filter(|most| precise(*most))
        .map(|_| Hit::new(Code::PreciseCoordinates, whole))
        .into_iter()
        .collect()
}

fn decimals_allowed(level: Level) -> Option<usize> {
    match level {
        Level::Public => None,
        Level::QuasiSensitive => Some(3),
        Level::Sensitive => Some(2),
    }
}

/// Decimals that say something: zeros at the end do not.
fn decimals(number: &str) -> usize {
    number.split_once(['.', ',']).map_or(0, |(_, decimals)| decimals.trim_end_matches('0').len())
}

/// Whether it is a latitude and a longitude, one of them too precise, rather than two measured values.
fn is_precise_pair(text: &str, pair: &Captures<'_>, most: usize) -> bool {
    let (Some(one), Some(other)) = (pair.name("one"), pair.name("other")) else { return false };
    let degrees = [one, other].map(|it| value(it.as_str()).map_or(f64::INFINITY, f64::abs));
    let on_earth = degrees.iter().all(|degree| *degree <= 180.0) && degrees.iter().any(|degree| *degree <= 90.0);
    let precise = decimals(one.as_str()).max(decimals(other.as_str())) > most;
    let whole = begins_number(text, one.start()) && !next(text, other.end()).is_some_and(char::is_alphanumeric);
    on_earth && precise && whole && !MEASURED.is_match(after(text, other.end(), 8))
}

/// Whether metres of a French projection are not rounded: to 100 for three decimals, to 1000 for two.
fn is_precise_projection(pair: &Captures<'_>, most: usize) -> bool {
    let metres = |name| pair.name(name).and_then(|it| it.as_str().parse::<u32>().ok());
    let (Some(east), Some(north)) = (metres("east"), metres("north")) else { return false };
    let in_france = (50_000..1_300_000).contains(&east) && (6_000_000..7_200_000).contains(&north);
    let step = if most >= 3 { 100 } else { 1_000 };
    in_france && !(east.is_multiple_of(step) && north.is_multiple_of(step))
}

/// Capitalised words that stand before `Street` without being the name of one.
const NO_STREETS: [&str; 12] = ["Any", "By", "Each", "Every", "No", "Of", "On", "One", "Open", "Per", "The", "This"];

/// Kinds of streets that nothing else is called, any name behind; a number before them makes an address, since more
/// than one of them would be in the plural.
static NUMBER_AND_STREET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?P<number>[0-9]{1,4})\s?(?:bis|ter|quater)?\s?,?\s+(?:rue|avenue|av\.|boulevard|bd|bld|impasse|",
        r"all[ée]e|chemin|ruelle|venelle)\s+[^\s.,;:()0-9]+",
    ])
});

/// Kinds of streets that are words of other things too (`3 cours d’eau`): with a name in capitals.
static NUMBER_AND_SQUARE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"\b(?P<number>[0-9]{1,4})\s?(?:bis|ter|quater)?\s?,?\s+(?:[Pp]lace|[Qq]uai|[Cc]ours|[Rr]oute|[Pp]assage|",
        r"[Vv]oie|[Ss]quare|[Ff]aubourg|[Ee]splanade|[Ss]entier|[Mm]ail|[Pp]romenade|[Rr]ésidence|[Ll]otissement|",
        r"[Ll]ieu-dit)\s+",
        ARTICLES,
        r"\p{Lu}[^\s.,;:()0-9]*",
    ])
});

/// The same in English: the name stands before.
static NUMBER_AND_ENGLISH_STREET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"\b(?P<number>[0-9]{1,5})\s+(?:(?:\p{Lu}[^\s.,;:()0-9]*|[0-9]{1,3}(?:st|nd|rd|th))\s+){1,3}",
        r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd)\b",
    ])
});

/// A street by its name, which has a capital; roads between towns have `de`.
static STREET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"\b(?:(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Ii]mpasse|[Aa]llées?|[Cc]hemin|[Qq]uai|[Ss]quare|[Ff]aubourg|",
        r"[Rr]uelle|[Pp]lace)\s+",
        ARTICLES,
        r"|[Rr]oute\s+(?:de\s+|du\s+|d['’]))\p{Lu}[^\s.,;:()0-9]*",
    ])
});

/// The same in English.
static ENGLISH_STREET: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"\b(?P<street>\p{Lu}[^\s.,;:()0-9]*)\s+(?:Street|Avenue|Road|Lane|Boulevard)\b"]));

/// `mise en place`, `sur place`.
static NO_SQUARE: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)\b(?:en|sur|la)\s+$"]));

/// What stands between a kind of street and its name.
const ARTICLES: &str = r"(?:(?:de\s+la|de\s+l['’]|du|des|de|d['’]|la|le|les|l['’]|aux?)\s*)?";

/// Two numbers with decimals, as coordinates are written.
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?P<one>[+\-]?[0-9]{1,3}[.,][0-9]{1,15})\s?°?\s?[NSEWO]?(?:\s*[,;/]\s*|\s+)",
        r"(?P<other>[+\-]?[0-9]{1,3}[.,][0-9]{1,15})",
    ])
});

/// One number that is called a latitude or a longitude.
static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?:lat(?:itude)?|lon(?:gitude)?|lng)\b\.?\s*[:=]?\s*(?P<degrees>[+\-]?[0-9]{1,3}[.,][0-9]{1,15})",
    ])
});

/// One number of degrees; of temperature, its letter tells.
static IN_DEGREES: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?P<degrees>[+\-]?[0-9]{1,3}[.,][0-9]{1,15})\s?°(?P<temperature>\s?[CFK]\b)?"]));

/// Degrees, minutes and seconds: a second is thirty metres. Minutes alone are a mile, which every level allows.
static WITH_SECONDS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&["[0-9]{1,3}\\s?°\\s?[0-9]{1,2}\\s?['′’]\\s?[0-9]{1,2}(?:[.,][0-9]+)?\\s?(?:[\"″”]|''|’’)"])
});

/// Lambert-93 (EPSG:2154): metres east, metres north.
static PROJECTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"\b(?P<east>[0-9]{5,7})(?:[.,][0-9]+)?\s*[,;/\s]\s*(?:[Yy]\s?[:=]\s?)?(?P<north>[0-9]{7})\b"])
});

/// A unit right behind a number.
static MEASURED: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)^\s?", UNIT]));
