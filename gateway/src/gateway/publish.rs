//! Publication: not before the linter has read what is published.

use octroi_proto::{Dataset, DatasetDescription, DatasetState, violation::Check};

use super::Gateway;
use crate::{
    answer::{OrInternal as _, Refusal},
    authorise::{DescribeDataset, Permit, PublishDataset},
    catalogue::{
        Language,
        lint::{Known, lint},
    },
    registry::{PAGE, change},
};

impl Gateway {
    /// Puts a dataset into the feeds.
    ///
    /// # Errors
    /// [`Refusal`] with all that the linter found against it, by field; or of the register.
    pub(crate) async fn publish(&self, permit: Permit<PublishDataset>) -> Result<Dataset, Refusal> {
        self.allow(&permit.target().description)?;
        self.commit(permit, change::PublishDataset).await
    }

    /// Describes a dataset anew; what is in the feeds is read as for its publication.
    ///
    /// # Errors
    /// [`Refusal`], as [`Gateway::publish`].
    pub(crate) async fn describe(
        &self,
        permit: Permit<DescribeDataset>,
        change: change::DescribeDataset,
    ) -> Result<Dataset, Refusal> {
        if permit.target().state == DatasetState::Published {
            self.allow(&change.description)?;
        }
        self.commit(permit, change).await
    }

    /// Refuses words that tell of the data itself.
    fn allow(&self, description: &DatasetDescription) -> Result<(), Refusal> {
        let schema = self.registry.schema(&description.id).or_internal()?;
        let objects = self.registry.objects(&description.id, "", None, PAGE).or_internal()?;
        let keys: Vec<_> = objects.into_iter().map(|object| object.key).collect();
        let known = Known { schema: schema.as_ref(), keys: &keys };
        let mut check = Check::default();
        for finding in lint(description, &known).into_iter().filter(|finding| finding.blocks()) {
            let problem = finding.explain(Language::English);
            check.refuse(finding.field, problem);
        }
        Ok(check.finish(Some(()))?)
    }
}
