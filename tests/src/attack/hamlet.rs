//! Reconstruction: many harmless questions, and linear algebra (Dinur and Nissim 2003; Cohen and Nissim 2020).
//!
//! A hamlet whose public dimensions cut it into groups of a few. Who draws benefits is a coin of each person. The attacker
//! knows how many each group has, asks for sums over many, weighs each answer by its rounding, and keeps what it believes
//! of the groups as a Gaussian: Bayesian linear regression. Of the questions that it could ask next it takes the one whose
//! answers it is least sure of.

use super::{
    dice::Dice,
    gate::{Gate, Who},
    plain,
    question::{
        Condition::{self, Among, Below, Flag, From},
        Key, Question, by, col, rows,
    },
    table::{Column, Partner, Role, Table, Value},
};

/// What came of an attack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rebuilt {
    /// Groups of one to ten.
    pub groups: usize,
    /// The share of them whose number is known exactly.
    pub share: f64,
    /// The same for whoever says the likeliest number, without asking.
    pub prior: f64,
    /// Cells that were told.
    pub told: usize,
    /// Questions that told nothing.
    pub refused: usize,
}

/// Persons, each with a coin.
pub fn hamlet(name: &str, persons: usize, seed: u64) -> Table {
    let mut dice = Dice::new(seed);
    let row = |person: usize, dice: &mut Dice| {
        vec![
            Value::Name(format!("p{person:05}")),
            Value::Text(dice.one::<&str>(&STREETS)),
            Value::Text(dice.one::<&str>(&TRADES)),
            Value::Whole(dice.between(0, 89)),
            Value::Flag(dice.chance(LIKELY)),
            Value::Whole(0),
            Value::Whole(1),
        ]
    };
    let own = Column::own;
    Table {
        name: name.to_owned(),
        columns: vec![
            own("person", Role::Identifier),
            own("street", Role::Listed(STREETS.to_vec(), PARTS)),
            own("trade", Role::Listed(TRADES.to_vec(), GUILDS)),
            own("age", Role::Cuts(AGES)),
            own("benefit", Role::Flag),
            own("place", Role::JoinKey("places")),
            Column { through: Some("places"), ..own("density", Role::Cuts(&[10])) },
        ],
        units: &["person"],
        rows: (0..persons).map(|person| row(person, &mut dice)).collect(),
        later: Vec::new(),
        partner: Partner { name: "places", columns: ["place", "density"], cuts: &[10], rows: vec![[0, 1]] },
    }
}

/// Asks so many questions, whose counts are rounded by so much (variance), and rebuilds what it can.
pub fn rebuild(gate: &mut dyn Gate, table: &Table, questions: usize, rounding: f64, seed: u64) -> Rebuilt {
    let mut dice = Dice::new(seed);
    let atoms = atoms(table);
    let mut belief = Belief::new(&atoms);
    let (mut told, mut refused) = (0, 0);
    for _ in 0..questions {
        let question = (0..CHOICES)
            .map(|_| candidate(&mut dice))
            .max_by(|one, other| belief.doubt(table, &atoms, one).total_cmp(&belief.doubt(table, &atoms, other)))
            .unwrap_or_default();
        let seen = gate.ask(Who::Lena, &question);
        let before = told;
        for cell in plain::cells(&Question { figures: Vec::new(), ..question.clone() }, &atoms.table) {
            let keys: Vec<&str> = cell.keys.iter().map(String::as_str).collect();
            if let Some(count) = seen.row(&keys).and_then(|row| row.figures.first().copied().flatten()) {
                belief.learn(&atoms.members(&cell.rows), count, rounding);
                told += 1;
            }
        }
        refused += usize::from(told == before);
    }
    atoms.judge(&belief, told, refused)
}

/// Groups that share all public bins.
struct Atoms {
    /// A row for each.
    table: Table,
    sizes: Vec<usize>,
    truth: Vec<usize>,
}

fn atoms(table: &Table) -> Atoms {
    let keys = by([col("street"), col("trade"), Key::Bin("age")]);
    let mut atoms = Atoms { table: Table { rows: Vec::new(), ..table.clone() }, sizes: Vec::new(), truth: Vec::new() };
    for cell in plain::cells(&keys, table) {
        let benefit = |place: &&usize| Flag("benefit", true).holds(table, &table.rows[**place]);
        atoms.table.rows.extend(cell.rows.first().map(|first| table.rows[*first].clone()));
        atoms.sizes.push(cell.rows.len());
        atoms.truth.push(cell.rows.iter().filter(benefit).count());
    }
    atoms
}

impl Atoms {
    /// 1 for those that are in.
    fn members(&self, places: &[usize]) -> Vec<f64> {
        let mut members = vec![0.0; self.sizes.len()];
        places.iter().for_each(|place| members[*place] = 1.0);
        members
    }

    fn judge(&self, belief: &Belief, told: usize, refused: usize) -> Rebuilt {
        let small = || (0..self.sizes.len()).filter(|atom| (1..=10).contains(&self.sizes[*atom]));
        let share = |guess: &dyn Fn(usize) -> usize| {
            small().filter(|atom| guess(*atom) == self.truth[*atom]).count() as f64 / small().count() as f64
        };
        let known = |atom: usize| belief.mean[atom].round().clamp(0.0, self.sizes[atom] as f64) as usize;
        let likeliest = |atom: usize| ((self.sizes[atom] + 1) as f64 * LIKELY).floor() as usize;
        Rebuilt { groups: small().count(), share: share(&known), prior: share(&likeliest), told, refused }
    }
}

/// What is believed of each atom's number.
struct Belief {
    mean: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

impl Belief {
    /// Of coins: independent, each as likely.
    fn new(atoms: &Atoms) -> Self {
        let many = atoms.sizes.len();
        let mut covariance = vec![vec![0.0; many]; many];
        for (atom, size) in atoms.sizes.iter().enumerate() {
            covariance[atom][atom] = *size as f64 * LIKELY * (1.0 - LIKELY);
        }
        Self { mean: atoms.sizes.iter().map(|size| *size as f64 * LIKELY).collect(), covariance }
    }

    fn times(&self, members: &[f64]) -> Vec<f64> {
        let inside: Vec<usize> = (0..members.len()).filter(|atom| members[*atom] > 0.0).collect();
        self.covariance.iter().map(|row| inside.iter().map(|atom| row[*atom]).sum()).collect()
    }

    /// A sum over some, known up to an error of this variance.
    fn learn(&mut self, members: &[f64], sum: f64, variance: f64) {
        let gain = self.times(members);
        let dot = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(one, other)| one * other).sum::<f64>();
        let spread = dot(members, &gain) + variance;
        let surprise = sum - dot(members, &self.mean);
        for (atom, gain_of) in gain.iter().enumerate() {
            if *gain_of == 0.0 {
                continue;
            }
            self.mean[atom] += gain_of * surprise / spread;
            let share = gain_of / spread;
            self.covariance[atom].iter_mut().zip(&gain).for_each(|(value, other)| *value -= share * other);
        }
    }

    /// How little is known of a question's answers: of its surest cells the doubt beside what each subject could add.
    fn doubt(&self, _table: &Table, atoms: &Atoms, question: &Question) -> f64 {
        let bare = Question { figures: Vec::new(), ..question.clone() };
        let doubt = |cell: plain::Cell| {
            let members = atoms.members(&cell.rows);
            let subjects: usize = cell.rows.iter().map(|atom| atoms.sizes[*atom]).sum();
            let spread: f64 = self.times(&members).iter().zip(&members).map(|(one, other)| one * other).sum();
            // Smaller sets say more of each; too small ones are not told.
            if subjects < 11 { 0.0 } else { spread / subjects as f64 }
        };
        plain::cells(&bare, &atoms.table).into_iter().map(doubt).sum()
    }
}

/// A union of many groups, or a grouping into some.
fn candidate(dice: &mut Dice) -> Question {
    let mut conditions: Vec<Condition> = Vec::new();
    match dice.below(3) {
        0 => {}
        1 => conditions.push(Among("street", dice.one(PARTS).1)),
        _ => conditions.push(Condition::Is("street", Value::Text(dice.one::<&str>(&STREETS)))),
    }
    match dice.below(3) {
        0 => {}
        1 => conditions.push(Among("trade", dice.one(GUILDS).1)),
        _ => conditions.push(Condition::Is("trade", Value::Text(dice.one::<&str>(&TRADES)))),
    }
    let (one, other) = (dice.below(AGES.len()), dice.below(AGES.len()));
    if dice.chance(0.6) {
        conditions.push(From("age", Value::Whole(AGES[one.min(other)])));
        if one != other {
            conditions.push(Below("age", Value::Whole(AGES[one.max(other)])));
        }
    }
    let mut keys = Vec::new();
    for key in [col("street"), col("trade"), Key::Bin("age")] {
        if dice.chance(0.25) {
            keys.push(key);
        }
    }
    Question { keys, conditions, ..Question::default() }.tell(rows().only(Flag("benefit", true)))
}

const LIKELY: f64 = 0.3;
/// Questions that are weighed against each other.
const CHOICES: usize = 6;
const STREETS: [&str; 6] = ["s1", "s2", "s3", "s4", "s5", "s6"];
const TRADES: [&str; 6] = ["t1", "t2", "t3", "t4", "t5", "t6"];
const AGES: &[i64] = &[15, 30, 45, 60, 75];
const PARTS: &[(&str, &[&str])] = &[
    ("north", &["s1", "s2", "s3"]),
    ("east", &["s2", "s3", "s4"]),
    ("south", &["s4", "s5", "s6"]),
    ("west", &["s1", "s5", "s6"]),
    ("ends", &["s1", "s4"]),
];
const GUILDS: &[(&str, &[&str])] = &[
    ("makers", &["t1", "t2", "t3"]),
    ("sellers", &["t3", "t4"]),
    ("others", &["t4", "t5", "t6"]),
    ("odd", &["t1", "t3", "t5"]),
    ("even", &["t2", "t4", "t6"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::gate::{Open, Protection};

    #[test]
    fn exact_sums_over_many_rebuild_the_few() {
        let table = hamlet("hamlet", 1_200, 5);
        let mut gate = Open::new(&table, Protection::CellRules);
        let rebuilt = rebuild(&mut gate, &table, 250, 1e-6, 9);
        assert!(rebuilt.groups > 150 && rebuilt.prior < 0.45, "{rebuilt:?}");
        assert!(rebuilt.share > 0.9, "{rebuilt:?}");
        let none = rebuild(&mut gate, &table, 0, 1e-6, 9);
        assert!((none.share - none.prior).abs() < 0.1, "{none:?}");
    }
}
