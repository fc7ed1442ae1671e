//! Licences as catalogues name them: by an id and a title beside the IRI that a steward gives.

use octroi_proto::Level;

/// A licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Licence<'a> {
    /// CKAN's id for it.
    pub id: &'static str,
    /// Its title, where it has one.
    pub title: &'a str,
    /// Its IRI.
    pub iri: &'a str,
    /// Whether it is an open one (opendefinition.org).
    pub open: bool,
}

/// One of the known licences.
struct Known {
    id: &'static str,
    title: &'static str,
    /// What its IRIs begin with, without the scheme.
    places: &'static [&'static str],
    /// The first of its IRIs.
    iri: &'static str,
}

impl<'a> Licence<'a> {
    /// What a steward's IRI stands for. Of what is not known only the level says whether it is open.
    pub fn of(iri: &'a str, level: Level) -> Self {
        let place = iri.split_once("://").map_or(iri, |(_, place)| place);
        let place = place.strip_prefix("www.").unwrap_or(place);
        let known = KNOWN.iter().find(|known| known.places.iter().any(|it| place.starts_with(it)));
        match (known, level) {
            (Some(known), _) => Self { id: known.id, title: known.title, iri, open: true },
            (None, Level::Public) => Self { id: "other-open", title: iri, iri, open: true },
            (None, Level::QuasiSensitive | Level::Sensitive) => {
                Self { id: "other-closed", title: iri, iri, open: false }
            }
        }
    }

    /// Those that are known.
    pub fn known() -> impl Iterator<Item = Licence<'static>> {
        KNOWN.iter().map(|Known { id, title, iri, .. }| Licence { id, title, iri, open: true })
    }
}

/// The first that fits is taken.
const KNOWN: &[Known] = &[
    Known {
        id: "lov2",
        title: "Licence Ouverte / Open Licence version 2.0",
        places: &[
            "etalab.gouv.fr/wp-content/uploads/2017/04/ETALAB-Licence-Ouverte-v2.0",
            "spdx.org/licenses/etalab-2.0",
        ],
        iri: "https://spdx.org/licenses/etalab-2.0",
    },
    Known {
        id: "fr-lo",
        title: "Licence Ouverte / Open Licence",
        places: &["etalab.gouv.fr/licence-ouverte", "data.gouv.fr/fr/licences"],
        iri: "https://www.etalab.gouv.fr/licence-ouverte-open-licence",
    },
    Known {
        id: "odc-odbl",
        title: "Open Data Commons Open Database License (ODbL)",
        places: &["opendatacommons.org/licenses/odbl", "spdx.org/licenses/ODbL-1.0"],
        iri: "https://opendatacommons.org/licenses/odbl/1-0/",
    },
    Known {
        id: "odc-by",
        title: "Open Data Commons Attribution License",
        places: &["opendatacommons.org/licenses/by"],
        iri: "https://opendatacommons.org/licenses/by/1-0/",
    },
    Known {
        id: "cc-zero",
        title: "Creative Commons CC0",
        places: &["creativecommons.org/publicdomain/zero", "spdx.org/licenses/CC0-1.0"],
        iri: "https://creativecommons.org/publicdomain/zero/1.0/",
    },
    Known {
        id: "cc-by-sa",
        title: "Creative Commons Attribution Share-Alike",
        places: &["creativecommons.org/licenses/by-sa/"],
        iri: "https://creativecommons.org/licenses/by-sa/4.0/",
    },
    Known {
        id: "cc-by",
        title: "Creative Commons Attribution",
        places: &["creativecommons.org/licenses/by/"],
        iri: "https://creativecommons.org/licenses/by/4.0/",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_licences_are_recognised_and_others_follow_the_level() {
        for (iri, level, id) in [
            ("https://www.etalab.gouv.fr/licence-ouverte-open-licence/", Level::Public, "fr-lo"),
            ("http://creativecommons.org/licenses/by/4.0/deed.fr", Level::Public, "cc-by"),
            ("https://creativecommons.org/licenses/by-sa/4.0/", Level::Public, "cc-by-sa"),
            ("https://opendatacommons.org/licenses/odbl/1.0/", Level::Public, "odc-odbl"),
            ("https://example.org/ours", Level::Public, "other-open"),
            ("https://example.org/ours", Level::Sensitive, "other-closed"),
        ] {
            assert_eq!(Licence::of(iri, level).id, id, "{iri}");
        }
        assert!(Licence::known().all(|it| Licence::of(it.iri, Level::Public).id == it.id));
    }
}
