//! The quasi-sensitive way.

use std::process::Command;

use super::{Scene, open};
use crate::demo::{DemoError, story::Story};

/// Lent on a grant alone.
pub(in crate::demo) const LENT: &str = "climat-interieur";
pub(in crate::demo) const PURPOSE: &str = "energy renovation planning";
/// Lent under an agreement.
pub(in crate::demo) const AGREED: &str = "matrices-deplacements";
pub(in crate::demo) const AGREED_PURPOSE: &str = "transport planning";
const AGREEMENT: &str = "conv-voltaic-1";

/// Asked for, granted, used; the grant's id.
pub(super) fn by_grant(story: &mut Story, scene: &Scene<'_>) -> Result<Option<String>, DemoError> {
    let cast = scene.cast;
    story.chapter("The quasi-sensitive way: lent to those who hold a grant");
    let Some(file) = scene.files(LENT).next() else { return Ok(None) };
    let (key, copy) = (file.name(), cast.desk("ilots.csv").display().to_string());
    let voltaic = |words: &[&str]| cast.octroi("voltaic", words);
    let get = || cast.octroi("voltaic", &["object", "get", LENT, &key, "--out", &copy]);

    story.step("voltaic", "Which datasets are there?").shows(12).run(voltaic(&["dataset", "list"]))?;
    story.step("citizen", "The indoor climate, please").refused(cast.curl(&[], &open::link(LENT, &key)))?;
    story.step("voltaic", "Take it without having asked").refused(get())?;
    let ask = |purpose| cast.octroi("voltaic", &["request", "make", LENT, "--purpose", purpose]);
    story.step("voltaic", "Ask for it, for a purpose that is not among its purposes").refused(ask("advertising"))?;
    let ask = ["request", "make", LENT, "--purpose", PURPOSE, "--action", "fetch", "--action", "store"];
    let answer = story.step("voltaic", "Ask for it, to fetch and to store, saying what for").run(voltaic(&ask))?;
    let request = answer.after("request")?;
    story.step("claire", "What waits for me?").run(cast.octroi("claire", &["request", "list"]))?;
    let grant = cast.octroi("claire", &["request", "grant", &request, "--days", "30"]);
    let grant = story.step("claire", "Grant it for 30 days").run(grant)?.after("grant")?;

    story.step("voltaic", "Take it now (gRPC)").run(get())?;
    let mut compare = Command::new("cmp");
    compare.arg(&copy).arg(&file.path);
    story.step("voltaic", "It is what the city stored").run(compare)?;
    let object = format!("/v1/datasets/{LENT}/objects/{key}");
    let head = cast.curl_as("voltaic", &["--http1.1", "-I"], &object);
    story
        .step("voltaic", "Over HTTPS too, with the certificate: what is it, whose, and what for?")
        .shows(9)
        .run(head)?;
    let words = ["object", "put", LENT, &copy, "--key", "voltaic/model-input.csv"];
    story.step("voltaic", "Bring a file back").run(voltaic(&words))?;
    story.step("voltaic", "What lies there now?").run(voltaic(&["object", "list", LENT]))?;
    Ok(Some(grant))
}

/// A dataset whose steward demands a signed agreement.
pub(super) fn under_an_agreement(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("With an agreement: no grant without one where the steward demands it");
    let Some(file) = scene.files(AGREED).next() else { return Ok(()) };
    let ask = cast.octroi("voltaic", &["request", "make", AGREED, "--purpose", AGREED_PURPOSE]);
    let request = story.step("voltaic", "Ask for the mobility matrices").run(ask)?.after("request")?;
    let grant = |more: &[&str]| {
        let words = [&["request", "grant", &request, "--days", "30"], more].concat();
        cast.octroi("claire", &words)
    };
    story.step("claire", "Grant it, forgetting the agreement").refused(grant(&[]))?;
    let agreement = scene.descriptions.join("agreements").join(format!("{AGREEMENT}.toml")).display().to_string();
    story
        .step("claire", "Record the agreement that both have signed")
        .run(cast.octroi("claire", &["agreement", "add", &agreement]))?;
    story.step("claire", "Grant it under the agreement").run(grant(&["--agreement", AGREEMENT]))?;
    let (key, copy) = (file.name(), cast.desk("matrices.csv").display().to_string());
    let get = ["object", "get", AGREED, &key, "--out", &copy];
    story.step("voltaic", "Take them").run(cast.octroi("voltaic", &get))?;
    Ok(())
}

/// Revocation is felt by the next request.
pub(super) fn taken_back(story: &mut Story, scene: &Scene<'_>, grant: &str) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("Taken back: the next request is refused");
    let Some(file) = scene.files(LENT).next() else { return Ok(()) };
    story.step("claire", "Which grants are there?").run(cast.octroi("claire", &["grant", "list"]))?;
    let revoke = ["grant", "revoke", grant, "--reason", "the study is over"];
    story.step("claire", "Revoke the grant on the indoor climate").run(cast.octroi("claire", &revoke))?;
    let (key, copy) = (file.name(), cast.desk("again.csv").display().to_string());
    let get = ["object", "get", LENT, &key, "--out", &copy];
    story.step("voltaic", "Take it once more").refused(cast.octroi("voltaic", &get))?;
    Ok(())
}
