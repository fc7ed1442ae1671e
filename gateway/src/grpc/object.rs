//! `ObjectService`.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use octroi_proto::{
    DatasetId, MediaType, ObjectKey,
    wire::v1::{
        self, get_object_response,
        object_service_server::{ObjectService, ObjectServiceServer},
        put_object_request,
    },
};
use tonic::{Request, Response, Status, Streaming};
use tower::BoxError;

use super::{caller, field};
use crate::{
    answer::{OrInternal as _, Refusal},
    authorise,
    gateway::{
        Gateway,
        page::{after, page, page_size},
    },
    object::{ByteRange, Opened, Precondition, PutHead},
};

/// Bytes of plaintext to a message.
const MESSAGE: usize = 1 << 20;

/// The service.
pub(super) fn service(gateway: Gateway) -> ObjectServiceServer<Objects> {
    // A message of 1 MiB and its framing.
    ObjectServiceServer::new(Objects(gateway)).max_decoding_message_size(MESSAGE + 4096)
}

pub(super) struct Objects(Gateway);

type Answer = Pin<Box<dyn Stream<Item = Result<v1::GetObjectResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ObjectService for Objects {
    type GetStream = Answer;

    async fn put(&self, request: Request<Streaming<v1::PutObjectRequest>>) -> Result<Response<v1::Object>, Status> {
        let caller = caller(&request)?;
        let mut parts = request.into_inner();
        let Some(put_object_request::Part::Head(head)) = parts.message().await?.and_then(|first| first.part) else {
            return Err(Refusal::field("part", "must be `head` in the first message").into());
        };
        let dataset: DatasetId = field("head.dataset", head.dataset.parse())?;
        let permit = self.0.permit::<authorise::StoreObject>(&caller, &dataset)?;
        let length = head.length;
        let head = parse_head(&head)?;
        let object = self.0.objects.put(permit, head, data(parts, length)).await.map_err(Refusal::from)?;
        Ok(Response::new(object.published()))
    }

    async fn get(&self, request: Request<v1::GetObjectRequest>) -> Result<Response<Answer>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let dataset: DatasetId = field("dataset", request.dataset.parse())?;
        let permit = self.0.permit::<authorise::FetchObject>(&caller, &dataset)?;
        let key = field("key", request.key.parse())?;
        let range = ByteRange::from_offset(request.offset, request.length);
        let precondition = field("if_version", Precondition::new(request.if_version, false))?;
        let opened = self.0.objects.fetch(permit, &key, range, precondition).await.map_err(Refusal::from)?;
        Ok(Response::new(stream_of(opened)))
    }

    async fn head(&self, request: Request<v1::HeadObjectRequest>) -> Result<Response<v1::Object>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let dataset: DatasetId = field("dataset", request.dataset.parse())?;
        self.0.permit::<authorise::ListObjects>(&caller, &dataset)?;
        let key: ObjectKey = field("key", request.key.parse())?;
        let object = self.0.registry.object(&dataset, &key).or_internal()?;
        Ok(Response::new(object.ok_or(Refusal::NotFound)?.published()))
    }

    async fn list(
        &self,
        request: Request<v1::ListObjectsRequest>,
    ) -> Result<Response<v1::ListObjectsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let dataset: DatasetId = field("dataset", request.dataset.parse())?;
        self.0.permit::<authorise::ListObjects>(&caller, &dataset)?;
        let limit = page_size(request.page_size)?;
        let scan = |after: Option<&ObjectKey>, most| self.0.registry.objects(&dataset, &request.prefix, after, most);
        let (page, next) = page(after("page_token", &request.page_token)?, limit, scan, |it| it.key.clone(), |_| true)?;
        Ok(Response::new(v1::ListObjectsResponse {
            objects: page.iter().map(octroi_proto::StoredObject::published).collect(),
            next_page_token: next.map(|key| key.to_string()).unwrap_or_default(),
        }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteObjectRequest>,
    ) -> Result<Response<v1::DeleteObjectResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let dataset: DatasetId = field("dataset", request.dataset.parse())?;
        let permit = self.0.permit::<authorise::DeleteObject>(&caller, &dataset)?;
        let key = field("key", request.key.parse())?;
        let precondition = field("if_version", Precondition::new(request.if_version, false))?;
        self.0.objects.remove(permit, key, precondition).await.map_err(Refusal::from)?;
        Ok(Response::new(v1::DeleteObjectResponse {}))
    }
}

fn parse_head(head: &v1::PutObjectHead) -> Result<PutHead, Refusal> {
    let media_type = if head.media_type.is_empty() {
        MediaType::default()
    } else {
        field("head.media_type", head.media_type.parse())?
    };
    Ok(PutHead {
        key: field("head.key", head.key.parse())?,
        media_type,
        precondition: field("head.if_absent", Precondition::new(head.if_version, head.if_absent))?,
    })
}

/// The data of an upload. A second head, an oversized message or another length than was said ends it in an error,
/// so that it is never committed.
fn data(
    parts: Streaming<v1::PutObjectRequest>,
    said: Option<u64>,
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
    stream::try_unfold((parts, 0_u64), move |(mut parts, received)| async move {
        match parts.message().await?.map(|message| message.part) {
            None if said.is_some_and(|said| said != received) => {
                Err(Refusal::field("head.length", "is not how many bytes followed: send the file again").into())
            }
            None => Ok(None),
            Some(Some(put_object_request::Part::Data(data))) if data.len() <= MESSAGE => {
                let received = received + data.len() as u64;
                Ok(Some((data, (parts, received))))
            }
            Some(_) => Err(Refusal::field("part", "must be `data` of at most 1 MiB after the first message").into()),
        }
    })
}

fn stream_of(opened: Opened) -> Answer {
    let head = v1::GetObjectHead { object: Some(opened.object.published()), notice: Some(opened.notice) };
    let head = v1::GetObjectResponse { part: Some(get_object_response::Part::Head(head)) };
    let data = opened.bytes.map(|chunk| {
        let data = chunk.map_err(|error| Status::from(Refusal::from(error)))?;
        Ok(v1::GetObjectResponse { part: Some(get_object_response::Part::Data(data)) })
    });
    Box::pin(stream::once(async { Ok(head) }).chain(data))
}
