//! The shipped policies against the rules in plain Rust, and the gate against a register in memory.

pub(crate) mod fixture;
mod memory;
mod properties;
mod reference;
mod table;

use std::{path::PathBuf, sync::Arc, time::Duration};

use octroi_proto::{DatasetState, GrantAction, Level, Role, Visibility};

use self::{
    fixture::{EPOCH, caller, dataset, grant, principal},
    memory::{Memory, Touch},
};
use super::*;
use crate::{authenticate::Caller, clock::ManualClock};

pub(super) fn shipped() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/policy"))
}

struct House {
    register: Memory,
    clock: Arc<ManualClock>,
    gate: Gate<Memory>,
}

impl House {
    fn new() -> Self {
        let register = Memory::default();
        let clock = ManualClock::at(EPOCH);
        let gate = Gate::load(&shipped(), register.clone(), Arc::<ManualClock>::clone(&clock)).unwrap();
        Self { register, clock, gate }
    }

    fn enter(&self, name: &str, organisation: &str, role: Role) -> Caller {
        let principal = principal(name, organisation, role);
        self.register.put_principal(principal.clone());
        caller(principal, EPOCH + 1_000_000)
    }

    /// A published quasi-sensitive dataset of claire's, lent to volt-sas for fetching until EPOCH + 3,600.
    fn lend(&self) -> Caller {
        self.register.put_dataset(dataset("capteurs", Level::QuasiSensitive, DatasetState::Published));
        self.register.put_grant(grant(1, "capteurs", "volt-sas", &[GrantAction::Fetch], EPOCH + 3_600));
        self.enter("volta", "volt-sas", Role::Vendor)
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

#[test]
fn every_action_has_a_policy_of_its_own() {
    let policies = policy::Policies::load(&shipped()).unwrap();
    for action in ACTIONS {
        assert!(policies.permits_naming(action) > 0, "{action}");
    }
}

#[test]
fn a_vendor_fetches_under_a_grant_until_it_ends() {
    let house = House::new();
    let vendor = house.lend();
    let mut permit = house.gate.permit::<FetchObject>(&vendor, &id("capteurs")).unwrap();
    assert_eq!(permit.until().unwrap().as_second(), EPOCH + 3_600);
    assert_eq!(permit.decided().policies, ["grants-lend-for-fetching"]);
    assert_eq!(permit.decided().actor.principal, "volta");
    assert!(permit.target().grant.is_some());
    house.clock.advance(Duration::from_secs(3_599));
    house.gate.renew(&mut permit).unwrap();
    house.clock.advance(Duration::from_secs(1));
    let denied = house.gate.renew(&mut permit).unwrap_err();
    assert_eq!(denied.kind, DeniedKind::Forbidden);
    assert_eq!(denied.decided.policies, ["only-live-grants-lend"]);
    assert_eq!(denied.dataset, Some(id("capteurs")));
}

#[test]
fn revocations_reach_permits_at_the_next_renewal() {
    type Blow = fn(&House);
    let blows: &[(Blow, DeniedKind)] = &[
        (
            |house| {
                let revoked = grant(1, "capteurs", "volt-sas", &[GrantAction::Fetch], EPOCH + 3_600);
                house.register.put_grant(octroi_proto::Grant { revoked: Some(revoked.granted), ..revoked });
            },
            DeniedKind::Forbidden,
        ),
        (
            |house| {
                let volta = principal("volta", "volt-sas", Role::Vendor);
                house
                    .register
                    .put_principal(octroi_proto::Principal { state: octroi_proto::PrincipalState::Revoked, ..volta });
            },
            DeniedKind::Unauthenticated,
        ),
        (|house| house.register.revoke_organisation("volt-sas"), DeniedKind::Unauthenticated),
        (
            |house| {
                house.register.put_dataset(dataset("capteurs", Level::QuasiSensitive, DatasetState::Withdrawn));
            },
            DeniedKind::NotFound,
        ),
        (
            |house| {
                let mut raised = dataset("capteurs", Level::Sensitive, DatasetState::Published);
                raised.description.visibility = Visibility::Public;
                house.register.put_dataset(raised);
            },
            DeniedKind::Forbidden,
        ),
        (|house| house.register.fail(), DeniedKind::Unavailable),
    ];
    for (blow, kind) in blows {
        let house = House::new();
        let vendor = house.lend();
        let mut permit = house.gate.permit::<FetchObject>(&vendor, &id("capteurs")).unwrap();
        blow(&house);
        assert_eq!(house.gate.renew(&mut permit).unwrap_err().kind, *kind);
    }
}

#[test]
fn renewing_keeps_the_reason_and_takes_up_what_changed() {
    let house = House::new();
    let claire = house.enter("claire", "metropole", Role::Steward);
    house.register.put_dataset(dataset("capteurs", Level::Public, DatasetState::Published));
    let mut permit =
        house.gate.permit::<WithdrawDataset>(&claire, &id("capteurs")).unwrap().because(id("errors were found"));
    let mut changed = dataset("capteurs", Level::Public, DatasetState::Published);
    changed.revision = 9;
    house.register.put_dataset(changed);
    house.gate.renew(&mut permit).unwrap();
    assert_eq!(permit.target().revision, 9);
    assert_eq!(permit.decided().reason, Some(id("errors were found")));
}

#[test]
fn past_its_review_an_agreement_carries_no_grant() {
    let house = House::new();
    let vendor = house.lend();
    let mut lent = grant(1, "capteurs", "volt-sas", &[GrantAction::Fetch], EPOCH + 3_600);
    lent.agreement = Some(id("conv-2026"));
    house.register.put_grant(lent);
    assert!(house.gate.permit::<FetchObject>(&vendor, &id("capteurs")).is_err(), "the agreement is not there");
    house.register.put_agreement(fixture::agreement("conv-2026", "volt-sas", "capteurs", EPOCH + 60));
    let mut permit = house.gate.permit::<FetchObject>(&vendor, &id("capteurs")).unwrap();
    assert_eq!(permit.until().unwrap().as_second(), EPOCH + 60);
    house.clock.advance(Duration::from_secs(60));
    let denied = house.gate.renew(&mut permit).unwrap_err();
    assert_eq!(denied.decided.policies, ["only-live-agreements-carry-grants"]);
}

#[test]
fn among_several_grants_one_that_serves_is_found() {
    let house = House::new();
    let vendor = house.lend();
    house.register.put_grant(grant(2, "capteurs", "volt-sas", &[GrantAction::Store], EPOCH + 9_000));
    let mut dead = grant(3, "capteurs", "volt-sas", &[GrantAction::Fetch], EPOCH + 9_000);
    dead.agreement = Some(id("gone-agreement"));
    house.register.put_grant(dead);
    let fetch = house.gate.permit::<FetchObject>(&vendor, &id("capteurs")).unwrap();
    assert_eq!(fetch.target().grant.as_ref().unwrap().id, fixture::grant_id(1));
    let store = house.gate.permit::<StoreObject>(&vendor, &id("capteurs")).unwrap();
    assert_eq!(store.target().grant.as_ref().unwrap().id, fixture::grant_id(2));
}

#[test]
fn the_grant_that_is_for_the_purpose_is_found_and_only_while_it_lives() {
    let house = House::new();
    let open = fixture::visible(dataset("menages", Level::Sensitive, DatasetState::Published), Visibility::Members);
    house.register.put_dataset(open);
    let lend = |number, purpose: &str, expires| octroi_proto::Grant {
        purpose: id(purpose),
        ..grant(number, "menages", "universite", &[GrantAction::Ask], expires)
    };
    house.register.put_grant(lend(1, "mobility study", EPOCH + 9_000));
    house.register.put_grant(lend(2, "health study", EPOCH + 100));
    let researcher = house.enter("rania", "universite", Role::Researcher);
    let mut permit = house.gate.permit::<AskDataset>(&researcher, &id("menages")).unwrap();
    let mut found = |purpose: &str| house.gate.grant_for(&mut permit, &id(purpose)).unwrap().map(|grant| grant.id);
    assert_eq!(found("mobility study"), Some(fixture::grant_id(1)));
    assert_eq!(found("health study"), Some(fixture::grant_id(2)));
    assert_eq!(found("marketing"), None);
    house.clock.advance(Duration::from_secs(100));
    assert_eq!(found("health study"), None, "the permit rests on another grant, which is for something else");
    let revoked = lend(1, "mobility study", EPOCH + 9_000);
    house.register.put_grant(octroi_proto::Grant { revoked: Some(revoked.granted), ..revoked });
    assert!(house.gate.grant_for(&mut permit, &id("mobility study")).is_err());
}

#[test]
fn a_researcher_asks_under_a_grant_and_takes_nothing() {
    let house = House::new();
    let known = fixture::visible(dataset("menages", Level::Sensitive, DatasetState::Published), Visibility::Members);
    house.register.put_dataset(known.clone());
    house.register.put_grant(grant(1, "menages", "universite", GrantAction::ALL, EPOCH + 3_600));
    let menages = id("menages");
    let researcher = house.enter("ada", "universite", Role::Researcher);
    let mut permit = house.gate.permit::<AskDataset>(&researcher, &menages).unwrap();
    assert_eq!(permit.decided().policies, ["grants-lend-for-asking"]);
    assert_eq!(permit.until().unwrap().as_second(), EPOCH + 3_600);
    assert!(house.gate.permit::<ReadSchema>(&researcher, &menages).is_ok());
    assert!(house.gate.permit::<FetchObject>(&researcher, &menages).is_err());
    assert!(house.gate.permit::<ListObjects>(&researcher, &menages).is_err());
    assert!(house.gate.permit::<LoadTable>(&researcher, &menages).is_err());
    // A colleague in another role, even one who runs or audits the gateway, asks nothing.
    for role in Role::ALL.iter().filter(|role| **role != Role::Researcher) {
        let other = house.enter(&format!("other-{}", role.as_str()), "universite", *role);
        assert_eq!(
            house.gate.permit::<AskDataset>(&other, &menages).unwrap_err().kind,
            DeniedKind::Forbidden,
            "{role}"
        );
    }
    house.register.put_dataset(fixture::visible(known, Visibility::Hidden));
    assert_eq!(house.gate.renew(&mut permit).unwrap_err().kind, DeniedKind::NotFound);
}

#[test]
fn strangers_are_told_when_a_credential_would_help() {
    let house = House::new();
    house.lend();
    let mut asked_only = dataset("menages", Level::Sensitive, DatasetState::Published);
    asked_only.description.visibility = Visibility::Public;
    house.register.put_dataset(asked_only);
    let anonymous = Caller::Anonymous;
    let kind = |denied: Denied| denied.kind;
    let gate = &house.gate;
    assert_eq!(
        gate.permit::<FetchObject>(&anonymous, &id("capteurs")).map_err(kind).unwrap_err(),
        DeniedKind::Unauthenticated
    );
    assert_eq!(
        gate.permit::<RequestAccess>(&anonymous, &id("capteurs")).map_err(kind).unwrap_err(),
        DeniedKind::Unauthenticated
    );
    assert_eq!(
        gate.permit::<FetchObject>(&anonymous, &id("menages")).map_err(kind).unwrap_err(),
        DeniedKind::Forbidden
    );
    assert_eq!(gate.permit::<RegisterDataset>(&anonymous, &()).map_err(kind).unwrap_err(), DeniedKind::Unauthenticated);
    assert_eq!(
        gate.permit::<ApprovePrincipal>(&anonymous, &id("volta")).map_err(kind).unwrap_err(),
        DeniedKind::Unauthenticated
    );
}

#[test]
fn operators_take_away_what_they_cannot_see() {
    let house = House::new();
    let operator = house.enter("opal", "metropole", Role::Operator);
    house.register.put_dataset(dataset("menages", Level::Sensitive, DatasetState::Published));
    let hidden = id("menages");
    let permit = house.gate.permit::<WithdrawDataset>(&operator, &hidden).unwrap();
    assert_eq!(permit.decided().policies, ["operators-withdraw-and-raise"]);
    assert!(house.gate.permit::<RaiseLevel>(&operator, &hidden).is_ok());
    assert!(house.gate.may_see(&operator, permit.target()).is_none());
    let kind = |denied: Denied| denied.kind;
    for (refused, absent) in [
        (
            house.gate.permit::<ReadMetadata>(&operator, &hidden).map(drop).map_err(kind),
            house.gate.permit::<WithdrawDataset>(&operator, &id("nothing")).map(drop).map_err(kind),
        ),
        (
            house.gate.permit::<PublishDataset>(&operator, &hidden).map(drop).map_err(kind),
            house.gate.permit::<DescribeDataset>(&operator, &hidden).map(drop).map_err(kind),
        ),
    ] {
        assert_eq!((refused, absent), (Err(DeniedKind::NotFound), Err(DeniedKind::NotFound)));
    }
}

#[test]
fn requests_and_grants_are_listed_to_members_alone() {
    let house = House::new();
    for (number, role) in Role::ALL.iter().enumerate() {
        let member = house.enter(&format!("member-{number}"), "volt-sas", *role);
        assert!(house.gate.permit::<ListAccess>(&member, &()).is_ok(), "{role:?}");
    }
    let refused = house.gate.permit::<ListAccess>(&Caller::Anonymous, &()).unwrap_err();
    assert_eq!(refused.kind, DeniedKind::Unauthenticated);
    let vendor = house.enter("volta", "volt-sas", Role::Vendor);
    house.register.revoke_organisation("volt-sas");
    assert_eq!(house.gate.permit::<ListAccess>(&vendor, &()).unwrap_err().kind, DeniedKind::Unauthenticated);
}

#[test]
fn names_of_principals_are_no_oracle() {
    let house = House::new();
    let vendor = house.lend();
    let claire = house.enter("claire", "metropole", Role::Steward);
    let kind = |caller, name| house.gate.permit::<ApprovePrincipal>(caller, &id(name)).map(drop).map_err(|it| it.kind);
    assert_eq!(kind(&vendor, "claire"), Err(DeniedKind::Forbidden));
    assert_eq!(kind(&vendor, "nobody"), Err(DeniedKind::Forbidden));
    assert_eq!(kind(&claire, "nobody"), Err(DeniedKind::NotFound));
    assert_eq!(kind(&claire, "claire"), Err(DeniedKind::Forbidden), "nobody approves themselves");
    assert_eq!(kind(&claire, "volta"), Ok(()));
}

#[test]
fn links_are_published_for_what_strangers_may_fetch_alone() {
    let house = House::new();
    let open = dataset("velos", Level::Public, DatasetState::Published);
    let lent = dataset("capteurs", Level::QuasiSensitive, DatasetState::Published);
    let hidden = dataset("menages", Level::Sensitive, DatasetState::Published);
    let draft = dataset("brouillon", Level::Public, DatasetState::Draft);
    assert!(house.gate.may_see(&Caller::Anonymous, &open).unwrap().open());
    assert!(!house.gate.may_see(&Caller::Anonymous, &lent).unwrap().open());
    assert!(house.gate.may_see(&Caller::Anonymous, &hidden).is_none());
    assert!(house.gate.may_see(&Caller::Anonymous, &draft).is_none());
}

#[tokio::test]
async fn a_change_waits_for_its_turn_and_is_checked_at_each() {
    let house = House::new();
    let claire = house.enter("claire", "metropole", Role::Steward);
    let permit = house.gate.permit::<RegisterDataset>(&claire, &()).unwrap();
    house.register.put_dataset(dataset("autre", Level::Public, DatasetState::Draft));
    assert_eq!(house.gate.commit(permit, Touch::default()).await.unwrap(), house.register.epoch());

    let permit = house.gate.permit::<RegisterDataset>(&claire, &()).unwrap();
    assert!(matches!(house.gate.commit(permit, Touch { lose: 10_000 }).await, Err(NotCommitted::Busy)));

    let permit = house.gate.permit::<RegisterDataset>(&claire, &()).unwrap();
    house.register.revoke_organisation("metropole");
    let refused = house.gate.commit(permit, Touch::default()).await;
    assert!(matches!(refused, Err(NotCommitted::Denied(denied)) if denied.kind == DeniedKind::Unauthenticated));
}

mod loading {
    use std::fs;

    use super::*;

    fn load(change: impl FnOnce(&std::path::Path)) -> Result<[u8; 32], PolicyError> {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(shipped()).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
        }
        change(folder.path());
        Gate::load(folder.path(), Memory::default(), ManualClock::at(EPOCH)).map(|gate| gate.policies_sha256())
    }

    fn with(name: &'static str, text: &'static str) -> impl FnOnce(&std::path::Path) {
        move |folder| fs::write(folder.join(name), text).unwrap()
    }

    #[test]
    fn the_digest_follows_the_policies() {
        let shipped = load(|_| ()).unwrap();
        assert_eq!(shipped, load(|_| ()).unwrap());
        assert_ne!(shipped, load(with("x.cedar", r#"@id("x") forbid (principal, action, resource);"#)).unwrap());
        assert_eq!(shipped, load(with(".x.cedar.swp", "")).unwrap());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        use PolicyError::*;
        assert!(matches!(load(with("x.ceddar", "")), Err(Stray { .. })));
        assert!(matches!(load(with("x.cedar", "permit (principal")), Err(Syntax { .. })));
        assert!(matches!(load(with("x.cedar", "permit (principal, action, resource);")), Err(Nameless { .. })));
        assert!(matches!(
            load(with("x.cedar", r#"@id("anyone-probes") permit (principal, action, resource);"#)),
            Err(Twice(id)) if id == "anyone-probes"
        ));
        assert!(matches!(
            load(with("x.cedar", r#"@id("x") permit (principal == ?principal, action, resource);"#)),
            Err(Syntax { .. })
        ));
        let misspelt = r#"@id("x") permit (principal in Role::"stewart", action == Action::"Probe", resource);"#;
        assert!(matches!(load(with("x.cedar", misspelt)), Err(Unfit(_))));
        assert!(matches!(load(with("octroi.cedarschema", "entity")), Err(Schema { .. })));
        assert!(matches!(load(with("octroi.cedarschema", "action Probe, Steal;")), Err(Actions { .. })));
        assert!(matches!(load(|folder| fs::remove_dir_all(folder).unwrap()), Err(Unreadable { .. })));
        assert!(matches!(
            load(|folder| fs::remove_file(folder.join("octroi.cedarschema")).unwrap()),
            Err(Schema { .. })
        ));
    }
}
