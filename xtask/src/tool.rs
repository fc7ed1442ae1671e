//! Cargo's companions, at versions we choose, installed once into the cache folder and never into the clone.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    process::{self, ProcessError},
    project::Project,
};

/// A program from crates.io.
#[derive(Debug)]
pub(crate) struct CargoTool {
    name: &'static str,
    version: &'static str,
    flags: &'static [&'static str],
}

/// Checks licences, bans and sources.
pub(crate) const DENY: CargoTool = CargoTool { name: "cargo-deny", version: "0.20.2", flags: &[] };

/// Runs the tests; without its self-updater.
pub(crate) const NEXTEST: CargoTool =
    CargoTool { name: "cargo-nextest", version: "0.9.151", flags: &["--no-default-features"] };

/// Runs the fuzz targets.
pub(crate) const FUZZ: CargoTool = CargoTool { name: "cargo-fuzz", version: "0.13.2", flags: &[] };

impl CargoTool {
    /// The program, installed first if it must be.
    pub(crate) fn ready(&self, project: &Project) -> Result<PathBuf, ProcessError> {
        let folder = project.cache().join("tools");
        let kept = folder.join("bin").join(self.name);
        if let Some(found) = [kept.clone(), self.name.into()].into_iter().find(|program| self.is(program)) {
            return Ok(found);
        }
        // Of no consequence: cargo makes the folder too, and says what is wrong if it cannot.
        let _ = fs::create_dir_all(&folder);
        let exact = format!("{}@{}", self.name, self.version);
        let mut install = project.cargo(&["install", "--locked", "--force", "--profile", "dev", "--root"]);
        // Unoptimised: these spend their time waiting for cargo and for tests, and build in half the time.
        install.arg(&folder).args(self.flags).arg(&exact).env("CARGO_PROFILE_DEV_DEBUG", "0");
        // From the clone the workspace's own settings would apply.
        install.current_dir(&folder);
        process::quietly(&format!("installing {exact}"), &mut install)?;
        Ok(kept)
    }

    /// Whether this program is the tool, at our version or a later patch of it.
    fn is(&self, program: &PathBuf) -> bool {
        process::output(Command::new(program).arg("--version")).is_ok_and(|said| compatible(&said, self.version))
    }
}

/// Whether `said` (`cargo-deny 0.20.2`) names a version that differs from `wanted` in its patch at most.
fn compatible(said: &str, wanted: &str) -> bool {
    let line = |version: &str| version.rsplit_once('.').map(|(line, _)| line.to_owned());
    said.split_whitespace().nth(1).and_then(line) == line(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_patch_will_do_but_no_other_version() {
        assert!(compatible("cargo-nextest 0.9.151 (abc 2026-10-01)\nrelease: 0.9.151", "0.9.151"));
        assert!(compatible("cargo-deny 0.20.7", "0.20.2"));
        assert!(!compatible("cargo-deny 0.21.0", "0.20.2"));
        assert!(!compatible("", "0.20.2"));
    }
}
