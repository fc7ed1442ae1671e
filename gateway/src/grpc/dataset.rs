//! `DatasetService`.

use octroi_proto::{
    Dataset, DatasetDescription, Level,
    wire::v1::{
        self,
        dataset_service_server::{DatasetService, DatasetServiceServer},
    },
};
use tonic::{Request, Response, Status};

use super::{caller, field};
use crate::{
    answer::Refusal,
    authenticate::Caller,
    authorise,
    gateway::{
        Gateway,
        page::{after, page_size},
    },
    registry::change,
};

/// The service.
pub(super) fn service(gateway: Gateway) -> DatasetServiceServer<Datasets> {
    DatasetServiceServer::new(Datasets(gateway))
}

pub(super) struct Datasets(Gateway);

impl Datasets {
    /// A changed dataset, as far as the caller may know of it: operators withdraw and raise what they cannot see.
    fn changed(&self, caller: &Caller, dataset: &Dataset) -> Result<Response<v1::Dataset>, Status> {
        if self.0.gate.may_see(caller, dataset).is_some() {
            return answer(dataset);
        }
        let v1::Dataset { description, state, revision, .. } = dataset.into();
        let v1::DatasetDescription { id, level, .. } = description.unwrap_or_default();
        let description = Some(v1::DatasetDescription { id, level, ..v1::DatasetDescription::default() });
        Ok(Response::new(v1::Dataset { description, state, revision, ..v1::Dataset::default() }))
    }
}

#[tonic::async_trait]
impl DatasetService for Datasets {
    async fn register(&self, request: Request<v1::RegisterDatasetRequest>) -> Result<Response<v1::Dataset>, Status> {
        let caller = caller(&request)?;
        // Before the description is looked at: strangers learn nothing of what would be accepted.
        let permit = self.0.permit::<authorise::RegisterDataset>(&caller, &())?;
        let description = parse(request.into_inner().description)?;
        answer(&self.0.commit(permit, change::RegisterDataset { description }).await?)
    }

    async fn describe(&self, request: Request<v1::DescribeDatasetRequest>) -> Result<Response<v1::Dataset>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = field("description.id", request.description.as_ref().map_or("", |it| &it.id).parse())?;
        let permit = self.0.permit::<authorise::DescribeDataset>(&caller, &id)?;
        let description = parse(request.description)?;
        let revision = (request.revision > 0).then_some(request.revision);
        answer(&self.0.describe(permit, change::DescribeDataset { description, revision }).await?)
    }

    async fn publish(&self, request: Request<v1::PublishDatasetRequest>) -> Result<Response<v1::Dataset>, Status> {
        let caller = caller(&request)?;
        let id = field("id", request.into_inner().id.parse())?;
        let permit = self.0.permit::<authorise::PublishDataset>(&caller, &id)?;
        answer(&self.0.publish(permit).await?)
    }

    async fn withdraw(&self, request: Request<v1::WithdrawDatasetRequest>) -> Result<Response<v1::Dataset>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = field("id", request.id.parse())?;
        let permit = self.0.permit::<authorise::WithdrawDataset>(&caller, &id)?;
        let reason = field("reason", request.reason.parse())?;
        self.changed(&caller, &self.0.commit(permit.because(reason), change::WithdrawDataset).await?)
    }

    async fn raise_level(&self, request: Request<v1::RaiseLevelRequest>) -> Result<Response<v1::Dataset>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = field("id", request.id.parse())?;
        let permit = self.0.permit::<authorise::RaiseLevel>(&caller, &id)?;
        let reason = field("reason", request.reason.parse())?;
        let level = field("level", Level::from_wire(request.level))?.ok_or(Refusal::field("level", "is missing"))?;
        self.changed(&caller, &self.0.commit(permit.because(reason), change::RaiseLevel { level }).await?)
    }

    async fn get(&self, request: Request<v1::GetDatasetRequest>) -> Result<Response<v1::Dataset>, Status> {
        let caller = caller(&request)?;
        let id = field("id", request.into_inner().id.parse())?;
        let permit = self.0.permit::<authorise::ReadMetadata>(&caller, &id)?;
        answer(permit.target())
    }

    async fn list(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (datasets, next) =
            self.0.visible(&caller, after("page_token", &request.page_token)?, page_size(request.page_size)?)?;
        let next_page_token = next.map(String::from).unwrap_or_default();
        Ok(Response::new(v1::ListDatasetsResponse {
            datasets: datasets.iter().map(Into::into).collect(),
            next_page_token,
        }))
    }
}

fn parse(description: Option<v1::DatasetDescription>) -> Result<DatasetDescription, Refusal> {
    Ok(DatasetDescription::try_from(description.unwrap_or_default())?)
}

#[expect(clippy::unnecessary_wraps, reason = "what each method returns")]
fn answer(dataset: &Dataset) -> Result<Response<v1::Dataset>, Status> {
    Ok(Response::new(dataset.into()))
}
