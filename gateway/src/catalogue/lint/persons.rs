//! What tells persons apart, or leads to them. Where a standard gives a check digit it is computed, so that few other
//! numbers are taken for one.

use std::sync::LazyLock;

use regex::{Match, Regex};

use super::{
    Code, Hit,
    names::Lexicon,
    pattern::{pattern, sentence},
};

/// Every identifier of a person, of what is a person's, or of a record.
pub(super) fn found(text: &str, lexicon: &Lexicon<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut tell = |code, pattern: &Regex, is_one: &dyn Fn(&Match<'_>) -> bool| {
        hits.extend(pattern.find_iter(text).filter(is_one).map(|found| Hit::new(code, found.range())));
    };
    tell(Code::EmailAddress, &EMAIL, &|it| !lexicon.is_contact(it.as_str()) && !is_of_a_desk(it.as_str()));
    tell(Code::UniqueIdentifier, &UUID, &|_| true);
    tell(Code::BankAccount, &IBAN, &|it| is_iban(it.as_str()));
    tell(Code::SocialSecurityNumber, &NIR, &|it| {
        is_nir(it.as_str()) || SOCIAL_SECURITY.is_match(sentence(text, &it.range()))
    });
    tell(Code::DeviceIdentifier, &MAC, &|_| true);
    tell(Code::DeviceIdentifier, &IMEI, &|it| satisfies_luhn(it.as_str()));
    tell(Code::TelephoneNumber, &FRENCH_TELEPHONE, &|_| true);
    tell(Code::TelephoneNumber, &TELEPHONE, &|it| (10..=15).contains(&digits(it.as_str()).count()));
    tell(Code::RegistrationPlate, &HYPHENATED_PLATE, &|_| true);
    tell(Code::RegistrationPlate, &OTHER_PLATE, &|it| VEHICLE.is_match(sentence(text, &it.range())));
    hits
}

/// Whether it is a desk's address, as whoever asks for their rights needs it: nobody is named in it.
fn is_of_a_desk(email: &str) -> bool {
    let local = email.split_once('@').map_or(email, |(local, _)| local).to_ascii_lowercase();
    local.split(['.', '-', '_', '+']).all(|word| DESKS.contains(&word))
}

/// ISO 13616: of the country's length, and 1 modulo 97.
fn is_iban(text: &str) -> bool {
    let compact: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let length = LENGTHS.iter().find(|(country, _)| compact.starts_with(*country)).map(|(_, length)| *length);
    // What follows in capitals may have been taken for a part of it.
    let number = compact.get(..length.unwrap_or(compact.len()));
    number.is_some_and(|number| (15..=34).contains(&number.len()) && modulo_97(number) == Some(1))
}

/// The remainder that ISO 7064 takes, letters being 10 to 35, after the first four characters went to the end.
fn modulo_97(iban: &str) -> Option<u32> {
    let (head, tail) = iban.split_at_checked(4)?;
    tail.chars().chain(head.chars()).try_fold(0, |rest: u32, c| {
        let value = c.to_digit(36)?;
        let shift = if value < 10 { 10 } else { 100 };
        Some((rest * shift + value) % 97)
    })
}

/// A number of the register of persons: written in its groups, or with its key (97 less the number modulo 97; 2A and 2B
/// count as 19 and 18).
fn is_nir(text: &str) -> bool {
    let compact: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let grouped = text.chars().any(char::is_whitespace);
    let Some((number, key)) = compact.split_at_checked(13) else { return false };
    let number = number.to_ascii_uppercase().replace("2A", "19").replace("2B", "18");
    let expected = number.parse::<u64>().ok().map(|number| 97 - number % 97);
    grouped || (expected.is_some() && key.parse().ok() == expected)
}

/// ISO/IEC 7812-1, annex B: every second digit from the right doubled, in all a multiple of ten.
fn satisfies_luhn(text: &str) -> bool {
    let sum: u32 = (0..)
        .zip(digits(text).rev())
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, double) => double / 10 + double % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|c| c.to_digit(10))
}

/// What desks' addresses are made of.
const DESKS: [&str; 32] = [
    "accueil",
    "cnil",
    "contact",
    "data",
    "de",
    "delegue",
    "des",
    "donnee",
    "donnees",
    "dpd",
    "dpo",
    "geomatique",
    "guichet",
    "hello",
    "info",
    "infos",
    "la",
    "mairie",
    "metropole",
    "noreply",
    "open",
    "opendata",
    "portail",
    "protection",
    "rgpd",
    "sav",
    "secretariat",
    "service",
    "sig",
    "support",
    "ville",
    "webmaster",
];

/// Lengths of IBANs of the countries around (ISO 13616 register).
const LENGTHS: [(&str, usize); 12] = [
    ("FR", 27),
    ("MC", 27),
    ("BE", 16),
    ("LU", 20),
    ("DE", 22),
    ("CH", 21),
    ("ES", 24),
    ("IT", 27),
    ("PT", 25),
    ("NL", 18),
    ("GB", 22),
    ("AT", 20),
];

/// RFC 5321, as people write addresses.
static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)\b[a-z0-9][a-z0-9._%+\-]{0,63}@[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,6}"]));

/// RFC 9562, in hexadecimal with hyphens.
static UUID: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"]));

/// A country, two check digits and groups of four; the check tells it from words in capitals.
static IBAN: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"\b[A-Z]{2}[0-9]{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b"]));

/// Sex, year, month (or 20 and above where it is unknown), department, commune, order, and perhaps the key.
static NIR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"\b[12378]\s?[0-9]{2}\s?(?:0[1-9]|1[0-2]|[2-9][0-9])\s?(?:[0-9]{2}|2[AB])\s?[0-9]{3}\s?[0-9]{3}",
        r"(?:\s?[0-9]{2})?\b",
    ])
});

/// What says that thirteen digits are such a number.
static SOCIAL_SECURITY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)\bNIR\b|s[ée]curit[ée] sociale|social security|num[ée]ro INSEE|INSEE number|\bvitale\b"])
});

/// Six bytes in hexadecimal between colons or between hyphens.
static MAC: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)\b[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){5})\b"]));

/// Fifteen digits; the check digit tells one of ten from other numbers.
static IMEI: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"\b[0-9]{2}[- ]?[0-9]{6}[- ]?[0-9]{6}[- ]?[0-9]\b"]));

/// French numbers but for those that begin with 08, which are services'. The same divider throughout, so that a date
/// with a time is none.
static FRENCH_TELEPHONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?:\+33[\s.\-]?(?:\(0\)\s?)?|\b0033\s?|\b0)[1-79](?:[0-9]{8}|(?:[\u{20}\u{a0}\u{202f}][0-9]{2}){4}|",
        r"(?:\.[0-9]{2}){4}|(?:-[0-9]{2}){4})\b",
    ])
});

/// ITU-T E.123: a plus sign and up to fifteen digits.
static TELEPHONE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"\+[1-9][0-9]{0,2}(?:[\u{20}\u{a0}.\-]?[0-9]{1,4}){2,5}\b"]));

/// The plates of vehicles registered since 2009, without I, O and U as they are.
static HYPHENATED_PLATE: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"\b[A-HJ-NP-TV-Z]{2}-[0-9]{3}-[A-HJ-NP-TV-Z]{2}\b"]));

/// The same otherwise divided, and the plates from before 2009, which other codes look like too.
static OTHER_PLATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"\b(?:[A-HJ-NP-TV-Z]{2}\s?[0-9]{3}\s?[A-HJ-NP-TV-Z]{2}|",
        r"[0-9]{2,4}[\s\-]?[A-HJ-NP-TV-Z]{2,3}[\s\-]?(?:[0-9]{2}|2[AB]))\b",
    ])
});

/// What says that a text is about plates.
static VEHICLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)immatricul|\bplaques?\b|\bplates?\b|registration|v[ée]hicule|vehicle|\bvoiture|\bcars?\b"])
});
