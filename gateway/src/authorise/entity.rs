//! The register's records as Cedar entities, field by field: what is not set here, no policy can rest on.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use octroi_proto::{
    AccessRequest, Agreement, Dataset, DatasetId, DatasetState, Grant, Instant, Level, Organisation, OrganisationId,
    Principal, PrincipalName, PrincipalState, Role, Visibility,
};

use super::denied::Undecided;

macro_rules! kinds {
    ($($name:ident),+ $(,)?) => {
        /// The entity types of the schema.
        #[derive(Debug, Clone, Copy)]
        pub(super) enum Kind {
            $($name),+
        }

        impl Kind {
            fn type_name(self) -> EntityTypeName {
                use std::sync::LazyLock;
                match self {
                    $(Self::$name => {
                        // INVARIANT: an identifier of this file, which the tests parse.
                        static NAME: LazyLock<EntityTypeName> =
                            LazyLock::new(|| stringify!($name).parse().expect("an identifier is a type name"));
                        NAME.clone()
                    })+
                }
            }

            /// The entity of this type with this id.
            pub(super) fn uid(self, id: &str) -> EntityUid {
                EntityUid::from_type_name_and_id(self.type_name(), EntityId::new(id))
            }
        }
    };
}

kinds! {
    Action, AccessRequest, Agreement, Anonymous, Dataset, DatasetState, Gateway, Grant, GrantAction, Level,
    Organisation, Principal, PrincipalState, Role, Visibility,
}

/// The one entity of its type.
pub(super) fn gateway() -> EntityUid {
    Kind::Gateway.uid("gateway")
}

/// The one entity of its type.
pub(super) fn anonymous() -> EntityUid {
    Kind::Anonymous.uid("anonymous")
}

/// A principal as the policies see it.
pub(super) struct PrincipalFacts<'a> {
    pub(super) name: &'a str,
    pub(super) organisation: &'a str,
    pub(super) role: Role,
    pub(super) state: PrincipalState,
}

impl<'a> From<&'a Principal> for PrincipalFacts<'a> {
    fn from(principal: &'a Principal) -> Self {
        Self {
            name: principal.name.as_str(),
            organisation: principal.organisation.as_str(),
            role: principal.role,
            state: principal.state,
        }
    }
}

impl PrincipalFacts<'_> {
    pub(super) fn entity(&self) -> Result<Entity, Undecided> {
        let role = Kind::Role.uid(self.role.as_str());
        let attributes = [
            ("state", reference(Kind::PrincipalState, self.state.as_str())),
            ("organisation", reference(Kind::Organisation, self.organisation)),
        ];
        entity(Kind::Principal.uid(self.name), attributes, HashSet::from([role]))
    }
}

/// An organisation that the register knows.
pub(super) fn organisation(organisation: &Organisation) -> Result<Entity, Undecided> {
    organisation_facts(organisation.id.as_str(), organisation.revoked)
}

/// An organisation that it does not know has nothing to say here.
pub(super) fn missing_organisation(id: &OrganisationId) -> Result<Entity, Undecided> {
    organisation_facts(id.as_str(), true)
}

pub(super) fn organisation_facts(id: &str, revoked: bool) -> Result<Entity, Undecided> {
    orphan(Kind::Organisation.uid(id), [("revoked", RestrictedExpression::new_bool(revoked))])
}

/// A dataset as the policies see it.
pub(super) struct DatasetFacts<'a> {
    id: &'a DatasetId,
    level: Level,
    state: DatasetState,
    visibility: Visibility,
    steward: Option<&'a PrincipalName>,
    agreement_required: bool,
}

impl<'a> From<&'a Dataset> for DatasetFacts<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        let description = &dataset.description;
        Self {
            id: &description.id,
            level: description.level,
            state: dataset.state,
            visibility: description.visibility,
            steward: Some(&description.steward),
            agreement_required: description.agreement_required,
        }
    }
}

impl<'a> DatasetFacts<'a> {
    /// A dataset that does not exist, so that refusing it is the same work as refusing a hidden one.
    pub(super) fn absent(id: &'a DatasetId) -> Self {
        Self {
            id,
            level: Level::Sensitive,
            state: DatasetState::Draft,
            visibility: Visibility::Hidden,
            steward: None,
            agreement_required: true,
        }
    }

    pub(super) fn uid(&self) -> EntityUid {
        Kind::Dataset.uid(self.id.as_str())
    }

    /// No principal has an empty name, so nobody is the steward of what is absent.
    pub(super) fn steward(&self) -> &str {
        self.steward.map_or("", PrincipalName::as_str)
    }

    pub(super) fn entity(&self) -> Result<Entity, Undecided> {
        orphan(
            self.uid(),
            [
                ("level", reference(Kind::Level, self.level.as_str())),
                ("state", reference(Kind::DatasetState, self.state.as_str())),
                ("visibility", reference(Kind::Visibility, self.visibility.as_str())),
                ("steward", reference(Kind::Principal, self.steward())),
                ("agreementRequired", RestrictedExpression::new_bool(self.agreement_required)),
            ],
        )
    }
}

pub(super) fn agreement(agreement: &Agreement) -> Result<Entity, Undecided> {
    let datasets = agreement.datasets.iter().map(|id| reference(Kind::Dataset, id.as_str()));
    orphan(
        Kind::Agreement.uid(agreement.id.as_str()),
        [
            ("organisation", reference(Kind::Organisation, agreement.organisation.as_str())),
            ("datasets", RestrictedExpression::new_set(datasets)),
            ("reviewDue", datetime(agreement.review_due)),
        ],
    )
}

pub(super) fn grant(grant: &Grant) -> Result<Entity, Undecided> {
    let actions = grant.actions.iter().map(|action| reference(Kind::GrantAction, action.as_str()));
    let agreement =
        grant.agreement.as_ref().map(|id| ("agreement", reference(Kind::Agreement, id.as_str()))).into_iter();
    let attributes = [
        ("dataset", reference(Kind::Dataset, grant.dataset.as_str())),
        ("organisation", reference(Kind::Organisation, grant.organisation.as_str())),
        ("actions", RestrictedExpression::new_set(actions)),
        ("purpose", text(grant.purpose.as_str())),
        ("expires", datetime(grant.expires)),
        ("revoked", RestrictedExpression::new_bool(grant.revoked.is_some())),
    ];
    orphan(Kind::Grant.uid(&grant.id.to_string()), attributes.into_iter().chain(agreement))
}

/// A grant that does not exist: of no one, on nothing.
pub(super) fn absent_grant(id: &str) -> Result<Entity, Undecided> {
    orphan(
        Kind::Grant.uid(id),
        [
            ("dataset", reference(Kind::Dataset, "")),
            ("organisation", reference(Kind::Organisation, "")),
            ("actions", RestrictedExpression::new_set([])),
            ("purpose", text("")),
            ("expires", datetime(Instant::UNIX_EPOCH)),
            ("revoked", RestrictedExpression::new_bool(true)),
        ],
    )
}

pub(super) fn request(request: &AccessRequest) -> Result<Entity, Undecided> {
    orphan(
        Kind::AccessRequest.uid(&request.id.to_string()),
        [
            ("dataset", reference(Kind::Dataset, request.dataset.as_str())),
            ("organisation", reference(Kind::Organisation, request.organisation.as_str())),
            ("purpose", text(request.purpose.as_str())),
        ],
    )
}

/// A request that does not exist: of no one, for nothing.
pub(super) fn absent_request(id: &str) -> Result<Entity, Undecided> {
    orphan(
        Kind::AccessRequest.uid(id),
        [
            ("dataset", reference(Kind::Dataset, "")),
            ("organisation", reference(Kind::Organisation, "")),
            ("purpose", text("")),
        ],
    )
}

/// The dataset of what does not exist.
pub(super) fn nameless_dataset() -> Result<Entity, Undecided> {
    orphan(
        Kind::Dataset.uid(""),
        [
            ("level", reference(Kind::Level, Level::Sensitive.as_str())),
            ("state", reference(Kind::DatasetState, DatasetState::Draft.as_str())),
            ("visibility", reference(Kind::Visibility, Visibility::Hidden.as_str())),
            ("steward", reference(Kind::Principal, "")),
            ("agreementRequired", RestrictedExpression::new_bool(true)),
        ],
    )
}

/// A moment, to the millisecond below, since Cedar knows nothing finer. What lies before the year 0 is as the year 0.
pub(super) fn datetime(at: Instant) -> RestrictedExpression {
    let civil = at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    if civil.year() < 0 {
        return RestrictedExpression::new_datetime("0000-01-01T00:00:00.000Z");
    }
    RestrictedExpression::new_datetime(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second(),
        civil.millisecond()
    ))
}

fn reference(kind: Kind, id: &str) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(kind.uid(id))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn orphan(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
) -> Result<Entity, Undecided> {
    entity(uid, attributes, HashSet::new())
}

fn entity(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
    parents: HashSet<EntityUid>,
) -> Result<Entity, Undecided> {
    let attributes: HashMap<_, _> = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(uid, attributes, parents).map_err(|problem| Undecided::Facts(problem.into()))
}
