use octroi_proto::{DatasetId, DatasetState, Instant, Level, wire::v1};
use proptest::prelude::*;

use super::*;
use crate::{
    authorise::{Seen, tests::fixture},
    catalogue::Published,
};

/// A dataset with this title and these keywords, changed at this second.
fn entry(id: &str, title: &str, keywords: &[&str], modified: i64, everybodys: bool) -> Entry {
    let mut dataset = fixture::dataset(id, Level::Public, DatasetState::Published);
    let mut wire = v1::DatasetDescription::from(&dataset.description);
    wire.title = [("fr".to_owned(), title.to_owned())].into();
    wire.keywords = keywords.iter().map(|word| (*word).to_owned()).collect();
    wire.discovery = Some(v1::Discovery { themes: vec!["TRAN".to_owned()], ..v1::Discovery::default() });
    dataset.description = wire.try_into().unwrap();
    dataset.modified = Instant::from_second(modified).unwrap();
    Entry::new(&Published::of(Seen::for_test(&dataset, false), |_| false), everybodys)
}

fn index() -> (tempfile::TempDir, SearchIndex) {
    let folder = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(folder.path()).unwrap();
    let entries = [
        entry("velos", "Compteurs de vélos", &["mobilité", "comptage"], 1_790_000_000, true),
        entry("arbres", "Arbres d’alignement", &["nature"], 1_790_000_100, true),
        entry("bornes", "Bornes de recharge", &["mobilité"], 1_790_000_200, true),
        entry("secret", "Vélos des agents", &["mobilité"], 1_790_000_300, false),
    ];
    index.replace(&entries, 7).unwrap();
    (folder, index)
}

fn asked(words: &str) -> Question {
    Question { words: words.to_owned(), ..Question::everything(0, 10) }
}

fn found(index: &SearchIndex, question: &Question) -> Vec<String> {
    index.find(question).unwrap().datasets.iter().map(ToString::to_string).collect()
}

#[test]
fn words_are_found_by_their_stems_with_or_without_accents() {
    let (_folder, index) = index();
    for words in ["vélo", "VELOS", "velo", "compteur", "title:vélos", "\"compteurs de vélos\"", "comptage", "velos"]
    {
        assert_eq!(found(&index, &asked(words)), ["velos"], "{words}");
    }
    assert_eq!(found(&index, &asked("mobilite")), ["bornes", "velos"]);
    assert_eq!(found(&index, &asked("mobilité -compteur")), ["bornes"]);
    assert!(found(&index, &asked("absent")).is_empty());
}

#[test]
fn conditions_are_those_that_ckan_clients_write() {
    let (_folder, index) = index();
    let all = ["arbres", "bornes", "velos"];
    for words in
        ["", "*:*", "*", "organization:dijon-metropole", "groups:tran", "state:active AND dataset_type:dataset"]
    {
        assert_eq!(found(&index, &asked(words)), all, "{words}");
    }
    let since = "metadata_modified:[2026-09-21T14:14:00.123456Z TO *]";
    for (words, expected) in [
        ("tags:mobilité", vec!["bornes", "velos"]),
        ("tags:(nature OR comptage)", vec!["arbres", "velos"]),
        ("-organization:dijon-metropole", vec![]),
        ("-tags:nature", vec!["bornes", "velos"]),
        ("NOT tags:nature", vec!["bornes", "velos"]),
        ("+tags:mobilité -name:velos", vec!["bornes"]),
        (since, vec!["arbres", "bornes"]),
        ("metadata_modified:[* TO 2026-09-21T14:14:00Z]", vec!["velos"]),
    ] {
        assert_eq!(found(&index, &asked(words)), expected, "{words}");
        let filter = Question { filters: vec![words.to_owned()], ..asked("") };
        assert_eq!(found(&index, &filter), expected, "{words}");
    }
}

#[test]
fn what_is_not_understood_is_said_and_nothing_panics() {
    let (_folder, index) = index();
    for (words, problem) in [
        ("secret:1", InvalidQuery::Field),
        ("metadata_modified:[yesterday TO *]", InvalidQuery::Value),
        ("title:\"", InvalidQuery::Syntax),
        (&"(".repeat(500), InvalidQuery::TooLong),
        (&"a ".repeat(2_000), InvalidQuery::TooLong),
    ] {
        assert!(matches!(index.find(&asked(words)), Err(SearchError::Query(it)) if it == problem), "{words}");
    }
}

#[test]
fn others_datasets_are_found_apart_and_counted_apart() {
    let (_folder, index) = index();
    let others = Question { whose: Whose::Others, ..asked("vélo") };
    assert_eq!(found(&index, &others), ["secret"]);
    let facets = Question { facets: vec![Facet::Tags, Facet::Level], values: 10, rows: 0, ..asked("") };
    let counted = index.find(&facets).unwrap();
    assert_eq!(counted.total, 3);
    assert_eq!(counted.facets[0].1[0], ("mobilité".to_owned(), 2));
    assert_eq!(counted.facets[1].1, [("public".to_owned(), 3)]);
}

#[test]
fn everybodys_and_some_of_the_others_are_found_and_counted_as_one() {
    let (_folder, index) = index();
    let these = |ids: &[&str]| Whose::EverybodysAnd(ids.iter().map(|id| id.parse().unwrap()).collect());
    let facets = vec![Facet::Tags];
    let asked = |ids| Question { whose: these(ids), facets: facets.clone(), values: 10, ..asked("tags:mobilité") };
    let with = index.find(&asked(&["secret", "absent"])).unwrap();
    assert_eq!(with.datasets.iter().map(DatasetId::as_str).collect::<Vec<_>>(), ["bornes", "secret", "velos"]);
    assert_eq!((with.total, &with.facets[0].1[0]), (3, &("mobilité".to_owned(), 3)));
    let without = Question { whose: Whose::Everybodys, ..asked(&[]) };
    assert_eq!(index.find(&asked(&[])).unwrap(), index.find(&without).unwrap());
}

#[test]
fn orders_and_pages() {
    let (_folder, index) = index();
    let by = |field, descending| Question { order: Order::By { field, descending }, ..asked("") };
    assert_eq!(found(&index, &by(OrderField::Modified, true)), ["bornes", "arbres", "velos"]);
    assert_eq!(found(&index, &by(OrderField::Title, false)), ["arbres", "bornes", "velos"]);
    assert_eq!(found(&index, &by(OrderField::Id, true)), ["velos", "bornes", "arbres"]);
    assert_eq!(found(&index, &Question { start: 1, rows: 1, ..asked("") }), ["bornes"]);
    assert!(found(&index, &Question { start: 9, ..asked("") }).is_empty());
    assert_eq!(
        "metadata_modified desc, name asc".parse(),
        Ok(Order::By { field: OrderField::Modified, descending: true })
    );
    assert_eq!("score desc".parse(), Ok(Order::Relevance));
    for bad in ["", "colour asc", "name up", "name asc now"] {
        assert_eq!(bad.parse::<Order>(), Err(InvalidQuery::Order), "{bad}");
    }
}

#[test]
fn what_changed_takes_the_place_of_what_was_and_survives() {
    let (folder, index) = index();
    index.replace(&[entry("velos", "Trottinettes", &[], 1_790_000_400, true)], 9).unwrap();
    assert!(found(&index, &asked("compteurs")).is_empty());
    assert_eq!(found(&index, &asked("trottinette")), ["velos"]);
    assert_eq!(index.applied(), Some(9));
    drop(index);
    let again = SearchIndex::open(folder.path()).unwrap();
    assert_eq!((again.applied(), found(&again, &asked("trottinette")).len()), (Some(9), 1));
    drop(again);
    std::fs::write(folder.path().join("meta.json"), "{").unwrap();
    assert_eq!(SearchIndex::open(folder.path()).unwrap().applied(), None, "damaged: begun anew");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_words_are_answered_or_refused(words in "\\PC{0,80}") {
        let (_folder, index) = index();
        let _answered = index.find(&asked(&words));
    }
}
