//! Every role, level, state and visibility against every action, by the reference.

use octroi_proto::{DatasetState, GrantAction, Level, PrincipalState, Role, Visibility};

use super::{
    fixture::{self, EPOCH},
    properties::Stage,
    reference::World,
};
use crate::authorise::*;

#[test]
fn every_combination_is_decided_by_the_rules() {
    let roles = Role::ALL.iter().copied().map(Some).chain([None]);
    let stage = Stage::new();
    for role in roles {
        for (own, lent) in [(false, false), (true, false), (false, true)] {
            for level in Level::ALL {
                for state in DatasetState::ALL {
                    for visibility in Visibility::ALL {
                        if *level != Level::Sensitive && *visibility != Visibility::Public {
                            continue;
                        }
                        let world = world(role, own, lent, *level, *state, *visibility);
                        stage.set(&world);
                        for action in ACTIONS {
                            assert_eq!(
                                stage.decide(action, &world).is_ok(),
                                world.allows(action),
                                "{action} in {world:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

fn world(
    role: Option<Role>,
    own: bool,
    lent: bool,
    level: Level,
    state: DatasetState,
    visibility: Visibility,
) -> World {
    let name = if own { "claire" } else { "volta" };
    let caller = role.map(|role| {
        let principal = fixture::principal(name, "volt-sas", role);
        (principal, fixture::organisation("volt-sas", false), fixture::at(EPOCH + 500))
    });
    let holder = if lent { "volt-sas" } else { "autre-sas" };
    let actions = [GrantAction::Fetch, GrantAction::Store, GrantAction::Ask];
    let mut other = fixture::principal("martin", "metropole", Role::Vendor);
    other.state = PrincipalState::Waiting;
    World {
        now: fixture::at(EPOCH),
        caller,
        dataset: fixture::visible(fixture::dataset("capteurs", level, state), visibility),
        grants: vec![(fixture::grant(1, "capteurs", holder, &actions, EPOCH + 60), None)],
        request: super::properties::request("capteurs", holder),
        other,
    }
}
