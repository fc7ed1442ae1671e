//! Tells the demo: each step says what is asked, shows by whom and with which command, runs it, shows what came back,
//! and is wrong if that is not what the story needs.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
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
    #[error("step {step}: the answer has nothing after `{word}`")]
    Answer { step: usize, word: String },
}

/// The demo as it is told.
#[derive(Debug)]
pub(super) struct Story {
    folder: PathBuf,
    steps: usize,
}

/// A step about to be taken.
#[derive(Debug)]
#[must_use = "a step is taken by `run`, `refused`, `finds_nothing`, `does` or `each`"]
pub(super) struct Step<'s> {
    story: &'s mut Story,
    who: &'s str,
    asked: &'s str,
    shown: Shown,
}

/// How much of an answer is shown.
#[derive(Debug, Clone, Copy)]
enum Shown {
    First(usize),
    Last(usize),
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
        Self { folder: folder.to_path_buf(), steps: 0 }
    }

    /// Begins a chapter.
    pub(super) fn chapter(&self, title: &str) {
        println!("\n\n== {title}");
    }

    /// A remark between steps.
    pub(super) fn remark(&self, text: &str) {
        println!("{INDENT}{text}");
    }

    /// The next step: by whom, and what is asked.
    pub(super) fn step<'s>(&'s mut self, who: &'s str, asked: &'s str) -> Step<'s> {
        Step { story: self, who, asked, shown: Shown::First(6) }
    }

    /// Steps taken.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    fn introduce(&mut self, who: &str, asked: &str, command: &str) -> usize {
        self.steps += 1;
        println!("\n{:>3}. {asked}", self.steps);
        for line in wrapped(&format!("{who}$ {}", self.shorten(command))) {
            println!("{INDENT}{line}");
        }
        self.steps
    }

    fn show(&self, text: &str, shown: Shown) {
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let (Shown::First(most) | Shown::Last(most)) = shown;
        let hidden = lines.len().saturating_sub(most);
        let tell = || println!("{INDENT}| ... {hidden} lines more");
        let say = |line: &&str| println!("{INDENT}| {}", clip(&self.shorten(line)));
        match shown {
            _ if hidden == 0 => lines.iter().for_each(say),
            Shown::First(_) => {
                lines.iter().take(most).for_each(say);
                tell();
            }
            Shown::Last(_) => {
                tell();
                lines.iter().skip(hidden).for_each(say);
            }
        }
    }

    /// With the demo's folder as `$DEMO`.
    pub(super) fn shorten(&self, text: &str) -> String {
        text.replace(&*self.folder.to_string_lossy(), "$DEMO")
    }
}

impl<'s> Step<'s> {
    /// Shows so many lines of the answer, the first ones.
    pub(super) fn shows(self, lines: usize) -> Self {
        Self { shown: Shown::First(lines), ..self }
    }

    /// Shows so many lines of the answer, the last ones.
    pub(super) fn ends(self, lines: usize) -> Self {
        Self { shown: Shown::Last(lines), ..self }
    }

    /// Asks, and must be answered.
    pub(super) fn run(self, command: Command) -> Result<Answer, StoryError> {
        let (answer, allowed) = self.ask(command)?;
        if allowed { Ok(answer) } else { Err(StoryError::Refused { step: answer.step }) }
    }

    /// Asks, and must be refused.
    pub(super) fn refused(self, command: Command) -> Result<(), StoryError> {
        let (answer, allowed) = self.ask(command)?;
        if allowed {
            return Err(StoryError::Allowed { step: answer.step });
        }
        println!("{INDENT}refused, as it must be");
        Ok(())
    }

    /// Searches, and must find nothing.
    pub(super) fn finds_nothing(self, command: Command) -> Result<(), StoryError> {
        let (answer, found) = self.ask(command)?;
        if found {
            return Err(StoryError::Allowed { step: answer.step });
        }
        println!("{INDENT}| (nothing)");
        Ok(())
    }

    /// Does something that is more than a command, under the heading of one.
    pub(super) fn does<T, E>(
        self,
        command: &mut Command,
        work: impl FnOnce(&mut Command) -> Result<(T, String), E>,
    ) -> Result<T, E> {
        self.story.introduce(self.who, self.asked, &process::name(command));
        let (value, said) = work(command)?;
        self.story.show(&said, self.shown);
        Ok(value)
    }

    /// Does the same for each: `pattern` is shown once, then a line for each item when its commands have succeeded.
    pub(super) fn each(
        self,
        pattern: &str,
        items: impl IntoIterator<Item = (String, Vec<Command>)>,
    ) -> Result<(), StoryError> {
        let step = self.story.introduce(self.who, self.asked, pattern);
        for (said, commands) in items {
            for command in commands {
                let output = output(command, step)?;
                if !output.status.success() {
                    self.story.show(&String::from_utf8_lossy(&output.stderr), self.shown);
                    return Err(StoryError::Refused { step });
                }
            }
            println!("{INDENT}| {}", clip(&said));
        }
        Ok(())
    }

    fn ask(self, command: Command) -> Result<(Answer, bool), StoryError> {
        let step = self.story.introduce(self.who, self.asked, &process::name(&command));
        let output = output(command, step)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        self.story.show(&text, self.shown);
        self.story.show(&String::from_utf8_lossy(&output.stderr), self.shown);
        Ok((Answer { step, text }, output.status.success()))
    }
}

impl Answer {
    /// The word that follows the first `word` of the answer.
    pub(super) fn after(&self, word: &str) -> Result<String, StoryError> {
        let found = self.text.split_whitespace().skip_while(|it| *it != word).nth(1);
        found.map(str::to_owned).ok_or_else(|| StoryError::Answer { step: self.step, word: word.to_owned() })
    }
}

fn output(mut command: Command, step: usize) -> Result<Output, StoryError> {
    command.stdin(Stdio::null()).output().map_err(|source| StoryError::Start { step, source })
}

/// At most a terminal's line.
fn clip(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// A command over several lines, as a shell would take it, where one is too long.
fn wrapped(command: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in command.split(' ') {
        match lines.last_mut() {
            // Inside quotes a line cannot be broken.
            Some(line)
                if line.chars().count() + word.chars().count() + 3 <= WIDTH || line.matches('\'').count() % 2 == 1 =>
            {
                line.push(' ');
                line.push_str(word);
            }
            Some(line) => {
                line.push_str(" \\");
                lines.push(format!("  {word}"));
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

const INDENT: &str = "     ";
const WIDTH: usize = 105;

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
        let answer = story.step("claire", "echo").run(shell("echo grant a1 until")).unwrap();
        assert_eq!(answer.after("grant").unwrap(), "a1");
        assert_eq!(answer.after("until").unwrap_err().to_string(), "step 1: the answer has nothing after `until`");
        assert!(story.step("claire", "no").refused(shell("exit 1")).is_ok());
        assert!(matches!(story.step("claire", "no").refused(shell("exit 0")), Err(StoryError::Allowed { step: 3 })));
        assert!(matches!(story.step("claire", "yes").run(shell("exit 2")), Err(StoryError::Refused { step: 4 })));
        assert_eq!(story.steps(), 4);
    }

    #[test]
    fn one_failure_among_many_is_a_failure() {
        let mut story = Story::new(Path::new("/tmp/demo"));
        let all = |last: &str| vec![("one".to_owned(), vec![shell("true")]), ("two".to_owned(), vec![shell(last)])];
        assert!(story.step("claire", "all").each("sh FILE", all("true")).is_ok());
        assert!(matches!(
            story.step("claire", "all").each("sh FILE", all("false")),
            Err(StoryError::Refused { step: 2 })
        ));
    }

    #[test]
    fn long_lines_are_clipped_between_characters() {
        assert_eq!(clip(&"é".repeat(500)).chars().count(), WIDTH);
    }

    #[test]
    fn long_commands_go_on_in_the_next_line() {
        assert_eq!(wrapped("claire$ octroi whoami"), ["claire$ octroi whoami"]);
        let long = format!("claire$ octroi {}", "--flag value ".repeat(12).trim());
        let lines = wrapped(&long);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:?}");
        assert_eq!(lines.join("\n").replace(" \\\n ", ""), long);
    }
}
