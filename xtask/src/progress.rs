//! What a person sees while something runs: a bar or a spinner on a terminal, plain lines elsewhere.

use std::{
    error::Error,
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Begins a part of the output.
pub(crate) fn heading(text: &str) {
    println!("\n=== {text}");
}

/// Says why everything stopped, with the causes.
pub(crate) fn failure(error: &dyn Error) {
    println!("\nerror: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        println!("  because: {error}");
        cause = error.source();
    }
}

/// A duration as people say it.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// Something long under way.
#[derive(Debug)]
pub(crate) struct Wait {
    label: String,
    /// Absent where nobody watches a terminal.
    bar: Option<ProgressBar>,
    begun: Instant,
    said: Instant,
}

impl Wait {
    /// For something of unknown length.
    pub(crate) fn begin(label: &str) -> Self {
        Self::with(label, || {
            ProgressBar::new_spinner().with_style(style("{spinner} {prefix} [{elapsed}] {wide_msg:.dim}"))
        })
    }

    /// For something of `total` steps.
    pub(crate) fn of(label: &str, total: u64) -> Self {
        let template = "{prefix} [{bar:30}] {human_pos}/{human_len} ({eta} left)";
        Self::with(label, || ProgressBar::new(total).with_style(style(template)))
    }

    /// What it is at.
    pub(crate) fn at(&mut self, detail: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(detail.to_owned()),
            None => self.still(detail),
        }
    }

    /// Time passed with no news.
    pub(crate) fn idle(&mut self) {
        if self.bar.is_none() {
            self.still("still at it");
        }
    }

    /// More steps done.
    pub(crate) fn advance(&mut self, steps: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(steps);
        }
    }

    /// Ends it; returns how long it took.
    pub(crate) fn done(self) -> Duration {
        let took = self.begun.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        println!("{}: done in {}", self.label, spoken(took));
        took
    }

    fn with(label: &str, bar: impl FnOnce() -> ProgressBar) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar().with_prefix(label.to_owned()));
        match &bar {
            Some(bar) => bar.enable_steady_tick(Duration::from_millis(120)),
            None => println!("{label} ..."),
        }
        Self { label: label.to_owned(), bar, begun: Instant::now(), said: Instant::now() }
    }

    fn still(&mut self, detail: &str) {
        if self.said.elapsed() >= QUIET {
            self.said = Instant::now();
            println!("  {} so far: {detail}", spoken(self.begun.elapsed()));
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Between two plain lines about the same thing.
const QUIET: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_say_them() {
        assert_eq!(spoken(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(spoken(Duration::from_secs(125)), "2 min 05 s");
    }
}
