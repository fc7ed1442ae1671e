use proptest::prelude::*;

use super::*;
use crate::schema::Digits;

fn column(holds: Type, domain: Vec<Literal>) -> Column {
    Column { name: "c".into(), holds, nullable: true, hidden: false, domain }
}

fn day(text: &str) -> Literal {
    Literal::Date(date(text).unwrap())
}

fn calendar(holds: Type, from: &str, to: &str, period: &str) -> Result<Bins, PolicyError> {
    let declared = wire::Calendar { from: from.into(), to: to.into(), period: period.into() };
    Bins::calendar(&column(holds, Vec::new()), &declared)
}

fn points(holds: Type, points: &[&str]) -> Result<Bins, PolicyError> {
    let points: Vec<String> = points.iter().map(|point| (*point).to_owned()).collect();
    Bins::cuts(&column(holds, Vec::new()), &points)
}

#[test]
fn a_value_lies_in_the_bin_that_its_policy_says() {
    let whole = Type::Integer(Digits::STORED);
    let ages = points(whole, &["18", "65"]).unwrap();
    let bins = [17, 18, 64, 65].map(|age| ages.bin(&Literal::Integer(age)));
    assert_eq!((bins, ages.bin(&Literal::Null(whole)), ages.outside()), ([0, 1, 1, 2], 3, 3));
    let months = calendar(Type::Date, "2024-01-01", "2024-04-01", "month").unwrap();
    let bins =
        ["2023-12-31", "2024-01-01", "2024-02-29", "2024-03-31", "2024-04-01"].map(|text| months.bin(&day(text)));
    assert_eq!(bins, [3, 0, 1, 2, 3]);
    let weeks = calendar(Type::Timestamp, "2024-12-30", "2025-01-13", "week").unwrap();
    let moment = |text, more: i64| Literal::Timestamp(i64::from(date(text).unwrap()) * DAY + more);
    let bins = [moment("2024-12-30", -1), moment("2024-12-30", 0), moment("2025-01-06", -1), moment("2025-01-06", 0)];
    assert_eq!(bins.map(|value| weeks.bin(&value)), [2, 0, 0, 1]);
    let words = ["b", "a"].map(|word| Literal::String(word.into()));
    let listed = Bins::listed(&column(Type::String, words.to_vec())).unwrap();
    assert_eq!(words.map(|word| listed.bin(&word)), [1, 0]);
    assert_eq!(Bins::listed(&column(Type::Boolean, Vec::new())).unwrap().outside(), 2);
}

#[test]
fn what_is_no_bins_is_refused() {
    let whole = Type::Integer(Digits::STORED);
    for wrong in [&["2", "1"][..], &["1", "1"], &["1.5"], &["x"], &["-9223372036854775808"]] {
        assert!(points(whole, wrong).is_err(), "{wrong:?}");
    }
    assert!(points(Type::Float, &["NaN"]).is_err() && points(Type::Float, &["inf"]).is_err());
    assert!(points(Type::String, &["a"]).is_err() && points(whole, &[]).is_err());
    for (from, to, period) in [
        ("2024-01-02", "2024-03-01", "month"),
        ("2024-01-01", "2024-01-02", "week"),
        ("2024-01-01", "2024-01-01", "day"),
        ("2024-02-01", "2024-01-01", "month"),
        ("2024-01-01", "2024-02-01", "fortnight"),
        ("2024-01-01", "2024-04-01", "quarter"),
        ("1900-01-01", "2100-01-01", "hour"),
    ] {
        assert!(calendar(Type::Timestamp, from, to, period).is_err(), "{from} {to} {period}");
    }
    assert!(calendar(Type::Date, "2024-01-01", "2024-01-02", "hour").is_err());
    assert!(calendar(Type::Timestamp, "2014-01-01", "2025-01-01", "hour").is_ok());
    assert!(Bins::listed(&column(whole, Vec::new())).is_err());
    assert!(Bins::of_measure(&column(whole, Vec::new()), &[0.5]).is_err());
    assert!(Bins::of_measure(&column(Type::Boolean, Vec::new()), &[0.0]).is_err());
}

proptest! {
    #[test]
    fn each_value_lies_in_one_bin_and_that_has_it(
        cuts in proptest::collection::btree_set(-50_i64..50, 1..8), value in -60_i64..60,
    ) {
        let bins = Bins::Cuts(Scale::Integer, cuts.into_iter().collect());
        let has = |bin: &u32| matches!(bins.content(*bin), Content::Between(_, from, last) if from <= value && value <= last);
        let having: Vec<u32> = (0..=bins.outside()).filter(has).collect();
        prop_assert_eq!(having, vec![bins.bin(&Literal::Integer(value))]);
    }
}
