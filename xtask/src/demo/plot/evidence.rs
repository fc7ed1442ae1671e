//! What happened, and that nothing of it was altered.

use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

use super::Scene;
use crate::{
    demo::{DemoError, story::Story},
    process,
};

/// Somebody remembers what the log said.
pub(super) fn first_look(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    story.chapter("A monitor: the log of all this is watched from outside");
    story.step("voltaic", "Look at the log's signed checkpoint, and remember it").run(monitor(scene))?;
    Ok(())
}

fn monitor(scene: &Scene<'_>) -> Command {
    let state = scene.cast.desk("monitor").display().to_string();
    scene.cast.octroi("voltaic", &["evidence", "monitor", "--state", &state])
}

/// Listed, exported, checked, altered.
pub(super) fn log(story: &mut Story, scene: &Scene<'_>) -> Result<(), DemoError> {
    let cast = scene.cast;
    story.chapter("Evidence: what happened, and that nothing of it was altered");
    story
        .step("audrey", "The end of the evidence: who asked what, and the policies that decided; refusals too")
        .ends(14)
        .run(cast.octroi("audrey", &["evidence", "list", "--limit", "1000"]))?;
    story.step("voltaic", "Read it as a vendor").refused(cast.octroi("voltaic", &["evidence", "list"]))?;
    story.step("voltaic", "Look again: the log continues what was remembered").run(monitor(scene))?;

    let paper = Paper::of(scene, &revocation(scene)?);
    paper.settle(scene);
    story
        .step("audrey", "Export the revocation's entry with the proof that the log holds it")
        .run(paper.export(scene))?;
    story.step("audrey", "And the signed checkpoint that the proof leads to; it is public").run(paper.fetch(scene))?;
    story
        .step("voltaic", "Check them, offline, by the log's public key in one's profile")
        .shows(30)
        .run(paper.verify(scene))?;
    story.step("thief", "Alter one letter of the entry").run(paper.alteration())?;
    story.step("voltaic", "Check again").refused(paper.verify(scene))?;
    Ok(())
}

/// An exported entry, with its checkpoint.
struct Paper {
    sequence: String,
    entry: PathBuf,
    checkpoint: PathBuf,
}

impl Paper {
    fn of(scene: &Scene<'_>, sequence: &str) -> Self {
        let desk = |name| scene.cast.desk(name);
        Self { sequence: sequence.to_owned(), entry: desk("entry.json"), checkpoint: desk("checkpoint") }
    }

    fn export(&self, scene: &Scene<'_>) -> Command {
        let out = self.entry.display().to_string();
        scene.cast.octroi("audrey", &["evidence", "export", &self.sequence, "--out", &out])
    }

    fn fetch(&self, scene: &Scene<'_>) -> Command {
        scene.cast.octroi("audrey", &["evidence", "checkpoint", "--out", &self.checkpoint.display().to_string()])
    }

    fn verify(&self, scene: &Scene<'_>) -> Command {
        let (entry, checkpoint) = (self.entry.display().to_string(), self.checkpoint.display().to_string());
        scene.cast.octroi("voltaic", &["verify", &entry, "--checkpoint", &checkpoint])
    }

    fn alteration(&self) -> Command {
        let mut sed = Command::new("sed");
        sed.args(["-i", r#"/"entry"/s/[A-Z]/a/"#]).arg(&self.entry);
        sed
    }

    /// A proof leads to the checkpoint of its moment, and the steps before had entries that the next one is to cover:
    /// waits until two checkpoints in a row are the same.
    fn settle(&self, scene: &Scene<'_>) {
        let mut before = None;
        for _ in 0..10 {
            if process::succeeds(&mut self.fetch(scene)) {
                let now = fs::read(&self.checkpoint).ok();
                if now.is_some() && now == before {
                    break;
                }
                before = now;
            }
            thread::sleep(Duration::from_millis(1_300));
        }
    }
}

/// Where in the evidence the last revocation of a grant stands.
fn revocation(scene: &Scene<'_>) -> Result<String, DemoError> {
    let list = ["--json", "evidence", "list", "--limit", "1000"];
    let listed = process::output(&mut scene.cast.octroi("audrey", &list))?;
    let mut entries = listed.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let action = |entry: &serde_json::Value| entry.get("action").and_then(|it| it.as_str()) == Some("RevokeGrant");
    let sequence = entries.rfind(action).and_then(|entry| entry.get("sequence")?.as_u64());
    Ok(sequence.unwrap_or_default().to_string())
}
