//! Who may call: certificates, approvals, tokens.

use std::{
    net::TcpListener,
    process::{Child, Command},
    time::Duration,
};

use octroi_tests::{Answer, City, wait_until};

#[test]
fn certificates_say_who_calls() {
    let city = City::start(&[]);
    city.staff();
    let who = city.octroi("claire", &["whoami", "--json"]).expect().json();
    assert_eq!(
        (&who["name"], &who["role"], &who["credential"]),
        (&"claire".into(), &"steward".into(), &"certificate".into())
    );
    // Without a certificate one is anonymous, which is enough to ask and not to see.
    assert!(city.curl(&[&city.api("v1/whoami")]).expect(200).text().contains("anonymous"));
    city.curl(&[&city.api("v1/datasets/none/objects")]).expect(404);
}

#[test]
fn another_authoritys_certificate_is_no_certificate() {
    let city = City::start(&[]);
    let other = City::init(&[]);
    let (certificate, key) = (other.identity("operator", "certificate.pem"), other.identity("operator", "key.pem"));
    let answer =
        city.curl(&["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap(), &city.api("v1/whoami")]);
    assert_eq!(answer.status, 0, "{}", answer.text());
    assert_ne!(answer.exit, 0);
}

#[test]
fn roles_that_reach_data_wait_for_a_steward_and_a_second_person() {
    let city = City::start(&[]);
    city.staff();
    city.dataset("climate", "quasi-sensitive", "");
    let out = city.data().join("identities/voltaic");
    let add =
        ["principal", "add", "voltaic", "--org", "voltaic-sas", "--role", "vendor", "--out", out.to_str().unwrap()];
    assert!(city.octroi("operator", &add).expect().out.contains("waits"));
    let ask = ["request", "make", "climate", "--purpose", "research"];
    city.octroi("voltaic", &ask).refused("approv");
    city.octroi("marc", &["principal", "approve", "voltaic"]).expect();
    city.octroi("marc", &["principal", "approve", "voltaic"]).refused("already");
    city.octroi("operator", &["principal", "approve", "voltaic"]).expect();
    // Two people, but no steward among them.
    city.octroi("voltaic", &ask).refused("approv");
    city.octroi("claire", &["principal", "approve", "voltaic"]).expect();
    city.octroi("voltaic", &ask).expect();
    // A name is never given twice, and a taken folder is not written to.
    city.octroi("operator", &add).refused("");
    city.octroi("operator", &["principal", "revoke", "voltaic", "--reason", "end of contract"]).expect();
    city.octroi("voltaic", &ask).refused("");
    let again = city.beside("again");
    let add =
        ["principal", "add", "voltaic", "--org", "voltaic-sas", "--role", "vendor", "--out", again.to_str().unwrap()];
    city.octroi("operator", &add).refused("taken");
    assert!(!again.exists());
}

#[test]
fn nobody_can_make_the_city_begin_anew() {
    let city = City::start(&[]);
    city.staff();
    // The last steward cannot go, so an operator cannot let in stewards of its own as if there had been none.
    city.octroi("operator", &["principal", "revoke", "claire", "--reason", "coup"]).refused("steward");
    city.octroi("operator", &["organisation", "revoke", "dijon-metropole", "--reason", "coup"]).refused("steward");
    city.onboard("paul", "dijon-metropole", "steward");
    city.octroi("operator", &["principal", "revoke", "claire", "--reason", "retired"]).expect();
    let out = city.beside("puppet");
    let add = ["principal", "add", "puppet", "--org", "mine", "--role", "steward", "--out", out.to_str().unwrap()];
    assert!(city.octroi("operator", &add).expect().out.contains("waits"));
    city.octroi("operator", &["principal", "approve", "puppet"]).expect();
    assert!(
        city.octroi("operator", &["principal", "list"])
            .expect()
            .out
            .lines()
            .any(|line| line.contains("puppet") && line.contains("waiting"))
    );
}

#[test]
fn a_principal_can_keep_its_key_to_itself() {
    let city = City::start(&[]);
    city.staff();
    let (own, issued) = (city.beside("own"), city.beside("issued"));
    city.plain(&["identity", own.to_str().unwrap()]).expect();
    let request = own.join("request.pem");
    let add = [
        "principal",
        "add",
        "audrey",
        "--org",
        "cour-des-comptes",
        "--role",
        "auditor",
        "--request",
        request.to_str().unwrap(),
        "--out",
        issued.to_str().unwrap(),
    ];
    city.octroi("operator", &add).expect();
    assert!(!issued.join("key.pem").exists(), "nobody else ever holds the key");
    city.octroi("claire", &["principal", "approve", "audrey"]).expect();
    city.octroi("operator", &["principal", "approve", "audrey"]).expect();
    std::fs::copy(own.join("key.pem"), issued.join("key.pem")).unwrap();
    let profile = issued.join("profile.toml");
    let said = city.plain(&["--profile", profile.to_str().unwrap(), "whoami"]).expect();
    assert!(said.out.contains("audrey"), "{}", said.out);
    // A file that is no request is refused here, a request that proves nothing is refused there.
    let key = own.join("key.pem");
    let wrong = [
        "principal",
        "add",
        "x-y",
        "--org",
        "abc",
        "--role",
        "auditor",
        "--request",
        key.to_str().unwrap(),
        "--out",
        "nowhere",
    ];
    city.octroi("operator", &wrong).refused("certificate request");
}

#[test]
fn an_organisation_goes_as_a_whole() {
    let city = City::start(&[]);
    city.staff();
    city.onboard("voltaic", "voltaic-sas", "vendor");
    city.dataset("climate", "quasi-sensitive", "");
    city.put("claire", "climate", "a", "1").expect();
    city.lend("voltaic", "climate", &["fetch"], "2027-06-30T00:00:00Z");
    city.octroi("voltaic", &["object", "head", "climate", "a"]).expect();
    let gone = city
        .octroi("claire", &["organisation", "revoke", "voltaic-sas", "--reason", "insolvent", "--json"])
        .expect()
        .json();
    assert_eq!((&gone["principals_revoked"], &gone["grants_revoked"]), (&1.into(), &1.into()));
    city.octroi("voltaic", &["object", "head", "climate", "a"]).refused("");
    let out = city.beside("new");
    let add =
        ["principal", "add", "voltaic-2", "--org", "voltaic-sas", "--role", "vendor", "--out", out.to_str().unwrap()];
    city.octroi("operator", &add).refused("revoked");
}

struct Issuer(Child, u16);

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real OIDC issuer over TLS, which writes tokens of every kind into a folder.
fn issuer(city: &City) -> Issuer {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let python = std::env::var_os("OCTROI_PYTHON").expect("run the tests with `cargo xtask test`");
    let child = Command::new(python)
        .arg(octroi_tests::repository().join("tests/python/issuer.py"))
        .arg(port.to_string())
        .args([city.data().join("tls/server.pem"), city.data().join("tls/server.key"), city.beside("tokens")])
        .spawn()
        .unwrap();
    let issuer = Issuer(child, port);
    wait_until("the issuer", Duration::from_secs(20), || city.beside("tokens/ready").exists());
    issuer
}

#[test]
fn tokens_of_a_configured_issuer_say_who_calls() {
    let mut city = City::init(&[]);
    let issuer = issuer(&city);
    let url = format!("https://localhost:{}", issuer.1);
    city.append(&format!(
        "[[oidc]]\nissuer = \"{url}\"\naudience = \"octroi\"\nca = \"authority/ca.pem\"\nrefetch_seconds = 1\n"
    ));
    city.serve();
    city.staff();
    let add = ["principal", "add", "jeanne", "--org", "universite", "--role", "auditor", "--oidc", &url, "jeanne-sub"];
    city.octroi("operator", &add).expect();
    let twin = ["principal", "add", "twin", "--org", "universite", "--role", "auditor", "--oidc", &url, "jeanne-sub"];
    city.octroi("operator", &twin).refused("");
    let stranger =
        ["principal", "add", "other", "--org", "universite", "--role", "auditor", "--oidc", "https://elsewhere", "s"];
    city.octroi("operator", &stranger).refused("oidc");

    let whoami = |token: &str| -> Answer {
        let token = std::fs::read_to_string(city.beside("tokens").join(token)).unwrap();
        city.curl(&["--header", &format!("Authorization: Bearer {token}"), &city.api("v1/whoami")])
    };
    // Not before two people have approved.
    whoami("good").expect(401);
    city.octroi("claire", &["principal", "approve", "jeanne"]).expect();
    city.octroi("marc", &["principal", "approve", "jeanne"]).expect();
    let answer = whoami("good").expect(200);
    assert!(answer.text().contains("jeanne") && answer.text().contains("token"), "{}", answer.text());
    whoami("good-ec").expect(200);
    for bad in [
        "expired",
        "not-yet",
        "wrong-audience",
        "wrong-issuer",
        "unknown-subject",
        "unknown-key",
        "alg-none",
        "hs256-with-public-key",
        "bad-signature",
        "no-expiry",
        "by-email",
    ] {
        let answer = whoami(bad);
        assert_eq!(answer.status, 401, "{bad}: {}", answer.text());
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{bad}");
    }
    for garbage in ["", "x", "a.b.c", "....", &"A".repeat(9_000)] {
        let answer = city.curl(&["--header", &format!("Authorization: Bearer {garbage}"), &city.api("v1/whoami")]);
        assert_eq!(answer.status, 401, "{garbage}");
    }
    // A certificate and a token at once: which of them calls? Neither.
    let token = std::fs::read_to_string(city.beside("tokens/good")).unwrap();
    city.curl_as("claire", &["--header", &format!("Authorization: Bearer {token}"), &city.api("v1/whoami")])
        .expect(401);
    // The public listener knows nobody: a good token shows nothing more there, a bad one nothing less.
    city.dataset("trips", "sensitive", "metadata_visibility = \"members\"");
    for token in [token.as_str(), "garbage"] {
        let bearer = format!("Authorization: Bearer {token}");
        city.curl(&["--header", &bearer, &city.public("dataset/trips")]).expect(404);
        city.curl(&["--header", &bearer, &city.public("catalog.ttl")]).expect(200);
    }
    // The issuer changes its keys; the gateway follows.
    std::fs::write(city.beside("tokens/rotate"), "").unwrap();
    wait_until("new keys", Duration::from_secs(10), || city.beside("tokens/rotated").exists());
    std::thread::sleep(Duration::from_millis(1_100));
    whoami("rotated").expect(200);
    // A token never reaches the log.
    let signature = token.rsplit('.').next().unwrap().to_owned();
    assert!(!city.log().contains(&signature));
}
