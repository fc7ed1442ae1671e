//! Two worlds that differ in what one person has: a few trips, or as many as all others together.
//!
//! The attacker asks the same question, of either world in turn, and knows nothing but when the answer comes. First it asks
//! when it pleases. Then it aims: it has seen ticks go by, and asks so long before one that about half of the answers are
//! in time for it, which is where a difference shows most.

use std::{
    thread,
    time::{Duration, Instant},
};

use octroi_tests::attack::{
    arena,
    dice::Dice,
    gate::{Gate as _, Live, Who},
    question::{Key, Of, Part, Question, by, col, figure, rows, sum},
    table::{Table, Terms, Value},
    trips::trips,
};

use super::Bench;

pub(super) fn measure(bench: &Bench<'_>) {
    let runs = bench.more.first().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let city = bench.city(TICK);
    let worlds = [world("few", 20), world("many", 0)];
    arena::host(&city, "worlds", bench.backend, &worlds, Terms::default());
    let mut gates = worlds.each_ref().map(|table| Live::new(&city, "worlds", table, bench.backend));
    let mut dice = Dice::new(3);
    let mut pleased = Times::default();
    for run in 0..runs {
        thread::sleep(Duration::from_millis(dice.below(1_000) as u64));
        pleased.add(run % 2, gates[run % 2].time(&question(run)).as_secs_f64());
    }
    let mut aimed = Times::default();
    let mut ahead = 1.5;
    gates[0].ask(Who::Lena, &question(runs));
    let mut tick = Instant::now();
    for run in 0..runs + AIMING {
        let world = dice.below(2);
        // The next tick that is far enough away.
        let period = f64::from(TICK) / 1_000.0;
        let elapsed = tick.elapsed().as_secs_f64();
        let next = ((elapsed + ahead + 0.2) / period).ceil() * period;
        thread::sleep(Duration::from_secs_f64((next - ahead - elapsed).max(0.0)));
        let took = gates[world].time(&question(runs + run)).as_secs_f64();
        let late = took > ahead + period / 2.0;
        if run >= AIMING {
            aimed.add(world, if late { 1.0 } else { 0.0 });
        }
        let step = if run < AIMING { 0.2 } else { 0.01 };
        ahead = (ahead + if late { step } else { -step }).clamp(0.1, period - 0.3);
        // Answers leave at ticks, so when one comes is when a tick was.
        let since = tick.elapsed().as_secs_f64();
        tick += Duration::from_secs_f64((since / period).round() * period);
    }
    let (pleased, aimed) = (pleased.area(), aimed.area());
    bench.say(&format!(
        "## Timing, zones of kind {}, ticks of {TICK} ms, {runs} runs each\n\nArea under the curve: {pleased:.3} asking at any time, \
         {aimed:.3} aiming at ticks ({ahead:.2} s before)\n",
        bench.backend
    ));
    bench.figure("timing.area", pleased);
    bench.figure("timing.aimed", aimed);
}

/// Twenty thousand trips of many, and of one person all but one in so many of as many again.
fn world(name: &str, one_in: usize) -> Table {
    let mut table = trips(name, 4_000, 11);
    let rows = table.rows.clone();
    for (place, row) in rows.into_iter().enumerate() {
        if one_in == 0 || place % (one_in * 50) == 0 {
            let mut row = row;
            row[0] = Value::Name("p00007".to_owned());
            row[1] = Value::Name("h00003".to_owned());
            table.rows.push(row);
        }
    }
    table
}

/// Never the same twice in a row: an answer that was given before is not made again.
fn question(run: usize) -> Question {
    let told = [rows(), sum("cost"), figure(Of::Mean("cost"))];
    by([col("mode"), Key::Part(Part::Hour, "departure")]).tell(told[run % told.len()].clone())
}

#[derive(Default)]
struct Times([Vec<f64>; 2]);

impl Times {
    fn add(&mut self, world: usize, value: f64) {
        self.0[world].push(value);
    }

    /// How often one of the second world is above one of the first, or below, whichever is more (Mann and Whitney).
    fn area(&self) -> f64 {
        let [first, second] = &self.0;
        let above = |one: f64, other: f64| {
            if one > other {
                1.0
            } else if one < other {
                0.0
            } else {
                0.5
            }
        };
        let all: f64 = second.iter().map(|one| first.iter().map(|other| above(*one, *other)).sum::<f64>()).sum();
        let area = all / (first.len() * second.len()) as f64;
        area.max(1.0 - area)
    }
}

/// The setting's default.
const TICK: u32 = 5_000;
const RUNS: usize = 200;
/// Runs until the aim is good.
const AIMING: usize = 20;
