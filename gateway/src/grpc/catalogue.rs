//! `CatalogueService`, and the same search for JSON.

use octroi_proto::wire::v1::{
    self,
    catalogue_service_server::{CatalogueService, CatalogueServiceServer},
};
use tonic::{Request, Response, Status};

use super::{caller, field};
use crate::{
    answer::Refusal,
    authenticate::Caller,
    authorise,
    catalogue::{
        record,
        search::{Facet, Order, Question, SearchError},
    },
    gateway::{Gateway, page::page_size},
};

/// The service.
pub(super) fn service(gateway: Gateway) -> CatalogueServiceServer<Catalogue> {
    CatalogueServiceServer::new(Catalogue(gateway))
}

pub(super) struct Catalogue(Gateway);

#[tonic::async_trait]
impl CatalogueService for Catalogue {
    async fn search(&self, request: Request<v1::SearchRequest>) -> Result<Response<v1::SearchResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(search(&self.0, caller, request.into_inner()).await?))
    }
}

/// What a caller may find.
///
/// # Errors
/// [`Refusal`] when the caller may ask nothing, or what is asked is not of its form.
pub(crate) async fn search(
    gateway: &Gateway,
    caller: Caller,
    request: v1::SearchRequest,
) -> Result<v1::SearchResponse, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let shown = match gateway.found(caller, question(request)?).await? {
        Ok(shown) => shown,
        Err(SearchError::Query(problem)) => return Err(Refusal::field("query", problem)),
        Err(error) => return Err(Refusal::internal(&error)),
    };
    Ok(v1::SearchResponse {
        total: shown.total as u64,
        records: shown.datasets.iter().map(record).collect(),
        facets: shown.facets.into_iter().map(counted).collect(),
    })
}

fn question(request: v1::SearchRequest) -> Result<Question, Refusal> {
    let v1::SearchRequest { query, filters, sort, start, page_size: rows, facets } = request;
    if filters.len() > MOST_FILTERS {
        return Err(Refusal::field("filters", "must be at most 20"));
    }
    if facets.len() > Facet::ALL.len() {
        return Err(Refusal::field("facets", "must be at most six, each once"));
    }
    let order = if sort.is_empty() { Order::Relevance } else { field("sort", sort.parse())? };
    Ok(Question {
        order: order.for_words(&query),
        words: query,
        filters,
        start: start as usize,
        rows: page_size(rows)?,
        facets: facets.iter().map(|name| facet(name)).collect::<Result<_, _>>()?,
        values: FACET_VALUES,
        ..Question::everything(0, 0)
    })
}

fn facet(name: &str) -> Result<Facet, Refusal> {
    let known = "must be among `organization`, `groups`, `tags`, `license_id`, `res_format` and `level`";
    Facet::named(name).ok_or(Refusal::field("facets", known))
}

fn counted((facet, values): (Facet, Vec<(String, u64)>)) -> v1::SearchFacet {
    let values = values.into_iter().map(|(value, datasets)| v1::SearchFacetValue { value, datasets }).collect();
    v1::SearchFacet { name: facet.name().to_owned(), values }
}

const MOST_FILTERS: usize = 20;
/// Values named of each facet.
const FACET_VALUES: usize = 50;
