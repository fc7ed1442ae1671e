//! The `octroi` command: the gateway's own processes, and the commands with which people use it.
//!
//! Every client command takes `--profile FILE` (or `OCTROI_PROFILE`) and `--json`; what it prints without `--json`
//! is for eyes and may change, what it prints with it is for programs and will not.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Parser, Subcommand};

mod agreement;
mod connect;
mod dataset;
mod error;
mod evidence;
mod grant;
mod identity;
pub mod init;
mod keys;
mod object;
mod organisation;
mod output;
mod principal;
pub mod profile;
mod query;
mod registry;
mod request;
mod verify;
mod zone;
mod zone_host;

use connect::Connection;
pub use error::CommandError;
use output::Output;

use crate::clock::SystemClock;

/// Octroi: a secure data-sharing gateway for a city's data lake.
#[derive(Debug, Parser)]
#[command(name = "octroi", version, propagate_version = true, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every client command.
#[derive(Debug, Args)]
struct Common {
    /// Who you are and which gateway you speak to: a TOML file, as `octroi init` and `octroi principal add` write it
    #[arg(long, global = true, env = "OCTROI_PROFILE", value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Print JSON for programs instead of tables for eyes
    #[arg(long, global = true)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  octroi init /srv/octroi                                   make a data folder
  octroi serve --config /srv/octroi/octroi.toml             open the gate
  export OCTROI_PROFILE=~/voltaic/profile.toml
  octroi dataset list                                       what there is
  octroi request make climat-ilots --purpose 'network planning'
  octroi object get climat-ilots 2026/january.csv --out january.csv";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a data folder: settings, authority, keys, operator identity, register
    Init(init::Args),
    /// Run the gateway
    Serve(ServeArgs),
    /// Run the key process alone (serve starts it by itself)
    Keys(keys::Args),
    /// Run the zone host alone (serve starts it by itself)
    ZoneHost(zone_host::Args),
    /// What runs zones on this machine, and whether it may be given keys
    #[command(subcommand)]
    Zone(zone::Command),
    #[command(flatten)]
    Client(Client),
    /// Check offline that a receipt or exported evidence is in the log
    Verify(verify::Args),
    /// Make a key and a certificate request of one's own
    Identity(identity::Args),
    /// The register's index, offline
    #[command(subcommand)]
    Registry(registry::Command),
}

/// What is asked of a gateway, over the network.
#[derive(Debug, Subcommand)]
enum Client {
    /// Say who the gateway takes you for
    Whoami,
    /// People, vendors and machines that may call
    #[command(subcommand)]
    Principal(principal::Command),
    /// Organisations as a whole
    #[command(subcommand)]
    Organisation(organisation::Command),
    /// What the gateway guards
    #[command(subcommand)]
    Dataset(dataset::Command),
    /// Signed agreements that grants rest on
    #[command(subcommand)]
    Agreement(agreement::Command),
    /// Requests for access
    #[command(subcommand)]
    Request(request::Command),
    /// Grants
    #[command(subcommand)]
    Grant(grant::Command),
    /// Files of a dataset
    #[command(subcommand)]
    Object(object::Command),
    /// Ask sensitive data in SQL
    Query(query::Args),
    /// What happened at the gate
    #[command(subcommand)]
    Evidence(evidence::Command),
}

/// `octroi serve`.
#[derive(Debug, Args)]
struct ServeArgs {
    /// The settings, `octroi.toml`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs what was asked for.
///
/// # Errors
/// [`CommandError`] with a sentence that says what to do.
pub fn run(cli: Cli) -> Result<(), CommandError> {
    let Cli { common, command } = cli;
    let output = Output { json: common.json };
    match command {
        Command::Init(args) => init::run(&args, output),
        Command::Serve(args) => Ok(crate::serve::run(&args.config, Arc::new(SystemClock), crate::gateway::assemble)?),
        Command::Keys(args) => keys::run(&args),
        Command::ZoneHost(args) => zone_host::run(&args),
        Command::Zone(command) => zone::run(&command, output),
        Command::Identity(args) => identity::run(&args, output),
        Command::Verify(args) => verify::run(&args, common.profile.as_deref(), output),
        Command::Registry(command) => registry::run(&command, output),
        // A file is all that this looks at: whoever writes a description may have no profile yet.
        Command::Client(Client::Dataset(dataset::Command::Lint(options))) => dataset::lint(&options, output),
        Command::Client(command) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .map_err(CommandError::Runtime)?;
            runtime.block_on(run_client(command, &common, output))
        }
    }
}

async fn run_client(command: Client, common: &Common, output: Output) -> Result<(), CommandError> {
    let connection = Connection::open(common.profile.as_deref())?;
    match command {
        Client::Whoami => principal::whoami(&connection, output).await,
        Client::Principal(command) => principal::run(command, &connection, output).await,
        Client::Organisation(command) => organisation::run(command, &connection, output).await,
        Client::Dataset(command) => dataset::run(command, &connection, output).await,
        Client::Agreement(command) => agreement::run(command, &connection, output).await,
        Client::Request(command) => request::run(command, &connection, output).await,
        Client::Grant(command) => grant::run(command, &connection, output).await,
        Client::Object(command) => object::run(command, &connection, output).await,
        Client::Query(args) => query::run(args, &connection, output).await,
        Client::Evidence(command) => evidence::run(command, &connection, output).await,
    }
}
