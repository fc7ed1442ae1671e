//! gRPC: from wire messages to typed requests and back, asking for the permit that each needs. The deciding is behind
//! it.

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

use crate::{answer::Refusal, authenticate::Caller, authorise, gateway::Gateway, listen::SmallBodyLayer};

mod access;
mod catalogue;
mod dataset;
mod evidence;
mod object;
mod principal;
mod query;
mod release;
mod table;

pub(crate) use catalogue::search;
pub(crate) use principal::who;

/// All services, with health and reflection. What does not stream is held to `small`.
///
/// # Errors
/// When the compiled descriptors are not what reflection understands.
pub async fn routes(gateway: &Gateway, small: SmallBodyLayer) -> Result<Router<Gateway>, ReflectionError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let one_answer = Routes::new(dataset::service(gateway.clone()))
        .add_service(catalogue::service(gateway.clone()))
        .add_service(principal::service(gateway.clone()))
        .add_service(access::service(gateway.clone()))
        .add_service(evidence::service(gateway.clone()))
        .add_service(query::service(gateway.clone()))
        .add_service(release::service(gateway.clone()));
    let streaming = Routes::new(object::service(gateway.clone()))
        .add_service(table::service(gateway.clone()))
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
