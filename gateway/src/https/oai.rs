//! `/oai`: the catalogue for OAI-PMH harvesters, by GET or POST. Whatever is wrong with a request is told as the protocol
//! has it: with status 200, in XML.

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::Method,
    response::{IntoResponse, Response},
    routing::get,
};
use http::header;

use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise,
    catalogue::oai::{self, Answer, Asked, Part, Problem, Record, Refused, Request},
    gateway::Gateway,
};

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/oai", get(ask).post(ask))
}

async fn ask(
    State(gateway): State<Gateway>,
    caller: Caller,
    method: Method,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let query = query.unwrap_or_default();
    let encoded = if method == Method::POST { body.as_ref() } else { query.as_bytes() };
    let arguments: Vec<(String, String)> =
        form_urlencoded::parse(encoded).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let written = match oai::parse(&arguments, &gateway.site.base, &gateway.resumption_key) {
        Ok(asked) => answer(&gateway, asked).await?,
        Err(Refused { problems, echo }) => {
            Answer { site: &gateway.site, at: gateway.registry.now(), echo: &echo }.problems(&problems).or_internal()?
        }
    };
    let headers = [(header::CONTENT_TYPE, oai::CONTENT_TYPE), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, written).into_response())
}

async fn answer(gateway: &Gateway, asked: Asked) -> Result<Vec<u8>, Refusal> {
    let names = if asked.request == Request::ListSets { gateway.publishers().await? } else { Vec::new() };
    let gateway = gateway.clone();
    // Records are read and written off the threads that serve.
    tokio::task::spawn_blocking(move || write(&gateway, &asked, &names)).await.or_internal()?
}

fn write(gateway: &Gateway, Asked { request, echo }: &Asked, publishers: &[String]) -> Result<Vec<u8>, Refusal> {
    let answer = Answer { site: &gateway.site, at: gateway.registry.now(), echo };
    let written = match request {
        Request::Identify => {
            let earliest = gateway.registry.changes(None, 1).or_internal()?;
            answer.identify(&gateway.site.contact, earliest.first().map_or(answer.at, |listing| listing.changed))
        }
        Request::ListMetadataFormats { dataset: None } => answer.formats(),
        Request::ListMetadataFormats { dataset: Some(dataset) } => match gateway.harvested_one(dataset)? {
            Some((_, Some(_))) => answer.formats(),
            Some((_, None)) => answer.problems(&[Problem::NoMetadataFormats]),
            None => answer.problems(&[Problem::IdDoesNotExist]),
        },
        Request::ListSets => answer.sets(publishers.iter().map(String::as_str)),
        Request::GetRecord { dataset, prefix } => match gateway.harvested_one(dataset)? {
            Some((header, shown)) => answer.record(&Record { header, published: shown.as_ref() }, *prefix),
            None => answer.problems(&[Problem::IdDoesNotExist]),
        },
        Request::ListIdentifiers(part) => return identifiers(gateway, &answer, part),
        Request::ListRecords(part) => return records(gateway, &answer, part),
    };
    written.or_internal()
}

fn identifiers(gateway: &Gateway, answer: &Answer<'_>, part: &Part) -> Result<Vec<u8>, Refusal> {
    let harvested = gateway.harvested(part, false)?;
    let headers: Vec<_> = harvested.records.into_iter().map(|(header, _)| header).collect();
    answer.identifiers(&headers, part, harvested.next, &gateway.resumption_key).or_internal()
}

fn records(gateway: &Gateway, answer: &Answer<'_>, part: &Part) -> Result<Vec<u8>, Refusal> {
    let harvested = gateway.harvested(part, true)?;
    let records: Vec<Record<'_>> = harvested
        .records
        .iter()
        .map(|(header, shown)| Record { header: header.clone(), published: shown.as_ref() })
        .collect();
    answer.records(&records, part, harvested.next, &gateway.resumption_key).or_internal()
}
