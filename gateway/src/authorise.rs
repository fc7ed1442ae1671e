//! Who may do what: Cedar decides, and a yes is a [`Permit`], which only this module makes.
//!
//! ```text
//! Caller + Key<A> -> Gate::permit -> Permit<A> | Denied
//!                      target.rs  what the register knows of it
//!                      entity.rs  the same, as the policies see it
//!                      policy.rs  what they say (config/policy/*.cedar)
//! ```
//!
//! It trusts [`crate::authenticate`] for who calls, the register for what stands, and whoever can write to the folder
//! of the policies. It records nothing itself: permits and refusals carry what the evidence needs.

mod action;
mod asker;
mod denied;
mod entity;
mod gate;
mod permit;
mod policy;
mod register;
mod target;
#[cfg(test)]
pub(crate) mod tests;

pub use action::*;
pub use denied::{Denied, DeniedKind, NotCommitted, Undecided};
pub use gate::{Gate, Key};
pub use permit::{Decided, Permit, Seen};
pub use policy::PolicyError;
pub use register::{Commits, Read, ReadFailure, Register, Uncommitted};
pub use target::Target;
