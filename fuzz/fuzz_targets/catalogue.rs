//! What a harvester can ask of the catalogue: verbs, tokens, searches, what it accepts.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi::catalogue::{
    Base, Coding, Language, Representation, oai,
    search::{Facet, Order, Question, SearchError, SearchIndex},
};
use octroi_fuzz::{rest, scratch, text};
use ring::hmac;
use tempfile::TempDir;

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=4)? {
        0 => accepted(&text(input)),
        1 => drop(text(input).parse::<Order>()),
        2 => searched(&text(input), Vec::new()),
        3 => searched("", vec![text(input)]),
        _ => harvested(input)?,
    }
    Ok(())
}

fn accepted(header: &str) {
    let _represented = Representation::accepted(Some(header));
    let _coded = Coding::accepted(Some(header));
    let _spoken = Language::choose(Some(header), Some(header));
}

/// Whatever the words, the index answers or says that the question is wrong: nothing else is the asker's doing.
fn searched(words: &str, filters: Vec<String>) {
    static INDEX: LazyLock<(TempDir, SearchIndex)> = LazyLock::new(|| {
        let folder = scratch();
        let index = SearchIndex::open(folder.path()).expect("an index opens in an empty folder");
        (folder, index)
    });
    let facets = Facet::ALL.to_vec();
    let question = Question { words: words.to_owned(), filters, facets, values: 5, ..Question::everything(0, 10) };
    match INDEX.1.find(&question) {
        Ok(found) => assert_eq!(found.total, 0),
        Err(SearchError::Query(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Any arguments are a request or a refusal; a token that nobody gave is none.
fn harvested(input: &mut Unstructured<'_>) -> Result<()> {
    const NAMES: [&str; 8] =
        ["verb", "identifier", "metadataPrefix", "from", "until", "set", "resumptionToken", "other"];
    const VERBS: [&str; 6] =
        ["Identify", "ListMetadataFormats", "ListSets", "GetRecord", "ListIdentifiers", "ListRecords"];
    let mut arguments = vec![("verb".to_owned(), (*input.choose(&VERBS)?).to_owned())];
    for _ in 0..input.int_in_range(0..=4)? {
        let name = (*input.choose(&NAMES)?).to_owned();
        arguments.push((name, input.arbitrary::<&str>()?.to_owned()));
    }
    arguments.push(((*input.choose(&NAMES)?).to_owned(), String::from_utf8_lossy(&rest(input)).into_owned()));
    let base: Base = "https://data.dijon.example".parse().expect("a base");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let parsed = oai::parse(&arguments, &base, &key);
    assert!(parsed.is_err() || arguments.iter().all(|(name, _)| name != "resumptionToken"));
    Ok(())
}
