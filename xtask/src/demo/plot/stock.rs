//! What the gateway guards, and how it lies on the disk.

use std::process::Command;

use super::Scene;
use crate::demo::{DemoError, story::Story};
use crate::process;

/// In the order in which they are registered; what only the sensitive way can use is not among them.
pub(in crate::demo) const DATASETS: [&str; 8] = [
    "velo-compteurs",
    "communes",
    "meteo-horaire",
    "climat-interieur",
    "matrices-deplacements",
    "nyc-weather",
    "nyc-airports",
    "nyc-planes",
];

/// The first one step by step, the others likewise.
pub(super) fn datasets(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("Datasets: described, filled, published");
    let bad = cast.desk("incomplete.toml");
    std::fs::write(&bad, INCOMPLETE).map_err(super::super::file(&bad))?;
    let register = ["dataset", "register", &bad.display().to_string()];
    story
        .step("claire", "Register a dataset with a description that lacks things")
        .shows(16)
        .refused(cast.octroi("claire", &register))?;

    let (first, others) = DATASETS.split_first().unwrap_or((&"", &[]));
    let asked = ["Register the bicycle counters", "Store their file, sealed", "Publish them"];
    for (command, asked) in commands(scene, first).into_iter().zip(asked) {
        story.step("claire", asked).run(command)?;
    }
    let others = others.iter().filter(|id| scene.files(id).next().is_some()).map(|id| {
        let stored: Vec<_> = scene.files(id).map(|file| format!("{} rows in {}", file.rows, file.name())).collect();
        (format!("{id:<23}{}, published", stored.join(", ")), commands(scene, id))
    });
    let pattern = "octroi dataset register ID.toml && octroi object put ID FILE && octroi dataset publish ID";
    story.step("claire", "The others likewise").each(pattern, others)?;
    Ok(())
}

/// Registers, fills and publishes one.
fn commands(scene: &Scene<'_>, id: &str) -> Vec<Command> {
    let claire = |words: &[&str]| scene.cast.octroi("claire", words);
    let mut commands = vec![claire(&["dataset", "register", &scene.description(id)])];
    for file in scene.files(id) {
        commands.push(claire(&["object", "put", id, &file.path.display().to_string(), "--media-type", "text/csv"]));
    }
    commands.push(claire(&["dataset", "publish", id]));
    commands
}

/// What a thief of the disk would have.
pub(super) fn at_rest(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("At rest: what a thief of the disk would have");
    let (data, objects) = (cast.data(), cast.data().join("objects"));
    let mut owners = Command::new("stat");
    owners.args(["--format", "%A %u %n"]).args(["keys", "state", "objects"].map(|name| data.join(name)));
    story
        .step("admin", "Whose are keys and data? Started by root, two users' who cannot read the other's")
        .run(owners)?;
    let listing = process::output(Command::new("find").arg(&objects).args(["-type", "f", "-size", "+16k"]))?;
    if let Some(object) = listing.lines().next() {
        let mut dump = Command::new("od");
        dump.args(["-A", "d", "-t", "x1z", "-w16", "-j", "4096", "-N", "64", object]);
        story.step("thief", "A stored object, some way in").run(dump)?;
    }
    let mut grep = Command::new("grep");
    grep.args(["--recursive", "--text", "--files-with-matches", "--fixed-strings", "2025-01-13T00:00:00+01:00"]);
    grep.arg(&objects).arg(data.join("state")).arg(data.join("keys")).arg(cast.desk("serve.log"));
    story
        .step("thief", "Search objects, register, evidence, keys and log for a time that stands in the files")
        .finds_nothing(grep)?;
    Ok(())
}

const INCOMPLETE: &str = "id = \"Compteurs Vélo\"\nlicence = \"free\"\nsteward = \"claire\"\n";
