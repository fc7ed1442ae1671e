//! The gate: a caller, an action and a target go in; a permit or a refusal comes out.
//!
//! Trusts that [`Caller`]s were authenticated, that the register is right, and the policies. Gives no evidence by
//! itself: it hands on what evidence needs. Does not tell a dataset that a caller may not know of from one that does
//! not exist.

use std::{fmt, path::Path, sync::Arc};

use cedar_policy::{Entities, RestrictedExpression};
use octroi_proto::{Dataset, Grant, Instant, Purpose, Role};

use super::{
    Decided, FetchObject, Lent, Permit, PolicyError, ReadMetadata, Seen,
    action::Action,
    asker::Asker,
    denied::{Denied, DeniedKind, NotCommitted, Undecided},
    entity,
    permit::Yes,
    policy::{Policies, Question, Verdict},
    register::{Commits, Register, Uncommitted},
    target::{Facts, Sight, Target},
};
use crate::{authenticate::Caller, clock::SharedClock};

/// What a caller names an action's target by.
pub type Key<A> = <<A as Action>::Target as Target>::Key;

/// Decides, over a register `R`. A cheap handle.
pub struct Gate<R>(Arc<Inner<R>>);

struct Inner<R> {
    policies: Policies,
    register: R,
    clock: SharedClock,
}

impl<R> Clone for Gate<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for Gate<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl<R: Register> Gate<R> {
    /// A gate with the policies of a folder.
    ///
    /// # Errors
    /// [`PolicyError`] when a policy cannot be read, does not fit the schema, or has no id of its own.
    pub fn load(policies: &Path, register: R, clock: SharedClock) -> Result<Self, PolicyError> {
        let policies = Policies::load(policies)?;
        Ok(Self(Arc::new(Inner { policies, register, clock })))
    }

    /// SHA-256 over the policies in force, for the evidence of a start.
    pub fn policies_sha256(&self) -> [u8; 32] {
        self.0.policies.sha256()
    }

    /// Decides whether a caller may do `A` to what it names.
    ///
    /// # Errors
    /// [`Denied`], which is evidence when the caller is authenticated.
    pub fn permit<A: Action>(&self, caller: &Caller, key: &Key<A>) -> Result<Permit<A>, Denied> {
        self.decide::<A>(caller, key).map(|yes| Permit::new(caller.clone(), yes))
    }

    /// Checks a permit again. This is cheap while nothing has changed; else target, grant, caller and organisation
    /// are read anew and decided on anew.
    ///
    /// # Errors
    /// [`Denied`] when the permit has ended. The permit is then as it was, and must not be used.
    pub fn renew<A: Action>(&self, permit: &mut Permit<A>) -> Result<(), Denied> {
        let current = permit.epoch() == self.0.register.epoch();
        if current && permit.until().is_none_or(|until| self.0.clock.now() < until) {
            return Ok(());
        }
        let yes = self.decide::<A>(permit.caller(), &permit.target().key())?;
        permit.renewed(yes);
        Ok(())
    }

    /// The live grant under which a permit's caller may do `A` for this purpose, the permit renewed: the one it rests on,
    /// or another of the caller's organisation. `None` when no grant is for the purpose.
    ///
    /// # Errors
    /// [`Denied`] when the permit has ended, or no decision can be made.
    pub fn grant_for<A: Action<Target = Lent>>(
        &self,
        permit: &mut Permit<A>,
        purpose: &Purpose,
    ) -> Result<Option<Grant>, Denied> {
        self.renew(permit)?;
        let Lent { dataset, grant } = permit.target();
        if let Some(grant) = grant.as_ref().filter(|grant| grant.purpose == *purpose) {
            return Ok(Some(grant.clone()));
        }
        let Some(member) = permit.caller().member() else { return Ok(None) };
        let id = &dataset.description.id;
        let grants = self.0.register.grants_of(id, &member.principal().organisation);
        let grants = grants.map_err(|failure| Denied {
            kind: DeniedKind::Unavailable,
            decided: permit.decided().clone(),
            dataset: Some(id.clone()),
            cause: Some(failure.into()),
        })?;
        let lends = |grant: &Grant| {
            let lent = Lent { dataset: dataset.clone(), grant: Some(grant.clone()) };
            grant.purpose == *purpose && self.may::<A>(permit.caller(), &lent)
        };
        Ok(grants.into_iter().find(lends))
    }

    /// Makes a change under a permit, which is renewed as often as the register moves on before the change's turn.
    ///
    /// # Errors
    /// [`NotCommitted`]; nothing was changed then.
    pub async fn commit<C>(
        &self,
        mut permit: Permit<<R as Commits<C>>::Action>,
        mut change: C,
    ) -> Result<<R as Commits<C>>::Outcome, NotCommitted<<R as Commits<C>>::Error>>
    where
        R: Commits<C>,
    {
        for _ in 0..MOST_TURNS {
            self.renew(&mut permit).map_err(|denied| NotCommitted::Denied(Box::new(denied)))?;
            match self.0.register.commit(permit, change).await {
                Ok(outcome) => return Ok(outcome),
                Err(Uncommitted::Failed(error)) => return Err(NotCommitted::Failed(error)),
                Err(Uncommitted::Stale { permit: back, change: untouched }) => {
                    permit = back;
                    change = untouched;
                }
            }
        }
        Err(NotCommitted::Busy)
    }

    /// Whether a caller may know of a dataset: for listings, which leave out the rest and are no evidence.
    pub fn may_see<'a>(&self, caller: &Caller, dataset: &'a Dataset) -> Option<Seen<'a>> {
        self.may::<ReadMetadata>(caller, dataset).then(|| self.seen(dataset))
    }

    /// What a permit to read metadata shows.
    pub fn shown<'a>(&self, permit: &'a Permit<ReadMetadata>) -> Seen<'a> {
        self.seen(permit.target())
    }

    /// Whether a caller may do `A` to this target as it stands: for listings, which leave out the rest and are no
    /// evidence. No is also the answer when no decision can be made.
    pub fn may<A: Action>(&self, caller: &Caller, target: &A::Target) -> bool {
        let allowed = (|| {
            let now = self.0.clock.now();
            let look = self.look(Asker::of(caller, &self.0.register, now)?, now);
            let facts = target.facts(&self.0.register)?;
            look.ask::<A>(&facts, &look.entities(&facts)?).map(|verdict| verdict.allowed)
        })();
        allowed.unwrap_or_else(|problem| {
            tracing::error!(action = A::NAME, error = &problem as &dyn std::error::Error, "no decision for a listing");
            false
        })
    }

    /// For the search index, which shows nothing by itself: whoever shows what it finds asks again.
    pub fn indexed<'a>(&self, dataset: &'a Dataset) -> Seen<'a> {
        self.seen(dataset)
    }

    fn seen<'a>(&self, dataset: &'a Dataset) -> Seen<'a> {
        let open = Lent { dataset: dataset.clone(), grant: None };
        Seen::new(dataset, self.may::<FetchObject>(&Caller::Anonymous, &open))
    }

    fn look(&self, asker: Asker, now: Instant) -> Look<'_> {
        Look { policies: &self.0.policies, asker, now }
    }

    fn decide<A: Action>(&self, caller: &Caller, key: &Key<A>) -> Result<Yes<A::Target>, Denied> {
        // The epoch first: see `Register`.
        let epoch = self.0.register.epoch();
        let no = match self.consider::<A>(caller, key) {
            Ok(Considered::Allowed { target, policies, until }) => {
                return Ok(Yes { target, decided: Decided::of::<A>(caller, policies), until, epoch });
            }
            Ok(Considered::Refused(no)) => no,
            Err(cause) => No { kind: DeniedKind::Unavailable, policies: Vec::new(), cause: Some(cause) },
        };
        Err(Denied {
            kind: no.kind,
            decided: Decided::of::<A>(caller, no.policies),
            dataset: A::Target::dataset(key).cloned(),
            cause: no.cause,
        })
    }

    fn consider<A: Action>(&self, caller: &Caller, key: &Key<A>) -> Result<Considered<A::Target>, Undecided> {
        let register = &self.0.register;
        let now = self.0.clock.now();
        let look = self.look(Asker::of(caller, register, now)?, now);
        let organisation = caller.member().map(|member| &member.principal().organisation);
        let mut refused = None;
        let mut no = No { kind: DeniedKind::Forbidden, policies: Vec::new(), cause: None };
        for target in A::Target::candidates(register, key, organisation)? {
            let facts = target.facts(register)?;
            match look.entities(&facts).and_then(|entities| look.ask::<A>(&facts, &entities)) {
                Ok(Verdict { allowed: true, policies }) => {
                    let until = earliest(look.asker.until, facts.until);
                    return Ok(Considered::Allowed { target, policies, until });
                }
                Ok(Verdict { allowed: false, policies }) => no.policies.extend(policies),
                Err(problem) => no.cause = Some(problem),
            }
            refused = Some(facts);
        }
        no.policies.sort_unstable();
        no.policies.dedup();
        no.kind = match refused {
            Some(facts) => self.kind::<A>(&look, &facts, true)?,
            None => {
                let facts = A::Target::absent(key)?;
                // Asked for the time it takes alone: what is absent was refused already.
                let _same_work = look.ask::<A>(&facts, &look.entities(&facts)?)?;
                self.kind::<A>(&look, &facts, false)?
            }
        };
        Ok(Considered::Refused(no))
    }

    /// What a refused caller may be told about a target that is there, or is not.
    fn kind<A: Action>(&self, look: &Look<'_>, facts: &Facts, there: bool) -> Result<DeniedKind, Undecided> {
        let seen = look.sees(facts)?;
        Ok(match (look.asker.worthless, seen, there) {
            (true, _, _) => DeniedKind::Unauthenticated,
            (false, false, _) => A::Target::unseen(look.asker.anonymous),
            (false, true, false) => DeniedKind::NotFound,
            (false, true, true) if look.asker.anonymous && self.a_credential_helps::<A>(look.now, facts)? => {
                DeniedKind::Unauthenticated
            }
            (false, true, true) => DeniedKind::Forbidden,
        })
    }

    /// Whether somebody could do what an anonymous caller may not: who answers for the target, or any role.
    fn a_credential_helps<A: Action>(&self, now: Instant, facts: &Facts) -> Result<bool, Undecided> {
        let steward = facts.steward.as_deref().map(|name| (name, Role::Steward));
        for (name, role) in steward.into_iter().chain(Role::ALL.iter().map(|role| ("", *role))) {
            let look = self.look(Asker::imagined(name, role, now)?, now);
            if look.ask::<A>(facts, &look.entities(facts)?)?.allowed {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// How often a change may lose its turn to others before its maker is told to try again.
const MOST_TURNS: usize = 64;

/// A decision, before it is a permit or a refusal.
enum Considered<T> {
    Allowed { target: T, policies: Vec<String>, until: Option<Instant> },
    Refused(No),
}

struct No {
    kind: DeniedKind,
    policies: Vec<String>,
    cause: Option<Undecided>,
}

/// One caller at one moment, before the policies.
struct Look<'a> {
    policies: &'a Policies,
    asker: Asker,
    now: Instant,
}

impl Look<'_> {
    fn entities(&self, facts: &Facts) -> Result<Entities, Undecided> {
        self.policies.entities(self.asker.entities.iter().chain(&facts.entities).cloned())
    }

    fn ask<A: Action>(&self, facts: &Facts, entities: &Entities) -> Result<Verdict, Undecided> {
        let grant = facts.grant.clone().map(|uid| ("grant".to_owned(), RestrictedExpression::new_entity_uid(uid)));
        self.put(A::NAME, facts.resource.clone(), grant, entities)
    }

    fn sees(&self, facts: &Facts) -> Result<bool, Undecided> {
        let (action, resource) = match facts.sight {
            Sight::Open => return Ok(true),
            Sight::Target(action) => (action, facts.resource.clone()),
            Sight::Gateway(action) => (action, entity::gateway()),
        };
        self.put(action, resource, None, &self.entities(facts)?).map(|verdict| verdict.allowed)
    }

    fn put(
        &self,
        action: &'static str,
        resource: cedar_policy::EntityUid,
        grant: Option<(String, RestrictedExpression)>,
        entities: &Entities,
    ) -> Result<Verdict, Undecided> {
        let now = ("now".to_owned(), entity::datetime(self.now));
        let until = self.asker.until.map(|until| ("credentialUntil".to_owned(), entity::datetime(until)));
        let context = std::iter::once(now).chain(until).chain(grant).collect();
        self.policies.ask(Question { principal: self.asker.uid.clone(), action, resource, context }, entities)
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
