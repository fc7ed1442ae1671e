//! What authorisation hands on.

use octroi_proto::{Instant, Reason, wire::v1};

use super::action::Action;
use crate::authenticate::Caller;

/// Leave for one caller to do one thing to one target. Only [`crate::authorise`] makes one. It says what it rests
/// on, and it ends: [`super::Gate::renew`] checks it again before each chunk and each commit.
#[derive(Debug)]
pub struct Permit<A: Action> {
    caller: Caller,
    target: A::Target,
    decided: Decided,
    until: Option<Instant>,
    epoch: u64,
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

impl<A: Action> Permit<A> {
    /// What it is leave to do it to, as it stood when it was last checked.
    pub fn target(&self) -> &A::Target {
        &self.target
    }

    /// Who may.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The decision, for the evidence.
    pub fn decided(&self) -> &Decided {
        &self.decided
    }

    /// When it ends by itself; `None` for never.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// The state of the register it was decided on: it stands without another look while that is current.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A permit for a test, decided on this state of the register.
    #[cfg(test)]
    pub(crate) fn for_test(caller: Caller, target: A::Target, epoch: u64) -> Self {
        let principal = caller.member().map(|member| member.principal());
        let actor = v1::Actor {
            principal: principal.map(|principal| principal.name.to_string()).unwrap_or_default(),
            organisation: principal.map(|principal| principal.organisation.to_string()).unwrap_or_default(),
            credential: caller.credential().to_owned(),
        };
        let decided = Decided { actor, action: A::NAME, policies: vec!["test".to_owned()], reason: None };
        Self { caller, target, decided, until: None, epoch }
    }

    /// The same permit with the caller's reason in its evidence.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.decided.reason = Some(reason);
        self
    }
}

#[cfg(test)]
impl<A: Action> Permit<A> {
    /// A permit that nobody decided on.
    pub(crate) fn for_test_by(caller: Caller, target: A::Target, until: Option<Instant>) -> Self {
        let actor = v1::Actor { credential: caller.credential().to_owned(), ..v1::Actor::default() };
        let decided = Decided { actor, action: A::NAME, policies: Vec::new(), reason: None };
        Self { caller, target, decided, until, epoch: 0 }
    }
}
