//! `octroi request`.

use clap::Subcommand;
use jiff::ToSpan as _;
use octroi_proto::{GrantAction, Instant, to_json, wire::v1};

use super::{
    CommandError, Connection, Output,
    connect::{PAGE, every},
    output::time,
};
use crate::clock::{Clock as _, SystemClock};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for access to a dataset
    #[command(
        after_help = "Example:\n  octroi request make climat-ilots --purpose 'network planning' --action fetch --action store"
    )]
    Make {
        /// Which dataset
        dataset: String,
        /// What for: one of the dataset's purposes
        #[arg(long)]
        purpose: String,
        /// fetch or store, fetch alone if none is given; ask where the dataset is sensitive
        #[arg(long = "action", value_name = "ACTION")]
        actions: Vec<GrantAction>,
    },
    /// List the requests that you made or may decide
    List,
    /// Grant a request until an expiry
    Grant {
        /// Id of the request
        id: String,
        /// For so many days from now
        #[arg(long, required_unless_present = "until", conflicts_with = "until")]
        days: Option<u16>,
        /// Until this time (RFC 3339)
        #[arg(long)]
        until: Option<Instant>,
        /// Id of the agreement it rests on
        #[arg(long, default_value = "", hide_default_value = true)]
        agreement: String,
    },
    /// Refuse a request
    Refuse {
        /// Id of the request
        id: String,
        /// Why; told to the one who asked
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let mut access = connection.access();
    match command {
        Command::Make { dataset, purpose, actions } => {
            let actions = actions.into_iter().map(|action| action.to_wire().into()).collect();
            let request =
                access.request_access(v1::RequestAccessRequest { dataset, purpose, actions }).await?.into_inner();
            output.done(&request, format!("request {} waits for the steward's decision", request.id));
        }
        Command::List => list(connection, output).await?,
        Command::Grant { id, days, until, agreement } => {
            let expires = Some(octroi_proto::time::to_wire(expiry(days, until)?));
            let grant =
                access.grant_access(v1::GrantAccessRequest { request: id, expires, agreement }).await?.into_inner();
            let (id, until) = (&grant.id, time(grant.expires.as_ref()));
            output.done(
                &grant,
                format!("grant {id} until {until}; end it sooner with `octroi grant revoke {id} --reason ...`"),
            );
        }
        Command::Refuse { id, reason } => {
            let request = access.refuse_access(v1::RefuseAccessRequest { request: id, reason }).await?.into_inner();
            output.done(&request, format!("request {} is refused", request.id));
        }
    }
    Ok(())
}

fn expiry(days: Option<u16>, until: Option<Instant>) -> Result<Instant, CommandError> {
    let from_now = |days: u16| SystemClock.now().checked_add((i64::from(days) * 24).hours()).ok();
    until.or(days.and_then(from_now)).ok_or_else(|| CommandError::Usage("give `--days` or `--until`".to_owned()))
}

async fn list(connection: &Connection, output: Output) -> Result<(), CommandError> {
    let requests = every(async |page_token| {
        let request = v1::ListRequestsRequest { page_size: PAGE, page_token };
        let page = connection.access().list_requests(request).await?.into_inner();
        Ok((page.requests, page.next_page_token))
    })
    .await?;
    output.list(&requests, &["id", "dataset", "organisation", "purpose", "state", "made"], |it| {
        let state = to_json(it).get("state").and_then(|it| it.as_str()).unwrap_or_default().to_owned();
        vec![
            it.id.clone(),
            it.dataset.clone(),
            it.organisation.clone(),
            it.purpose.clone(),
            state,
            time(it.made.as_ref()),
        ]
    });
    Ok(())
}
