//! Sensitive data is asked, in a virtual machine of its own, and never leaves.

mod ask;
mod declared;
mod hostile;
mod isolation;
mod lake;
mod load;
mod receipt;

use octroi_tests::{City, Declared};

/// Households and their meters: 40 households in three districts, of which one has but five.
pub(crate) const METERS: Declared<'_> = Declared {
    name: "meters",
    columns: &[
        ("household", "string", ""),
        ("district", "string", ", domain = [\"centre\", \"nord\", \"sud\", \"est\"]"),
        ("month", "integer", ""),
        ("wh", "integer", ", nullable = true"),
        ("tenant", "string", ", hidden = true, nullable = true"),
    ],
    subjects: &["household"],
};

/// Its rows: each household has four months; `centre` 20 households, `nord` 15, `sud` 5, `est` none.
pub(crate) fn meters() -> String {
    let mut csv = "household,district,month,wh,tenant\n".to_owned();
    for household in 0..40 {
        let district = match household {
            0..20 => "centre",
            20..35 => "nord",
            _ => "sud",
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
    city.sensitive("energie", "vm", &[METERS]);
    let file = city.file("meters.csv", meters());
    let report = city.load("energie", "meters", &file, &[]).expect().json();
    assert_eq!(report, serde_json::json!({ "rows": 160, "version": 1 }));
    city.let_ask("lena", "energie");
    city
}
