//! Tells the demo: each step says what is asked and by whom, shows the command, runs it, shows what came back, and
//! is wrong if that is not what the story needs.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::process;

/// A step that went otherwise than told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoryError {
    /// Its program is missing.
    #[error("step {step}: the command cannot be started")]
    Start {
        step: usize,
        #[source]
        source: io::Error,
    },
    /// What should have been done was refused or failed.
    #[error("step {step} should have succeeded")]
    Refused { step: usize },
    /// What should have been refused was done.
    #[error("step {step} should have been refused")]
    Allowed { step: usize },
    /// The answer lacks what a later step needs.
    #[error("step {step}: the answer has no `{field}`")]
    Answer { step: usize, field: String },
}

/// The demo as it is told.
#[derive(Debug)]
pub(super) struct Story {
    folder: PathBuf,
    steps: usize,
}

/// A step about to be taken.
#[derive(Debug)]
#[must_use = "a step is taken by `run`, `refused` or `finds_nothing`"]
pub(super) struct Step<'s> {
    story: &'s mut Story,
    asked: &'s str,
    by: &'s str,
    lines: usize,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    step: usize,
    text: String,
}

impl Story {
    /// `folder` is shown as `$DEMO`.
    pub(super) fn new(folder: &Path) -> Self {
        println!("\nIn what follows DEMO={}", folder.display());
        Self { folder: folder.to_path_buf(), steps: 0 }
    }

    /// Begins a chapter.
    pub(super) fn chapter(&self, title: &str) {
        println!("\n\n== {title}");
    }

    /// A remark between steps.
    pub(super) fn remark(&self, text: &str) {
        println!("     {text}");
    }

    /// The next step: what is asked.
    pub(super) fn step<'s>(&'s mut self, asked: &'s str) -> Step<'s> {
        Step { story: self, asked, by: "anyone", lines: 6 }
    }

    /// Steps taken.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// A step's heading.
    fn introduce(&mut self, asked: &str, by: &str, command: &Command) -> usize {
        self.steps += 1;
        println!("\n{:>3}. {asked}", self.steps);
        println!("     by {by}");
        println!("     $ {}", self.shorten(&process::name(command)));
        self.steps
    }

    fn show(&self, text: &str, lines: usize) {
        let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in all.iter().take(lines) {
            println!("     | {}", clip(&self.shorten(line)));
        }
        if all.len() > lines {
            println!("     | ... and {} lines more", all.len() - lines);
        }
    }

    fn shorten(&self, text: &str) -> String {
        text.replace(&*self.folder.to_string_lossy(), "$DEMO")
    }
}

impl<'s> Step<'s> {
    /// Who asks; anyone, unless said.
    pub(super) fn by(self, by: &'s str) -> Self {
        Self { by, ..self }
    }

    /// How many lines of the answer are shown.
    pub(super) fn shows(self, lines: usize) -> Self {
        Self { lines, ..self }
    }

    /// Asks, and must be answered.
    pub(super) fn run(self, mut command: Command) -> Result<Answer, StoryError> {
        let (answer, allowed) = self.ask(&mut command)?;
        if allowed { Ok(answer) } else { Err(StoryError::Refused { step: answer.step }) }
    }

    /// Asks, and must be refused.
    pub(super) fn refused(self, mut command: Command) -> Result<(), StoryError> {
        let (answer, allowed) = self.ask(&mut command)?;
        if allowed {
            return Err(StoryError::Allowed { step: answer.step });
        }
        println!("     refused, as it must be");
        Ok(())
    }

    /// Searches, and must find nothing.
    pub(super) fn finds_nothing(self, mut command: Command) -> Result<(), StoryError> {
        let (answer, found) = self.ask(&mut command)?;
        if found {
            return Err(StoryError::Allowed { step: answer.step });
        }
        println!("     | (nothing)");
        Ok(())
    }

    /// Does something that is not a command of its own, under the heading of one.
    pub(super) fn does<T, E>(
        self,
        command: &mut Command,
        work: impl FnOnce(&mut Command) -> Result<(T, String), E>,
    ) -> Result<T, E> {
        self.story.introduce(self.asked, self.by, command);
        let (value, said) = work(command)?;
        self.story.show(&said, self.lines);
        Ok(value)
    }

    fn ask(self, command: &mut Command) -> Result<(Answer, bool), StoryError> {
        let step = self.story.introduce(self.asked, self.by, command);
        let output = command.stdin(Stdio::null()).output().map_err(|source| StoryError::Start { step, source })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        self.story.show(&text, self.lines);
        self.story.show(&String::from_utf8_lossy(&output.stderr), self.lines);
        Ok((Answer { step, text }, output.status.success()))
    }
}

impl Answer {
    /// A field of an answer in JSON, as text.
    pub(super) fn field(&self, field: &str) -> Result<String, StoryError> {
        let value: Option<serde_json::Value> = serde_json::from_str(&self.text).ok();
        let text = value.as_ref().and_then(|value| {
            let value = value.get(field)?;
            value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
        });
        text.ok_or_else(|| StoryError::Answer { step: self.step, field: field.to_owned() })
    }
}

/// At most a terminal's line.
fn clip(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}

const WIDTH: usize = 110;

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_step_holds_the_answer_to_the_story() {
        let mut story = Story::new(Path::new("/tmp/demo"));
        let answer = story.step("echo").by("claire").run(shell(r#"echo '{"id": "a1", "n": 3}'"#)).unwrap();
        assert_eq!((answer.field("id").unwrap(), answer.field("n").unwrap()), ("a1".to_owned(), "3".to_owned()));
        assert_eq!(answer.field("other").unwrap_err().to_string(), "step 1: the answer has no `other`");
        assert!(story.step("no").refused(shell("exit 1")).is_ok());
        assert!(matches!(story.step("no").refused(shell("exit 0")), Err(StoryError::Allowed { step: 3 })));
        assert!(matches!(story.step("yes").run(shell("exit 2")), Err(StoryError::Refused { step: 4 })));
        assert_eq!(story.steps(), 4);
    }

    #[test]
    fn long_lines_are_clipped_between_characters() {
        assert_eq!(clip(&"é".repeat(500)).chars().count(), WIDTH);
    }
}
