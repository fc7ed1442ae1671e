use std::time::Duration;

use octroi_proto::{Dataset, Level, Visibility};

use crate::{
    clock::Clock as _,
    registry::{
        FeedState, Listing,
        change::{CommitObject, DescribeDataset, PublishDataset, RaiseLevel, WithdrawDataset},
        offline::check,
        tests::{World, lent, object},
    },
};

fn publish(world: &mut World, id: &str, level: Level) -> Dataset {
    let dataset = world.dataset(id, level);
    world.run("claire", dataset, PublishDataset).unwrap()
}

fn listing(world: &World, id: &str) -> Option<Listing> {
    world.registry.listing(&id.parse().unwrap()).unwrap()
}

fn order(listings: &[Listing]) -> Vec<(&str, bool)> {
    listings.iter().map(|it| (it.dataset.as_str(), it.gone)).collect()
}

fn positions(world: &World) -> Vec<Listing> {
    world.registry.listings(0, 100).unwrap()
}

fn changes(world: &World) -> Vec<Listing> {
    world.registry.changes(None, 100).unwrap()
}

#[test]
fn positions_are_for_good_and_changes_move_to_the_end() {
    let mut world = World::peopled();
    let [velos, _, menages] = ["velos", "arbres", "menages"].map(|id| publish(&mut world, id, Level::Public));
    assert_eq!(order(&positions(&world)), [("velos", false), ("arbres", false), ("menages", false)]);
    world.clock.advance(FIVE_SECONDS);
    let velos =
        world.run("claire", velos.clone(), DescribeDataset { description: velos.description, revision: None }).unwrap();
    world.clock.advance(FIVE_SECONDS);
    world.run("claire", menages, WithdrawDataset).unwrap();
    assert_eq!(order(&positions(&world)), [("velos", false), ("arbres", false), ("menages", true)]);
    assert_eq!(order(&changes(&world)), [("arbres", false), ("velos", false), ("menages", true)]);
    assert_eq!(listing(&world, "velos").unwrap().changed, velos.modified);
    let feed = world.registry.feed().unwrap();
    assert_eq!((feed.positions, feed.listed, feed.membership_changed), (3, 2, feed.changed));
    assert_eq!(world.registry.listings(1, 1).unwrap()[0].dataset.as_str(), "arbres");
    let behind = world.registry.changes(Some(changes(&world)[1].change), 100).unwrap();
    assert_eq!(order(&behind), [("menages", true)]);
}

#[test]
fn what_nobody_may_know_of_leaves_no_trace_and_what_is_hidden_no_further_one() {
    let mut world = World::peopled();
    world.dataset("draft", Level::Public);
    let hidden = publish(&mut world, "hidden", Level::Sensitive);
    assert_eq!(world.registry.feed().unwrap(), FeedState::default());
    let shown = publish(&mut world, "velos", Level::Public);
    let raised = world.run("claire", shown, RaiseLevel { level: Level::Sensitive }).unwrap();
    assert_eq!(raised.description.visibility, Visibility::Hidden);
    let gone = listing(&world, "velos").unwrap();
    assert!(gone.gone && gone.sets.level == "public", "{gone:?}");
    world.clock.advance(FIVE_SECONDS);
    for dataset in [raised, hidden] {
        world
            .run("claire", dataset.clone(), DescribeDataset { description: dataset.description, revision: None })
            .unwrap();
    }
    assert_eq!((listing(&world, "velos").unwrap(), listing(&world, "hidden")), (gone, None));
}

#[test]
fn files_of_public_datasets_are_changes_and_those_of_others_none() {
    let mut world = World::peopled();
    let public = publish(&mut world, "capteurs", Level::Public);
    let before = listing(&world, "capteurs").unwrap();
    world.clock.advance(FIVE_SECONDS);
    world.run::<CommitObject>("claire", lent(&public), object("a/b.csv", 1)).unwrap();
    let after = listing(&world, "capteurs").unwrap();
    assert!(after.change > before.change && after.changed == world.now() && after.position == before.position);
    let feed = world.registry.feed().unwrap();
    assert!(feed.membership_changed < feed.changed);

    let mut world = World::peopled();
    let lent_one = publish(&mut world, "capteurs", Level::QuasiSensitive);
    let before = listing(&world, "capteurs");
    world.run::<CommitObject>("claire", lent(&lent_one), object("a/b.csv", 1)).unwrap();
    assert_eq!(listing(&world, "capteurs"), before);
}

#[test]
fn a_clock_that_was_set_back_hides_no_change() {
    let mut world = World::peopled();
    publish(&mut world, "velos", Level::Public);
    let before = world.registry.feed().unwrap().changed;
    world.clock.retreat(Duration::from_secs(3_600));
    publish(&mut world, "arbres", Level::Public);
    assert_eq!(listing(&world, "arbres").unwrap().changed, before);
    assert!(world.clock.now() < before);
}

#[test]
fn the_order_is_the_same_when_the_index_is_made_anew() {
    let mut world = World::peopled();
    let [velos, arbres] = ["velos", "arbres"].map(|id| publish(&mut world, id, Level::Public));
    world.run("claire", velos, WithdrawDataset).unwrap();
    world.run("claire", arbres.clone(), DescribeDataset { description: arbres.description, revision: None }).unwrap();
    let settings = world.settings.clone();
    let _folder = world.close();
    let report = check(&settings).unwrap();
    assert!(report.differences.is_empty(), "{report:?}");
}

const FIVE_SECONDS: Duration = Duration::from_secs(5);
