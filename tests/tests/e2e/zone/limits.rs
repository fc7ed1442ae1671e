//! What a question may use up, who is next, and who has left.

use std::{
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use octroi_tests::{
    City, Declared,
    attack::{
        arena,
        gate::{Gate as _, Live, Who},
        honest::Received,
        question::{Of, by, col, figure},
        table::Terms,
        trips::trips,
    },
    rows, wait_until,
};
use serde_json::{Value, json};

use super::{COUNT, COUNTED, machines, metered};

/// What the parser doubles its work on with every word, so that it is given up after some seconds.
fn knotted() -> String {
    format!("SELECT COUNT(*) FROM meters WHERE {}wh = 1", "NOT ".repeat(60))
}

/// A question that is under way.
pub(crate) struct Asking(Child);

impl Asking {
    /// Asks, and waits for nothing.
    pub(crate) fn begin(city: &City, who: &str, sql: &str) -> Self {
        let words = ["--dataset", "energie", "--purpose", "research", "--json", sql];
        let mut command: Command = city.query_command(who, &words);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs"))
    }

    /// Asks, and waits until it has the machine that waited, which is halted then, so that it does not end; which one
    /// that is.
    pub(crate) fn hold(city: &mut City, who: &str) -> (Self, i32) {
        let [waited] = machines(city)[..] else { panic!("one machine waits: {:?}", machines(city)) };
        let asking = Self::begin(city, who, &knotted());
        // It is used when the next one waits.
        wait_until("a second machine", Duration::from_secs(60), || machines(city).len() == 2);
        kill(Pid::from_raw(waited), Signal::SIGSTOP).expect("it is at work");
        assert!(machines(city).contains(&waited));
        (asking, waited)
    }

    /// Goes away without a word.
    pub(crate) fn leave(mut self) {
        self.0.kill().expect("our own child");
        self.0.wait().expect("our own child");
    }

    /// Waits for its end; whether an answer was released.
    pub(crate) fn released(self) -> bool {
        self.told()["verdict"] == "released"
    }

    /// Waits for its end; what was said, if anything was.
    fn told(self) -> Value {
        let said = self.0.wait_with_output().expect("our own child");
        serde_json::from_slice(&said.stdout).unwrap_or_default()
    }
}

/// One zone at once and one machine that waits, which it does when this returns.
fn narrow(more: octroi_tests::Settings<'_>) -> City {
    let mut settings = vec![("zone", "at_once", "1"), ("zone", "backends", "[\"vm\"]")];
    settings.extend(more);
    let mut city = metered(&settings);
    wait_until("one machine to wait", Duration::from_secs(60), || machines(&mut city).len() == 1);
    city
}

#[test]
fn a_client_that_goes_away_frees_its_machine_and_the_queue_goes_on() {
    let mut city = narrow(&[("zone", "query_seconds", "300")]);
    let (held, machine) = Asking::hold(&mut city, "lena");
    let next = Asking::begin(&city, "lena", COUNT);
    thread::sleep(Duration::from_millis(500));
    held.leave();
    wait_until("its machine to go", Duration::from_secs(10), || !machines(&mut city).contains(&machine));
    assert!(next.released(), "who waited is answered");
    // One that leaves while it waits is not missed either.
    let (held, _) = Asking::hold(&mut city, "lena");
    let waits = Asking::begin(&city, "lena", COUNT);
    thread::sleep(Duration::from_millis(500));
    waits.leave();
    held.leave();
    assert_eq!(rows(&city.ask("lena", "energie", COUNT)), [json!([COUNTED])]);
}

#[test]
fn a_full_queue_says_so_at_once_and_organisations_take_turns() {
    let mut city =
        narrow(&[("zone", "query_seconds", "300"), ("zone", "queue", "4"), ("zone", "queue_per_organisation", "3")]);
    city.onboard("paul", "universite-lyon", "researcher");
    city.let_ask("paul", "energie");
    let (held, _) = Asking::hold(&mut city, "lena");
    let order = std::sync::Mutex::new(Vec::new());
    let (watching, most) = (AtomicBool::new(true), AtomicUsize::new(0));
    let serve = city.serving().pid();
    thread::scope(|scope| {
        for who in ["lena", "lena", "lena", "paul"] {
            let asking = Asking::begin(&city, who, COUNT);
            let order = &order;
            scope.spawn(move || {
                let answered = asking.released();
                order.lock().unwrap().push((who, answered));
            });
            // Each is in its line before the next asks.
            thread::sleep(Duration::from_millis(700));
        }
        // Her organisation's line is full; and then all are.
        let body = json!({ "datasets": ["energie"], "purpose": "research", "sql": COUNT }).to_string();
        for who in ["lena", "paul"] {
            let begun = Instant::now();
            let refused = city.curl_as(who, &["--data", &body, &city.api("v1/queries")]).expect(503);
            assert!(begun.elapsed() < Duration::from_secs(2), "at once, not after {:?}", begun.elapsed());
            assert_eq!(refused.header("retry-after"), "1");
            assert!(refused.text().contains("at its limit"), "{}", refused.text());
        }
        scope.spawn(|| {
            while watching.load(Ordering::Relaxed) {
                most.fetch_max(super::machines_of(serve).len(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
        });
        held.leave();
        wait_until("all to be answered", Duration::from_secs(60), || order.lock().unwrap().len() == 4);
        watching.store(false, Ordering::Relaxed);
    });
    let order = order.into_inner().unwrap();
    assert!(order.iter().all(|(_, answered)| *answered), "{order:?}");
    let paul = order.iter().position(|(who, _)| *who == "paul").unwrap();
    assert!(paul <= 1, "he waited for one of the three before him: {order:?}");
    // One in use and one that waits, at every moment: an end is an end before the next turn begins.
    assert_eq!(most.into_inner(), 2);
}

/// More households than fit into the least memory that there can be, one row each.
const CROWD: Declared<'_> = Declared {
    name: "crowd",
    columns: &[("household", "string", ""), ("wh", "integer", "")],
    subjects: &["household"],
};

const CROWD_POLICY: &str = r#"
[[tables]]
name = "crowd"
units = [{ column = "household", space = "household" }]
columns = [{ name = "household", role = "identifier" }, { name = "wh", role = "measure", points = [500] }]
"#;

#[test]
fn whatever_limit_it_runs_into_the_refusal_is_one() {
    let mut city = narrow(&[
        ("zone", "query_seconds", "15"),
        ("zone", "memory_bytes", "16777216"),
        ("zone", "scratch_bytes", "0"),
        ("zone", "result_bytes", "4096"),
        ("zone", "result_rows", "1"),
    ]);
    city.onboard("audrey", "cour-des-comptes", "auditor");
    city.sensitive("foule", "vm", &[CROWD]);
    city.policy("foule", CROWD_POLICY).expect();
    let people: String = (0..150_000).map(|n| format!("a-household-with-a-long-name-{n},{}\n", n % 1_000)).collect();
    let file = city.file("crowd.csv", format!("household,wh\n{people}"));
    city.load("foule", "crowd", &file, &[]).expect();
    city.let_ask("lena", "foule");

    let wide: Vec<String> =
        (0..100).map(|n| format!("SUM(wh) + {n} AS a_name_that_takes_its_room_in_an_answer_{n}")).collect();
    let wide = format!("SELECT {} FROM meters", wide.join(", "));
    let many = "SELECT district, COUNT(*) n FROM meters GROUP BY district";
    let crowded = "SELECT bin(wh), COUNT(DISTINCT household) n, AVG(wh) FROM crowd GROUP BY bin(wh)";
    let mut refusals = Vec::new();
    for (dataset, sql, cause) in [
        ("energie", None, "timeout"),
        ("foule", Some(crowded), "out_of_memory"),
        ("energie", Some(&*wide), "too_many_rows"),
        ("energie", Some(many), "too_many_rows"),
    ] {
        let begun = Instant::now();
        let refused = match sql {
            Some(sql) => city.ask("lena", dataset, sql),
            None => Asking::hold(&mut city, "lena").0.told(),
        };
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}: {cause}", begun.elapsed());
        assert_eq!(refused["verdict"], "refused", "{cause}: {refused}");
        refusals.push(refused);
        let last = city.octroi("audrey", &["evidence", "list", "--limit", "1000", "--json"]).expect().out;
        let last = last.lines().rfind(|line| line.contains("withheld")).expect("its end is evidence");
        assert!(last.contains(cause), "{last}");
        // The next question has a machine of its own, and is well.
        assert_eq!(rows(&city.ask("lena", "energie", COUNT)), [json!([COUNTED])]);
    }
    assert!(refusals.iter().all(|refused| *refused == refusals[0]), "{refusals:?}");
}

/// Counting what is different among each person's rows once took more memory than a zone has, unknown to the engine.
#[test]
fn each_of_ten_thousand_persons_is_counted_with_the_memory_that_a_zone_has() {
    let city = arena::city(&[("zone", "backends", "[\"process\"]")]);
    let table = trips("trips", 10_000, 21);
    arena::host(&city, "trips", "process", std::slice::from_ref(&table), Terms::default());
    let [persons, households] = ["person", "household"].map(|unit| figure(Of::Subjects(unit)));
    let question = by([col("origin")]).tell(persons).tell(households);
    let seen = Live::new(&city, "trips", &table, "process").ask(Who::Lena, &question);
    let received = Received::of(&question, &table, Terms::default(), &seen);
    assert_eq!((received.passing, received.released), (24, 24), "{seen:?}");
}
