//! Tables where they are asked: declared, loaded and granted in a gateway, each about subjects of its own, so that what
//! was released of one says nothing of another.

use std::thread;

use super::{
    gate::Who,
    table::{Table, Terms, policy, schema},
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

/// Tables of a dataset, beside the public one.
pub const MOST_TABLES: usize = 49;
/// The setting `zone.loads_at_once`.
const LOADS: usize = 2;
