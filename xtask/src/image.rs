//! `cargo xtask image`: what a zone boots, into one folder.
//!
//! ```text
//! vmlinuz         Debian's own kernel, as Debian signed it
//! cmdline         the kernel's command line
//! initramfs.cpio  the guest's program, the one module that the kernel lacks, and nothing else
//! engine          the same program, for the process sandbox
//! manifest.json   what these are: kernel package and version, SHA-256 of each
//! ```
//!
//! The same sources, toolchain and kernel give the same bytes, in whatever folder. Trusts the toolchain and what apt
//! verified. Does not give: a measurement, which takes in QEMU as well and is the zone host's.

mod again;
mod archive;
mod guest;
mod kernel;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub(crate) use self::guest::{
    Guest, library_bench, library_bench_program, lint as guest_lint, nextest as guest_nextest, program as guest_program,
};
use self::{
    again::AgainError,
    archive::Archive,
    kernel::{Kernel, KernelError},
};
use crate::{
    prepare::{self, Need, PrepareError},
    process::{self, ProcessError},
    progress,
    project::Project,
};

/// What image to make.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder to make it in; files of the same names are replaced [default: zone-image in cargo's target folder]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Make the tests' hostile guest instead: one that lies, floods and hangs
    #[arg(long)]
    hostile: bool,
    /// Look for a newer kernel instead of taking the one that was fetched before
    #[arg(long)]
    newer_kernel: bool,
    /// Build the guest once more from a copy of the clone in another folder, and see that every byte is the same
    #[arg(long)]
    again: bool,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// The machine lacks something.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The guest does not build.
    #[error("the guest does not build")]
    Build(#[source] ProcessError),
    /// There is no kernel.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A file of the image cannot be made.
    #[error("`{path}` cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// More than the format of the initramfs holds.
    #[error("the initramfs cannot be packed")]
    Archive(#[source] io::Error),
    /// Another folder gives another image.
    #[error(transparent)]
    Again(#[from] AgainError),
    /// The manifest is no JSON.
    #[error("the manifest cannot be written")]
    Manifest(#[source] serde_json::Error),
}

/// Makes the image and says what is in it.
pub(crate) fn run(project: &Project, options: &Options) -> Result<(), ImageError> {
    prepare::machine(project, &[Need::CCompiler])?;
    let (guest, usual) =
        if options.hostile { (Guest::Hostile, hostile_folder(project)) } else { (Guest::Engine, folder(project)) };
    let folder = options.out.clone().unwrap_or(usual);
    let image = make(project, guest, &folder, options.newer_kernel)?;
    if options.again {
        again(project)?;
    }
    progress::heading(&format!("the image in {}", folder.display()));
    println!("kernel {} {}", image.kernel.package, image.kernel.version);
    for (name, file) in &image.files {
        println!("{name:<16}{:>12} bytes  sha256 {}", file.bytes, file.sha256);
    }
    Ok(())
}

/// Where the image is made unless another place is named.
pub(crate) fn folder(project: &Project) -> PathBuf {
    project.target().join("zone-image")
}

/// Where the tests' hostile image is made.
pub(crate) fn hostile_folder(project: &Project) -> PathBuf {
    project.target().join("hostile-image")
}

/// Where the image of benchmarks is made.
pub(crate) fn bench_folder(project: &Project) -> PathBuf {
    project.target().join("bench-image")
}

/// Builds the guest and packs the image.
pub(crate) fn make(project: &Project, guest: Guest, folder: &Path, newer_kernel: bool) -> Result<Manifest, ImageError> {
    progress::heading("building the guest");
    process::run(&mut guest::build(project, guest)).map_err(ImageError::Build)?;
    let kernel = Kernel::fetched(project, newer_kernel)?;
    let program = read(&guest::program(project, guest))?;
    let module = read(&kernel.module("kernel/drivers/block/virtio_blk.ko.xz"))?;
    let initramfs = initramfs(&program, &module).map_err(ImageError::Archive)?;
    fs::create_dir_all(folder).map_err(file(folder))?;
    let mut files = BTreeMap::new();
    for (name, content) in [
        ("vmlinuz", read(&kernel.image())?.as_slice()),
        ("cmdline", command_line(guest).as_bytes()),
        ("initramfs.cpio", &initramfs),
        ("engine", &program),
    ] {
        place(folder, name, content)?;
        files.insert(name, Described::new(content));
    }
    let manifest = Manifest { kernel: Package { package: kernel.package, version: kernel.version }, files };
    let text = serde_json::to_string_pretty(&manifest).map_err(ImageError::Manifest)?;
    place(folder, "manifest.json", format!("{text}\n").as_bytes())?;
    Ok(manifest)
}

/// Sees that the guest's program does not depend on the folder it is built in; all else of an image is packed the same.
pub(crate) fn again(project: &Project) -> Result<(), ImageError> {
    progress::heading("building the guest again, in another folder");
    Ok(again::build(project)?)
}

/// What an image is made of.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest {
    kernel: Package,
    files: BTreeMap<&'static str, Described>,
}

#[derive(Debug, Serialize)]
struct Package {
    package: String,
    version: String,
}

#[derive(Debug, Serialize)]
struct Described {
    bytes: usize,
    sha256: String,
}

impl Described {
    fn new(content: &[u8]) -> Self {
        let digest = Sha256::digest(content);
        Self { bytes: content.len(), sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// The guest's whole world: where the kernel's file systems go, and what runs. Without `/dev/null` a program whose
/// standard streams are closed does not start.
fn initramfs(program: &[u8], module: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.folder("dev")?;
    archive.device("dev/null", 1, 3)?;
    archive.program("init", program)?;
    archive.folder("modules")?;
    archive.file("modules/virtio_blk.ko.xz", module)?;
    archive.folder("proc")?;
    archive.folder("sys")?;
    archive.finish()
}

/// Aside and then in its place, so that nobody boots half a file. Other users may read it: QEMU runs as one.
fn place(folder: &Path, name: &str, content: &[u8]) -> Result<(), ImageError> {
    use std::os::unix::fs::PermissionsExt as _;
    let (path, aside) = (folder.join(name), folder.join(format!("{name}.part")));
    fs::write(&aside, content).map_err(file(&aside))?;
    let mode = if name == "engine" { 0o755 } else { 0o644 };
    fs::set_permissions(&aside, fs::Permissions::from_mode(mode)).map_err(file(&aside))?;
    fs::rename(&aside, &path).map_err(file(&path))
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    fs::read(path).map_err(file(path))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    move |source| ImageError::File { path: path.to_path_buf(), source }
}

/// What the kernel is told; to an image of benchmarks by the word that keeps it from being approved.
fn command_line(guest: Guest) -> String {
    match guest {
        Guest::Engine | Guest::Hostile => COMMAND_LINE.to_owned(),
        Guest::Bench => format!("{COMMAND_LINE} octroi.bench"),
    }
}

/// Locked down, modules signed; a panic ends the VM; no console. Small pages: a clone pays for each page that it
/// writes to. The root is of the kind whose size has no limit: the program fills more than half of a small machine.
/// Whatever the kernel does besides, each clone would do, and without KVM translate, anew: so no security module but
/// those that are used, no pressure or memory accounting, no watchdog.
const COMMAND_LINE: &str = "lockdown=confidentiality module.sig_enforce=1 panic=-1 reboot=t quiet loglevel=0 \
     transparent_hugepage=never random.trust_bootloader=off ipv6.disable=1 rootfstype=ramfs \
     lsm=lockdown,yama,landlock psi=0 cgroup_disable=memory nowatchdog";
