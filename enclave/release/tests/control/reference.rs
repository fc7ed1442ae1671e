//! The slow, obvious reference: rows, points and exact fractions; no statistics, no regions, no floats but what is told.

use std::collections::{BTreeMap, BTreeSet};

use octroi_release::RowColumn;

use super::{
    exact::{Fraction, Known},
    pipeline::{Released, ReleasedCell, subject},
    question::{Figure, Question, What},
    world::{HOME, PERSON, Point, Row, World, all_points},
};

/// What can be added up of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adds {
    Rows,
    /// Those with an amount.
    Present,
    /// By magnitude.
    Amounts,
    Squares,
}

/// The rows of a cell that some figures are of.
struct Place<'a> {
    set: usize,
    figures: Vec<usize>,
    points: BTreeSet<Point>,
    rows: Vec<&'a Row>,
    leaves: bool,
    cell: &'a ReleasedCell,
}

pub(crate) struct Reference<'a> {
    question: &'a Question,
    units: Vec<RowColumn>,
    /// Those that have rows.
    places: Vec<Place<'a>>,
    /// Points that a family has no cell for are known to have no row.
    empty: BTreeSet<Point>,
}

impl<'a> Reference<'a> {
    pub(crate) fn new(world: &'a World, question: &'a Question, released: &'a Released) -> Self {
        let units = if world.homes { vec![PERSON, HOME] } else { vec![PERSON] };
        let mut scopes: Vec<Vec<usize>> = Vec::new();
        for (place, figure) in question.figures.iter().enumerate() {
            match scopes.iter_mut().find(|scope| question.figures[scope[0]].shares_rows(figure)) {
                Some(scope) => scope.push(place),
                None => scopes.push(vec![place]),
            }
        }
        let within = |point: &Point, set: usize, keys: Option<&[u32]>, figure: &Figure| {
            let row = Row { person: 0, home: 0, at: *point, amount: None, ill: false };
            let keyed = |keys: &[u32]| question.sets[set].iter().zip(keys).all(|(key, bin)| point[*key] == *bin);
            question.chooses(&row) && figure.is_about(&row) && keys.is_none_or(keyed)
        };
        let mut places = Vec::new();
        for (cell, scope) in released.cells.iter().flat_map(|cell| scopes.iter().map(move |scope| (cell, scope))) {
            let figure = &question.figures[scope[0]];
            let points: BTreeSet<Point> =
                all_points().filter(|point| within(point, cell.set, Some(&cell.keys), figure)).collect();
            let rows: Vec<&Row> = world.rows.iter().filter(|row| points.contains(&row.at)).collect();
            let leaves = cell.leaves[scope[0]];
            assert!(!(leaves && rows.is_empty()), "what has no row leaves");
            if !rows.is_empty() {
                places.push(Place { set: cell.set, figures: scope.clone(), points, rows, leaves, cell });
            }
        }
        let mut empty = BTreeSet::new();
        for (set, scope) in (0..question.sets.len()).flat_map(|set| scopes.iter().map(move |scope| (set, scope))) {
            let of_family = || places.iter().filter(|place| place.set == set && place.figures == *scope);
            let listed = |point: &Point| of_family().any(|place| place.points.contains(point));
            let extent = all_points().filter(|point| within(point, set, None, &question.figures[scope[0]]));
            empty.extend(extent.filter(|point| !listed(point)));
        }
        Self { question, units, places, empty }
    }

    /// A rule that something which leaves breaks.
    pub(crate) fn rule_broken(&self) -> Option<String> {
        let leaving = self.places.iter().filter(|place| place.leaves);
        leaving.filter_map(|place| Some(format!("{:?}: {}", place.cell.keys, self.broken(place)?))).next()
    }

    /// What breaks no rule, and would tell of nothing that does, but does not leave.
    pub(crate) fn withheld_for_nothing(&self) -> Option<String> {
        let broken = self.places.iter().any(|place| self.broken(place).is_some());
        let held = self.places.iter().find(|place| !place.leaves);
        held.filter(|_| !broken).map(|place| format!("set {} at {:?}", place.set, place.cell.keys))
    }

    fn broken(&self, place: &Place<'_>) -> Option<String> {
        for unit in &self.units {
            let here = subjects(*unit, &place.rows).len();
            if here < LEAST {
                return Some(format!("{here} subjects"));
            }
            for figure in place.figures.iter().map(|figure| &self.question.figures[*figure]) {
                if figure.what == What::Persons {
                    let persons = |rows: &[&Row]| subjects(PERSON, rows).len() as i128;
                    let brings: Vec<i128> = by_subject(*unit, &place.rows).values().map(|rows| persons(rows)).collect();
                    if dominated(brings) {
                        return Some("persons dominated".into());
                    }
                }
                for adds in figure.adds() {
                    let rows: Vec<&Row> = place.rows.iter().copied().filter(|row| adds.counts(row)).collect();
                    if subjects(*unit, &rows).len() < LEAST {
                        return Some(format!("few with {adds:?}"));
                    }
                    if dominated(contributions(*unit, &rows, adds)) {
                        return Some(format!("{adds:?} dominated"));
                    }
                }
            }
        }
        None
    }

    /// A number that is not the rounded one, or should not be there.
    pub(crate) fn number_wrong(&self, released: &Released) -> Option<String> {
        for cell in &released.cells {
            let told = cell.numbers.iter().zip(&cell.leaves).enumerate();
            if let Some((figure, _)) = told.clone().find(|(_, (number, leaves))| number.is_some() && !**leaves) {
                return Some(format!("figure {figure} of {:?} has not left, and is told", cell.keys));
            }
        }
        for place in self.places.iter().filter(|place| place.leaves) {
            for figure in &place.figures {
                let asked = &self.question.figures[*figure];
                let number = place.cell.numbers[*figure];
                if !asked.is_rounded_to(number, &place.rows, &self.units) {
                    return Some(format!("{asked:?} of {:?} is told as {number:?}", place.cell.keys));
                }
            }
        }
        None
    }

    /// A number of something that broke the rules, which is known too well by what left.
    pub(crate) fn too_narrow(&self) -> Option<String> {
        // Cells that share no row bound nothing from above but their own sums: what an answer is cut down to that could
        // not be audited.
        let families: BTreeSet<_> =
            self.places.iter().filter(|place| place.leaves).map(|place| (place.set, &place.figures)).collect();
        if families.len() < 2 {
            return None;
        }
        for target in self.places.iter().filter(|place| self.broken(place).is_some()) {
            for adds in self.counted(target) {
                let value = sum(&target.rows, adds);
                let Some((more, less)) = self.levels(target, adds) else { continue };
                let (least, most) = self.bounds(&target.points, adds);
                let value = Fraction::whole(value);
                let high_enough = most.is_none_or(|most| !most.is_less(value.plus(more.times(NEARLY))));
                let low_enough = !value.minus(less.times(NEARLY)).is_less(least);
                if !high_enough || !low_enough {
                    return Some(format!(
                        "{adds:?} of set {} at {:?} is {value:?}, known to lie between {least:?} and {most:?}",
                        target.set, target.cell.keys
                    ));
                }
            }
        }
        None
    }

    /// A cell in which all are ill, or nobody is: that left, that is left of others, or of which it follows that half of it
    /// are, or are not, from how many of what left are ill and how many rows there are at each point.
    pub(crate) fn known_of_all(&self) -> Option<String> {
        let counts = |place: &Place<'_>| {
            place.figures.iter().any(|figure| {
                let figure = &self.question.figures[*figure];
                figure.ill && figure.what == What::Rows
            })
        };
        let telling: Vec<&Place<'_>> = self.places.iter().filter(|place| place.leaves && counts(place)).collect();
        let asked: Vec<&Place<'_>> = self.places.iter().filter(|place| counts(place)).collect();
        let alike = |rows: &[&Row]| rows.iter().all(|row| row.ill) || !rows.iter().any(|row| row.ill);
        let families: BTreeSet<_> = telling.iter().map(|place| (place.set, &place.figures)).collect();
        for target in asked.into_iter().filter(|place| alike(&place.rows)) {
            if target.leaves {
                return Some(format!("all are alike in set {} at {:?}", target.set, target.cell.keys));
            }
            let (least, most) = self.ill_at(&telling, &target.points);
            let half = Fraction::new(target.rows.len() as i128, 2);
            let ill = target.rows.iter().any(|row| row.ill);
            let known = if ill { half.is_less(least.times(NEARLY)) } else { most.is_less(half.times(NEARLY)) };
            // Cells that share no row tell nothing of each other.
            if known && families.len() > 1 {
                return Some(format!(
                    "of {} in set {} at {:?} {least:?} to {most:?} are ill",
                    target.rows.len(),
                    target.set,
                    target.cell.keys
                ));
            }
        }
        telling.iter().find_map(|outer| {
            let here = |place: &Place<'_>| place.points.difference(&self.empty).copied().collect::<BTreeSet<Point>>();
            let whole = here(outer);
            let inner: BTreeSet<BTreeSet<Point>> = telling.iter().map(|place| here(place)).collect();
            let inner: Vec<BTreeSet<Point>> =
                inner.into_iter().filter(|inner| inner.len() < whole.len() && inner.is_subset(&whole)).collect();
            let mut found = None;
            remove(&whole, &whole, &inner, &mut |rest| {
                let rows: Vec<&Row> = outer.rows.iter().copied().filter(|row| rest.contains(&row.at)).collect();
                if !rows.is_empty() && alike(&rows) {
                    found = Some(format!("all are alike in what is left at {rest:?}"));
                }
                found.is_some()
            });
            found
        })
    }

    /// The least and the most of the rows at some points that can be of the ill.
    fn ill_at(&self, telling: &[&Place<'_>], of: &BTreeSet<Point>) -> (Fraction, Fraction) {
        let row_at = |point: &Point| self.places.iter().flat_map(|place| &place.rows).any(|row| row.at == *point);
        let points: Vec<Point> = all_points().filter(row_at).collect();
        let rows_at = |point: &Point| {
            let here = self.places.iter().find(|place| place.points.contains(point));
            here.map_or(0, |place| place.rows.iter().filter(|row| row.at == *point).count() as i128)
        };
        // Behind the ill at each point are the well.
        let both = points.iter().enumerate().map(|(place, point)| (vec![place, points.len() + place], rows_at(point)));
        let told = telling.iter().map(|place| {
            let inside = |(_, point): &(usize, &Point)| place.points.contains(*point);
            let ill = place.rows.iter().filter(|row| row.ill).count() as i128;
            (points.iter().enumerate().filter(inside).map(|(at, _)| at).collect(), ill)
        });
        let known = Known { numbers: 2 * points.len(), sums: both.chain(told).collect() };
        let target: Vec<usize> =
            points.iter().enumerate().filter(|(_, point)| of.contains(*point)).map(|(at, _)| at).collect();
        let (least, most) = known.bounds(&target);
        (least, most.expect("no more than there are rows"))
    }

    /// Rows of every cell are known at worst; of the rest, what its figures need.
    fn counted(&self, place: &Place<'_>) -> Vec<Adds> {
        let told = place.figures.iter().flat_map(|figure| self.question.figures[*figure].adds());
        let mut all = vec![Adds::Rows];
        for adds in told {
            if !all.contains(&adds) {
                all.push(adds);
            }
        }
        all
    }

    fn bounds(&self, of: &BTreeSet<Point>, adds: Adds) -> (Fraction, Option<Fraction>) {
        let telling: Vec<&Place<'_>> =
            self.places.iter().filter(|place| place.leaves && self.counted(place).contains(&adds)).collect();
        let mut parts: BTreeMap<(Vec<bool>, bool), usize> = BTreeMap::new();
        for point in all_points().filter(|point| !self.empty.contains(point)) {
            let part = (telling.iter().map(|place| place.points.contains(&point)).collect(), of.contains(&point));
            let next = parts.len();
            parts.entry(part).or_insert(next);
        }
        let in_cell = |cell: usize| {
            parts.iter().filter(move |((cells, _), _)| cells[cell]).map(|(_, number)| *number).collect::<Vec<_>>()
        };
        let sums = telling.iter().enumerate().map(|(cell, place)| (in_cell(cell), sum(&place.rows, adds)));
        let target: Vec<usize> = parts.iter().filter(|((_, inside), _)| *inside).map(|(_, number)| *number).collect();
        Known { numbers: parts.len(), sums: sums.collect() }.bounds(&target)
    }

    /// By how much a number must stay uncertain, upwards and downwards.
    fn levels(&self, place: &Place<'_>, adds: Adds) -> Option<(Fraction, Fraction)> {
        let value = Fraction::whole(sum(&place.rows, adds));
        if adds == Adds::Rows {
            let share = value.times(Fraction::new(1, 10)).greater_of(Fraction::whole(1));
            let more = share.greater_of(Fraction::whole(LEAST as i128).minus(value));
            return Some((more, share.lesser_of(value)));
        }
        let rows: Vec<&Row> = place.rows.iter().copied().filter(|row| adds.counts(row)).collect();
        let level = |unit: &RowColumn| {
            let mut brings = contributions(*unit, &rows, adds);
            brings.sort_unstable_by(|one, other| other.cmp(one));
            let at = |place: usize| Fraction::whole(brings.get(place).copied().unwrap_or(0));
            let (one, two) = (at(0), at(0).plus(at(1)));
            [
                one.times(Fraction::new(1, 10)).minus(value.minus(two)),
                one.times(Fraction::new(100, 85)).minus(value),
                two.times(Fraction::new(100, 90)).minus(value),
                value.times(Fraction::new(1, 10)),
            ]
            .into_iter()
            .fold(Fraction::whole(0), Fraction::greater_of)
        };
        let level = self.units.iter().map(level).fold(Fraction::whole(0), Fraction::greater_of);
        (value.sign() > 0).then(|| (level, level.lesser_of(value)))
    }

    /// What is left of something that left beside others inside it, if that is of few, or dominated.
    pub(crate) fn small_remainder(&self) -> Option<String> {
        let numbers = [Adds::Rows, Adds::Present, Adds::Amounts, Adds::Squares];
        numbers.into_iter().find_map(|adds| {
            let telling = || self.places.iter().filter(|place| place.leaves && self.counted(place).contains(&adds));
            let here = |place: &Place<'_>| place.points.difference(&self.empty).copied().collect::<BTreeSet<Point>>();
            telling().find_map(|outer| {
                let whole = here(outer);
                let inner: BTreeSet<BTreeSet<Point>> =
                    telling().map(here).filter(|inner| inner.len() < whole.len() && inner.is_subset(&whole)).collect();
                let inner: Vec<BTreeSet<Point>> = inner.into_iter().collect();
                let mut found = None;
                remove(&whole, &whole, &inner, &mut |rest| {
                    let broken = self.is_unsafe(outer, rest, adds);
                    if broken {
                        found = Some(format!("{adds:?} of {rest:?} in set {} at {:?}", outer.set, outer.cell.keys));
                    }
                    broken
                });
                found
            })
        })
    }

    fn is_unsafe(&self, outer: &Place<'_>, rest: &BTreeSet<Point>, adds: Adds) -> bool {
        let rows: Vec<&Row> = outer.rows.iter().copied().filter(|row| rest.contains(&row.at)).collect();
        let told = outer.figures.iter().any(|figure| self.question.figures[*figure].adds().contains(&adds));
        let unsafe_for = |unit: &RowColumn| {
            let having: Vec<&Row> = rows.iter().copied().filter(|row| adds.counts(row)).collect();
            subjects(*unit, &having).len() < LEAST || told && dominated_by(*unit, &having, adds)
        };
        !rows.is_empty() && self.units.iter().any(unsafe_for)
    }
}

/// Every way to take disjoint sets from one: each of its points is left, or goes with a set that it is in. Until seen.
fn remove(
    undecided: &BTreeSet<Point>,
    rest: &BTreeSet<Point>,
    inner: &[BTreeSet<Point>],
    seen: &mut impl FnMut(&BTreeSet<Point>) -> bool,
) -> bool {
    let Some(point) = undecided.first() else { return seen(rest) };
    let mut later = undecided.clone();
    later.remove(point);
    for set in inner.iter().filter(|set| set.contains(point) && set.is_subset(rest)) {
        let (later, rest) = (later.difference(set).copied().collect(), rest.difference(set).copied().collect());
        if remove(&later, &rest, inner, seen) {
            return true;
        }
    }
    remove(&later, rest, inner, seen)
}

impl Figure {
    /// What is told, and must not be dominated.
    pub(crate) fn adds(&self) -> Vec<Adds> {
        match self.what {
            What::Rows => vec![Adds::Rows],
            What::Persons => Vec::new(),
            What::Median => vec![Adds::Present],
            What::Sum | What::Mean => vec![Adds::Present, Adds::Amounts],
            What::Variance => vec![Adds::Present, Adds::Amounts, Adds::Squares],
        }
    }
}

impl Adds {
    fn counts(self, row: &Row) -> bool {
        self == Self::Rows || row.amount.is_some()
    }

    fn of(self, row: &Row) -> i128 {
        let amount = i128::from(row.amount.unwrap_or(0));
        match self {
            Self::Rows => 1,
            Self::Present => row.amount.is_some().into(),
            Self::Amounts => amount.abs(),
            Self::Squares => amount * amount,
        }
    }
}

pub(crate) fn subjects(unit: RowColumn, rows: &[&Row]) -> BTreeSet<i64> {
    rows.iter().map(|row| subject(unit, row)).collect()
}

fn by_subject<'a>(unit: RowColumn, rows: &[&'a Row]) -> BTreeMap<i64, Vec<&'a Row>> {
    let mut all: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| all.entry(subject(unit, row)).or_default().push(row));
    all
}

fn contributions(unit: RowColumn, rows: &[&Row], adds: Adds) -> Vec<i128> {
    by_subject(unit, rows).values().map(|rows| sum(rows, adds)).collect()
}

/// Whether one or two of these subjects bring too much.
pub(crate) fn dominated_by(unit: RowColumn, rows: &[&Row], adds: Adds) -> bool {
    let rows: Vec<&Row> = rows.iter().copied().filter(|row| adds.counts(row)).collect();
    dominated(contributions(unit, &rows, adds))
}

fn sum(rows: &[&Row], adds: Adds) -> i128 {
    rows.iter().map(|row| adds.of(row)).sum()
}

/// (1, 85 %), (2, 90 %), and the p-% rule at 10 %.
fn dominated(mut brings: Vec<i128>) -> bool {
    brings.sort_unstable_by(|one, other| other.cmp(one));
    let at = |place: usize| brings.get(place).copied().unwrap_or(0);
    let (one, two, all) = (at(0), at(0) + at(1), brings.iter().sum::<i128>());
    100 * one > 85 * all || 100 * two > 90 * all || 100 * (all - two) < 10 * one
}

pub(crate) const LEAST: usize = 11;
/// The fast one's worlds are solved in floats: they fall short by no more than this.
const NEARLY: Fraction = Fraction::ALMOST_ONE;
