//! Who may do what: Cedar decides, and a yes is a [`Permit`], which only this module makes.

mod action;
mod permit;

pub use action::*;
pub use permit::{Decided, Permit};
