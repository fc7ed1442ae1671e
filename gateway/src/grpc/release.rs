//! `ReleaseService`.

use octroi_proto::{
    DatasetId, ReleasePolicy,
    wire::v1::{
        self,
        release_service_server::{ReleaseService, ReleaseServiceServer},
    },
};
use tonic::{Request, Response, Status};

use super::{caller, field};
use crate::{answer::Refusal, authorise, gateway::Gateway, registry::change};

/// The service.
pub(super) fn service(gateway: Gateway) -> ReleaseServiceServer<Policies> {
    ReleaseServiceServer::new(Policies(gateway))
}

pub(super) struct Policies(Gateway);

#[tonic::async_trait]
impl ReleaseService for Policies {
    async fn declare_policy(
        &self,
        request: Request<v1::DeclarePolicyRequest>,
    ) -> Result<Response<v1::PolicyDeclared>, Status> {
        let caller = caller(&request)?;
        let policy = request.into_inner().policy.unwrap_or_default();
        let dataset: DatasetId = field("policy.dataset", policy.dataset.parse())?;
        // Before the policy is looked at: strangers learn nothing of what would be accepted.
        let permit = self.0.permit::<authorise::DeclarePolicy>(&caller, &dataset)?;
        let policy = ReleasePolicy::try_from(policy).map_err(Refusal::from)?;
        let declared = self.0.commit(permit, change::DeclarePolicy { policy }).await?;
        Ok(Response::new((&declared).into()))
    }

    async fn get_policy(&self, request: Request<v1::GetPolicyRequest>) -> Result<Response<v1::ReleasePolicy>, Status> {
        let caller = caller(&request)?;
        let dataset = field("dataset", request.into_inner().dataset.parse())?;
        Ok(Response::new((&self.0.policy(&caller, &dataset)?).into()))
    }
}
