//! Through real sockets and real handshakes, with clients that are not ours.

use super::*;
use crate::{
    clock::SystemClock,
    listen::{Door, Names, Peer, tls::Identity},
    settings::{Limits, Settings},
};
use axum::{Router, body::Body, extract::Request, routing::get};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use std::{os::unix::fs::PermissionsExt, time::Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority, and all that it has signed.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

struct Leaf {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        Leaf { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Public { tls12: bool },
    Api,
}

/// A listener, and what a client needs to reach it.
struct House {
    authority: Authority,
    address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl House {
    async fn open(kind: Kind, limits: &str) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let server = authority.sign("localhost");
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        let mut settings = Settings::default();
        settings.tls.certificate = file("server.pem", &server.certificate);
        settings.tls.key = file("server.key", &server.key);
        settings.tls.authority = file("ca.pem", &authority.pem);
        let identity = Identity::load(&settings, Arc::new(SystemClock)).unwrap();
        let config = match kind {
            Kind::Public { tls12 } => identity.public(tls12),
            Kind::Api => identity.api(),
        };
        let front = Front {
            name: "test",
            door: Door::Tls(config.unwrap()),
            names: Names::new(["localhost".parse().unwrap(), "data.example".parse().unwrap()]),
            limits: toml::from_str::<Limits>(limits).unwrap(),
            pace: None,
            routes: routes(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, Arc::new(front), stop.clone()));
        Self { authority, address, stop, serving }
    }

    fn config(&self, identity: Option<&Leaf>, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(crate::listen::tls::provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(leaf) => {
                let chain = vec![CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        }
    }

    async fn dial(&self, identity: Option<&Leaf>) -> io::Result<TlsStream<TcpStream>> {
        self.dial_by(self.config(identity, &[&rustls::version::TLS13])).await
    }

    async fn dial_by(&self, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn ask(&self, head: &str) -> String {
        exchange(self.dial(None).await.unwrap(), head).await.unwrap()
    }
}

async fn exchange(mut stream: TlsStream<TcpStream>, head: &str) -> io::Result<String> {
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn routes() -> Router {
    let who = |request: Request| async move {
        let peer = request.extensions().get::<Peer>().unwrap().clone();
        format!("{:?} {} {:?}", request.version(), peer.certificate.is_some(), peer.server_name)
    };
    let slow = || async {
        sleep(Duration::from_millis(600)).await;
        "done"
    };
    let endless = || async {
        let pieces = futures::stream::repeat_with(|| Ok::<_, io::Error>(vec![0_u8; 65_536]));
        Body::from_stream(pieces)
    };
    Router::new()
        .route("/", get(who))
        .route("/slow", get(slow))
        .route("/never", get(std::future::pending::<String>))
        .route("/endless", get(endless))
}

const HEAD: &str = "GET / HTTP/1.1\r\nhost: localhost";

#[tokio::test]
async fn the_api_takes_a_certificate_and_does_without() {
    let house = House::open(Kind::Api, "").await;
    let anonymous = house.ask(HEAD).await;
    assert!(anonymous.ends_with("HTTP/1.1 false Some(\"localhost\")"), "{anonymous}");
    let leaf = house.authority.sign("vendor");
    let member = exchange(house.dial(Some(&leaf)).await.unwrap(), HEAD).await.unwrap();
    assert!(member.contains("HTTP/1.1 true"), "{member}");
    let stranger = Authority::new().sign("vendor");
    let refused = async { exchange(house.dial(Some(&stranger)).await?, HEAD).await }.await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn the_public_listener_asks_for_no_certificate() {
    let house = House::open(Kind::Public { tls12: false }, "").await;
    let leaf = house.authority.sign("vendor");
    let answer = exchange(house.dial(Some(&leaf)).await.unwrap(), HEAD).await.unwrap();
    assert!(answer.contains("HTTP/1.1 false"), "{answer}");
}

#[tokio::test]
async fn http2_by_agreement() {
    let house = House::open(Kind::Api, "").await;
    let client = reqwest::Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(house.authority.pem.as_bytes()).unwrap())
        .resolve("localhost", house.address)
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/", house.address.port());
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert!(answer.text().await.unwrap().starts_with("HTTP/2.0 false"));
    let large = client.get(&url).header("x-large", "x".repeat(20_000)).send().await;
    assert!(large.map_or(true, |answer| answer.status() == 431));
    let misdirected = client.get(&url).header("host", "evil.example").send().await.unwrap();
    assert!(matches!(misdirected.status().as_u16(), 400 | 421));
}

#[tokio::test]
async fn tls_versions_are_as_configured() {
    let tls12 = [&rustls::version::TLS12];
    for (kind, spoken) in
        [(Kind::Api, false), (Kind::Public { tls12: false }, false), (Kind::Public { tls12: true }, true)]
    {
        let house = House::open(kind, "").await;
        assert_eq!(house.dial_by(house.config(None, &tls12)).await.is_ok(), spoken);
        assert!(house.dial(None).await.is_ok());
    }
}

#[tokio::test]
async fn the_api_offers_no_resumption() {
    let house = House::open(Kind::Api, "").await;
    let config = house.config(None, &[&rustls::version::TLS13]);
    for _ in 0..2 {
        let mut stream = house.dial_by(config.clone()).await.unwrap();
        stream.write_all(format!("{HEAD}\r\n\r\n").as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn plain_http_gets_nothing() {
    let house = House::open(Kind::Api, "").await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(format!("{HEAD}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Closed with unread bytes, a reset is as good an end as any.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn only_our_names_are_answered_for() {
    let house = House::open(Kind::Public { tls12: false }, "").await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\nhost: data.example:1234", "200"),
        ("GET / HTTP/1.1\r\nhost: evil.example", "421"),
        ("GET https://evil.example/ HTTP/1.1\r\nhost: localhost", "400"),
        ("GET / HTTP/1.1", "400"),
        ("GET / HTTP/1.0", "400"),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost", "400"),
        ("GET /nowhere HTTP/1.1\r\nhost: localhost", "404"),
    ] {
        let answer = house.ask(head).await;
        assert!(answer.split(' ').nth(1) == Some(status), "{head}: {answer}");
    }
    let mut config = house.config(None, &[&rustls::version::TLS13]);
    config.enable_sni = false;
    let answer = exchange(house.dial_by(config).await.unwrap(), HEAD).await.unwrap();
    assert!(answer.contains("200"), "{answer}");
}

#[tokio::test]
async fn headers_are_bounded() {
    let house = House::open(Kind::Api, "header_bytes = 8192").await;
    let answer = house.ask(&format!("{HEAD}\r\nx-large: {}", "x".repeat(9000))).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn connections_are_bounded_and_given_back() {
    let house = House::open(Kind::Api, "connections_per_address = 2").await;
    let (first, _second) = (house.dial(None).await.unwrap(), house.dial(None).await.unwrap());
    assert!(house.dial(None).await.is_err());
    drop(first);
    for _ in 0..50 {
        sleep(Duration::from_millis(20)).await;
        if house.dial(None).await.is_ok() {
            return;
        }
    }
    panic!("the seat was not given back");
}

#[tokio::test]
async fn who_does_not_speak_is_let_go() {
    let house = House::open(Kind::Api, "handshake_seconds = 1\nheader_seconds = 1").await;
    let begun = Instant::now();
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    let mut halfway = house.dial(None).await.unwrap();
    halfway.write_all(b"GET / HTT").await.unwrap();
    let mut rest = Vec::new();
    let _ = halfway.read_to_end(&mut rest).await;
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn what_takes_too_long_is_said_to() {
    let house = House::open(Kind::Api, "request_seconds = 1").await;
    let answer = house.ask("GET /never HTTP/1.1\r\nhost: localhost").await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    let call = "POST /never HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc\r\ncontent-length: 0";
    let answer = house.ask(&call.replace("POST", "GET")).await;
    assert!(answer.contains("grpc-status: 4"), "{answer}");
}

#[tokio::test]
async fn who_does_not_read_is_cut() {
    let house = House::open(Kind::Api, "idle_seconds = 1").await;
    let mut stream = house.dial(None).await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(4)).await;
    // What was sent before is still there to read; its end is not the body's.
    let mut got = vec![0; 1 << 20];
    let ended = timeout(Duration::from_secs(20), async {
        loop {
            match stream.read(&mut got).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    });
    ended.await.unwrap();
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_it_began() {
    let house = House::open(Kind::Api, "").await;
    let stream = house.dial(None).await.unwrap();
    let _idle = house.dial(None).await.unwrap();
    let asked = tokio::spawn(exchange(stream, "GET /slow HTTP/1.1\r\nhost: localhost"));
    sleep(Duration::from_millis(200)).await;
    house.stop.cancel();
    let answer = asked.await.unwrap().unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    timeout(Duration::from_secs(10), house.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(house.address).await.is_err());
}
