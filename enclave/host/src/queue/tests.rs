use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What a queue is, said in the slowest way: everybody in one list, and when each organisation was last served or came.
#[derive(Default)]
struct Model {
    waiting: Vec<(OrganisationId, u32)>,
    since: HashMap<OrganisationId, usize>,
    step: usize,
}

impl Model {
    fn line(&self, organisation: &OrganisationId) -> usize {
        self.waiting.iter().filter(|(other, _)| other == organisation).count()
    }

    fn join(&mut self, organisation: &OrganisationId, who: u32, bounds: Bounds) -> Result<(), QueueFull> {
        self.step += 1;
        if self.waiting.len() >= bounds.total || self.line(organisation) >= bounds.per_organisation {
            return Err(QueueFull);
        }
        if self.line(organisation) == 0 {
            self.since.insert(organisation.clone(), self.step);
        }
        self.waiting.push((organisation.clone(), who));
        Ok(())
    }

    fn next(&mut self) -> Option<u32> {
        self.step += 1;
        let next = self.waiting.iter().map(|(organisation, _)| organisation).min_by_key(|it| self.since[it])?.clone();
        self.since.insert(next.clone(), self.step);
        let place = self.waiting.iter().position(|(organisation, _)| *organisation == next)?;
        Some(self.waiting.remove(place).1)
    }

    fn leave(&mut self, who: u32) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(_, other)| *other != who);
        before > self.waiting.len()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Next,
    /// One of those who ever joined.
    Leave(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..4).prop_map(Step::Join),
        3 => Just(Step::Next),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
    ]
}

fn organisation(number: usize) -> OrganisationId {
    format!("org-{number}").parse().unwrap()
}

proptest! {
    #[test]
    fn the_queue_is_the_model(steps in prop::collection::vec(step(), 0..120), total in 0usize..12, each in 0usize..6) {
        let bounds = Bounds { total, per_organisation: each };
        let (mut queue, mut model) = (Queue::new(bounds), Model::default());
        let mut joined: Vec<OrganisationId> = Vec::new();
        for step in steps {
            match step {
                Step::Join(number) => {
                    let (organisation, who) = (organisation(number), u32::try_from(joined.len()).unwrap());
                    let refused = queue.join(&organisation, who);
                    prop_assert_eq!(refused, model.join(&organisation, who, bounds));
                    joined.push(organisation);
                }
                Step::Next => prop_assert_eq!(queue.next(), model.next()),
                Step::Leave(_) if joined.is_empty() => {}
                Step::Leave(index) => {
                    let who = index.index(joined.len());
                    let number = u32::try_from(who).unwrap();
                    prop_assert_eq!(queue.leave(&joined[who], |it| *it == number), model.leave(number));
                }
            }
            prop_assert_eq!(queue.waiting, model.waiting.len());
            prop_assert!(queue.lines.values().all(|line| !line.is_empty()));
            prop_assert_eq!(queue.order.len(), queue.lines.len());
        }
    }

    #[test]
    fn nobody_is_passed_over_twice_by_the_same_organisation(lines in prop::collection::vec(1usize..8, 2..6)) {
        let bounds = Bounds { total: 100, per_organisation: 100 };
        let mut queue = Queue::new(bounds);
        for (number, length) in lines.iter().enumerate() {
            for _ in 0..*length {
                queue.join(&organisation(number), number).unwrap();
            }
        }
        let mut left = lines.clone();
        let mut served_since = vec![vec![0; lines.len()]; lines.len()];
        while let Some(number) = queue.next() {
            left[number] -= 1;
            for (other, served) in served_since.iter_mut().enumerate() {
                served[number] += 1;
                prop_assert!(other == number || left[other] == 0 || served[number] <= 1);
            }
            served_since[number] = vec![0; lines.len()];
        }
        prop_assert!(left.iter().all(|left| *left == 0));
    }
}
