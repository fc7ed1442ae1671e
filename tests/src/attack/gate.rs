//! Whom an attacker asks: a gateway, or nobody who protects anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    plain,
    question::Question,
    seen::{Row, Seen},
    table::{MISSING, Table, Terms},
};
use crate::City;

/// Who asks: two researchers, of two organisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Of the one.
    Lena,
    /// Of the other.
    Paul,
}

/// Answers questions about one table.
pub trait Gate {
    /// What an answer shows.
    fn ask(&mut self, who: Who, question: &Question) -> Seen;

    /// How many bytes an answer has on the wire; none if the question is rejected.
    fn bytes(&mut self, question: &Question) -> Option<usize>;

    /// How long it takes until the answer is there.
    fn time(&mut self, question: &Question) -> Duration {
        let begun = Instant::now();
        self.ask(Who::Lena, question);
        begun.elapsed()
    }

    /// The steward loads the rows that come later.
    fn load(&mut self);
}

/// No gateway.
#[derive(Debug, Clone)]
pub struct Open {
    table: Table,
    protection: Protection,
    /// Rows that were told of, where that counts.
    told: Vec<BTreeSet<usize>>,
}

/// What stands between a question and the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    None,
    /// The cell rules, and nothing else.
    CellRules,
    /// And that no difference of two sets told is of one to ten: nobody at all is let pass.
    Differences,
}

impl Open {
    /// Answers of this table, protected so.
    pub fn new(table: &Table, protection: Protection) -> Self {
        Self { table: table.clone(), protection, told: Vec::new() }
    }
}

impl Gate for Open {
    fn ask(&mut self, _who: Who, question: &Question) -> Seen {
        let Self { table, protection, told } = self;
        plain::answer(question, table, |cell, figure| {
            if *protection == Protection::None {
                return true;
            }
            if !cell.passes(figure, table, Terms::default()) {
                return false;
            }
            let rows: BTreeSet<usize> = cell.scope(figure, table).into_iter().collect();
            let few = |one: &BTreeSet<usize>, other: &BTreeSet<usize>| {
                one.is_superset(other) && (1..LEAST).contains(&(one.len() - other.len()))
            };
            if *protection == Protection::Differences && told.iter().any(|it| few(it, &rows) || few(&rows, it)) {
                return false;
            }
            told.push(rows);
            true
        })
    }

    fn bytes(&mut self, question: &Question) -> Option<usize> {
        Some(format!("{:?}", self.ask(Who::Lena, question)).len())
    }

    fn load(&mut self) {
        let later = std::mem::take(&mut self.table.later);
        self.table.rows.extend(later);
    }
}

/// A running gateway, and the table of a dataset there.
pub struct Live<'a> {
    city: &'a City,
    dataset: &'a str,
    table: &'a Table,
    backend: &'a str,
    clients: BTreeMap<Who, Client>,
    /// What was asked and answered.
    pub transcript: Vec<Asked>,
}

/// A question and its answer, as whoever reads of it wants them.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Who asked.
    pub who: Who,
    /// In what words.
    pub sql: String,
    /// What was answered; of many rows the first.
    pub answer: String,
}

impl<'a> Live<'a> {
    /// Asks of this table, in zones of this kind.
    pub fn new(city: &'a City, dataset: &'a str, table: &'a Table, backend: &'a str) -> Self {
        Self { city, dataset, table, backend, clients: BTreeMap::new(), transcript: Vec::new() }
    }

    /// The one object that `octroi query --json` prints.
    pub fn answer(&mut self, who: Who, sql: &str) -> Value {
        let (city, dataset, backend) = (self.city, self.dataset, self.backend);
        let client = self.clients.entry(who).or_insert_with(|| Client::start(city, who, dataset, backend));
        loop {
            let answer = client.ask(sql);
            if answer["refusal"]["code"] != "resource_exhausted" {
                self.transcript.push(Asked { who, sql: sql.to_owned(), answer: shortened(&answer) });
                return answer;
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Gate for Live<'_> {
    fn ask(&mut self, who: Who, question: &Question) -> Seen {
        let answer = self.answer(who, &question.sql(self.table));
        let seen = Seen::of(&answer, question.keys.len());
        let Seen::Rows(mut rows) = seen else { return seen };
        let key = |value: &Value| match value {
            Value::Null => MISSING.to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        for without in answer["keys_without_value"].as_array().into_iter().flatten() {
            let keys = without.as_array().into_iter().flatten().map(key).collect();
            rows.push(Row { keys, figures: Vec::new() });
        }
        Seen::Rows(rows)
    }

    fn bytes(&mut self, question: &Question) -> Option<usize> {
        let sql = question.sql(self.table);
        let body = json!({ "datasets": [self.dataset], "purpose": PURPOSE, "sql": sql, "backend": self.backend });
        let answer = self.city.curl_as(Who::Lena.name(), &["--data", &body.to_string(), &self.city.api("v1/queries")]);
        let told = format!("{} bytes, status {}", answer.body.len(), answer.status);
        self.transcript.push(Asked { who: Who::Lena, sql, answer: told });
        (answer.status == 200).then_some(answer.body.len())
    }

    fn load(&mut self) {
        let file = self.city.file(&format!("{}.later.csv", self.table.name), self.table.csv(&self.table.later));
        self.city.load(self.dataset, &self.table.name, &file, &[]).expect();
    }
}

/// Without its receipt.
fn shortened(answer: &Value) -> String {
    let told = match answer["verdict"].as_str() {
        Some("released") => json!({ "rows": answer["rows"], "keys_without_value": answer["keys_without_value"] }),
        _ => answer["refusal"].clone(),
    };
    told.to_string().chars().take(LONGEST).collect()
}

impl Who {
    /// The principal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lena => "lena",
            Self::Paul => "paul",
        }
    }
}

/// `octroi query --batch` that reads a question when there is one.
struct Client {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    fn start(city: &City, who: Who, dataset: &str, backend: &str) -> Self {
        let words =
            ["--dataset", dataset, "--purpose", PURPOSE, "--backend", backend, "--json", "--batch", "/dev/stdin"];
        let mut command: Command = city.query_command(who.name(), &words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let questions = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, questions, answers }
    }

    fn ask(&mut self, sql: &str) -> Value {
        writeln!(self.questions, "{}", json!({ "sql": sql })).expect("it reads questions");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in `{line}`, asked `{sql}`"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Characters of an answer that are kept to be read.
const LONGEST: usize = 400;
/// Fewest that a difference may be of.
const LEAST: usize = 11;
/// As [`City::let_ask`] grants it.
const PURPOSE: &str = "research";
