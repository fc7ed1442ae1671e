use std::{collections::BTreeSet, fs, path::Path};

use octroi_proto::{
    DatasetDescription, DatasetSchema, DatasetState, Level, ObjectKey, table::written::WrittenSchema, wire::v1,
};
use proptest::prelude::*;

use super::{Code, Finding, Known, MOST_FINDINGS, Severity, lint};
use crate::{authorise::tests::fixture, catalogue::Language};

mod found;
mod harmless;

const LEVELS: [Level; 3] = [Level::Public, Level::QuasiSensitive, Level::Sensitive];

/// A line of a table: the level, a text, and the codes that block it, divided by spaces.
type Case = (Level, &'static str, &'static str);

fn wire(level: Level) -> v1::DatasetDescription {
    (&fixture::dataset("velos", level, DatasetState::Draft).description).into()
}

fn described(level: Level, text: &str) -> DatasetDescription {
    let description = [("fr".to_owned(), text.to_owned())].into();
    v1::DatasetDescription { description, ..wire(level) }.try_into().unwrap()
}

fn schema() -> DatasetSchema {
    let written: WrittenSchema = toml::from_str(
        r#"
        [[tables]]
        name = "foyers"
        subjects = ["logement"]
        columns = [
          { name = "logement", type = "string" },
          { name = "commune", type = "string", domain = ["21231", "21515"] },
          { name = "chauffage", type = "string", domain = ["gaz", "bois", "FIOUL-2000"] },
          { name = "revenu", type = "integer", hidden = true },
          { name = "num_allocataire", type = "string", hidden = true },
        ]
        "#,
    )
    .unwrap();
    written.into_wire("velos").unwrap().try_into().unwrap()
}

fn keys() -> Vec<ObjectKey> {
    let keys = ["2026/relevés n°1.csv", "brut/menages_2024.parquet", "lisez-moi.txt", "relevés", "2026", "a.b"];
    keys.iter().map(|key| key.parse().unwrap()).collect()
}

fn codes(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().filter(|finding| finding.blocks()).map(|finding| finding.code.as_str()).collect()
}

/// Fails with every line of a table that is not as it says.
fn hold(cases: &[Case]) {
    let (schema, keys) = (schema(), keys());
    let known = Known { schema: Some(&schema), keys: &keys };
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(level, text, expected)| {
            let findings = lint(&described(*level, text), &known);
            let found = codes(&findings);
            let expected: BTreeSet<&str> = expected.split_whitespace().collect();
            (found != expected).then(|| format!("{level}: {text:?}: {found:?}, not {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is given to a demonstration's description, as its file writes it.
fn shipped(path: &Path) -> DatasetDescription {
    let file: toml::Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let word = |key: &str| file[key].as_str().unwrap().to_owned();
    let words = |key: &str| file[key].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    let texts = |key: &str| {
        let pairs = file[key].as_table().unwrap().iter();
        pairs.map(|(language, text)| (language.clone(), text.as_str().unwrap().to_owned())).collect()
    };
    let contact = |key: &str| file["contact_point"][key].as_str().unwrap().to_owned();
    let level: Level = word("level").parse().unwrap();
    let wire = v1::DatasetDescription {
        id: word("id"),
        title: texts("title"),
        description: texts("description"),
        keywords: words("keywords"),
        publisher: word("publisher"),
        owner: word("owner"),
        contact_point: Some(v1::ContactPoint { name: contact("name"), email: contact("email") }),
        purposes: words("purposes"),
        licence: word("licence"),
        ..wire(level)
    };
    wire.try_into().unwrap()
}

#[test]
fn the_shipped_descriptions_have_no_finding_that_blocks() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/demo"));
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut read = 0;
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
        let description = shipped(&path);
        let schema = folder.join("schemas").join(path.file_name().unwrap());
        let schema = schema.exists().then(|| {
            let written: WrittenSchema = toml::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
            DatasetSchema::try_from(written.into_wire(description.id.as_str()).unwrap()).unwrap()
        });
        let findings = lint(&description, &Known { schema: schema.as_ref(), keys: &[] });
        assert_eq!(codes(&findings), BTreeSet::new(), "{}: {findings:?}", path.display());
        read += 1;
    }
    assert!(read >= 10);
}

#[test]
fn every_field_that_is_published_is_read() {
    let texts = |text: &str| vec![text.to_owned()];
    let description = v1::DatasetDescription {
        title: [("en".to_owned(), "Readings of srv-sig01".to_owned())].into(),
        keywords: vec!["vélo".to_owned(), "srv-sig02".to_owned()],
        publisher: "DSI, srv-sig03".to_owned(),
        owner: "Équipe de srv-sig04".to_owned(),
        contact_point: Some(v1::ContactPoint {
            name: "Admin de srv-sig05".to_owned(),
            email: "admin@lac.dijon.lan".to_owned(),
        }),
        purposes: texts("reading srv-sig06"),
        licence: "https://srv-sig07/licence".to_owned(),
        discovery: Some(v1::Discovery {
            keywords: [("fr".to_owned(), v1::Keywords { words: texts("srv-sig08") })].into(),
            spatial: vec![v1::SpatialCoverage {
                name: "salle de srv-sig09".to_owned(),
                iri: "https://10.0.0.7/lieu".to_owned(),
                r#box: "4.9012,47.2034,5.2012,47.4034".to_owned(),
            }],
            version: "srv-sig10".to_owned(),
            landing_page: "https://data.dijon.example:8443/velo".to_owned(),
            legislation: texts("http://intranet.dijon.example/loi"),
            derived_from: vec!["compteurs-bruts".to_owned(), "https://ged.dijon.intra/d".to_owned()],
            standards: texts("https://admin@norme.example/"),
            ..v1::Discovery::default()
        }),
        ..wire(Level::QuasiSensitive)
    };
    let description: DatasetDescription = description.try_into().unwrap();
    let findings = lint(&description, &Known::default());
    let found: Vec<(&str, Code)> =
        findings.iter().filter(|it| it.blocks()).map(|it| (it.field.as_str(), it.code)).collect();
    let expected = [
        ("title.en", Code::HostName),
        ("keywords[1]", Code::HostName),
        ("publisher", Code::HostName),
        ("owner", Code::HostName),
        ("contact_point.name", Code::HostName),
        ("contact_point.email", Code::HostName),
        ("purposes[0]", Code::HostName),
        ("licence", Code::PrivateAddress),
        ("discovery.keywords.fr[0]", Code::HostName),
        ("discovery.spatial[0].name", Code::HostName),
        ("discovery.spatial[0].iri", Code::PrivateAddress),
        ("discovery.spatial[0].box", Code::PreciseCoordinates),
        ("discovery.version", Code::HostName),
        ("discovery.landing_page", Code::PrivateAddress),
        ("discovery.legislation[0]", Code::PrivateAddress),
        ("discovery.derived_from[1]", Code::PrivateAddress),
        ("discovery.standards[0]", Code::PrivateAddress),
    ];
    assert_eq!(found, expected);
    let excerpts: Vec<String> = findings.iter().filter_map(|finding| finding.excerpt(&description)).collect();
    assert_eq!((excerpts[0].as_str(), excerpts[11].as_str()), ("srv-sig01", "4.9012,47.2034,5.2012,47.4034"));
}

#[test]
fn boxes_may_have_the_decimals_of_their_level() {
    for (level, edges, blocked) in [
        (Level::Public, "4.901234,47.203456,5.201234,47.403456", false),
        (Level::QuasiSensitive, "4.901,47.203,5.201,47.403", false),
        (Level::QuasiSensitive, "4.9010,47.2030,5.2010,47.4030", false),
        (Level::QuasiSensitive, "4.901,47.203,5.201,47.4031", true),
        (Level::Sensitive, "4.90,47.20,5.20,47.40", false),
        (Level::Sensitive, "4.9,47,5.201,47.4", true),
    ] {
        let place = v1::SpatialCoverage { r#box: edges.to_owned(), ..v1::SpatialCoverage::default() };
        let discovery = Some(v1::Discovery { spatial: vec![place], ..v1::Discovery::default() });
        let description: DatasetDescription = v1::DatasetDescription { discovery, ..wire(level) }.try_into().unwrap();
        assert_eq!(!codes(&lint(&description, &Known::default())).is_empty(), blocked, "{level} {edges}");
    }
}

#[test]
fn what_is_missing_is_advice() {
    let findings = lint(&described(Level::Public, "Des mesures."), &Known::default());
    let found: Vec<(&str, Code, bool)> =
        findings.iter().map(|finding| (finding.field.as_str(), finding.code, finding.blocks())).collect();
    let expected = [
        ("description", Code::MissingEnglish, false),
        ("description.fr", Code::ShortDescription, false),
        ("discovery.themes", Code::NoTheme, false),
    ];
    assert_eq!(found, expected);
    let bare = v1::DatasetDescription { keywords: Vec::new(), ..wire(Level::Public) };
    let bare: DatasetDescription = bare.try_into().unwrap();
    assert!(lint(&bare, &Known::default()).iter().any(|finding| finding.code == Code::NoKeywords));
}

#[test]
fn streets_alone_are_advice_for_what_is_lent() {
    let text = "Comptages des vélos rue de la Liberté et avenue Jean-Jaurès, par heure et par sens de circulation.";
    let of = |level| {
        let findings = lint(&described(level, text), &Known::default());
        let streets = findings.into_iter().filter(|finding| finding.code == Code::StreetName);
        streets.map(|finding| finding.severity).collect::<Vec<Severity>>()
    };
    assert!(of(Level::Public).is_empty());
    assert_eq!(of(Level::QuasiSensitive), [Severity::Advice; 2]);
    assert_eq!(of(Level::Sensitive), [Severity::Blocks; 2]);
}

#[test]
fn findings_say_where_and_what_instead_but_not_what() {
    let description = described(Level::Sensitive, "Été comme hiver, appelez le 03 80 12 34 56.");
    let finding = &lint(&description, &Known::default())[0];
    assert_eq!((finding.code, finding.field.as_str()), (Code::TelephoneNumber, "description.fr"));
    assert_eq!(finding.excerpt(&description).unwrap(), "03 80 12 34 56");
    let french = "les caractères 29 à 42 ressemblent à un numéro de téléphone : renvoyez au point de contact";
    assert_eq!(finding.explain(Language::French), french);
    let english = "characters 29-42 look like a telephone number: refer to the contact point";
    assert_eq!(finding.explain(Language::English), english);
}

#[test]
fn one_stretch_is_explained_once_and_findings_are_bounded() {
    let findings = lint(&described(Level::Sensitive, "Voir /srv/lac/2026/compteurs.csv"), &Known::default());
    assert_eq!(findings.iter().filter(|finding| finding.place.is_some()).count(), 1);
    let many = "sur srv-sig01, ".repeat(500);
    let findings = lint(&described(Level::Sensitive, &many), &Known::default());
    assert_eq!(findings.len(), MOST_FINDINGS);
    assert!(findings.iter().all(Finding::blocks));
}

#[test]
fn codes_are_stable_words_and_say_something_in_both_languages() {
    let words: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
        let sentences = Language::ALL.map(|language| code.words(language));
        let mut parts = sentences.iter().flat_map(|(found, instead)| [found, instead]);
        assert!(parts.all(|part| part.len() > 5 && !part.ends_with('.')), "{code}");
        assert_ne!(sentences[0], sentences[1], "{code}");
        assert!(LEVELS.iter().any(|level| code.severity(*level).is_some()), "{code}");
    }
}

#[test]
fn many_keys_are_found_in_a_long_text_at_once() {
    let keys: Vec<ObjectKey> = (0..20_000).map(|number| format!("2026/lot_{number}.csv").parse().unwrap()).collect();
    let text = "Relevés de 2026 par lot. ".repeat(390) + "Voir 2026/lot_19999.csv";
    let description = described(Level::Sensitive, &text);
    let findings = lint(&description, &Known { schema: None, keys: &keys });
    assert_eq!(findings[0].excerpt(&description).unwrap(), "2026/lot_19999.csv");
}

/// Pieces that rules look for, to be joined in any way.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,12}",
        "[0-9.,;: °'\"/|=@+-]{1,16}",
        prop::sample::select(vec![
            "par exemple ",
            "e.g. ",
            "entre ",
            " et ",
            "de ",
            " à ",
            "max ",
            "°C",
            " kWh",
            "m²",
            "é",
            "’",
            "«",
            "»",
            "12 rue ",
            "Rue de la Liberté",
            "5 ménages",
            "srv-01",
            "https://é",
            "http://a:1/",
            "s3://",
            "C:\\",
            "/srv/é",
            "47,32° N",
            "2026/relevés n°1.csv",
            "num_allocataire",
            "`revenu`",
            "AB-123-CD",
            "x=1, y=2",
            "\t",
            "\n",
            "-",
            "\u{202f}",
            "😀",
            "fe80::1",
            "1.2.3.4",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 1..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_and_findings_lie_in_it(text in pieces(), level in prop::sample::select(LEVELS.to_vec())) {
        let description = [("fr".to_owned(), text.clone()), ("en".to_owned(), text)].into();
        let parsed = DatasetDescription::try_from(v1::DatasetDescription { description, ..wire(level) });
        prop_assume!(parsed.is_ok());
        let description = parsed.unwrap();
        let (schema, keys) = (schema(), keys());
        let findings = lint(&description, &Known { schema: Some(&schema), keys: &keys });
        prop_assert!(findings.len() <= MOST_FINDINGS);
        for finding in findings {
            let excerpt = finding.excerpt(&description);
            prop_assert_eq!(excerpt.is_some(), finding.place.is_some());
            if let (Some(place), Some(excerpt)) = (&finding.place, excerpt) {
                prop_assert!(!excerpt.is_empty());
                prop_assert_eq!(place.bytes.len(), excerpt.len());
                prop_assert_eq!(place.last + 1 - place.first, excerpt.chars().count());
            }
            for language in Language::ALL {
                prop_assert!(!finding.explain(language).is_empty());
            }
        }
    }
}
