//! The town that is attacked: persons in districts, and in each district a few of whom something can be found out.
//!
//! In every district there are, beside some two hundred others, one group of each [`Few`]: up to ten persons who share a
//! public trait that nobody else of the district has. All of a group draw benefits or none does, all are rich or none is,
//! all owe rent or none does: coins that fell independently. So a right answer about a group is an even bet for whoever
//! has not asked, and certain for whoever gets an exact sum over the group, by whatever way.
//!
//! An attacker knows everything public, of everybody ([`Known`]); and the groups' sizes, where these are not the secret.

use super::{
    dice::Dice,
    table::{Column, Partner, Role, Table, Value, day},
};

/// A group that is few in every district.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Few {
    /// By one value of a listed dimension.
    Farmers,
    /// By the last range of a cut one.
    Old,
    /// By one period of a calendar.
    August,
    /// By a missing value.
    Homeless,
    /// By a row that the public table has no partner for.
    Unplaced,
    /// By the load that brought them.
    Late,
    /// By one value, and by a coin not at all.
    Shepherds,
    /// Not a group but one person, by a period of a calendar.
    Hermit,
}

/// What is secret of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// Whether it has more than five persons.
    Size,
    /// Whether they draw benefits: a sensitive flag.
    Benefit,
    /// Whether they are rich: a measure.
    Income,
    /// Whether they owe rent: a measure that is one or zero.
    Owes,
    /// Whether there is anybody at all.
    Presence,
    /// Whether the one shop that makes nearly all of the district's turnover makes much.
    Turnover,
    /// The same of the larger of two, who know each other.
    Rival,
    /// Whether all retired of the district are ill, or none is.
    Ill,
}

/// A group, with its secrets.
#[derive(Debug, Clone)]
pub struct Group {
    /// Which.
    pub few: Few,
    /// Of which district.
    pub district: usize,
    /// How many.
    pub size: usize,
    benefit: bool,
    rich: bool,
    owes: bool,
}

/// What everybody knows.
#[derive(Debug, Clone)]
pub struct Known {
    /// The table's name.
    pub table: String,
    /// How many each group has, by district.
    pub sizes: Vec<(Few, Vec<usize>)>,
    /// A member of each group, by name.
    pub members: Vec<(Few, Vec<String>)>,
    /// What the second of two large shops makes, by district: it knows itself.
    pub rivals: Vec<f64>,
}

/// The town.
#[derive(Debug, Clone)]
pub struct Town {
    /// Its table.
    pub table: Table,
    groups: Vec<Group>,
    shops: Vec<bool>,
    rivals: Vec<bool>,
    ill: Vec<bool>,
    known: Known,
}

impl Town {
    /// Made up from a seed.
    pub fn new(name: &str, seed: u64) -> Self {
        let mut making =
            Making { dice: Dice::new(seed), rows: Vec::new(), later: Vec::new(), persons: 0, households: 0 };
        let mut town = Self {
            table: empty(name),
            groups: Vec::new(),
            shops: Vec::new(),
            rivals: Vec::new(),
            ill: Vec::new(),
            known: Known { table: name.to_owned(), sizes: Vec::new(), members: Vec::new(), rivals: Vec::new() },
        };
        for district in 0..DISTRICTS.len() {
            town.settle(district, &mut making);
        }
        for few in FEWS {
            let of = |group: &&Group| group.few == few;
            town.known.sizes.push((few, town.groups.iter().filter(of).map(|group| group.size).collect()));
        }
        making.dice.shuffle(&mut making.rows);
        (town.table.rows, town.table.later) = (making.rows, making.later);
        town
    }

    fn settle(&mut self, district: usize, making: &mut Making) {
        let (ill, shop, rival) = (making.dice.chance(0.5), making.dice.chance(0.5), making.dice.chance(0.5));
        self.ill.push(ill);
        self.shops.push(shop);
        self.rivals.push(rival);
        for number in 0..OTHERS {
            let mut person = making.other(district, number);
            if person.work == "retired" {
                person.illness = if ill { "diabetes" } else { "none" };
            }
            match number {
                // The first artisan of the district has the shop; the first two clerks have theirs.
                0 => {
                    person.turnover = if shop {
                        making.dice.between(1_500_000, 2_000_000)
                    } else {
                        making.dice.between(500_000, 700_000)
                    }
                }
                1 => {
                    person.turnover = if rival {
                        making.dice.between(300_000, 400_000)
                    } else {
                        making.dice.between(150_000, 200_000)
                    }
                }
                2 => {
                    person.turnover = making.dice.between(100_000, 140_000);
                    self.known.rivals.push(person.turnover as f64);
                }
                _ => {}
            }
            making.add(person, false);
        }
        for few in FEWS {
            let size = match few {
                Few::Hermit => 1,
                Few::Shepherds if making.dice.chance(0.5) => 0,
                _ => 1 + making.dice.below(10),
            };
            let mut coin = || making.dice.chance(0.5);
            let group = Group { few, district, size, benefit: coin(), rich: coin(), owes: coin() };
            let mut first = String::new();
            for _ in 0..size {
                let person = making.other(district, OTHERS);
                let name = making.add(member(&group, person), few == Few::Late);
                if first.is_empty() {
                    first = name;
                }
            }
            match self.known.members.iter_mut().find(|(of, _)| *of == few) {
                Some((_, members)) => members.push(first),
                None => self.known.members.push((few, vec![first])),
            }
            self.groups.push(group);
        }
    }

    /// What everybody knows.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The truth, by district.
    pub fn truth(&self, few: Few, secret: Secret) -> Vec<bool> {
        let of = |about: fn(&Group) -> bool| self.groups.iter().filter(|it| it.few == few).map(about).collect();
        match secret {
            Secret::Size => of(|group| group.size > 5),
            Secret::Benefit => of(|group| group.benefit),
            Secret::Income => of(|group| group.rich),
            Secret::Owes => of(|group| group.owes),
            Secret::Presence => of(|group| group.size > 0),
            Secret::Turnover => self.shops.clone(),
            Secret::Rival => self.rivals.clone(),
            Secret::Ill => self.ill.clone(),
        }
    }
}

impl Known {
    /// How many a group has.
    pub fn size(&self, few: Few, district: usize) -> f64 {
        let sizes = self.sizes.iter().find(|(of, _)| *of == few).map(|(_, sizes)| sizes.as_slice());
        sizes.and_then(|sizes| sizes.get(district)).map_or(0.0, |size| *size as f64)
    }

    /// Somebody of a group; nobody of an empty one.
    pub fn member(&self, few: Few, district: usize) -> &str {
        let members = self.members.iter().find(|(of, _)| *of == few).map(|(_, members)| members.as_slice());
        members.and_then(|members| members.get(district)).map_or("", String::as_str)
    }
}

struct Making {
    dice: Dice,
    rows: Vec<Vec<Value>>,
    later: Vec<Vec<Value>>,
    persons: usize,
    households: i64,
}

struct Person {
    district: usize,
    work: &'static str,
    tenure: Option<&'static str>,
    age: i64,
    arrived: i64,
    place: i64,
    income: i64,
    turnover: i64,
    owes: bool,
    benefit: bool,
    illness: &'static str,
}

impl Making {
    /// One of the many, in none of the groups.
    fn other(&mut self, district: usize, number: usize) -> Person {
        let work = match number {
            0 => "artisan",
            1 | 2 => "clerk",
            _ => *self.dice.one(&WORKS[2..]),
        };
        let month = *self.dice.one(&[1, 3, 4, 5, 6, 7, 9, 10, 11, 12]);
        Person {
            district,
            work,
            tenure: Some(*self.dice.one(TENURES)),
            age: self.dice.between(3, 74),
            arrived: day(2024, month, self.dice.between(1, 28)),
            place: 2 * district as i64 + self.dice.between(0, 1),
            income: self.dice.between(1_500, 6_000),
            turnover: self.dice.between(100, 500),
            owes: self.dice.chance(0.3),
            benefit: self.dice.chance(0.3),
            illness: self.dice.one::<&str>(&["none", "none", "none", "asthma", "diabetes"]),
        }
    }

    /// Gives a person a name and a household: the last one's, now and then, if it is of the same district.
    fn add(&mut self, person: Person, later: bool) -> String {
        let rows = if later { &mut self.later } else { &mut self.rows };
        let same = rows.last().is_some_and(|last| last[2] == Value::Text(DISTRICTS[person.district]));
        if !(same && self.dice.chance(0.4)) {
            self.households += 1;
        }
        self.persons += 1;
        let name = format!("p{:05}", self.persons);
        let placed = person.place < 2 * DISTRICTS.len() as i64;
        rows.push(vec![
            Value::Name(name.clone()),
            Value::Name(format!("h{:05}", self.households)),
            Value::Text(DISTRICTS[person.district]),
            Value::Text(person.work),
            person.tenure.map_or(Value::Missing, Value::Text),
            Value::Whole(person.age),
            Value::Day(person.arrived),
            Value::Whole(person.place),
            Value::Whole(person.income),
            Value::Whole(person.turnover),
            Value::Whole(i64::from(person.owes)),
            Value::Flag(person.benefit),
            Value::Text(person.illness),
            if placed { Value::Whole(density(person.place)) } else { Value::Missing },
        ]);
        name
    }
}

/// A person made one of the group.
fn member(group: &Group, mut person: Person) -> Person {
    match group.few {
        Few::Farmers => person.work = "farmer",
        Few::Shepherds => person.work = "shepherd",
        Few::Old => person.age = 80,
        Few::August => person.arrived = day(2024, 8, 15),
        Few::Hermit => person.arrived = day(2024, 2, 15),
        Few::Homeless => person.tenure = None,
        Few::Unplaced => person.place = 1_000 + person.district as i64,
        Few::Late => {}
    }
    if person.work == "retired" {
        person.work = "student";
    }
    person.income = if group.rich { 6_000 } else { 1_500 };
    (person.benefit, person.owes) = (group.benefit, group.owes);
    person
}

fn density(place: i64) -> i64 {
    5 + place * 7 % 40
}

fn empty(name: &str) -> Table {
    let own = Column::own;
    let density = Column { through: Some("places"), ..own("density", Role::Cuts(DENSITIES)) };
    Table {
        name: name.to_owned(),
        columns: vec![
            own("person", Role::Identifier),
            own("household", Role::Identifier),
            own("district", Role::Listed(DISTRICTS.to_vec(), QUARTERS)),
            own("work", Role::Listed(WORKS.to_vec(), WORK_GROUPS)),
            own("tenure", Role::Listed(TENURES.to_vec(), &[("renting", &["private", "social"])])),
            own("age", Role::Cuts(&[15, 30, 45, 60, 75])),
            own("arrived", Role::Calendar { from: "2024-01-01", to: "2025-01-01", period: "month" }),
            own("place", Role::JoinKey("places")),
            own("income", Role::Measure { clamps: [0, 20_000], points: &[1_500, 2_500, 4_000] }),
            own("turnover", Role::Measure { clamps: [0, 3_000_000], points: &[] }),
            own("owes", Role::Indicator),
            own("benefit", Role::Flag),
            own("illness", Role::Category),
            density,
        ],
        units: &["person", "household"],
        rows: Vec::new(),
        later: Vec::new(),
        partner: Partner {
            name: "places",
            columns: ["place", "density"],
            cuts: DENSITIES,
            rows: (0..2 * DISTRICTS.len() as i64).map(|place| [place, self::density(place)]).collect(),
        },
    }
}

/// All groups, in the order in which a district has them.
pub const FEWS: [Few; 8] =
    [Few::Farmers, Few::Old, Few::August, Few::Homeless, Few::Unplaced, Few::Late, Few::Shepherds, Few::Hermit];
/// All districts.
pub const DISTRICTS: [&str; 24] = [
    "d01", "d02", "d03", "d04", "d05", "d06", "d07", "d08", "d09", "d10", "d11", "d12", "d13", "d14", "d15", "d16",
    "d17", "d18", "d19", "d20", "d21", "d22", "d23", "d24",
];
const QUARTERS: &[(&str, &[&str])] = &[
    ("north", &["d01", "d02", "d03", "d04", "d05", "d06", "d07", "d08"]),
    ("river", &["d05", "d06", "d07", "d08", "d09", "d10", "d11", "d12"]),
    ("south", &["d17", "d18", "d19", "d20", "d21", "d22", "d23", "d24"]),
];
/// The two of which there are few come first.
pub const WORKS: [&str; 9] =
    ["farmer", "shepherd", "artisan", "clerk", "executive", "none", "retired", "student", "worker"];
const TENURES: &[&str] = &["owner", "private", "social"];
const DENSITIES: &[i64] = &[15, 25, 35];
const OTHERS: usize = 200;

/// All but the farmers.
pub const NOT_LAND: &[&str] = &["artisan", "clerk", "executive", "none", "retired", "shepherd", "student", "worker"];
/// All but the shepherds.
pub const NOT_HERDING: &[&str] = &["artisan", "clerk", "executive", "farmer", "none", "retired", "student", "worker"];
/// Farmers and artisans.
pub const LAND_AND_CRAFT: &[&str] = &["artisan", "farmer"];
/// Those who trade.
pub const TRADE: &[&str] = &["artisan", "clerk", "executive"];
/// And the farmers.
pub const TRADE_AND_LAND: &[&str] = &["artisan", "clerk", "executive", "farmer"];
/// Those who do not trade, farmers aside.
pub const REST: &[&str] = &["none", "retired", "shepherd", "student", "worker"];
/// And the farmers.
pub const REST_AND_LAND: &[&str] = &["farmer", "none", "retired", "shepherd", "student", "worker"];
/// The clerks and the farmers.
pub const CLERKS_AND_LAND: &[&str] = &["clerk", "farmer"];

const WORK_GROUPS: &[(&str, &[&str])] = &[
    ("not land", NOT_LAND),
    ("not herding", NOT_HERDING),
    ("land and craft", LAND_AND_CRAFT),
    ("trade", TRADE),
    ("trade and land", TRADE_AND_LAND),
    ("rest", REST),
    ("rest and land", REST_AND_LAND),
    ("clerks and land", CLERKS_AND_LAND),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_district_has_one_group_of_each_kind_and_its_coins_are_fair() {
        let town = Town::new("town", 7);
        assert!(town.table.rows.len() > 4_800 && !town.table.later.is_empty());
        let farmers = |district: &&'static str| {
            let of = |row: &&Vec<Value>| row[2] == Value::Text(district) && row[3] == Value::Text("farmer");
            town.table.rows.iter().filter(of).count()
        };
        let counted: Vec<usize> = DISTRICTS.iter().map(farmers).collect();
        let known: Vec<usize> = (0..24).map(|it| town.known().size(Few::Farmers, it) as usize).collect();
        assert_eq!(counted, known);
        assert_eq!(town.truth(Few::Farmers, Secret::Benefit).len(), DISTRICTS.len());
        let heads: usize = (0..40)
            .map(|seed| Town::new("town", seed).truth(Few::Old, Secret::Income).iter().filter(|it| **it).count())
            .sum();
        assert!((400..560).contains(&heads), "{heads} of 960");
    }
}
