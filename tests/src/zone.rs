//! A city whose sensitive data can be asked: the real image, real virtual machines.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{City, Said, Settings, octroi_binary};

/// The guest's image, which `cargo xtask test` builds.
pub fn zone_image() -> PathBuf {
    let path = std::env::var_os("OCTROI_ZONE_IMAGE")
        .expect("run the tests with `cargo xtask test`, which builds the image and sets OCTROI_ZONE_IMAGE");
    PathBuf::from(path)
}

/// The image of a guest that lies, floods and hangs, built beside the real one.
pub fn hostile_image() -> PathBuf {
    zone_image().with_file_name("hostile-image")
}

/// The lake that `cargo xtask test` makes: a folder for each dataset.
pub fn lake() -> PathBuf {
    let path = std::env::var_os("OCTROI_LAKE").expect("run the tests with `cargo xtask test`, which sets OCTROI_LAKE");
    PathBuf::from(path)
}

/// A table to declare: its columns as `name type flags`, its subjects.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'a> {
    /// Its name.
    pub name: &'a str,
    /// `("carrier", "string", "")`; the third is more of its TOML (`, hidden = true`).
    pub columns: &'a [(&'a str, &'a str, &'a str)],
    /// Whom its rows are about; nobody, and the table is public.
    pub subjects: &'a [&'a str],
}

impl City {
    /// A city with a zone host, its image approved, release ticks of 100 ms; Claire, Marc and the researcher Lena.
    pub fn asking(settings: Settings<'_>) -> Self {
        Self::init(&[]).asked(settings)
    }

    /// The same, with all its files on a disk of so many bytes.
    pub fn asking_on(bytes: u64, settings: Settings<'_>) -> Self {
        Self::init_on(Some(bytes), &[]).asked(settings)
    }

    fn asked(self, settings: Settings<'_>) -> Self {
        let mut city = self;
        let image = format!("{:?}", zone_image());
        city.set(&[
            ("zone", "start", "true"),
            ("zone", "image", &image),
            ("zone", "backends", "[\"vm\", \"process\"]"),
            ("zone", "release_tick_milliseconds", "100"),
            ("zone", "waiting", "1"),
        ]);
        city.set(settings);
        city.serve();
        city.approve();
        city.staff();
        city.onboard("lena", "universite-bourgogne", "researcher");
        city
    }

    /// Records what the zone host runs as approved.
    pub fn approve(&self) {
        let config = self.config();
        self.plain(&["zone", "approve", "--config", config.to_str().expect("a path"), "--by", "operator"]).expect();
    }

    /// A published sensitive dataset with its tables declared; `isolation` is `vm` or `process`.
    pub fn sensitive(&self, id: &str, isolation: &str, tables: &[Declared<'_>]) {
        self.dataset(id, "sensitive", "metadata_visibility = \"members\"");
        self.declare(id, isolation, tables).expect();
    }

    /// Declares a dataset's tables; what was said.
    pub fn declare(&self, id: &str, isolation: &str, tables: &[Declared<'_>]) -> Said {
        let mut text = format!("isolation = \"{isolation}\"\n");
        for table in tables {
            let subjects: Vec<String> = table.subjects.iter().map(|name| format!("{name:?}")).collect();
            let about = match subjects.as_slice() {
                [] => "public = true".to_owned(),
                subjects => format!("subjects = [{}]", subjects.join(", ")),
            };
            text += &format!("[[tables]]\nname = {:?}\n{about}\ncolumns = [\n", table.name);
            for (name, kind, more) in table.columns {
                text += &format!("  {{ name = {name:?}, type = {kind:?}{more} }},\n");
            }
            text += "]\n";
        }
        let file = self.file(&format!("{id}.schema.toml"), text);
        self.octroi("claire", &["dataset", "schema", id, file.to_str().expect("a path")])
    }

    /// Declares what may leave of a dataset, in the words of a policy's file; what was said.
    pub fn policy(&self, id: &str, text: &str) -> Said {
        let file = self.file(&format!("{id}.policy.toml"), text);
        self.octroi("claire", &["dataset", "policy", id, file.to_str().expect("a path"), "--json"])
    }

    /// Loads a file into a table; what was reported.
    pub fn load(&self, dataset: &str, table: &str, file: &Path, more: &[&str]) -> Said {
        let file = file.to_str().expect("a path");
        let mut words = vec!["dataset", "load", dataset, table, file, "--json"];
        words.extend(more);
        self.octroi("claire", &words)
    }

    /// Lets `who` ask a dataset, for research.
    pub fn let_ask(&self, who: &str, dataset: &str) -> String {
        let ask = ["request", "make", dataset, "--purpose", "research", "--action", "ask", "--json"];
        let request = self.octroi(who, &ask).expect().json();
        let id = request["id"].as_str().expect("an id").to_owned();
        let words = ["request", "grant", &id, "--until", "2027-06-30T00:00:00Z", "--json"];
        self.octroi("claire", &words).expect().json()["id"].as_str().expect("an id").to_owned()
    }

    /// Asks; the one object that `octroi query --json` prints.
    pub fn ask(&self, who: &str, dataset: &str, sql: &str) -> Value {
        self.query(who, &["--dataset", dataset, "--purpose", "research", "--json", sql]).expect().json()
    }

    /// What a question is refused with at once, over HTTPS: `code`, `detail`, and `from` and `to` where a piece is meant.
    pub fn objection(&self, who: &str, dataset: &str, sql: &str) -> Value {
        let body = json!({ "datasets": [dataset], "purpose": "research", "sql": sql }).to_string();
        let answer = self.curl_as(who, &["--data", &body, &self.api("v1/queries")]).expect(400);
        serde_json::from_slice(&answer.body).expect("problem details")
    }

    /// Runs `octroi query`.
    pub fn query(&self, who: &str, words: &[&str]) -> Said {
        let mut all = vec!["query"];
        all.extend(words);
        self.octroi(who, &all)
    }

    /// `octroi query`, not waited for.
    pub fn query_command(&self, who: &str, words: &[&str]) -> Command {
        let mut command = Command::new(octroi_binary());
        command.arg("--profile").arg(self.profile(who)).arg("query").args(words);
        command
    }
}

/// The rows of an answer.
pub fn rows(answer: &Value) -> &[Value] {
    assert_eq!(answer["verdict"], "released", "{answer}");
    answer["rows"].as_array().expect("rows")
}
