//! Who may know of sensitive data, and what raising a level does.

use std::process::Command;

use super::{Scene, open};
use crate::demo::{DemoError, story::Story};

/// Known to everyone, taken by nobody.
const KNOWN: &str = "electricite-menages";
/// Known to whoever proves who they are.
const MEMBERS: &str = "menages";
/// Known to its steward and to auditors.
const HIDDEN: &str = "personnes";
/// What curl says of an answer whose body is of no interest.
const STATUS: &str = "%{http_code}\\n";

/// Described, never handed out.
pub(super) fn sensitive(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("Sensitive data: known as widely as its steward chose, taken by nobody");
    let describe = [KNOWN, MEMBERS, HIDDEN].map(|id| {
        let words = [vec!["dataset", "register"], vec!["dataset", "publish", id]];
        let description = scene.description(id);
        let [register, publish] = words.map(|mut words| {
            if words.len() == 2 {
                words.push(&description);
            }
            cast.octroi("claire", &words)
        });
        (format!("{id}, published"), vec![register, publish])
    });
    story
        .step("claire", "Describe the households' electricity, the households, and the persons of the travel survey")
        .each("octroi dataset register ID.toml && octroi dataset publish ID", describe)?;
    let page = |id: &str| cast.curl(&["-o", "/dev/null", "-w", STATUS], &format!("/dataset/{id}"));
    story.step("citizen", "The electricity's page: its steward made the description public").run(page(KNOWN))?;
    story.step("citizen", "The persons' page: hidden looks exactly like absent").refused(page(HIDDEN))?;
    if let Some(file) = scene.files(KNOWN).next() {
        let put = ["object", "put", KNOWN, &file.path.display().to_string()];
        story
            .step("claire", "Store the electricity's file as an object, to be downloaded")
            .refused(cast.octroi("claire", &put))?;
    }
    story
        .step("voltaic", "Ask to borrow it")
        .refused(cast.octroi("voltaic", &["request", "make", KNOWN, "--purpose", "statistical research"]))?;
    Ok(())
}

/// A public dataset that should not have been.
pub(super) fn raised(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("A level is raised at once, and lowered by no call");
    let Some(file) = scene.files(open::PUBLIC).next() else { return Ok(()) };
    let link = || cast.curl(&["-o", "/dev/null", "-w", STATUS], &open::link(open::PUBLIC, &file.name()));
    story.step("citizen", "The counters' file, once more").run(link())?;
    let raise = |level: &str| {
        cast.octroi("claire", &["dataset", "raise", open::PUBLIC, level, "--reason", "one counter sees one household"])
    };
    story.step("claire", "A counter in a cul-de-sac tells who leaves when: raise the level").run(raise("sensitive"))?;
    story.step("citizen", "The same link").refused(link())?;
    let copy = cast.desk("catalog.ttl");
    let fetch = cast.curl(&["-o", &copy.display().to_string()], "/catalog.ttl");
    story.step("citizen", "The catalogue, fetched anew").run(fetch)?;
    let mut grep = Command::new("grep");
    grep.args(["--fixed-strings", open::PUBLIC]).arg(copy);
    story.step("citizen", "Does it still name them?").finds_nothing(grep)?;
    story.step("claire", "Lower it again").refused(raise("public"))?;
    Ok(())
}
