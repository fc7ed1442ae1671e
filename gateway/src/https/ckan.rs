//! `/api/3/action/NAME`: the catalogue as CKAN's harvesters and clients read it, by GET or POST.
//!
//! Answers and errors stand in CKAN's own envelope. Parameters come from the query, a form or a JSON object; those that
//! an action does not know are passed over, as CKAN does.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;
use http::{HeaderMap, StatusCode, header};
use octroi_proto::{DatasetId, dataset::Theme};
use serde_json::{Value, json};

use crate::{
    answer::{OrInternal as _, Problem, Refusal},
    authenticate::Caller,
    authorise,
    catalogue::{
        MOST_FILES, ckan,
        search::{Facet, InvalidQuery, Order, Question, SearchError},
    },
    gateway::Gateway,
};

pub(super) fn routes() -> Router<Gateway> {
    let action = || get(act).post(act);
    Router::new().route("/api/3/action/{name}", action()).route("/api/action/{name}", action())
}

async fn act(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = gateway.permit::<authorise::Probe>(&caller, &()) {
        return Trouble::Ours(refusal).into_response();
    }
    let Some(action) = Action::named(&name) else { return Trouble::UnknownAction.into_response() };
    let answer = match Parameters::read(query.as_deref(), &headers, &body) {
        Ok(parameters) => action.run(&gateway, &parameters).await,
        Err(trouble) => Err(trouble),
    };
    let help = format!("{}/api/3/action/help_show?name={}", gateway.site.base, action.name());
    match answer {
        Ok(Answer::Value(result)) => {
            envelope(StatusCode::OK, json!({ "help": help, "success": true, "result": result }))
        }
        Ok(Answer::Names) => names(gateway, &help),
        Err(trouble) => trouble.enveloped(&help),
    }
}

/// What can be asked for.
#[derive(Debug, Clone, Copy)]
enum Action {
    PackageList,
    PackageShow,
    PackageSearch,
    OrganizationList,
    OrganizationShow,
    GroupList,
    GroupShow,
    TagList,
    LicenseList,
    StatusShow,
    SiteRead,
}

/// What an action answers.
enum Answer {
    Value(Value),
    /// The names of all datasets, which are sent as they are read.
    Names,
}

/// Why an action has no answer.
#[derive(Debug)]
enum Trouble {
    NotFound,
    Invalid(&'static str, String),
    Search(InvalidQuery),
    /// Not even the request could be read.
    Malformed,
    UnknownAction,
    Ours(Refusal),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Ours(refusal)
    }
}

impl Action {
    const ALL: [Self; 11] = [
        Self::PackageList,
        Self::PackageShow,
        Self::PackageSearch,
        Self::OrganizationList,
        Self::OrganizationShow,
        Self::GroupList,
        Self::GroupShow,
        Self::TagList,
        Self::LicenseList,
        Self::StatusShow,
        Self::SiteRead,
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::PackageList => "package_list",
            Self::PackageShow => "package_show",
            Self::PackageSearch => "package_search",
            Self::OrganizationList => "organization_list",
            Self::OrganizationShow => "organization_show",
            Self::GroupList => "group_list",
            Self::GroupShow => "group_show",
            Self::TagList => "tag_list",
            Self::LicenseList => "license_list",
            Self::StatusShow => "status_show",
            Self::SiteRead => "site_read",
        }
    }

    async fn run(self, gateway: &Gateway, parameters: &Parameters) -> Result<Answer, Trouble> {
        let value = match self {
            Self::PackageList if !parameters.has("limit") && !parameters.has("offset") => return Ok(Answer::Names),
            Self::PackageList => page_of_names(gateway, parameters).await?,
            Self::PackageShow => package(gateway, parameters.text("id")?.unwrap_or_default())?,
            Self::PackageSearch => search(gateway, parameters).await?,
            Self::OrganizationList => organizations(gateway, parameters).await?,
            Self::OrganizationShow => organization(gateway, parameters.text("id")?.unwrap_or_default()).await?,
            Self::GroupList => groups(parameters)?,
            Self::GroupShow => group(parameters.text("id")?.unwrap_or_default())?,
            Self::TagList => values(gateway, Facet::Tags).await?.into_iter().map(|(tag, _)| json!(tag)).collect(),
            Self::LicenseList => ckan::licences(),
            Self::StatusShow => ckan::status(&gateway.site),
            Self::SiteRead => json!(true),
        };
        Ok(Answer::Value(value))
    }
}

fn package(gateway: &Gateway, id: &str) -> Result<Value, Trouble> {
    let id: DatasetId = id.parse().map_err(|_| Trouble::NotFound)?;
    let listing = gateway.registry.listing(&id).or_internal()?.ok_or(Trouble::NotFound)?;
    let shown = gateway.everybodys(&listing, MOST_FILES)?.ok_or(Trouble::NotFound)?;
    Ok(ckan::package(&gateway.site, &shown))
}

async fn search(gateway: &Gateway, parameters: &Parameters) -> Result<Value, Trouble> {
    let sort = parameters.text("sort")?.unwrap_or("score desc, metadata_modified desc");
    let rows = parameters.number("rows")?.unwrap_or(10).min(Question::MOST_ROWS);
    let mut filters: Vec<String> = parameters.list("fq_list")?;
    filters.extend(parameters.text("fq")?.map(str::to_owned));
    let words = parameters.text("q")?.unwrap_or_default().to_owned();
    let order = sort.parse::<Order>().map_err(Trouble::Search)?.for_words(&words);
    let question = Question {
        words,
        filters,
        order,
        rows,
        start: parameters.number("start")?.unwrap_or(0),
        facets: facets(parameters)?,
        values: parameters.number("facet.limit")?.unwrap_or(50),
        ..Question::everything(0, 0)
    };
    let found = found(gateway, question).await?;
    let packages: Vec<Value> = found.datasets.iter().map(|it| ckan::package(&gateway.site, it)).collect();
    let (plain, shown) = ckan::facets(&found.facets);
    Ok(json!({ "count": found.total, "sort": sort, "facets": plain, "search_facets": shown, "results": packages }))
}

/// The facets asked for, of those there are.
fn facets(parameters: &Parameters) -> Result<Vec<Facet>, Trouble> {
    let wanted = parameters.list("facet.field")?;
    Ok(Facet::ALL.into_iter().filter(|facet| wanted.iter().any(|name| name == facet.name())).collect())
}

async fn found(gateway: &Gateway, question: Question) -> Result<crate::gateway::Shown, Trouble> {
    match gateway.found(Caller::Anonymous, question).await? {
        Ok(shown) => Ok(shown),
        Err(SearchError::Query(problem)) => Err(Trouble::Search(problem)),
        Err(error) => Err(Refusal::internal(&error).into()),
    }
}

async fn values(gateway: &Gateway, facet: Facet) -> Result<Vec<(String, u64)>, Trouble> {
    let question = Question { facets: vec![facet], values: Question::MOST_VALUES, ..Question::everything(0, 0) };
    let mut values = found(gateway, question).await?.facets.pop().map(|(_, values)| values).unwrap_or_default();
    values.sort();
    Ok(values)
}

async fn page_of_names(gateway: &Gateway, parameters: &Parameters) -> Result<Value, Trouble> {
    let limit = parameters.number("limit")?.unwrap_or(Question::MOST_ROWS).min(Question::MOST_ROWS);
    let names = listed(gateway, parameters.number("offset")?.unwrap_or(0), limit).await?;
    Ok(names.into_iter().map(|name| json!(name)).collect())
}

async fn organizations(gateway: &Gateway, parameters: &Parameters) -> Result<Value, Trouble> {
    let offset = parameters.number("offset")?.unwrap_or(0);
    let limit = parameters.number("limit")?.unwrap_or(usize::MAX);
    let named = values(gateway, Facet::Organization).await?.into_iter().skip(offset).take(limit);
    if !parameters.truth("all_fields")? {
        return Ok(named.map(|(name, _)| json!(name)).collect());
    }
    let mut organizations = Vec::new();
    for (name, _) in named {
        organizations.push(organization(gateway, &name).await?);
    }
    Ok(organizations.into())
}

async fn organization(gateway: &Gateway, id: &str) -> Result<Value, Trouble> {
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain {
        return Err(Trouble::NotFound);
    }
    let question = Question { filters: vec![format!("organization:\"{id}\"")], ..Question::everything(0, 1) };
    let found = found(gateway, question).await?;
    let first = found.datasets.first().ok_or(Trouble::NotFound)?;
    Ok(ckan::organization_with(first, found.total))
}

fn groups(parameters: &Parameters) -> Result<Value, Trouble> {
    let all = parameters.truth("all_fields")?;
    let group = |theme: &Theme| if all { ckan::group(*theme) } else { json!(theme.code().to_ascii_lowercase()) };
    Ok(Theme::ALL.iter().map(group).collect())
}

fn group(id: &str) -> Result<Value, Trouble> {
    id.to_ascii_uppercase().parse().map(ckan::group).map_err(|_| Trouble::NotFound)
}

/// Names of everybody's datasets, from this one on.
async fn listed(gateway: &Gateway, start: usize, limit: usize) -> Result<Vec<String>, Refusal> {
    let gateway = gateway.clone();
    let names = tokio::task::spawn_blocking(move || {
        let found = gateway.search.find(&Question::everything(start, limit)).or_internal()?;
        let mut names = Vec::with_capacity(found.datasets.len());
        for id in found.datasets {
            if gateway.registry.listing(&id).or_internal()?.is_some_and(|listing| !listing.gone) {
                names.push(id.to_string());
            }
        }
        Ok(names)
    });
    names.await.or_internal()?
}

/// All names, a part at a time, however many there are.
fn names(gateway: Gateway, help: &str) -> Response {
    let head = format!("{{\"help\": {}, \"success\": true, \"result\": [", json!(help));
    let parts = stream::try_unfold((Some(0), false), move |(start, begun)| {
        let gateway = gateway.clone();
        async move {
            let Some(start) = start else { return Ok::<_, Refusal>(None) };
            let names = listed(&gateway, start, Question::MOST_ROWS).await?;
            let quoted: Vec<String> = names.iter().map(|name| json!(name).to_string()).collect();
            let comma = if begun && !quoted.is_empty() { ", " } else { "" };
            let next = (!names.is_empty()).then(|| start + Question::MOST_ROWS);
            let part = format!("{comma}{}", quoted.join(", "));
            Ok(Some((Bytes::from(part), (next, begun || !quoted.is_empty()))))
        }
    });
    let ends = |text: String| stream::once(async move { Ok::<_, Refusal>(Bytes::from(text)) });
    let body = futures::StreamExt::chain(futures::StreamExt::chain(ends(head), parts), ends("]}".to_owned()));
    (JSON, Body::from_stream(body)).into_response()
}

/// Parameters by name, wherever they came from.
#[derive(Debug, Default)]
struct Parameters(BTreeMap<String, Value>);

impl Parameters {
    fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Self, Trouble> {
        let mut parameters = Self::default();
        parameters.form(query.unwrap_or_default().as_bytes());
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") && !body.trim_ascii().starts_with(b"{") {
            parameters.form(body);
        } else if !body.trim_ascii().is_empty() {
            // CKAN's own clients send JSON under any content type.
            let object: BTreeMap<String, Value> = serde_json::from_slice(body).map_err(|_| Trouble::Malformed)?;
            parameters.0.extend(object);
        }
        Ok(parameters)
    }

    fn form(&mut self, encoded: &[u8]) {
        let pairs = form_urlencoded::parse(encoded);
        self.0.extend(pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))));
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, Trouble> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Trouble::Invalid(name, "must be a string".to_owned())),
        }
    }

    fn number(&self, name: &'static str) -> Result<Option<usize>, Trouble> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_u64().and_then(|number| usize::try_from(number).ok()),
        };
        number.map(Some).ok_or_else(|| Trouble::Invalid(name, "must be a natural number".to_owned()))
    }

    fn truth(&self, name: &'static str) -> Result<bool, Trouble> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(Value::String(text)) => Ok(matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1" | "t")),
            Some(_) => Err(Trouble::Invalid(name, "must be true or false".to_owned())),
        }
    }

    /// A list of strings; in a query it is written in JSON.
    fn list(&self, name: &'static str) -> Result<Vec<String>, Trouble> {
        let wrong = || Trouble::Invalid(name, "must be a list of strings, such as [\"tags\"]".to_owned());
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| wrong()),
            Some(value) => serde_json::from_value(value.clone()).map_err(|_| wrong()),
        }
    }
}

impl Trouble {
    fn enveloped(self, help: &str) -> Response {
        let (status, error) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, json!({ "__type": "Not Found Error", "message": "Not found" })),
            Self::Invalid(name, problem) => {
                (StatusCode::CONFLICT, json!({ "__type": "Validation Error", name: [problem] }))
            }
            Self::Search(problem) => (
                StatusCode::BAD_REQUEST,
                json!({ "__type": "Search Query Error", "message": format!("Search Query is invalid: it {problem}") }),
            ),
            Self::Malformed | Self::UnknownAction | Self::Ours(_) => return self.into_response(),
        };
        envelope(status, json!({ "help": help, "success": false, "error": error }))
    }
}

/// What CKAN says outside its envelope: a sentence. Never an object: its harvester takes one without a result for the end
/// of the catalogue.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let sentence = match self {
            Self::Ours(refusal) => return Problem::from(refusal).plainly().into_response(),
            Self::UnknownAction => "Bad request - Action name not known",
            Self::NotFound | Self::Invalid(..) | Self::Search(_) | Self::Malformed => {
                "Bad request - JSON Error: the body must be a JSON object, or a form"
            }
        };
        envelope(StatusCode::BAD_REQUEST, json!(sentence))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn envelope(status: StatusCode, value: Value) -> Response {
    (status, JSON, value.to_string()).into_response()
}

const JSON: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "application/json;charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
