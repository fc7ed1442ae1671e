//! The sensitive way: asked in SQL, in a virtual machine of its own, and answered with checked aggregates alone.

use std::process::Command;

use super::Scene;
use crate::demo::{DemoError, story::Story};

/// Known to everyone, taken by nobody; both tables are about households.
pub(in crate::demo) const ASKED: [&str; 2] = ["electricite-menages", "menages"];
pub(in crate::demo) const ASKED_PURPOSE: &str = "statistical research";
const AGREEMENT: &str = "conv-universite-1";

const LOAD_CURVE: &str = "SELECT date_part('hour', time) AS hour, COUNT(*) AS readings, AVG(watt_hours) AS watt_hours \
                          FROM compteurs GROUP BY 1 ORDER BY 1";
const BY_COMMUNE: &str = "SELECT m.commune, m.heating, COUNT(*) AS readings, AVG(c.watt_hours) AS watt_hours \
                          FROM compteurs c JOIN \"menages\".\"menages\" m ON c.household = m.household \
                          GROUP BY m.commune, m.heating ORDER BY m.commune, m.heating";

/// Declared, loaded, granted, asked, checked.
pub(super) fn sensitive_way(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("The sensitive way: asked in a machine without network, and only checked aggregates leave");
    inspected(story, scene)?;
    loaded(story, scene)?;
    granted(story, scene)?;

    let [electricity, households] = ASKED;
    story
        .step("lena", "Which questions may be asked? What the stewards declared, column by column")
        .shows(24)
        .run(cast.octroi("lena", &["dataset", "policy", electricity]))?;
    let ask = |words: &[&str]| {
        let all = [&["query", "--dataset", electricity, "--purpose", ASKED_PURPOSE], words].concat();
        cast.octroi("lena", &all)
    };
    let receipt = cast.desk("receipt.json").display().to_string();
    story
        .step("lena", "By commune and heating: two tables joined, the small cells missing; keep the receipt")
        .shows(10)
        .run(ask(&["--dataset", households, "--receipt", &receipt, BY_COMMUNE]))?;
    story.step("lena", "The load curve of the city's households, by hour").shows(10).run(ask(&[LOAD_CURVE]))?;
    story.step("lena", "The rows themselves").refused(ask(&["SELECT household, watt_hours FROM compteurs"]))?;
    story.step("lena", "A file of one's own").refused(ask(&["COPY compteurs TO '/tmp/mine.csv'"]))?;
    story.step("voltaic", "A vendor asks").refused(
        cast.octroi("voltaic", &["query", "--dataset", electricity, "--purpose", ASKED_PURPOSE, LOAD_CURVE]),
    )?;
    checked(story, scene, &receipt)
}

/// What would run the questions, and that the city approves of it.
fn inspected(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    let config = cast.data().join("octroi.toml").display().to_string();
    let zone = |words: &[&str]| cast.plain(&[&["zone"], words, &["--config", &config]].concat());
    story.step("admin", "What would questions run in?").shows(14).run(zone(&["inspect"]))?;
    story.step("admin", "Approve exactly that: anything else gets no key").run(zone(&["approve", "--by", "admin"]))?;
    Ok(())
}

/// Rows come in sealed to the key process; a machine of its own reads and encrypts them.
fn loaded(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    for id in ASKED {
        let schema = scene.descriptions.join("schemas").join(format!("{id}.toml")).display().to_string();
        let words = ["dataset", "schema", id, &schema];
        story.step("claire", &format!("Declare the tables of {id}")).shows(10).run(cast.octroi("claire", &words))?;
    }
    for id in ASKED.into_iter().rev() {
        let policy = scene.descriptions.join("release").join(format!("{id}.toml")).display().to_string();
        let what = format!("Declare what may leave of {id}: roles and bins of its columns, thresholds, budgets");
        story.step("claire", &what).run(cast.octroi("claire", &["dataset", "policy", id, &policy]))?;
    }
    for id in ASKED {
        for file in scene.files(id) {
            let name = file.name();
            let table = name.trim_end_matches(".csv");
            let words = ["dataset", "load", id, table, &file.path.display().to_string()];
            story
                .step("claire", "Load its rows: sealed here, opened in a machine that can only write ciphertext")
                .run(cast.octroi("claire", &words))?;
        }
    }
    Ok(())
}

/// A researcher comes in, asks for leave to ask, and gets it under an agreement.
fn granted(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    let agreement = scene.descriptions.join("agreements").join(format!("{AGREEMENT}.toml")).display().to_string();
    story
        .step("claire", "Record the agreement with the university")
        .run(cast.octroi("claire", &["agreement", "add", &agreement]))?;
    for id in ASKED {
        let ask = ["request", "make", id, "--purpose", ASKED_PURPOSE, "--action", "ask"];
        let request = story
            .step("lena", &format!("Ask for leave to ask {id}"))
            .run(cast.octroi("lena", &ask))?
            .after("request")?;
        let grant = ["request", "grant", &request, "--days", "90", "--agreement", AGREEMENT];
        story.step("claire", "Grant it").run(cast.octroi("claire", &grant))?;
    }
    Ok(())
}

/// Offline, with nothing but the receipt and a checkpoint.
fn checked(story: &mut Story, scene: &Scene<'_>, receipt: &str) -> Result<(), DemoError> {
    let cast = scene.cast;
    let checkpoint = cast.desk("checkpoint").display().to_string();
    story.step("citizen", "Fetch the log's checkpoint").run(cast.curl(&["-o", &checkpoint], "/log/checkpoint"))?;
    let verify = |receipt: &str| cast.octroi("lena", &["verify", receipt, "--checkpoint", &checkpoint]);
    story.step("lena", "Is the receipt of lena's answer genuine?").shows(20).run(verify(receipt))?;
    let altered = cast.desk("altered.json").display().to_string();
    let mut alter = Command::new("sed");
    alter.args(["s/statistical/commercial/; s/[0-9]/8/3", receipt]);
    let text = crate::process::output(&mut alter)?;
    std::fs::write(&altered, text).map_err(super::super::file(altered.as_ref()))?;
    story.step("lena", "And one with a changed character?").refused(verify(&altered))?;
    Ok(())
}
