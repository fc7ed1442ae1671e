//! The zone: sensitive data is asked and never taken. Each question runs in a zone of its own, which nobody used
//! before and nobody will again; what leaves is a checked aggregate with its receipt, or one constant refusal.
//!
//! ```text
//! Permit<AskDataset> per dataset + Ask -> Subject   what is asked about, as it stands
//!   -> Pack        the files of it as one read-only disk, ciphertext
//!   -> lease       a zone, and what its host signed of it
//!   -> Admitted    the entry is durable: only now does the question go in
//!   -> Planning    Rejected at once, or the zone names the columns it needs
//!   -> Keyed       the key process sealed their keys to that launch
//!   -> Sealed      an answer about somebody: the history has its release before it opens, or the question is asked again
//!   -> Verdict     -> release tick: permits again, entry durable and proven -> Released<AnswerTable> | refused
//! ```
//!
//! It trusts the register, the permits and the key process. It believes a zone nothing but that an answer is of the
//! shape it claims to have: what the zone says is bounded and typed here before anything is done with it. Once keys
//! were given, whatever ends a question without an answer looks the same from outside: [`Outcome::Refused`], at a
//! tick. What it does not give: that an answer is harmless, which the zone's own release check decides.
//!
//! A question may also be judged alone, by [`Zone::check`]. How rows come in is [`load`]'s.

mod admit;
mod ask;
mod borders;
mod check;
mod history;
mod json;
pub mod load;
mod pack;
mod pad;
mod receipt;
mod record;
mod release;
mod run;
mod share;
mod subject;
#[cfg(test)]
mod tests;
mod tick;
mod verdict;

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use octroi_attest::{Rules, WorkId};
use octroi_host::lease::{self, Backend, Descriptors, Lease, LeaseError, Leased};
use octroi_proto::{
    Instant, OrganisationId,
    wire::{v1, zone as wire},
};
use tokio::{sync::Semaphore, time};

use admit::{Admitted, Admitting};
use receipt::Ground;
use record::Shown;
use run::{Planned, Planning};
use share::Shares;
use subject::Subject;
use verdict::{Cause, Told, Verdict};

pub use ask::{Ask, MOST_DATASETS, datasets};
pub use borders::{Holding, Keys, NoKeys, NotCommitted, Register, Unavailable};
pub use check::{Checked, Tier};
pub use history::{Histories, NoHistories};
pub use json::{AnswerObject, InvalidAnswer, parse_answer};
pub use pack::{NoFolder, PackError, Packs};
pub use pad::{padded, padded_json};
pub use receipt::{ReceiptError, ReceiptFile, VerifiedReceipt, verify};
pub use release::{Outcome, Released};
pub use run::Rejection;
pub use tick::Ticks;

use crate::{
    authorise::{AskDataset, Permit},
    clock::SharedClock,
    keys::ColumnKeys,
};

/// What one question may use, and how answers leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answers leave at multiples of this.
    pub release_tick: Duration,
    /// From the zone's lease to its verdict.
    pub wall: Duration,
    /// Memory for the engine's operators, bytes.
    pub memory_bytes: u64,
    /// Encrypted scratch to spill to, bytes.
    pub scratch_bytes: u64,
    /// Rows of an answer.
    pub result_rows: u64,
    /// Bytes of an encoded answer.
    pub result_bytes: u64,
    /// Each released cell is about at least this many subjects.
    pub least_subjects: u32,
    /// Questions in this station at once, those that wait for a zone or a tick among them.
    pub questions: usize,
    /// Of one organisation, without those that wait for a tick alone.
    pub per_organisation: usize,
}

/// Why a question is not answered, at once and plainly: nothing of it depends on data.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No grant of the caller's is for this purpose.
    #[error("no live grant to ask `{dataset}` is for this purpose: give the purpose as it was granted")]
    Purpose {
        /// The dataset.
        dataset: octroi_proto::DatasetId,
    },
    /// The dataset has no tables.
    #[error("`{dataset}` has no tables yet: its steward declares them")]
    NoTables {
        /// The dataset.
        dataset: octroi_proto::DatasetId,
    },
    /// The dataset demands more isolation than was asked for.
    #[error("`{dataset}` may only be asked in a virtual machine: ask with the backend `vm`")]
    Isolation {
        /// The dataset.
        dataset: octroi_proto::DatasetId,
    },
    /// The question itself is not allowed.
    #[error("{}", .0.text())]
    Rejected(Rejection),
    /// As many questions wait as may.
    #[error("too many questions wait already: try again in a moment")]
    Busy,
    /// There is no such backend here.
    #[error("this gateway has no zones of the backend `{}`: ask with another", .0)]
    NoBackend(Backend),
    /// No zone could be had.
    #[error("no zone could be had")]
    NoZone(#[source] LeaseError),
    /// A question that was only to be judged was not, for a reason that is not its own.
    #[error("the question was not judged: {0}")]
    NotJudged(&'static str),
    /// The tables' files could not be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The register could not be read or the evidence not written.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The station; clones share everything.
#[derive(Debug)]
pub struct Zone<R, K>(Arc<Inner<R, K>>);

impl<R, K> Clone for Zone<R, K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What the station stands on.
#[derive(Debug)]
pub struct Borders<R, K> {
    /// The register and the gate before it.
    pub register: R,
    /// Where zones are leased.
    pub host: lease::Client,
    /// The key process.
    pub keys: K,
    /// Disks of table files.
    pub packs: Packs,
    /// What was released before.
    pub histories: Histories,
}

#[derive(Debug)]
struct Inner<R, K> {
    register: R,
    host: lease::Client,
    keys: K,
    packs: Packs,
    histories: Histories,
    clock: SharedClock,
    limits: Limits,
    ticks: Ticks,
    seats: Semaphore,
    shares: Shares,
    /// SHA-256 of the configuration and the policies in force.
    configuration: [u8; 32],
}

/// A zone that was leased, and how long it may take.
struct Room {
    /// For whom.
    organisation: OrganisationId,
    frames: lease::Frames,
    deadline: time::Instant,
}

impl<R: Register, K: Keys> Zone<R, K> {
    /// The station over these borders. `configuration` is the SHA-256 of the configuration and the policies in force.
    pub fn new(borders: Borders<R, K>, limits: Limits, configuration: [u8; 32], clock: SharedClock) -> Self {
        let Borders { register, host, keys, packs, histories } = borders;
        let ticks = Ticks::every(limits.release_tick);
        let (seats, shares) = (Semaphore::new(limits.questions), Shares::new(limits.per_organisation));
        let inner =
            Inner { register, host, keys, packs, histories, clock, limits, ticks, seats, shares, configuration };
        Self(Arc::new(inner))
    }

    /// The longest that an answer may take to leave: each try's zone and turn, and a tick, with time for what surrounds
    /// them.
    pub fn patience(&self) -> Duration {
        let Limits { wall, release_tick, .. } = self.0.limits;
        TRIES * (wall + wall + QUEUED) + release_tick + SURROUNDINGS
    }

    /// Asks. When the future is dropped, the zone ends with it.
    ///
    /// # Errors
    /// [`AskError`] at once, for what data cannot influence; all else that keeps an answer back is an [`Outcome`].
    pub async fn ask(&self, permits: Vec<Permit<AskDataset>>, ask: Ask) -> Result<Outcome, AskError> {
        let this = &*self.0;
        let _seat = this.seats.try_acquire().map_err(|_| AskError::Busy)?;
        let admitting = Admitting::new(&this.register, permits, ask)?;
        let rules = admitting.subject().rules(this.limits.least_subjects);
        let rules = rules.map_err(|error| Unavailable(error.into()))?;
        let organisation = admitting.organisation()?;
        let share = this.shares.take(organisation.clone()).ok_or(AskError::Busy)?;
        let (backend, subject) = (admitting.backend(), admitting.subject().clone());
        let shown = self.shown(&subject, Vec::new()).await?;
        let leased = self.lease(&organisation, backend, &subject, &shown).await;
        let (launch, room) = leased.inspect_err(|error| admitting.damaged(error))?;
        let mut admitted = admitting.admit(launch).await?;
        let verdict = match self.try_once(room, &mut admitted, &rules, shown).await {
            Err(rejection) => {
                admitted.ended(Cause::Rejected);
                return Err(AskError::Rejected(rejection));
            }
            Ok(Verdict::Withheld(Cause::Superseded)) => self.try_again(&mut admitted, &organisation, &rules).await,
            Ok(verdict) => verdict,
        };
        drop(share);
        this.ticks.next().await;
        let ground = Ground { least_subjects: this.limits.least_subjects, configuration: this.configuration };
        release::release(admitted, verdict, ground).await
    }

    /// Asks again what was superseded, each time after its tables' turns have come. It knows by now that there would be an
    /// answer: whatever ends it is an end like every other.
    async fn try_again(&self, admitted: &mut Admitted<R>, organisation: &OrganisationId, rules: &Rules) -> Verdict {
        for _ in 1..TRIES {
            let verdict = match self.next_try(admitted, organisation, rules).await {
                Ok(Ok(verdict)) => verdict,
                // What the question says by itself, its first zone would have said.
                Ok(Err(_rejection)) => Verdict::Withheld(Cause::ZoneLied),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a question was not asked again");
                    break;
                }
            };
            if verdict != Verdict::Withheld(Cause::Superseded) {
                return verdict;
            }
        }
        Verdict::Withheld(Cause::Superseded)
    }

    async fn next_try(
        &self,
        admitted: &mut Admitted<R>,
        organisation: &OrganisationId,
        rules: &Rules,
    ) -> Result<Result<Verdict, Rejection>, AskError> {
        let (backend, subject) = (admitted.ask().backend(), admitted.subject().clone());
        let turns = self.turns(&subject).await.ok_or(AskError::Busy)?;
        let shown = self.shown(&subject, turns).await?;
        let (launch, room) = self.lease(organisation, backend, &subject, &shown).await?;
        admitted.again(launch).await?;
        Ok(self.try_once(room, admitted, rules, shown).await)
    }

    /// A zone with the question's disk.
    async fn lease(
        &self,
        organisation: &OrganisationId,
        backend: Backend,
        subject: &Subject,
        shown: &Shown,
    ) -> Result<(wire::SignedLaunch, Room), AskError> {
        let this = &*self.0;
        let disk = this.packs.pack(organisation, subject, &shown.histories).await?;
        let lease = this.lease(organisation.clone(), backend);
        let Leased { launch, frames } = this.leased(&lease, disk).await?;
        let organisation = organisation.clone();
        Ok((launch, Room { organisation, frames, deadline: time::Instant::now() + this.limits.wall }))
    }

    /// The question in one zone, to its verdict.
    async fn try_once(
        &self,
        Room { organisation, frames, deadline }: Room,
        admitted: &mut Admitted<R>,
        rules: &Rules,
        shown: Shown,
    ) -> Result<Verdict, Rejection> {
        if shown.damaged {
            return Ok(Verdict::Withheld(Cause::HistoryDamaged));
        }
        let told = time::timeout_at(deadline, self.run((frames, &organisation), admitted, rules, &shown)).await;
        match told.unwrap_or(Ok(Told::Ended(Verdict::Withheld(Cause::Timeout))))? {
            Told::Sealed(sealed) => Ok(self.record(*sealed, shown.turns).await),
            // The key process knew of a release that was not there yet when the disk was packed.
            Told::Ended(Verdict::Withheld(Cause::HistoryDamaged)) if shown.outdated(&self.0.histories) => {
                Ok(Verdict::Withheld(Cause::Superseded))
            }
            Told::Ended(verdict) => Ok(verdict),
        }
    }

    /// The question in its zone, from its arrival to what the zone makes of it. The zone is gone when this returns.
    async fn run(
        &self,
        (frames, organisation): (lease::Frames, &OrganisationId),
        admitted: &mut Admitted<R>,
        rules: &Rules,
        shown: &Shown,
    ) -> Result<Told, Rejection> {
        let this = &*self.0;
        let question = question(admitted, organisation, rules, shown, &this.limits);
        let Ok(planning) = Planning::begin(frames, question).await else { return Ok(Told::Ended(run::lost())) };
        let wants = match planning.planned(admitted.subject()).await {
            Planned::Rejected(rejection) => return Err(rejection),
            Planned::Ended(verdict) => return Ok(Told::Ended(verdict)),
            Planned::Wants(wants) => wants,
        };
        // What was granted may have ended while the zone planned.
        if admitted.renew().is_err() {
            return Ok(Told::Ended(Verdict::Withheld(Cause::PermitEnded)));
        }
        if shown.outdated(&this.histories) {
            return Ok(Told::Ended(Verdict::Withheld(Cause::Superseded)));
        }
        let request = ColumnKeys {
            query: WorkId::from(*admitted.query_id()),
            launch: admitted.launch().clone(),
            files: wants.files().to_vec(),
            expires: this.clock.now().saturating_add(this.limits.wall).unwrap_or(Instant::MAX),
            rules: rules.clone(),
        };
        let keyed = match this.keys.seal(request).await {
            Ok(sealed) => wants.unlock(sealed).await,
            Err(error) => return Ok(Told::Ended(Verdict::Withheld(Cause::of_keys(&error)))),
        };
        match keyed {
            Ok(keyed) => Ok(keyed.told(admitted.subject(), &this.limits).await),
            Err(_) => Ok(Told::Ended(run::lost())),
        }
    }
}

impl<R, K> Inner<R, K> {
    fn lease(&self, organisation: OrganisationId, backend: Backend) -> Lease {
        Lease {
            organisation,
            backend,
            scratch_bytes: self.limits.scratch_bytes,
            output_bytes: 0,
            wall: self.limits.wall + HOST_GRACE,
        }
    }

    /// A zone, when it is its organisation's turn.
    async fn leased(&self, lease: &Lease, disk: Option<OwnedFd>) -> Result<Leased, AskError> {
        let descriptors = Descriptors { data: disk, output: None };
        let leased = time::timeout(QUEUED, self.host.lease(lease, descriptors)).await.map_err(|_| AskError::Busy)?;
        leased.map_err(|error| no_lease(error, lease.backend))
    }
}

fn no_lease(error: LeaseError, backend: Backend) -> AskError {
    match error {
        LeaseError::QueueFull => AskError::Busy,
        LeaseError::NoBackend => AskError::NoBackend(backend),
        error @ (LeaseError::Unreachable { .. }
        | LeaseError::Unavailable
        | LeaseError::Malformed
        | LeaseError::Closed
        | LeaseError::Nonsense
        | LeaseError::Frame(_)) => AskError::NoZone(error),
    }
}

fn question<R: Register>(
    admitted: &Admitted<R>,
    organisation: &OrganisationId,
    rules: &Rules,
    shown: &Shown,
    limits: &Limits,
) -> wire::Question {
    wire::Question {
        query_id: admitted.query_id().to_vec(),
        launch_id: admitted.launch_id(),
        sql: admitted.ask().sql().to_owned(),
        rules: Some(rules.to_wire()),
        tables: admitted.subject().to_zone(),
        limits: Some(wire::Limits {
            memory_bytes: limits.memory_bytes,
            scratch_bytes: limits.scratch_bytes,
            result_rows: limits.result_rows,
            result_bytes: limits.result_bytes,
            wall_milliseconds: milliseconds(limits.wall),
        }),
        histories: shown.to_zone(),
        check: false,
        organisation: organisation.to_string(),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An answer's message of the contract, before it is padded.
impl From<Outcome> for v1::Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Released(released) => {
                let (table, receipt) = released.into_parts();
                Self {
                    verdict: v1::Verdict::Released.into(),
                    table: Some(table),
                    receipt: Some(receipt),
                    ..Self::default()
                }
            }
            Outcome::Refused => Self {
                verdict: v1::Verdict::Refused.into(),
                refusal: Some(v1::QueryRefusal { code: "not_released".to_owned(), text: NOT_RELEASED.to_owned() }),
                ..Self::default()
            },
        }
    }
}

/// The one refusal for whatever could depend on data.
const NOT_RELEASED: &str =
    "no answer is released: ask for larger groups or less of the data, and see the release policy of the dataset";

/// What a lease is longer than the work in it: serve gives up first, and says so; the host's kill is for a serve that
/// does not.
pub(crate) const HOST_GRACE: Duration = Duration::from_secs(5);
/// How long a question waits for a zone before its asker is told to come back.
const QUEUED: Duration = Duration::from_secs(120);
/// For packing and the evidence.
const SURROUNDINGS: Duration = Duration::from_secs(2 * 120);
/// How often a question is asked before it is given up, when others' releases come first each time.
const TRIES: u32 = 3;
