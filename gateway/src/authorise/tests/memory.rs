//! A register in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use octroi_proto::{
    AccessRequest, Agreement, AgreementId, Dataset, DatasetId, Grant, GrantId, Organisation, OrganisationId, Principal,
    PrincipalName, RequestId,
};

use super::{fixture, *};

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    failing: bool,
    datasets: BTreeMap<DatasetId, Dataset>,
    principals: BTreeMap<PrincipalName, Principal>,
    organisations: BTreeMap<OrganisationId, Organisation>,
    agreements: BTreeMap<AgreementId, Agreement>,
    requests: BTreeMap<RequestId, AccessRequest>,
    grants: BTreeMap<GrantId, Grant>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<State>>);

impl Memory {
    fn change(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap();
        state.epoch += 1;
        state
    }

    fn read<T>(&self, of: impl FnOnce(&State) -> T) -> Read<T> {
        let state = self.0.lock().unwrap();
        if state.failing { Err(ReadFailure::new("the disk is gone")) } else { Ok(of(&state)) }
    }

    pub(super) fn put_dataset(&self, dataset: Dataset) {
        self.change().datasets.insert(dataset.description.id.clone(), dataset);
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let mut state = self.change();
        *state = State { epoch: state.epoch, ..State::default() };
    }

    pub(super) fn remove_dataset(&self, id: &DatasetId) {
        self.change().datasets.remove(id);
    }

    pub(super) fn put_organisation(&self, organisation: Organisation) {
        self.change().organisations.insert(organisation.id.clone(), organisation);
    }

    /// With its organisation, if that is new.
    pub(super) fn put_principal(&self, principal: Principal) {
        let mut state = self.change();
        let id = principal.organisation.clone();
        let organisation = fixture::organisation(id.as_str(), false);
        state.organisations.entry(id).or_insert(organisation);
        state.principals.insert(principal.name.clone(), principal);
    }

    pub(super) fn put_agreement(&self, agreement: Agreement) {
        self.change().agreements.insert(agreement.id.clone(), agreement);
    }

    pub(super) fn put_request(&self, request: AccessRequest) {
        self.change().requests.insert(request.id, request);
    }

    pub(super) fn put_grant(&self, grant: Grant) {
        self.change().grants.insert(grant.id, grant);
    }

    pub(super) fn revoke_organisation(&self, id: &str) {
        self.change().organisations.insert(id.parse().unwrap(), fixture::organisation(id, true));
    }

    pub(super) fn fail(&self) {
        self.change().failing = true;
    }
}

impl Register for Memory {
    fn epoch(&self) -> u64 {
        self.0.lock().unwrap().epoch
    }

    fn dataset(&self, id: &DatasetId) -> Read<Option<Dataset>> {
        self.read(|state| state.datasets.get(id).cloned())
    }

    fn principal(&self, name: &PrincipalName) -> Read<Option<Principal>> {
        self.read(|state| state.principals.get(name).cloned())
    }

    fn organisation(&self, id: &OrganisationId) -> Read<Option<Organisation>> {
        self.read(|state| state.organisations.get(id).cloned())
    }

    fn agreement(&self, id: &AgreementId) -> Read<Option<Agreement>> {
        self.read(|state| state.agreements.get(id).cloned())
    }

    fn request(&self, id: &RequestId) -> Read<Option<AccessRequest>> {
        self.read(|state| state.requests.get(id).cloned())
    }

    fn grant(&self, id: &GrantId) -> Read<Option<Grant>> {
        self.read(|state| state.grants.get(id).cloned())
    }

    fn grants_of(&self, dataset: &DatasetId, organisation: &OrganisationId) -> Read<Vec<Grant>> {
        self.read(|state| {
            let of = |grant: &&Grant| &grant.dataset == dataset && &grant.organisation == organisation;
            state.grants.values().filter(of).cloned().collect()
        })
    }
}

/// A change that changes nothing but the epoch, after it has lost its turn this often.
#[derive(Debug, Default)]
pub(super) struct Touch {
    pub(super) lose: u32,
}

impl Commits<Touch> for Memory {
    type Action = RegisterDataset;
    type Outcome = u64;
    type Error = std::convert::Infallible;

    async fn commit(
        &self,
        permit: Permit<RegisterDataset>,
        change: Touch,
    ) -> Result<u64, Uncommitted<RegisterDataset, Touch, Self::Error>> {
        let mut state = self.0.lock().unwrap();
        if change.lose > 0 {
            state.epoch += 1;
        }
        if permit.epoch() != state.epoch {
            let change = Touch { lose: change.lose.saturating_sub(1) };
            return Err(Uncommitted::Stale { permit, change });
        }
        state.epoch += 1;
        Ok(state.epoch)
    }
}
