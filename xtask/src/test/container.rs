//! What the stages of the Dockerfile do, run bare.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

fn script(name: &str) -> Command {
    Command::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docker").join(name))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn install_lays_out_the_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let octroi = folder.path().join("octroi");
    fs::write(&octroi, "the program").unwrap();
    let root = folder.path().join("root");
    assert!(script("install.sh").arg(&octroi).arg(&root).status().unwrap().success());
    assert_eq!(mode(&root.join("usr/local/bin/octroi")), 0o755);
    assert_eq!(mode(&root.join("usr/local/lib/octroi/health.sh")), 0o755);
    assert_eq!(mode(&root.join("data")), 0o750);
    assert!(root.join("usr/local/share/doc/octroi/LICENSE").is_file());
}

/// Answers one request with this status; returns the configuration that names it.
fn gateway_answering(status: &'static str, folder: &Path) -> PathBuf {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = BufReader::new(stream.try_clone().unwrap());
        let request: Vec<String> = request.lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        assert_eq!(request.first().unwrap(), "GET /health HTTP/1.0");
        stream.write_all(format!("HTTP/1.0 {status}\r\n\r\n").as_bytes()).unwrap();
    });
    let settings = folder.join("octroi.toml");
    let text =
        format!("[listen.public]\naddress = \"0.0.0.0:1\"\n\n[listen.loopback]\n# where\naddress = \"{address}\"\n");
    fs::write(&settings, text).unwrap();
    settings
}

#[test]
fn health_tells_well_from_unwell() {
    let folder = tempfile::tempdir().unwrap();
    let well = gateway_answering("200 OK", folder.path());
    assert!(script("health.sh").arg(well).status().unwrap().success());
    let unwell = gateway_answering("503 Service Unavailable", folder.path());
    assert!(!script("health.sh").arg(unwell).status().unwrap().success());
}

#[test]
fn health_is_not_well_when_nobody_answers() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = folder.path().join("octroi.toml");
    fs::write(&settings, format!("[listen.loopback]\naddress = \"{free}\"\n")).unwrap();
    assert!(!script("health.sh").arg(&settings).output().unwrap().status.success());
    fs::write(&settings, "[listen.public]\naddress = \"127.0.0.1:1\"\n").unwrap();
    assert!(!script("health.sh").arg(&settings).output().unwrap().status.success());
}
