//! What a stranger can put into a request: ranges, credentials, authorities, languages, certificates.

#![no_main]

use std::{net::Ipv4Addr, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use octroi::{
    authenticate::{Authenticator, BearerToken, Caller, Directory, DirectoryError, Issuers},
    catalogue::{Base, Language},
    clock::Clock,
    listen::{Names, Peer, PeerCertificate},
    object::ByteRange,
    settings::{AuthorityName, BaseUrl, FetchUrl, LogOrigin},
};
use octroi_fuzz::{damage, rest, text};
use octroi_proto::{CertificateDigest, Instant, OidcSubject, Organisation, OrganisationId, Principal};
use rustls_pki_types::CertificateDer;

fuzz_target!(|data: &[u8]| {
    let _ = look(&mut Unstructured::new(data));
});

fn look(input: &mut Unstructured<'_>) -> Result<()> {
    match input.int_in_range(0..=8)? {
        0 => range_header(input)?,
        1 => written_range(input)?,
        2 => drop(BearerToken::parse(&rest(input))),
        3 => authorization(&rest(input)),
        4 => token(input)?,
        5 => authority(input)?,
        6 => addresses(&text(input)),
        7 => language(input)?,
        _ => certificate(input)?,
    }
    Ok(())
}

/// Whatever the header says, the range lies within the object.
fn range_header(input: &mut Unstructured<'_>) -> Result<()> {
    let length = input.arbitrary()?;
    let value = text(input);
    for range in [ByteRange::from_header(&value), ByteRange::from_header(&format!("bytes={value}"))] {
        if let Ok(resolved) = range.resolve(length) {
            assert!(resolved.bytes.start <= resolved.bytes.end && resolved.bytes.end <= length);
            assert!(resolved.partial != resolved.bytes.is_empty() || resolved.bytes == (0..length));
        }
    }
    Ok(())
}

/// A range that is written is the range that is given, byte by byte.
fn written_range(input: &mut Unstructured<'_>) -> Result<()> {
    let length = u64::from(input.arbitrary::<u8>()?);
    let (first, second): (u64, u64) = (number(input)?, number(input)?);
    let all = 0..length;
    let (range, wanted): (_, Vec<u64>) = match input.int_in_range(0..=3)? {
        0 if first <= second => {
            (format!("bytes={first}-{second}"), all.filter(|byte| (first..=second).contains(byte)).collect())
        }
        0 => (format!("bytes={first}-{second}"), all.collect()),
        1 => (format!("bytes={first}-"), all.filter(|byte| *byte >= first).collect()),
        2 => (format!("bytes=-{first}"), all.filter(|byte| length - byte <= first).collect()),
        _ => {
            let resolved = ByteRange::from_offset(first, second).resolve(length).map(|range| range.bytes);
            let end = if second == 0 { u64::MAX } else { first.saturating_add(second) };
            let wanted: Vec<u64> = all.filter(|byte| (first..end).contains(byte)).collect();
            assert_eq!(resolved.map(Vec::from_iter).unwrap_or_default(), wanted);
            return Ok(());
        }
    };
    let given: Vec<u64> =
        ByteRange::from_header(&range).resolve(length).map(|range| range.bytes.collect()).unwrap_or_default();
    assert_eq!(given, wanted, "`{range}` of {length}");
    Ok(())
}

/// Small ones meet a small object; great ones overflow.
fn number(input: &mut Unstructured<'_>) -> Result<u64> {
    let number: u64 = input.arbitrary()?;
    Ok(if input.ratio(3, 4)? { number % 300 } else { number })
}

/// A header that nobody vouches for never passes, and never makes anybody anonymous.
fn authorization(value: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    assert!(authenticate(&stranger(), &headers).is_err());
}

/// A token whose parts are arbitrary JSON, or nearly.
fn token(input: &mut Unstructured<'_>) -> Result<()> {
    let part = |good: &str, input: &mut Unstructured<'_>| {
        let length = input.int_in_range(0..=64)?;
        let mut own = Unstructured::new(input.bytes(length.min(input.len()))?);
        Ok(BASE64URL.encode(damage(good.as_bytes(), &mut own).unwrap_or_else(|_| good.into())))
    };
    let head = part(r#"{"alg":"ES256","kid":"one","typ":"JWT"}"#, input)?;
    let claims = part(r#"{"iss":"https://id.example","sub":"claire","aud":"octroi","exp":1790000000}"#, input)?;
    authorization(format!("Bearer {head}.{claims}.{}", BASE64URL.encode(rest(input))).as_bytes());
    Ok(())
}

/// What passes names one of our hosts, once, and nobody else's.
fn authority(input: &mut Unstructured<'_>) -> Result<()> {
    let pick = |input: &mut Unstructured<'_>| {
        let good = *input.choose(&["data.example.org", "data.example.org:8443", "[::1]:8443", "DATA.example.org."])?;
        let length = input.int_in_range(0..=40)?;
        let mut own = Unstructured::new(input.bytes(length.min(input.len()))?);
        Ok(damage(good.as_bytes(), &mut own).unwrap_or_else(|_| good.into()))
    };
    let mut headers = HeaderMap::new();
    for _ in 0..input.int_in_range(0..=2)? {
        let Ok(host) = HeaderValue::from_bytes(&pick(input)?) else { return Ok(()) };
        headers.append(header::HOST, host);
    }
    let target = if input.arbitrary()? { [b"https://", &pick(input)?[..], b"/"].concat() } else { b"/".to_vec() };
    let Ok(target) = Uri::try_from(target) else { return Ok(()) };
    let server_name = if input.arbitrary()? { Some(text(input)) } else { None };
    if NAMES.check(&target, &headers, server_name.as_deref()).is_ok() {
        let hosts: Vec<_> = headers.get_all(header::HOST).iter().filter_map(|host| host.to_str().ok()).collect();
        assert!(hosts.len() <= 1 && (target.authority().is_some() || hosts.len() == 1));
        let named = target.authority().map(|authority| authority.as_str()).into_iter().chain(hosts);
        assert!(named.into_iter().all(is_ours), "{target} {headers:?}");
    }
    Ok(())
}

fn is_ours(authority: &str) -> bool {
    let lower = authority.to_ascii_lowercase();
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    ["data.example.org", "data.example.org.", "[::1]"].iter().any(|host| {
        lower.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(digits))
    }) || lower.starts_with('[')
        && lower.split(']').next().is_some_and(|host| host[1..].parse() == Ok(std::net::Ipv6Addr::LOCALHOST))
}

/// An address that is taken is written so that it is taken again.
fn addresses(text: &str) {
    if let Ok(name) = text.parse::<AuthorityName>() {
        assert_eq!(name.text().parse(), Ok(name));
    }
    if let Ok(base) = text.parse::<BaseUrl>() {
        assert_eq!(base.as_str().parse().as_ref(), Ok(&base));
        assert!(base.host().parse::<AuthorityName>().is_ok() && base.as_str().starts_with("https://"));
        assert!(base.join("/log").parse::<Uri>().is_ok(), "{base}");
    }
    if let Ok(fetched) = text.parse::<FetchUrl>() {
        assert_eq!(fetched.as_str(), text);
    }
    if let Ok(base) = text.parse::<Base>() {
        assert_eq!(base.to_string().parse(), Ok(base));
    }
    if let Ok(origin) = text.parse::<LogOrigin>() {
        assert_eq!(origin.as_str(), text);
    }
}

fn language(input: &mut Unstructured<'_>) -> Result<()> {
    let lang: Option<String> = input.arbitrary()?;
    let header = text(input);
    let chosen = Language::choose(lang.as_deref(), Some(&header));
    assert_eq!(Language::choose(Some(chosen.code()), Some(&header)), chosen);
    Ok(())
}

/// A certificate has the digest of its bytes, and nobody is known by one.
fn certificate(input: &mut Unstructured<'_>) -> Result<()> {
    let der = if input.ratio(7, 8)? { damage(&CERTIFICATE, input)? } else { rest(input) };
    if let Ok(certificate) = PeerCertificate::of(&CertificateDer::from(der.as_slice())) {
        assert_eq!(certificate.digest, CertificateDigest::of(&der));
        let peer = Peer { certificate: Some(certificate), ..stranger() };
        assert!(authenticate(&peer, &HeaderMap::<HeaderValue>::from_iter([] as [(HeaderName, _); 0])).is_err());
    }
    Ok(())
}

fn authenticate(peer: &Peer, headers: &HeaderMap) -> std::result::Result<Caller, String> {
    let answer = AUTHENTICATOR.authenticate(peer, headers).now_or_never().expect("without issuers nothing is awaited");
    answer.map_err(|refusal| refusal.to_string())
}

fn stranger() -> Peer {
    Peer { address: Ipv4Addr::LOCALHOST.into(), certificate: None, server_name: None }
}

/// A register without anybody.
struct Nobody;

impl Directory for Nobody {
    fn principal_by_certificate(
        &self,
        _: &CertificateDigest,
    ) -> std::result::Result<Option<Principal>, DirectoryError> {
        Ok(None)
    }

    fn principal_by_oidc(&self, _: &OidcSubject) -> std::result::Result<Option<Principal>, DirectoryError> {
        Ok(None)
    }

    fn organisation(&self, _: &OrganisationId) -> std::result::Result<Option<Organisation>, DirectoryError> {
        Ok(None)
    }

    fn turned_away(&self) {}
}

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        Instant::UNIX_EPOCH
    }
}

static AUTHENTICATOR: LazyLock<Authenticator<Nobody>> = LazyLock::new(|| {
    let clock: octroi::clock::SharedClock = std::sync::Arc::new(Stopped);
    Authenticator::new(Nobody, Issuers::start(&[], &clock).expect("no issuers"), clock)
});

static NAMES: LazyLock<Names> =
    LazyLock::new(|| Names::new(["data.example.org", "::1"].map(|name| name.parse().expect("a name"))));

static CERTIFICATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["data.example.org".to_owned()]).expect("a certificate");
    made.cert.der().to_vec()
});
