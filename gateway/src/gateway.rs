//! What the stations share, and the two steps that every request takes through them: a permit, then what it permits.

mod ask;
mod assemble;
pub(crate) mod feed;
mod load;
mod oai;
pub(crate) mod page;
mod publish;
mod register;
mod schema;
mod search;

use std::sync::Arc;

use octroi_proto::wire::v1::{self, entry::Record};
use ring::hmac;

pub use assemble::assemble;
pub use feed::Feed;
pub use register::GatedRegister;
pub(crate) use search::Shown;

use crate::{
    answer::Refusal,
    authenticate::Caller,
    authorise::{Action, Decided, Denied, DeniedKind, Gate, Key, NotCommitted, Permit, Target as _},
    catalogue::{Site, search::SearchIndex},
    evidence::Outcome,
    keys,
    object::Objects,
    registry::{Change, CommitError, Registry},
    settings::Settings,
    zone::{Zone, load::Loads},
};

/// The stations behind the wire, cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Stations>);

/// What [`Gateway`] is made of.
#[derive(Debug)]
pub struct Stations {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// What the catalogue says of the place it comes from.
    pub site: Site,
    /// The register, and the evidence under it.
    pub registry: Registry,
    /// The catalogue's pages.
    pub feed: Feed,
    /// The key under which harvesters are told how far they came.
    pub resumption_key: hmac::Key,
    /// Where datasets are found by words.
    pub search: SearchIndex,
    /// Who may do what.
    pub gate: Gate<Registry>,
    /// The sealed objects.
    pub objects: Objects<GatedRegister>,
    /// The key process.
    pub keys: keys::Client,
    /// Where rows of sensitive tables go in.
    pub loads: Loads<GatedRegister, keys::Client>,
    /// Where sensitive data is asked.
    pub zone: Zone<GatedRegister, keys::Client>,
}

impl std::ops::Deref for Gateway {
    type Target = Stations;

    fn deref(&self) -> &Stations {
        &self.0
    }
}

impl Gateway {
    /// The gateway made of these stations.
    pub fn new(stations: Stations) -> Self {
        Self(Arc::new(stations))
    }

    /// Leave for this caller to do `A`, or the refusal, which is evidence.
    ///
    /// # Errors
    /// [`Refusal`] of the kind that the caller may know.
    pub fn permit<A: Action>(&self, caller: &Caller, key: &Key<A>) -> Result<Permit<A>, Refusal> {
        let decision = self.gate.permit::<A>(caller, key);
        if caller.member().is_none() {
            self.registry.count(A::NAME, if decision.is_ok() { Outcome::Allowed } else { Outcome::Refused });
        }
        decision.map_err(|denied| self.refuse(caller, &denied))
    }

    /// Does what the permit permits.
    ///
    /// # Errors
    /// [`Refusal`] when the permit ended meanwhile, or the register's rules say no.
    pub async fn commit<C: Change>(&self, permit: Permit<C::Action>, change: C) -> Result<C::Outcome, Refusal> {
        let (caller, decided) = (permit.caller().clone(), permit.decided().clone());
        let dataset = <C::Action as Action>::Target::dataset(&permit.target().key()).map(ToString::to_string);
        let error = match self.gate.commit(permit, change).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => error,
        };
        Err(match error {
            NotCommitted::Denied(denied) => self.refuse(&caller, &denied),
            NotCommitted::Failed(error @ CommitError::Refused(_)) => {
                self.recorded(&caller, &decided, dataset.unwrap_or_default(), error.into())
            }
            NotCommitted::Failed(error) => error.into(),
            NotCommitted::Busy => Refusal::Busy,
        })
    }

    /// What the caller is told, after the evidence has it. Anonymous callers are counted, not recorded, so that
    /// strangers cannot fill the disk.
    fn refuse(&self, caller: &Caller, denied: &Denied) -> Refusal {
        let refusal = match denied.kind {
            DeniedKind::Unauthenticated => Refusal::Unauthenticated,
            DeniedKind::Forbidden => Refusal::Forbidden,
            DeniedKind::NotFound => Refusal::NotFound,
            DeniedKind::Unavailable => Refusal::internal(denied),
        };
        let dataset = denied.dataset.as_ref().map(ToString::to_string).unwrap_or_default();
        self.recorded(caller, &denied.decided, dataset, refusal)
    }

    /// The refusal, once it is queued as evidence; the failure to do so otherwise.
    fn recorded(&self, caller: &Caller, decided: &Decided, dataset: String, refusal: Refusal) -> Refusal {
        if caller.member().is_some() {
            let refused = v1::Refused { dataset, kind: refusal.kind().to_owned() };
            if let Err(error) = self.registry.note(decided, Record::Refused(refused)) {
                tracing::warn!(%error, "a refusal could not be recorded");
                return error.into();
            }
        }
        refusal
    }
}
