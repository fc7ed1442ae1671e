//! Names and addresses in the settings.

use std::{fmt, net::SocketAddr};

use http::Uri;
use rustls_pki_types::ServerName;
use serde::Deserialize;

/// An address that a setting cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not a name that a certificate could carry.
    #[error("must be a host name or an IP address, without port and without scheme")]
    Name,
    /// Not a base URL.
    #[error("must be a URL such as `https://data.example.org`, https only, without query")]
    Base,
    /// Not a URL that may be fetched.
    #[error("must be an https URL (http is allowed for 127.0.0.1, [::1] and localhost only)")]
    Fetch,
    /// Not a loopback address.
    #[error("must be a loopback address such as `127.0.0.1:8445`: plain HTTP leaves this machine nowhere")]
    NotLoopback,
    /// Not a log's name.
    #[error("must be 1-200 visible ASCII characters without `+`, such as `data.example.org/log`")]
    Origin,
}

/// A host name or address that a listener answers for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct AuthorityName(ServerName<'static>);

impl AuthorityName {
    /// The name as certificates have it: lower case, IPv6 without brackets.
    pub fn text(&self) -> String {
        self.0.to_str().into_owned()
    }
}

impl std::str::FromStr for AuthorityName {
    type Err = InvalidAddress;

    /// Takes the host part of an authority too, so IPv6 may stand in brackets.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        // The parser of names would strip a second dot as well.
        if bare.ends_with('.') {
            return Err(InvalidAddress::Name);
        }
        ServerName::try_from(bare.to_ascii_lowercase()).map(Self).map_err(|_| InvalidAddress::Name)
    }
}

impl TryFrom<String> for AuthorityName {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl Default for AuthorityName {
    fn default() -> Self {
        let fallback = || ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        Self(ServerName::try_from("localhost").unwrap_or_else(|_| fallback()))
    }
}

/// The permanent URL of the public listener, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL, to which a path with its slash can be appended.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host, without port.
    pub fn host(&self) -> String {
        let uri = self.0.parse::<Uri>().ok();
        uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
    }

    /// A URL under this one.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.0, path.trim_start_matches('/'))
    }
}

impl std::str::FromStr for BaseUrl {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let uri = text.parse::<Uri>().map_err(|_| InvalidAddress::Base)?;
        let host_fits = uri.host().is_some_and(|host| host.parse::<AuthorityName>().is_ok());
        let plain = uri.query().is_none() && !text.contains(['@', '#']);
        if uri.scheme_str() == Some("https") && host_fits && plain {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(InvalidAddress::Base)
        }
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl Default for BaseUrl {
    fn default() -> Self {
        Self("https://localhost:8443".to_owned())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A URL that the gateway itself fetches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FetchUrl(String);

impl FetchUrl {
    /// The URL, byte for byte as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for FetchUrl {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let uri = text.parse::<Uri>().map_err(|_| InvalidAddress::Fetch)?;
        let host = uri.host().unwrap_or_default();
        let local = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
        let safe = match uri.scheme_str() {
            Some("https") => !host.is_empty(),
            Some("http") => local,
            Some(_) | None => false,
        };
        if safe && !text.contains(['@', '#']) { Ok(Self(text.to_owned())) } else { Err(InvalidAddress::Fetch) }
    }
}

impl TryFrom<String> for FetchUrl {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

/// An address that only this machine reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SocketAddr")]
pub struct LoopbackAddress(SocketAddr);

impl LoopbackAddress {
    /// The address.
    pub fn get(self) -> SocketAddr {
        self.0
    }
}

impl TryFrom<SocketAddr> for LoopbackAddress {
    type Error = InvalidAddress;

    fn try_from(address: SocketAddr) -> Result<Self, InvalidAddress> {
        if address.ip().is_loopback() { Ok(Self(address)) } else { Err(InvalidAddress::NotLoopback) }
    }
}

impl Default for LoopbackAddress {
    fn default() -> Self {
        Self(([127, 0, 0, 1], 8445).into())
    }
}

/// The evidence log's name: the first line of its checkpoints and the name of its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LogOrigin(String);

impl LogOrigin {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for LogOrigin {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        if (1..=200).contains(&text.len()) && visible { Ok(Self(text.to_owned())) } else { Err(InvalidAddress::Origin) }
    }
}

impl TryFrom<String> for LogOrigin {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl Default for LogOrigin {
    fn default() -> Self {
        Self("localhost/log".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_compared_without_case_dot_or_brackets() {
        let name = |text: &str| text.parse::<AuthorityName>().unwrap();
        assert_eq!(name("Data.Example.org."), name("data.example.org"));
        assert_eq!(name("[::1]"), name("0:0::1"));
        assert_eq!(AuthorityName::default(), name("localhost"));
        for bad in ["", "a b", "https://a", "a:1", "a/b", "é.example"] {
            assert!(bad.parse::<AuthorityName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_are_https_but_for_this_machine() {
        assert_eq!("https://a.example/".parse::<BaseUrl>().unwrap().join("/log"), "https://a.example/log");
        assert!("http://a.example".parse::<BaseUrl>().is_err());
        assert!("https://a.example?x".parse::<BaseUrl>().is_err());
        assert!("https://u@a.example".parse::<BaseUrl>().is_err());
        assert!("https://i.example/jwks".parse::<FetchUrl>().is_ok());
        assert!("http://127.0.0.1:1/jwks".parse::<FetchUrl>().is_ok());
        assert!("http://i.example/jwks".parse::<FetchUrl>().is_err());
        assert!("file:///etc/passwd".parse::<FetchUrl>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_a_refusal(text in ".{0,60}") {
            let _ = text.parse::<AuthorityName>();
            let _ = text.parse::<BaseUrl>();
            let _ = text.parse::<FetchUrl>();
            let _ = text.parse::<LogOrigin>();
        }
    }
}
