//! What authorisation hands on.

use std::marker::PhantomData;

use octroi_proto::{Dataset, Grant, Instant, Reason, wire::v1};

use super::action::Action;
use crate::authenticate::Caller;

/// Leave for one caller to do one thing, to one dataset where the thing is about a dataset. Only
/// [`crate::authorise`] makes one. It says what it rests on, and it ends: [`super::Gate::renew`] checks it again
/// before each chunk and each commit.
#[derive(Debug)]
pub struct Permit<A: Action> {
    decided: Decided,
    caller: Caller,
    dataset: Option<Dataset>,
    grant: Option<Grant>,
    until: Option<Instant>,
    epoch: u64,
    action: PhantomData<fn() -> A>,
}

/// A decision as evidence: who asked for what, and the policies that determined the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Who asked.
    pub actor: v1::Actor,
    /// For what.
    pub action: &'static str,
    /// Ids of the policies that determined the answer.
    pub policies: Vec<String>,
    /// Why, in the caller's words, where the call asks for it.
    pub reason: Option<Reason>,
}
