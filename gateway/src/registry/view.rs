//! The register as it stands: the index, and over it what the batch being decided has changed so far.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

use octroi_proto::{
    AccessRequest, Agreement, AgreementId, CertificateDigest, Dataset, DatasetId, DatasetSchema, Grant, GrantId,
    Instant, ObjectKey, OidcSubject, Organisation, OrganisationId, Principal, PrincipalName, ReleasePolicy, RequestId,
    StoredObject, TableName, TableVersion, Violations, wire::v1,
};
use prost::Message;
use uuid::Uuid;

use super::{
    index::Index,
    table::{Row, Table},
};

/// Why the register cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// sled refused.
    #[error("the registry's index cannot be read: {0}")]
    Index(#[from] sled::Error),
    /// A row does not parse, or points nowhere.
    #[error("a row of `{table}` in the registry's index is damaged: run `octroi registry check --config FILE`")]
    Damaged {
        /// The table.
        table: &'static str,
    },
}

/// Rows changed by entries that are decided and not yet applied.
#[derive(Debug, Default)]
pub(super) struct Overlay(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

impl Overlay {
    pub(super) fn extend(&mut self, rows: Vec<Row>) {
        self.0.extend(rows.into_iter().map(|Row { key, value }| (key, value)));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_rows(self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> {
        self.0.into_iter()
    }
}

/// The register as it stands. Lists come in the order of their keys, at most [`PAGE`] at a time.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    index: &'a Index,
    overlay: &'a Overlay,
    entropy: [u8; 10],
}

impl<'a> View<'a> {
    pub(super) fn new(index: &'a Index, overlay: &'a Overlay) -> Self {
        Self { index, overlay, entropy: [0; 10] }
    }

    /// The same view with randomness for one fresh id.
    pub(super) fn with_entropy(self, entropy: [u8; 10]) -> Self {
        Self { entropy, ..self }
    }

    /// An id for what is made now (UUID version 7), in the order of time. One view, one id.
    pub(super) fn fresh_id(&self, now: Instant) -> Uuid {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.entropy).into_uuid()
    }

    /// One dataset.
    pub fn dataset(&self, id: &DatasetId) -> Result<Option<Dataset>, ReadError> {
        self.parsed::<v1::Dataset, _>(Table::Datasets, &[id.as_str().as_bytes()])
    }

    /// Datasets behind this one.
    pub fn datasets(&self, after: Option<&DatasetId>, limit: usize) -> Result<Vec<Dataset>, ReadError> {
        self.page::<v1::Dataset, _>(Table::Datasets, &[], b"", after.map(|id| id.as_str().as_bytes()), limit)
    }

    /// One principal.
    pub fn principal(&self, name: &PrincipalName) -> Result<Option<Principal>, ReadError> {
        self.parsed::<v1::Principal, _>(Table::Principals, &[name.as_str().as_bytes()])
    }

    /// The principal with this certificate, whatever its state.
    pub fn principal_by_certificate(&self, digest: &CertificateDigest) -> Result<Option<Principal>, ReadError> {
        self.pointed(Table::ByCertificate, &[&digest.0])
    }

    /// The principal bound to this subject, whatever its state.
    pub fn principal_by_oidc(&self, oidc: &OidcSubject) -> Result<Option<Principal>, ReadError> {
        if oidc.issuer.contains('\0') || oidc.subject.contains('\0') {
            return Ok(None);
        }
        self.pointed(Table::ByOidc, &[oidc.issuer.as_bytes(), oidc.subject.as_bytes()])
    }

    /// Principals behind this one.
    pub fn principals(&self, after: Option<&PrincipalName>, limit: usize) -> Result<Vec<Principal>, ReadError> {
        self.page::<v1::Principal, _>(Table::Principals, &[], b"", after.map(|name| name.as_str().as_bytes()), limit)
    }

    /// One organisation.
    pub fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>, ReadError> {
        self.parsed::<v1::Organisation, _>(Table::Organisations, &[id.as_str().as_bytes()])
    }

    /// One agreement.
    pub fn agreement(&self, id: &AgreementId) -> Result<Option<Agreement>, ReadError> {
        self.parsed::<v1::Agreement, _>(Table::Agreements, &[id.as_str().as_bytes()])
    }

    /// Agreements behind this one.
    pub fn agreements(&self, after: Option<&AgreementId>, limit: usize) -> Result<Vec<Agreement>, ReadError> {
        self.page::<v1::Agreement, _>(Table::Agreements, &[], b"", after.map(|id| id.as_str().as_bytes()), limit)
    }

    /// One request.
    pub fn request(&self, id: &RequestId) -> Result<Option<AccessRequest>, ReadError> {
        self.parsed::<v1::AccessRequest, _>(Table::Requests, &[id.to_string().as_bytes()])
    }

    /// Requests made behind this one, newest last.
    pub fn requests(&self, after: Option<&RequestId>, limit: usize) -> Result<Vec<AccessRequest>, ReadError> {
        let after = after.map(ToString::to_string);
        self.page::<v1::AccessRequest, _>(Table::Requests, &[], b"", after.as_ref().map(String::as_bytes), limit)
    }

    /// One grant.
    pub fn grant(&self, id: &GrantId) -> Result<Option<Grant>, ReadError> {
        self.parsed::<v1::Grant, _>(Table::Grants, &[id.to_string().as_bytes()])
    }

    /// Grants made behind this one, newest last.
    pub fn grants(&self, after: Option<&GrantId>, limit: usize) -> Result<Vec<Grant>, ReadError> {
        let after = after.map(ToString::to_string);
        self.page::<v1::Grant, _>(Table::Grants, &[], b"", after.as_ref().map(String::as_bytes), limit)
    }

    /// The grants of this dataset to this organisation, live or not.
    pub fn grants_of(&self, dataset: &DatasetId, organisation: &OrganisationId) -> Result<Vec<Grant>, ReadError> {
        let parts = [dataset.as_str().as_bytes(), organisation.as_str().as_bytes()];
        let table = Table::GrantsByDataset;
        self.ends(table, &parts)?.iter().map(|id| self.known_grant(table, id)).collect()
    }

    /// One object.
    pub fn object(&self, dataset: &DatasetId, key: &ObjectKey) -> Result<Option<StoredObject>, ReadError> {
        self.parsed::<v1::StoredObject, _>(Table::Objects, &[dataset.as_str().as_bytes(), key.as_str().as_bytes()])
    }

    /// Objects of this dataset whose keys begin with the prefix, behind this one.
    pub fn objects(
        &self,
        dataset: &DatasetId,
        prefix: &str,
        after: Option<&ObjectKey>,
        limit: usize,
    ) -> Result<Vec<StoredObject>, ReadError> {
        let after = after.map(|key| key.as_str().as_bytes());
        let parts = [dataset.as_str().as_bytes()];
        self.page::<v1::StoredObject, _>(Table::Objects, &parts, prefix.as_bytes(), after, limit)
    }

    /// The tables declared of this dataset.
    pub fn schema(&self, dataset: &DatasetId) -> Result<Option<DatasetSchema>, ReadError> {
        self.parsed::<v1::DatasetSchema, _>(Table::Schemas, &[dataset.as_str().as_bytes()])
    }

    /// What may leave of this dataset's tables.
    pub fn policy(&self, dataset: &DatasetId) -> Result<Option<ReleasePolicy>, ReadError> {
        self.parsed::<v1::ReleasePolicy, _>(Table::Policies, &[dataset.as_str().as_bytes()])
    }

    /// One table as it stands; none until rows were loaded into it.
    pub fn table(&self, dataset: &DatasetId, name: &TableName) -> Result<Option<TableVersion>, ReadError> {
        self.parsed::<v1::TableVersion, _>(Table::Tables, &[dataset.as_str().as_bytes(), name.as_str().as_bytes()])
    }

    /// Every table of this dataset that has rows; a schema bounds how many.
    pub fn tables(&self, dataset: &DatasetId) -> Result<Vec<TableVersion>, ReadError> {
        self.page::<v1::TableVersion, _>(Table::Tables, &[dataset.as_str().as_bytes()], b"", None, PAGE)
    }

    /// Every principal of an organisation.
    pub(super) fn members(&self, organisation: &OrganisationId) -> Result<Vec<Principal>, ReadError> {
        let name = |name: &Vec<u8>| {
            let found = self.parsed::<v1::Principal, _>(Table::Principals, &[name])?;
            found.ok_or(ReadError::Damaged { table: Table::Members.name() })
        };
        self.ends(Table::Members, &[organisation.as_str().as_bytes()])?.iter().map(name).collect()
    }

    /// Every grant to an organisation.
    pub(super) fn grants_to(&self, organisation: &OrganisationId) -> Result<Vec<Grant>, ReadError> {
        let parts = [organisation.as_str().as_bytes()];
        let table = Table::GrantsByOrganisation;
        self.ends(table, &parts)?.iter().map(|id| self.known_grant(table, id)).collect()
    }

    /// Whether any principal is so; stops at the first.
    pub(super) fn any_principal(&self, so: impl Fn(&Principal) -> bool) -> Result<bool, ReadError> {
        for row in self.rows(Table::Principals.prefix(&[], b""), None) {
            if so(&parse::<v1::Principal, _>(Table::Principals, &row?.1)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether there is such a row.
    pub(super) fn has(&self, key: &[u8]) -> Result<bool, ReadError> {
        Ok(self.row(key)?.is_some())
    }

    fn known_grant(&self, table: Table, id: &[u8]) -> Result<Grant, ReadError> {
        let found = self.parsed::<v1::Grant, _>(Table::Grants, &[id])?;
        found.ok_or(ReadError::Damaged { table: table.name() })
    }

    pub(super) fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        match self.overlay.0.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.index.rows().get(key)?.map(|value| value.to_vec())),
        }
    }

    fn parsed<W: Message + Default, T: TryFrom<W, Error = Violations>>(
        &self,
        table: Table,
        parts: &[&[u8]],
    ) -> Result<Option<T>, ReadError> {
        self.row(&table.key(parts))?.map(|value| parse(table, &value)).transpose()
    }

    fn pointed(&self, table: Table, parts: &[&[u8]]) -> Result<Option<Principal>, ReadError> {
        let Some(name) = self.row(&table.key(parts))? else {
            return Ok(None);
        };
        let principal = self.parsed::<v1::Principal, _>(Table::Principals, &[&name])?;
        principal.map(Some).ok_or(ReadError::Damaged { table: table.name() })
    }

    fn page<W: Message + Default, T: TryFrom<W, Error = Violations>>(
        &self,
        table: Table,
        parts: &[&[u8]],
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<T>, ReadError> {
        let after = after.map(|after| table.prefix(parts, after));
        let rows = self.rows(table.prefix(parts, prefix), after);
        rows.take(limit.min(PAGE)).map(|row| parse(table, &row?.1)).collect()
    }

    /// The last parts of all keys under these parts.
    fn ends(&self, table: Table, parts: &[&[u8]]) -> Result<Vec<Vec<u8>>, ReadError> {
        let prefix = table.prefix(parts, b"");
        let length = prefix.len();
        self.rows(prefix, None).map(|row| Ok(row?.0.split_off(length))).collect()
    }

    /// Rows whose keys have this prefix, behind this key, in order: those of the overlay over those of the index.
    pub(super) fn rows(
        &self,
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), ReadError>> + use<'a> {
        let start = after.filter(|after| *after >= prefix).map_or_else(|| Included(prefix.clone()), Excluded);
        let ours = prefix.clone();
        let mut changed = self
            .overlay
            .0
            .range((start.clone(), Unbounded))
            .take_while(move |(key, _)| key.starts_with(&ours))
            .peekable();
        let mut stored = self
            .index
            .rows()
            .range((start, Unbounded))
            .take_while(move |row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
            .peekable();
        std::iter::from_fn(move || {
            loop {
                let stored_first = match (stored.peek(), changed.peek()) {
                    (Some(Err(_)), _) | (Some(Ok(_)), None) => true,
                    (None, None) => return None,
                    (None, Some(_)) => false,
                    (Some(Ok((stored, _))), Some((changed, _))) => stored.as_ref() < changed.as_slice(),
                };
                if stored_first {
                    let row = stored.next()?;
                    return Some(row.map(|(key, value)| (key.to_vec(), value.to_vec())).map_err(ReadError::from));
                }
                let (key, value) = changed.next()?;
                stored.next_if(|row| row.as_ref().is_ok_and(|(stored, _)| stored.as_ref() == key.as_slice()));
                if let Some(value) = value {
                    return Some(Ok((key.clone(), value.clone())));
                }
            }
        })
    }
}

fn parse<W: Message + Default, T: TryFrom<W, Error = Violations>>(table: Table, value: &[u8]) -> Result<T, ReadError> {
    let damaged = ReadError::Damaged { table: table.name() };
    let Ok(wire) = W::decode(value) else { return Err(damaged) };
    wire.try_into().map_err(|_| damaged)
}

/// The most that a list gives at once.
pub const PAGE: usize = 1_000;
