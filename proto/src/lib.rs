//! Octroi's contract: the published `.proto` files, their generated code ([`wire`]), and the domain types that
//! they parse into.
//!
//! A wire value is parsed once, at the edge, into a domain type whose constructor is the only check; everything
//! behind the edge takes the domain type. This crate does no I/O, reads no clock and holds no secret.

pub mod access;
pub mod dataset;
pub mod id;
mod json;
pub mod object;
pub mod principal;
pub mod release;
pub mod table;
pub mod time;
pub mod violation;
pub mod wire;

pub use access::{AccessRequest, Agreement, Grant, GrantAction, RequestState};
pub use dataset::{ContactPoint, Dataset, DatasetDescription, DatasetState, Impact, Level, Localised, Visibility};
pub use id::{AgreementId, DatasetId, GrantId, OrganisationId, PrincipalName, Purpose, Reason, RequestId};
pub use json::to_json;
pub use object::{MediaType, ObjectKey, ObjectVersion, StoredObject};
pub use principal::{
    Approval, CertificateDigest, Credential, OidcSubject, Organisation, Principal, PrincipalState, Role,
};
pub use release::ReleasePolicy;
pub use table::{
    Column, ColumnName, ColumnType, DatasetSchema, Domain, Isolation, TableFormat, TableName, TableSchema,
    stored::{FileId, StoredTableFile, TableVersion},
};
pub use violation::{Violation, Violations};

/// A moment, in UTC, to the nanosecond.
pub type Instant = jiff::Timestamp;
