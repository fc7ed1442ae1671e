//! Every fixed attack.

use std::collections::BTreeMap;

use octroi_tests::attack::{
    arena,
    claims::Score,
    fixed::{Family, attacks},
};

use super::{Bench, LANES, TICK};

pub(super) fn measure(bench: &Bench<'_>) {
    let city = bench.city(TICK);
    let mut all = attacks();
    if !bench.more.is_empty() {
        all.retain(|attack| bench.more.iter().any(|word| format!("{attack:?}").contains(word)));
    }
    bench.say(&format!("## {} fixed attacks, zones of kind {}\n", all.len(), bench.backend));
    bench.say("| attack | claims | right | by chance | questions | |\n| --- | --- | --- | --- | --- | --- |");
    let tried = arena::try_all(&city, "town", bench.backend, &all, LANES, |tried| {
        let Score { claims, right } = tried.score;
        let verdict = if tried.score.is_success() { "SUCCEEDED" } else { "" };
        let (chance, asked) = (tried.score.by_chance(), tried.transcript.len());
        bench.say(&format!("| {:?} | {claims} | {right} | {chance:.4} | {asked} | {verdict} |", tried.attack));
    });
    let mut families: BTreeMap<Family, Score> = BTreeMap::new();
    let mut together = Score::default();
    for tried in &tried {
        let family = families.entry(tried.attack.family).or_default();
        *family = family.and(tried.score);
        together = together.and(tried.score);
    }
    bench.say("\n| family | claims | right share |\n| --- | --- | --- |");
    for (family, score) in &families {
        bench.say(&format!("| {family:?} | {} | {:.2} |", score.claims, score.accuracy()));
    }
    for tried in &tried {
        if tried.score.is_success() || std::env::var_os("OCTROI_TRANSCRIPTS").is_some() {
            bench.say(&format!("\n### {:?}: {:?}\n", tried.attack, tried.score));
            for asked in &tried.transcript {
                bench.say(&format!("    {}: {}\n        {}", asked.who.name(), asked.sql, asked.answer));
            }
        }
    }
    let succeeded = tried.iter().filter(|tried| tried.score.is_success()).count();
    bench.figure("fixed.attacks", tried.len() as f64);
    bench.figure("fixed.succeeded", succeeded as f64);
    bench.figure("fixed.claims", together.claims as f64);
    bench.figure("fixed.right", 100.0 * together.accuracy());
    bench.figure("fixed.questions", tried.iter().map(|tried| tried.transcript.len()).sum::<usize>() as f64);
}
