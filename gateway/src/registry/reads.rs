//! Reading the register from any thread: what every acknowledged change left, straight from the index.

use octroi_proto::{
    AccessRequest, Agreement, AgreementId, CertificateDigest, Dataset, DatasetId, DatasetSchema, Grant, GrantId,
    ObjectKey, OidcSubject, Organisation, OrganisationId, Principal, PrincipalName, ReleasePolicy, RequestId,
    StoredObject, TableName, TableVersion,
};

use super::{FeedState, Listing, ReadError, Registry};

macro_rules! reads {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $what:ty;)+) => {
        impl Registry {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`ReadError`] when the index cannot be read.
                pub fn $name(&self, $($argument: $type),*) -> Result<$what, ReadError> {
                    self.view().$name($($argument),*)
                }
            )+
        }
    };
}

reads! {
    /// One dataset.
    dataset(id: &DatasetId) -> Option<Dataset>;
    /// Datasets behind this one, in the order of their ids.
    datasets(after: Option<&DatasetId>, limit: usize) -> Vec<Dataset>;
    /// One principal.
    principal(name: &PrincipalName) -> Option<Principal>;
    /// The principal with this certificate, whatever its state.
    principal_by_certificate(digest: &CertificateDigest) -> Option<Principal>;
    /// The principal bound to this subject, whatever its state.
    principal_by_oidc(oidc: &OidcSubject) -> Option<Principal>;
    /// Principals behind this one, in the order of their names.
    principals(after: Option<&PrincipalName>, limit: usize) -> Vec<Principal>;
    /// One organisation.
    organisation(id: &OrganisationId) -> Option<Organisation>;
    /// One agreement.
    agreement(id: &AgreementId) -> Option<Agreement>;
    /// Agreements behind this one, in the order of their ids.
    agreements(after: Option<&AgreementId>, limit: usize) -> Vec<Agreement>;
    /// One request.
    request(id: &RequestId) -> Option<AccessRequest>;
    /// Requests made behind this one, newest last.
    requests(after: Option<&RequestId>, limit: usize) -> Vec<AccessRequest>;
    /// One grant.
    grant(id: &GrantId) -> Option<Grant>;
    /// Grants made behind this one, newest last.
    grants(after: Option<&GrantId>, limit: usize) -> Vec<Grant>;
    /// The grants of this dataset to this organisation, live or not.
    grants_of(dataset: &DatasetId, organisation: &OrganisationId) -> Vec<Grant>;
    /// One object.
    object(dataset: &DatasetId, key: &ObjectKey) -> Option<StoredObject>;
    /// Objects of this dataset whose keys begin with the prefix, behind this one, in the order of their keys.
    objects(dataset: &DatasetId, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Vec<StoredObject>;
    /// The tables declared of this dataset.
    schema(dataset: &DatasetId) -> Option<DatasetSchema>;
    /// What may leave of this dataset's tables.
    policy(dataset: &DatasetId) -> Option<ReleasePolicy>;
    /// One table as it stands; none until rows were loaded into it.
    table(dataset: &DatasetId, name: &TableName) -> Option<TableVersion>;
    /// Every table of this dataset that has rows, in the order of their names.
    tables(dataset: &DatasetId) -> Vec<TableVersion>;
    /// The feed as a whole.
    feed() -> FeedState;
    /// Where a dataset stands in the feed; none if everybody could never know of it.
    listing(id: &DatasetId) -> Option<Listing>;
    /// Datasets touched behind this entry, in that order, each with the entry of its last change.
    touched(after: Option<u64>, limit: usize) -> Vec<(u64, DatasetId)>;
    /// Listings from this position on, gone ones too.
    listings(from: u64, limit: usize) -> Vec<Listing>;
    /// Listings behind this change, in the order of their changes, gone ones too.
    changes(after: Option<u64>, limit: usize) -> Vec<Listing>;
}
