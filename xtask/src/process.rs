//! Child processes: run in the open, quietly, or line by line.

use std::{
    collections::VecDeque,
    io::{self, BufRead as _, BufReader, Read},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, SyncSender},
    thread,
    time::Duration,
};

use crate::progress::Wait;

/// Why a child process was of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// It could not be started.
    #[error("`{program}` cannot be started")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    /// It ended with a failure; `tail` is the end of what it said, where that was not shown already.
    #[error("`{program}` failed ({status}){tail}")]
    Failed { program: String, status: ExitStatus, tail: String },
}

/// Runs it with its output in the open.
pub(crate) fn run(command: &mut Command) -> Result<(), ProcessError> {
    let status = command.status().map_err(|source| start(command, source))?;
    ended(command, status, String::new)
}

/// Runs it and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, ProcessError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| start(command, source))?;
    ended(command, output.status, || format!(":\n{}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether it runs and succeeds; nothing is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs it behind a spinner; its last lines are in the error when it fails.
pub(crate) fn quietly(label: &str, command: &mut Command) -> Result<(), ProcessError> {
    let mut wait = Wait::begin(label);
    let mut tail = VecDeque::new();
    let status = watch(command, |line| match line {
        Some(line) => {
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            wait.at(line.trim());
            tail.push_back(line.to_owned());
        }
        None => wait.idle(),
    })?;
    ended(command, status, || format!("; its last lines:\n{}", Vec::from(tail).join("\n")))?;
    wait.done();
    Ok(())
}

/// Runs it in the open and hands each line to `see` as well.
pub(crate) fn overhear(command: &mut Command, mut see: impl FnMut(&str)) -> Result<(), ProcessError> {
    let status = watch(command, |line| {
        if let Some(line) = line {
            println!("{line}");
            see(line);
        }
    })?;
    ended(command, status, String::new)
}

/// Runs it; `see` gets each line of either stream as it comes, and `None` for every five seconds of silence.
fn watch(command: &mut Command, mut see: impl FnMut(Option<&str>)) -> Result<ExitStatus, ProcessError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| start(command, source))?;
    let (sender, lines) = mpsc::sync_channel(256);
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender);
    }
    loop {
        match lines.recv_timeout(Duration::from_secs(5)) {
            Ok(line) => see(Some(&line)),
            Err(RecvTimeoutError::Timeout) => see(None),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    child.wait().map_err(|source| start(command, source))
}

fn forward(stream: impl Read + Send + 'static, lines: SyncSender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
}

fn start(command: &Command, source: io::Error) -> ProcessError {
    ProcessError::Start { program: name(command), source }
}

fn ended(command: &Command, status: ExitStatus, tail: impl FnOnce() -> String) -> Result<(), ProcessError> {
    if status.success() { Ok(()) } else { Err(ProcessError::Failed { program: name(command), status, tail: tail() }) }
}

/// Program and arguments, as one would type them.
pub(crate) fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args()).map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Lines of a failed process that are worth showing.
const TAIL_LINES: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_reads_as_one_would_type_it() {
        assert_eq!(name(&shell("echo 'a b'")), r"sh -c 'echo '\''a b'\'''");
        assert_eq!(name(&Command::new("/usr/bin/true")), "true");
    }

    #[test]
    fn both_streams_are_overheard_and_a_failure_is_told() {
        let mut heard = Vec::new();
        let error =
            overhear(&mut shell("echo out; echo err >&2; exit 3"), |line| heard.push(line.to_owned())).unwrap_err();
        heard.sort();
        assert_eq!(heard, ["err", "out"]);
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_quiet_failure_shows_its_last_lines() {
        let error = quietly("counting", &mut shell("seq 100; exit 1")).unwrap_err().to_string();
        assert!(error.ends_with("99\n100") && !error.contains("\n40\n"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program-here` cannot be started");
    }
}
