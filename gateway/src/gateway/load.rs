//! Tables: the register, the gate and the key process as loads see them.

use std::{error::Error, task::Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use octroi_attest::{RuledTable, WorkId};
use octroi_host::lease;
use octroi_proto::{
    DatasetId, DatasetSchema, FileId, time,
    wire::{keys::CreateTableKeysRequest, v1, zone::SealedKeys},
};

use super::{GatedRegister, Gateway};
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise::{LoadTable, NotCommitted, Permit},
    keys::{Client, NewTableKeys, ZoneKeyError, client::CallError},
    listen::Patience,
    registry::{
        CommitError,
        change::{CommitTable, CommittedTable},
    },
    settings,
    zone::load::{self, Ended, Keys, LoadHead, NoTableKeys, Unavailable},
};

impl Gateway {
    /// What rows of a dataset are sealed to, for whoever may load them.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn ingest_key(&self, caller: &Caller, dataset: &DatasetId) -> Result<v1::IngestKey, Refusal> {
        self.permit::<LoadTable>(caller, dataset)?;
        let recipient = self.keys.ingest_key(dataset).await.or_internal()?;
        Ok(v1::IngestKey { recipient })
    }

    /// Loads rows. The answer may take as long as a zone may, once all rows have come.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn load<E: Into<Box<dyn Error + Send + Sync>> + Send>(
        &self,
        permit: Permit<LoadTable>,
        head: LoadHead,
        data: impl Stream<Item = Result<Bytes, E>> + Send,
        patience: Option<Patience>,
    ) -> Result<v1::LoadReport, Refusal> {
        let longest = self.loads.patience();
        let arrived = stream::poll_fn(move |_| {
            if let Some(patience) = &patience {
                patience.extend(longest);
            }
            Poll::Ready(None)
        });
        Ok(Box::pin(self.loads.load(permit, head, data.chain(arrived))).await?)
    }
}

impl From<&settings::Zone> for load::Limits {
    fn from(settings: &settings::Zone) -> Self {
        Self {
            max_load_bytes: settings.max_load_bytes.get(),
            memory_bytes: settings.memory_bytes.get(),
            scratch_bytes: settings.scratch_bytes.get(),
            wall: settings.load_seconds.get(),
            at_once: settings.loads_at_once.as_usize(),
            virtual_machines: settings.backends.has(lease::Backend::Vm),
        }
    }
}

impl load::Register for GatedRegister {
    fn schema(&self, dataset: &DatasetId) -> Result<Option<DatasetSchema>, Unavailable> {
        self.registry.schema(dataset).map_err(|error| Unavailable(error.into()))
    }

    fn names(&self, dataset: &DatasetId, file: FileId) -> Result<bool, Unavailable> {
        let tables = self.registry.tables(dataset).map_err(|error| Unavailable(error.into()))?;
        Ok(tables.iter().flat_map(|table| &table.files).any(|stored| stored.id == file))
    }

    fn renew(&self, permit: &mut Permit<LoadTable>) -> Result<(), Ended> {
        // What cannot be written down cannot be revoked either: without evidence nothing flows.
        if self.registry.failed() {
            return Err(Ended);
        }
        self.gate.renew(permit).map_err(|_| Ended)
    }

    async fn commit(
        &self,
        permit: Permit<LoadTable>,
        change: CommitTable,
    ) -> Result<CommittedTable, load::NotCommitted> {
        self.gate.commit(permit, change).await.map_err(|error| match error {
            NotCommitted::Denied(_) => load::NotCommitted::Ended,
            NotCommitted::Busy | NotCommitted::Failed(CommitError::Busy) => load::NotCommitted::Busy,
            NotCommitted::Failed(CommitError::Refused(refusal)) => load::NotCommitted::Refused(refusal),
            NotCommitted::Failed(error) => load::NotCommitted::Unknown(error.to_string().into()),
        })
    }
}

impl Keys for Client {
    async fn create(&self, request: CreateTableKeysRequest) -> Result<SealedKeys, NoTableKeys> {
        let request = keys_of(request).map_err(NoTableKeys::Unavailable)?;
        self.create_table_keys(&request).await.map_err(|error| match error {
            ZoneKeyError::Stanza => NoTableKeys::WrongKey,
            ZoneKeyError::Denied(_) => {
                tracing::error!(cause = %crate::answer::Chain(&error), "no keys for a load");
                NoTableKeys::Refused
            }
            error @ (ZoneKeyError::Exists
            | ZoneKeyError::Missing
            | ZoneKeyError::TooMany
            | ZoneKeyError::Unavailable(_)) => NoTableKeys::Unavailable(error.into()),
        })
    }

    async fn destroy(&self, dataset: &DatasetId, file: FileId) -> Result<(), NoTableKeys> {
        let file = octroi_attest::FileId::try_from(&file.as_bytes()[..]);
        let file = file.map_err(|error| NoTableKeys::Unavailable(error.into()))?;
        let destroyed = self.destroy_table_keys(dataset, file).await;
        destroyed.map_err(|error: CallError| NoTableKeys::Unavailable(error.into()))
    }
}

/// What a load asks for, as the key process's client takes it.
fn keys_of(request: CreateTableKeysRequest) -> Result<NewTableKeys, Box<dyn Error + Send + Sync>> {
    Ok(NewTableKeys {
        table: RuledTable::parse(&request.dataset, request.schema)?,
        load: WorkId::try_from(request.load_id.as_slice())?,
        launch: request.launch.unwrap_or_default(),
        file: octroi_attest::FileId::try_from(request.file_id.as_slice())?,
        stanzas: request.stanzas,
        expires: time::parse(request.expires)?,
        process_allowed: request.process_allowed,
    })
}
