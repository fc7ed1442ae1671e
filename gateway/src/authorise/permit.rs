//! What authorisation hands on.

use octroi_proto::{Dataset, Instant, Reason, wire::v1};

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

/// What a permit is made of, once the policies said yes.
#[derive(Debug)]
pub(in crate::authorise) struct Yes<T> {
    pub(in crate::authorise) target: T,
    pub(in crate::authorise) decided: Decided,
    pub(in crate::authorise) until: Option<Instant>,
    pub(in crate::authorise) epoch: u64,
}

/// Leave for one caller to know of a dataset, without evidence: what the catalogue shows is made from this. Only
/// [`super::Gate`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    dataset: &'a Dataset,
    open: bool,
}

impl<'a> Seen<'a> {
    pub(in crate::authorise) fn new(dataset: &'a Dataset, open: bool) -> Self {
        Self { dataset, open }
    }

    /// A look that no decision allowed, for the tests of what comes after.
    #[cfg(test)]
    pub(crate) fn for_test(dataset: &'a Dataset, open: bool) -> Self {
        Self { dataset, open }
    }

    /// The dataset.
    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// Whether a stranger may fetch its objects, so that links to them may be published.
    pub fn open(&self) -> bool {
        self.open
    }
}

impl Decided {
    pub(in crate::authorise) fn of<A: Action>(caller: &Caller, policies: Vec<String>) -> Self {
        let principal = caller.member().map(|member| member.principal());
        let actor = v1::Actor {
            principal: principal.map(|it| it.name.to_string()).unwrap_or_default(),
            organisation: principal.map(|it| it.organisation.to_string()).unwrap_or_default(),
            credential: caller.credential().to_owned(),
        };
        Self { actor, action: A::NAME, policies, reason: None }
    }
}

impl<A: Action> Permit<A> {
    pub(in crate::authorise) fn new(caller: Caller, yes: Yes<A::Target>) -> Self {
        let Yes { target, decided, until, epoch } = yes;
        Self { caller, target, decided, until, epoch }
    }

    /// Puts a new decision into the place of the old one; the caller's reason stays.
    pub(in crate::authorise) fn renewed(&mut self, yes: Yes<A::Target>) {
        let reason = self.decided.reason.take();
        self.target = yes.target;
        self.decided = Decided { reason, ..yes.decided };
        self.until = yes.until;
        self.epoch = yes.epoch;
    }

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

    /// A permit that no policy decided on, until this moment, on this state of the register.
    #[cfg(test)]
    pub(crate) fn for_test(caller: Caller, target: A::Target, until: Option<Instant>, epoch: u64) -> Self {
        let decided = Decided::of::<A>(&caller, vec!["test".to_owned()]);
        Self { caller, target, decided, until, epoch }
    }

    /// The same permit with the caller's reason in its evidence.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.decided.reason = Some(reason);
        self
    }
}
