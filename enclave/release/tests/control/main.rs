//! The release control from questions to rounded numbers, held against plain rows and exact fractions: it may withhold
//! more than they ask for, and never less.
//!
//! ```text
//! World + Question --judge_by, rows counted one by one--> CountedCell --Control--> what leaves
//!                  --reference: the same rows, no statistics, no regions, no floats--> whether it should have
//! ```

#[cfg(test)]
mod exact;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod question;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod rounded;
#[cfg(test)]
mod sequence;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        pipeline::{Asked, rules, with_homogeneity},
        question::{Figure, Question, What, question},
        reference::Reference,
        sequence,
        world::{Row, World, alike, dense, world},
    };

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn what_leaves_breaks_no_rule_and_is_rounded(world in world(), question in question()) {
            let asked = Asked::of(&world, &question);
            let released = asked.control(&rules());
            let reference = Reference::new(&world, &question, &released);
            prop_assert_eq!(reference.rule_broken(), None);
            prop_assert_eq!(reference.number_wrong(&released), None);
        }

        #[test]
        fn what_does_not_leave_cannot_be_had_back(world in world(), question in question()) {
            let asked = Asked::of(&world, &question);
            let released = asked.control(&rules());
            let reference = Reference::new(&world, &question, &released);
            prop_assert_eq!(reference.too_narrow(), None);
            prop_assert_eq!(reference.small_remainder(), None);
        }

        #[test]
        fn what_all_have_alike_cannot_be_had_back(world in alike(), question in question().prop_map(Question::of_the_ill)) {
            let asked = Asked::of(&world, &question);
            let released = asked.control(&with_homogeneity());
            let reference = Reference::new(&world, &question, &released);
            prop_assert_eq!(reference.rule_broken(), None);
            prop_assert_eq!(reference.known_of_all(), None);
        }

        // A control that withheld everything would pass the others. With filters more is withheld than need be: that
        // nobody is outside of all of them counts as few.
        #[test]
        fn what_breaks_nothing_leaves_whole(world in dense(), question in question().prop_map(Question::unfiltered)) {
            let asked = Asked::of(&world, &question);
            let released = asked.control(&rules());
            let reference = Reference::new(&world, &question, &released);
            prop_assert_eq!(reference.withheld_for_nothing(), None);
        }

        #[test]
        fn no_two_answers_differ_by_few(world in world(), questions in proptest::collection::vec(question(), 2..5)) {
            prop_assert_eq!(sequence::fault(&world, &questions), None);
        }
    }

    fn ask(world: &World, sets: &[&[usize]], figures: &[(What, Option<(usize, u32)>)]) -> Vec<Vec<bool>> {
        let figures = figures.iter().map(|(what, filter)| Figure { what: *what, filter: *filter, ill: false });
        let question =
            Question { chosen: None, sets: sets.iter().map(|set| set.to_vec()).collect(), figures: figures.collect() };
        Asked::of(world, &question).control(&rules()).by_set()
    }

    #[test]
    fn a_small_cell_beneath_a_total_takes_another_along() {
        let world = World::of(&[([0, 0, 0], 30), ([1, 0, 0], 5), ([2, 0, 0], 40)]);
        assert_eq!(ask(&world, &[&[0]], &[(What::Rows, None)]), [[true, false, true]]);
        assert_eq!(ask(&world, &[&[0], &[]], &[(What::Rows, None)]), [vec![false, false, true], vec![true]]);
    }

    /// SUM of 300 persons and of 20 others, one of whom brings nearly all that those do.
    fn with_a_giant() -> World {
        let mut world = World::of(&[([0, 0, 0], 300), ([1, 0, 0], 20)]);
        world.rows.iter_mut().take(300).for_each(|row| row.amount = Some(10_000));
        world.rows[310].amount = Some(1_000_000);
        world
    }

    fn leaves(world: &World, figures: &[Figure]) -> Vec<bool> {
        let question = Question { chosen: None, sets: vec![vec![]], figures: figures.to_vec() };
        Asked::of(world, &question).control(&rules()).cells[0].leaves.clone()
    }

    #[test]
    fn what_is_left_of_a_sum_is_judged_whatever_else_is_told_of_the_same_rows() {
        let world = with_a_giant();
        let [all, ill, some] =
            [(What::Sum, None, false), (What::Rows, Some((0, 0)), true), (What::Sum, Some((0, 0)), false)]
                .map(|(what, filter, ill)| Figure { what, filter, ill });
        assert_eq!(leaves(&world, &[all]), [true]);
        assert_eq!(leaves(&world, &[all, some]).iter().filter(|leaves| **leaves).count(), 1);
        // A number of the same rows that is of no amount comes first, or last.
        assert_ne!(leaves(&world, &[all, ill, some]), [true; 3]);
        assert_ne!(leaves(&world, &[all, some, ill]), [true; 3]);
    }

    // Of four places: everybody is ill at the first, nobody at the last.
    #[test]
    fn a_total_less_its_other_cells_does_not_tell_what_all_in_one_have_alike() {
        let of_ill = |figures: &[(What, Option<(usize, u32)>)], sets: &[&[usize]], ill_first: bool| {
            let mut world = World::of(&[([0, 0, 0], 30), ([1, 0, 0], 40), ([2, 0, 0], 60)]);
            for (place, row) in world.rows.iter_mut().enumerate() {
                row.ill = if row.at[0] == 0 { ill_first } else { place % 2 == 0 };
            }
            let figures = figures.iter().map(|(what, filter)| Figure { what: *what, filter: *filter, ill: true });
            let sets = sets.iter().map(|set| set.to_vec()).collect();
            let question = Question { chosen: None, sets, figures: figures.collect() };
            let asked = Asked::of(&world, &question);
            let by_size = asked.control(&rules()).by_set();
            (by_size, asked.control(&with_homogeneity()).cells.into_iter().map(|cell| cell.leaves).collect::<Vec<_>>())
        };
        for ill in [true, false] {
            let (by_size, leaves) = of_ill(&[(What::Rows, None)], &[&[0], &[]], ill);
            assert_eq!(by_size, [vec![true; 3], vec![true]]);
            // One of the others goes besides, and its twenty or thirty could be those who are ill, or well.
            assert_eq!(leaves, [[false], [false], [true], [true]]);
            // Nobody asked for the first place: it is what is left.
            let (_, leaves) =
                of_ill(&[(What::Rows, None), (What::Rows, Some((0, 1))), (What::Rows, Some((0, 2)))], &[&[]], ill);
            assert_ne!(leaves, [[true; 3]]);
        }
    }

    #[test]
    fn what_is_left_of_a_sum_is_judged_where_only_its_rows_are_told() {
        let world = with_a_giant();
        let [all, some, others] = [(What::Sum, None), (What::Sum, Some((0, 0))), (What::Rows, Some((0, 1)))]
            .map(|(what, filter)| Figure { what, filter, ill: false });
        let told = leaves(&world, &[all, some, others]);
        assert!(!(told[0] && told[1]), "{told:?}");
    }

    // One person has half of the rows, at the median and everywhere: of the rows on a side it could be all.
    #[test]
    fn a_median_is_told_where_enough_persons_are_counted_on_each_side() {
        let mut world = World::of(&[([0, 0, 0], 40)]);
        world.rows.iter_mut().enumerate().for_each(|(place, row)| row.amount = Some(place as i64));
        let most = world.rows[20].clone();
        world.rows.extend((10..30).map(|amount| Row { amount: Some(amount), ..most.clone() }));
        let median = Figure { what: What::Median, filter: None, ill: false };
        let question = Question { chosen: None, sets: vec![vec![]], figures: vec![median] };
        let asked = Asked::of(&world, &question);
        let uncounted = octroi_release::Control::new(&asked.ruling, rules(), &asked.cells, &asked.finest);
        assert_eq!(uncounted.rows()[0].numbers, [None]);
        assert!(asked.control(&rules()).cells[0].numbers[0].is_some());
        // Ten persons are not enough on a side, many though their rows are.
        world.rows.iter_mut().filter(|row| row.person >= 10).for_each(|row| row.amount = Some(100));
        world.rows.iter_mut().filter(|row| row.person < 10).for_each(|row| row.amount = Some(0));
        let many = world.rows[5].clone();
        world.rows.extend(vec![many; 60]);
        let asked = Asked::of(&world, &question);
        assert_eq!(asked.control(&rules()).cells[0].numbers, [None]);
    }
}
