//! A whole gateway in a folder of its own.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{Answer, Said, SmallDisk, octroi_binary, wait_until};

/// Lines of `octroi.toml` to change before the gateway starts: `("limits", "body_bytes", "2048")`.
pub type Settings<'a> = &'a [(&'a str, &'a str, &'a str)];

/// A data folder with its gateway.
pub struct City {
    /// Goes before the folder that it lies in.
    disk: Option<SmallDisk>,
    folder: TempDir,
    ports: [u16; 3],
    serving: Option<Serving>,
}

/// A running `octroi serve`.
pub struct Serving(Child);

impl Serving {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        let _gone = kill(Pid::from_raw(pid), signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().expect("a child ends")
    }

    /// Process id of the key process that it started.
    pub fn keys_pid(&self) -> Option<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.0.id());
        let text = fs::read_to_string(children).ok()?;
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == b"keys")
        })
    }
}

impl Drop for City {
    fn drop(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.signal(Signal::SIGKILL);
            serving.wait();
        }
        drop(self.disk.take());
    }
}

impl City {
    /// A gateway with these settings, ready.
    pub fn start(settings: Settings<'_>) -> Self {
        let mut city = Self::init(settings);
        city.serve();
        city
    }

    /// A data folder with these settings, its gateway not running.
    pub fn init(settings: Settings<'_>) -> Self {
        Self::init_on(None, settings)
    }

    /// The same on a disk of its own, of so many bytes.
    pub(crate) fn init_on(bytes: Option<u64>, settings: Settings<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The gateway drops root: its users must be able to walk in.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        let disk = bytes.map(|bytes| SmallDisk::over(folder.path(), bytes));
        let ports = free_ports();
        let city = Self { disk, folder, ports, serving: None };
        let base = city.public("");
        let made = city.plain(&["init", city.data().to_str().expect("a path"), "--base", base.trim_end_matches('/')]);
        made.expect();
        let address = |port: u16| format!("\"127.0.0.1:{port}\"");
        let [public, api, loopback] = ports.map(address);
        city.set(&[
            ("listen.public", "address", &public),
            ("listen.api", "address", &api),
            ("listen.loopback", "address", &loopback),
            ("evidence", "checkpoint_seconds", "1"),
            ("log", "level", "\"info,octroi=debug\""),
            // Only those that ask have an image.
            ("zone", "start", "false"),
        ]);
        city.set(settings);
        // Identities speak to the api listener's port.
        let profile = city.profile("operator");
        let text = fs::read_to_string(&profile).expect("init wrote it");
        fs::write(&profile, text.replace(":8444", &format!(":{}", ports[1]))).expect("our own file");
        city
    }

    /// Changes settings in `octroi.toml`.
    pub fn set(&self, settings: Settings<'_>) {
        let path = self.config();
        let mut lines: Vec<String> =
            fs::read_to_string(&path).expect("init wrote it").lines().map(str::to_owned).collect();
        for (section, key, value) in settings {
            let header = format!("[{section}]");
            let start = lines.iter().position(|line| *line == header).unwrap_or_else(|| panic!("no section {header}"));
            let rest = &lines[start + 1..];
            let end = start + 1 + rest.iter().position(|line| line.starts_with('[')).unwrap_or(rest.len());
            let line = format!("{key} = {value}");
            match lines[start + 1..end].iter().position(|old| old.split('=').next().map(str::trim) == Some(key)) {
                Some(at) => lines[start + 1 + at] = line,
                None => lines.insert(start + 1, line),
            }
        }
        fs::write(&path, lines.join("\n")).expect("our own file");
    }

    /// Takes a setting out of `octroi.toml`.
    pub fn remove(&self, section: &str, key: &str) {
        let path = self.config();
        let text = fs::read_to_string(&path).expect("init wrote it");
        let mut here = false;
        let kept = text.lines().filter(|line| {
            here = if line.starts_with('[') { *line == format!("[{section}]") } else { here };
            !(here && line.split('=').next().map(str::trim) == Some(key))
        });
        fs::write(&path, kept.collect::<Vec<_>>().join("\n")).expect("our own file");
    }

    /// Writes a secret file of the gateway's into the data folder, as its owner would.
    pub fn secret(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        fs::write(&path, text).expect("our own folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        let folder = fs::metadata(path.parent().expect("it lies in a folder")).expect("a folder");
        std::os::unix::fs::chown(&path, Some(folder.uid()), Some(folder.gid())).expect("root, or our own file");
    }

    /// Appends to `octroi.toml`.
    pub fn append(&self, text: &str) {
        let path = self.config();
        let old = fs::read_to_string(&path).expect("init wrote it");
        fs::write(&path, format!("{old}\n{text}\n")).expect("our own file");
    }

    /// Starts the gateway and waits until it is ready; how long that took.
    pub fn serve(&mut self) -> Duration {
        let log = File::options().create(true).append(true).open(self.log_file()).expect("our own folder");
        let child = Command::new(octroi_binary())
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        self.serving = Some(Serving(child));
        wait_until("the gateway to be ready", Duration::from_secs(20), || self.ready())
    }

    fn ready(&mut self) -> bool {
        let ended = self.serving.as_mut().and_then(|serving| serving.0.try_wait().ok().flatten());
        assert!(ended.is_none(), "the gateway ended: {}", self.log());
        TcpStream::connect(("127.0.0.1", self.ports[2])).is_ok() && self.health("ready").status == 200
    }

    /// Tries to start the gateway with what is configured; what it said when it would not.
    pub fn serve_refused(&self) -> Said {
        let output = Command::new("timeout")
            .arg("20")
            .arg(octroi_binary())
            .args(["serve", "--config"])
            .arg(self.config())
            .output();
        output.expect("the binary runs").into()
    }

    /// The running gateway's process id.
    pub fn serve_pid(&self) -> u32 {
        self.serving.as_ref().expect("the gateway was started").pid()
    }

    /// The running gateway.
    pub fn serving(&mut self) -> &mut Serving {
        self.serving.as_mut().expect("the gateway was started")
    }

    /// Stops the gateway as a service manager would.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        let mut serving = self.serving.take().expect("the gateway was started");
        serving.signal(Signal::SIGTERM);
        serving.wait()
    }

    /// Kills the gateway and its key process where they stand.
    pub fn kill(&mut self) {
        let mut serving = self.serving.take().expect("the gateway was started");
        let keys = serving.keys_pid();
        serving.signal(Signal::SIGKILL);
        serving.wait();
        // The key process follows by itself; a test that starts the next one must not race it.
        if let Some(keys) = keys {
            wait_until("the key process to end", Duration::from_secs(5), || {
                !Path::new(&format!("/proc/{keys}")).exists()
            });
        }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    /// A path beside the data folder, for a test's own files.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the test's own.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.beside(name);
        fs::write(&path, bytes).expect("our own folder");
        path
    }

    /// The settings' file.
    pub fn config(&self) -> PathBuf {
        self.data().join("octroi.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.beside("serve.log")
    }

    /// What the gateway logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// A principal's profile.
    pub fn profile(&self, name: &str) -> PathBuf {
        self.data().join("identities").join(name).join("profile.toml")
    }

    /// A file of a principal's identity (`certificate.pem`, `key.pem`).
    pub fn identity(&self, name: &str, file: &str) -> PathBuf {
        self.data().join("identities").join(name).join(file)
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.data().join("authority/ca.pem")
    }

    /// A URL of the public listener.
    pub fn public(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.ports[0])
    }

    /// A URL of the api listener.
    pub fn api(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.ports[1])
    }

    /// Ports: public, api, loopback.
    pub fn ports(&self) -> [u16; 3] {
        self.ports
    }

    /// Runs `octroi` without a profile.
    pub fn plain(&self, arguments: &[&str]) -> Said {
        Command::new(octroi_binary())
            .args(arguments)
            .env_remove("OCTROI_PROFILE")
            .output()
            .expect("the binary runs")
            .into()
    }

    /// Runs `octroi` as this principal.
    pub fn octroi(&self, who: &str, arguments: &[&str]) -> Said {
        let profile = self.profile(who);
        Command::new(octroi_binary())
            .arg("--profile")
            .arg(profile)
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("the binary runs")
            .into()
    }

    /// Adds a principal and sees it through its approvals, if it needs any.
    pub fn onboard(&self, name: &str, organisation: &str, role: &str) {
        let out = self.data().join("identities").join(name);
        let out = out.to_str().expect("a path");
        let added = self.octroi(
            "operator",
            &["principal", "add", name, "--org", organisation, "--role", role, "--out", out, "--json"],
        );
        if added.expect().json()["state"] == "waiting" {
            self.octroi("claire", &["principal", "approve", name]).expect();
            self.octroi("operator", &["principal", "approve", name]).expect();
        }
    }

    /// Claire the steward and Marc the reviewer.
    pub fn staff(&self) {
        self.onboard("claire", "dijon-metropole", "steward");
        self.onboard("marc", "dijon-metropole", "reviewer");
    }

    /// Registers and publishes a dataset of Claire's; `more` are further lines of its description.
    pub fn dataset(&self, id: &str, level: &str, more: &str) {
        let file = self.file(&format!("{id}.toml"), description(id, level, more));
        self.octroi("claire", &["dataset", "register", file.to_str().expect("a path")]).expect();
        self.octroi("claire", &["dataset", "publish", id]).expect();
    }

    /// Puts bytes under a key.
    pub fn put(&self, who: &str, dataset: &str, key: &str, bytes: impl AsRef<[u8]>) -> Said {
        let file = self.file("upload", bytes);
        self.octroi(who, &["object", "put", dataset, file.to_str().expect("a path"), "--key", key])
    }

    /// Asks for access as `who` and grants it as Claire for so long; the grant's id.
    pub fn lend(&self, who: &str, dataset: &str, actions: &[&str], until: &str) -> String {
        let mut ask = vec!["request", "make", dataset, "--purpose", "network planning", "--json"];
        for action in actions {
            ask.extend(["--action", action]);
        }
        let request = self.octroi(who, &ask).expect().json();
        let id = request["id"].as_str().expect("an id").to_owned();
        let grant = self.octroi("claire", &["request", "grant", &id, "--until", until, "--json"]).expect().json();
        grant["id"].as_str().expect("an id").to_owned()
    }

    /// curl with the city's authority.
    pub fn curl(&self, arguments: &[&str]) -> Answer {
        let once = || {
            let output = Command::new("curl")
                .args(["--silent", "--show-error", "--include", "--max-time", "60", "--cacert"])
                .arg(self.authority())
                .args(arguments)
                .output();
            Answer::parse(output.expect("curl runs"))
        };
        let answer = once();
        // Debian 12's curl may lose an answer that ends the stream before its body is sent, which RFC 9113 (section 8.1)
        // tells clients to keep.
        if answer.exit == STREAM_ENDED { once() } else { answer }
    }

    /// curl with a principal's certificate.
    pub fn curl_as(&self, who: &str, arguments: &[&str]) -> Answer {
        let (certificate, key) = (self.identity(who, "certificate.pem"), self.identity(who, "key.pem"));
        let mut all = vec!["--cert", certificate.to_str().expect("a path"), "--key", key.to_str().expect("a path")];
        all.extend(arguments);
        self.curl(&all)
    }

    /// The loopback listener's word (`health`, `ready`, `metrics`).
    pub fn health(&self, path: &str) -> Answer {
        self.curl(&[&format!("http://127.0.0.1:{}/{path}", self.ports[2])])
    }
}

/// `CURLE_HTTP2_STREAM`.
const STREAM_ENDED: i32 = 92;

/// A dataset's description, complete.
pub fn description(id: &str, level: &str, more: &str) -> String {
    format!(
        r#"id = "{id}"
level = "{level}"
keywords = ["vélo"]
publisher = "Dijon Métropole"
owner = "Direction des mobilités"
steward = "claire"
purposes = ["network planning", "research"]
licence = "https://www.etalab.gouv.fr/licence-ouverte-open-licence"
retention = "P5Y"
agreement_required = false
{more}
[title]
fr = "Données de {id}"
en = "Data of {id}"
[description]
fr = "Une série d'essai."
[contact_point]
name = "Guichet données"
email = "donnees@metropole-dijon.fr"
[impact]
confidentiality = "L"
integrity = "M"
availability = "L"
"#
    )
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
