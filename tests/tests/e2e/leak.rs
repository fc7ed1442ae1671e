//! Planted values of non-public data are found nowhere but where they belong.

use octroi_tests::{City, contains, files_below};

const PLANTED: &str = "Zorglub-Hallebarde-4711";

#[test]
fn planted_values_are_in_no_store_no_log_and_no_answer() {
    let mut city = City::start(&[("log", "level", "\"trace\"")]);
    city.staff();
    city.onboard("voltaic", "voltaic-sas", "vendor");
    city.dataset("climate", "quasi-sensitive", "");
    city.dataset("counters", "public", "");
    let row = format!("dwelling,tenant,temperature\n17,{PLANTED},19.5\n");
    city.put("claire", "climate", "a.csv", &row).expect();
    city.lend("voltaic", "climate", &["fetch", "store"], "2027-06-30T00:00:00Z");
    let out = city.beside("fetched");
    city.octroi("voltaic", &["object", "get", "climate", "a.csv", "--out", out.to_str().unwrap()]).expect();
    assert_eq!(std::fs::read_to_string(&out).unwrap(), row);
    // Ways that fail with the value in hand: it must not come back in an error.
    let key = format!("{PLANTED}\u{1}.csv");
    let mut answers = vec![
        city.octroi("voltaic", &["object", "put", "climate", out.to_str().unwrap(), "--key", &key]).err,
        city.octroi("voltaic", &["request", "make", "climate", "--purpose", PLANTED]).err,
        city.octroi("voltaic", &["dataset", "show", PLANTED]).err,
        city.curl_as("voltaic", &["--data", PLANTED, &city.api("v1/datasets/climate/requests")]).text(),
        city.curl(&["--header", &format!("Authorization: Bearer {PLANTED}"), &city.api("v1/whoami")]).text(),
        city.curl(&[&city.public(&format!("dataset/climate?{PLANTED}=1"))]).text(),
    ];
    for path in [
        "",
        "catalog.ttl",
        "catalog.jsonld",
        "dataset/climate",
        "access/climate",
        "dataset/climate/files/a.csv",
        "log/checkpoint",
    ] {
        let answer = city.curl(&[&city.public(path)]);
        answers.push(format!("{:?} {}", answer.headers, answer.text()));
    }
    answers.push(city.health("metrics").text());
    assert!(city.stop().success());
    for needle in forms(PLANTED) {
        for answer in &answers {
            assert!(!contains(answer.as_bytes(), &needle), "an answer holds it: {answer}");
        }
        for (path, bytes) in files_below(&city.data()) {
            assert!(!contains(&bytes, &needle), "{} holds it", path.display());
        }
        let log = city.log();
        let line = log.lines().find(|line| contains(line.as_bytes(), &needle));
        assert!(line.is_none(), "the log holds it: {line:?}");
    }
    // Secrets of the gateway's own are not in the log either.
    for secret in ["keys/root.key", "tls/server.key", "state/evidence/log.key"] {
        let secret = std::fs::read_to_string(city.data().join(secret)).unwrap();
        let line = secret.lines().find(|line| line.len() > 30 && !line.contains("-----")).unwrap_or(secret.trim());
        assert!(!city.log().contains(line));
    }
}

/// The value as it stands, in hexadecimal, and in base64 at each of three alignments.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let encode = |skip: usize| -> Vec<u8> {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bytes = &value.as_bytes()[skip..];
        let whole = &bytes[..bytes.len() / 3 * 3];
        let triples = whole.chunks(3).map(|it| u32::from_be_bytes([0, it[0], it[1], it[2]]));
        triples.flat_map(|triple| [18, 12, 6, 0].map(|shift| ALPHABET[(triple >> shift) as usize & 63])).collect()
    };
    let mut forms = vec![value.as_bytes().to_vec(), hex::encode(value).into_bytes()];
    forms.extend([encode(0), encode(1), encode(2)]);
    forms
}
