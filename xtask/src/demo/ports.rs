//! Three ports on loopback that nobody uses.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
};

/// Where the demo's gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) public: u16,
    pub(super) api: u16,
    pub(super) loopback: u16,
}

/// What `octroi init` writes.
pub(super) const USUAL: Ports = Ports { public: 8443, api: 8444, loopback: 8445 };

impl Ports {
    /// The usual ones, or any others where one of them is taken.
    pub(super) fn free() -> io::Result<Self> {
        let Self { public, api, loopback } = USUAL;
        if [public, api, loopback].into_iter().any(taken) { Self::others() } else { Ok(USUAL) }
    }

    fn others() -> io::Result<Self> {
        // All three are held until all are known, so that they differ.
        let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (public, api, loopback) = (any()?, any()?, any()?);
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        Ok(Self { public: port(&public)?, api: port(&api)?, loopback: port(&loopback)? })
    }
}

/// On either loopback address: clients that are told `localhost` may try both.
fn taken(port: u16) -> bool {
    let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    addresses
        .into_iter()
        .any(|address| TcpListener::bind((address, port)).is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_listened_on_is_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(taken(listener.local_addr().unwrap().port()));
    }

    #[test]
    fn other_ports_are_three() {
        let Ports { public, api, loopback } = Ports::others().unwrap();
        assert!(public != api && api != loopback && loopback != public);
    }
}
