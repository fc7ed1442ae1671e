use super::*;

/// Writes files where the real parts would.
struct Tinker {
    fails: bool,
}

impl Foundry for Tinker {
    fn found(&self, founding: &Founding<'_>) -> Result<String, Box<dyn Error + Send + Sync>> {
        let settings = founding.settings;
        for path in [
            settings.keys.folder.join("root.key"),
            settings.keys.folder.join("authority.key"),
            settings.evidence.folder.join("log.key"),
            settings.tls.key.clone(),
            founding.operator_key.clone(),
        ] {
            fs::write(&path, "secret")?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        }
        fs::write(&settings.tls.authority, "")?;
        if self.fails {
            Err("no entropy".into())
        } else {
            Ok(format!("{}+1+key", settings.gateway.log_origin.as_str()))
        }
    }
}

fn plan(folder: PathBuf) -> Plan {
    Plan {
        folder,
        base: "https://data.dijon.example".parse().unwrap(),
        names: vec!["api.dijon.example".parse().unwrap(), "::1".parse().unwrap()],
        organisation: "Dijon \"Métropole\"".to_owned(),
        policies: &[("octroi.cedar", "permit(principal, action, resource);")],
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_data_folder_is_made_whole() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new/data");
    let made = init(&plan(folder.clone()), &Tinker { fails: false }).unwrap();

    let settings = Settings::load(&made.config).unwrap();
    assert_eq!(settings.gateway.base.as_str(), "https://data.dijon.example");
    assert_eq!(settings.gateway.organisation, "Dijon \"Métropole\"");
    assert_eq!(settings.gateway.log_origin.as_str(), "data.dijon.example/log");
    assert_eq!(settings.listen.api.names, plan(folder.clone()).names);
    assert_eq!(settings.keys.folder, folder.join("keys"));
    settings.check_secrets(&made.config).unwrap();
    assert!(folder.join("policy/octroi.cedar").exists());
    assert_eq!(mode(&folder), 0o755);
    for closed in ["keys", "state", "objects", "tls", "zone/host", "identities/operator"] {
        assert_eq!(mode(&folder.join(closed)), 0o700, "{closed}");
    }

    let profile = Profile::load(&made.profile).unwrap();
    assert_eq!(profile.endpoint.as_str(), "https://api.dijon.example:8444");
    assert!(profile.ca.exists());
    assert_eq!(profile.log_key.unwrap(), "data.dijon.example/log+1+key");

    let beside: Vec<_> = fs::read_dir(place.path().join("new")).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    if let Some(Accounts { serve, keys, zone }) = made.accounts {
        use std::os::unix::fs::MetadataExt as _;
        let owner = |path: &str| fs::metadata(folder.join(path)).unwrap().uid();
        assert_ne!(serve.user, keys.user);
        assert_eq!(owner("keys/root.key"), keys.user.as_raw());
        assert_eq!(owner("state/evidence/log.key"), serve.user.as_raw());
        assert_eq!(owner("tls/server.key"), serve.user.as_raw());
        assert_eq!((owner("run"), mode(&folder.join("run"))), (keys.user.as_raw(), 0o2750));
        assert_eq!((owner("zone/run"), mode(&folder.join("zone/run"))), (zone.user.as_raw(), 0o2750));
        // Whoever runs what researchers ask cannot approve it.
        assert_eq!((owner("zone"), owner("zone/host")), (0, zone.user.as_raw()));
        assert_eq!(owner("octroi.toml"), 0);
    }
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("mine"), "").unwrap();
    let refused = init(&plan(place.path().to_owned()), &Tinker { fails: false });
    assert!(matches!(refused, Err(InitError::NotEmpty(_))));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let failed = init(&plan(place.path().join("data")), &Tinker { fails: true });
    assert!(failed.unwrap_err().to_string().contains("no entropy"));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_folder_will_do() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    fs::create_dir(&folder).unwrap();
    init(&plan(folder), &Tinker { fails: false }).unwrap();
}

#[test]
fn labels_of_organisations() {
    assert_eq!(label("Dijon Métropole").unwrap().as_str(), "dijon-metropole");
    assert_eq!(label(" L'Œuvre & Cie. ").unwrap().as_str(), "l-oeuvre-cie");
    assert!(label("!").is_err());
}
