//! Records for tests, each the same at each call but for what is given.

use octroi_proto::{
    Agreement, Credential, Dataset, DatasetState, Grant, GrantAction, GrantId, Instant, Level, OidcSubject,
    Organisation, Principal, PrincipalState, Role, Visibility, wire::v1,
};
use uuid::Uuid;

use crate::authenticate::{Caller, Member};

/// When the tests play, in seconds.
pub(crate) const EPOCH: i64 = 1_790_000_000;

pub(crate) fn at(second: i64) -> Instant {
    Instant::from_second(second).unwrap()
}

pub(crate) fn principal(name: &str, organisation: &str, role: Role) -> Principal {
    Principal {
        name: name.parse().unwrap(),
        organisation: organisation.parse().unwrap(),
        role,
        state: PrincipalState::Active,
        credential: Credential::Oidc(OidcSubject { issuer: "https://id.example".into(), subject: name.into() }),
        approvals: Vec::new(),
        added_by: None,
        added: at(EPOCH - 100),
        generation: 1,
    }
}

pub(crate) fn organisation(id: &str, revoked: bool) -> Organisation {
    Organisation { id: id.parse().unwrap(), revoked, generation: 1, added: at(EPOCH - 100) }
}

pub(crate) fn caller(principal: Principal, until: i64) -> Caller {
    Caller::Member(Member::for_test(principal, at(until)))
}

/// A dataset whose steward is `claire`; hidden when it is sensitive.
pub(crate) fn dataset(id: &str, level: Level, state: DatasetState) -> Dataset {
    let description = v1::DatasetDescription {
        id: id.to_owned(),
        title: [("fr".to_owned(), "Mesures".to_owned()), ("en".to_owned(), "Readings".to_owned())].into(),
        description: [("fr".to_owned(), "Des mesures.".to_owned())].into(),
        keywords: vec!["energy".to_owned()],
        publisher: "Dijon métropole".to_owned(),
        owner: "Direction du numérique".to_owned(),
        steward: "claire".to_owned(),
        contact_point: Some(v1::ContactPoint { name: "Guichet".to_owned(), email: "data@dijon.example".to_owned() }),
        level: level.to_wire().into(),
        confidentiality: v1::Impact::Low.into(),
        integrity: v1::Impact::Moderate.into(),
        availability: v1::Impact::High.into(),
        purposes: vec!["network planning".to_owned()],
        licence: "https://www.etalab.gouv.fr/licence-ouverte-open-licence/".to_owned(),
        retention: "P5Y".to_owned(),
        agreement_required: Some(false),
        metadata_visibility: 0,
        discovery: None,
    };
    Dataset {
        description: description.try_into().unwrap(),
        state,
        revision: 1,
        registered: at(EPOCH - 90),
        modified: at(EPOCH - 80),
        published: match state {
            DatasetState::Draft => None,
            DatasetState::Published | DatasetState::Withdrawn => Some(at(EPOCH - 80)),
        },
    }
}

pub(crate) fn visible(mut dataset: Dataset, visibility: Visibility) -> Dataset {
    dataset.description.visibility = visibility;
    dataset
}

pub(crate) fn grant_id(number: u8) -> GrantId {
    GrantId::new(Uuid::from_bytes([number; 16]))
}

pub(crate) fn grant(number: u8, dataset: &str, organisation: &str, actions: &[GrantAction], expires: i64) -> Grant {
    Grant {
        id: grant_id(number),
        dataset: dataset.parse().unwrap(),
        organisation: organisation.parse().unwrap(),
        actions: actions.to_vec(),
        purpose: "network planning".parse().unwrap(),
        agreement: None,
        expires: at(expires),
        granted_by: "claire".parse().unwrap(),
        granted: at(EPOCH - 50),
        revoked: None,
        revoked_by: None,
    }
}

pub(crate) fn agreement(id: &str, organisation: &str, dataset: &str, review_due: i64) -> Agreement {
    Agreement {
        id: id.parse().unwrap(),
        organisation: organisation.parse().unwrap(),
        datasets: vec![dataset.parse().unwrap()],
        information: "readings".to_owned(),
        functions: "planning".to_owned(),
        operation: "on premises".to_owned(),
        responsibility: "the vendor's".to_owned(),
        review_due: at(review_due),
        added_by: None,
        added: None,
    }
}
