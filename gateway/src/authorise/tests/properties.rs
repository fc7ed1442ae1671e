//! Random callers, datasets, grants, agreements and times: the gate says what the reference says.

use octroi_proto::{
    AccessRequest, Agreement, DatasetState, Grant, GrantAction, Level, Organisation, PrincipalState, RequestId,
    RequestState, Role, Visibility,
};
use proptest::{collection::vec, option, prelude::*, sample::select, sample::subsequence};
use uuid::Uuid;

use super::{
    House,
    fixture::{self, EPOCH, at},
    reference::World,
};
use crate::{authenticate::Caller, authorise::*};

/// A gate whose register is set to one world after another. It is always [`EPOCH`] there: what moves is the rest.
pub(super) struct Stage(House);

impl Stage {
    pub(super) fn new() -> Self {
        Self(House::new())
    }

    pub(super) fn set(&self, world: &World) {
        let register = &self.0.register;
        register.clear();
        if let Some((principal, organisation, _)) = &world.caller {
            register.put_organisation(organisation.clone());
            register.put_principal(principal.clone());
        }
        register.put_principal(world.other.clone());
        register.put_dataset(world.dataset.clone());
        register.put_request(world.request.clone());
        for (grant, agreement) in &world.grants {
            register.put_grant(grant.clone());
            if let Some(agreement) = agreement {
                register.put_agreement(agreement.clone());
            }
        }
    }

    pub(super) fn decide(&self, action: &str, world: &World) -> Result<Option<octroi_proto::Instant>, Denied> {
        let gate = &self.0.gate;
        let caller = match &world.caller {
            None => Caller::Anonymous,
            // Authentication saw it active: what the register says now is what counts.
            Some((principal, _, until)) => {
                let active = octroi_proto::Principal { state: PrincipalState::Active, ..principal.clone() };
                fixture::caller(active, until.as_second())
            }
        };
        let dataset = || world.dataset.description.id.clone();
        let other = || world.other.name.clone();
        macro_rules! dispatch {
            ($($name:ident($key:expr)),+ $(,)?) => {
                match action {
                    $(stringify!($name) => gate.permit::<$name>(&caller, &$key).map(|permit| permit.until()),)+
                    unknown => panic!("{unknown}"),
                }
            };
        }
        dispatch! {
            ReadMetadata(dataset()), RegisterDataset(()), DescribeDataset(dataset()), PublishDataset(dataset()),
            WithdrawDataset(dataset()), RaiseLevel(dataset()), AddPrincipal(()), ApprovePrincipal(other()),
            RevokePrincipal(other()), RevokeOrganisation(()), ListPrincipals(()), AddAgreement(()),
            ListAgreements(()), ListAccess(()), RequestAccess(dataset()), ReadRequest(world.request.id),
            DecideRequest(world.request.id), ReadGrant(world.grants[0].0.id), RevokeGrant(world.grants[0].0.id),
            FetchObject(dataset()), ListObjects(dataset()), StoreObject(dataset()), DeleteObject(dataset()),
            DeclareSchema(dataset()), ReadSchema(dataset()), DeclarePolicy(dataset()), ReadPolicy(dataset()),
            LoadTable(dataset()), AskDataset(dataset()), ReadEvidence(()), ReadLog(()), Probe(()),
        }
    }
}

pub(super) fn request(dataset: &str, organisation: &str) -> AccessRequest {
    AccessRequest {
        id: RequestId::new(Uuid::from_bytes([9; 16])),
        dataset: dataset.parse().unwrap(),
        principal: "volta".parse().unwrap(),
        organisation: organisation.parse().unwrap(),
        purpose: "network planning".parse().unwrap(),
        actions: vec![GrantAction::Fetch],
        state: RequestState::Waiting,
        made: at(EPOCH - 60),
        decided_by: None,
        decided: None,
        reason: String::new(),
        grant: None,
    }
}

const ORGANISATIONS: [&str; 2] = ["volt-sas", "autre-sas"];
const NAMES: [&str; 3] = ["claire", "volta", "martin"];

fn organisations() -> impl Strategy<Value = &'static str> {
    select(&ORGANISATIONS[..])
}

/// Around now, and now itself: edges are where rules break.
fn moments() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(1), Just(-1), -100..100i64].prop_map(|offset| EPOCH + offset)
}

fn callers() -> impl Strategy<Value = Option<(octroi_proto::Principal, Organisation, octroi_proto::Instant)>> {
    let states = prop_oneof![4 => Just(PrincipalState::Active), 1 => select(PrincipalState::ALL)];
    let ends = prop_oneof![4 => Just(EPOCH + 500), 1 => moments()];
    let one = (select(&NAMES[..]), organisations(), select(Role::ALL), states, prop::bool::weighted(0.1), ends);
    option::weighted(0.9, one).prop_map(|one| {
        one.map(|(name, organisation, role, state, revoked, until)| {
            let principal = octroi_proto::Principal { state, ..fixture::principal(name, organisation, role) };
            (principal, fixture::organisation(organisation, revoked), at(until))
        })
    })
}

fn datasets() -> impl Strategy<Value = octroi_proto::Dataset> {
    let parts = (select(Level::ALL), select(DatasetState::ALL), select(Visibility::ALL), any::<bool>());
    parts.prop_map(|(level, state, visibility, agreement_required)| {
        let visibility = if level == Level::Sensitive { visibility } else { Visibility::Public };
        let mut dataset = fixture::visible(fixture::dataset("capteurs", level, state), visibility);
        dataset.description.agreement_required = agreement_required && level != Level::Public;
        dataset
    })
}

fn grants(number: u8) -> impl Strategy<Value = (Grant, Option<Agreement>)> {
    let actions = subsequence(GrantAction::ALL.to_vec(), 1..=3);
    let agreements = option::of((organisations(), moments(), any::<bool>(), prop::bool::weighted(0.9)));
    let parts = (organisations(), actions, moments(), prop::bool::weighted(0.2), agreements);
    parts.prop_map(move |(organisation, actions, expires, revoked, agreement)| {
        let mut grant = fixture::grant(number, "capteurs", organisation, &actions, expires);
        grant.revoked = revoked.then(|| at(EPOCH - 10));
        let id = format!("conv-{number}");
        let Some((party, due, covers, there)) = agreement else { return (grant, None) };
        grant.agreement = Some(id.parse().unwrap());
        let covered = if covers { "capteurs" } else { "autre-jeu" };
        (grant, there.then(|| fixture::agreement(&id, party, covered, due)))
    })
}

fn worlds() -> impl Strategy<Value = World> {
    let grants = (grants(1), grants(2), grants(3)).prop_map(|(one, two, three)| vec![one, two, three]);
    let grants = (grants, 1..=3usize).prop_map(|(grants, most)| grants.into_iter().take(most).collect());
    (callers(), datasets(), grants, organisations(), select(&NAMES[..])).prop_map(
        |(caller, dataset, grants, asking, other)| {
            let other = match &caller {
                Some((principal, _, _)) if principal.name.as_str() == other => principal.clone(),
                Some(_) | None => fixture::principal(other, "metropole", Role::Vendor),
            };
            World { now: at(EPOCH), caller, dataset, grants, request: request("capteurs", asking), other }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_gate_decides_by_the_rules(worlds in vec(worlds(), 6)) {
        let stage = STAGE.lock().unwrap();
        for world in &worlds {
            stage.set(world);
            for action in ACTIONS {
                let decided = stage.decide(action, world);
                prop_assert_eq!(decided.is_ok(), world.allows(action), "{} in {:?}", action, world);
                // A permit that ends does so in the future, and not after the credential.
                if let (Ok(until), Some((_, _, credential))) = (&decided, &world.caller) {
                    prop_assert!(until.is_some_and(|until| until > world.now && until <= *credential));
                }
                prop_assert!(decided.err().is_none_or(|denied| denied.kind != DeniedKind::Unavailable));
            }
        }
    }

    #[test]
    fn what_one_may_not_know_of_is_as_if_absent(world in worlds()) {
        let stage = STAGE.lock().unwrap();
        stage.set(&world);
        prop_assume!(!world.allows("ReadMetadata"));
        // Operators withdraw and raise what they cannot see; nobody does anything else to it.
        let (blind, refused): (Vec<_>, Vec<_>) = ON_DATASETS.iter().partition(|action| world.allows(action));
        prop_assert!(blind.iter().all(|action| ["WithdrawDataset", "RaiseLevel"].contains(action)), "{:?}", blind);
        let known: Vec<_> = refused.iter().map(|action| told(stage.decide(action, &world))).collect();
        stage.0.register.remove_dataset(&world.dataset.description.id);
        let absent: Vec<_> = refused.iter().map(|action| told(stage.decide(action, &world))).collect();
        prop_assert_eq!(known, absent);
    }
}

fn told(
    decided: Result<Option<octroi_proto::Instant>, Denied>,
) -> (DeniedKind, String, Option<octroi_proto::DatasetId>) {
    let denied = decided.unwrap_err();
    (denied.kind, denied.to_string(), denied.dataset)
}

/// One for all cases: parsing and validating the policies takes longer than asking them.
static STAGE: std::sync::LazyLock<std::sync::Mutex<Stage>> =
    std::sync::LazyLock::new(|| std::sync::Mutex::new(Stage::new()));

const ON_DATASETS: &[&str] = &[
    "ReadMetadata",
    "DescribeDataset",
    "PublishDataset",
    "WithdrawDataset",
    "RaiseLevel",
    "RequestAccess",
    "FetchObject",
    "ListObjects",
    "StoreObject",
    "DeleteObject",
    "DeclareSchema",
    "ReadSchema",
    "DeclarePolicy",
    "ReadPolicy",
    "LoadTable",
    "AskDataset",
];
