//! Everything that a caller can ask for. Each is a type, so that a permit for one is no permit for another, and
//! each names what it is done to.

use octroi_proto::{AccessRequest, Dataset, Grant, Principal};

use super::target::Target;

/// Something that a caller can ask for; the Cedar schema has an action of the same name.
pub trait Action: Send + Sync + std::fmt::Debug + 'static {
    /// Its name in the policies and in the evidence.
    const NAME: &'static str;
    /// What it is done to; a permit carries it.
    type Target: Target;
}

/// The gateway itself, as the target of what is about no dataset.
#[derive(Debug, Clone, Copy)]
pub struct Gateway;

/// A dataset, with the grant under which the caller reaches its objects or asks it; stewards and public data need none.
#[derive(Debug, Clone)]
pub struct Lent {
    /// The dataset.
    pub dataset: Dataset,
    /// The live grant, where one was needed.
    pub grant: Option<Grant>,
}

/// A request for access and the dataset it asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request.
    pub request: AccessRequest,
    /// The dataset.
    pub dataset: Dataset,
}

/// A grant and the dataset it lends.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The grant.
    pub grant: Grant,
    /// The dataset.
    pub dataset: Dataset,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident on $target:ty),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl Action for $name {
                const NAME: &'static str = stringify!($name);
                type Target = $target;
            }
        )+

        /// The names of all actions; a test holds them against the Cedar schema.
        pub const ACTIONS: &[&str] = &[$($name::NAME),+];
    };
}

actions! {
    /// See a dataset's metadata.
    ReadMetadata on Dataset,
    /// Register a dataset.
    RegisterDataset on Gateway,
    /// Replace a dataset's description.
    DescribeDataset on Dataset,
    /// Put a dataset into the feeds.
    PublishDataset on Dataset,
    /// Take a dataset out of the feeds.
    WithdrawDataset on Dataset,
    /// Raise a dataset's level.
    RaiseLevel on Dataset,
    /// Add a principal.
    AddPrincipal on Gateway,
    /// Approve a waiting principal.
    ApprovePrincipal on Principal,
    /// Revoke a principal.
    RevokePrincipal on Principal,
    /// Revoke an organisation.
    RevokeOrganisation on Gateway,
    /// See the principals.
    ListPrincipals on Gateway,
    /// Record an agreement.
    AddAgreement on Gateway,
    /// See the agreements.
    ListAgreements on Gateway,
    /// See one's own requests and grants.
    ListAccess on Gateway,
    /// Ask for access to a dataset.
    RequestAccess on Dataset,
    /// See a request for access.
    ReadRequest on Asked,
    /// Grant or refuse a request for access.
    DecideRequest on Asked,
    /// See a grant.
    ReadGrant on Granted,
    /// Revoke a grant.
    RevokeGrant on Granted,
    /// Download an object.
    FetchObject on Lent,
    /// See which objects there are.
    ListObjects on Lent,
    /// Upload an object.
    StoreObject on Lent,
    /// Delete an object.
    DeleteObject on Lent,
    /// Declare the tables of a dataset.
    DeclareSchema on Dataset,
    /// See the tables of a dataset.
    ReadSchema on Dataset,
    /// Declare what may leave of the tables of a dataset.
    DeclarePolicy on Dataset,
    /// See what may leave of the tables of a dataset.
    ReadPolicy on Dataset,
    /// Load rows into a table.
    LoadTable on Dataset,
    /// Ask a question of a dataset.
    AskDataset on Lent,
    /// Read entries of the evidence.
    ReadEvidence on Gateway,
    /// Read tiles and checkpoints of the evidence log.
    ReadLog on Gateway,
    /// Ask who one is, whether the gateway is well, and what it speaks.
    Probe on Gateway,
}
