//! Swap: guest memory holds rows in clear, and must not be written to a disk in clear.

use std::{
    io,
    path::{Path, PathBuf},
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// None is on.
    Off,
    /// All of it is compressed memory or encrypted.
    Safe,
    /// Some of it is written in clear.
    InClear(Vec<PathBuf>),
}

impl Swap {
    /// The swap that is on now.
    ///
    /// # Errors
    /// What the system says.
    pub fn now() -> io::Result<Self> {
        Ok(Self::of(&std::fs::read_to_string("/proc/swaps")?, is_safe))
    }

    /// Judges a listing (proc(5), `/proc/swaps`).
    fn of(listing: &str, is_safe: impl Fn(&Path) -> bool) -> Self {
        let areas: Vec<PathBuf> = listing.lines().skip(1).filter_map(area).collect();
        let in_clear: Vec<PathBuf> = areas.iter().filter(|area| !is_safe(area)).cloned().collect();
        match (areas.is_empty(), in_clear.is_empty()) {
            (true, _) => Self::Off,
            (false, true) => Self::Safe,
            (false, false) => Self::InClear(in_clear),
        }
    }
}

fn area(line: &str) -> Option<PathBuf> {
    // the kernel writes blanks in names as octal: such a name is no device of ours, and counts as in clear
    line.split_ascii_whitespace().next().map(PathBuf::from)
}

/// Whether a swap area is dm-crypt or zram.
fn is_safe(area: &Path) -> bool {
    let Ok(device) = area.canonicalize() else { return false };
    let Some(name) = device.strip_prefix("/dev").ok().and_then(Path::to_str) else { return false };
    let backing = |file| std::fs::read_to_string(format!("/sys/block/{name}/{file}")).unwrap_or_default();
    if name.starts_with("zram") {
        return matches!(backing("backing_dev").trim(), "" | "none");
    }
    backing("dm/uuid").starts_with("CRYPT-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn only_swap_in_clear_is_in_clear() {
        let of = |areas: &str| Swap::of(&format!("{HEAD}{areas}"), |area| area == Path::new("/dev/dm-1"));
        assert_eq!(of(""), Swap::Off);
        assert_eq!(of("/dev/dm-1  partition\t8\t0\t-2\n"), Swap::Safe);
        let both = of("/dev/dm-1  partition\t8\t0\t-2\n/swap\\040file  file\t8\t0\t-3\n");
        assert_eq!(both, Swap::InClear(vec!["/swap\\040file".into()]));
    }

    #[test]
    fn what_is_not_known_is_in_clear() {
        for area in ["/swapfile", "/dev/sda2", "/dev/dm-9999", "/dev/mapper/none"] {
            assert!(!is_safe(Path::new(area)), "{area}");
        }
    }
}
