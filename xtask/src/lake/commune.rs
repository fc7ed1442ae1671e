//! The 24 communes of Dijon Métropole, as before Neuilly-lès-Dijon and Crimolois merged in 2019. Names and codes are
//! real; people are rounded, positions are rough.

use std::path::Path;

use serde::Serialize;

use super::table::{Table, TableError, Written};

/// A commune.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Commune {
    /// INSEE's code.
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    /// Rounded to hundreds; what the city's households and trips are shared out by.
    pub(super) people: u32,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

impl Commune {
    const fn new(code: &'static str, name: &'static str, people: u32, latitude: f64, longitude: f64) -> Self {
        Self { code, name, people, latitude, longitude }
    }

    /// Road kilometres, roughly: a third more than the crow flies, and some within the same commune.
    pub(super) fn kilometres_to(&self, other: &Self) -> f64 {
        let north = (self.latitude - other.latitude) * 111.2;
        let east = (self.longitude - other.longitude) * 75.4;
        1.2 + 1.33 * (north * north + east * east).sqrt()
    }
}

/// All of them, in the order of their codes.
pub(super) static COMMUNES: [Commune; 24] = [
    Commune::new("21003", "Ahuy", 1_300, 47.369, 5.019),
    Commune::new("21105", "Bressey-sur-Tille", 1_200, 47.303, 5.172),
    Commune::new("21106", "Bretenière", 900, 47.236, 5.113),
    Commune::new("21166", "Chenôve", 13_900, 47.293, 5.005),
    Commune::new("21171", "Chevigny-Saint-Sauveur", 11_300, 47.298, 5.135),
    Commune::new("21192", "Corcelles-les-Monts", 700, 47.289, 4.939),
    Commune::new("21213", "Crimolois", 700, 47.274, 5.123),
    Commune::new("21223", "Daix", 1_500, 47.350, 5.000),
    Commune::new("21231", "Dijon", 159_000, 47.322, 5.041),
    Commune::new("21263", "Fénay", 1_600, 47.231, 5.064),
    Commune::new("21270", "Flavignerot", 200, 47.280, 4.909),
    Commune::new("21278", "Fontaine-lès-Dijon", 8_900, 47.342, 5.020),
    Commune::new("21315", "Hauteville-lès-Dijon", 1_200, 47.371, 4.996),
    Commune::new("21355", "Longvic", 9_000, 47.288, 5.065),
    Commune::new("21370", "Magny-sur-Tille", 900, 47.265, 5.176),
    Commune::new("21390", "Marsannay-la-Côte", 5_200, 47.270, 4.988),
    Commune::new("21452", "Neuilly-lès-Dijon", 1_900, 47.280, 5.104),
    Commune::new("21473", "Ouges", 1_500, 47.261, 5.074),
    Commune::new("21481", "Perrigny-lès-Dijon", 2_300, 47.267, 5.008),
    Commune::new("21485", "Plombières-lès-Dijon", 2_500, 47.341, 4.971),
    Commune::new("21515", "Quetigny", 9_700, 47.315, 5.106),
    Commune::new("21540", "Saint-Apollinaire", 7_300, 47.331, 5.085),
    Commune::new("21605", "Sennecey-lès-Dijon", 2_200, 47.290, 5.106),
    Commune::new("21617", "Talant", 11_700, 47.337, 4.999),
];

/// Writes them.
pub(super) fn write(folder: &Path) -> Result<Written, TableError> {
    let mut table = Table::create(folder, "communes", "communes.csv")?;
    for commune in &COMMUNES {
        table.add(commune)?;
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_of_the_department_and_in_order() {
        assert!(COMMUNES.iter().all(|commune| commune.code.starts_with("21") && commune.code.len() == 5));
        assert!(COMMUNES.is_sorted_by_key(|commune| commune.code));
    }

    #[test]
    fn no_two_are_farther_apart_than_the_city_is_wide() {
        for one in &COMMUNES {
            for other in &COMMUNES {
                assert!((1.0..32.0).contains(&one.kilometres_to(other)), "{} {}", one.name, other.name);
            }
        }
    }
}
