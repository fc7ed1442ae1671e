//! What happened, and that nothing of it was altered.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use super::Scene;
use crate::{
    demo::{DemoError, file, story::Story},
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
        .step("audrey", "The end of the evidence: who did what, by which policies; refusals too")
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
    story
        .step("thief", "Alter one byte")
        .does(&mut paper.alteration(), |_| alter(&paper.entry).map_err(file(&paper.entry)).map(|said| ((), said)))?;
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
        let mut command = Command::new("vi");
        command.arg(&self.entry);
        command
    }

    /// A proof leads to the checkpoint of its moment; the steps above have entries that the next one is to cover.
    fn settle(&self, scene: &Scene<'_>) {
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(500));
            if [self.export(scene), self.fetch(scene), self.verify(scene)].iter_mut().all(process::succeeds) {
                break;
            }
        }
    }
}

/// Where in the evidence the last revocation of a grant stands.
fn revocation(scene: &Scene<'_>) -> Result<String, DemoError> {
    let list = ["--json", "evidence", "list", "--limit", "1000"];
    let listed = process::output(&mut scene.cast.octroi("audrey", &list))?;
    let entries = listed.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let action = |entry: &serde_json::Value| entry.get("action").and_then(|it| it.as_str()) == Some("RevokeGrant");
    let sequence = entries.filter(action).last().and_then(|entry| entry.get("sequence")?.as_u64());
    Ok(sequence.unwrap_or_default().to_string())
}

/// Changes one letter or digit in the middle of a file, and says which.
fn alter(path: &Path) -> io::Result<String> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    let Some((at, byte)) = bytes.iter_mut().enumerate().skip(middle).find(|(_, byte)| byte.is_ascii_alphanumeric())
    else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let was = char::from(*byte);
    *byte = if was == 'a' { b'b' } else { b'a' };
    let said = format!("byte {at}: `{was}` is now `{}`", char::from(*byte));
    fs::write(path, bytes)?;
    Ok(said)
}
