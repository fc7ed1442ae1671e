//! Wire messages: any bytes are a message or none, any message is a domain value or a list of what is wrong with it,
//! and a domain value survives the wire.
//!
//! Input is merged, as protobuf merges, into a message that is right: one field at a time can then be wrong.

#![no_main]

use std::{collections::BTreeMap, fmt::Debug};

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi::evidence::ProofFile;
use octroi_fuzz::rest;
use octroi_proto::{
    AccessRequest, Agreement, Dataset, DatasetDescription, Grant, OidcSubject, Organisation, Principal, StoredObject,
    Violations, to_json, wire::v1,
};
use prost::{Message, Name};
use prost_types::Timestamp;

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    let kind = input.int_in_range(0..=10)?;
    let right = input.ratio(3, 4)?;
    let bytes = rest(input);
    match kind {
        0 => survives::<v1::DatasetDescription, DatasetDescription>(message(right, description, &bytes)),
        1 => survives::<v1::Dataset, Dataset>(message(right, dataset, &bytes)),
        2 => survives::<v1::Agreement, Agreement>(message(right, agreement, &bytes)),
        3 => survives::<v1::AccessRequest, AccessRequest>(message(right, access_request, &bytes)),
        4 => survives::<v1::Grant, Grant>(message(right, grant, &bytes)),
        5 => survives::<v1::Principal, Principal>(message(right, principal, &bytes)),
        6 => survives::<v1::Organisation, Organisation>(message(right, organisation, &bytes)),
        7 => survives::<v1::StoredObject, StoredObject>(message(right, stored_object, &bytes)),
        8 => oidc_subject(message(right, oidc, &bytes)),
        9 => told::<v1::Entry>(message(right, entry, &bytes)),
        _ => proof(message(right, v1::EvidenceProof::default, &bytes)),
    }
    Ok(())
}

/// These bytes over a message that is right, or over none.
fn message<W: Message + Default>(right: bool, complete: fn() -> W, bytes: &[u8]) -> Option<W> {
    let mut message = if right { complete() } else { W::default() };
    message.merge(bytes).is_ok().then_some(message)
}

fn survives<W, D>(wire: Option<W>)
where
    W: Message + Name + Default + Clone + PartialEq + for<'d> From<&'d D>,
    D: TryFrom<W, Error = Violations> + PartialEq + Debug,
{
    let Some(wire) = wire else { return };
    told(Some(wire.clone()));
    match D::try_from(wire) {
        Ok(domain) => {
            let written = W::from(&domain);
            let read = W::decode(written.encode_to_vec().as_slice()).expect("what we write can be read");
            assert!(read == written);
            assert_eq!(D::try_from(read).as_ref(), Ok(&domain));
        }
        Err(violations) => refused(&violations),
    }
}

fn refused(violations: &Violations) {
    assert!(violations.iter().next().is_some(), "a refusal says what is wrong");
    assert!(violations.to_string().is_ascii(), "a refusal never quotes what it refuses");
}

/// Every message has a JSON form, and the same one each time.
fn told<W: Message + Name>(wire: Option<W>) {
    if let Some(wire) = wire {
        let json = to_json(&wire);
        assert!(json.is_object());
        assert_eq!(json, to_json(&wire));
    }
}

fn oidc_subject(wire: Option<v1::OidcSubject>) {
    match wire.map(OidcSubject::try_from) {
        Some(Ok(subject)) => assert!((1..=255).contains(&subject.subject.chars().count())),
        Some(Err(violations)) => refused(&violations),
        None => {}
    }
}

fn proof(wire: Option<v1::EvidenceProof>) {
    if let Some(wire) = wire {
        ProofFile::from(&wire).to_json().expect("a proof can be written to a file");
        told(Some(wire));
    }
}

fn at() -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_790_000_000, nanos: 0 })
}

fn description() -> v1::DatasetDescription {
    let french = |text: &str| BTreeMap::from([("fr".to_owned(), text.to_owned())]);
    v1::DatasetDescription {
        id: "climat-ilots".into(),
        title: french("Climat"),
        description: french("Climat des îlots"),
        keywords: vec!["climat".into()],
        publisher: "Dijon".into(),
        owner: "DSI".into(),
        steward: "claire".into(),
        contact_point: Some(v1::ContactPoint { name: "DSI".into(), email: "dsi@dijon.example".into() }),
        level: v1::Level::Sensitive.into(),
        confidentiality: v1::Impact::Low.into(),
        integrity: v1::Impact::Low.into(),
        availability: v1::Impact::Low.into(),
        purposes: vec!["network planning".into()],
        licence: "https://www.etalab.gouv.fr/licence-ouverte".into(),
        retention: "P5Y".into(),
        agreement_required: Some(false),
        metadata_visibility: v1::Visibility::Members.into(),
        discovery: Some(discovery()),
    }
}

fn discovery() -> v1::Discovery {
    let words = v1::Keywords { words: vec!["chaleur".into()] };
    v1::Discovery {
        keywords: BTreeMap::from([("fr".to_owned(), words)]),
        themes: vec!["ENVI".into()],
        frequency: "DAILY".into(),
        languages: vec!["FRA".into()],
        temporal: vec![v1::TemporalCoverage { from: "2019-01-01".into(), to: String::new() }],
        spatial: vec![v1::SpatialCoverage { r#box: "4.90,47.20,5.20,47.40".into(), ..v1::SpatialCoverage::default() }],
        high_value_categories: vec!["meteorological".into()],
        derived_from: vec!["meteo-horaire".into()],
        ..v1::Discovery::default()
    }
}

fn dataset() -> v1::Dataset {
    v1::Dataset {
        description: Some(description()),
        state: v1::DatasetState::Published.into(),
        revision: 2,
        registered: at(),
        modified: at(),
        published: at(),
    }
}

fn agreement() -> v1::Agreement {
    v1::Agreement {
        id: "conv-2026-01".into(),
        organisation: "voltaic-sas".into(),
        datasets: vec!["climat-ilots".into()],
        information: "climate".into(),
        functions: "planning".into(),
        operation: "monthly".into(),
        responsibility: "theirs".into(),
        review_due: at(),
        added_by: "claire".into(),
        added: at(),
    }
}

fn access_request() -> v1::AccessRequest {
    v1::AccessRequest {
        id: ID.into(),
        dataset: "climat-ilots".into(),
        principal: "voltaic".into(),
        organisation: "voltaic-sas".into(),
        purpose: "network planning".into(),
        actions: vec![v1::GrantAction::Fetch.into()],
        state: v1::RequestState::Granted.into(),
        made: at(),
        decided_by: "claire".into(),
        decided: at(),
        reason: String::new(),
        grant: ID.into(),
    }
}

fn grant() -> v1::Grant {
    v1::Grant {
        id: ID.into(),
        dataset: "climat-ilots".into(),
        organisation: "voltaic-sas".into(),
        actions: vec![v1::GrantAction::Fetch.into(), v1::GrantAction::Store.into()],
        purpose: "network planning".into(),
        agreement: "conv-2026-01".into(),
        expires: at(),
        granted_by: "claire".into(),
        granted: at(),
        revoked: None,
        revoked_by: String::new(),
    }
}

fn principal() -> v1::Principal {
    v1::Principal {
        name: "voltaic".into(),
        organisation: "voltaic-sas".into(),
        role: v1::Role::Vendor.into(),
        state: v1::PrincipalState::Active.into(),
        certificate_sha256: vec![7; 32],
        certificate_expires: at(),
        oidc: None,
        approvals: vec![v1::Approval { by: "claire".into(), steward: true, at: at() }],
        added_by: "claire".into(),
        added: at(),
        generation: 3,
    }
}

fn organisation() -> v1::Organisation {
    v1::Organisation { id: "voltaic-sas".into(), revoked: false, generation: 1, added: at() }
}

fn stored_object() -> v1::StoredObject {
    v1::StoredObject {
        stored_by: "ville".into(),
        object: Some(v1::Object {
            dataset: "climat-ilots".into(),
            key: "2026/january.csv".into(),
            version: 1,
            length: 5,
            sha256: vec![1; 32],
            media_type: "text/csv".into(),
            stored: at(),
        }),
        uuid: vec![2; 16],
        sealed_sha256: vec![3; 32],
        sealed_length: 169,
        version_id: vec![4; 16],
    }
}

fn oidc() -> v1::OidcSubject {
    v1::OidcSubject { issuer: "https://id.dijon.example".into(), subject: "claire".into() }
}

fn entry() -> v1::Entry {
    v1::Entry {
        sequence: 3,
        at: at(),
        actor: Some(v1::Actor { principal: "claire".into(), ..v1::Actor::default() }),
        action: "PublishDataset".into(),
        policies: vec!["steward".into()],
        reason: String::new(),
        record: Some(v1::entry::Record::Dataset(dataset())),
    }
}

const ID: &str = "01010101-0101-0101-0101-010101010101";
