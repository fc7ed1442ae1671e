//! `AccessService`.

use octroi_proto::{
    AccessRequest, Agreement, AgreementId, Dataset, DatasetId, Grant, GrantId, RequestId,
    access::parse_actions,
    time,
    wire::v1::{
        self,
        access_service_server::{AccessService, AccessServiceServer},
    },
};
use tonic::{Request, Response, Status};

use super::{caller, field};
use crate::{
    answer::Refusal,
    authenticate::Caller,
    authorise::{self, Action, Asked, Granted},
    gateway::{
        Gateway,
        page::{after, page, page_size, page_within},
    },
    registry::change,
};

/// The service.
pub(super) fn service(gateway: Gateway) -> AccessServiceServer<Access> {
    AccessServiceServer::new(Access(gateway))
}

pub(super) struct Access(Gateway);

/// The most requests or grants that one call looks at: each is a decision. Their ids are random behind the time they
/// were made at, so a page token may be that of one which the caller cannot see.
const MOST_LOOKED_AT: usize = 5_000;

impl Access {
    /// Whether a caller may do `A` to what is about this dataset; for a list, so that no is also the answer when the
    /// dataset cannot be read.
    fn may<A: Action>(&self, caller: &Caller, about: &DatasetId, target: impl FnOnce(Dataset) -> A::Target) -> bool {
        match self.0.registry.dataset(about) {
            Ok(found) => found.is_some_and(|dataset| self.0.gate.may::<A>(caller, &target(dataset))),
            Err(error) => {
                tracing::error!(action = A::NAME, %error, "no decision for a listing");
                false
            }
        }
    }
}

#[tonic::async_trait]
impl AccessService for Access {
    async fn add_agreement(
        &self,
        request: Request<v1::AddAgreementRequest>,
    ) -> Result<Response<v1::Agreement>, Status> {
        let caller = caller(&request)?;
        let permit = self.0.permit::<authorise::AddAgreement>(&caller, &())?;
        let wire = request.into_inner().agreement.unwrap_or_default();
        if !wire.added_by.is_empty() || wire.added.is_some() {
            return Err(Refusal::field("agreement.added", "is the gateway's to fill: leave it out").into());
        }
        let agreement = Agreement::try_from(wire).map_err(Refusal::from)?;
        // A dataset that the caller may not know of must look as absent here as everywhere.
        if !agreement.datasets.iter().all(|id| self.0.gate.permit::<authorise::ReadMetadata>(&caller, id).is_ok()) {
            return Err(Refusal::field("agreement.datasets", "must all be registered").into());
        }
        let agreement = self.0.commit(permit, change::AddAgreement { agreement }).await?;
        Ok(Response::new((&agreement).into()))
    }

    async fn list_agreements(
        &self,
        request: Request<v1::ListAgreementsRequest>,
    ) -> Result<Response<v1::ListAgreementsResponse>, Status> {
        let caller = caller(&request)?;
        self.0.permit::<authorise::ListAgreements>(&caller, &())?;
        let request = request.into_inner();
        let limit = page_size(request.page_size)?;
        let scan = |after: Option<&AgreementId>, most| self.0.registry.agreements(after, most);
        let (mut page, next) =
            page(after("page_token", &request.page_token)?, limit, scan, |it| it.id.clone(), |_| true)?;
        let may = |id: &DatasetId| self.0.gate.permit::<authorise::ReadMetadata>(&caller, id).is_ok();
        page.iter_mut().for_each(|agreement| agreement.datasets.retain(may));
        Ok(Response::new(v1::ListAgreementsResponse {
            agreements: page.iter().map(Into::into).collect(),
            next_page_token: next.map(String::from).unwrap_or_default(),
        }))
    }

    async fn request_access(
        &self,
        request: Request<v1::RequestAccessRequest>,
    ) -> Result<Response<v1::AccessRequest>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let dataset = field("dataset", request.dataset.parse())?;
        let permit = self.0.permit::<authorise::RequestAccess>(&caller, &dataset)?;
        let purpose = field("purpose", request.purpose.parse())?;
        let actions = field("actions", parse_actions(&request.actions, permit.target().description.level))?;
        let request = self.0.commit(permit, change::RequestAccess { purpose, actions }).await?;
        Ok(Response::new((&request).into()))
    }

    async fn list_requests(
        &self,
        request: Request<v1::ListRequestsRequest>,
    ) -> Result<Response<v1::ListRequestsResponse>, Status> {
        let caller = caller(&request)?;
        self.0.permit::<authorise::ListAccess>(&caller, &())?;
        let request = request.into_inner();
        let (limit, after) = (page_size(request.page_size)?, after("page_token", &request.page_token)?);
        let scan = |after: Option<&RequestId>, most| self.0.registry.requests(after, most);
        let may = |it: &AccessRequest| {
            let target = |dataset| Asked { request: it.clone(), dataset };
            self.may::<authorise::ReadRequest>(&caller, &it.dataset, target)
        };
        let (page, next) = page_within(MOST_LOOKED_AT, after, limit, scan, |it| it.id, may)?;
        Ok(Response::new(v1::ListRequestsResponse {
            requests: page.iter().map(Into::into).collect(),
            next_page_token: next.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }

    async fn grant_access(&self, request: Request<v1::GrantAccessRequest>) -> Result<Response<v1::Grant>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = field("request", request.request.parse())?;
        let permit = self.0.permit::<authorise::DecideRequest>(&caller, &id)?;
        let expires = field("expires", time::parse(request.expires))?;
        let agreement =
            if request.agreement.is_empty() { None } else { Some(field("agreement", request.agreement.parse())?) };
        let grant = self.0.commit(permit, change::Grant { expires, agreement }).await?;
        Ok(Response::new((&grant).into()))
    }

    async fn refuse_access(
        &self,
        request: Request<v1::RefuseAccessRequest>,
    ) -> Result<Response<v1::AccessRequest>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = field("request", request.request.parse())?;
        let permit = self.0.permit::<authorise::DecideRequest>(&caller, &id)?;
        let reason: octroi_proto::Reason = field("reason", request.reason.parse())?;
        let refused = self.0.commit(permit.because(reason.clone()), change::Refuse { reason }).await?;
        Ok(Response::new((&refused).into()))
    }

    async fn revoke_grant(&self, request: Request<v1::RevokeGrantRequest>) -> Result<Response<v1::Grant>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = field("grant", request.grant.parse())?;
        let permit = self.0.permit::<authorise::RevokeGrant>(&caller, &id)?;
        let reason = field("reason", request.reason.parse())?;
        let grant = self.0.commit(permit.because(reason), change::RevokeGrant).await?;
        Ok(Response::new((&grant).into()))
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let caller = caller(&request)?;
        self.0.permit::<authorise::ListAccess>(&caller, &())?;
        let request = request.into_inner();
        let (limit, after) = (page_size(request.page_size)?, after("page_token", &request.page_token)?);
        let scan = |after: Option<&GrantId>, most| self.0.registry.grants(after, most);
        let may = |it: &Grant| {
            let target = |dataset| Granted { grant: it.clone(), dataset };
            self.may::<authorise::ReadGrant>(&caller, &it.dataset, target)
        };
        let (page, next) = page_within(MOST_LOOKED_AT, after, limit, scan, |it| it.id, may)?;
        Ok(Response::new(v1::ListGrantsResponse {
            grants: page.iter().map(Into::into).collect(),
            next_page_token: next.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }
}
