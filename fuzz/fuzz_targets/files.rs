//! Files that people write and disks lose, and certificate requests: refused with a sentence, or what they were.

#![no_main]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::LazyLock, time::Duration};

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi::{
    command::profile::Profile,
    evidence::LogKey,
    keys::{authority::Authority, root::RootKey, store::KeyStore},
    settings::{Settings, TEMPLATE},
};
use octroi_fuzz::{damage, rest, scratch, text};
use octroi_proto::{Instant, ObjectVersion};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use uuid::Uuid;

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=8)? {
        0 => settings(&text(input)),
        1 => settings(&String::from_utf8_lossy(&damage(TEMPLATE.as_bytes(), input)?)),
        2 => profile(&text(input)),
        3 => profile(&String::from_utf8_lossy(&damage(PROFILE.as_bytes(), input)?)),
        4 => strange_secrets(&rest(input)),
        5 => wrapped_keys(input)?,
        6 => authority_files(input)?,
        7 => certify(&rest(input)),
        _ => certify(&damage(&REQUEST.0, input)?),
    }
    Ok(())
}

fn settings(text: &str) {
    match Settings::parse(text, Path::new("octroi.toml")) {
        Ok(mut settings) => {
            assert!(!settings.listen.public.names.is_empty() && !settings.listen.api.names.is_empty());
            assert!(settings.listen.loopback.address.get().ip().is_loopback());
            assert_ne!(settings.process.serve_user, settings.process.keys_user);
            settings.anchor(Path::new("/srv/octroi"));
            assert!(settings.registry_settings().evidence.is_absolute());
        }
        Err(refusal) => assert!(refusal.to_string().starts_with("`octroi.toml`: ")),
    }
}

/// What is saved is what is read.
fn profile(text: &str) {
    match Profile::parse(text, Path::new("profile.toml")) {
        Ok(profile) => {
            let folder = scratch();
            let file = folder.path().join("profile.toml");
            profile.save(&file).expect("a profile can be saved");
            let saved = fs::read_to_string(&file).expect("a profile is text");
            assert_eq!(Profile::parse(&saved, &file).expect("what is saved can be read"), profile);
        }
        Err(refusal) => assert!(refusal.to_string().starts_with("`profile.toml`: ")),
    }
}

/// Any bytes where a secret should be.
fn strange_secrets(bytes: &[u8]) {
    let folder = scratch();
    let path = folder.path().join("secret");
    write(&path, bytes);
    if RootKey::load(&path).is_ok() {
        let digits = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        assert!(digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit));
    }
    let _ = LogKey::load(&path);
    write(&folder.path().join("ca.pem"), bytes);
    assert!(Authority::load(&path, &folder.path().join("ca.pem")).is_err());
}

/// A key file that is not what it was gives no key.
fn wrapped_keys(input: &mut Unstructured<'_>) -> Result<()> {
    let folder = scratch();
    let damaged_file = input.int_in_range(0..=2)?;
    let mut touched = false;
    for (index, (name, good)) in KEYS.files.iter().enumerate() {
        let bytes = if index == damaged_file { damage(good, input)? } else { good.clone() };
        touched |= bytes != *good;
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        write(&path, &bytes);
    }
    // The spelling of the root key is free: a line feed at the end, and capital digits.
    let Ok(root) = RootKey::load(&folder.path().join(&KEYS.files[ROOT_FILE].0)) else { return Ok(()) };
    let store = KeyStore::open(folder.path(), root).expect("the folders are there");
    let key = store.open_key(&KEYS.object);
    assert!(key.is_err() || !touched || damaged_file == ROOT_FILE, "a changed key file gave a key");
    assert!(key.is_ok() || touched);
    Ok(())
}

fn authority_files(input: &mut Unstructured<'_>) -> Result<()> {
    let folder = scratch();
    let (key, certificate) = (folder.path().join("authority.key"), folder.path().join("ca.pem"));
    let damage_key = input.arbitrary()?;
    let damaged = damage(if damage_key { &AUTHORITY.key } else { &AUTHORITY.certificate }, input)?;
    write(&key, if damage_key { &damaged } else { &AUTHORITY.key });
    write(&certificate, if damage_key { &AUTHORITY.certificate } else { &damaged });
    let _ = Authority::load(&key, &certificate);
    Ok(())
}

/// Whoever made the request holds the key that is certified, and gets our names and nothing of theirs.
fn certify(request: &[u8]) {
    let (name, organisation) = ("voltaic-bot".parse().expect("a name"), "voltaic-sas".parse().expect("a name"));
    let Ok(issued) = AUTHORITY.authority.issue_client(request, &name, &organisation, A_DAY, NOW) else {
        assert!(request != REQUEST.0, "a good request is answered");
        return;
    };
    let (rest, leaf) = x509_parser::parse_x509_certificate(&issued.certificate).expect("what we issue can be read");
    assert!(rest.is_empty());
    assert_eq!(leaf.subject().to_string(), "CN=voltaic-bot, O=voltaic-sas");
    assert!(!leaf.is_ca() && leaf.subject_alternative_name().expect("readable").is_none());
    assert_eq!(leaf.public_key().subject_public_key.data, REQUEST.1, "a request signed by nobody was answered");
}

struct Keys {
    files: [(String, Vec<u8>); 3],
    object: ObjectVersion,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let folder = scratch();
    let object = ObjectVersion {
        dataset: "climat-ilots".parse().expect("a name"),
        uuid: Uuid::from_bytes([0xA1; 16]),
        version_id: Uuid::from_bytes([0xB2; 16]),
    };
    let root = RootKey::create(&folder.path().join("root.key")).expect("a root key");
    KeyStore::open(folder.path(), root).and_then(|store| store.create(&object)).expect("a data key");
    let data = format!("objects/a1/{}.{}", object.uuid, object.version_id);
    let names = ["root.key".to_owned(), "datasets/climat-ilots/1".to_owned(), data];
    let files = names.map(|name| {
        let bytes = fs::read(folder.path().join(&name)).expect("a file of the key store");
        (name, bytes)
    });
    Keys { files, object }
});

struct Files {
    authority: Authority,
    key: Vec<u8>,
    certificate: Vec<u8>,
}

static AUTHORITY: LazyLock<Files> = LazyLock::new(|| {
    let folder = scratch();
    let (key, certificate) = (folder.path().join("authority.key"), folder.path().join("ca.pem"));
    let authority = Authority::create(&key, &certificate, "Dijon", NOW).expect("an authority");
    let read = |path: &Path| fs::read(path).expect("a file of the authority");
    Files { authority, key: read(&key), certificate: read(&certificate) }
});

/// A request, and the key it asks for.
static REQUEST: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let pair = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["ignored.example".to_owned()]).expect("a name");
    let request = params.serialize_request(&pair).expect("a request").der().to_vec();
    (request, pair.der_bytes().to_vec())
});

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a private file");
}

const ROOT_FILE: usize = 0;
const A_DAY: Duration = Duration::from_secs(86_400);
const NOW: Instant = Instant::constant(1_790_000_000, 0);
const PROFILE: &str = r#"endpoint = "https://data.example.org:8444"
public = "https://data.example.org:8443"
ca = "../ca.pem"
certificate = "certificate.pem"
key = "key.pem"
log_key = "localhost/log+1+a"
"#;
