//! What leaves of sensitive data and what does not, as a reader would have it explained.

use std::process::Command;

use super::{Scene, asked};
use crate::demo::{DemoError, story::Story};

/// One of whose kinds of heating few have.
const BY_HEATING: &str = "SELECT heating, COUNT(*) AS homes, AVG(surface_m2) AS m2 FROM menages \
                          WHERE commune = '21166' GROUP BY heating ORDER BY heating";
const WITH_TOTAL: &str = "SELECT heating, COUNT(*) AS homes FROM menages WHERE commune = '21166' \
                          GROUP BY ROLLUP (heating) ORDER BY heating";
/// Three groups of two kinds, of which each kind is in two. Few homes of Talant have wood.
const OVERLAPPING: [(&str, &str); 3] = [
    (
        "How many homes of Talant burn something?",
        "SELECT COUNT(*) AS homes FROM menages WHERE commune = '21617' AND heating IN ('gas', 'wood')",
    ),
    (
        "How many emit little?",
        "SELECT COUNT(*) AS homes FROM menages WHERE commune = '21617' AND heating IN ('electric', 'wood')",
    ),
    (
        "And how many are billed by meter?",
        "SELECT COUNT(*) AS homes FROM menages WHERE commune = '21617' AND heating IN ('electric', 'gas')",
    ),
];
const FEW: &str = "SELECT COUNT(*) AS homes FROM menages WHERE commune = '21166' AND heating = 'wood'";
const ONE_HOUSEHOLD: &str = "SELECT SUM(watt_hours) AS watt_hours FROM compteurs WHERE household = 7";
const ALL_BUT_GAS: &str = "SELECT COUNT(*) AS homes FROM menages WHERE heating <> 'gas'";

/// Missing cells, and questions that are refused.
pub(super) fn and_why_not_more(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    story.chapter("What leaves, and why not more");
    missing(story, scene)?;
    used_up(story, scene)?;
    refused(story, scene)
}

fn missing(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let [_, households] = asked::ASKED;
    let ask = |sql| query(scene, households, &[sql]);
    story.step("lena", "How do the homes of Chenôve heat?").shows(8).run(ask(BY_HEATING))?;
    story.remark(
        "Numbers are rounded, and each column says how. Wood is missing: few homes of Chenôve burn it, and who",
    );
    story.remark("knows its neighbours knows whose they are. That it is missing does not say whether there is any.");
    story.step("lena", "And with the total, what would it cost?").shows(4).run(query(
        scene,
        households,
        &["--cost", WITH_TOTAL],
    ))?;
    story.step("lena", "The same, with the total").shows(10).run(ask(WITH_TOTAL))?;
    story.remark("From the total the others, which were told before, could be taken, and wood would be left. What was");
    story.remark(
        "released of the same homes is remembered, sealed, for every question, whoever asks. The steward allows noise",
    );
    story.remark("in such a case: the total has some, by a known spread, paid from a budget that never comes back.");
    story.step("lena", "Ask again: does the mean of many such answers tell more?").shows(10).run(ask(WITH_TOTAL))?;
    story.remark("The same question has the same noise, for everyone, and costs nothing more.");
    story.step("lena", "Then only those who burn wood").run(ask(FEW))?;
    story.remark(
        "This refusal says nothing of why: too few, nobody, or a machine that failed sound the same. The steward",
    );
    story.remark("and the auditor find the cause in the evidence.");
    Ok(())
}

/// No two of the answers tell of few; all three would.
fn used_up(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let [_, households] = asked::ASKED;
    for (asked, sql) in OVERLAPPING {
        story.step("lena", asked).shows(8).run(query(scene, households, &[sql]))?;
    }
    story.remark(
        "The last one has noise again, though no two of these differ by few: all three would, as the first two",
    );
    story.remark("less the third are twice the homes with wood. How much all answers together tell of any one home is");
    story.remark(
        "counted, for each organisation and for all; beyond an eighth of knowing it exactly, nothing is exact.",
    );
    Ok(())
}

fn refused(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let [electricity, households] = asked::ASKED;
    story.step("lena", "One household's consumption").shows(8).refused(query(scene, electricity, &[ONE_HOUSEHOLD]))?;
    story.remark(
        "This one was refused for its words alone, before any key was given: so it may be told why, where, and",
    );
    story.remark("what to write instead.");
    story
        .step("lena", "Everyone but those with gas: may that be asked? Judged without data, and not asked")
        .shows(8)
        .refused(query(scene, households, &["--check", ALL_BUT_GAS]))?;
    story.remark(
        "All homes, less these, would be those with gas: answers that differ by a value of one's choice are how",
    );
    story.remark("single cells are dug out. GROUP BY tells all kinds at once, under one rule.");
    story.step("lena", "And the homes by heating?").shows(12).run(query(
        scene,
        households,
        &["--check", BY_HEATING],
    ))?;
    Ok(())
}

fn query(scene: &Scene<'_>, dataset: &str, words: &[&str]) -> Command {
    let all = [&["query", "--dataset", dataset, "--purpose", asked::ASKED_PURPOSE], words].concat();
    scene.cast.octroi("lena", &all)
}
