//! Borrowing quasi-sensitive data: ask, grant, use, revoke.

use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use octroi_tests::{City, python};

fn city() -> City {
    let city = City::start(&[]);
    city.staff();
    city.onboard("voltaic", "voltaic-sas", "vendor");
    city.dataset("climate", "quasi-sensitive", "");
    city
}

const LATER: &str = "2027-06-30T00:00:00Z";

#[test]
fn a_vendor_finds_metadata_asks_and_borrows() {
    let city = city();
    city.put("claire", "climate", "a.csv", "block,temperature\nA,19.5\n").expect();
    let turtle = city.curl(&[&city.public("catalog.ttl")]).expect(200).text();
    assert!(
        turtle.contains("/access/climate") && !turtle.contains("downloadURL") && !turtle.contains("a.csv"),
        "{turtle}"
    );
    city.curl(&[&city.public("access/climate")]).expect(200);
    city.curl(&[&city.public("dataset/climate/files/a.csv")]).expect(401);
    city.octroi("voltaic", &["object", "get", "climate", "a.csv"]).refused("policy");
    city.octroi("voltaic", &["object", "list", "climate"]).refused("policy");
    city.octroi("voltaic", &["request", "make", "climate", "--purpose", "advertising"]).refused("purpose");

    let grant = city.lend("voltaic", "climate", &["fetch", "store"], LATER);
    let out = city.beside("a.csv");
    let got = city
        .octroi("voltaic", &["object", "get", "climate", "a.csv", "--out", out.to_str().unwrap(), "--json"])
        .expect()
        .json();
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "block,temperature\nA,19.5\n");
    assert_eq!(got["notice"]["scope"], "network planning");
    city.put("voltaic", "climate", "b.csv", "1").expect();
    city.put("voltaic", "climate", "b.csv", "2").expect();
    city.put("voltaic", "climate", "a.csv", "not the city's").refused("policy");
    assert_eq!(city.octroi("voltaic", &["object", "list", "climate", "--json"]).expect().json_lines().len(), 2);

    city.octroi("claire", &["grant", "revoke", &grant, "--reason", "end of study"]).expect();
    city.octroi("voltaic", &["object", "get", "climate", "a.csv"]).refused("policy");
    city.put("voltaic", "climate", "c.csv", "1").refused("policy");
}

#[test]
fn a_vendor_replaces_nothing_but_its_own() {
    let city = city();
    city.onboard("ohmega", "ohmega-sarl", "vendor");
    city.put("claire", "climate", "a.csv", "the city's").expect();
    for vendor in ["voltaic", "ohmega"] {
        city.lend(vendor, "climate", &["fetch", "store"], LATER);
    }
    city.put("voltaic", "climate", "a.csv", "mine now").refused("policy");
    city.put("voltaic", "climate", "model.csv", "1").expect();
    city.put("ohmega", "climate", "model.csv", "poison").refused("policy");
    city.put("voltaic", "climate", "model.csv", "2").expect();
    let out = city.beside("a.csv");
    city.octroi("ohmega", &["object", "get", "climate", "a.csv", "--out", out.to_str().unwrap()]).expect();
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "the city's");
}

#[test]
fn access_is_asked_and_used_over_https_too() {
    let city = city();
    city.put("claire", "climate", "a.csv", "0123456789").expect();
    let url = city.api("v1/datasets/climate/requests");
    let asked = city.curl_as("voltaic", &["--data", r#"{"purpose": "research"}"#, &url]).expect(201);
    let request: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    let id = request["id"].as_str().unwrap();
    assert_eq!(asked.header("location"), format!("/v1/requests/{id}"));
    city.octroi("claire", &["request", "grant", id, "--days", "2"]).expect();
    let shown = city.curl_as("voltaic", &[&city.api(&format!("v1/requests/{id}"))]).expect(200);
    assert!(shown.text().contains("\"granted\""));
    let object = city.api("v1/datasets/climate/objects/a.csv");
    assert_eq!(city.curl_as("voltaic", &["--range", "2-4", &object]).expect(206).text(), "234");
    // The grant is for fetching alone.
    let upload = city.file("b.csv", "1");
    city.curl_as(
        "voltaic",
        &["--upload-file", upload.to_str().unwrap(), &city.api("v1/datasets/climate/objects/b.csv")],
    )
    .expect(403);
    // Claire may, and what she stores by HTTPS is there.
    let stored = city.curl_as(
        "claire",
        &["--upload-file", upload.to_str().unwrap(), &city.api("v1/datasets/climate/objects/b.csv")],
    );
    assert_eq!(stored.status, 201);
    city.curl_as("claire", &["--request", "DELETE", &city.api("v1/datasets/climate/objects/b.csv")]).expect(204);
    city.curl_as("voltaic", &[&city.api("v1/datasets/climate/objects/b.csv")]).expect(404);
    // Bad bodies are told what is right.
    let bad = city.curl_as("voltaic", &["--data", "purpose=research", &url]).expect(400);
    assert!(bad.text().contains("must be JSON"), "{}", bad.text());
}

#[test]
fn grpcio_on_the_published_protos_walks_the_vendors_way() {
    let city = city();
    city.put("claire", "climate", "a.csv", vec![7_u8; 3_000_000]).expect();
    city.lend("voltaic", "climate", &["fetch", "store"], LATER);
    let port = city.ports()[1].to_string();
    let (ca, certificate, key) =
        (city.authority(), city.identity("voltaic", "certificate.pem"), city.identity("voltaic", "key.pem"));
    let said =
        python("vendor.py", &[&port, ca.to_str().unwrap(), certificate.to_str().unwrap(), key.to_str().unwrap()]);
    assert!(said.expect().out.contains("all seen"));
}

/// A download whose reader takes its time, so that it is under way until something ends it.
struct Download {
    child: Child,
    reader: JoinHandle<(usize, Instant)>,
    hurry: Arc<AtomicBool>,
}

impl Download {
    fn start(city: &City) -> Self {
        let mut child = Command::new("curl")
            .args(["--silent", "--no-buffer", "--cacert"])
            .arg(city.authority())
            .arg("--cert")
            .arg(city.identity("voltaic", "certificate.pem"))
            .arg("--key")
            .arg(city.identity("voltaic", "key.pem"))
            .arg(city.api("v1/datasets/climate/objects/big"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 1]).unwrap();
        let hurry = Arc::new(AtomicBool::new(false));
        let hurried = Arc::clone(&hurry);
        let reader = thread::spawn(move || {
            let (mut received, mut buffer) = (1, vec![0; 64 << 10]);
            loop {
                match stdout.read(&mut buffer) {
                    Ok(0) | Err(_) => return (received, Instant::now()),
                    Ok(count) => received += count,
                }
                if !hurried.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(15));
                }
            }
        });
        Self { child, reader, hurry }
    }

    /// Reads on at full speed; how much came in all, and when it ended.
    fn end(mut self) -> (usize, Instant) {
        self.hurry.store(true, Ordering::Relaxed);
        let (received, at) = self.reader.join().unwrap();
        assert!(!self.child.wait().unwrap().success(), "a cut stream must not look complete");
        (received, at)
    }
}

fn cut_within_a_second(city: &City, end: impl FnOnce()) {
    let download = Download::start(city);
    end();
    let ended = Instant::now();
    let (received, at) = download.end();
    assert!(received < BIG, "{received} bytes were received");
    let lag = at.saturating_duration_since(ended);
    assert!(lag < Duration::from_secs(1), "cut {lag:?} after the end of the permit");
}

/// Bytes of an object that takes a slow reader many seconds.
const BIG: usize = 48_000_000;

#[test]
fn revocation_cuts_a_running_stream_within_a_second() {
    let city = city();
    city.put("claire", "climate", "big", vec![7_u8; BIG]).expect();
    let grant = city.lend("voltaic", "climate", &["fetch"], LATER);
    cut_within_a_second(&city, || {
        city.octroi("claire", &["grant", "revoke", &grant, "--reason", "misuse"]).expect();
    });
    city.lend("voltaic", "climate", &["fetch"], LATER);
    cut_within_a_second(&city, || {
        city.octroi("operator", &["principal", "revoke", "voltaic", "--reason", "stolen key"]).expect();
    });
    city.octroi("voltaic", &["whoami"]).refused("");
}

#[test]
fn withdrawal_and_raising_cut_streams_too() {
    let city = city();
    city.put("claire", "climate", "big", vec![7_u8; BIG]).expect();
    city.lend("voltaic", "climate", &["fetch"], LATER);
    cut_within_a_second(&city, || {
        city.octroi("claire", &["dataset", "withdraw", "climate", "--reason", "fault"]).expect();
    });
    city.octroi("claire", &["dataset", "publish", "climate"]).expect();
    cut_within_a_second(&city, || {
        city.octroi("claire", &["dataset", "raise", "climate", "sensitive", "--reason", "fault"]).expect();
    });
}

#[test]
fn expiry_ends_requests_and_streams() {
    let city = city();
    city.put("claire", "climate", "big", vec![7_u8; BIG]).expect();
    let until = std::process::Command::new("date")
        .args(["--utc", "--date=+4 seconds", "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .unwrap();
    let until = String::from_utf8(until.stdout).unwrap().trim().to_owned();
    city.lend("voltaic", "climate", &["fetch"], &until);
    let start = Instant::now();
    let download = Download::start(&city);
    thread::sleep(Duration::from_secs(4).saturating_sub(start.elapsed()));
    let (received, at) = download.end();
    assert!(
        received < BIG && at - start < Duration::from_millis(5_500),
        "{received} bytes, ended after {:?}",
        at - start
    );
    city.octroi("voltaic", &["object", "get", "climate", "big"]).refused("policy");
}

#[test]
fn agreements_carry_grants_and_stop_them() {
    let city = city();
    city.dataset("strict", "quasi-sensitive", "");
    let strict = octroi_tests::description("strict", "quasi-sensitive", "")
        .replace("agreement_required = false", "agreement_required = true");
    let file = city.file("strict.toml", strict);
    city.octroi("claire", &["dataset", "describe", file.to_str().unwrap()]).expect();
    let request =
        city.octroi("voltaic", &["request", "make", "strict", "--purpose", "research", "--json"]).expect().json();
    let id = request["id"].as_str().unwrap();
    city.octroi("claire", &["request", "grant", id, "--days", "2"]).refused("agreement");
    let agreement = |id: &str, due: &str| {
        city.file(
            "agreement.toml",
            format!(
                "id = \"{id}\"\norganisation = \"voltaic-sas\"\ndatasets = [\"strict\"]\ninformation = \"climate\"\n\
                 functions = \"planning\"\noperation = \"download\"\nresponsibility = \"theirs\"\nreview_due = \"{due}\"\n"
            ),
        )
    };
    let past = agreement("conv-old", "2026-01-01T00:00:00Z");
    let _ = city.octroi("claire", &["agreement", "add", past.to_str().unwrap()]);
    city.octroi("claire", &["request", "grant", id, "--days", "2", "--agreement", "conv-old"]).refused("agreement");
    let live = agreement("conv-new", LATER);
    city.octroi("claire", &["agreement", "add", live.to_str().unwrap()]).expect();
    city.octroi("claire", &["request", "grant", id, "--days", "2", "--agreement", "conv-new"]).expect();
    city.put("claire", "strict", "a", "1").expect();
    city.octroi("voltaic", &["object", "head", "strict", "a"]).expect();
}

#[test]
fn an_upload_that_breaks_off_changes_nothing() {
    let city = city();
    city.put("claire", "climate", "a", "the first").expect();
    // A client that promises more than it sends.
    let short = city.file("short", "only this");
    let broken = city.curl_as(
        "claire",
        &[
            "--request",
            "PUT",
            "--max-time",
            "3",
            "--header",
            "Content-Length: 1000000",
            "--data-binary",
            &format!("@{}", short.display()),
            &city.api("v1/datasets/climate/objects/a"),
        ],
    );
    assert!(broken.status != 200 && broken.status != 201, "{}", broken.status);
    let out = city.beside("a");
    city.octroi("claire", &["object", "get", "climate", "a", "--out", out.to_str().unwrap()]).expect();
    assert_eq!(std::fs::read_to_string(out).unwrap(), "the first");
    // Preconditions hold.
    city.octroi("claire", &["object", "put", "climate", short.to_str().unwrap(), "--key", "a", "--if-absent"])
        .refused("");
    let leftovers = octroi_tests::files_below(&city.data().join("objects"));
    assert_eq!(leftovers.len(), 1, "{:?}", leftovers.iter().map(|(path, _)| path).collect::<Vec<_>>());
}
