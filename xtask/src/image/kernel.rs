//! Debian's kernel for clouds: fetched and verified by apt, unpacked, never installed. One that was fetched once is
//! kept, so that an image stays what it is until someone asks for a newer kernel.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    prepare::{Sources, SourcesError},
    process::{self, ProcessError},
    progress,
    project::Project,
};

/// A kernel, unpacked.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) package: String,
    pub(super) version: String,
    folder: PathBuf,
    /// As in the names of its files: `6.12.117+deb12-cloud-amd64`.
    release: String,
}

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    /// Nowhere to get it from.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// apt or dpkg failed.
    #[error("the guest's kernel cannot be fetched")]
    Fetch(#[from] ProcessError),
    /// What was fetched is not what we know.
    #[error("`{package}` names no kernel")]
    NoKernel { package: &'static str },
    /// A file cannot be used.
    #[error("`{path}` cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Kernel {
    /// The kernel that was fetched before, or Debian's newest.
    pub(super) fn fetched(project: &Project, newer: bool) -> Result<Self, KernelError> {
        let cache = project.cache().join("kernel");
        let current = cache.join("current");
        if !newer
            && let Ok(name) = fs::read_to_string(&current)
            && let Some(kernel) = Self::at(&cache, name.trim())
        {
            return Ok(kernel);
        }
        let name = fetch(project, &cache)?;
        let kernel = Self::at(&cache, &name).ok_or(KernelError::NoKernel { package: "linux-image" })?;
        fs::write(&current, name).map_err(file(&current))?;
        Ok(kernel)
    }

    /// The kernel itself.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// One of its modules, as Debian packs and signs it.
    pub(super) fn module(&self, path: &str) -> PathBuf {
        // Debian 13 has moved /lib under /usr.
        let places = ["usr/lib/modules", "lib/modules"].map(|place| self.folder.join(place).join(&self.release));
        let [moved, old] = places.map(|modules| modules.join(path));
        if moved.is_file() { moved } else { old }
    }

    /// The kernel in `package_version` below the cache, if it is whole.
    fn at(cache: &Path, name: &str) -> Option<Self> {
        let (package, version) = name.split_once('_')?;
        let release = package.strip_prefix("linux-image-")?.to_owned();
        let kernel =
            Self { package: package.to_owned(), version: version.to_owned(), folder: cache.join(name), release };
        kernel.image().is_file().then_some(kernel)
    }
}

/// Fetches and unpacks; returns `package_version`.
fn fetch(project: &Project, cache: &Path) -> Result<String, KernelError> {
    let sources = Sources::of_this_release(project)?;
    process::quietly("looking for the guest's kernel", sources.command("apt-get").args(["--quiet", "update"]))?;
    let (package, version) = newest(&sources)?;
    let name = format!("{package}_{version}");
    progress::heading(&format!("the guest's kernel: {package} {version}"));
    let (folder, aside) = (cache.join(&name), cache.join(format!("{name}.part")));
    if folder.is_dir() {
        return Ok(name);
    }
    if aside.is_dir() {
        fs::remove_dir_all(&aside).map_err(file(&aside))?;
    }
    fs::create_dir_all(&aside).map_err(file(&aside))?;
    let mut download = sources.command("apt-get");
    download.current_dir(&aside).args(["--quiet", "download"]).arg(format!("{package}={version}"));
    process::quietly("fetching the guest's kernel", &mut download)?;
    let archive = only_archive(&aside)?;
    process::run(project.command("dpkg-deb").arg("--extract").arg(&archive).arg(&aside))?;
    fs::remove_file(&archive).map_err(file(&archive))?;
    fs::rename(&aside, &folder).map_err(file(&folder))?;
    Ok(name)
}

/// The package that the release's metapackage stands for, and its version.
fn newest(sources: &Sources) -> Result<(String, String), KernelError> {
    let metapackage = sources.kernel();
    let mut depends = sources.command("apt-cache");
    depends.args(["depends", "--important", metapackage]);
    let said = process::output(&mut depends)?;
    let package = dependency(&said).ok_or(KernelError::NoKernel { package: metapackage })?;
    let mut show = sources.command("apt-cache");
    show.args(["show", "--no-all-versions", &package]);
    let said = process::output(&mut show)?;
    let version = said.lines().find_map(|line| line.strip_prefix("Version: "));
    let version = version.ok_or(KernelError::NoKernel { package: metapackage })?;
    Ok((package, version.to_owned()))
}

/// The first dependency that is a kernel.
fn dependency(said: &str) -> Option<String> {
    let depends = said.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    depends.map(str::to_owned).find(|name| name.starts_with("linux-image-"))
}

fn only_archive(folder: &Path) -> Result<PathBuf, KernelError> {
    let entries = fs::read_dir(folder).map_err(file(folder))?;
    let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let archive = paths.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    archive.ok_or(KernelError::NoKernel { package: "linux-image" })
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> KernelError {
    move |source| KernelError::File { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metapackage_names_its_kernel() {
        let said = "linux-image-cloud-amd64\n  Depends: linux-image-6.12.57+deb13-cloud-amd64\n";
        assert_eq!(dependency(said).unwrap(), "linux-image-6.12.57+deb13-cloud-amd64");
        assert_eq!(dependency("linux-image-cloud-amd64\n  Depends: <linux-image>\n"), None);
    }

    #[test]
    fn a_kernel_is_whole_or_not_there() {
        let cache = tempfile::tempdir().unwrap();
        let name = "linux-image-6.12.57+deb13-cloud-amd64_6.12.57-1";
        assert!(Kernel::at(cache.path(), name).is_none());
        let boot = cache.path().join(name).join("boot");
        fs::create_dir_all(&boot).unwrap();
        fs::write(boot.join("vmlinuz-6.12.57+deb13-cloud-amd64"), "a kernel").unwrap();
        let kernel = Kernel::at(cache.path(), name).unwrap();
        assert_eq!(kernel.version, "6.12.57-1");
        assert!(kernel.module("x.ko.xz").ends_with("lib/modules/6.12.57+deb13-cloud-amd64/x.ko.xz"));
        assert!(Kernel::at(cache.path(), "current").is_none());
    }
}
