//! The story, chapter by chapter. A step is three lines: what is asked, by whom, and the command.

use std::process::Command;

use super::{DemoError, cast::Cast, file, gateway::Gateway, story::Story};
use crate::{lake::Written, process, progress, project::Project};

/// Tells all of it; the gateway is left running.
pub(super) fn tell(project: &Project, story: &mut Story, cast: &Cast, lake: &[Written]) -> Result<Gateway, DemoError> {
    let gateway = set_up(story, cast)?;
    people(story, cast)?;
    datasets(project, story, cast, lake)?;
    public_way(story, cast, lake)?;
    quasi_sensitive_way(story, cast, lake)?;
    at_rest(story, cast)?;
    evidence(story, cast)?;
    Ok(gateway)
}

fn set_up(story: &mut Story, cast: &Cast) -> Result<Gateway, DemoError> {
    story.chapter("Setting up");
    let data = cast.data().display().to_string();
    story
        .step("Make a data folder: configuration, authority, keys, an operator's identity")
        .by("whoever runs the machine")
        .run(cast.octroi(&["init", &data]))?;
    let settings = format!("{data}/octroi.toml");
    let gateway = story.step("Start the gateway").by("whoever runs the machine").does(
        &mut cast.octroi(&["serve", "--config", &settings]),
        |command| {
            let (gateway, took) = Gateway::start(cast, command)?;
            Ok::<_, super::GatewayError>((gateway, format!("ready after {}", progress::spoken(took))))
        },
    )?;
    Ok(gateway)
}

fn people(story: &mut Story, cast: &Cast) -> Result<(), DemoError> {
    story.chapter("People: nobody who reaches data comes in by one person's word");
    add(story, cast, "operator", "The city's first steward", ["claire", "dijon-metropole", "steward"])?;
    add(
        story,
        cast,
        "operator",
        "A reviewer, the second person in approvals",
        ["marc", "dijon-metropole", "reviewer"],
    )?;
    add(story, cast, "operator", "A vendor who would borrow data", ["voltaic", "voltaic-sas", "vendor"])?;
    add(
        story,
        cast,
        "operator",
        "An auditor, who reads evidence and nothing else",
        ["audrey", "cour-regionale", "auditor"],
    )?;
    for waiting in ["marc", "audrey"] {
        approve(story, cast, "claire", waiting)?;
        approve(story, cast, "operator", waiting)?;
    }
    approve(story, cast, "claire", "voltaic")?;
    story
        .step("The vendor alone is not enough: a vendor who waits may do nothing")
        .by("voltaic, vendor")
        .refused(cast.as_who("voltaic", &["request", "list"]))?;
    approve(story, cast, "marc", "voltaic")?;
    Ok(())
}

fn add(story: &mut Story, cast: &Cast, by: &str, what: &str, who: [&str; 3]) -> Result<(), DemoError> {
    let [name, organisation, role] = who;
    let out = cast.identity(name).display().to_string();
    let words = ["principal", "add", name, "--org", organisation, "--role", role, "--out", &out];
    story.step(what).by(by).run(cast.as_who(by, &words))?;
    Ok(())
}

fn approve(story: &mut Story, cast: &Cast, by: &str, name: &str) -> Result<(), DemoError> {
    story.step(&format!("Approve {name}")).by(by).run(cast.as_who(by, &["principal", "approve", name]))?;
    Ok(())
}

fn datasets(project: &Project, story: &mut Story, cast: &Cast, lake: &[Written]) -> Result<(), DemoError> {
    story.chapter("Datasets: described, filled, published");
    let claire = "claire, steward";
    for id in DATASETS.iter().filter(|id| lake.iter().any(|table| table.dataset == **id)) {
        let description = project.root().join("config/demo").join(format!("{id}.toml")).display().to_string();
        story
            .step(&format!("Register {id}"))
            .by(claire)
            .run(cast.as_who("claire", &["dataset", "register", &description]))?;
        for table in lake.iter().filter(|table| table.dataset == *id) {
            let (path, key) = (table.path.display().to_string(), table.name());
            let words = ["object", "put", id, &path, "--key", &key];
            story
                .step(&format!("Store its {} rows, sealed", table.rows))
                .by(claire)
                .run(cast.as_who("claire", &words))?;
        }
        story.step("Publish it").by(claire).run(cast.as_who("claire", &["dataset", "publish", id]))?;
    }
    Ok(())
}

fn public_way(story: &mut Story, cast: &Cast, lake: &[Written]) -> Result<(), DemoError> {
    story.chapter("The public way: no account, no key");
    let citizen = "a citizen, with curl";
    story.step("The catalogue, as portals harvest it").by(citizen).shows(12).run(cast.curl(&[], "/catalog.ttl")?)?;
    let page = cast.curl(&["--header", "accept-language: fr"], &format!("/dataset/{PUBLIC}"))?;
    story.step("A page about the bicycle counters").by(citizen).run(page)?;
    let Some(table) = lake.iter().find(|table| table.dataset == PUBLIC) else { return Ok(()) };
    let path = format!("/data/{PUBLIC}/{}", table.name());
    let range = cast.curl(&["--range", "0-199", "--include"], &path)?;
    story.step("The first 200 bytes of its file").by(citizen).shows(16).run(range)?;
    let copy = cast.desk("passages.csv").display().to_string();
    story.step("The whole file").by(citizen).run(cast.curl(&["--output", &copy], &path)?)?;
    let mut compare = Command::new("cmp");
    compare.arg(&copy).arg(&table.path);
    story.step("It is the file that was stored, byte for byte").by(citizen).run(compare)?;
    Ok(())
}

fn quasi_sensitive_way(story: &mut Story, cast: &Cast, lake: &[Written]) -> Result<(), DemoError> {
    story.chapter("The quasi-sensitive way: lent to those who hold a grant");
    let Some(table) = lake.iter().find(|table| table.dataset == LENT) else { return Ok(()) };
    let (vendor, steward, key) = ("voltaic, vendor of voltaic-sas", "claire, steward", table.name());
    let copy = cast.desk("ilots.csv").display().to_string();
    let get = |cast: &Cast| cast.as_who("voltaic", &["object", "get", LENT, &key, "--out", &copy]);

    story.step("Which datasets are there?").by(vendor).shows(12).run(cast.as_who("voltaic", &["dataset", "list"]))?;
    story.step("Take the indoor climate without having asked").by(vendor).refused(get(cast))?;
    let ask = ["--json", "request", "make", LENT, "--purpose", PURPOSE, "--action", "fetch", "--action", "store"];
    let request = story.step("Ask for it, saying what for").by(vendor).shows(20).run(cast.as_who("voltaic", &ask))?;
    let request = request.field("id")?;
    story.step("What waits for me?").by(steward).run(cast.as_who("claire", &["request", "list"]))?;
    let grant = ["--json", "request", "grant", &request, "--days", "30"];
    let grant =
        story.step("Grant it for 30 days").by(steward).shows(20).run(cast.as_who("claire", &grant))?.field("id")?;

    story.step("Take it now").by(vendor).run(get(cast))?;
    let mut compare = Command::new("cmp");
    compare.arg(&copy).arg(&table.path);
    story.step("It is what the city stored").by(vendor).run(compare)?;
    let words = ["object", "put", LENT, &copy, "--key", "voltaic/model-input.csv"];
    story.step("Bring a file back").by(vendor).run(cast.as_who("voltaic", &words))?;

    let revoke = ["grant", "revoke", &grant, "--reason", "the study is over"];
    story.step("Revoke the grant").by(steward).run(cast.as_who("claire", &revoke))?;
    story.step("Take it once more").by(vendor).refused(get(cast))?;
    Ok(())
}

fn at_rest(story: &mut Story, cast: &Cast) -> Result<(), DemoError> {
    story.chapter("At rest: what a thief of the disk would have");
    let objects = cast.data().join("objects");
    let mut find = Command::new("find");
    let listing = process::output(find.arg(&objects).args(["-type", "f", "-size", "+16k"])).unwrap_or_default();
    if let Some(object) = listing.lines().next() {
        let mut dump = Command::new("od");
        dump.args(["-A", "d", "-t", "x1z", "-j", "4096", "-N", "96", object]);
        story.step("A stored object, some way in").by("whoever holds the disk").run(dump)?;
    }
    let mut grep = Command::new("grep");
    grep.args(["--recursive", "--text", "--fixed-strings", "--max-count=1", "2025-01-13T00:00:00"]).arg(&objects);
    story
        .step("Search all of them for a time stamp that stands in each file")
        .by("whoever holds the disk")
        .finds_nothing(grep)?;
    Ok(())
}

fn evidence(story: &mut Story, cast: &Cast) -> Result<(), DemoError> {
    story.chapter("Evidence: what happened, and that nothing of it was altered");
    let auditor = "audrey, auditor";
    let (proof, checkpoint) = (cast.desk("entry.json"), cast.desk("checkpoint"));
    let (proof_path, checkpoint_path) = (proof.display().to_string(), checkpoint.display().to_string());
    let fetch = cast.curl(&["--output", &checkpoint_path], "/log/checkpoint")?;
    story.step("The log's signed checkpoint, which is public").by("a monitor, with curl").run(fetch)?;
    let export = ["evidence", "export", "3", "--out", &proof_path];
    story.step("An entry with the proof that the log holds it").by(auditor).run(cast.as_who("audrey", &export))?;
    let verify = || cast.octroi(&["verify", &proof_path, "--checkpoint", &checkpoint_path]);
    story.step("Check it, offline").by("anyone who was handed the two files").shows(12).run(verify())?;
    alter(&proof).map_err(file(&proof))?;
    story.step("Check it again after one byte of it was altered").by("anyone").refused(verify())?;
    story
        .step("Read the evidence as a vendor")
        .by("voltaic, vendor")
        .refused(cast.as_who("voltaic", &["evidence", "export", "3", "--out", &proof_path]))?;
    story.remark("Refusals are evidence too.");
    Ok(())
}

/// Changes one letter or digit in the middle of a file.
fn alter(path: &std::path::Path) -> std::io::Result<()> {
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.iter_mut().skip(middle).find(|byte| byte.is_ascii_alphanumeric()) {
        *byte = if *byte == b'a' { b'b' } else { b'a' };
    }
    std::fs::write(path, bytes)
}

/// In the order in which they are registered; those that only the sensitive way can use are not among them.
pub(super) const DATASETS: [&str; 8] = [
    "communes",
    "meteo-horaire",
    "velo-compteurs",
    "climat-interieur",
    "matrices-deplacements",
    "nyc-weather",
    "nyc-airports",
    "nyc-planes",
];
pub(super) const PUBLIC: &str = "velo-compteurs";
pub(super) const LENT: &str = "climat-interieur";
pub(super) const PURPOSE: &str = "energy renovation planning";
