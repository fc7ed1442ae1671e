//! Asking: a permit for each dataset, then the zone; and the register, the gate and the key process as the zone sees
//! them.

use octroi_proto::{
    DatasetId, Grant, Purpose,
    wire::{
        v1::{self, EvidenceProof, entry::Record},
        zone::SealedKeys,
    },
};

use super::{GatedRegister, Gateway};
use crate::{
    answer::{Chain, Refusal},
    authenticate::Caller,
    authorise::{AskDataset, Decided, DeniedKind, Permit},
    keys::{
        Client, ColumnKeys, Committed, Release,
        client::{ReleaseError, ZoneKeyError},
    },
    listen::Patience,
    settings,
    zone::{self, Ask, AskError, Checked, Holding, NoKeys, NotCommitted, Outcome, Unavailable},
};

impl Gateway {
    /// Asks what a caller asks. Its answer, whichever it is, is at a release tick; a refusal is at once.
    ///
    /// # Errors
    /// [`Refusal`], for what data cannot influence.
    pub async fn ask(
        &self,
        caller: &Caller,
        request: v1::AskRequest,
        patience: Option<Patience>,
    ) -> Result<Outcome, Refusal> {
        let (permits, ask, decided) = self.asked(caller, request, patience)?;
        let asked = Box::pin(self.zone.ask(permits, ask)).await;
        asked.map_err(|error| self.not_asked(caller, decided, error))
    }

    /// Judges what a caller would ask: for the same permits, without data, at once.
    ///
    /// # Errors
    /// [`Refusal`]; of a question that is not allowed it says why.
    pub async fn check(
        &self,
        caller: &Caller,
        request: v1::AskRequest,
        patience: Option<Patience>,
    ) -> Result<Checked, Refusal> {
        let (permits, ask, decided) = self.asked(caller, request, patience)?;
        let checked = Box::pin(self.zone.check(permits, ask)).await;
        checked.map_err(|error| self.not_asked(caller, decided, error))
    }

    /// What is asked, by whose leave, and what decided that.
    #[expect(clippy::type_complexity, reason = "three things that one call needs, and nothing else does")]
    fn asked(
        &self,
        caller: &Caller,
        request: v1::AskRequest,
        patience: Option<Patience>,
    ) -> Result<(Vec<Permit<AskDataset>>, Ask, Option<Decided>), Refusal> {
        let datasets = zone::datasets(&request.datasets)?;
        let permits = datasets.iter().map(|dataset| self.permit::<AskDataset>(caller, dataset));
        let permits: Vec<_> = permits.collect::<Result<_, _>>()?;
        let most = self.settings.zone.max_sql.as_usize();
        let ask = Ask::new(&request.purpose, request.sql, &request.backend, most)?;
        if let Some(patience) = patience {
            patience.extend(self.zone.patience());
        }
        let decided = permits.first().map(|permit| permit.decided().clone());
        Ok((permits, ask, decided))
    }

    /// Why not; on record where it is the policy's or a grant's doing.
    fn not_asked(&self, caller: &Caller, decided: Option<Decided>, error: AskError) -> Refusal {
        let dataset = match &error {
            AskError::Purpose { dataset } | AskError::Isolation { dataset } => Some(dataset.to_string()),
            AskError::NoTables { .. }
            | AskError::Rejected(_)
            | AskError::Busy
            | AskError::NoBackend(_)
            | AskError::NoZone(_)
            | AskError::NotJudged(_)
            | AskError::Pack(_)
            | AskError::Unavailable(_) => None,
        };
        match (decided, dataset) {
            (Some(decided), Some(dataset)) => self.recorded(caller, &decided, dataset, error.into()),
            _ => error.into(),
        }
    }
}

impl From<&settings::Zone> for zone::Limits {
    fn from(settings: &settings::Zone) -> Self {
        Self {
            release_tick: settings.release_tick_milliseconds.get(),
            wall: settings.query_seconds.get(),
            memory_bytes: settings.memory_bytes.get(),
            scratch_bytes: settings.scratch_bytes.get(),
            result_rows: settings.result_rows.get(),
            result_bytes: settings.result_bytes.get(),
            least_subjects: settings.least_subjects.as_u32(),
            questions: settings.questions.as_usize(),
            per_organisation: settings.at_once.as_usize() + settings.queue_per_organisation.as_usize(),
        }
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Unavailable {
    Unavailable(error.into())
}

impl zone::Register for GatedRegister {
    fn holding(&self, dataset: &DatasetId) -> Result<Option<Holding>, Unavailable> {
        let Some(schema) = self.registry.schema(dataset).map_err(unavailable)? else { return Ok(None) };
        let tables = self.registry.tables(dataset).map_err(unavailable)?;
        let policy = self.registry.policy(dataset).map_err(unavailable)?;
        Ok(Some(Holding { schema, policy, tables }))
    }

    fn grant(&self, permit: &mut Permit<AskDataset>, purpose: &Purpose) -> Result<Option<Grant>, Unavailable> {
        // What cannot be written down cannot be revoked either: without evidence nothing is answered.
        if self.registry.failed() {
            return Err(Unavailable("the evidence failed".into()));
        }
        match self.gate.grant_for(permit, purpose) {
            Ok(grant) => Ok(grant),
            Err(denied) if denied.kind == DeniedKind::Unavailable => Err(unavailable(denied)),
            Err(_ended) => Ok(None),
        }
    }

    async fn record(&self, decided: &Decided, record: Record) -> Result<(), Unavailable> {
        self.registry.record(decided, record).await.map(|_| ()).map_err(unavailable)
    }

    async fn prove(&self, decided: &Decided, record: Record) -> Result<EvidenceProof, Unavailable> {
        self.registry.prove(decided, record).await.map_err(unavailable)
    }

    fn note(&self, decided: &Decided, record: Record) {
        if let Err(error) = self.registry.note(decided, record) {
            tracing::error!(%error, "evidence of a question was not recorded");
        }
    }
}

impl zone::Keys for Client {
    async fn seal(&self, request: ColumnKeys) -> Result<SealedKeys, NoKeys> {
        self.seal_column_keys(&request).await.map_err(|error| {
            tracing::error!(cause = %Chain(&error), "no keys for a question");
            match error {
                ZoneKeyError::Denied(_)
                | ZoneKeyError::Exists
                | ZoneKeyError::Missing
                | ZoneKeyError::Stanza
                | ZoneKeyError::TooMany => NoKeys::Refused,
                ZoneKeyError::Unavailable(_) => NoKeys::Unavailable,
            }
        })
    }

    async fn commit(&self, release: Release) -> Result<Committed, NotCommitted> {
        self.commit_release(&release).await.map_err(|error| {
            tracing::warn!(table = %release.table, cause = %Chain(&error), "a release was not recorded");
            match error {
                ReleaseError::Superseded => NotCommitted::Superseded,
                ReleaseError::Denied(_) => NotCommitted::Denied,
                ReleaseError::Malformed | ReleaseError::Unavailable(_) => NotCommitted::Unavailable,
            }
        })
    }
}
