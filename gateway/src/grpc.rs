//! gRPC: from wire messages to typed requests and back, and nothing else. Decisions are made behind it.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use octroi_proto::{Violations, wire::DESCRIPTORS};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Status, service::Routes};
use tonic_reflection::server::{Builder, Error as ReflectionError};

use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise,
    gateway::Gateway,
    listen::SmallBodyLayer,
    registry::ReadError,
};

mod access;
mod dataset;
mod evidence;
mod object;
mod principal;

pub(crate) use dataset::visible;
pub(crate) use principal::who;

/// All services, with health and reflection. What does not stream is held to `small`.
///
/// # Errors
/// When the compiled descriptors are not what reflection understands.
pub async fn routes(gateway: &Gateway, small: SmallBodyLayer) -> Result<Router<Gateway>, ReflectionError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let one_answer = Routes::new(dataset::service(gateway.clone()))
        .add_service(principal::service(gateway.clone()))
        .add_service(access::service(gateway.clone()))
        .add_service(evidence::service(gateway.clone()));
    let streaming = Routes::new(object::service(gateway.clone()))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let probes = middleware::from_fn_with_state(gateway.clone(), probe);
    let routes = |routes: Routes| routes.into_axum_router().reset_fallback().with_state(());
    Ok(routes(one_answer).layer(small).merge(routes(streaming)).layer(probes).with_state(()))
}

/// Health and reflection have no handlers of ours to ask for a permit, so it is asked for here; every other service
/// asks for its own.
async fn probe(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/grpc.") {
        let caller = request.extensions().get::<Caller>().cloned().ok_or(Refusal::Internal);
        if let Err(refusal) = caller.and_then(|caller| gateway.permit::<authorise::Probe>(&caller, &())) {
            return Status::from(refusal).into_http();
        }
    }
    next.run(request).await
}

/// Reflection over the published contract. How serve speaks with the key process is not for callers' eyes.
fn reflection() -> Builder<'static> {
    let mut files = FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default();
    files.file.retain(|file| !file.package().starts_with("octroi.keys"));
    Builder::configure().register_file_descriptor_set(files)
}

/// The caller that authentication found. Its absence is a fault of ours and refuses.
fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Refusal> {
    request.extensions().get::<Caller>().cloned().ok_or(Refusal::Internal)
}

/// A field of the request, parsed, or the violation by its name.
fn field<T>(name: &'static str, parsed: Result<T, impl ToString>) -> Result<T, Refusal> {
    parsed.map_err(|problem| Refusal::Invalid(Violations::one(name, problem)))
}

/// How many items a page may hold: 100 unless the caller says, 1,000 at most.
pub(crate) fn page_size(wanted: u32) -> Result<usize, Refusal> {
    match wanted {
        0 => Ok(100),
        1..=1_000 => Ok(wanted as usize),
        _ => Err(Refusal::field("page_size", "must be at most 1000")),
    }
}

/// Where a page begins: after this item.
pub(crate) fn after<T: std::str::FromStr>(token: &str) -> Result<Option<T>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    token
        .parse()
        .map(Some)
        .map_err(|_| Refusal::field("page_token", "must be the token of the answer before, unchanged"))
}

/// A page of the items that the caller may see, and the id of its last when there is more. That id is always one
/// the caller saw: a hidden item must not show through a page token.
pub(crate) fn page<Id: Clone, T>(
    after: Option<Id>,
    limit: usize,
    scan: impl Fn(Option<&Id>, usize) -> Result<Vec<T>, ReadError>,
    id: impl Fn(&T) -> Id,
    may: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<Id>), Refusal> {
    page_within(usize::MAX, after, limit, scan, id, may)
}

/// As [`page`], looking at no more items than `most` (in steps of 500). A page that ends there is short, perhaps
/// empty, and comes with the id of the last item looked at, seen or not: only for ids that tell nothing.
pub(crate) fn page_within<Id: Clone, T>(
    most: usize,
    mut after: Option<Id>,
    limit: usize,
    scan: impl Fn(Option<&Id>, usize) -> Result<Vec<T>, ReadError>,
    id: impl Fn(&T) -> Id,
    may: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<Id>), Refusal> {
    const SCAN: usize = 500;
    let mut page = Vec::new();
    let mut last = None;
    let mut looked = 0_usize;
    loop {
        let scanned = scan(after.as_ref(), SCAN).or_internal()?;
        let exhausted = scanned.len() < SCAN;
        for item in scanned {
            let item_id = id(&item);
            after = Some(item_id.clone());
            if may(&item) {
                if page.len() == limit {
                    return Ok((page, last));
                }
                page.push(item);
                last = Some(item_id);
            }
        }
        if exhausted {
            return Ok((page, None));
        }
        looked += SCAN;
        if looked >= most {
            return Ok((page, after));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of the numbers below 2,000 that the caller may see, followed to the end.
    fn pages(most: usize, limit: usize, may: impl Fn(&u32) -> bool) -> Vec<(Vec<u32>, Option<u32>)> {
        let scan = |after: Option<&u32>, most| Ok((after.map_or(0, |after| after + 1)..2_000).take(most).collect());
        let next = |(_, after): &(_, Option<u32>)| {
            after.map(|after| page_within(most, Some(after), limit, scan, |it| *it, &may).unwrap())
        };
        std::iter::successors(Some(page_within(most, None, limit, scan, |it| *it, &may).unwrap()), next).collect()
    }

    #[test]
    fn a_token_is_of_an_item_the_caller_saw_unless_the_look_is_bounded() {
        assert_eq!(pages(usize::MAX, 10, |it| *it == 1_700), [(vec![1_700], None)]);
        let two = pages(usize::MAX, 1, |it| [3, 1_700].contains(it));
        assert_eq!(two, [(vec![3], Some(3)), (vec![1_700], None)]);
    }

    #[test]
    fn a_bounded_look_ends_and_goes_on_where_it_ended() {
        let hidden = pages(1_000, 10, |it| *it == 1_700);
        assert_eq!(hidden, [(vec![], Some(999)), (vec![1_700], Some(1_999)), (vec![], None)]);
        let all: Vec<u32> = pages(500, 300, |it| it % 2 == 0).into_iter().flat_map(|(page, _)| page).collect();
        assert!(all.into_iter().eq((0..2_000).step_by(2)), "nothing twice, nothing left out");
    }
}
