//! `octroi grant`.

use clap::Subcommand;
use octroi_proto::wire::v1;

use super::{
    CommandError, Connection, Output,
    connect::{PAGE, every},
    output::time,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List your organisation's grants, or those on your datasets
    List,
    /// Revoke a grant: its next request is refused, its running streams end within a second
    Revoke {
        /// Id of the grant
        id: String,
        /// Why, for the evidence
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    match command {
        Command::List => list(connection, output).await,
        Command::Revoke { id, reason } => {
            let grant =
                connection.access().revoke_grant(v1::RevokeGrantRequest { grant: id, reason }).await?.into_inner();
            output.done(&grant, format!("grant {} is revoked", grant.id));
            Ok(())
        }
    }
}

async fn list(connection: &Connection, output: Output) -> Result<(), CommandError> {
    let grants = every(async |page_token| {
        let request = v1::ListGrantsRequest { page_size: PAGE, page_token };
        let page = connection.access().list_grants(request).await?.into_inner();
        Ok((page.grants, page.next_page_token))
    })
    .await?;
    output.list(&grants, &["id", "dataset", "organisation", "purpose", "expires", "revoked"], |it| {
        let (expires, revoked) = (time(it.expires.as_ref()), time(it.revoked.as_ref()));
        vec![it.id.clone(), it.dataset.clone(), it.organisation.clone(), it.purpose.clone(), expires, revoked]
    });
    Ok(())
}
