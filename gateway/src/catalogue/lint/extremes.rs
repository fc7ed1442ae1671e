//! Minima, maxima and ranges of the data. The least and the greatest value are each one person's.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{
    Code, Hit,
    pattern::{after, before, begins_number, part_around, pattern},
    quantity::{METHOD, NUMBER, SUBJECT, UNIT, VERSION, has_decimals, is_year, value},
};

/// Every extreme: named, bounded by words, or the two ends of a range.
pub(super) fn found(text: &str) -> Vec<Hit> {
    let named = NAMED.captures_iter(text).filter(|it| is_extreme(text, it));
    let bounded = BOUNDED.captures_iter(text).filter(is_bound);
    let ranges = [&*RANGE, &*DASHED].into_iter().flat_map(|pattern| pattern.captures_iter(text));
    let ranges = ranges.filter(|it| is_extent(text, it));
    let found = named.chain(bounded).chain(ranges).filter_map(|it| Some(it.get(0)?.range()));
    let of_data = found.filter(|range| !METHOD.is_match(part_around(text, range, 48, 48)));
    of_data.map(|range| Hit::new(Code::MinimumOrMaximum, range)).collect()
}

/// Whether a number is what the word before it names, and measures or counts something.
fn is_extreme(text: &str, found: &Captures<'_>) -> bool {
    let (Some(word), Some(gap), Some(number)) = (found.name("word"), found.name("gap"), found.name("number")) else {
        return false;
    };
    let minutes =
        word.as_str() == "min" && before(text, word.start(), 8).trim_end().ends_with(|c: char| c.is_ascii_digit());
    let last = gap.as_str().split_whitespace().next_back().unwrap_or_default().to_lowercase();
    if minutes || !begins_number(text, number.start()) || ELSEWHERE.contains(&last.as_str()) {
        return false;
    }
    let behind = after(text, number.end(), 16);
    if CALENDAR.is_match(behind) {
        return false;
    }
    // `au minimum 11 ménages` is a rule.
    let rule = found.name("subject").is_some() && word.as_str().to_lowercase().starts_with("min");
    let measured = found.name("unit").is_some() || found.name("subject").is_some() || SHORT_TIME.is_match(behind);
    let alone = gap.as_str().contains([':', '=', '(']) && !is_year(number.as_str()) && !NOUN.is_match(behind);
    !rule && (measured || alone || has_decimals(number.as_str()))
}

/// Whether a bound is more than all there can be.
fn is_bound(found: &Captures<'_>) -> bool {
    let (Some(number), Some(unit)) = (found.name("number"), found.name("unit")) else { return false };
    !(unit.as_str() == "%" && value(number.as_str()) == Some(100.0))
}

/// Whether two numbers are the ends of what was measured: with a unit or decimals, and not of all there can be.
fn is_extent(text: &str, found: &Captures<'_>) -> bool {
    let (Some(from), Some(to)) = (found.name("from"), found.name("to")) else { return false };
    let units = [found.name("unit"), found.name("other")].map(|unit| unit.map(|unit| unit.as_str()));
    let measured = units.iter().any(Option::is_some);
    let decimal = has_decimals(from.as_str()) || has_decimals(to.as_str());
    let percent = units.contains(&Some("%"));
    let all = percent && value(from.as_str()) == Some(0.0) && value(to.as_str()) == Some(100.0);
    let near = part_around(text, &(from.start()..to.end()), 48, 32);
    let coverage = percent && COVERAGE.is_match(near);
    let years = is_year(from.as_str()) && is_year(to.as_str());
    let whole = begins_number(text, from.start());
    whole && (measured || decimal) && !(all || coverage || years || VERSION.is_match(near))
}

/// Words before a number that say where or how often, not how much (`vent maximal à 10 m`).
const ELSEWHERE: [&str; 14] =
    ["à", "at", "sur", "over", "par", "per", "dans", "within", "tous", "toutes", "every", "pour", "for", "above"];

/// Words for extremes, and the number behind them.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?P<word>min(?:imum|imales?|imal|imaux|ima)?|max(?:imum|imales?|imal|imaux|ima)?|lowest|highest|",
        r"smallest|largest|greatest|plus\s(?:petit|grand|bas|haut|faible|fort|[ée]lev[ée]|longu?|court)(?:se|",
        r"e)?s?)\b\.?(?P<gap>[^0-9.;\n]{0,40}?)(?P<number>",
        NUMBER,
        r")(?:\s?(?P<unit>",
        UNIT,
        r")|\s(?P<subject>",
        SUBJECT,
        r"))?",
    ])
});

/// Words that bound from above. From below, `au moins` is how thresholds are said.
static BOUNDED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?:au plus|at most|up to|jusqu['’][àa]|no more than|pas plus de|ne d[ée]passe(?:nt)? pas|",
        r"n['’]exc[èe]de(?:nt)? pas|not exceed(?:s|ing)?)\s+(?P<number>",
        NUMBER,
        r")\s?(?P<unit>",
        UNIT,
        "|",
        SUBJECT,
        ")",
    ])
});

/// From one number to another.
static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?:de|from|entre|between)\s+(?P<from>",
        NUMBER,
        r")(?:\s?(?P<unit>",
        UNIT,
        "|",
        SUBJECT,
        r"))?\s+(?:à|jusqu['’][àa]|to|et|and|up to)\s+(?P<to>",
        NUMBER,
        r")(?:\s?(?P<other>",
        UNIT,
        "|",
        SUBJECT,
        r"))?",
    ])
});

/// Two numbers with a dash or points between, and a unit behind.
static DASHED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)(?P<from>",
        NUMBER,
        r")\s?(?:[–—\-…]|\.{2,3})\s?(?P<to>[0-9]+(?:[.,][0-9]+)?)\s?(?P<unit>",
        UNIT,
        r")",
    ])
});

/// What percentages are of when they praise the data.
static COVERAGE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)couv|coverage|cover|r[ée]ponse|respon|compl[ée]t|disponib|availab|manquant|missing|qualit"])
});

/// Durations that are of calendars and rotas: how long data is kept, or how fresh it is.
static CALENDAR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)^\s?(?:ans?|ann[ée]es?|mois|semaines?|jours?|heures?|h|years?|months?|weeks?|days?|hours?)\b"])
});

/// Durations that are measured of a trip or a call.
static SHORT_TIME: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)^\s?(?:min|minutes?|secondes?|seconds?)\b"]));

/// A word behind a number: it says how many of something.
static NOUN: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)^\s[a-zà-ÿ]{3,}"]));
