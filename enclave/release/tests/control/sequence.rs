//! Several questions, one after another, each audited against those before; and what any two cells of theirs differ by.

use std::collections::{BTreeMap, BTreeSet};

use octroi_release::{
    Control,
    history::{Audit, Counted, History, Quantity, Release, Remainder, Setting, Versions, loads},
    space::{BinSet, Dimension, Facts, Region},
};

use super::{
    pipeline::{Asked, rules},
    question::Question,
    reference::{Adds, dominated_by, subjects},
    world::{HOME, PERSON, Point, Row, SIZES, World, all_points},
};

/// What left of a cell: its points, what was told of it, and which cells it left with, sharing no row.
struct Left {
    points: BTreeSet<Point>,
    told: BTreeSet<Quantity>,
    layer: Layer,
}

/// A question, a grouping set and a scope.
type Layer = (usize, usize, usize);

/// What is told apart of few, if anything is.
pub(crate) fn fault(world: &World, questions: &[Question]) -> Option<String> {
    let mut history = History::default();
    let mut left: Vec<Left> = Vec::new();
    for (number, question) in questions.iter().enumerate() {
        let asked = Asked::of(world, question);
        let mut control = Control::new(&asked.ruling, rules(), &asked.cells, &asked.finest);
        audit(world, &history, &mut control);
        let cells = control.history_cells();
        for (place, cell) in &cells {
            left.push(Left {
                points: points(&cell.region),
                told: cell.quantities.clone(),
                layer: (number, asked.cells[place.cell].set, place.scope),
            });
        }
        let release = Release {
            sequence: history.next(),
            organisation: "city".into(),
            noise: None,
            question: [u8::try_from(number).unwrap(); 32],
            answer: [0; 32],
            versions: current(),
            cells: cells.into_iter().map(|(_, cell)| cell).collect(),
        };
        history.append(release).unwrap();
    }
    // Every history is its bytes.
    assert_eq!(History::decode(&history.encode()).unwrap(), history);
    differences(world, &left)
}

fn audit(world: &World, history: &History, control: &mut Control<'_>) {
    let (places, cells): (Vec<_>, Vec<_>) = control.history_cells().into_iter().unzip();
    let outside = |dimension: usize| {
        let bins = BinSet::one(SIZES[dimension]);
        Region::all(facts()).within(Dimension::own(&format!("d{dimension}")), bins)
    };
    let vacant = (0..3).map(outside).collect();
    let setting = Setting { least: LEAST as u64, current: current(), vacant, known: Vec::new() };
    let mut audit = Audit::open(history, &cells, &setting);
    while !audit.pending().is_empty() {
        let counts: Vec<Counted> = audit.pending().iter().map(|remainder| counted(world, remainder)).collect();
        audit.count(&counts).unwrap();
    }
    let verdict = audit.settle().unwrap();
    verdict.withheld().keys().for_each(|place| control.withhold(places[*place]));
}

fn counted(world: &World, remainder: &Remainder) -> Counted {
    let within: BTreeSet<Point> = remainder.regions.iter().flat_map(points).collect();
    let rows = rows(world, &within);
    Counted {
        rows: rows.len() as u64,
        subjects: fewest(world, &rows) as u64,
        dominated: stands_out(world, &rows, &remainder.quantities),
    }
}

/// Of each quantity: of each pair, and of each cell and the cells of one grouping inside it, or of two that share no row.
fn differences(world: &World, left: &[Left]) -> Option<String> {
    let quantities: BTreeSet<&Quantity> = left.iter().flat_map(|cell| &cell.told).collect();
    quantities.into_iter().find_map(|quantity| {
        let telling: Vec<&Left> = left.iter().filter(|cell| cell.told.contains(quantity)).collect();
        telling.iter().find_map(|outer| {
            let inside: Vec<&&Left> = telling.iter().filter(|inner| inner.points.is_subset(&outer.points)).collect();
            let fault =
                of_layers(world, outer, &inside, quantity).or_else(|| of_pairs(world, outer, &telling, quantity));
            fault.map(|fault| format!("{quantity:?}: {fault}"))
        })
    })
}

fn of_layers(world: &World, outer: &Left, inside: &[&&Left], quantity: &Quantity) -> Option<String> {
    let mut layers: BTreeMap<Layer, BTreeSet<Point>> = BTreeMap::new();
    inside.iter().for_each(|inner| layers.entry(inner.layer).or_default().extend(&inner.points));
    let layers: Vec<BTreeSet<Point>> = layers.into_values().collect();
    let rest = |inner: &BTreeSet<Point>| few(world, &(&outer.points - inner), quantity);
    layers.iter().enumerate().find_map(|(place, one)| {
        let others = layers.iter().skip(place + 1).filter(|other| other.is_disjoint(one));
        rest(one).or_else(|| others.map(|other| one | other).find_map(|both| rest(&both)))
    })
}

fn of_pairs(world: &World, outer: &Left, telling: &[&Left], quantity: &Quantity) -> Option<String> {
    telling.iter().find_map(|inner| {
        if inner.points.is_subset(&outer.points) {
            return few(world, &(&outer.points - &inner.points), quantity);
        }
        if outer.points.is_subset(&inner.points) || outer.points.is_disjoint(&inner.points) {
            return None;
        }
        let (ours, theirs) = (&outer.points - &inner.points, &inner.points - &outer.points);
        let nobody = |points: &BTreeSet<Point>| rows(world, points).is_empty() && vacant(points);
        let is_few = |points: &BTreeSet<Point>| fewest(world, &rows(world, points)) < LEAST;
        let unsafe_pair = is_few(&ours) && is_few(&theirs) && !(nobody(&ours) && nobody(&theirs));
        unsafe_pair.then(|| format!("two that overlap: {ours:?} and {theirs:?}"))
    })
}

/// Whether rows at these points are few, or somebody stands out in them; nobody is few, but where nobody is looked for.
fn few(world: &World, points: &BTreeSet<Point>, quantity: &Quantity) -> Option<String> {
    let rows = rows(world, points);
    let safe = if rows.is_empty() {
        vacant(points)
    } else {
        fewest(world, &rows) >= LEAST && !stands_out(world, &rows, &BTreeSet::from([quantity.clone()]))
    };
    (!safe).then(|| format!("{points:?} is left"))
}

fn stands_out(world: &World, rows: &[&Row], quantities: &BTreeSet<Quantity>) -> bool {
    let units = units(world);
    let adds = |quantity: &Quantity| match quantity {
        Quantity::Rows => Some(Adds::Rows),
        Quantity::Subjects(_) => None,
        // What is counted of the ill must not be looked at: a refusal would say that few are.
        Quantity::Sum(name) if name.contains("ill") => None,
        Quantity::Sum(name) if name.starts_with("amount *") => Some(Adds::Squares),
        Quantity::Sum(name) if name.starts_with("amount") => Some(Adds::Amounts),
        Quantity::Sum(_) => Some(Adds::Present),
    };
    quantities.iter().filter_map(adds).any(|adds| units.iter().any(|unit| dominated_by(*unit, rows, adds)))
}

fn fewest(world: &World, rows: &[&Row]) -> usize {
    units(world).iter().map(|unit| subjects(*unit, rows).len()).min().unwrap_or(0)
}

fn units(world: &World) -> Vec<octroi_release::RowColumn> {
    if world.homes { vec![PERSON, HOME] } else { vec![PERSON] }
}

fn rows<'a>(world: &'a World, points: &BTreeSet<Point>) -> Vec<&'a Row> {
    world.rows.iter().filter(|row| points.contains(&row.at)).collect()
}

fn points(region: &Region) -> BTreeSet<Point> {
    let read = region.bins(&loads()).is_none_or(|bins| bins.contains(0));
    let inside = |point: &Point| {
        point.iter().enumerate().all(|(dimension, bin)| {
            region.bins(&Dimension::own(&format!("d{dimension}"))).is_none_or(|bins| bins.contains(*bin))
        })
    };
    all_points().filter(|point| read && inside(point)).collect()
}

/// Only points with a missing value.
fn vacant(points: &BTreeSet<Point>) -> bool {
    points.iter().all(|point| point.iter().zip(SIZES).any(|(bin, size)| *bin == size))
}

fn current() -> Versions {
    Versions([(facts(), BinSet::one(0))].into())
}

fn facts() -> Facts {
    Facts::new("d", "t")
}

const LEAST: usize = 11;
