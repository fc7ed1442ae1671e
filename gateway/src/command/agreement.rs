//! `octroi agreement`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use octroi_proto::{Instant, wire::v1};
use serde::Deserialize;

use super::{
    CommandError, Connection, Output,
    connect::{PAGE, every},
    output::time,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record a signed agreement
    #[command(
        after_help = "The file, TOML:\n  id = \"conv-2026-01\"\n  organisation = \"voltaic-sas\"\n  datasets = [\"climat-ilots\"]\n  \
        information = \"indoor climate by block\"\n  functions = \"network planning\"\n  operation = \"download once a month\"\n  \
        responsibility = \"the vendor answers for its copies\"\n  review_due = \"2027-06-30T00:00:00Z\""
    )]
    Add {
        /// The agreement, TOML
        file: PathBuf,
    },
    /// List the agreements
    List,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AgreementFile {
    id: String,
    organisation: String,
    datasets: Vec<String>,
    information: String,
    functions: String,
    operation: String,
    responsibility: String,
    review_due: Option<String>,
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    match command {
        Command::Add { file } => {
            let agreement = Some(read(&file)?);
            let agreement =
                connection.access().add_agreement(v1::AddAgreementRequest { agreement }).await?.into_inner();
            let (id, due) = (&agreement.id, time(agreement.review_due.as_ref()));
            output.done(
                &agreement,
                format!(
                    "{id} is recorded; grants under it stop on {due}: record a successor and grant anew before then"
                ),
            );
            Ok(())
        }
        Command::List => list(connection, output).await,
    }
}

fn read(path: &Path) -> Result<v1::Agreement, CommandError> {
    let text = fs::read_to_string(path).map_err(|source| CommandError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let malformed = |problem| CommandError::Malformed { path: path.to_owned(), what: "an agreement", problem };
    let file: AgreementFile = toml::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let review_due = file.review_due.map(|text| text.parse::<Instant>()).transpose();
    let review_due =
        review_due.map_err(|_| malformed("`review_due` must be a time such as `2027-06-30T00:00:00Z`".to_owned()))?;
    Ok(v1::Agreement {
        id: file.id,
        organisation: file.organisation,
        datasets: file.datasets,
        information: file.information,
        functions: file.functions,
        operation: file.operation,
        responsibility: file.responsibility,
        review_due: review_due.map(octroi_proto::time::to_wire),
        added_by: String::new(),
        added: None,
    })
}

async fn list(connection: &Connection, output: Output) -> Result<(), CommandError> {
    let agreements = every(async |page_token| {
        let request = v1::ListAgreementsRequest { page_size: PAGE, page_token };
        let page = connection.access().list_agreements(request).await?.into_inner();
        Ok((page.agreements, page.next_page_token))
    })
    .await?;
    output.list(&agreements, &["id", "organisation", "datasets", "review due"], |it| {
        vec![it.id.clone(), it.organisation.clone(), it.datasets.join(", "), time(it.review_due.as_ref())]
    });
    Ok(())
}
