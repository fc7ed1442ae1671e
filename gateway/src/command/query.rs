//! `octroi query`.

mod underline;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use octroi_proto::wire::v1::{self, answer_value::Value};
use serde::Deserialize;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{CommandError, Connection, Output};
use crate::zone::{AnswerObject, ReceiptFile};

/// What to ask.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  octroi query --dataset mobility-trips --purpose 'mode shares' \\
    \"SELECT mode, COUNT(*) AS trips FROM trips GROUP BY mode\"
  octroi query --dataset mobility-trips --dataset households --purpose 'mode shares' --json --receipt receipt.json \\
    \"SELECT h.commune, COUNT(*) FROM trips t JOIN households.households h ON t.household = h.household GROUP BY 1\"
  octroi query --dataset mobility-trips --purpose 'mode shares' --batch questions.jsonl
    one object a line: {\"sql\": \"SELECT ...\"}, with \"purpose\" where it differs
  octroi query --dataset mobility-trips --purpose 'mode shares' --check \\
    \"SELECT mode, COUNT(*) AS trips FROM trips WHERE mode <> 'car' GROUP BY mode\"
    reads nothing, and says at once what is not allowed, where, and what to write instead
  octroi query --dataset mobility-trips --purpose 'mode shares' --cost \\
    \"SELECT mode, COUNT(*) AS trips FROM trips GROUP BY mode\"
    how it would be answered, and what noise would cost
  octroi verify receipt.json --checkpoint checkpoint --sql question.sql

An answer leaves at a release tick: it takes a few seconds, whatever it is.")]
pub(crate) struct Args {
    /// Which dataset; repeat it to join several. Bare table names are of the first
    #[arg(long = "dataset", value_name = "ID", required = true)]
    datasets: Vec<String>,
    /// What the answer is for: a purpose that was granted
    #[arg(long, value_name = "TEXT", required_unless_present = "batch")]
    purpose: Option<String>,
    /// Where it runs: `vm`, or `process` where the dataset allows it
    #[arg(long, value_name = "NAME", default_value = "vm")]
    backend: String,
    /// Write the receipt to this file, for `octroi verify`
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    receipt: Option<PathBuf>,
    /// Ask every line of this file, in order, over one connection; one JSON object comes back for each
    #[arg(long, value_name = "FILE", conflicts_with = "sql")]
    batch: Option<PathBuf>,
    /// Only say whether it may be asked, and how it would be answered: nothing is read
    #[arg(long, conflicts_with_all = ["batch", "receipt"])]
    check: bool,
    /// Only say how it would be answered, and at what price of the privacy budget: nothing is read
    #[arg(long, conflicts_with_all = ["batch", "receipt", "check"])]
    cost: bool,
    /// One SELECT
    #[arg(required_unless_present = "batch")]
    sql: Option<String>,
}

pub(crate) async fn run(args: Args, connection: &Connection, output: Output) -> Result<(), CommandError> {
    match (&args.batch, &args.sql) {
        (Some(file), _) => batch(&args, file, connection).await,
        (None, Some(sql)) if args.check || args.cost => check(&args, sql, connection, output).await,
        (None, Some(sql)) => one(&args, sql, connection, output).await,
        (None, None) => Err(CommandError::Usage("give a question, or `--batch FILE`".to_owned())),
    }
}

impl Args {
    fn request(&self, sql: String, purpose: Option<String>) -> v1::AskRequest {
        let purpose = purpose.or_else(|| self.purpose.clone()).unwrap_or_default();
        v1::AskRequest { datasets: self.datasets.clone(), purpose, sql, backend: self.backend.clone() }
    }
}

async fn one(args: &Args, sql: &str, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let answer = match connection.queries().ask(args.request(sql.to_owned(), None)).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(not_asked(status, sql, output)),
    };
    if let Some(path) = &args.receipt {
        write_receipt(path, &answer)?;
    }
    if output.json {
        return print(&AnswerObject::from(&answer));
    }
    show(&answer, args.receipt.as_deref(), output);
    Ok(())
}

/// Has the question judged; what is not allowed is an error, as it is when it is asked.
async fn check(args: &Args, sql: &str, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let checked = match connection.queries().check(args.request(sql.to_owned(), None)).await {
        Ok(checked) => checked.into_inner(),
        Err(status) => return Err(not_asked(status, sql, output)),
    };
    let verdict = match checked.tier.as_str() {
        "rounded" => "allowed: what may leave is rounded",
        "noise_if_withheld" => "allowed: what may leave is rounded, and noise takes the place of what may not",
        "noise" => "allowed: answered with noise",
        "exact" => "allowed: answered exactly, since its tables are about nobody",
        _ => return Err(CommandError::Nonsense),
    };
    if args.cost {
        output.done(&checked, format!("{verdict}\n  {}", price(&checked)));
        return Ok(());
    }
    output.done(&checked, verdict);
    checked.notes.iter().for_each(|note| output.say(format!("  {}", plain(note))));
    Ok(())
}

/// What it would cost. That it was answered before, and is free, is told of no question.
fn price(checked: &v1::CheckReply) -> String {
    let epsilon = f64::from(checked.noise_epsilon) / 1_000.0;
    match checked.tier.as_str() {
        "noise" => format!("costs {epsilon} of the privacy budget (epsilon at a delta of one in a million)"),
        "noise_if_withheld" => format!(
            "costs nothing as long as it is rounded; {epsilon} of the privacy budget (epsilon at a delta of one in a \
             million) where noise is added"
        ),
        _ => "costs nothing of the privacy budget".to_owned(),
    }
}

/// Why it was not asked: for programs on standard output, too; for eyes with the piece of it that is meant.
fn not_asked(status: Status, sql: &str, output: Output) -> CommandError {
    let error = CommandError::from(status);
    let CommandError::Refused(status) = error else { return error };
    if output.json {
        // A line that cannot be printed is no reason to say something else.
        let _unprinted = print(&refused(&status));
    }
    match place(&status).and_then(|(from, to)| underline::underlined(sql, from, to)) {
        Some(underlined) => CommandError::Objected { status, underlined },
        None => CommandError::Refused(status),
    }
}

/// The bytes of the question that a refusal is about.
fn place(status: &Status) -> Option<(usize, usize)> {
    let info = status.get_details_error_info()?;
    let at = |name: &str| info.metadata.get(name)?.parse().ok();
    Some((at("from")?, at("to")?))
}

/// A line of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sql: String,
    purpose: Option<String>,
}

/// Asks line by line. What is wrong with a line, or with its answer, is that line's object.
async fn batch(args: &Args, path: &Path, connection: &Connection) -> Result<(), CommandError> {
    let unreadable = |source| CommandError::File { doing: "read", path: path.to_owned(), source };
    let lines = BufReader::new(fs::File::open(path).map_err(unreadable)?).lines();
    let mut queries = connection.queries();
    for line in lines {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        let Ok(Line { sql, purpose }) = serde_json::from_str(&line) else {
            print(&AnswerObject::refused(
                "line",
                "must be {\"sql\": \"SELECT ..\"}, with \"purpose\" where it differs",
            ))?;
            continue;
        };
        match queries.ask(args.request(sql, purpose)).await {
            Ok(answer) => print(&AnswerObject::from(&answer.into_inner()))?,
            Err(status) => print(&refused(&status))?,
        }
    }
    Ok(())
}

fn print(object: &AnswerObject) -> Result<(), CommandError> {
    super::output::line(&object.to_json().map_err(|_| CommandError::Nonsense)?);
    Ok(())
}

fn write_receipt(path: &Path, answer: &v1::Answer) -> Result<(), CommandError> {
    let Some(receipt) = &answer.receipt else { return Ok(()) };
    let text = ReceiptFile::new(receipt).and_then(|file| file.to_json().ok()).ok_or(CommandError::Nonsense)?;
    fs::write(path, text).map_err(|source| CommandError::File { doing: "write", path: path.to_owned(), source })
}

/// What the gateway said no with, in its words: a rejected question by its own code, all else by gRPC's.
fn refused(status: &Status) -> AnswerObject {
    let reason = status.get_details_error_info().map(|info| info.reason).filter(|reason| !reason.is_empty());
    let violations = status.get_details_bad_request().map(|it| it.field_violations).unwrap_or_default();
    let text = if violations.is_empty() {
        status.message().to_owned()
    } else {
        let each = violations.iter().map(|it| format!("`{}`: {}", it.field, it.description));
        each.collect::<Vec<_>>().join("; ")
    };
    AnswerObject::refused(reason.unwrap_or_else(|| word(status.code())), text)
}

/// `PermissionDenied` is `permission_denied`.
fn word(code: Code) -> String {
    let mut word = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

/// For eyes.
fn show(answer: &v1::Answer, receipt: Option<&Path>, output: Output) {
    if let Some(refusal) = &answer.refusal {
        return output.say(format!("refused ({}): {}", refusal.code, refusal.text));
    }
    let table = answer.table.clone().unwrap_or_default();
    let header: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let near: Vec<bool> = table.columns.iter().map(|column| column.rounding == "from rounded parts").collect();
    output.rows(&header, table.rows.iter().map(|row| words(row, &near)));
    let without = &table.keys_without_value;
    if !without.is_empty() {
        let keys: Vec<_> = without.iter().map(|key| words(key, &[]).join(", ")).collect();
        output.say(format!("no value for: {}", keys.join("; ")));
        output.say("  nobody there, too few, too much of one, or else others could be had from it: which, is not told");
    }
    let rounded = table.columns.iter().filter(|column| column.rounding != "none");
    let rounded: Vec<_> = rounded.map(|column| format!("{} ({})", column.name, column.rounding)).collect();
    if !rounded.is_empty() {
        output.say(format!("rounded: {}", rounded.join(", ")));
    }
    if table.noise_epsilon > 0 {
        let spread = table.columns.iter().filter(|column| column.noise_deviation > 0.0);
        let spread: Vec<_> = spread.map(|it| format!("{} {}", it.name, it.noise_deviation)).collect();
        let spread = if spread.is_empty() { "not told, of ratios".to_owned() } else { spread.join(", ") };
        let epsilon = f64::from(table.noise_epsilon) / 1_000.0;
        output.say(format!("noise: `~` marks what has it (standard deviation: {spread}); it cost epsilon {epsilon}"));
    }
    output.say(match receipt {
        Some(path) => format!("receipt: {}", path.display()),
        None => "receipt: not kept; `--receipt FILE` keeps it".to_owned(),
    });
}

/// A row for eyes. What is `near` alone is shown with as many digits as can mean something, and two.
fn words(row: &v1::AnswerRow, near: &[bool]) -> Vec<String> {
    let word = |(place, value): (usize, &v1::AnswerValue)| match &value.value {
        None => String::new(),
        Some(Value::Boolean(it)) => it.to_string(),
        Some(Value::Integer(it)) => it.to_string(),
        Some(Value::Float(it)) if near.get(place).is_some_and(|near| *near) => five_digits(*it),
        Some(Value::Float(it)) => it.to_string(),
        Some(Value::String(it)) => plain(it),
    };
    let marked =
        |(place, word): (usize, String)| match u32::try_from(place).ok().and_then(|it| row.noise.checked_shr(it)) {
            Some(bits) if bits & 1 == 1 && !word.is_empty() => format!("~{word}"),
            Some(_) | None => word,
        };
    row.values.iter().enumerate().map(word).enumerate().map(marked).collect()
}

fn five_digits(number: f64) -> String {
    format!("{number:.4e}").parse().map_or_else(|_| number.to_string(), |near: f64| near.to_string())
}

/// Text of others': it moves no cursor.
fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Refusal;

    #[test]
    fn refusals_say_their_code_and_text() {
        let object = |refusal: Refusal| refused(&refusal.into()).to_json().unwrap();
        let forbidden = object(Refusal::Forbidden);
        assert!(
            forbidden.starts_with(r#"{"verdict":"refused","refusal":{"code":"permission_denied","text":"the policy"#)
        );
        let invalid = object(Refusal::field("purpose", "must be a line"));
        assert!(invalid.contains(r#""code":"invalid_argument","text":"`purpose`: must be a line""#), "{invalid}");
        assert_eq!(word(Code::ResourceExhausted), "resource_exhausted");
    }

    #[test]
    fn a_question_or_a_batch_of_them_is_asked() {
        use crate::command::Cli;
        use clap::{CommandFactory as _, Parser as _};
        Cli::command().debug_assert();
        let parses = |words: &str| Cli::try_parse_from(words.split_whitespace()).is_ok();
        assert!(parses("octroi query --dataset trips --dataset homes --purpose health --json SELECT"));
        assert!(parses("octroi query --dataset trips --batch questions.jsonl"));
        assert!(parses("octroi query --dataset trips --purpose health --check SELECT"));
        assert!(parses("octroi query --dataset trips --purpose health --cost SELECT"));
        for bad in [
            "octroi query --dataset trips SELECT",
            "octroi query --purpose health SELECT",
            "octroi query --dataset trips --purpose health",
            "octroi query --dataset trips --purpose health --batch questions.jsonl SELECT",
            "octroi query --dataset trips --batch questions.jsonl --receipt receipt.json",
            "octroi query --dataset trips --batch questions.jsonl --check",
            "octroi query --dataset trips --purpose health --check --receipt receipt.json SELECT",
            "octroi query --dataset trips --purpose health --check --cost SELECT",
        ] {
            assert!(!parses(bad), "{bad}");
        }
    }

    #[test]
    fn quotients_are_shown_with_the_digits_that_they_have() {
        let value = |value| v1::AnswerValue { value: Some(value) };
        let numbers = [401.183_821_111_476_5, 75.5, -0.000_123_456, 1.0e7].map(|number| value(Value::Float(number)));
        let row = v1::AnswerRow { values: numbers.into(), noise: 0 };
        assert_eq!(words(&row, &[true; 4]), ["401.18", "75.5", "-0.00012346", "10000000"]);
        assert_eq!(words(&row, &[false; 4])[0], "401.1838211114765");
        let noisy = v1::AnswerRow { noise: 0b10, ..row };
        assert_eq!(words(&noisy, &[true; 4])[..3], ["401.18", "~75.5", "-0.00012346"]);
    }

    #[test]
    fn a_refused_question_is_shown_with_the_piece_that_is_meant() {
        let sql = "SELECT COUNT(*) FROM trips WHERE mode <> 'car'";
        let status = |place: &[(&str, &str)]| {
            let place = place.iter().map(|(name, at)| ((*name).to_owned(), (*at).to_owned()));
            let mut details = tonic_types::ErrorDetails::new();
            details.set_error_info("not_allowed", "octroi", place.collect::<std::collections::HashMap<_, _>>());
            Status::with_error_details(Code::InvalidArgument, "`<>` is not allowed here", details)
        };
        let silent = Output { json: false };
        let shown = not_asked(status(&[("from", "33"), ("to", "46")]), sql, silent).to_string();
        assert!(shown.ends_with(&format!("\n  {sql}\n  {:33}^^^^^^^^^^^^^", "")), "{shown}");
        for place in [&[][..], &[("from", "33"), ("to", "900")], &[("from", "0"), ("to", "x")]] {
            assert!(matches!(not_asked(status(place), sql, silent), CommandError::Refused(_)), "{place:?}");
        }
    }

    #[test]
    fn a_batch_line_is_a_question_and_nothing_else() {
        let parse = |text: &str| serde_json::from_str::<Line>(text).is_ok();
        assert!(parse(r#"{"sql": "SELECT 1"}"#) && parse(r#"{"sql": "SELECT 1", "purpose": "health"}"#));
        assert!(!parse(r#"{"query": "SELECT 1"}"#) && !parse("SELECT 1"));
    }
}
