//! `octroi init DIR`: makes a data folder, whole or not at all.
//!
//! It is made beside its place and moved there at the end. What goes into it, each part knows itself: keys and
//! certificates are made by a [`Foundry`], so that this module knows folders, owners and permissions and no secrets.

use std::{
    error::Error,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User, chown};
use octroi_proto::{OrganisationId, PrincipalName, id::InvalidLabel};

mod foundry;

use super::{
    CommandError, Output,
    profile::{Profile, ProfileCredential, ProfileError},
};
use crate::{
    clock::SystemClock,
    settings::{
        Account, AuthorityName, BaseUrl, Process, Settings, SettingsError, TEMPLATE, UnknownAccount, UserSetting,
    },
};

/// `octroi init`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  octroi init /srv/octroi --base https://data.metropole-dijon.fr --organisation 'Dijon Métropole'\n  \
    octroi init demo"
)]
pub(crate) struct Args {
    /// Where; an empty folder, or one that does not exist
    folder: PathBuf,
    /// The permanent URL of the public listener
    #[arg(long, value_name = "URL", default_value = "https://localhost:8443")]
    base: BaseUrl,
    /// A host name that both listeners answer for; the base URL's host if none is given
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<AuthorityName>,
    /// Who runs the gateway
    #[arg(long, default_value = "Octroi")]
    organisation: String,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<(), CommandError> {
    let plan = Plan {
        folder: args.folder.clone(),
        base: args.base.clone(),
        names: args.names.clone(),
        organisation: args.organisation.clone(),
        policies: POLICIES,
    };
    let made = init(&plan, &foundry::Founders { clock: SystemClock })?;
    let (config, profile) = (made.config.display(), made.profile.display());
    if output.json {
        output.value(&serde_json::json!({ "config": made.config, "profile": made.profile }));
    }
    output.say(format!(
        "made; open the gate with:\n  octroi serve --config {config}\nand be its operator with:\n  \
        export OCTROI_PROFILE={profile}\n  octroi whoami"
    ));
    Ok(())
}

/// The policies that ship, by file name.
const POLICIES: &[(&str, &str)] = &[
    ("access.cedar", include_str!("../../../config/policy/access.cedar")),
    ("datasets.cedar", include_str!("../../../config/policy/datasets.cedar")),
    ("everyone.cedar", include_str!("../../../config/policy/everyone.cedar")),
    ("evidence.cedar", include_str!("../../../config/policy/evidence.cedar")),
    ("objects.cedar", include_str!("../../../config/policy/objects.cedar")),
    ("octroi.cedarschema", include_str!("../../../config/policy/octroi.cedarschema")),
    ("principals.cedar", include_str!("../../../config/policy/principals.cedar")),
    ("tables.cedar", include_str!("../../../config/policy/tables.cedar")),
];

/// What to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where.
    pub folder: PathBuf,
    /// The permanent URL of the public listener.
    pub base: BaseUrl,
    /// The names that both listeners answer for and the server's certificate carries; empty, the base URL's host.
    pub names: Vec<AuthorityName>,
    /// Who runs the gateway: publisher of the catalogue, and, as a label, the first operator's organisation.
    pub organisation: String,
    /// The policy files, by name.
    pub policies: &'static [(&'static str, &'static str)],
}

/// What the parts are asked to put into a data folder.
#[derive(Debug)]
pub struct Founding<'a> {
    /// The settings, with paths into the folder being made.
    pub settings: &'a Settings,
    /// The names that the server's certificate carries.
    pub names: &'a [AuthorityName],
    /// The first operator.
    pub operator: PrincipalName,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// Where its certificate goes, PEM.
    pub operator_certificate: PathBuf,
    /// Where its private key goes, PEM, 0600.
    pub operator_key: PathBuf,
}

/// Makes keys, certificates and the register. All folders are there, and this process's own.
pub trait Foundry {
    /// Makes, each secret file 0600: `keys.folder`/{root.key,authority.key}, `tls.authority`, `tls.certificate` and
    /// `tls.key`, the operator's certificate and key, `evidence.folder`/log.key, and the register with the operator
    /// as its first entry. Returns the evidence log's public key (vkey).
    ///
    /// # Errors
    /// Whatever keeps one of them from being made; the folder is then removed.
    fn found(&self, founding: &Founding<'_>) -> Result<String, Box<dyn Error + Send + Sync>>;
}

/// Why there is no data folder.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something already.
    #[error("`{0}` is not empty: give a folder that is empty or does not exist")]
    NotEmpty(PathBuf),
    /// A file or folder cannot be made.
    #[error("cannot make `{path}`: {cause}")]
    Make {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The organisation's name makes no label.
    #[error("`organisation` gives no label: {0}")]
    Organisation(#[from] InvalidLabel),
    /// The configuration that came out is refused.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The operator's profile cannot be written.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A user does not exist.
    #[error(transparent)]
    Account(#[from] UnknownAccount),
    /// Keys, certificates or the register cannot be made.
    #[error("cannot make the keys and the register: {0}")]
    Foundry(#[source] Box<dyn Error + Send + Sync>),
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// The configuration file.
    pub config: PathBuf,
    /// The operator's profile.
    pub profile: PathBuf,
    /// The users that own the parts, where root made them.
    pub accounts: Option<Accounts>,
}

/// The users that own the parts of a data folder.
#[derive(Debug, Clone, Copy)]
pub struct Accounts {
    /// Whom serve becomes.
    pub serve: Account,
    /// Whom the key process runs as.
    pub keys: Account,
    /// Whom the zone host runs as.
    pub zone: Account,
}

/// Makes a data folder.
///
/// # Errors
/// [`InitError`]; nothing is left behind.
pub fn init(plan: &Plan, foundry: &dyn Foundry) -> Result<Made, InitError> {
    let folder = std::path::absolute(&plan.folder).map_err(during(&plan.folder))?;
    refuse_non_empty(&folder)?;
    let scaffold = Scaffold::beside(&folder)?;
    let names = plan.names();
    let process = users();
    let settings = write_config(plan, &names, &process, &scaffold.0)?;
    make_folders(&scaffold.0)?;
    for (name, content) in plan.policies {
        write(&scaffold.0.join("policy").join(name), content)?;
    }
    let identity = scaffold.0.join("identities/operator");
    let founding = Founding {
        settings: &settings,
        names: &names,
        operator: "operator".parse()?,
        organisation: label(&plan.organisation)?,
        operator_certificate: identity.join("certificate.pem"),
        operator_key: identity.join("key.pem"),
    };
    let log_key = foundry.found(&founding).map_err(InitError::Foundry)?;
    profile(plan, &names, &settings, log_key).save(&identity.join("profile.toml"))?;
    let accounts = if Uid::effective().is_root() {
        let accounts = Accounts {
            serve: process.serve_user.resolve()?,
            keys: process.keys_user.resolve()?,
            zone: process.zone_user.resolve()?,
        };
        hand_over(&scaffold.0, &accounts)?;
        Some(accounts)
    } else {
        None
    };
    scaffold.stand_at(&folder)?;
    let profile = folder.join("identities/operator/profile.toml");
    Ok(Made { config: folder.join("octroi.toml"), profile, accounts })
}

impl Plan {
    fn names(&self) -> Vec<AuthorityName> {
        // INVARIANT: a base URL has a host that is a name.
        if self.names.is_empty() { self.base.host().parse().into_iter().collect() } else { self.names.clone() }
    }
}

fn refuse_non_empty(folder: &Path) -> Result<(), InitError> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(InitError::NotEmpty(folder.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(InitError::Make { path: folder.to_owned(), cause }),
    }
}

/// A folder that is removed unless it comes to stand in its place.
struct Scaffold(PathBuf);

impl Scaffold {
    fn beside(folder: &Path) -> Result<Self, InitError> {
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".tmp-{}", uuid::Uuid::new_v4().simple()));
        let path = folder.with_file_name(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(during(parent))?;
        }
        // Closed to others until it is whole.
        fs::create_dir(&path).map_err(during(&path))?;
        let scaffold = Self(path);
        allow(&scaffold.0, 0o700)?;
        Ok(scaffold)
    }

    fn stand_at(self, folder: &Path) -> Result<(), InitError> {
        allow(&self.0, 0o755)?;
        fs::rename(&self.0, folder).map_err(during(folder))
    }
}

impl Drop for Scaffold {
    fn drop(&mut self) {
        // After the move there is nothing to remove, and a failure has its own error to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The system's users for Octroi where there are such, else numbers.
fn users() -> Process {
    let fallback = Process::default();
    let known = |name: &str| User::from_name(name).ok().flatten().filter(|user| !user.uid.is_root());
    let pick = |name: &str, number| known(name).map_or(number, |_| UserSetting::Name(name.to_owned()));
    Process {
        serve_user: pick("octroi", fallback.serve_user),
        keys_user: pick("octroi-keys", fallback.keys_user),
        zone_user: pick("octroi-zone", fallback.zone_user),
    }
}

/// Writes the configuration and reads it back, with paths into the folder being made.
fn write_config(plan: &Plan, names: &[AuthorityName], process: &Process, folder: &Path) -> Result<Settings, InitError> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let list = toml::Value::Array(names.iter().map(|name| name.text().into()).collect()).to_string();
    let user = |user: &UserSetting| match user {
        UserSetting::Name(name) => quoted(name),
        UserSetting::Id(id) => id.to_string(),
    };
    let mut text = TEMPLATE.to_owned();
    for (section, key, value) in [
        ("gateway", "base", quoted(plan.base.as_str())),
        ("gateway", "name", quoted(&plan.organisation)),
        ("gateway", "organisation", quoted(&plan.organisation)),
        ("gateway", "log_origin", quoted(&format!("{}/log", plan.base.host()))),
        ("listen.public", "names", list.clone()),
        ("listen.api", "names", list),
        ("process", "serve_user", user(&process.serve_user)),
        ("process", "keys_user", user(&process.keys_user)),
        ("process", "zone_user", user(&process.zone_user)),
    ] {
        text = fill(&text, section, key, &value);
    }
    let file = folder.join("octroi.toml");
    write(&file, &text)?;
    Ok(Settings::load(&file)?)
}

/// The text with the value of `key` in `section` replaced.
fn fill(text: &str, section: &str, key: &str, value: &str) -> String {
    let mut here = false;
    let line = |line: &str| {
        if line.starts_with('[') {
            here = line == format!("[{section}]");
        }
        match line.split_once(" = ") {
            Some((name, _)) if here && name == key => format!("{key} = {value}\n"),
            Some(_) | None => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

fn make_folders(folder: &Path) -> Result<(), InitError> {
    for (name, mode) in FOLDERS {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(during(&path))?;
        allow(&path, mode)?;
    }
    Ok(())
}

/// Gives each part to the process that it belongs to; the rest stays root's, for all to read. The reference values are
/// of the rest: a zone host that could write them would approve itself.
fn hand_over(folder: &Path, accounts: &Accounts) -> Result<(), InitError> {
    for name in ["state", "objects", "tls"] {
        give(&folder.join(name), accounts.serve)?;
    }
    give(&folder.join("keys"), accounts.keys)?;
    give(&folder.join("zone/host"), accounts.zone)?;
    // Each makes its socket here, and what it makes belongs to serve's group, so that serve can reach it.
    for (name, maker) in [("run", accounts.keys), ("zone/run", accounts.zone)] {
        let run = folder.join(name);
        give(&run, Account { user: maker.user, group: accounts.serve.group })?;
        allow(&run, 0o2750)?;
    }
    Ok(())
}

fn give(path: &Path, account: Account) -> Result<(), InitError> {
    chown(path, Some(account.user), Some(account.group)).map_err(|errno| during(path)(errno.into()))?;
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(during(path))? {
            give(&entry.map_err(during(path))?.path(), account)?;
        }
    }
    Ok(())
}

fn profile(plan: &Plan, names: &[AuthorityName], settings: &Settings, log_key: String) -> Profile {
    let host = names.first().map_or_else(|| plan.base.host(), AuthorityName::text);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let endpoint = format!("https://{host}:{}", settings.listen.api.address.port());
    Profile {
        endpoint: endpoint.parse().unwrap_or_else(|_| plan.base.clone()),
        public: plan.base.clone(),
        ca: "../../authority/ca.pem".into(),
        credential: ProfileCredential::Certificate { certificate: "certificate.pem".into(), key: "key.pem".into() },
        log_key: Some(log_key),
    }
}

/// An organisation's name as a label: `Dijon Métropole` becomes `dijon-metropole`.
fn label(name: &str) -> Result<OrganisationId, InvalidLabel> {
    let mut text = String::new();
    for c in name.to_lowercase().chars() {
        let plain = match c {
            'à' | 'â' | 'ä' => "a",
            'ç' => "c",
            'é' | 'è' | 'ê' | 'ë' => "e",
            'î' | 'ï' => "i",
            'ô' | 'ö' => "o",
            'ù' | 'û' | 'ü' => "u",
            'œ' => "oe",
            'æ' => "ae",
            _ if c.is_ascii_alphanumeric() => {
                text.push(c);
                continue;
            }
            _ if text.ends_with('-') => continue,
            _ => "-",
        };
        text.push_str(plain);
    }
    text.trim_matches('-').parse()
}

fn write(path: &Path, content: &str) -> Result<(), InitError> {
    fs::write(path, content).map_err(during(path))?;
    allow(path, 0o644)
}

fn allow(path: &Path, mode: u32) -> Result<(), InitError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(during(path))
}

fn during(path: &Path) -> impl FnOnce(io::Error) -> InitError {
    let path = path.to_owned();
    move |cause| InitError::Make { path, cause }
}

/// The folders, parents first, and who may enter them.
const FOLDERS: [(&str, u32); 15] = [
    ("policy", 0o755),
    ("authority", 0o755),
    ("tls", 0o700),
    ("keys", 0o700),
    ("keys/datasets", 0o700),
    ("keys/objects", 0o700),
    ("state", 0o700),
    ("state/evidence", 0o700),
    ("state/registry", 0o700),
    ("objects", 0o700),
    ("run", 0o700),
    ("zone", 0o755),
    ("zone/host", 0o700),
    ("zone/run", 0o700),
    ("identities/operator", 0o700),
];

#[cfg(test)]
mod tests;
