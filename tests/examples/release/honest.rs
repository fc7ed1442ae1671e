//! How much honest analysts get.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use octroi_tests::{
    City,
    attack::{
        arena,
        gate::{Gate as _, Live, Who},
        honest::{Received, analyses, poison, varied},
        question::Question,
        seen::Seen,
        table::{Table, Terms},
        trips::trips,
    },
};

use super::{Bench, LANES, TICK};

pub(super) fn measure(bench: &Bench<'_>) {
    let city = bench.city(TICK);
    let noisy = Terms { noise: Some("instead-of-refusal"), ..Terms::default() };
    let named = |name: &str| trips(name, PERSONS, 21);
    let in_turn = [named("sequence"), named("varied"), named("poisoned")];
    arena::host(&city, "turns", bench.backend, &in_turn, Terms::default());
    let with_noise = [named("noise")];
    arena::host(&city, "noise", bench.backend, &with_noise, noisy);
    let ordinary: Vec<(String, Question)> =
        analyses().into_iter().map(|(name, question)| (name.to_owned(), question)).collect();
    let many: Vec<(String, Question)> = varied(VARIED, 5)
        .into_iter()
        .zip(1..)
        .map(|(question, number)| (format!("varied {number}"), question))
        .collect();
    thread::scope(|scope| {
        let (city, [sequence, other, poisoned], [noise]) = (&city, &in_turn, &with_noise);
        let (ordinary, many) = (&ordinary, &many);
        if bench.asks("sequence") {
            scope.spawn(move || {
                let all = ask_all(city, "turns", sequence, bench, Terms::default(), ordinary);
                told(bench, "In one sequence", &all);
                bench.figure("sequence.blocked", blocked(&all));
                bench.figure("sequence.cells", share(&all));
            });
        }
        if bench.asks("varied") {
            scope.spawn(move || {
                let all = ask_all(city, "turns", other, bench, Terms::default(), many);
                told(bench, "200 varied questions in a row", &all);
                bench.figure("varied.cells", share(&all));
                bench.figure("varied.blocked", blocked(&all));
                bench.figure("varied.error", error(&all));
            });
        }
        if bench.asks("poisoned") {
            scope.spawn(move || after_poison(bench, city, poisoned, ordinary));
        }
        if bench.asks("noise") {
            scope.spawn(move || {
                let all = ask_all(city, "noise", noise, bench, noisy, many);
                told(bench, "200 varied questions in a row, noise instead of refusal", &all);
                bench.figure("noise.cells", share(&all));
            });
        }
    });
    if bench.asks("alone") {
        alone(bench, &city, &ordinary);
    }
}

/// Ordinary analyses after those of another organisation, which asks so that others are refused.
fn after_poison(bench: &Bench<'_>, city: &City, table: &Table, ordinary: &[(String, Question)]) {
    let mut live = Live::new(city, "turns", table, bench.backend);
    let asked = poison(POISON, 8);
    let answered = asked.iter().filter(|question| !live.ask(Who::Paul, question).rows().is_empty()).count();
    let all = ask_all(city, "turns", table, bench, Terms::default(), ordinary);
    told(bench, &format!("After another organisation's {POISON} questions, {answered} of them answered"), &all);
    bench.figure("poisoned.blocked", 100.0 * blocked(&all) / all.len() as f64);
    bench.figure("poisoned.cells", share(&all));
}

/// Each analysis of a table that nobody asked before.
fn alone(bench: &Bench<'_>, city: &City, ordinary: &[(String, Question)]) {
    let all = std::sync::Mutex::new(Vec::new());
    for (part, analyses) in ordinary.chunks(arena::MOST_TABLES).enumerate() {
        let dataset = format!("alone-{part}");
        let tables: Vec<Table> =
            (0..analyses.len()).map(|number| trips(&format!("trips{number}"), PERSONS, 21)).collect();
        arena::host(city, &dataset, bench.backend, &tables, Terms::default());
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..LANES {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(one), Some(table)) = (analyses.get(place), tables.get(place)) else { break };
                        let mut asked =
                            ask_all(city, &dataset, table, bench, Terms::default(), std::slice::from_ref(one));
                        all.lock().expect("nobody panicked").append(&mut asked);
                    }
                });
            }
        });
    }
    let all = all.into_inner().expect("nobody panicked");
    told(bench, "Each alone", &all);
    bench.figure("alone.analyses", all.len() as f64);
    bench.figure("alone.blocked", blocked(&all));
    bench.figure("alone.cells", share(&all));
    bench.figure("alone.error", error(&all));
}

/// An analysis, what came of it, and what was answered if nothing was.
type Done = (String, Received, String);

fn ask_all(
    city: &City,
    dataset: &str,
    table: &Table,
    bench: &Bench<'_>,
    terms: Terms,
    all: &[(String, Question)],
) -> Vec<Done> {
    let mut live = Live::new(city, dataset, table, bench.backend);
    let ask = |(name, question): &(String, Question)| {
        let seen = live.ask(Who::Lena, question);
        let received = Received::of(question, table, terms, &seen);
        let why = match &seen {
            Seen::Rejected(why) => format!("{why} {}", question.sql(table)),
            Seen::Rows(_) | Seen::Refused => question.sql(table),
        };
        (name.clone(), received, why)
    };
    all.iter().map(ask).collect()
}

fn told(bench: &Bench<'_>, title: &str, all: &[Done]) {
    bench.say(&format!("## {title}, zones of kind {}\n", bench.backend));
    bench.say("| analysis | passing | released | beyond | median error |\n| --- | --- | --- | --- | --- |");
    for (name, received, _) in all {
        let error = received.error().map(|error| format!("{:.2} %", 100.0 * error)).unwrap_or_default();
        let Received { passing, released, beyond, .. } = received;
        bench.say(&format!("| {name} | {passing} | {released} | {beyond} | {error} |"));
    }
    bench.say("");
    for (name, received, why) in all {
        if received.released < received.passing || received.beyond > 0 {
            bench.say(&format!(
                "    {name}: {} of {}, {} beyond: {why}",
                received.released, received.passing, received.beyond
            ));
        }
    }
    bench.say("");
}

fn blocked(all: &[Done]) -> f64 {
    all.iter().filter(|(_, received, _)| received.is_blocked()).count() as f64
}

/// Released cells among those that pass, percent.
fn share(all: &[Done]) -> f64 {
    let sum = |of: fn(&Received) -> usize| all.iter().map(|(_, received, _)| of(received)).sum::<usize>() as f64;
    100.0 * sum(|received| received.released) / sum(|received| received.passing)
}

/// Of the questions' median errors the one in the middle, percent.
fn error(all: &[Done]) -> f64 {
    let mut errors: Vec<f64> = all.iter().filter_map(|(_, received, _)| received.error()).collect();
    errors.sort_by(f64::total_cmp);
    100.0 * errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN)
}

const PERSONS: usize = 10_000;
const VARIED: usize = 200;
const POISON: usize = 60;
