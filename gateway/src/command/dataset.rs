//! `octroi dataset`.

use std::path::PathBuf;

use clap::Subcommand;
use octroi_proto::{Level, to_json, wire::v1};

use super::{
    CommandError, Connection, Output,
    connect::{PAGE, every},
    output::title,
};

mod dcat;
mod file;
mod import;
mod lint;
mod load;
mod policy;
mod schema;
mod search;

pub(super) use self::lint::run as lint;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a dataset from its description
    #[command(after_help = "Example of a description: config/demo/velo-compteurs.toml")]
    Register {
        /// The description, TOML
        file: PathBuf,
    },
    /// Replace a dataset's description
    Describe {
        /// The description, TOML
        file: PathBuf,
        /// Only if this revision is still current
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        revision: u64,
    },
    /// Say what in a description tells of the data itself, and what is missing, before it is sent
    #[command(after_help = "Example:\n  octroi dataset lint capteurs.toml --lang fr")]
    Lint(lint::Lint),
    /// Put a dataset into the feeds
    Publish {
        /// Which
        id: String,
    },
    /// Take a dataset out of every feed; its links stop working at once
    Withdraw {
        /// Which
        id: String,
        /// Why, for the evidence
        #[arg(long)]
        reason: String,
    },
    /// Raise a dataset's level; nothing lowers one
    Raise {
        /// Which
        id: String,
        /// quasi-sensitive or sensitive
        level: Level,
        /// Why, for the evidence
        #[arg(long)]
        reason: String,
    },
    /// Declare the tables of a sensitive dataset, or show them
    #[command(after_help = "Example of a schema: config/demo/schemas/nyc-flights.toml")]
    Schema {
        /// Which
        id: String,
        /// The schema, TOML; without one, what is declared is shown
        file: Option<PathBuf>,
    },
    /// Declare what may leave of the tables of a sensitive dataset, or show it
    #[command(after_help = "Examples:\n  octroi dataset policy nyc-flights config/release/nyc-flights.toml\n  \
                            octroi dataset policy nyc-flights\n\n\
                            config/release/nyc-flights.toml explains every key, docs/RELEASE-POLICY.md how to choose.")]
    Policy {
        /// Which
        id: String,
        /// The policy, TOML; without one, what is declared is shown
        file: Option<PathBuf>,
    },
    /// Load rows into a table of a sensitive dataset, sealed so that nobody but a zone reads them
    #[command(after_help = "Example:\n  octroi dataset load nyc-flights flights flights.csv --replace")]
    Load(load::Load),
    /// Register or update many datasets: each as a whole or not at all, and none to a lower level
    #[command(after_help = "Examples:\n  octroi dataset import catalogue.jsonl --publish\n  \
                            octroi dataset import portal.ttl --defaults ours.toml --dry-run")]
    Import(import::Import),
    /// Print every dataset you may know of, as `import` reads it
    Export,
    /// Find datasets by words, among all that you may know of
    #[command(after_help = "Examples:\n  octroi dataset search vélo\n  \
                            octroi dataset search 'tags:mobilité -title:ville' --filter level:public --facet groups")]
    Search(search::Search),
    /// Show one dataset
    Show {
        /// Which
        id: String,
    },
    /// List the datasets you may know of
    List,
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let mut datasets = connection.datasets();
    let dataset = match command {
        Command::Register { file } => {
            let description = Some(file::read(&file)?);
            datasets.register(v1::RegisterDatasetRequest { description }).await?
        }
        Command::Describe { file, revision } => {
            let description = Some(file::read(&file)?);
            datasets.describe(v1::DescribeDatasetRequest { description, revision }).await?
        }
        Command::Lint(options) => return lint(&options, output),
        Command::Publish { id } => datasets.publish(v1::PublishDatasetRequest { id }).await?,
        Command::Withdraw { id, reason } => datasets.withdraw(v1::WithdrawDatasetRequest { id, reason }).await?,
        Command::Raise { id, level, reason } => {
            datasets.raise_level(v1::RaiseLevelRequest { id, level: level.to_wire().into(), reason }).await?
        }
        Command::Schema { id, file } => return schema::run(id, file.as_deref(), connection, output).await,
        Command::Policy { id, file } => return policy::run(id, file.as_deref(), connection, output).await,
        Command::Import(import) => return import::run(import, connection, output).await,
        Command::Export => return import::export(connection).await,
        Command::Search(search) => return search.run(connection, output).await,
        Command::Load(load) => return load::run(load, connection, output).await,
        Command::Show { id } => {
            output.record(&datasets.get(v1::GetDatasetRequest { id }).await?.into_inner());
            return Ok(());
        }
        Command::List => return list(connection, output).await,
    };
    let dataset = dataset.into_inner();
    output.done(&dataset, standing(&dataset));
    Ok(())
}

async fn list(connection: &Connection, output: Output) -> Result<(), CommandError> {
    let datasets = every(async |page_token| {
        let request = v1::ListDatasetsRequest { page_size: PAGE, page_token };
        let page = connection.datasets().list(request).await?.into_inner();
        Ok((page.datasets, page.next_page_token))
    })
    .await?;
    output.list(&datasets, &["id", "level", "state", "steward", "title"], |dataset| {
        let description = dataset.description.clone().unwrap_or_default();
        let [level, state] = words(dataset);
        vec![description.id.clone(), level, state, description.steward.clone(), title(&description)]
    });
    Ok(())
}

/// Level and state, as people write them.
fn words(dataset: &v1::Dataset) -> [String; 2] {
    let shown = to_json(dataset);
    ["/description/level", "/state"]
        .map(|at| shown.pointer(at).and_then(|it| it.as_str()).unwrap_or_default().to_owned())
}

fn standing(dataset: &v1::Dataset) -> String {
    let id = dataset.description.as_ref().map(|it| it.id.as_str()).unwrap_or_default();
    let [level, state] = words(dataset);
    let next = match dataset.state() {
        v1::DatasetState::Draft => format!("; put it into the feeds with `octroi dataset publish {id}`"),
        v1::DatasetState::Published | v1::DatasetState::Withdrawn | v1::DatasetState::Unspecified => String::new(),
    };
    format!("{id}: {level}, {state}, revision {}{next}", dataset.revision)
}
