//! What the listeners let in, seen with clients that are not ours.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use octroi_tests::{City, python};

/// `openssl s_client` to a port, with these options; all that it printed.
fn s_client(city: &City, port: u16, options: &[&str]) -> (bool, String) {
    let output = Command::new("timeout")
        .args(["10", "openssl", "s_client", "-connect", &format!("localhost:{port}"), "-servername", "localhost"])
        .args(["-verify_return_error", "-CAfile", city.authority().to_str().unwrap()])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

#[test]
fn tls_is_1_3_unless_the_public_listener_is_told_otherwise() {
    let city = City::start(&[]);
    let [public, api, _] = city.ports();
    for port in [public, api] {
        let (ok, text) = s_client(&city, port, &["-tls1_3"]);
        assert!(ok && text.contains("TLSv1.3"), "{text}");
        for old in ["-tls1_2", "-tls1_1"] {
            let (ok, text) = s_client(&city, port, &[old]);
            assert!(!ok, "{old}: {text}");
        }
    }
    let lenient = City::start(&[("listen.public", "tls12", "true")]);
    let [public, api, _] = lenient.ports();
    let (ok, text) = s_client(&lenient, public, &["-tls1_2"]);
    assert!(ok && text.contains("ECDHE"), "{text}");
    assert!(!s_client(&lenient, public, &["-tls1_2", "-cipher", "AES128-SHA"]).0);
    assert!(!s_client(&lenient, api, &["-tls1_2"]).0);
}

#[test]
fn only_the_api_listener_asks_for_a_certificate_and_it_resumes_nothing() {
    let city = City::start(&[]);
    let [public, api, _] = city.ports();
    let (_, text) = s_client(&city, public, &[]);
    assert!(text.contains("No client certificate CA names sent"), "{text}");
    let (_, text) = s_client(&city, api, &[]);
    assert!(text.contains("Acceptable client certificate CA names"), "{text}");
    assert!(!text.contains("New Session Ticket arrived"), "{text}");
}

#[test]
fn plain_http_gets_nothing_but_health_on_loopback() {
    let city = City::start(&[]);
    let [public, api, _] = city.ports();
    for port in [public, api] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    }
    for path in ["health", "ready", "metrics"] {
        city.health(path).expect(200);
    }
    city.health("catalog.ttl").expect(404);
}

#[test]
fn both_versions_of_http_are_spoken() {
    let city = City::start(&[]);
    for (option, version) in [("--http1.1", "HTTP/1.1 200"), ("--http2", "HTTP/2 200")] {
        for url in [city.public("catalog.ttl"), city.api("v1/whoami")] {
            let output =
                Command::new("curl").args(["-si", option, "--cacert"]).arg(city.authority()).arg(url).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.starts_with(version), "{text}");
        }
    }
}

#[test]
fn another_authority_is_misdirected() {
    let city = City::start(&[]);
    for url in [city.public("catalog.ttl"), city.api("v1/whoami")] {
        for version in ["--http1.1", "--http2"] {
            city.curl(&[version, "--header", "Host: evil.example", &url]).expect(421);
        }
    }
}

#[test]
fn headers_and_bodies_have_limits() {
    let city = City::start(&[("limits", "body_bytes", "1024")]);
    let long = format!("X-Long: {}", "x".repeat(20_000));
    let answer = city.curl(&["--http1.1", "--header", &long, &city.public("catalog.ttl")]);
    assert_eq!(answer.status, 431);
    // HTTP/2 may refuse by answer or by ending the stream; it must not serve.
    assert_ne!(city.curl(&["--http2", "--header", &long, &city.public("catalog.ttl")]).status, 200);
    city.staff();
    city.onboard("voltaic", "voltaic-sas", "vendor");
    city.dataset("climate", "quasi-sensitive", "");
    let body = format!(r#"{{"purpose": "{}"}}"#, "x".repeat(5_000));
    city.curl_as("voltaic", &["--data", &body, &city.api("v1/datasets/climate/requests")]).expect(413);
    // What streams is not held to the limit of what does not.
    city.put("claire", "climate", "a", vec![1; 100_000]).expect();
}

#[test]
fn connections_are_counted_and_the_slow_are_shown_out() {
    let city = City::start(&[("limits", "connections_per_address", "3"), ("limits", "handshake_seconds", "1")]);
    let [public, ..] = city.ports();
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", public)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    };
    let start = Instant::now();
    let mut silent = [(); 3].map(|()| connect());
    let mut fourth = connect();
    let mut byte = [0; 1];
    // The fourth is closed at once; the silent ones when their handshake has taken too long.
    assert!(matches!(fourth.read(&mut byte), Ok(0) | Err(_)) && start.elapsed() < Duration::from_millis(900));
    assert!(matches!(silent[0].read(&mut byte), Ok(0) | Err(_)));
    assert!(start.elapsed() < Duration::from_secs(3), "after {:?}", start.elapsed());
    drop(silent);
    std::thread::sleep(Duration::from_millis(300));
    city.curl(&[&city.public("catalog.ttl")]).expect(200);
}

#[test]
fn health_and_reflection_answer_grpcio() {
    let city = City::start(&[]);
    let port = city.ports()[1].to_string();
    assert!(python("probe.py", &[&port, city.authority().to_str().unwrap()]).expect().out.contains("all seen"));
}

#[test]
fn metrics_name_no_caller_and_no_dataset() {
    let city = City::start(&[]);
    city.staff();
    city.dataset("counters", "public", "");
    city.curl(&[&city.public("dataset/counters")]).expect(200);
    let metrics = city.health("metrics").expect(200).text();
    assert!(metrics.contains("octroi_"), "{metrics}");
    assert!(!metrics.contains("counters") && !metrics.contains("claire"), "{metrics}");
}
