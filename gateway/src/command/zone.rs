//! `octroi zone`: what runs zones on this machine, and the reference values that say which of it may be given keys.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use octroi_attest::{
    Approved, Backend, HostKey, Measurement, Parts,
    reference::{Approval, ApproveError, Line, MOST_BYTES},
};
use octroi_host::lease::Client;
use octroi_proto::wire::zone as wire;
use serde_json::{Value, json};

use super::{CommandError, Output};
use crate::{
    clock::{Clock as _, SystemClock},
    durable,
    settings::Settings,
};

/// What to do, on the machine of the zone host, as root or as its user.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what runs: the parts of each image, both measurements, the accelerator
    Inspect {
        /// The settings, `octroi.toml`
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Approve what runs: from now on its launches are given keys
    #[command(
        after_help = "Example:\n  octroi zone approve --config /srv/octroi/octroi.toml --by 'A. Martin' --note 'October update'"
    )]
    Approve {
        /// The settings, `octroi.toml`
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Who approves it
        #[arg(long, value_name = "NAME")]
        by: Line,
        /// Why, or what was checked
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: Line,
        /// The kind of zone, `vm` or `process`; all that run, if none is given
        #[arg(long = "backend", value_name = "KIND")]
        backends: Vec<Backend>,
    },
}

pub(crate) fn run(command: &Command, output: Output) -> Result<(), CommandError> {
    match command {
        Command::Inspect { config } => {
            let running = Running::ask(&Settings::load(config)?)?;
            if output.json {
                output.value(&running.to_json());
            } else {
                running.show(output);
            }
            Ok(())
        }
        Command::Approve { config, by, note, backends } => {
            let settings = Settings::load(config)?;
            let running = Running::ask(&settings)?.only(backends)?;
            running.show(output);
            let approval = Approval { by: by.clone(), note: note.clone(), at: SystemClock.now() };
            let news = approve(&settings.zone.reference, &running, &approval)?;
            if output.json {
                output.value(&json!({ "approved": news, "reference": settings.zone.reference }));
            } else if news.is_empty() {
                output.say("all of it was approved already");
            } else {
                output.say(format!("approved: {}, in {}", news.join(", "), settings.zone.reference.display()));
            }
            Ok(())
        }
    }
}

/// What a zone host says of itself, made sense of.
struct Running {
    host: HostKey,
    backends: Vec<Kind>,
}

struct Kind {
    backend: Backend,
    accelerator: String,
    image: Measurement,
    template: Option<Measurement>,
    parts: Parts,
    waiting: u32,
    leased: u32,
}

impl Running {
    fn ask(settings: &Settings) -> Result<Self, CommandError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CommandError::Runtime)?;
        let inspection = runtime.block_on(Client::new(&settings.zone.socket).inspect())?;
        Self::parse(&inspection).ok_or(CommandError::ZoneNonsense)
    }

    fn parse(wire: &wire::Inspection) -> Option<Self> {
        let host = HostKey::try_from(wire.host_key.as_slice()).ok()?;
        let backends = wire.backends.iter().map(Kind::parse).collect::<Option<_>>()?;
        Some(Self { host, backends })
    }

    /// Of these kinds alone; all, if none is given.
    fn only(mut self, wanted: &[Backend]) -> Result<Self, CommandError> {
        if let Some(missing) = wanted.iter().find(|wanted| self.backends.iter().all(|kind| kind.backend != **wanted)) {
            return Err(CommandError::Usage(format!(
                "no zones of the kind `{missing}` can be made: see `zone.backends` in the settings, and the zone host's log"
            )));
        }
        self.backends.retain(|kind| wanted.is_empty() || wanted.contains(&kind.backend));
        if self.backends.is_empty() {
            return Err(CommandError::Usage(
                "no zones can be made: see `zone.backends` in the settings, and the zone host's log".to_owned(),
            ));
        }
        Ok(self)
    }

    fn show(&self, output: Output) {
        if output.json {
            return;
        }
        output.say(format!("zone host's key  {}", hex::encode(self.host.as_bytes())));
        for kind in &self.backends {
            output.say(String::new());
            let template = kind.template.map_or_else(|| "none".to_owned(), |template| template.to_string());
            let facts = [
                ("backend", kind.backend.to_string()),
                ("accelerator", kind.accelerator.clone()),
                ("image", kind.image.to_string()),
                ("template", template),
                ("zones", format!("{} waiting, {} in use", kind.waiting, kind.leased)),
            ];
            output.fields(facts.iter().map(|(name, value)| (*name, value.as_str())));
            output.say("host-signed launch measurement of:");
            output.fields(kind.parts.iter());
        }
    }

    fn to_json(&self) -> Value {
        let backends: Vec<Value> = self.backends.iter().map(Kind::to_json).collect();
        json!({ "host_key": hex::encode(self.host.as_bytes()), "backends": backends })
    }
}

impl Kind {
    fn parse(wire: &wire::Backend) -> Option<Self> {
        let parts = Parts::parse(&wire.parts).ok()?;
        let image = Measurement::try_from(wire.image.as_slice()).ok()?;
        let template = match wire.template.as_slice() {
            [] => None,
            bytes => Some(Measurement::try_from(bytes).ok()?),
        };
        // What is shown to be approved is what is measured.
        (parts.measurement() == image).then_some(())?;
        Some(Self {
            backend: wire.name.parse().ok()?,
            accelerator: wire.accelerator.clone(),
            image,
            template,
            parts,
            waiting: wire.waiting,
            leased: wire.leased,
        })
    }

    fn to_json(&self) -> Value {
        let parts: Vec<Value> =
            self.parts.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!({
            "backend": self.backend.to_string(),
            "accelerator": self.accelerator,
            "image": self.image.to_string(),
            "template": self.template.map(|template| template.to_string()),
            "measurement": "host-signed launch measurement",
            "parts": parts,
            "waiting": self.waiting,
            "leased": self.leased,
        })
    }
}

/// Adds what runs to the reference values; what was new among it.
fn approve(path: &Path, running: &Running, approval: &Approval) -> Result<Vec<String>, CommandError> {
    let mut approved = read(path)?;
    let mut news = Vec::new();
    let mut note = |name: String, outcome| match outcome {
        Ok(()) => {
            news.push(name);
            Ok(())
        }
        Err(ApproveError::Already) => Ok(()),
        Err(error @ (ApproveError::Bench | ApproveError::Full)) => Err(CommandError::Approve(error)),
    };
    for kind in &running.backends {
        let outcome = approved.approve_image(kind.backend, &kind.parts, approval.clone());
        note(format!("{} image {}", kind.backend, kind.image), outcome)?;
    }
    let outcome = approved.approve_host(running.host, approval.clone());
    note(format!("zone host {}", hex::encode(running.host.as_bytes())), outcome)?;
    if !news.is_empty() {
        write(path, &approved.to_string()).map_err(file("write", path))?;
    }
    Ok(news)
}

fn read(path: &Path) -> Result<Approved, CommandError> {
    let mut text = String::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    match fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Approved::default()),
        Err(error) => Err(file("read", path)(error)),
        Ok(_) => text.parse().map_err(|problem: octroi_attest::reference::ReferenceError| CommandError::Malformed {
            path: path.to_owned(),
            what: "a file of reference values",
            problem: problem.to_string(),
        }),
    }
}

/// Puts a whole file in the place of the old one, for the key process to read.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    durable::create(Path::new(&aside), text.as_bytes(), 0o644)?;
    fs::rename(&aside, path)?;
    durable::sync_parent(path)
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CommandError {
    let path = path.to_owned();
    move |source| CommandError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspection(parts: &[(&str, &str)]) -> wire::Inspection {
        let mut listed = Parts::new();
        for (name, value) in parts {
            listed.push_text(name, value).unwrap();
        }
        let backend = wire::Backend {
            name: "vm".to_owned(),
            accelerator: "tcg".to_owned(),
            image: listed.measurement().as_bytes().to_vec(),
            template: vec![3; 32],
            parts: listed.to_wire(),
            waiting: 2,
            leased: 0,
        };
        let key = octroi_attest::LaunchKey::from_bytes(&[5; 32]).public();
        wire::Inspection { backends: vec![backend], host_key: key.as_bytes().to_vec() }
    }

    fn approval() -> Approval {
        Approval { by: "A. Martin".parse().unwrap(), note: "".parse().unwrap(), at: SystemClock.now() }
    }

    #[test]
    fn what_runs_is_approved_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("approved.toml");
        let running = Running::parse(&inspection(&[("kernel", "k"), ("cmdline", "quiet")])).unwrap();
        assert_eq!(approve(&path, &running, &approval()).unwrap().len(), 2);
        assert!(approve(&path, &running, &approval()).unwrap().is_empty());
        let approved = read(&path).unwrap();
        assert!(approved.has_image(Backend::Vm, running.backends[0].image));
        assert_eq!(approved.hosts().len(), 1);
        // Another image on the same host is one more.
        let other = Running::parse(&inspection(&[("kernel", "other")])).unwrap();
        assert_eq!(approve(&path, &other, &approval()).unwrap().len(), 1);
        assert_eq!(read(&path).unwrap().images().len(), 2);
    }

    #[test]
    fn an_image_for_benchmarks_is_refused_and_nothing_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("approved.toml");
        let running = Running::parse(&inspection(&[("kernel", "k"), ("bench", "yes")])).unwrap();
        assert!(matches!(approve(&path, &running, &approval()), Err(CommandError::Approve(ApproveError::Bench))));
        assert!(!path.exists());
    }

    #[test]
    fn a_listing_that_is_not_what_was_measured_is_nonsense() {
        let mut lying = inspection(&[("kernel", "k")]);
        lying.backends[0].parts[0].value = "other".to_owned();
        assert!(Running::parse(&lying).is_none());
    }

    #[test]
    fn a_kind_that_does_not_run_cannot_be_approved() {
        let running = || Running::parse(&inspection(&[("kernel", "k")])).unwrap();
        assert!(running().only(&[Backend::Vm]).is_ok());
        assert!(running().only(&[Backend::Process]).is_err());
        assert!(Running { backends: vec![], ..running() }.only(&[]).is_err());
    }

    #[test]
    fn json_says_what_kind_of_measurement_it_is() {
        let json = Running::parse(&inspection(&[("kernel", "k")])).unwrap().to_json();
        assert_eq!(json["backends"][0]["measurement"], "host-signed launch measurement");
        assert_eq!(json["backends"][0]["parts"][0]["name"], "kernel");
    }
}
