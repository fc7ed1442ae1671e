//! The public way.

use std::process::Command;

use super::Scene;
use crate::demo::{DemoError, story::Story};

/// The one that the citizen looks at.
pub(in crate::demo) const PUBLIC: &str = "velo-compteurs";

/// The address of a public file.
pub(super) fn link(dataset: &str, key: &str) -> String {
    format!("/dataset/{dataset}/files/{key}")
}

/// The catalogue, a page, a file.
pub(super) fn public_way(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("The public way: no account, no key");
    story
        .step("citizen", "The catalogue, as portals harvest it (DCAT)")
        .shows(14)
        .run(cast.curl(&[], "/catalog.ttl"))?;
    let page = cast.curl(&["-H", "Accept-Language: fr"], &format!("/dataset/{PUBLIC}"));
    story.step("citizen", "A page about the bicycle counters, in French").shows(8).run(page)?;
    let Some(file) = scene.files(PUBLIC).next() else { return Ok(()) };
    let link = link(PUBLIC, &file.name());
    let range = cast.curl(&["--http1.1", "-i", "-r", "0-199"], &link);
    story.step("citizen", "The first 200 bytes of their file").shows(24).run(range)?;
    let copy = cast.desk("passages.csv").display().to_string();
    story.step("citizen", "The whole file").run(cast.curl(&["-o", &copy], &link))?;
    let mut compare = Command::new("cmp");
    compare.arg(&copy).arg(&file.path);
    story.step("citizen", "It is, byte for byte, the file that the steward stored").run(compare)?;
    Ok(())
}
