//! Who calls: from a certificate or a token to a [`Caller`], which only this module makes.
//!
//! ```text
//! Peer, Authorization -> Presented -> certificate digest          -> principal -> Member
//!                                  -> token -> issuer's key -> (iss, sub) -^
//! ```
//! Every request that reaches a route passes [`AuthenticateLayer`], or [`everyone`] on the listener that knows nobody,
//! before anything is answered, 404 included. Trusts the register for who
//! is active, [`crate::listen`] for having verified the certificate's chain, and configured issuers for the tokens
//! they signed. Gives no leave to do anything: that is [`crate::authorise`].

mod authenticator;
mod caller;
mod directory;
mod error;
mod everyone;
mod issuer;
mod jwks;
mod layer;
mod presented;
mod token;

pub use authenticator::Authenticator;
pub use caller::{Caller, CredentialKind, Member};
pub use directory::{Directory, DirectoryError};
pub use error::AuthenticationError;
pub use everyone::everyone;
pub use issuer::{IssuerError, Issuers};
pub use layer::{Authenticate, AuthenticateLayer};
pub use presented::{BearerToken, Presented, PresentedError};
pub use token::TokenError;
