//! `cargo xtask demo`: the ways through the gate, walked one after the other on a lake made for it, with nothing but
//! the commands that anyone could type.

mod cast;
#[cfg(test)]
mod descriptions;
mod gateway;
mod interrupt;
mod plot;
mod ports;
mod story;

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;

use self::{cast::Cast, gateway::Gateway, plot::Scene, ports::Ports, story::Story};
pub(crate) use self::{gateway::GatewayError, story::StoryError};
use crate::{
    image::{self, Guest, ImageError},
    lake::{self, LakeError},
    prepare::{self, Need, PrepareError},
    process::{self, ProcessError},
    progress,
    project::Project,
};

/// How to show it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave the gateway up at the end, and print its addresses and ready-made profiles
    #[arg(long)]
    serve: bool,
    /// Keep the demo's folder, as `--serve` and a failure do by themselves
    #[arg(long)]
    keep: bool,
    /// The demo's folder; must not exist, and be where other users can reach it [default: a new one in the system's
    /// temporary folder]
    #[arg(long)]
    folder: Option<PathBuf>,
    #[command(flatten)]
    size: lake::Size,
}

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The machine lacks something.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The gateway does not build.
    #[error("the gateway does not build")]
    Build(#[source] ProcessError),
    /// There is no image for questions to run in.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The gateway does not run.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A step went otherwise than told.
    #[error(transparent)]
    Story(#[from] StoryError),
    /// A command beside the story failed.
    #[error("a command beside the story failed")]
    Command(#[source] ProcessError),
    /// No port is free.
    #[error("no port of this machine can be had")]
    Ports(#[source] io::Error),
    /// Someone pressed Ctrl-C.
    #[error("interrupted; the gateway was stopped")]
    Interrupted,
    /// A file of the demo.
    #[error("`{path}` cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Prepares, builds, makes a lake and walks the ways.
pub(crate) fn run(project: &Project, options: &Options) -> Result<(), DemoError> {
    prepare::machine(project, &[Need::CCompiler, Need::Curl, Need::Qemu])?;
    progress::heading("building the gateway");
    process::run(&mut project.cargo(&[
        "build",
        "--workspace",
        "--exclude",
        "octroi-zone",
        "--locked",
        "--bin",
        "octroi",
    ]))
    .map_err(DemoError::Build)?;
    image::make(project, Guest::Engine, &image::folder(project), false)?;

    let stage = Stage::set(project, options)?;
    match perform(project, options, &stage) {
        Ok(()) if options.keep || options.serve => println!("kept: {}", stage.folder.display()),
        Ok(()) => stage.strike()?,
        Err(DemoError::Interrupted) => {
            stage.strike()?;
            return Err(DemoError::Interrupted);
        }
        Err(error) => {
            println!("\nleft as it was, for a look: {}", stage.folder.display());
            return Err(error);
        }
    }
    Ok(())
}

fn perform(project: &Project, options: &Options, stage: &Stage) -> Result<(), DemoError> {
    progress::heading("making a lake");
    let lake = lake::make(project, &stage.lake(), options.size)?;
    let begun = Instant::now();
    let cast = Cast::new(&stage.folder, Ports::free().map_err(DemoError::Ports)?);
    let mut story = Story::new(&stage.folder);
    let gateway = plot::set_up(&mut story, &cast)?;
    let interrupt = gateway.interrupt();
    let scene = Scene { cast: &cast, descriptions: &stage.descriptions(), lake: &lake };
    match plot::tell(&mut story, &scene) {
        Err(_) if interrupt.happened() => {
            gateway.wait()?;
            return Err(DemoError::Interrupted);
        }
        told => told?,
    }
    let took = progress::spoken(begun.elapsed());
    progress::heading(&format!("all {} steps went as told, in {took}", story.steps()));
    if options.serve { leave_up(gateway, &cast) } else { Ok(gateway.stop()?) }
}

fn leave_up(gateway: Gateway, cast: &Cast) -> Result<(), DemoError> {
    println!("\nThe gateway stays up until Ctrl-C, and its folder until you delete it.\n");
    println!("  catalogue  {}/", cast.public_address());
    println!("  api        {}/", cast.api_address());
    println!("  health     {}/health", cast.loopback_address());
    println!("  authority  {}", cast.authority().display());
    println!("  command    {}", cast.binary().display());
    for (name, _) in cast::PEOPLE {
        println!("  profile    {}", cast.profile(name).display());
    }
    println!("\nTry:");
    println!("  {} --profile {} dataset list", cast.binary().display(), cast.profile("voltaic").display());
    println!("  curl --cacert {} {}/catalog.ttl", cast.authority().display(), cast.public_address());
    Ok(gateway.wait()?)
}

/// The folder in which the demo takes place.
#[derive(Debug)]
struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// Outside the clone and open to other users, because the gateway gives up root when root starts it: its folder,
    /// and the program itself, must be where the users it becomes can reach them.
    fn set(project: &Project, options: &Options) -> Result<Self, DemoError> {
        let default = || std::env::temp_dir().join(format!("octroi-demo-{}", std::process::id()));
        let folder = options.folder.clone().unwrap_or_else(default);
        fs::create_dir(&folder).map_err(file(&folder))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(file(&folder))?;
        let stage = Self { folder: std::path::absolute(&folder).map_err(file(&folder))? };
        let bin = stage.folder.join("bin");
        fs::create_dir(&bin).map_err(file(&bin))?;
        copy_folder(&project.root().join("config/demo"), &stage.descriptions())?;
        copy_folder(&project.root().join("config/release"), &stage.descriptions().join("release"))?;
        copy_folder(&image::folder(project), &stage.folder.join("image"))?;
        let built = project.target().join("debug/octroi");
        fs::copy(&built, bin.join("octroi")).map_err(file(&built))?;
        Ok(stage)
    }

    fn descriptions(&self) -> PathBuf {
        self.folder.join("descriptions")
    }

    fn lake(&self) -> PathBuf {
        self.folder.join("lake")
    }

    /// Clears away.
    fn strike(self) -> Result<(), DemoError> {
        fs::remove_dir_all(&self.folder).map_err(file(&self.folder))
    }
}

/// A folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) -> Result<(), DemoError> {
    fs::create_dir(to).map_err(file(to))?;
    for entry in fs::read_dir(from).map_err(file(from))? {
        let entry = entry.map_err(file(from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(file(&path))?;
        }
    }
    Ok(())
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::File { path: path.to_path_buf(), source }
}
