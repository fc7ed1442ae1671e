//! Admission: a question becomes [`Admitted`] when the evidence has it, with the launch it will run in. Nothing of the
//! question reaches a zone before.

use octroi_host::lease::Backend;
use octroi_proto::{DatasetId, OrganisationId, wire::v1, wire::v1::entry::Record, wire::zone as wire};
use prost::Message as _;

use super::{Ask, AskError, PackError, Register, Subject, Unavailable, verdict::Cause};
use crate::authorise::{AskDataset, Decided, Permit};

/// A question that may be asked, before the evidence has it.
#[derive(Debug)]
pub(super) struct Admitting<R> {
    register: R,
    permits: Vec<Permit<AskDataset>>,
    ask: Ask,
    subject: Subject,
    grants: Vec<String>,
    decided: Decided,
}

/// A question that the evidence has. However it ends, that is recorded: an end that nobody decided, as the client went
/// away, when this is dropped.
#[derive(Debug)]
pub(super) struct Admitted<R: Register> {
    register: R,
    permits: Vec<Permit<AskDataset>>,
    ask: Ask,
    subject: Subject,
    grants: Vec<String>,
    decided: Decided,
    query_id: [u8; 16],
    launch: wire::SignedLaunch,
    ended: bool,
}

/// What was granted has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended;

impl<R: Register> Admitting<R> {
    /// Checks what the register and the datasets' schemas say of the question.
    pub(super) fn new(register: &R, mut permits: Vec<Permit<AskDataset>>, ask: Ask) -> Result<Self, AskError> {
        let mut grants = Vec::new();
        let mut holdings = Vec::new();
        for permit in &mut permits {
            let dataset = dataset(permit).clone();
            let Some(grant) = register.grant(permit, ask.purpose())? else {
                return Err(AskError::Purpose { dataset });
            };
            grants.push(grant.id.to_string());
            let Some(holding) = register.holding(&dataset)? else {
                return Err(AskError::NoTables { dataset });
            };
            if !enough(ask.backend(), holding.schema.isolation) {
                return Err(AskError::Isolation { dataset });
            }
            holdings.push((dataset, holding));
        }
        let subject = Subject::new(holdings, ask.sql()).map_err(PackError::from)?;
        let decided = decided(&permits).ok_or_else(|| Unavailable("a question without a permit".into()))?;
        Ok(Self { register: register.clone(), permits, ask, subject, grants, decided })
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(super) fn backend(&self) -> Backend {
        self.ask.backend()
    }

    /// Whom a zone is for.
    pub(super) fn organisation(&self) -> Result<OrganisationId, Unavailable> {
        let member = self.permits.first().and_then(|permit| permit.caller().member());
        let member = member.ok_or_else(|| Unavailable("a question of nobody's".into()))?;
        Ok(member.principal().organisation.clone())
    }

    /// Puts it on record that a stored file is not what was loaded.
    pub(super) fn damaged(&self, error: &AskError) {
        if let AskError::Pack(PackError::Damaged { dataset, file } | PackError::Missing { dataset, file }) = error {
            let key = file.path(dataset);
            let failure = v1::IntegrityFailure { dataset: dataset.to_string(), key, version: 0 };
            self.register.note(&self.decided, Record::IntegrityFailure(failure));
        }
    }

    /// The question, once the evidence has it.
    pub(super) async fn admit(self, launch: wire::SignedLaunch) -> Result<Admitted<R>, AskError> {
        let mut query_id = [0; 16];
        getrandom::fill(&mut query_id).map_err(|error| Unavailable(error.into()))?;
        let Self { register, permits, ask, subject, grants, decided } = self;
        // Nothing of it is in the evidence before, so nothing of its end either.
        let mut admitted = Admitted { register, permits, ask, subject, grants, decided, query_id, launch, ended: true };
        admitted.record().await?;
        admitted.ended = false;
        Ok(admitted)
    }
}

impl<R: Register> Admitted<R> {
    /// The same question in another zone, once the evidence has that.
    pub(super) async fn again(&mut self, launch: wire::SignedLaunch) -> Result<(), Unavailable> {
        self.launch = launch;
        self.record().await
    }

    async fn record(&self) -> Result<(), Unavailable> {
        let record = v1::AdmittedQuery {
            query_id: self.query_id.to_vec(),
            datasets: self.permits.iter().map(|permit| dataset(permit).to_string()).collect(),
            tables: self.subject.queried(),
            purpose: self.ask.purpose().to_string(),
            sql: self.ask.sql().to_owned(),
            grants: self.grants.clone(),
            launch: self.launch.launch.clone(),
            launch_signature: self.launch.signature.clone(),
        };
        self.register.record(&self.decided, Record::AdmittedQuery(record)).await
    }

    pub(super) fn ask(&self) -> &Ask {
        &self.ask
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(super) fn query_id(&self) -> &[u8; 16] {
        &self.query_id
    }

    pub(super) fn launch(&self) -> &wire::SignedLaunch {
        &self.launch
    }

    /// The launch's id, as its host says it; nothing when that is no launch, which no key is then sealed to.
    pub(super) fn launch_id(&self) -> Vec<u8> {
        wire::Launch::decode(self.launch.launch.as_slice()).map(|launch| launch.launch_id).unwrap_or_default()
    }

    /// The owners of the datasets, each once.
    pub(super) fn owners(&self) -> Vec<String> {
        let mut owners: Vec<String> = Vec::new();
        for permit in &self.permits {
            let owner = &permit.target().dataset.description.owner;
            if !owners.contains(owner) {
                owners.push(owner.clone());
            }
        }
        owners
    }

    /// Looks again at everything that was granted.
    pub(super) fn renew(&mut self) -> Result<(), Ended> {
        for permit in &mut self.permits {
            match self.register.grant(permit, self.ask.purpose()) {
                Ok(Some(_)) => {}
                Ok(None) => return Err(Ended),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a question's permit was not renewed");
                    return Err(Ended);
                }
            }
        }
        Ok(())
    }

    /// Records that the answer leaves, and proves it.
    pub(super) async fn released(&mut self, answer: v1::ReleasedAnswer) -> Result<v1::EvidenceProof, Unavailable> {
        let proof = self.register.prove(&self.decided, Record::ReleasedAnswer(answer)).await?;
        self.ended = true;
        Ok(proof)
    }

    /// Records that nothing leaves.
    pub(super) async fn withheld(&mut self, cause: Cause) -> Result<(), Unavailable> {
        let record = self.withheld_record(cause);
        self.register.record(&self.decided, record).await?;
        self.ended = true;
        Ok(())
    }

    /// Notes an end without data: nothing waits for it.
    pub(super) fn ended(&mut self, cause: Cause) {
        self.ended = true;
        self.register.note(&self.decided, self.withheld_record(cause));
    }

    fn withheld_record(&self, cause: Cause) -> Record {
        Record::WithheldAnswer(v1::WithheldAnswer {
            query_id: self.query_id.to_vec(),
            datasets: self.permits.iter().map(|permit| dataset(permit).to_string()).collect(),
            cause: cause.as_str().to_owned(),
        })
    }
}

impl<R: Register> Drop for Admitted<R> {
    fn drop(&mut self) {
        if !self.ended {
            self.register.note(&self.decided, self.withheld_record(Cause::Abandoned));
        }
    }
}

fn dataset(permit: &Permit<AskDataset>) -> &DatasetId {
    &permit.target().dataset.description.id
}

/// The decision on all datasets together: every policy that determined one of them.
fn decided(permits: &[Permit<AskDataset>]) -> Option<Decided> {
    let mut policies: Vec<_> = permits.iter().flat_map(|permit| permit.decided().policies.clone()).collect();
    policies.sort_unstable();
    policies.dedup();
    Some(Decided { policies, ..permits.first()?.decided().clone() })
}

fn enough(asked: Backend, demanded: octroi_proto::Isolation) -> bool {
    use octroi_proto::Isolation;
    match (asked, demanded) {
        (Backend::Vm, Isolation::Vm | Isolation::Process) | (Backend::Process, Isolation::Process) => true,
        (Backend::Process, Isolation::Vm) => false,
    }
}
