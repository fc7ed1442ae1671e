//! The edge: sockets, TLS, limits. What comes out is an HTTP request whose authority is ours, whose size and pace
//! are bounded, and whose extensions carry the [`Peer`] that sent it.
//!
//! ```text
//! accept -> seat -> handshake -> connection -> authority -> time limit -> (authenticate ...)
//! ```
//! Trusts the server key and the client authority that [`tls`] is given. Gives no caller: a certificate that the
//! authority signed still has to be found in the register ([`crate::authenticate`]).

mod accept;
mod authority;
mod body;
mod connection;
mod front;
pub mod loopback;
mod pace;
mod peer;
mod seats;
pub mod tls;
mod vitals;

pub use accept::serve;
pub use authority::{AuthorityError, Names};
pub use body::{BodyError, Patience, SmallBody, SmallBodyLayer, Stalled};
pub use front::{Door, Front, TookTooLong};
pub use pace::{Pace, TooFast};
pub use peer::{InvalidCertificate, Peer, PeerCertificate};
