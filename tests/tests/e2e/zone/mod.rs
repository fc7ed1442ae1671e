//! Sensitive data is asked, in a virtual machine of its own, and never leaves.

mod ask;
mod attacks;
mod declared;
mod faults;
mod hostile;
mod isolation;
mod lake;
mod limits;
mod load;
mod policy;
mod receipt;
mod release;

use octroi_tests::{City, Declared};

/// All of the meters' readings.
pub(crate) const COUNT: &str = "SELECT COUNT(*) n FROM meters";
/// How many it is told that there are: 184, to the nearest multiple of 5.
pub(crate) const COUNTED: i64 = 185;

/// Households and their meters: 46 households in four of five districts, of which two have too few.
pub(crate) const METERS: Declared<'_> = Declared {
    name: "meters",
    columns: &[
        ("household", "string", ""),
        ("district", "string", ", domain = [\"centre\", \"nord\", \"sud\", \"ouest\", \"est\"]"),
        ("month", "integer", ", domain = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]"),
        ("wh", "integer", ", nullable = true"),
        ("tenant", "string", ", hidden = true, nullable = true"),
    ],
    subjects: &["household"],
};

/// What may leave of them.
pub(crate) const POLICY: &str = r#"
[[tables]]
name = "meters"
units = [{ column = "household", space = "household" }]
columns = [
  { name = "household", role = "identifier" },
  { name = "district", role = "dimension", groups = [{ name = "outskirts", values = ["nord", "ouest", "sud"] }] },
  { name = "month", role = "dimension", groups = [{ name = "winter", values = [1, 2, 3] }] },
  { name = "wh", role = "measure", low = 0, high = 10000, points = [1200] },
]
"#;

/// Rows: each household has four months; `centre` 20 households, `nord` 15, `sud` 5, `ouest` 6, `est` none.
pub(crate) fn meters() -> String {
    let mut csv = "household,district,month,wh,tenant\n".to_owned();
    for household in 0..46 {
        let district = match household {
            0..20 => "centre",
            20..35 => "nord",
            35..40 => "sud",
            _ => "ouest",
        };
        for month in 1..=4 {
            csv += &format!("h{household},{district},{month},{},Zorglub-{household}\n", 1_000 + household * 10 + month);
        }
    }
    csv
}

/// A city whose researcher may ask the meters.
pub(crate) fn metered(settings: octroi_tests::Settings<'_>) -> City {
    let city = City::asking(settings);
    stock(&city);
    city
}

/// Gives a city its meters, and declares what may leave of them.
pub(crate) fn stock(city: &City) {
    fill(city);
    city.policy("energie", POLICY).expect();
}

/// Gives a city its meters, of which nothing may leave yet.
pub(crate) fn fill(city: &City) {
    city.sensitive("energie", "vm", &[METERS]);
    let file = city.file("meters.csv", meters());
    let report = city.load("energie", "meters", &file, &[]).expect().json();
    assert_eq!(report, serde_json::json!({ "rows": 184, "version": 1 }));
    city.let_ask("lena", "energie");
}

/// The virtual machines of a city that run.
pub(crate) fn machines(city: &mut City) -> Vec<i32> {
    machines_of(city.serving().pid())
}

/// Those below a process.
pub(crate) fn machines_of(process: u32) -> Vec<i32> {
    descendants(process).into_iter().filter(|pid| is_machine(*pid)).collect()
}

/// A QEMU that has memory: one that was killed and is not yet reaped has none.
pub(crate) fn is_machine(pid: i32) -> bool {
    comm(pid).starts_with("qemu-system") && std::fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

pub(crate) fn comm(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// A process and all below it.
pub(crate) fn descendants(process: u32) -> Vec<i32> {
    let mut found = vec![i32::try_from(process).expect("a process id")];
    let mut at = 0;
    while at < found.len() {
        for task in std::fs::read_dir(format!("/proc/{}/task", found[at])).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
        at += 1;
    }
    found
}
