//! The fixed attacks: each a way to a secret, on a town of its own.

use std::fmt;

use super::{
    channels::{self, Claims, Shop},
    claims::{Claim, Score},
    gate::{Gate, Protection},
    table::Terms,
    town::{Few, Known, Secret, Town},
    ways::{self, Way},
};

/// What an attack is a case of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The few, asked for.
    Direct,
    /// Two sets that differ by a few.
    Differencing,
    /// Sets that are added and taken away to meet in a few.
    Tracker,
    /// A total less its other parts.
    Complement,
    /// The same over several dimensions.
    Margins,
    /// The same again.
    Averaging,
    /// Many differences, each rounded elsewhere.
    Rounding,
    /// Rows that came later.
    Versions,
    /// Two organisations.
    Collusion,
    /// By order and selection of what is shown.
    Order,
    /// Whether somebody is there.
    Membership,
    /// One who stands out.
    Dominance,
    /// All who are alike.
    Homogeneity,
    /// By what fails.
    Errors,
    /// By how much is shown.
    Sizes,
    /// By what is withheld.
    Refusals,
}

/// An attack.
pub struct Attack {
    /// Its name.
    pub name: String,
    /// What it is a case of.
    pub family: Family,
    /// What it is after.
    pub secret: Secret,
    few: Few,
    /// The policy that it is tried under.
    pub terms: Terms,
    run: Run,
}

type Told = Box<dyn Fn(&mut dyn Gate, &Known) -> Claims + Send + Sync>;

enum Run {
    Way(Way),
    Told(Told),
}

impl Attack {
    /// Attacks, and holds what it says against the truth.
    pub fn run(&self, gate: &mut dyn Gate, town: &Town) -> Score {
        let known = town.known();
        let claims: Vec<Claim> = match &self.run {
            Run::Told(told) => told(gate, known),
            Run::Way(way) => {
                let claim = |(target, total): (usize, Option<f64>)| {
                    let guess = self.secret.guess(known, self.few, target, total?);
                    Some(Claim { target, guess })
                };
                way(gate, self.secret).into_iter().enumerate().filter_map(claim).collect()
            }
        };
        Score::of(&claims, &town.truth(self.few, self.secret))
    }
}

impl fmt::Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.family, self.name)
    }
}

impl Attack {
    /// The most protection under which it succeeds for certain.
    pub fn weakness(&self) -> Protection {
        if self.family == Family::Refusals { Protection::Differences } else { Protection::None }
    }
}

/// All of them.
pub fn attacks() -> Vec<Attack> {
    let mut all = Vec::new();
    for (name, family, few, way, secrets) in WAYS {
        for secret in *secrets {
            let name = format!("{name}, {}", secret.name());
            all.push(Attack {
                name,
                family: *family,
                secret: *secret,
                few: *few,
                terms: Terms::default(),
                run: Run::Way(*way),
            });
        }
    }
    let mut told = |name: &str, family, few, secret, terms, told: Told| {
        all.push(Attack { name: name.to_owned(), family, secret, few, terms, run: Run::Told(told) });
    };
    let usual = Terms::default();
    for secret in FOUR {
        for (name, signal) in SIGNALS {
            let signal = *signal;
            let run = Box::new(move |gate: &mut dyn Gate, _: &Known| signal(gate, *secret));
            told(&format!("{name}, {}", secret.name()), Family::Order, Few::Farmers, *secret, usual, run);
        }
    }
    for (name, channel) in ERRORS {
        told(name, Family::Errors, Few::Farmers, Secret::Benefit, usual, Box::new(*channel));
    }
    for (name, channel) in SIZES {
        told(name, Family::Sizes, Few::Shepherds, Secret::Presence, usual, Box::new(*channel));
    }
    for (name, channel) in PRESENCE {
        told(name, Family::Membership, Few::Shepherds, Secret::Presence, usual, Box::new(*channel));
    }
    for (name, channel) in REFUSALS {
        told(name, Family::Refusals, Few::Shepherds, Secret::Presence, usual, Box::new(*channel));
    }
    for (name, shop) in SHOPS {
        let run = Box::new(move |gate: &mut dyn Gate, known: &Known| channels::shop(gate, known, *shop));
        told(name, Family::Dominance, Few::Farmers, Secret::Turnover, usual, run);
    }
    told("two who know each other", Family::Dominance, Few::Farmers, Secret::Rival, usual, Box::new(channels::rival));
    let alike = Terms { homogeneity: true, ..usual };
    let mut ill = |name, run: Told| told(name, Family::Homogeneity, Few::Farmers, Secret::Ill, alike, run);
    ill("who is ill is counted", Box::new(|gate, _| channels::indicator(gate, "diabetes")));
    ill("who is well is counted", Box::new(|gate, _| channels::indicator(gate, "none")));
    ill("a condition on the illness", Box::new(|gate, _| channels::condition(gate)));
    ill("a total less the other works", Box::new(|gate, _| channels::difference(gate)));
    let noise = Terms { noise: Some("only"), ..usual };
    for (name, respelled) in [("noise again in the same words", false), ("noise again in other words", true)] {
        let run = Box::new(move |gate: &mut dyn Gate, _: &Known| channels::worn_down(gate, respelled));
        told(name, Family::Averaging, Few::Hermit, Secret::Benefit, noise, run);
    }
    all
}

impl Secret {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Benefit => "benefit",
            Self::Income => "income",
            Self::Owes => "debt",
            Self::Presence => "presence",
            Self::Turnover => "turnover",
            Self::Rival => "rival",
            Self::Ill => "illness",
        }
    }
}

type Row = (&'static str, Family, Few, Way, &'static [Secret]);
type Signal = fn(&mut dyn Gate, Secret) -> Claims;
type Channel = fn(&mut dyn Gate, &Known) -> Claims;

const FOUR: &[Secret] = &[Secret::Size, Secret::Benefit, Secret::Income, Secret::Owes];
const THREE: &[Secret] = &[Secret::Size, Secret::Income, Secret::Owes];

const WAYS: &[Row] = &[
    ("asked for", Family::Direct, Few::Farmers, ways::asked_for, FOUR),
    ("as cells of a grouping", Family::Direct, Few::Farmers, ways::grouped_by, FOUR),
    ("left join, those without a partner", Family::Direct, Few::Unplaced, ways::left_join_absent, FOUR),
    ("all and all but the few", Family::Differencing, Few::Farmers, ways::nested, FOUR),
    ("all but the few and all", Family::Differencing, Few::Farmers, ways::nested_upwards, FOUR),
    ("FILTER in one answer", Family::Differencing, Few::Farmers, ways::filtered, FOUR),
    ("FILTER against WHERE", Family::Differencing, Few::Farmers, ways::filter_against_where, FOUR),
    ("CASE in one answer", Family::Differencing, Few::Farmers, ways::by_case, THREE),
    ("CASE as a key", Family::Differencing, Few::Farmers, ways::case_key, FOUR),
    ("a range and all", Family::Differencing, Few::Old, ways::range, FOUR),
    ("ranges and their union", Family::Differencing, Few::Old, ways::ranges, FOUR),
    ("a hole between periods", Family::Differencing, Few::August, ways::hole, FOUR),
    ("a quarter and two months", Family::Differencing, Few::August, ways::quarter, FOUR),
    ("quarters and months as keys", Family::Differencing, Few::August, ways::quarter_by_months, FOUR),
    ("all and what is not missing", Family::Differencing, Few::Homeless, ways::not_missing, FOUR),
    ("all and each value", Family::Differencing, Few::Homeless, ways::values_added_up, FOUR),
    ("all and an inner join", Family::Differencing, Few::Unplaced, ways::inner_join, FOUR),
    ("left join and its partners", Family::Differencing, Few::Unplaced, ways::left_join, FOUR),
    ("groups that cross", Family::Differencing, Few::Farmers, ways::crossing, FOUR),
    ("all in parts, and all but the few", Family::Differencing, Few::Farmers, ways::in_parts, FOUR),
    ("parts of two dimensions", Family::Differencing, Few::Farmers, ways::in_parts_of_two, FOUR),
    ("all in parts, by two", Family::Collusion, Few::Farmers, ways::shared_parts, FOUR),
    ("individual tracker", Family::Tracker, Few::Farmers, ways::individual_tracker, &[Secret::Benefit, Secret::Income]),
    ("general tracker", Family::Tracker, Few::Farmers, ways::general_tracker, FOUR),
    ("double tracker", Family::Tracker, Few::Farmers, ways::double_tracker, FOUR),
    ("ROLLUP", Family::Complement, Few::Farmers, ways::rollup, FOUR),
    ("GROUPING SETS", Family::Complement, Few::Farmers, ways::grouping_sets, FOUR),
    ("parts, and then the total", Family::Complement, Few::Farmers, ways::in_two_questions, FOUR),
    ("bins and their total", Family::Complement, Few::Old, ways::bins, FOUR),
    ("months and their total", Family::Complement, Few::August, ways::months, FOUR),
    ("means and numbers", Family::Complement, Few::Farmers, ways::means, THREE),
    ("CUBE", Family::Margins, Few::Farmers, ways::cube, FOUR),
    ("three dimensions", Family::Margins, Few::Farmers, ways::three_dimensions, FOUR),
    ("ten times the same", Family::Averaging, Few::Farmers, ways::again, &[Secret::Benefit]),
    ("in other words", Family::Averaging, Few::Farmers, ways::in_other_words, FOUR),
    ("with what does not matter", Family::Averaging, Few::Farmers, ways::with_what_does_not_matter, FOUR),
    ("five differences of the same few", Family::Rounding, Few::Farmers, ways::many_differences, FOUR),
    ("shifted over fives by ages", Family::Rounding, Few::Old, ways::shifted, FOUR),
    ("shifted over fives by months", Family::Rounding, Few::August, ways::shifted_by_months, FOUR),
    ("before and after a load", Family::Versions, Few::Late, ways::versions, FOUR),
    ("before, and parts after a load", Family::Versions, Few::Late, ways::versions_in_parts, FOUR),
    ("all, and another's all but the few", Family::Collusion, Few::Farmers, ways::shared_nested, FOUR),
    ("a hole, by two", Family::Collusion, Few::August, ways::shared_months, THREE),
    ("groups that cross, by two", Family::Collusion, Few::Farmers, ways::shared_crossing, THREE),
    ("before and after a load, by two", Family::Collusion, Few::Late, ways::shared_versions, THREE),
];

const SIGNALS: &[(&str, Signal)] =
    &[("HAVING", channels::having), ("ORDER BY", channels::order), ("LIMIT", channels::limit)];

const ERRORS: &[(&str, Channel)] = &[
    ("division by zero", channels::division),
    ("a cast that fails", channels::cast),
    ("overflow", channels::overflow),
    ("a date that there is not", channels::date),
    ("a branch where something is missing", channels::missing),
    ("a quotient added up", channels::quotient),
    ("a product that overflows", channels::product),
    ("a quotient of counts", channels::quotient_of_counts),
];

const SIZES: &[(&str, Channel)] = &[
    ("rows listed without a value", channels::listed),
    ("keys without a value", channels::listed_where),
    ("number of rows", channels::number_of_rows),
    ("bytes of an answer", channels::bytes),
    ("bytes where nothing is told", channels::bytes_of_nothing),
];

const PRESENCE: &[(&str, Channel)] =
    &[("nobody refused as somebody", channels::withheld_few), ("what nobody adds up to", channels::nothing_added_up)];

const REFUSALS: &[(&str, Channel)] = &[
    ("a difference that is withheld", channels::withheld_difference),
    ("a FILTER that is withheld", channels::withheld_filter),
];

const SHOPS: &[(&str, Shop)] = &[
    ("SUM", Shop::Sum),
    ("AVG by COUNT", Shop::Mean),
    ("SUM of CASE", Shop::Artisans),
    ("VAR_POP", Shop::Variance),
    ("STDDEV_POP", Shop::Deviation),
    ("REGR_SXX", Shop::Squares),
    ("COVAR_POP", Shop::Covariance),
    ("last percentile", Shop::Percentile),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::gate::{Open, Protection};

    fn score(attack: &Attack, seed: u64, protection: Protection) -> Score {
        let town = Town::new("town", seed);
        attack.run(&mut Open::new(&town.table, protection), &town)
    }

    #[test]
    fn every_attack_succeeds_where_it_is_not_protected_from() {
        let all = attacks();
        assert!(all.len() >= 100, "{} attacks", all.len());
        let mut failed = Vec::new();
        for (attack, seed) in all.iter().zip(0..) {
            let score = score(attack, seed, attack.weakness());
            if !score.is_success() {
                failed.push(format!("{}: {score:?}", attack.name));
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn cell_rules_alone_stop_what_is_asked_for_and_no_difference() {
        let stopped = |name: &str| {
            let attack = attacks().into_iter().find(|attack| attack.name == name).unwrap();
            !score(&attack, 1, Protection::CellRules).is_success()
        };
        assert!(stopped("asked for, income") && stopped("SUM"));
        for name in ["all and all but the few, income", "general tracker, debt", "groups that cross, by two, size"] {
            assert!(!stopped(name), "{name}");
        }
    }
}
