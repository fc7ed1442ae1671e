use proptest::prelude::*;

use super::{super::Cursor, *};

type Arguments<'a> = &'a [(&'a str, &'a str)];

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
}

fn ask(arguments: &[(&str, &str)]) -> Result<Asked, Refused> {
    let arguments: Vec<(String, String)> =
        arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parse(&arguments, &"https://data.dijon.example".parse().unwrap(), &key())
}

fn token(verb: Verb) -> String {
    let selection = Selection::new(Prefix::OaiDc, None, None, SetSpec::parse("level").ok()).unwrap();
    token::seal(verb, &selection, Cursor { after: 9, delivered: 100, total: None }, &key())
}

#[test]
fn every_verb_is_understood() {
    let dataset: DatasetId = "velos".parse().unwrap();
    let identifier = ("identifier", "oai:data.dijon.example:velos");
    let prefix = ("metadataPrefix", "oai_datacite");
    let request = |arguments: &[(&str, &str)]| ask(arguments).unwrap().request;
    assert_eq!(request(&[("verb", "Identify")]), Request::Identify);
    assert_eq!(request(&[("verb", "ListSets")]), Request::ListSets);
    let formats = request(&[("verb", "ListMetadataFormats")]);
    assert_eq!(formats, Request::ListMetadataFormats { dataset: None });
    let formats = request(&[("verb", "ListMetadataFormats"), identifier]);
    assert_eq!(formats, Request::ListMetadataFormats { dataset: Some(dataset.clone()) });
    let record = request(&[prefix, ("verb", "GetRecord"), identifier]);
    assert_eq!(record, Request::GetRecord { dataset, prefix: Prefix::OaiDatacite });
    let part = Part { selection: Selection::new(Prefix::OaiDatacite, None, None, None).unwrap(), cursor: None };
    assert_eq!(request(&[("verb", "ListIdentifiers"), prefix]), Request::ListIdentifiers(part));
}

#[test]
fn a_list_is_chosen_by_time_and_set() {
    let arguments = [
        ("verb", "ListRecords"),
        ("metadataPrefix", "oai_dc"),
        ("from", "2026-01-01"),
        ("until", "2026-01-31"),
        ("set", "organisation:dijon-metropole"),
    ];
    let Asked { request: Request::ListRecords(part), echo } = ask(&arguments).unwrap() else { panic!("no list") };
    let (from, until) = ("2026-01-01".parse().ok(), "2026-01-31".parse().ok());
    let set = SetSpec::organisation("Dijon métropole");
    let selection = Selection::new(Prefix::OaiDc, from, until, Some(set)).unwrap();
    assert_eq!(part, Part { selection, cursor: None });
    assert_eq!(echo.attributes(), arguments);
}

#[test]
fn a_token_says_where_a_list_goes_on() {
    let token = token(Verb::ListRecords);
    let asked = ask(&[("verb", "ListRecords"), ("resumptionToken", token.as_str())]).unwrap();
    let Request::ListRecords(part) = asked.request else { panic!("no list") };
    assert_eq!((part.delivered(), part.cursor.unwrap().after), (100, 9));
    assert_eq!(asked.echo.attributes(), [("verb", "ListRecords"), ("resumptionToken", token.as_str())]);
}

#[test]
fn all_that_is_wrong_is_told() {
    use Argument::*;
    use Problem::*;
    let (verb, records) = (("verb", "ListRecords"), token(Verb::ListRecords));
    let dc = ("metadataPrefix", "oai_dc");
    let token = ("resumptionToken", records.as_str());
    let cases: &[(Arguments<'_>, &[Problem])] = &[
        (&[], &[VerbMissing]),
        (&[dc], &[VerbMissing]),
        (&[("verb", "")], &[VerbUnknown]),
        (&[("verb", "listRecords"), dc], &[VerbUnknown]),
        (&[("verb", "Identify"), ("verb", "Identify")], &[VerbRepeated]),
        (&[("Verb", "Identify")], &[VerbMissing]),
        (&[("verb", "Identify"), dc], &[UnknownArgument]),
        (&[("verb", "Identify"), ("x", "1"), ("y", "2")], &[UnknownArgument]),
        (&[("verb", "GetRecord")], &[Missing(Identifier), Missing(MetadataPrefix)]),
        (&[("verb", "GetRecord"), dc, ("identifier", "")], &[Malformed(Identifier)]),
        (&[("verb", "GetRecord"), dc, ("identifier", "oai:other.example:velos")], &[IdDoesNotExist]),
        (
            &[("verb", "GetRecord"), ("identifier", "x"), ("metadataPrefix", "marc")],
            &[IdDoesNotExist, CannotDisseminateFormat],
        ),
        (&[("verb", "ListMetadataFormats"), ("identifier", "really-wrong")], &[IdDoesNotExist]),
        (&[("verb", "ListSets"), token], &[BadResumptionToken]),
        (&[verb], &[Missing(MetadataPrefix)]),
        (&[verb, dc, dc], &[Repeated(MetadataPrefix)]),
        (&[verb, ("metadataPrefix", "marc21")], &[CannotDisseminateFormat]),
        (&[verb, ("metadataPrefix", "<x>")], &[Malformed(MetadataPrefix)]),
        (&[verb, dc, ("from", "junk"), ("until", "")], &[Malformed(From), Malformed(Until)]),
        (&[verb, dc, ("from", "2026-01-01"), ("until", "2026-01-31T00:00:00Z")], &[Granularities]),
        (&[verb, dc, ("from", "2026-01-02"), ("until", "2026-01-01")], &[FromAfterUntil]),
        (&[verb, dc, ("set", "a b")], &[Malformed(Set)]),
        (&[verb, dc, ("set", "nothing:here")], &[NoRecordsMatch]),
        (&[verb, ("resumptionToken", "junk")], &[BadResumptionToken]),
        (&[verb, ("resumptionToken", "")], &[BadResumptionToken]),
        (&[verb, token, dc], &[NotExclusive]),
        (&[verb, token, token], &[Repeated(ResumptionToken)]),
        (&[verb, token, ("x", "1")], &[UnknownArgument]),
        (&[("verb", "ListIdentifiers"), token], &[BadResumptionToken]),
    ];
    for (arguments, problems) in cases {
        assert_eq!(ask(arguments).unwrap_err().problems, *problems, "{arguments:?}");
    }
}

#[test]
fn an_answer_repeats_nothing_of_a_bad_argument() {
    let echo = |arguments: &[(&str, &str)]| ask(arguments).unwrap_err().echo;
    assert_eq!(echo(&[("verb", "<script>")]), Echo::default());
    assert_eq!(echo(&[("verb", "GetRecord"), ("identifier", "x")]), Echo::default());
    let wrong = [("verb", "GetRecord"), ("identifier", "x"), ("metadataPrefix", "oai_dc")];
    assert_eq!(echo(&wrong).attributes(), wrong);
    let mixed = [("verb", "GetRecord"), ("identifier", "x"), ("metadataPrefix", "<x>")];
    assert_eq!(echo(&mixed), Echo::default());
    for unspeakable in ["\u{0}", "é", " ", &"x".repeat(1_025)] {
        let token = echo(&[("verb", "ListRecords"), ("resumptionToken", unspeakable)]);
        assert_eq!(token.attributes(), [("verb", "ListRecords")], "{unspeakable}");
    }
}

#[test]
fn every_problem_has_its_code() {
    for (problem, code, message) in [
        (Problem::VerbMissing, "badVerb", "`verb` is missing: give one of the protocol's six"),
        (Problem::Missing(Argument::Identifier), "badArgument", "`identifier` is missing"),
        (
            Problem::Malformed(Argument::From),
            "badArgument",
            "`from` must be a UTC date such as `2026-01-31` or `2026-01-31T12:00:00Z`",
        ),
        (Problem::NotExclusive, "badArgument", "`resumptionToken` must be the only argument beside `verb`"),
        (
            Problem::CannotDisseminateFormat,
            "cannotDisseminateFormat",
            "there is no such format: ask ListMetadataFormats",
        ),
        (Problem::IdDoesNotExist, "idDoesNotExist", "there is no such item"),
        (Problem::NoRecordsMatch, "noRecordsMatch", "no record matches"),
        (Problem::NoMetadataFormats, "noMetadataFormats", "the item is in no format"),
        (Problem::BadResumptionToken, "badResumptionToken", "the token is not one of this list: begin the list anew"),
    ] {
        assert_eq!((problem.code(), problem.to_string().as_str()), (code, message));
    }
}

proptest! {
    #[test]
    fn any_arguments_are_a_request_or_a_refusal_that_repeats_none(
        arguments in proptest::collection::vec(argument(), 0..8),
    ) {
        let arguments: Vec<(&str, &str)> =
            arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match ask(&arguments) {
            Ok(asked) => prop_assert!(!asked.echo.attributes().is_empty()),
            Err(refused) => {
                prop_assert!(!refused.problems.is_empty() && refused.problems.len() <= 16);
                let told: String = refused.problems.iter().map(ToString::to_string).collect();
                prop_assert!(!told.contains("planted"));
                let bad = refused.problems.iter().any(|it| matches!(it.code(), "badVerb" | "badArgument"));
                prop_assert_eq!(refused.echo == Echo::default(), bad);
            }
        }
    }
}

/// A name and a value as harvesters send them, or as somebody makes them up.
fn argument() -> impl Strategy<Value = (String, String)> {
    let names: Vec<&str> = ["verb", "x"].into_iter().chain(Argument::ALL.map(Argument::name)).collect();
    let verbs = proptest::sample::select(Verb::ALL.map(Verb::name).to_vec());
    let values =
        proptest::sample::select(vec!["oai_dc", "2026-01-01", "2026-01-31T00:00:00Z", "level:public", "oai:x"]);
    let value = prop_oneof![verbs.prop_map(str::to_owned), values.prop_map(str::to_owned), "planted.{0,20}"];
    (proptest::sample::select(names).prop_map(str::to_owned), value)
}
