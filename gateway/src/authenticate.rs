//! Who calls: from a certificate or a token to a [`Caller`], which only this module makes.

mod caller;

pub use caller::{Caller, CredentialKind, Member};
