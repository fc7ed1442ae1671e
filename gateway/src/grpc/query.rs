//! `QueryService`.

use octroi_proto::wire::v1::{
    self,
    query_service_server::{QueryService, QueryServiceServer},
};
use tonic::{Request, Response, Status};

use super::caller;
use crate::{gateway::Gateway, listen::Patience, zone};

/// The service.
pub(super) fn service(gateway: Gateway) -> QueryServiceServer<Queries> {
    QueryServiceServer::new(Queries(gateway))
}

pub(super) struct Queries(Gateway);

#[tonic::async_trait]
impl QueryService for Queries {
    async fn ask(&self, request: Request<v1::AskRequest>) -> Result<Response<v1::Answer>, Status> {
        let caller = caller(&request)?;
        let patience = request.extensions().get::<Patience>().cloned();
        let outcome = self.0.ask(&caller, request.into_inner(), patience).await?;
        Ok(Response::new(zone::padded(outcome.into())))
    }

    async fn check(&self, request: Request<v1::AskRequest>) -> Result<Response<v1::CheckReply>, Status> {
        let caller = caller(&request)?;
        let patience = request.extensions().get::<Patience>().cloned();
        let checked = self.0.check(&caller, request.into_inner(), patience).await?;
        Ok(Response::new(checked.into()))
    }
}
