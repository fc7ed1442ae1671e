//! Release policies: what may leave of the tables of a sensitive dataset.

use octroi_proto::{
    Dataset, DatasetState, Instant, Level, Principal, ReleasePolicy, Violations, Visibility,
    release::{Elsewhere, Loosening},
    wire::v1::entry::Record,
};

use super::{Change, ChangeError, View, is_steward, own, schema::asked_only};
use crate::{
    authorise::{self as action, Permit},
    registry::ReadError,
};

/// Declares what may leave of a dataset's tables. It holds from the next question on.
#[derive(Debug, Clone)]
pub struct DeclarePolicy {
    /// The policy, of the permit's dataset; its revision is the register's to give.
    pub policy: ReleasePolicy,
}

/// A policy as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredPolicy {
    /// The policy.
    pub policy: ReleasePolicy,
    /// What is looser than it was.
    pub looser: Vec<Loosening>,
}

impl Change for DeclarePolicy {
    type Action = action::DeclarePolicy;
    type Outcome = DeclaredPolicy;

    fn decide(
        &self,
        permit: &Permit<Self::Action>,
        view: &View<'_>,
        _: Instant,
    ) -> Result<(Record, DeclaredPolicy), ChangeError> {
        let (dataset, actor) = own(&permit.target().description.id, permit, view)?;
        asked_only(&dataset)?;
        let id = &dataset.description.id;
        if self.policy.dataset() != id {
            return Err(Violations::one("dataset", "must be the dataset that the call names").into());
        }
        let schema = view.schema(id)?.ok_or(ChangeError::NoSchema)?;
        let elsewhere = joined(&self.policy, view, |dataset| may_know_of(&actor, dataset))?;
        self.policy.fits(&schema, &elsewhere)?;
        let standing = view.policy(id)?;
        let revision = standing.as_ref().map_or(1, |standing| standing.revision() + 1);
        let policy = self.policy.clone().revised(revision);
        let declared = DeclaredPolicy { looser: policy.looser_than(standing.as_ref()), policy };
        Ok((Record::PolicyDeclared((&declared).into()), declared))
    }
}

impl From<&DeclaredPolicy> for octroi_proto::wire::v1::PolicyDeclared {
    fn from(it: &DeclaredPolicy) -> Self {
        Self {
            policy: Some((&it.policy).into()),
            policy_sha256: it.policy.digest().to_vec(),
            looser: it.looser.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The schemas of the other datasets that a policy joins, as far as they may be known of.
pub(super) fn joined(
    policy: &ReleasePolicy,
    view: &View<'_>,
    known: impl Fn(&Dataset) -> bool,
) -> Result<Elsewhere, ReadError> {
    let mut schemas = Elsewhere::new();
    for id in policy.joined() {
        let known = view.dataset(id)?.is_some_and(|dataset| known(&dataset));
        if let Some(schema) = view.schema(id)?.filter(|_| known) {
            schemas.insert(id.clone(), schema);
        }
    }
    Ok(schemas)
}

/// As the policies on `ReadSchema` have it: what a policy may name must not tell whether a hidden dataset is there.
fn may_know_of(actor: &Principal, dataset: &Dataset) -> bool {
    let described = &dataset.description;
    let shown = described.level == Level::Sensitive
        && dataset.state == DatasetState::Published
        && described.visibility != Visibility::Hidden;
    shown || is_steward(actor, dataset)
}
