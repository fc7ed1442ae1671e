//! From the file to [`Settings`].

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use ring::digest;

use super::{ObjectStoreSettings, Process, Settings};
use crate::{
    registry::RegistrySettings,
    secret_file::{self, SecretFileError},
};

/// The configuration file as it ships: every setting with its default, unit and limit.
pub const TEMPLATE: &str = include_str!("../../../config/octroi.toml");

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read `{file}`: {cause}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is not TOML.
    #[error("`{file}`: line {line}: not TOML: {reason}")]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// A key is unknown, or its value of the wrong type or outside its limits.
    #[error("`{file}`: `{key}`: {reason}")]
    Key {
        /// The file.
        file: PathBuf,
        /// The key, with its sections.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A secret file named by a key is not fit for use.
    #[error("`{file}`: `{key}`: {reason}")]
    Secret {
        /// The file.
        file: PathBuf,
        /// The key, with its sections.
        key: &'static str,
        /// What is wrong with the secret file.
        reason: SecretFileError,
    },
}

impl Settings {
    /// Reads and parses a configuration file.
    ///
    /// # Errors
    /// [`SettingsError`] naming file, key and reason.
    pub fn load(file: &Path) -> Result<Self, SettingsError> {
        let unreadable = |cause| SettingsError::Unreadable { file: file.to_owned(), cause };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        let absolute = std::path::absolute(file).map_err(unreadable)?;
        let mut settings = Self::parse(&text, file)?;
        settings.sha256.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        settings.anchor(absolute.parent().unwrap_or(Path::new("/")));
        Ok(settings)
    }

    /// Parses a configuration; paths stay as written. `file` is what errors call it.
    ///
    /// # Errors
    /// [`SettingsError`] naming file, key and reason.
    pub fn parse(text: &str, file: &Path) -> Result<Self, SettingsError> {
        let syntax = |error: &toml::de::Error| SettingsError::Syntax {
            file: file.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        };
        let document = toml::Deserializer::parse(text).map_err(|error| syntax(&error))?;
        let settings: Self = serde_path_to_error::deserialize(document).map_err(|error| SettingsError::Key {
            file: file.to_owned(),
            key: error.path().to_string(),
            reason: error.inner().message().to_owned(),
        })?;
        settings.agree(file)?;
        Ok(settings)
    }

    /// What no single key can know.
    fn agree(&self, file: &Path) -> Result<(), SettingsError> {
        let refuse = |key: &str, reason: &str| {
            Err(SettingsError::Key { file: file.to_owned(), key: key.to_owned(), reason: reason.to_owned() })
        };
        if self.listen.public.names.is_empty() {
            return refuse("listen.public.names", "must name at least one host");
        }
        if self.listen.api.names.is_empty() {
            return refuse("listen.api.names", "must name at least one host");
        }
        let mut issuers = std::collections::BTreeSet::new();
        if let Some(twice) = self.oidc.iter().position(|oidc| !issuers.insert(oidc.issuer.as_str())) {
            return refuse(&format!("oidc[{twice}].issuer"), "is configured twice: keep one");
        }
        let Process { serve_user, keys_user, zone_user } = &self.process;
        if serve_user == keys_user {
            return refuse(
                "process.keys_user",
                "must differ from `process.serve_user`: the root key is kept from serve",
            );
        }
        if zone_user == serve_user || zone_user == keys_user {
            return refuse("process.zone_user", "must differ from the other two users: it runs what researchers ask");
        }
        if self.zone.memory_bytes.get() > self.zone.zone_bytes.get() / 4 * 3 {
            return refuse("zone.memory_bytes", "must be at most three quarters of `zone.zone_bytes`");
        }
        Ok(())
    }

    /// What the register needs of the settings.
    pub fn registry_settings(&self) -> RegistrySettings {
        RegistrySettings {
            evidence: self.evidence.folder.clone(),
            index: self.registry.folder.clone(),
            cache_bytes: self.registry.cache_bytes.get(),
            checkpoint_every: self.evidence.checkpoint_seconds.get(),
            count_every: Duration::from_secs(60),
            queue: self.evidence.queue.as_usize(),
        }
    }

    /// Makes every path absolute: relative ones are relative to `folder`.
    pub fn anchor(&mut self, folder: &Path) {
        let paths = [
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.tls.authority,
            &mut self.keys.socket,
            &mut self.keys.folder,
            &mut self.evidence.folder,
            &mut self.registry.folder,
            &mut self.catalogue.search,
            &mut self.catalogue.resumption_key,
            &mut self.policy.folder,
            &mut self.zone.socket,
            &mut self.zone.folder,
            &mut self.zone.reference,
            &mut self.zone.image,
            &mut self.zone.packs,
            &mut self.zone.histories,
            &mut self.zone.loads,
            match &mut self.objects.store {
                ObjectStoreSettings::Local { path } => path,
                ObjectStoreSettings::S3(s3) => &mut s3.credentials,
            },
        ];
        for path in paths.into_iter().chain(self.oidc.iter_mut().filter_map(|oidc| oidc.ca.as_mut())) {
            *path = folder.join(&path);
        }
    }

    /// Refuses secret files that others may read: at start, before anything is opened. Files of the key process that
    /// this user cannot even see are its own to check.
    ///
    /// # Errors
    /// [`SettingsError::Secret`] for the first that is not fit for use.
    pub fn check_secrets(&self, file: &Path) -> Result<(), SettingsError> {
        let must_be_there = match &self.objects.store {
            ObjectStoreSettings::Local { .. } => None,
            ObjectStoreSettings::S3(s3) => Some(("objects.credentials", s3.credentials.clone())),
        };
        let must_be_there = must_be_there
            .into_iter()
            .chain([("tls.key", self.tls.key.clone()), ("evidence.folder", self.evidence.folder.join("log.key"))]);
        let if_visible = [
            ("keys.folder", self.keys.folder.join("root.key")),
            ("keys.folder", self.keys.folder.join("authority.key")),
            ("zone.folder", self.zone.folder.join("launch.key")),
        ];
        let refuse = |key, reason| SettingsError::Secret { file: file.to_owned(), key, reason };
        for (key, path) in must_be_there {
            secret_file::check(&path).map_err(|reason| refuse(key, reason))?;
        }
        for (key, path) in if_visible {
            match secret_file::check(&path) {
                Ok(()) | Err(SecretFileError::Unreadable { .. }) => {}
                Err(reason) => return Err(refuse(key, reason)),
            }
        }
        Ok(())
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(text, Path::new("octroi.toml"))
    }

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_file_is_the_defaults() {
        assert_eq!(parse(TEMPLATE).unwrap(), Settings::default());
        assert_eq!(parse("").unwrap(), Settings::default());
    }

    #[test]
    fn the_commented_examples_of_the_shipped_file_parse() {
        // Lines that begin with `#` and no blank are examples, all others with `# ` are prose.
        let shown: String = TEMPLATE
            .lines()
            .filter(|line| !matches!(*line, "kind = \"local\"" | "path = \"objects\""))
            .map(|line| match line.strip_prefix('#') {
                Some(example) if !example.starts_with(' ') && !example.is_empty() => format!("{example}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let settings = parse(&shown).unwrap();
        assert_eq!(settings.oidc.len(), 1);
        assert!(matches!(settings.objects.store, ObjectStoreSettings::S3(_)));
    }

    #[test]
    fn every_setting_stands_in_the_shipped_file() {
        // Each `pub name:` of a section is a key of the template, live or as an example.
        let sources = [
            include_str!("../settings.rs"),
            include_str!("oidc.rs"),
            include_str!("process.rs"),
            include_str!("zone.rs"),
        ];
        for line in sources.iter().flat_map(|source| source.lines()) {
            let Some((name, _)) = line.strip_prefix("    pub ").and_then(|rest| rest.split_once(": ")) else {
                continue;
            };
            let sections = ["public", "api", "loopback", "user", "group", "gateway", "listen", "tls", "limits"];
            let others = ["process", "keys", "evidence", "registry", "catalogue", "policy", "objects", "zone"];
            let sections = [&sections[..], &others].concat();
            if name.contains(['(', ' ']) || sections.contains(&name) || ["oidc", "log"].contains(&name) {
                continue;
            }
            assert!(
                TEMPLATE.contains(&format!("\n{name} = ")) || TEMPLATE.contains(&format!("\n#{name} = ")),
                "{name}"
            );
        }
    }

    #[test]
    fn a_refusal_names_file_key_and_reason() {
        let unknown = refusal("[limits]\nheader_byte = 1\n");
        assert!(unknown.starts_with("`octroi.toml`: `limits.header_byte`: unknown field"), "{unknown}");
        let kind = refusal("[limits]\nheader_bytes = \"16 KiB\"\n");
        assert!(kind.starts_with("`octroi.toml`: `limits.header_bytes`: invalid type"), "{kind}");
        let limit = refusal("[limits]\nheader_bytes = 1\n");
        assert_eq!(limit, "`octroi.toml`: `limits.header_bytes`: must be between 8192 and 65536 bytes");
        assert!(refusal("[limits]\nheader_bytes = -1\n").contains("must be between"));
        assert!(refusal("[gateway\n").starts_with("`octroi.toml`: line 1: not TOML"));
        assert!(
            refusal("[listen.loopback]\naddress = \"0.0.0.0:80\"\n")
                .contains("`listen.loopback.address`: must be a loop")
        );
        assert!(refusal("[listen.api]\nnames = []\n").contains("`listen.api.names`"));
        assert!(refusal("[log]\nlevel = \"a=b=c\"\n").contains("`log.level`: must be"));
        assert!(refusal("[process]\nserve_user = 0\n").contains("root is refused"));
        assert!(refusal("[process]\nserve_user = 64802\n").contains("must differ"));
        assert!(refusal("[process]\nzone_user = 64802\n").contains("`process.zone_user`: must differ"));
        assert!(refusal("[zone]\nbackends = [\"container\"]\n").contains("must be `vm` or `process`"));
        assert!(refusal("[zone]\nbackends = [\"vm\", \"vm\"]\n").contains("each kind once"));
        assert!(refusal("[zone]\nmemory_bytes = 500000000\n").contains("three quarters"));
        assert!(parse("[zone]\nbackends = []\n").is_ok());
        assert!(refusal("nothing = 1\n").contains("`nothing`: unknown field"));
    }

    #[test]
    fn object_stores_are_one_kind_or_the_other() {
        assert!(refusal("[objects]\nkind = \"s3\"\n").contains("`endpoint` is missing"));
        assert!(refusal("[objects]\nendpoint = \"https://s3.example\"\n").contains("does not belong"));
        assert!(refusal("[objects]\nkind = \"tape\"\n").contains("unknown variant"));
    }

    #[test]
    fn token_algorithms_with_shared_secrets_cannot_be_configured() {
        let issuer = |algorithms: &str| {
            format!("[[oidc]]\nissuer = \"https://i.example\"\naudience = \"o\"\nalgorithms = {algorithms}\n")
        };
        assert!(parse(&issuer("[\"ES256\"]")).is_ok());
        for bad in ["[\"HS256\"]", "[\"none\"]", "[]"] {
            assert!(refusal(&issuer(bad)).contains("`oidc[0].algorithms"), "{bad}");
        }
        assert!(refusal("[[oidc]]\nissuer = \"http://i.example\"\naudience = \"o\"\n").contains("https"));
        assert!(refusal("[[oidc]]\nissuer = \"https://i.example\"\n").contains("missing field `audience`"));
    }

    #[test]
    fn paths_are_relative_to_the_files_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("octroi.toml");
        std::fs::write(&file, "[tls]\nkey = \"/elsewhere/key\"\n").unwrap();
        let settings = Settings::load(&file).unwrap();
        assert_eq!(settings.tls.key, Path::new("/elsewhere/key"));
        assert_eq!(settings.keys.socket, folder.path().join("run/keys.sock"));
        assert!(Settings::load(&folder.path().join("absent")).unwrap_err().to_string().contains("absent"));
    }

    proptest! {
        #[test]
        fn any_text_is_settings_or_a_refusal(text in "(\\[?[a-z._]{0,12}\\]?( = )?[-0-9a-z\"\\[\\]]{0,8}\n){0,6}") {
            let _ = parse(&text);
        }
    }
}
