//! Names, keys and listed words: what is taken is written as it is read, and can do no harm where it goes.

#![no_main]

use std::{
    fmt::{Debug, Display},
    path::{Component, Path},
    str::FromStr,
};

use http::HeaderValue;
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi_fuzz::text;
use octroi_proto::{
    AgreementId, DatasetId, DatasetState, GrantAction, GrantId, Impact, Level, MediaType, ObjectKey, OrganisationId,
    PrincipalName, PrincipalState, Purpose, Reason, RequestId, RequestState, Role, Visibility, dataset::Retention,
};

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=11)? {
        0 => label::<DatasetId>(&text(input)),
        1 => label::<PrincipalName>(&text(input)),
        2 => label::<OrganisationId>(&text(input)),
        3 => label::<AgreementId>(&text(input)),
        4 => drop(read::<RequestId>(&text(input))),
        5 => drop(read::<GrantId>(&text(input))),
        6 => line::<Purpose>(&text(input), 200),
        7 => line::<Reason>(&text(input), 500),
        8 => object_key(&text(input)),
        9 => media_type(&text(input)),
        10 => retention(&text(input)),
        _ => words(input.arbitrary()?, &text(input)),
    }
    Ok(())
}

/// What the text parses into; it is written so that it parses into the same again.
fn read<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(parsed) => {
            let written = parsed.to_string();
            assert_eq!(written.parse::<T>().ok().as_ref(), Some(&parsed), "written as `{written}`");
            Some(parsed)
        }
        Err(refusal) => {
            let sentence = refusal.to_string();
            assert!(!sentence.is_empty() && sentence.is_ascii(), "a refusal never quotes what it refuses");
            None
        }
    }
}

/// Safe as a folder's name, in a URL and in HTML.
fn label<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) {
    if let Some(label) = read::<T>(text) {
        let label = label.to_string();
        assert_eq!(label, text);
        assert!((3..=63).contains(&label.len()));
        assert!(label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')));
    }
}

fn line<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str, most: usize) {
    if let Some(line) = read::<T>(text) {
        let line = line.to_string();
        assert_eq!(line, text.trim());
        assert!((1..=most).contains(&line.chars().count()) && !line.chars().any(char::is_control));
    }
}

/// Stays below the folder it is put in, as the standard library sees paths.
fn object_key(text: &str) {
    if let Some(key) = read::<ObjectKey>(text) {
        assert_eq!(key.as_str(), text);
        let path = Path::new(text);
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
        assert_eq!(path.components().count(), text.split('/').count());
        assert!(!text.contains(['\\', '\0', '\r', '\n']) && text.len() <= 512);
    }
}

/// Goes into a `Content-Type` header and comes out the same.
fn media_type(text: &str) {
    if let Ok(kind) = text.parse::<MediaType>() {
        let header = HeaderValue::from_str(kind.as_str()).expect("a media type is a header's value");
        assert_eq!(header.to_str().ok(), Some(text));
        assert_eq!(text.trim(), text, "a header's value loses the white space around it");
        assert_eq!(kind.as_str().parse::<MediaType>().ok(), Some(kind));
    }
}

/// ISO 8601 in calendar units, by a slow obvious reading.
fn retention(text: &str) {
    if let Some(retention) = read::<Retention>(text) {
        assert_eq!(retention.as_str(), text);
        let mut units = b"YMWD".iter();
        let mut rest = text.strip_prefix('P').expect("it begins with `P`");
        while !rest.is_empty() {
            let (digits, tail) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
            let unit = tail.as_bytes().first().expect("a number has a unit").to_ascii_uppercase();
            assert!(!digits.is_empty() && units.any(|known| *known == unit), "`{text}`");
            rest = &tail[1..];
        }
    }
}

macro_rules! listed {
    ($number:expr, $text:expr, $($list:ident),+) => {$(
        if let Some(word) = read::<$list>($text) {
            assert_eq!(word.as_str(), $text);
        }
        if let Ok(Some(word)) = $list::from_wire($number) {
            assert_eq!(i32::from(word.to_wire()), $number);
            assert!($list::ALL.contains(&word));
        }
    )+};
}

fn words(number: i32, text: &str) {
    let number = if number % 2 == 0 { number.rem_euclid(16) } else { number };
    listed!(number, text, Level, Impact, Visibility, DatasetState, Role, PrincipalState, GrantAction, RequestState);
}
