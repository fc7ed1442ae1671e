//! Objects in a bucket instead of a folder: an S3 server that is not ours.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use octroi_tests::{City, python, wait_until};

/// moto's S3 server, on loopback, with a bucket `octroi`.
struct Bucket(Child, u16);

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bucket() -> Bucket {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let interpreter = std::env::var_os("OCTROI_PYTHON").expect("run the tests with `cargo xtask test`");
    let child = Command::new(interpreter)
        .args(["-m", "moto.server", "--host", "127.0.0.1", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bucket = Bucket(child, port);
    wait_until("the S3 server", Duration::from_secs(60), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    python("bucket.py", &["make", &format!("http://127.0.0.1:{port}")]).expect();
    bucket
}

#[test]
fn a_bucket_serves_as_well_as_a_folder_and_sees_only_ciphertext() {
    let bucket = bucket();
    let endpoint = format!("http://127.0.0.1:{}", bucket.1);
    let mut city = City::init(&[]);
    city.remove("objects", "path");
    city.set(&[
        ("objects", "kind", "\"s3\""),
        ("objects", "endpoint", &format!("\"{endpoint}\"")),
        ("objects", "bucket", "\"octroi\""),
        ("objects", "region", "\"eu-west-3\""),
        ("objects", "credentials", "\"state/s3.toml\""),
    ]);
    city.secret("state/s3.toml", "access_key_id = \"test\"\nsecret_access_key = \"test\"\n");
    city.serve();
    city.staff();
    city.dataset("counters", "public", "");
    let bytes: Vec<u8> = b"hour,counter\n".iter().copied().cycle().take(20_000_000).collect();
    city.put("claire", "counters", "big.csv", &bytes).expect();
    let url = city.public("dataset/counters/files/big.csv");
    assert!(city.curl(&[&url]).expect(200).body == bytes);
    assert_eq!(city.curl(&["--range", "13000000-13000011", &url]).expect(206).text(), "hour,counter");
    // Names and contents there say nothing.
    let listed = python("bucket.py", &["list", &endpoint]).expect().out;
    let [name, length, found] = listed.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{listed}") };
    assert!(!name.contains("big") && length.parse::<usize>().unwrap() > bytes.len() && found == "False", "{listed}");
    city.octroi("claire", &["object", "delete", "counters", "big.csv"]).expect();
    city.curl(&[&url]).expect(404);
    assert_eq!(python("bucket.py", &["list", &endpoint]).expect().out, "");
    // A store that is gone is the protocol's own error, and nothing is acknowledged.
    drop(bucket);
    city.put("claire", "counters", "late.csv", "1").refused("");
}
