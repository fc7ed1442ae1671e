//! The machine that was measured on.

use std::{fs, process::Command};

use crate::{process, project::Project};

/// Lines that say what it is.
pub(super) fn describe(project: &Project) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut commit = project.command("git");
    vec![
        format!("Machine: {cores} cores of {}, {} of memory", processor(), memory()),
        format!(
            "System: Linux {}, {}",
            read("/proc/sys/kernel/osrelease"),
            first_line("qemu-system-x86_64", "--version")
        ),
        format!("Commit: {}", said(commit.args(["describe", "--always", "--dirty"]))),
    ]
}

/// Load averages of 1, 5 and 15 minutes.
pub(super) fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn processor() -> String {
    field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "an unknown processor".to_owned())
}

fn memory() -> String {
    let total = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kibibytes: u64 = total.trim_end_matches(" kB").parse().unwrap_or_default();
    format!("{} GiB", kibibytes.div_ceil(1 << 20))
}

/// `name   : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

fn first_line(program: &str, flag: &str) -> String {
    said(Command::new(program).arg(flag)).lines().next().unwrap_or_default().to_owned()
}

/// What is not known is left empty: it is told beside figures, and nothing depends on it.
fn said(command: &mut Command) -> String {
    process::output(command).unwrap_or_default().trim().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 17\nmodel name\t: EPYC 7B13 : 2\n";
        assert_eq!(field(text, "model name").as_deref(), Some("EPYC 7B13 : 2"));
        assert_eq!(field(text, "name"), None);
    }
}
