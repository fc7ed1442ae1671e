//! Whether a request is meant for us: its authority is one of the listener's names, or it is misdirected.

use std::collections::HashSet;

use http::{HeaderMap, Uri, header, uri::Authority};

use crate::settings::AuthorityName;

/// The names that a listener answers for. Ports are not compared: an address translator may change them.
#[derive(Debug, Clone)]
pub struct Names(HashSet<AuthorityName>);

/// Why a request is not for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// RFC 9112, section 3.2: a request without `Host`.
    #[error("name the host in the `Host` header")]
    Missing,
    /// RFC 9112, section 3.2: more than one `Host`.
    #[error("give the `Host` header once")]
    Repeated,
    /// RFC 9113, section 8.3.1: `Host` and `:authority` differ.
    #[error("give the same host in the `Host` header and in the request's target")]
    Contradictory,
    /// Not `host[:port]`.
    #[error("give the host as `name` or `name:port`")]
    Malformed,
    /// RFC 9110, section 7.4: the authority, or the server name of the handshake, is not ours.
    #[error("this server does not answer for that host name: connect to the one of the gateway's base URL")]
    Misdirected,
}

impl Names {
    /// These names.
    pub fn new(names: impl IntoIterator<Item = AuthorityName>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Checks the target and headers of a request, and the server name of its handshake.
    ///
    /// # Errors
    /// [`AuthorityError`] when the request is not, or not clearly, for one of these names.
    pub fn check(&self, target: &Uri, headers: &HeaderMap, server_name: Option<&str>) -> Result<(), AuthorityError> {
        let host = parse(target, headers)?;
        let asked = server_name.map(str::parse).transpose().map_err(|_| AuthorityError::Misdirected)?;
        let ours = self.0.contains(&host) && asked.is_none_or(|name| self.0.contains(&name));
        if ours { Ok(()) } else { Err(AuthorityError::Misdirected) }
    }
}

fn parse(target: &Uri, headers: &HeaderMap) -> Result<AuthorityName, AuthorityError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|host| Authority::try_from(host.as_bytes())).transpose();
    let host = host.map_err(|_| AuthorityError::Malformed)?;
    if hosts.next().is_some() {
        return Err(AuthorityError::Repeated);
    }
    let authority = match (target.authority(), &host) {
        (None, None) => return Err(AuthorityError::Missing),
        (Some(target), Some(host)) if target != host => return Err(AuthorityError::Contradictory),
        (Some(authority), _) | (None, Some(authority)) => authority,
    };
    if authority.as_str().contains('@') {
        return Err(AuthorityError::Malformed);
    }
    // The parser of authorities lets more pass for a port than digits.
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(digits) {
        return Err(AuthorityError::Malformed);
    }
    authority.host().parse().map_err(|_| AuthorityError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    #[test]
    fn a_port_is_digits() {
        for good in ["data.example.org", "data.example.org:8443", "data.example.org:", "[::1]:8443"] {
            assert!(check("/", &[good], None).is_ok(), "{good}");
        }
        for bad in ["data.example.org:x443", "data.example.org:84d43", "data.example.org:;8443", "data.example.org.."] {
            assert!(check("/", &[bad], None).is_err(), "{bad}");
        }
    }

    fn check(target: &str, hosts: &[&str], server_name: Option<&str>) -> Result<(), AuthorityError> {
        let names = Names::new(["data.example.org".parse().unwrap(), "::1".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        names.check(&target.parse().unwrap(), &headers, server_name)
    }

    #[test]
    fn ours_in_every_spelling() {
        assert_eq!(check("/", &["data.example.org"], None), Ok(()));
        assert_eq!(check("/", &["DATA.example.org:8443"], Some("data.example.org")), Ok(()));
        assert_eq!(check("https://data.example.org/x", &[], None), Ok(()));
        assert_eq!(check("https://data.example.org/x", &["data.example.org"], None), Ok(()));
        assert_eq!(check("/", &["[::1]:8443"], None), Ok(()));
    }

    #[test]
    fn everything_else_is_refused() {
        use AuthorityError::{Contradictory, Malformed, Misdirected, Missing, Repeated};
        assert_eq!(check("/", &[], None), Err(Missing));
        assert_eq!(check("/", &["data.example.org", "data.example.org"], None), Err(Repeated));
        assert_eq!(check("https://data.example.org/", &["evil.example"], None), Err(Contradictory));
        assert_eq!(check("/", &["evil.example"], None), Err(Misdirected));
        assert_eq!(check("/", &["data.example.org"], Some("evil.example")), Err(Misdirected));
        assert_eq!(check("/", &["me@data.example.org"], None), Err(Malformed));
        assert_eq!(check("/", &["a b"], None), Err(Malformed));
        assert_eq!(check("/", &[""], None), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_host_is_ours_or_refused(host in "[ -~]{0,40}", name in proptest::option::of(".{0,20}")) {
            if check("/", &[&host], name.as_deref()).is_ok() {
                let lower = host.to_ascii_lowercase();
                prop_assert!(lower.starts_with("data.example.org") || lower.starts_with("[::1]"));
            }
        }
    }
}
