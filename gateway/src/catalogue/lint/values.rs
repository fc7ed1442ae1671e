//! Values as they are in the data: behind words that announce an example, in lists, in lines of files and in pairs.

use std::{ops::Range, sync::LazyLock};

use octroi_proto::dataset::Bounds;
use regex::{Captures, Regex};

use super::{
    Code, Hit,
    names::Lexicon,
    pattern::{after, before, begins_number, part_around, pattern},
    quantity::{METHOD, NUMBER, SUBJECT, UNIT, VERSION, is_year},
};

/// Every value, each with the words that announce it.
pub(super) fn found(text: &str, lexicon: &Lexicon<'_>) -> Vec<Hit> {
    let announced = ANNOUNCEMENT.find_iter(text).filter_map(|announcement| {
        let length = first_value(text, announcement.end(), lexicon)?;
        Some(announcement.start()..announcement.end() + length)
    });
    let lists = LIST.find_iter(text).map(|it| it.range()).filter(|range| is_list(text, range));
    let integers = INTEGERS.find_iter(text).map(|it| it.range()).filter(|range| are_values(text, range, lexicon));
    let numbered =
        NUMBERED_SUBJECT.captures_iter(text).filter(|it| it.name("number").is_some_and(|it| !is_year(it.as_str())));
    let numbered = numbered.filter_map(|it| Some(it.get(0)?.range()));
    let rows = [&*LINE, &*SPACED_LINE, &*TABS, &*TABLE].into_iter().flat_map(|pattern| pattern.find_iter(text));
    let rows = rows.map(|it| it.range()).filter(|range| text.get(range.clone()).is_some_and(is_row));
    let pairs = PAIRS.captures_iter(text).filter(are_of_a_record).filter_map(|it| Some(it.get(0)?.range()));
    let json = MEMBER.find_iter(text).map(|it| it.range());
    let ranges = announced.chain(lists).chain(integers).chain(numbered).chain(rows).chain(pairs).chain(json);
    ranges.map(|range| Hit::new(Code::SampleValues, range)).collect()
}

/// Where the first value ends of those that stand behind an announcement, in its sentence and near.
fn first_value(text: &str, at: usize, lexicon: &Lexicon<'_>) -> Option<usize> {
    let announced = part_around(text, &(at..at), 0, 64);
    let announced = announced.split_once(')').map_or(announced, |(inside, _)| inside);
    let value = VALUE.captures_iter(announced).find(|it| is_value(text, announced, at, it, lexicon))?;
    Some(value.get(0)?.end())
}

fn is_value(text: &str, announced: &str, at: usize, value: &Captures<'_>, lexicon: &Lexicon<'_>) -> bool {
    let Some(whole) = value.get(0) else { return false };
    let place = at + whole.start()..at + whole.end();
    let ahead = before(text, place.start, 64);
    if let Some(quoted) = value.name("quoted") {
        return !lexicon.shows(quoted.as_str().trim_matches(is_quote));
    }
    if lexicon.shows(whole.as_str()) || NAMED_NUMBER.is_match(ahead) {
        return false;
    }
    if value.name("date").is_some() {
        return true;
    }
    if value.name("measure").is_some() {
        let near = announced.get(..announced.floor_char_boundary(whole.end() + 24)).unwrap_or_default();
        let rule = METHOD.is_match(near) || BOUND.is_match(ahead) || OF_ALL.is_match(after(text, place.end, 8));
        return begins_number(text, place.start) && !rule;
    }
    is_code(whole.as_str()) || (begins_number(text, place.start) && is_identifying(text, &place, whole.as_str()))
}

/// Capitals and digits that make an identifier, rather than the name of a standard or of what is measured.
fn is_code(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let letters = token.bytes().filter(u8::is_ascii_uppercase).count();
    token.len() >= 5 && digits >= 2 && letters >= 1 && !STANDARD.is_match(token)
}

/// A number of several digits that is neither a year, nor a count, nor the code of a commune.
fn is_identifying(text: &str, place: &Range<usize>, token: &str) -> bool {
    let number = token.len() >= 3 && token.bytes().all(|b| b.is_ascii_digit());
    let commune = token.len() == 5 && COMMUNE.is_match(before(text, place.start, 64));
    number && !is_year(token) && !commune && !COUNTED.is_match(after(text, place.end, 24))
}

fn is_quote(c: char) -> bool {
    matches!(c, '«' | '»' | '“' | '”' | '"' | '`') || c.is_whitespace()
}

/// Whether three values or more are what was measured, rather than how, or versions, or years.
fn is_list(text: &str, range: &Range<usize>) -> bool {
    let whole = begins_number(text, range.start);
    let near = part_around(text, range, 40, 24);
    let numbers = text.get(range.clone()).unwrap_or_default();
    whole && !METHOD.is_match(near) && !VERSION.is_match(near) && !is_box(numbers)
}

/// Whether four integers or more are values, rather than years, codes or what the schema shows.
fn are_values(text: &str, range: &Range<usize>, lexicon: &Lexicon<'_>) -> bool {
    let numbers = text.get(range.clone()).unwrap_or_default().split(|c: char| !c.is_ascii_digit());
    let mut numbers = numbers.filter(|number| !number.is_empty());
    let near = part_around(text, range, 40, 24);
    let called = METHOD.is_match(near) || VERSION.is_match(near) || CODES.is_match(near);
    begins_number(text, range.start) && !called && numbers.any(|number| !is_year(number) && !lexicon.shows(number))
}

/// Whether a line has so many fields of values: not of names alone, of years alone, nor the edges of a box.
fn is_row(line: &str) -> bool {
    let fields: Vec<&str> = line.split([',', ';', '|', '\t']).map(str::trim).filter(|it| !it.is_empty()).collect();
    let valued = fields.iter().filter(|field| field.contains(|c: char| c.is_ascii_digit())).count();
    let telling = fields.iter().any(|field| {
        field.contains(|c: char| c.is_ascii_digit()) && field.len() >= 3 && !is_year(field) && !STANDARD.is_match(field)
    });
    valued >= 2 && telling && !is_box(line)
}

/// West, south, east and north, which the rule about coordinates looks at.
fn is_box(numbers: &str) -> bool {
    numbers.replace(';', ",").parse::<Bounds>().is_ok()
}

/// Whether pairs are of a row, rather than a code book (`1=yes`) or the parameters of a method (`k=11`).
fn are_of_a_record(pairs: &Captures<'_>) -> bool {
    let text = |name| pairs.name(name).map_or("", |it| it.as_str());
    let is_named = |key: &str| key.chars().any(char::is_alphabetic) && !PARAMETER.is_match(key);
    let has_value = |value: &str| value.contains(|c: char| c.is_ascii_digit() || is_quote(c));
    is_named(text("first")) && is_named(text("second")) && (has_value(text("value")) || has_value(text("other")))
}

/// Words that a value follows. `Comme` and `like` are none: they compare more than they give examples.
static ANNOUNCEMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)(?:\b(?:par exemple|p\.\s?ex\.?|ex\.\s?:|e\.\s?g\.?|for example|for instance|such as|tell?e?s? que)|",
        r"\b(?:exemples?|examples?|[ée]chantillons?|samples?|extraits?|excerpts?|valeurs?|values?|relev[ée]s?|",
        r"readings?)\b[^.:;\n0-9]{0,30}:)",
    ])
});

/// What can be a value: quoted words, a day, a number with decimals or a unit, or any number or word in capitals, of
/// which [`is_code`] and [`is_identifying`] choose.
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        "(?P<quoted>«[^»\\n]{1,60}»|“[^”\\n]{1,60}”|\"[^\"\\n]{1,60}\"|`[^`\\n]{1,60}`)|",
        r"(?P<date>\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b|\b[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}\b)|",
        r"(?P<measure>",
        NUMBER,
        r"\s?(?i:",
        UNIT,
        r")|[+\-\u{2212}]?[0-9]+[.,][0-9]+)|(?P<token>\b[A-Z0-9]+(?:[_\-][A-Z0-9]+)*\b)",
    ])
});

/// Three numbers or more with decimals or units, one after the other.
static LIST: LazyLock<Regex> = LazyLock::new(|| {
    let item = [r"[+\-\u{2212}]?[0-9]+(?:[.,][0-9]+(?:\s?", UNIT, r")?|\s?", UNIT, ")"].concat();
    pattern(&[r"(?i)(?:", item.as_str(), r"(?:\s?[;,/|]\s?|\s(?:et|and|ou|or)\s|\s)){2,}", item.as_str()])
});

/// Four integers or more of three digits or more, one after the other.
static INTEGERS: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"[0-9]{3,12}(?:\s?[;,/|]\s?[0-9]{3,12}){3,}\b"]));

/// Words near integers that are codes.
static CODES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)\bcodes?\b|\blignes?\b|\blines?\b|\bzones?\b|d[ée]partement|\bpostal|commune|\bINSEE\b|\bEPSG\b"])
});

/// One of those whom the data is about, by its number.
static NUMBERED_SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?:m[ée]nage|foyer|logement|patient|personne|individu|compteur|capteur|v[ée]hicule|household|dwelling|",
        r"person|meter|sensor|vehicle)\s(?:n°\s?|no\.?\s?|#)?(?P<number>[0-9]{3,12})\b",
    ])
});

/// A line of a file without spaces: four fields or more.
static LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"[^\s,;|]{1,40}(?:,[^\s,;|]{1,40}){3,}|[^\s,;|]{1,40}(?:[;|][^\s,;|]{1,40}){3,}"]));

/// The same with spaces behind its semicolons, each field a number to begin with.
static SPACED_LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?:[0-9][^;|\n]{0,24}[;|]\s?){3,}[0-9][^\s;|]{0,24}"]));

/// Fields between tabs.
static TABS: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?:[^\t\n]{1,40}\t){2,}[^\t\n]{1,40}"]));

/// A row of a table as Markdown has it.
static TABLE: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"\|(?:[^|\n]{1,40}\|){2,}"]));

/// Two names with a value each.
static PAIRS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?P<first>[^\s=,;&|(]{2,30})\s?=\s?(?P<value>[^\s=,;&|]{1,40})(?:\s?[,;&|]\s?|\s)",
        r"(?P<second>[^\s=,;&|(]{2,30})\s?=\s?(?P<other>[^\s=,;&|]{1,40})",
    ])
});

/// A member of an object (RFC 8259).
static MEMBER: LazyLock<Regex> =
    LazyLock::new(|| pattern(&["\"[^\"\\n]{1,40}\"\\s?:\\s?(?:\"[^\"\\n]{1,80}\"|-?[0-9])"]));

/// Names of standards, of what is measured and of roads, in capitals with digits as codes are.
static STANDARD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"^(?:ISO|IEC|IEEE|NF|EN|DIN|RFC|EPSG|SRID|UTF|WGS|RGF|NTF|ETRS|LAMBERT|PM|COVID|SARS|CO|NO|SO|NACE|NAF|ROME|",
        r"CIM|ICD|MD|SHA|AES|TLS|DCAT|HVD|RN|RD)[-_]?[0-9]|^[ADNE][0-9]{1,4}$",
    ])
});

/// Words in front of numbers that are names: of standards, laws, versions and licences.
static NAMED_NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)(?:\b(?:ISO|IEC|IEEE|RFC|EPSG|SRID|DIN|WGS|RGF|Lambert|DCAT(?:-AP)?|articles?|art\.|lois?|law|section|",
        r"r[èe]glement|regulation|directive|arr[êe]t[ée]|d[ée]cret|decree|version|licen[cs]e|ODbL|CC[ -]BY(?:-SA)?|",
        r"Creative\s?Commons|(?-i:EN|NF|L\.|R\.|D\.)|v)|(?-i:\b(?:UE|EU|CE)\)?)|§|n°)[\s:/.\-]*$",
    ])
});

/// Words in front of a bound, which is a rule rather than a value.
static BOUND: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?:plus d[e'’]\s?|moins d[e'’]\s?|au moins|au-del[àa] d[e'’]\s?|tous les|toutes les|over|under|above|",
        r"below|within|every|more than|less than|fewer than|at least)\s*$",
    ])
});

/// What makes a share of a percentage.
static OF_ALL: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)^\s(?:des?|du|of)\b"]));

/// Parameters of methods, which are not of rows, and extremes, which are for another rule.
static PARAMETER: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)^(?:epsilon|delta|sigma|seuil|threshold|alpha|beta|lambda|min|max|.)$"]));

/// Words that say that five digits are a commune.
static COMMUNE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)\bINSEE\b|commune|postal|postcode|zip code|\bIRIS\b|\bCOG\b"]));

/// What makes a count of a number: more digits, or what is counted.
static COUNTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)^(?:[\u{20}\u{a0}\u{202f}][0-9]{3}\b|\s(?:[^\s0-9.,;:()]{2,20}\s)?", SUBJECT, r")"])
});
