//! Counts of persons, households and meters under the threshold: few enough to know them.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{
    Code, Hit,
    pattern::{after, before, begins_number, pattern, sentence},
    quantity::SUBJECT,
};

/// Every count under [`THRESHOLD`] that is not a rule, a size of households or a share.
pub(super) fn found(text: &str) -> Vec<Hit> {
    let counts = COUNT.captures_iter(text).filter(|it| is_small(it) && is_count(text, it));
    counts.filter_map(|it| Some(Hit::new(Code::CountUnderThreshold, it.get(0)?.range()))).collect()
}

fn is_small(count: &Captures<'_>) -> bool {
    let number = count.name("number").map_or("", |it| it.as_str());
    // What is no number in digits is one of the pattern's words, which are all small.
    number.parse().map_or(true, |number: u32| number < THRESHOLD)
}

fn is_count(text: &str, count: &Captures<'_>) -> bool {
    let (Some(whole), Some(subject)) = (count.get(0), count.name("subject")) else { return false };
    let ahead = before(text, whole.start(), 40);
    let near = sentence(text, &whole.range());
    let suppressed = LESS.is_match(ahead) && SUPPRESSION.is_match(near);
    let staff = PERSON.is_match(subject.as_str()) && ORGANISATION.is_match(near);
    let share = SHARE.is_match(after(text, whole.end(), 24));
    let rule = RULE.is_match(ahead) || REGROUPED.is_match(near);
    begins_number(text, whole.start()) && !(suppressed || staff || share || rule)
}

/// How many are a crowd: what release policies ask for at least.
const THRESHOLD: u32 = 11;

/// A number under a hundred or a word for a small one, perhaps an adjective, and what is counted. `Un` and `one` are
/// articles more often than counts.
static COUNT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?P<number>[0-9]{1,2}|z[ée]ro|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|two|three|four|five|seven|",
        r"eight|nine|ten)\s+(?:[^\s0-9.,;:()%°/]{2,20}\s+)?(?P<subject>",
        SUBJECT,
        r")",
    ])
});

/// Words in front of a threshold, of a size or of the end of a range.
static RULE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)(?:au moins|au minimum|minimum(?:\sde|\sof)?|at least|plus d[e'’]|more than|over|sup[ée]rieure?s? [àa]|",
        r"greater\sthan|[≥>]=?|seuil(?:\sest)?\sde|threshold\sof|\b(?:m[ée]nages?|foyers?|familles?|logements?|",
        r"groupes?|blocs?|tranches?|classes?|paquets?|taille)\s(?:de|d['’])|\b(?:households?|families|groups?|blocks?|",
        r"bands?|size)\sof|[0-9]\s?(?:à|to|ou|or|et|and|–|-))\s*$",
    ])
});

/// Words in front of an upper bound, which is a rule where something is left out for it and a count elsewhere.
static LESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)(?:moins d[e'’]|fewer than|less than|under|below|inf[ée]rieure?s? [àa]|[≤<]=?)\s*$"])
});

/// Words for what is done about small counts.
static SUPPRESSION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)omi[st]|supprim|masqu|[ée]cart[ée]|secret|seuil|threshold|suppress|left out|removed|exclu|withheld|",
        r"non diffus|not released|not published|agr[ée]g|aggregat",
    ])
});

/// Words for merging, which any count near them is the reason of.
static REGROUPED: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)regroup|fusionn|merged|grouped|anonymi|k-anonym"]));

/// Shares, averages and sizes: what follows the number makes it no count of the data.
static SHARE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)^\s*(?:par\b|per\b|/|ou plus|et plus|or more|and more|and over|ou moins|or fewer|sur\s[0-9]|out of|",
        r"in\s[0-9]|(?:[àa]\s)?v[ée]los?\b|cycl|pi[ée]tons?|routiers?|de trafic)",
    ])
});

/// Words for persons, rather than for households or meters.
static PERSON: LazyLock<Regex> =
    LazyLock::new(|| pattern(&[r"(?i)^(?:personnes?|individus?|persons?|people|individuals?)$"]));

/// Words for what persons do about data: deciding, approving, answering for it.
static ORGANISATION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)approb|approuv|approv|valid|habilit|signat|acc[èe]s|access|[ée]quipe|\bteam|r[ée]f[ée]rent|decision|",
        r"d[ée]cision",
    ])
});
