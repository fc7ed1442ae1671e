use super::*;
use crate::{
    authenticate::{AuthenticateLayer, DirectoryError, PresentedError},
    clock::ManualClock,
};
use axum::{Router, body::Body, routing::get};
use http::{HeaderValue, Request, Response};
use octroi_proto::{CertificateDigest, OidcSubject, Organisation, OrganisationId, Role};
use std::{net::IpAddr, sync::Arc};
use tower::{Layer as _, ServiceExt as _};

const NOW: i64 = 1_790_000_000;
const DIGEST: CertificateDigest = CertificateDigest([7; 32]);

/// A register of one principal.
pub(in crate::authenticate) struct Book {
    principal: Principal,
    organisation_revoked: bool,
    readable: bool,
}

impl Directory for Book {
    fn principal_by_certificate(&self, digest: &CertificateDigest) -> Result<Option<Principal>, DirectoryError> {
        if !self.readable {
            return Err(DirectoryError("disk".into()));
        }
        Ok((*digest == DIGEST).then(|| self.principal.clone()))
    }

    fn principal_by_oidc(&self, _: &OidcSubject) -> Result<Option<Principal>, DirectoryError> {
        Ok(None)
    }

    fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>, DirectoryError> {
        let revoked = self.organisation_revoked;
        Ok(Some(Organisation { id: id.clone(), revoked, generation: 1, added: at(NOW) }))
    }

    fn turned_away(&self) {}
}

fn at(second: i64) -> Instant {
    Instant::from_second(second).unwrap()
}

fn book() -> Book {
    let principal = Principal {
        name: "voltaic".parse().unwrap(),
        organisation: "voltaic-sas".parse().unwrap(),
        role: Role::Vendor,
        state: PrincipalState::Active,
        credential: Credential::Certificate { sha256: DIGEST, expires: at(NOW + 100) },
        approvals: Vec::new(),
        added_by: None,
        added: at(NOW - 100),
        generation: 1,
    };
    Book { principal, organisation_revoked: false, readable: true }
}

fn peer(certificate: Option<PeerCertificate>) -> Peer {
    Peer { address: IpAddr::from([127, 0, 0, 1]), certificate, server_name: None }
}

fn certified() -> Peer {
    peer(Some(PeerCertificate { digest: DIGEST, from: at(NOW - 100), until: at(NOW + 100) }))
}

fn gate(book: Book) -> Authenticator<Book> {
    Authenticator::new(book, Issuers::default(), ManualClock::at(NOW))
}

async fn refusal(book: Book, peer: &Peer) -> AuthenticationError {
    gate(book).authenticate(peer, &HeaderMap::new()).await.unwrap_err()
}

#[tokio::test]
async fn a_certificate_of_an_active_principal_makes_a_member() {
    let caller = gate(book()).authenticate(&certified(), &HeaderMap::new()).await.unwrap();
    let member = caller.member().unwrap();
    assert_eq!((member.principal().name.as_str(), member.until()), ("voltaic", at(NOW + 100)));
    assert_eq!(caller.credential(), "certificate");
    let nobody = gate(book()).authenticate(&peer(None), &HeaderMap::new()).await.unwrap();
    assert!(nobody.member().is_none());
}

#[tokio::test]
async fn everyone_else_is_told_why_not() {
    let standing = |state| {
        let mut book = book();
        book.principal.state = state;
        book
    };
    let waiting = refusal(standing(PrincipalState::Waiting), &certified()).await;
    assert!(waiting.to_string().contains("waits for approval"));
    let revoked = refusal(standing(PrincipalState::Revoked), &certified()).await;
    assert!(matches!(revoked, AuthenticationError::Revoked));
    let revoked = refusal(Book { organisation_revoked: true, ..book() }, &certified()).await;
    assert!(matches!(revoked, AuthenticationError::OrganisationRevoked));
    let stranger = PeerCertificate { digest: CertificateDigest([8; 32]), from: at(0), until: at(NOW + 1) };
    let unknown = refusal(book(), &peer(Some(stranger))).await;
    assert!(matches!(unknown, AuthenticationError::UnknownCertificate));
    for (from, until) in [(NOW - 100, NOW), (NOW + 1, NOW + 100)] {
        let untimely = PeerCertificate { digest: DIGEST, from: at(from), until: at(until) };
        let refused = refusal(book(), &peer(Some(untimely))).await;
        assert!(matches!(refused, AuthenticationError::CertificateTime));
    }
    let mut rebound = book();
    rebound.principal.credential = Credential::Oidc(OidcSubject { issuer: "i".into(), subject: "s".into() });
    assert!(matches!(refusal(rebound, &certified()).await, AuthenticationError::UnknownCertificate));
}

#[tokio::test]
async fn one_credential_at_a_time() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer a.b.c"));
    let both = gate(book()).authenticate(&certified(), &headers).await.unwrap_err();
    assert!(matches!(both, AuthenticationError::Presented(PresentedError::Both)));
    let bad = gate(book()).authenticate(&peer(None), &headers).await.unwrap_err();
    assert!(matches!(bad, AuthenticationError::Token(_)));
    headers.append("authorization", HeaderValue::from_static("Bearer a.b.c"));
    let twice = gate(book()).authenticate(&peer(None), &headers).await.unwrap_err();
    assert!(matches!(twice, AuthenticationError::Presented(PresentedError::Repeated)));
}

async fn ask(book: Book, request: Request<Body>) -> Response<Body> {
    let routes = Router::new().route(
        "/who",
        get(|request: Request<Body>| async move {
            assert!(!request.headers().contains_key("authorization"));
            request.extensions().get::<Caller>().unwrap().credential()
        }),
    );
    AuthenticateLayer::new(Arc::new(gate(book))).layer(routes).oneshot(request).await.unwrap()
}

fn request(path: &str, peer: Option<Peer>) -> Request<Body> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    request
}

#[tokio::test]
async fn nothing_is_answered_before_authentication() {
    assert_eq!(ask(book(), request("/who", Some(certified()))).await.status(), 200);
    assert_eq!(ask(book(), request("/nowhere", Some(peer(None)))).await.status(), 404);
    let mut waiting = book();
    waiting.principal.state = PrincipalState::Waiting;
    let refused = ask(waiting, request("/nowhere", Some(certified()))).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let mut waiting = book();
    waiting.principal.state = PrincipalState::Waiting;
    let mut call = request("/octroi.v1.Datasets/List", Some(certified()));
    call.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    assert_eq!(ask(waiting, call).await.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn what_cannot_be_known_is_refused() {
    assert_eq!(ask(book(), request("/who", None)).await.status(), 503);
    let unreadable = Book { readable: false, ..book() };
    assert_eq!(ask(unreadable, request("/who", Some(certified()))).await.status(), 503);
}
