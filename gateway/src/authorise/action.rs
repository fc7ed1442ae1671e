//! Everything that a caller can ask for. Each is a type, so that a permit for one is no permit for another.

/// Something that a caller can ask for; the Cedar schema has an action of the same name.
pub trait Action: Send + Sync + std::fmt::Debug + 'static {
    /// Its name in the policies and in the evidence.
    const NAME: &'static str;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl Action for $name {
                const NAME: &'static str = stringify!($name);
            }
        )+

        /// The names of all actions; a test holds them against the Cedar schema.
        pub const ACTIONS: &[&str] = &[$($name::NAME),+];
    };
}

actions! {
    /// See a dataset's metadata.
    ReadMetadata,
    /// Register a dataset.
    RegisterDataset,
    /// Replace a dataset's description.
    DescribeDataset,
    /// Put a dataset into the feeds.
    PublishDataset,
    /// Take a dataset out of the feeds.
    WithdrawDataset,
    /// Raise a dataset's level.
    RaiseLevel,
    /// Add a principal.
    AddPrincipal,
    /// Approve a waiting principal.
    ApprovePrincipal,
    /// Revoke a principal.
    RevokePrincipal,
    /// Revoke an organisation.
    RevokeOrganisation,
    /// See the principals.
    ListPrincipals,
    /// Record an agreement.
    AddAgreement,
    /// See the agreements.
    ListAgreements,
    /// Ask for access to a dataset.
    RequestAccess,
    /// See a request for access.
    ReadRequest,
    /// Grant or refuse a request for access.
    DecideRequest,
    /// See a grant.
    ReadGrant,
    /// Revoke a grant.
    RevokeGrant,
    /// Download an object.
    FetchObject,
    /// See which objects there are.
    ListObjects,
    /// Upload an object.
    StoreObject,
    /// Delete an object.
    DeleteObject,
    /// Read entries of the evidence.
    ReadEvidence,
    /// Read tiles and checkpoints of the evidence log.
    ReadLog,
    /// Ask who one is, whether the gateway is well, and what it speaks.
    Probe,
}
