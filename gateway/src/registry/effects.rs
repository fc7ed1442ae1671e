//! From a record of the evidence to rows of the index. Applying the same record again changes nothing, so a replay
//! may begin too early but never too late.

use octroi_proto::{
    Instant,
    wire::v1::{self, entry::Record},
};
use prost::Message;

use super::{
    feed,
    index::EffectsError,
    table::{Row, Table},
    view::View,
};

/// What a record changes.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) rows: Vec<Row>,
    /// Whether decisions that were made before stand no longer without another look.
    pub(super) moves_epoch: bool,
}

/// A record that lacks a part which this version relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record is incomplete")]
pub(super) struct UnknownRecord;

/// Where in the evidence a record stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion {
    pub(super) sequence: u64,
    pub(super) at: Instant,
}

/// What this record changes. The view is read for two things: whether a principal's organisation exists, since an
/// organisation comes into being with its first principal; and where a dataset stands in the feed.
pub(super) fn effects(record: &Record, occasion: Occasion, view: &View<'_>) -> Result<Effects, EffectsError> {
    let mut effects = Effects::default();
    match record {
        Record::Dataset(dataset) => {
            effects.dataset(dataset)?;
            effects.rows.extend(feed::described(dataset, occasion, view)?);
        }
        Record::Principal(principal) => effects.principal(principal, view)?,
        Record::Organisation(organisation) => effects.organisation(organisation),
        Record::Agreement(agreement) => effects.deciding(Table::Agreements, &[&agreement.id], agreement),
        Record::AccessRequest(request) => effects.put(Table::Requests, &[&request.id], request),
        Record::Grant(grant) => effects.grant(grant),
        Record::Object(stored) => {
            let object = effects.object(stored)?;
            effects.rows.extend(feed::files_changed(&object.dataset, occasion, view)?);
        }
        Record::DeletedObject(deleted) => {
            let key = Table::Objects.key(&[deleted.dataset.as_bytes(), deleted.key.as_bytes()]);
            effects.rows.push(Row { key, value: None });
            effects.rows.extend(feed::files_changed(&deleted.dataset, occasion, view)?);
        }
        Record::Schema(schema) => effects.put(Table::Schemas, &[&schema.dataset], schema),
        Record::PolicyDeclared(declared) => {
            let policy = declared.policy.as_ref().ok_or(UnknownRecord)?;
            effects.put(Table::Policies, &[&policy.dataset], policy);
        }
        Record::Table(table) => effects.put(Table::Tables, &[&table.dataset, &table.table], table),
        Record::Offboarding(offboarded) => effects.offboarding(offboarded, view)?,
        Record::GrantedRequest(granted) => {
            let request = granted.request.as_ref().ok_or(UnknownRecord)?;
            effects.put(Table::Requests, &[&request.id], request);
            effects.grant(granted.grant.as_ref().ok_or(UnknownRecord)?);
        }
        Record::FetchStarted(_)
        | Record::FetchEnded(_)
        | Record::Refused(_)
        | Record::Traffic(_)
        | Record::Started(_)
        | Record::IntegrityFailure(_)
        | Record::AdmittedQuery(_)
        | Record::ReleasedAnswer(_)
        | Record::WithheldAnswer(_) => {}
    }
    Ok(effects)
}

impl Effects {
    fn put(&mut self, table: Table, parts: &[&str], value: &impl Message) {
        let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
        self.rows.push(Row { key: table.key(&parts), value: Some(value.encode_to_vec()) });
    }

    fn point(&mut self, table: Table, parts: &[&[u8]], to: &str) {
        self.rows.push(Row { key: table.key(parts), value: Some(to.as_bytes().to_vec()) });
    }

    /// As [`Self::put`], of what decisions rest on.
    fn deciding(&mut self, table: Table, parts: &[&str], value: &impl Message) {
        self.moves_epoch = true;
        self.put(table, parts, value);
    }

    fn dataset(&mut self, dataset: &v1::Dataset) -> Result<(), UnknownRecord> {
        let description = dataset.description.as_ref().ok_or(UnknownRecord)?;
        self.deciding(Table::Datasets, &[&description.id], dataset);
        Ok(())
    }

    fn organisation(&mut self, organisation: &v1::Organisation) {
        self.deciding(Table::Organisations, &[&organisation.id], organisation);
    }

    fn principal(&mut self, principal: &v1::Principal, view: &View<'_>) -> Result<(), EffectsError> {
        let v1::Principal { name, organisation: id, added, .. } = principal;
        self.deciding(Table::Principals, &[name], principal);
        self.point(Table::Members, &[id.as_bytes(), name.as_bytes()], "");
        match &principal.oidc {
            Some(oidc) => self.point(Table::ByOidc, &[oidc.issuer.as_bytes(), oidc.subject.as_bytes()], name),
            None => self.point(Table::ByCertificate, &[&principal.certificate_sha256], name),
        }
        if !view.has(&Table::Organisations.key(&[id.as_bytes()]))? {
            self.organisation(&v1::Organisation { id: id.clone(), revoked: false, generation: 1, added: *added });
        }
        Ok(())
    }

    fn grant(&mut self, grant: &v1::Grant) {
        let v1::Grant { id, dataset, organisation, .. } = grant;
        self.deciding(Table::Grants, &[id], grant);
        self.point(Table::GrantsByDataset, &[dataset.as_bytes(), organisation.as_bytes(), id.as_bytes()], "");
        self.point(Table::GrantsByOrganisation, &[organisation.as_bytes(), id.as_bytes()], "");
    }

    fn object<'a>(&mut self, stored: &'a v1::StoredObject) -> Result<&'a v1::Object, UnknownRecord> {
        let object = stored.object.as_ref().ok_or(UnknownRecord)?;
        self.put(Table::Objects, &[&object.dataset, &object.key], stored);
        Ok(object)
    }

    fn offboarding(&mut self, offboarded: &v1::OffboardedOrganisation, view: &View<'_>) -> Result<(), EffectsError> {
        for principal in &offboarded.principals {
            self.principal(principal, view)?;
        }
        for grant in &offboarded.grants {
            self.grant(grant);
        }
        // Last: it stands over what a principal's record may have said of it.
        self.organisation(offboarded.organisation.as_ref().ok_or(UnknownRecord)?);
        Ok(())
    }
}
