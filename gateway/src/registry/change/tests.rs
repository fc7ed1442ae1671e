mod policies;
mod tables;

use super::{super::tests::*, *};
use crate::{
    authorise::{Asked, Gateway, Granted, Lent},
    object::Precondition,
};
use octroi_proto::{
    AccessRequest, Agreement, DatasetState, GrantAction, RequestState, Visibility, wire::v1::entry::Record,
};
use proptest::prelude::*;
use std::time::Duration;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn later(world: &World, by: Duration) -> Instant {
    world.now().checked_add(by).unwrap()
}

fn published(world: &mut World, id: &str, level: Level) -> Dataset {
    let dataset = world.dataset(id, level);
    world.run("claire", dataset, PublishDataset).unwrap()
}

fn ask(world: &mut World, dataset: &Dataset, actions: Vec<GrantAction>) -> Result<AccessRequest, ChangeError> {
    let purpose = "network planning".parse().unwrap();
    world.run("volta", dataset.clone(), RequestAccess { purpose, actions })
}

fn grant(
    world: &mut World,
    dataset: &Dataset,
    request: &AccessRequest,
    expires: Instant,
    agreement: Option<&str>,
) -> Result<octroi_proto::Grant, ChangeError> {
    let target = Asked { request: request.clone(), dataset: dataset.clone() };
    world.run("claire", target, Grant { expires, agreement: agreement.map(|id| id.parse().unwrap()) })
}

fn agreement(world: &World, id: &str, organisation: &str, dataset: &str) -> AddAgreement {
    AddAgreement {
        agreement: Agreement {
            id: id.parse().unwrap(),
            organisation: organisation.parse().unwrap(),
            datasets: vec![dataset.parse().unwrap()],
            information: "readings".into(),
            functions: "planning".into(),
            operation: "by hand".into(),
            responsibility: "theirs".into(),
            review_due: later(world, YEAR),
            added_by: None,
            added: None,
        },
    }
}

#[test]
fn bootstrap_ends_with_the_first_steward() {
    let mut world = World::new();
    assert_eq!(world.add("opal", "vera", "firm", Role::Vendor).unwrap().state, PrincipalState::Waiting);
    assert_eq!(world.add("opal", "alex", "ville", Role::Auditor).unwrap().state, PrincipalState::Active);
    assert_eq!(world.add("opal", "claire", "ville", Role::Steward).unwrap().state, PrincipalState::Active);
    assert_eq!(world.add("opal", "colin", "ville", Role::Steward).unwrap().state, PrincipalState::Waiting);
    assert_eq!(world.add("opal", "portal", "data-gouv", Role::Harvester).unwrap().state, PrincipalState::Active);
}

/// The attack: an operator revokes every steward, so that its adding suffices again, and adds puppets.
#[test]
fn the_register_is_founded_once_whatever_becomes_of_its_stewards() {
    let mut world = World::new();
    let claire = world.add("opal", "claire", "ville", Role::Steward).unwrap();
    assert!(matches!(world.run("opal", claire.clone(), RevokePrincipal), Err(ChangeError::LastSteward)));
    for state in [PrincipalState::Revoked, PrincipalState::Waiting] {
        // Behind the rules' back: they do not let it come to this.
        world.overwrite(&Principal { state, ..claire.clone() });
        for role in [Role::Steward, Role::Reviewer, Role::Operator, Role::Auditor] {
            let puppet = world.add("opal", &format!("{}-{}", role.as_str(), state.as_str()), "ville", role).unwrap();
            assert_eq!(puppet.state, PrincipalState::Waiting, "{role:?} beside a steward {state:?}");
            assert!(puppet.approvals.is_empty());
        }
    }
}

#[test]
fn the_last_active_steward_stays() {
    let mut world = World::peopled();
    let [claire, colin] = ["claire", "colin"].map(|name| world.principal(name));
    let ville = || RevokeOrganisation { id: "ville".parse().unwrap() };
    let refused = world.run("opal", Gateway, ville()).unwrap_err();
    assert!(matches!(refused, ChangeError::LastSteward), "both stewards are of it");
    assert_eq!(refused.kind(), RefusalKind::Precondition);
    assert!(refused.to_string().ends_with("add and approve another steward first"));
    world.run("opal", colin, RevokePrincipal).unwrap();
    let diane = world.add("claire", "diane", "agglo", Role::Steward).unwrap();
    for who in ["opal", "claire"] {
        assert!(matches!(world.run(who, claire.clone(), RevokePrincipal), Err(ChangeError::LastSteward)));
    }
    assert!(matches!(world.run("opal", Gateway, ville()), Err(ChangeError::LastSteward)), "diane waits");
    assert_eq!(world.principal("claire").state, PrincipalState::Active);
    for who in ["claire", "rene"] {
        world.run(who, diane.clone(), ApprovePrincipal).unwrap();
    }
    world.run("opal", Gateway, ville()).unwrap();
    assert_eq!(world.principal("claire").state, PrincipalState::Revoked);
    assert!(matches!(world.run("diane", diane, RevokePrincipal), Err(ChangeError::LastSteward)));
    let unneeded = world.add("diane", "unneeded", "agglo", Role::Steward).unwrap();
    assert!(world.run("diane", unneeded, RevokePrincipal).is_ok(), "one who waits is not the last active one");
}

#[test]
fn names_and_credentials_are_used_once() {
    let mut world = World::peopled();
    assert!(matches!(world.add("opal", "volta", "ville", Role::Vendor), Err(ChangeError::Taken(Subject::Principal))));
    let twin = AddPrincipal {
        name: "twin".parse().unwrap(),
        organisation: "ville".parse().unwrap(),
        role: Role::Vendor,
        credential: certificate(0),
    };
    assert!(matches!(world.run("opal", Gateway, twin), Err(ChangeError::Taken(Subject::Certificate))));
    let oidc = octroi_proto::OidcSubject { issuer: "https://issuer".into(), subject: "s".into() };
    let bound = |name: &str| AddPrincipal {
        name: name.parse().unwrap(),
        organisation: "ville".parse().unwrap(),
        role: Role::Vendor,
        credential: octroi_proto::Credential::Oidc(oidc.clone()),
    };
    world.run("opal", Gateway, bound("first")).unwrap();
    assert_eq!(world.registry.principal_by_oidc(&oidc).unwrap().unwrap().name.as_str(), "first");
    assert!(matches!(world.run("opal", Gateway, bound("second")), Err(ChangeError::Taken(Subject::OidcSubject))));
}

#[test]
fn approval_takes_a_steward_and_another_person() {
    let mut world = World::peopled();
    let waiting = world.add("opal", "vera", "firm", Role::Vendor).unwrap();
    let mut approve = |who: &str| world.run(who, waiting.clone(), ApprovePrincipal);
    assert!(matches!(approve("vera"), Err(ChangeError::CallerInactive)));
    assert!(matches!(approve("volta"), Err(ChangeError::NotApprover)));
    assert_eq!(approve("rene").unwrap().state, PrincipalState::Waiting);
    assert!(matches!(approve("rene"), Err(ChangeError::ApprovedAlready)));
    assert_eq!(approve("opal").unwrap().state, PrincipalState::Waiting, "two people, no steward");
    let active = approve("claire").unwrap();
    assert_eq!((active.state, active.generation), (PrincipalState::Active, 2));
    assert!(matches!(approve("colin"), Err(ChangeError::State { .. })));
}

#[test]
fn an_approver_who_was_revoked_counts_no_more() {
    let mut world = World::peopled();
    let waiting = world.add("opal", "vera", "firm", Role::Vendor).unwrap();
    world.run("rene", waiting.clone(), ApprovePrincipal).unwrap();
    let rene = world.principal("rene");
    world.run("opal", rene, RevokePrincipal).unwrap();
    assert_eq!(world.run("claire", waiting.clone(), ApprovePrincipal).unwrap().state, PrincipalState::Waiting);
    assert_eq!(world.run("colin", waiting, ApprovePrincipal).unwrap().state, PrincipalState::Active);
}

#[test]
fn revocation_is_for_good() {
    let mut world = World::peopled();
    let volta = world.principal("volta");
    let revoked = world.run("opal", volta.clone(), RevokePrincipal).unwrap();
    assert_eq!((revoked.state, revoked.generation), (PrincipalState::Revoked, volta.generation + 1));
    assert!(matches!(world.run("opal", volta.clone(), RevokePrincipal), Err(ChangeError::State { .. })));
    assert!(matches!(world.run("claire", volta, ApprovePrincipal), Err(ChangeError::State { .. })));
    assert!(matches!(world.add("opal", "volta", "ville", Role::Vendor), Err(ChangeError::Taken(_))));
}

#[test]
fn an_organisation_goes_with_all_it_has() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::QuasiSensitive);
    let request = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    let expires = later(&world, YEAR);
    let lent = grant(&mut world, &dataset, &request, expires, None).unwrap();
    let second = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    let id: octroi_proto::OrganisationId = "voltaic-sas".parse().unwrap();
    let gone = world.run("opal", Gateway, RevokeOrganisation { id: id.clone() }).unwrap();
    assert_eq!((gone.principals_revoked, gone.grants_revoked), (1, 1));
    assert_eq!(world.principal("volta").state, PrincipalState::Revoked);
    assert!(world.registry.grant(&lent.id).unwrap().unwrap().revoked.is_some());
    assert!(world.registry.organisation(&id).unwrap().unwrap().revoked);
    assert!(matches!(world.add("opal", "vito", "voltaic-sas", Role::Vendor), Err(ChangeError::OrganisationRevoked)));
    let refused = grant(&mut world, &dataset, &second, expires, None);
    assert!(matches!(refused, Err(ChangeError::OrganisationRevoked)));
    let again = world.run("opal", Gateway, RevokeOrganisation { id });
    assert!(matches!(again, Err(ChangeError::OrganisationRevoked)));
}

#[test]
fn only_its_own_steward_manages_a_dataset() {
    let mut world = World::peopled();
    let dataset = world.dataset("capteurs", Level::QuasiSensitive);
    let describe = DescribeDataset { description: description("capteurs", Level::QuasiSensitive), revision: None };
    for other in ["colin", "opal", "rene", "volta"] {
        assert!(matches!(world.run(other, dataset.clone(), PublishDataset), Err(ChangeError::NotSteward)), "{other}");
        let refused = world.run(other, dataset.clone(), describe.clone());
        assert!(matches!(refused, Err(ChangeError::NotSteward)), "{other}");
    }
    for other in ["colin", "rene", "volta"] {
        let raised = world.run(other, dataset.clone(), RaiseLevel { level: Level::Sensitive });
        assert!(matches!(raised, Err(ChangeError::NotStewardNorOperator)), "{other}");
        let withdrawn = world.run(other, dataset.clone(), WithdrawDataset);
        assert!(matches!(withdrawn, Err(ChangeError::NotStewardNorOperator)), "{other}");
    }
    let register = RegisterDataset { description: description("other", Level::Public) };
    assert!(matches!(world.run("opal", Gateway, register.clone()), Err(ChangeError::NotSteward)));
    assert!(world.run("colin", Gateway, register).is_ok(), "any steward registers, for the steward it names");
    let mut unfit = description("third", Level::Public);
    unfit.steward = "volta".parse().unwrap();
    assert!(matches!(
        world.run("claire", Gateway, RegisterDataset { description: unfit }),
        Err(ChangeError::Invalid(_))
    ));
}

#[test]
fn operators_take_away_and_never_give() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::Public);
    let raised = world.run("opal", dataset.clone(), RaiseLevel { level: Level::QuasiSensitive }).unwrap();
    assert_eq!(raised.description.level, Level::QuasiSensitive);
    for level in [Level::Public, Level::QuasiSensitive] {
        let lowered = world.run("opal", dataset.clone(), RaiseLevel { level });
        assert!(matches!(lowered, Err(ChangeError::LevelFalls { current: Level::QuasiSensitive })));
    }
    assert_eq!(world.run("opal", dataset.clone(), WithdrawDataset).unwrap().state, DatasetState::Withdrawn);
    assert!(matches!(world.run("opal", dataset.clone(), WithdrawDataset), Err(ChangeError::State { .. })));
    assert!(matches!(world.run("opal", dataset.clone(), PublishDataset), Err(ChangeError::NotSteward)));
    let lent = Lent { dataset, grant: None };
    assert!(matches!(world.run("opal", lent.clone(), object("a", 1)), Err(ChangeError::NotLent)));
    let remove = RemoveObject { key: "a".parse().unwrap(), precondition: Precondition::None };
    assert!(matches!(world.run("opal", lent, remove), Err(ChangeError::NotSteward)));
}

#[test]
fn a_description_keeps_the_id_and_never_lowers_the_level() {
    let mut world = World::peopled();
    let dataset = world.dataset("capteurs", Level::QuasiSensitive);
    let mut describe = |id: &str, level, revision| {
        let change = DescribeDataset { description: description(id, level), revision };
        world.run("claire", dataset.clone(), change)
    };
    assert!(matches!(describe("other", Level::QuasiSensitive, None), Err(ChangeError::Invalid(_))));
    assert!(matches!(describe("capteurs", Level::Public, None), Err(ChangeError::LevelFalls { .. })));
    assert!(matches!(describe("capteurs", Level::QuasiSensitive, Some(7)), Err(ChangeError::Revision { current: 1 })));
    assert_eq!(describe("capteurs", Level::Sensitive, Some(1)).unwrap().revision, 2);
    assert!(matches!(describe("capteurs", Level::QuasiSensitive, None), Err(ChangeError::LevelFalls { .. })));
}

#[test]
fn what_becomes_sensitive_becomes_hidden() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::Public);
    let raised = world.run("claire", dataset, RaiseLevel { level: Level::Sensitive }).unwrap();
    assert_eq!(raised.description.visibility, Visibility::Hidden);
    assert_eq!(world.registry.dataset(&raised.description.id).unwrap(), Some(raised));
}

#[test]
fn access_is_asked_by_vendors_for_what_is_lent() {
    let mut world = World::peopled();
    let fetch = || vec![GrantAction::Fetch];
    let draft = world.dataset("draft", Level::QuasiSensitive);
    assert!(matches!(ask(&mut world, &draft, fetch()), Err(ChangeError::State { .. })));
    for level in [Level::Public, Level::Sensitive] {
        let other = published(&mut world, level.as_str(), level);
        assert!(matches!(ask(&mut world, &other, fetch()), Err(ChangeError::LevelUnfit { .. })));
    }
    let dataset = published(&mut world, "capteurs", Level::QuasiSensitive);
    let other = RequestAccess { purpose: "marketing".parse().unwrap(), actions: fetch() };
    assert!(matches!(world.run("volta", dataset.clone(), other.clone()), Err(ChangeError::Invalid(_))));
    assert!(matches!(world.run("rene", dataset.clone(), other), Err(ChangeError::NotLent)));
    let (one, two) = (ask(&mut world, &dataset, fetch()).unwrap(), ask(&mut world, &dataset, fetch()).unwrap());
    world.clock.advance(Duration::from_secs(1));
    let three = ask(&mut world, &dataset, fetch()).unwrap();
    let listed = world.registry.requests(None, 10).unwrap();
    assert_eq!(listed.last(), Some(&three), "newest last");
    assert!(listed.contains(&one) && listed.contains(&two) && one.id != two.id);
}

#[test]
fn a_request_is_decided_once_within_bounds() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::QuasiSensitive);
    let request = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    let now = world.now();
    for expires in [now, later(&world, YEAR * 2 + Duration::from_secs(2 * 86_400))] {
        assert!(matches!(grant(&mut world, &dataset, &request, expires, None), Err(ChangeError::Invalid(_))));
    }
    let expires = later(&world, YEAR * 2);
    let lent = grant(&mut world, &dataset, &request, expires, None).unwrap();
    let decided = world.registry.request(&request.id).unwrap().unwrap();
    assert_eq!((decided.state, decided.grant), (RequestState::Granted, Some(lent.id)));
    assert_eq!(world.registry.grants_of(&lent.dataset, &lent.organisation).unwrap(), [lent]);
    assert!(matches!(grant(&mut world, &dataset, &request, expires, None), Err(ChangeError::State { .. })));
    let refuse = Refuse { reason: "no".parse().unwrap() };
    let target = Asked { request: request.clone(), dataset: dataset.clone() };
    assert!(matches!(world.run("claire", target, refuse.clone()), Err(ChangeError::State { .. })));
    let second = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    let target = Asked { request: second, dataset };
    assert!(matches!(world.run("colin", target.clone(), refuse.clone()), Err(ChangeError::NotSteward)));
    assert_eq!(world.run("claire", target, refuse).unwrap().reason, "no");
}

#[test]
fn a_grant_rests_on_a_live_agreement_where_one_is_demanded() {
    let mut world = World::peopled();
    let mut described = description("capteurs", Level::QuasiSensitive);
    described.agreement_required = true;
    let dataset = world.run("claire", Gateway, RegisterDataset { description: described }).unwrap();
    let dataset = world.run("claire", dataset, PublishDataset).unwrap();
    world.dataset("other", Level::QuasiSensitive);
    let request = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    for (id, organisation, covered) in
        [("fits", "voltaic-sas", "capteurs"), ("theirs", "ville", "capteurs"), ("elsewhere", "voltaic-sas", "other")]
    {
        let added = agreement(&world, id, organisation, covered);
        world.run("claire", Gateway, added.clone()).unwrap();
        assert!(matches!(world.run("claire", Gateway, added), Err(ChangeError::Taken(_))));
    }
    let stranger = agreement(&world, "stranger", "nobody", "capteurs");
    assert!(matches!(world.run("claire", Gateway, stranger), Err(ChangeError::Absent(Subject::Organisation))));
    let expires = later(&world, YEAR + YEAR / 2);
    assert!(matches!(grant(&mut world, &dataset, &request, expires, None), Err(ChangeError::AgreementRequired)));
    for (id, why) in [
        ("absent", UnfitAgreement::Absent),
        ("theirs", UnfitAgreement::OtherOrganisation),
        ("elsewhere", UnfitAgreement::OtherDataset),
    ] {
        let refused = grant(&mut world, &dataset, &request, expires, Some(id));
        assert!(matches!(refused, Err(ChangeError::AgreementUnfit(found)) if found == why), "{id}");
    }
    assert!(grant(&mut world, &dataset, &request, expires, Some("fits")).is_ok());
    world.clock.advance(YEAR);
    let second = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    let refused = grant(&mut world, &dataset, &second, expires, Some("fits"));
    assert!(matches!(refused, Err(ChangeError::AgreementUnfit(UnfitAgreement::ReviewDue))));
}

#[test]
fn objects_are_stored_by_the_steward_and_under_a_live_grant() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::QuasiSensitive);
    let lent = |grant: Option<&octroi_proto::Grant>| Lent { dataset: dataset.clone(), grant: grant.cloned() };
    assert!(matches!(world.run("volta", lent(None), object("a", 1)), Err(ChangeError::NotLent)));
    let expires = later(&world, YEAR);
    let request = ask(&mut world, &dataset, vec![GrantAction::Fetch]).unwrap();
    let fetch = grant(&mut world, &dataset, &request, expires, None).unwrap();
    assert!(matches!(world.run("volta", lent(Some(&fetch)), object("a", 1)), Err(ChangeError::NotLent)));
    let request = ask(&mut world, &dataset, vec![GrantAction::Store]).unwrap();
    let store = grant(&mut world, &dataset, &request, expires, None).unwrap();
    world.run("volta", lent(Some(&store)), object("a", 1)).unwrap();
    assert!(matches!(world.run("rene", lent(Some(&store)), object("b", 2)), Err(ChangeError::NotLent)));
    let target = Granted { grant: store.clone(), dataset: dataset.clone() };
    world.run("claire", target.clone(), RevokeGrant).unwrap();
    assert!(matches!(world.run("claire", target, RevokeGrant), Err(ChangeError::State { .. })));
    assert!(matches!(world.run("volta", lent(Some(&store)), object("a", 1)), Err(ChangeError::NotLent)));
    assert!(world.run("claire", lent(None), object("c", 3)).is_ok());
    world.run("claire", dataset.clone(), RaiseLevel { level: Level::Sensitive }).unwrap();
    assert!(matches!(world.run("claire", lent(None), object("d", 4)), Err(ChangeError::LevelUnfit { .. })));
    let remove = RemoveObject { key: "a".parse().unwrap(), precondition: Precondition::None };
    assert!(world.run("claire", lent(None), remove).is_ok(), "what is there can still be destroyed");
}

/// The attack: a vendor lent a dataset for storing puts its own bytes in the place of the steward's or another vendor's.
#[test]
fn a_vendor_replaces_what_its_own_organisation_stored_alone() {
    let mut world = World::peopled();
    world.approved("vito", "voltaic-sas", Role::Vendor);
    world.approved("rival", "rival-sas", Role::Vendor);
    let dataset = published(&mut world, "capteurs", Level::QuasiSensitive);
    let expires = later(&world, YEAR);
    let [ours, theirs] = ["volta", "rival"].map(|who| {
        let change = RequestAccess { purpose: "network planning".parse().unwrap(), actions: vec![GrantAction::Store] };
        let request = world.run(who, dataset.clone(), change).unwrap();
        let grant = grant(&mut world, &dataset, &request, expires, None).unwrap();
        Lent { dataset: dataset.clone(), grant: Some(grant) }
    });
    let own = Lent { dataset, grant: None };
    let made = world.run("volta", ours.clone(), object("a", 1)).unwrap().object;
    assert_eq!((made.version, made.stored_by.as_str()), (1, "voltaic-sas"));
    assert_eq!(world.run("vito", ours.clone(), object("a", 1)).unwrap().object.version, 2, "a colleague's");
    world.run("claire", own.clone(), object("b", 2)).unwrap();
    for precondition in [Precondition::None, Precondition::Version(1), Precondition::Version(7), Precondition::Absent] {
        for (who, lent, key, uuid) in [("volta", &ours, "b", 2), ("rival", &theirs, "a", 1), ("rival", &theirs, "a", 9)]
        {
            let refused = world.run(who, lent.clone(), CommitObject { precondition, ..object(key, uuid) }).unwrap_err();
            assert!(matches!(refused, ChangeError::StoredByAnother), "{who} {key} {precondition:?}: {refused}");
            assert_eq!(refused.kind(), RefusalKind::Denied);
        }
    }
    // Nor by removing it first.
    for (who, lent, key) in [("volta", &ours, "b"), ("rival", &theirs, "a"), ("volta", &ours, "a")] {
        let remove = RemoveObject { key: key.parse().unwrap(), precondition: Precondition::None };
        assert!(matches!(world.run(who, lent.clone(), remove), Err(ChangeError::NotSteward)), "{who} {key}");
    }
    let taken = world.run("claire", own, object("a", 1)).unwrap().object;
    assert_eq!((taken.version, taken.stored_by.as_str()), (3, "ville"));
    assert!(matches!(world.run("volta", ours, object("a", 1)), Err(ChangeError::StoredByAnother)));
    assert_eq!(world.registry.object(&taken.at.dataset, &taken.key).unwrap(), Some(taken));
}

#[test]
fn an_expired_grant_stores_nothing() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::QuasiSensitive);
    let request = ask(&mut world, &dataset, vec![GrantAction::Store]).unwrap();
    let expires = later(&world, Duration::from_secs(60));
    let grant = grant(&mut world, &dataset, &request, expires, None).unwrap();
    let lent = Lent { dataset, grant: Some(grant) };
    world.clock.advance(Duration::from_secs(59));
    world.run("volta", lent.clone(), object("a", 1)).unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert!(matches!(world.run("volta", lent, object("a", 1)), Err(ChangeError::NotLent)));
}

#[test]
fn versions_count_and_preconditions_hold() {
    let mut world = World::peopled();
    let dataset = world.dataset("capteurs", Level::Public);
    let lent = Lent { dataset, grant: None };
    let first = world.run("claire", lent.clone(), object("a", 1)).unwrap();
    assert_eq!((first.object.version, first.replaced), (1, None));
    let second = world
        .run("claire", lent.clone(), CommitObject { precondition: Precondition::Version(1), ..object("a", 1) })
        .unwrap();
    assert_eq!((second.object.version, second.replaced), (2, Some(first.object)));
    let refused = world.run("claire", lent.clone(), object("a", 2));
    assert!(matches!(refused, Err(ChangeError::Superseded)), "an object keeps its identity");
    for change in [
        CommitObject { precondition: Precondition::Version(1), ..object("a", 1) },
        CommitObject { precondition: Precondition::Absent, ..object("a", 1) },
        CommitObject { precondition: Precondition::Version(1), ..object("new", 9) },
    ] {
        assert!(matches!(world.run("claire", lent.clone(), change), Err(ChangeError::Version { .. })));
    }
    let remove = |precondition| RemoveObject { key: "a".parse().unwrap(), precondition };
    assert!(matches!(
        world.run("claire", lent.clone(), remove(Precondition::Version(1))),
        Err(ChangeError::Version { .. })
    ));
    assert_eq!(world.run("claire", lent.clone(), remove(Precondition::Version(2))).unwrap(), second.object);
    assert!(matches!(world.run("claire", lent, remove(Precondition::None)), Err(ChangeError::Absent(Subject::Object))));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Publish,
    Withdraw,
    Raise(Level),
    Describe(Level),
}

fn step() -> impl Strategy<Value = Step> {
    let level = || prop::sample::select(Level::ALL);
    prop_oneof![
        Just(Step::Publish),
        Just(Step::Withdraw),
        level().prop_map(Step::Raise),
        level().prop_map(Step::Describe),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against the rules written a second time, as a table.
    #[test]
    fn a_dataset_lives_by_its_rules(start in prop::sample::select(Level::ALL), steps in prop::collection::vec(step(), 0..12)) {
        let mut world = World::peopled();
        let first = world.dataset("capteurs", start);
        let (mut state, mut level, mut revision) = (DatasetState::Draft, start, 1);
        for step in steps {
            let target = first.clone();
            let (allowed, made) = match step {
                Step::Publish => (state != DatasetState::Published, world.run("claire", target, PublishDataset)),
                Step::Withdraw => (state == DatasetState::Published, world.run("claire", target, WithdrawDataset)),
                Step::Raise(to) => (to > level, world.run("claire", target, RaiseLevel { level: to })),
                Step::Describe(to) => {
                    let change = DescribeDataset { description: description("capteurs", to), revision: None };
                    (to >= level, world.run("claire", target, change))
                }
            };
            prop_assert_eq!(made.is_ok(), allowed, "{:?} at {:?} {:?}: {:?}", step, state, level, made.err());
            if allowed {
                revision += 1;
                match step {
                    Step::Publish => state = DatasetState::Published,
                    Step::Withdraw => state = DatasetState::Withdrawn,
                    Step::Raise(to) | Step::Describe(to) => level = to,
                }
            }
            let found = world.registry.dataset(&first.description.id).unwrap().unwrap();
            prop_assert_eq!((found.state, found.description.level, found.revision), (state, level, revision));
        }
    }

    /// Whatever is revoked in whatever order, a steward stays, and nothing else is refused for its sake.
    #[test]
    fn there_is_always_an_active_steward(order in prop::collection::vec(0..6_usize, 0..8)) {
        const HOMES: [(&str, &str); 3] = [("claire", "ville"), ("colin", "ville"), ("diane", "agglo")];
        let mut world = World::peopled();
        world.approved("diane", "agglo", Role::Steward);
        // Of nobody's organisation but its own, to revoke all others.
        world.approved("olive", "machines", Role::Operator);
        let mut active = HOMES.to_vec();
        for step in order {
            let mut left = active.clone();
            let result = match (HOMES.get(step), step) {
                (Some((name, _)), _) => {
                    left.retain(|(steward, _)| steward != name);
                    world.run("olive", world.principal(name), RevokePrincipal).map(drop)
                }
                (None, step) => {
                    let id = ["ville", "agglo", "voltaic-sas"][step - HOMES.len()];
                    left.retain(|(_, home)| *home != id);
                    world.run("olive", Gateway, RevokeOrganisation { id: id.parse().unwrap() }).map(drop)
                }
            };
            let last = left.is_empty() && left != active;
            prop_assert_eq!(matches!(result, Err(ChangeError::LastSteward)), last, "{:?}: {:?}", step, result);
            if !last {
                active = left;
            }
            prop_assert!(!active.is_empty());
            for (name, _) in HOMES {
                let stands = active.iter().any(|(steward, _)| *steward == name);
                prop_assert_eq!(world.principal(name).state == PrincipalState::Active, stands, "{}", name);
            }
        }
    }

    /// Active exactly when a steward and another person approved.
    #[test]
    fn approvals_count_people(order in prop::collection::vec(prop::sample::select(vec!["opal", "rene", "claire", "colin"]), 0..8)) {
        let mut world = World::peopled();
        let waiting = world.add("opal", "vera", "firm", Role::Vendor).unwrap();
        let mut approved = std::collections::BTreeSet::new();
        let done = |approved: &std::collections::BTreeSet<&str>| {
            approved.len() >= 2 && (approved.contains("claire") || approved.contains("colin"))
        };
        for who in order {
            let allowed = !done(&approved) && !approved.contains(who);
            prop_assert_eq!(world.run(who, waiting.clone(), ApprovePrincipal).is_ok(), allowed);
            if allowed {
                approved.insert(who);
            }
            prop_assert_eq!(world.principal("vera").state == PrincipalState::Active, done(&approved));
        }
    }
}

#[test]
fn every_change_is_an_entry_that_says_who_and_under_which_policies() {
    let mut world = World::peopled();
    let dataset = published(&mut world, "capteurs", Level::Public);
    let log = world.registry.log();
    let last = log.entries(log.len() - 1, 1).unwrap().entries.remove(0);
    assert_eq!((last.action.as_str(), last.policies.as_slice()), ("PublishDataset", &["test".to_owned()][..]));
    assert_eq!(last.actor.unwrap().principal, "claire");
    assert_eq!(last.record, Some(Record::Dataset((&dataset).into())));
}
