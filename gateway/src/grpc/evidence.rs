//! `EvidenceService`.

use octroi_proto::wire::v1::{
    self,
    evidence_service_server::{EvidenceService, EvidenceServiceServer},
};
use tonic::{Request, Response, Status};

use super::caller;
use crate::{
    answer::{OrInternal as _, Refusal},
    authorise,
    gateway::{Gateway, page::page_size},
};

/// The service.
pub(super) fn service(gateway: Gateway) -> EvidenceServiceServer<Evidence> {
    EvidenceServiceServer::new(Evidence(gateway))
}

pub(super) struct Evidence(Gateway);

#[tonic::async_trait]
impl EvidenceService for Evidence {
    async fn export(&self, request: Request<v1::ExportEvidenceRequest>) -> Result<Response<v1::EvidenceProof>, Status> {
        let caller = caller(&request)?;
        self.0.permit::<authorise::ReadEvidence>(&caller, &())?;
        let sequence = request.into_inner().sequence;
        let log = self.0.registry.log().clone();
        // The log reads files: off the threads that serve.
        let proof = tokio::task::spawn_blocking(move || log.export(sequence, None)).await.or_internal()?;
        Ok(Response::new(proof.map_err(Refusal::from)?))
    }

    async fn list(
        &self,
        request: Request<v1::ListEvidenceRequest>,
    ) -> Result<Response<v1::ListEvidenceResponse>, Status> {
        let caller = caller(&request)?;
        self.0.permit::<authorise::ReadEvidence>(&caller, &())?;
        let request = request.into_inner();
        let limit = page_size(request.page_size)?;
        let log = self.0.registry.log().clone();
        let entries = tokio::task::spawn_blocking(move || log.entries(request.from, limit)).await.or_internal()?;
        let page = entries.or_internal()?;
        Ok(Response::new(v1::ListEvidenceResponse { entries: page.entries, next: page.next }))
    }
}
