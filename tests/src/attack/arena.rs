//! Tables where they are asked: declared, loaded and granted in a gateway, each about subjects of its own, so that what
//! was released of one says nothing of another.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    claims::Score,
    fixed::Attack,
    gate::{Asked, Live, Who},
    table::{Table, Terms, policy, schema},
    town::Town,
};
use crate::{City, Settings};

/// A gateway whose two researchers are of two organisations.
pub fn city(settings: Settings<'_>) -> City {
    let city = City::asking(settings);
    city.onboard(Who::Paul.name(), "universite-lyon", "researcher");
    city
}

/// Puts tables into a dataset of their own, and lets both researchers ask them. `isolation` is `vm` or `process`.
pub fn host(city: &City, dataset: &str, isolation: &str, tables: &[Table], terms: Terms) {
    assert!(tables.len() <= MOST_TABLES, "a dataset has no more tables");
    city.dataset(dataset, "sensitive", "metadata_visibility = \"members\"");
    for (kind, text) in [("schema", schema(tables, isolation)), ("policy", policy(tables, terms))] {
        let file = city.file(&format!("{dataset}.{kind}.toml"), text);
        city.octroi("claire", &["dataset", kind, dataset, file.to_str().expect("a path")]).expect();
    }
    for who in [Who::Lena, Who::Paul] {
        city.let_ask(who.name(), dataset);
    }
    let Some(first) = tables.first() else { return };
    let partner = city.file(&format!("{dataset}.partner.csv"), first.partner.csv());
    let mut work = vec![(first.partner.name.to_owned(), partner)];
    for table in tables {
        work.push((table.name.clone(), city.file(&format!("{dataset}.{}.csv", table.name), table.csv(&table.rows))));
    }
    // As many as the gateway takes at once.
    let mut lanes: Vec<_> = (0..LOADS).map(|_| Vec::new()).collect();
    for (place, load) in work.into_iter().enumerate() {
        lanes[place % LOADS].push(load);
    }
    thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(move || {
                for (table, file) in lane {
                    let report = city.load(dataset, &table, &file, &[]).expect().json();
                    assert!(report["bad_rows"].is_null(), "{report}");
                }
            });
        }
    });
}

/// What became of an attack on a gateway.
#[derive(Debug)]
pub struct Tried<'a> {
    /// Which.
    pub attack: &'a Attack,
    /// What it claimed.
    pub score: Score,
    /// What it asked.
    pub transcript: Vec<Asked>,
}

/// Tries attacks, each on a town of its own, so many at a time. `dataset` is what the datasets' names begin with.
pub fn try_all<'a>(
    city: &City,
    dataset: &str,
    backend: &str,
    attacks: &'a [Attack],
    lanes: usize,
    told: impl Fn(&Tried<'a>) + Sync,
) -> Vec<Tried<'a>> {
    let mut terms: Vec<Terms> = Vec::new();
    for attack in attacks {
        if !terms.contains(&attack.terms) {
            terms.push(attack.terms);
        }
    }
    let mut places: Vec<(&Attack, Town, String)> = Vec::new();
    for (number, terms) in terms.into_iter().enumerate() {
        let of_terms: Vec<&Attack> = attacks.iter().filter(|attack| attack.terms == terms).collect();
        for (part, attacks) in of_terms.chunks(MOST_TABLES).enumerate() {
            let name = format!("{dataset}-{number}-{part}");
            let seed = |at: usize| (number * 1_000 + part * 100 + at) as u64;
            let towns: Vec<Town> = (0..attacks.len()).map(|at| Town::new(&format!("town{at}"), seed(at))).collect();
            let tables: Vec<Table> = towns.iter().map(|town| town.table.clone()).collect();
            host(city, &name, backend, &tables, terms);
            places.extend(attacks.iter().zip(towns).map(|(attack, town)| (*attack, town, name.clone())));
        }
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while let Some((attack, town, dataset)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut live = Live::new(city, dataset, &town.table, backend);
                    let score = attack.run(&mut live, town);
                    let tried = Tried { attack, score, transcript: live.transcript };
                    told(&tried);
                    done.lock().expect("no attack panics with it").push(tried);
                }
            });
        }
    });
    done.into_inner().expect("no attack panics with it")
}

/// Tables of a dataset, beside the public one.
pub const MOST_TABLES: usize = 49;
/// The setting `zone.loads_at_once`.
const LOADS: usize = 2;
