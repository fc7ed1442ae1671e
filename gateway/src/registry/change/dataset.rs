//! Datasets: registered, described, published, withdrawn, raised.

use octroi_proto::{
    Dataset, DatasetDescription, DatasetState, Instant, Level, PrincipalState, Role, Violations, Visibility,
    wire::v1::entry::Record,
};

use super::{Change, ChangeError, Subject, View, actor, own, own_or_operated};
use crate::authorise::{self as action, Permit};

/// Registers a dataset as a draft.
#[derive(Debug, Clone)]
pub struct RegisterDataset {
    /// What its steward says of it.
    pub description: DatasetDescription,
}

/// Replaces a dataset's description. The level may stay or rise.
#[derive(Debug, Clone)]
pub struct DescribeDataset {
    /// The new description, of the same id.
    pub description: DatasetDescription,
    /// The revision that must be current, if any.
    pub revision: Option<u64>,
}

/// Publishes a draft, or a withdrawn dataset again.
#[derive(Debug, Clone, Copy)]
pub struct PublishDataset;

/// Withdraws a published dataset. Its own steward's to do, or any operator's.
#[derive(Debug, Clone, Copy)]
pub struct WithdrawDataset;

/// Raises a dataset's level. What becomes sensitive becomes hidden; its steward may then describe it as visible.
/// Its own steward's to do, or any operator's.
#[derive(Debug, Clone, Copy)]
pub struct RaiseLevel {
    /// The new level.
    pub level: Level,
}

impl Change for RegisterDataset {
    type Action = action::RegisterDataset;
    type Outcome = Dataset;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Dataset), ChangeError> {
        if actor(permit, view)?.role != Role::Steward {
            return Err(ChangeError::NotSteward);
        }
        if view.dataset(&self.description.id)?.is_some() {
            return Err(ChangeError::Taken(Subject::Dataset));
        }
        active_steward(&self.description, view)?;
        let dataset = Dataset {
            description: self.description.clone(),
            state: DatasetState::Draft,
            revision: 1,
            registered: now,
            modified: now,
            published: None,
        };
        Ok(recorded(dataset))
    }
}

impl Change for DescribeDataset {
    type Action = action::DescribeDataset;
    type Outcome = Dataset;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Dataset), ChangeError> {
        let id = &permit.target().description.id;
        let (dataset, _) = own(id, permit, view)?;
        if self.description.id != *id {
            return Err(Violations::one("id", "cannot change: register another dataset").into());
        }
        if self.revision.is_some_and(|revision| revision != dataset.revision) {
            return Err(ChangeError::Revision { current: dataset.revision });
        }
        if self.description.level < dataset.description.level {
            return Err(ChangeError::LevelFalls { current: dataset.description.level });
        }
        if self.description.steward != dataset.description.steward {
            active_steward(&self.description, view)?;
        }
        Ok(recorded(changed(Dataset { description: self.description.clone(), ..dataset }, now)))
    }
}

impl Change for PublishDataset {
    type Action = action::PublishDataset;
    type Outcome = Dataset;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Dataset), ChangeError> {
        let (dataset, _) = own(&permit.target().description.id, permit, view)?;
        match dataset.state {
            DatasetState::Draft | DatasetState::Withdrawn => {}
            DatasetState::Published => return Err(state(&dataset, "a draft or withdrawn")),
        }
        let published = dataset.published.or(Some(now));
        Ok(recorded(changed(Dataset { state: DatasetState::Published, published, ..dataset }, now)))
    }
}

impl Change for WithdrawDataset {
    type Action = action::WithdrawDataset;
    type Outcome = Dataset;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Dataset), ChangeError> {
        let dataset = own_or_operated(&permit.target().description.id, permit, view)?;
        match dataset.state {
            DatasetState::Published => {}
            DatasetState::Draft | DatasetState::Withdrawn => return Err(state(&dataset, "published")),
        }
        Ok(recorded(changed(Dataset { state: DatasetState::Withdrawn, ..dataset }, now)))
    }
}

impl Change for RaiseLevel {
    type Action = action::RaiseLevel;
    type Outcome = Dataset;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        now: Instant,
    ) -> Result<(Record, Dataset), ChangeError> {
        let mut dataset = own_or_operated(&permit.target().description.id, permit, view)?;
        if self.level <= dataset.description.level {
            return Err(ChangeError::LevelFalls { current: dataset.description.level });
        }
        dataset.description.level = self.level;
        dataset.description.visibility = match self.level {
            Level::Public | Level::QuasiSensitive => Visibility::Public,
            Level::Sensitive => Visibility::Hidden,
        };
        Ok(recorded(changed(dataset, now)))
    }
}

/// A dataset is managed by someone who can.
fn active_steward(description: &DatasetDescription, view: &View<'_>) -> Result<(), ChangeError> {
    let steward = view.principal(&description.steward)?;
    match steward {
        Some(steward) if steward.role == Role::Steward && steward.state == PrincipalState::Active => Ok(()),
        Some(_) | None => Err(Violations::one("steward", "must be an active principal in the role `steward`").into()),
    }
}

fn changed(dataset: Dataset, now: Instant) -> Dataset {
    Dataset { revision: dataset.revision + 1, modified: now, ..dataset }
}

fn recorded(dataset: Dataset) -> (Record, Dataset) {
    (Record::Dataset((&dataset).into()), dataset)
}

fn state(dataset: &Dataset, must: &'static str) -> ChangeError {
    ChangeError::State { subject: Subject::Dataset, is: dataset.state.as_str(), must }
}
