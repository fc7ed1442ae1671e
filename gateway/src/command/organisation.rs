//! `octroi organisation`.

use clap::Subcommand;
use octroi_proto::wire::v1;

use super::{CommandError, Connection, Output};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Revoke every principal and every grant of an organisation at once
    Revoke {
        /// Its id
        id: String,
        /// Why, for the evidence
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    match command {
        Command::Revoke { id, reason } => {
            let request = v1::RevokeOrganisationRequest { id: id.clone(), reason };
            let answer = connection.principals().revoke_organisation(request).await?.into_inner();
            let (principals, grants) = (answer.principals_revoked, answer.grants_revoked);
            output.done(&answer, format!("{id} is revoked, with {principals} principals and {grants} grants"));
            Ok(())
        }
    }
}
