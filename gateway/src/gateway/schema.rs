//! Schemas of tables and release policies: as callers may see them, and declared. What a declaration hides, the key
//! process is told before it counts.

use octroi_proto::{ColumnName, DatasetId, DatasetSchema, ReleasePolicy, TableName, TableVersion, release::Elsewhere};

use super::Gateway;
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise::{self, DescribeDataset, Permit, ReadEvidence, ReadPolicy, ReadSchema},
    keys::Hiding,
    registry::change::{self, all_kept},
};

impl Gateway {
    /// The tables of a dataset, without hidden columns but for its steward and the auditors.
    ///
    /// # Errors
    /// [`Refusal`]; that nothing is declared looks as if nothing were there.
    pub fn schema(&self, caller: &Caller, dataset: &DatasetId) -> Result<DatasetSchema, Refusal> {
        let permit = self.permit::<ReadSchema>(caller, dataset)?;
        let schema = self.registry.schema(dataset).or_internal()?.ok_or(Refusal::NotFound)?;
        let all = self.gate.may::<DescribeDataset>(caller, permit.target())
            || self.gate.may::<ReadEvidence>(caller, &authorise::Gateway);
        Ok(if all { schema } else { schema.without_hidden() })
    }

    /// What may leave of a dataset's tables.
    ///
    /// # Errors
    /// [`Refusal`]; that nothing is declared looks as if nothing were there.
    pub fn policy(&self, caller: &Caller, dataset: &DatasetId) -> Result<ReleasePolicy, Refusal> {
        self.permit::<ReadPolicy>(caller, dataset)?;
        self.registry.policy(dataset).or_internal()?.ok_or(Refusal::NotFound)
    }

    /// Declares the tables of a dataset. The keys of what it hides of rows that are there are given to no question any
    /// more, from before it counts and for good. Should it fail after that, the columns stay without key, and declaring
    /// them hidden again is all that can be done with them.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn declare_schema(
        &self,
        permit: Permit<authorise::DeclareSchema>,
        schema: DatasetSchema,
    ) -> Result<DatasetSchema, Refusal> {
        let dataset = permit.target().description.id.clone();
        let told = match self.registry.schema(&dataset).or_internal()? {
            // Nothing is to be hidden by what the register refuses: tables that have rows are not kept, or the policy no
            // longer fits.
            Some(standing) if schema.dataset == dataset => {
                let filled = self.registry.tables(&dataset).or_internal()?;
                let stands = all_kept(&standing, &schema, &filled).is_ok() && self.fits_policy(&schema)?;
                let hidden = if stands { hidden(&schema, &filled) } else { Vec::new() };
                self.hide(&dataset, &hidden).await?;
                hidden
            }
            Some(_) | None => Vec::new(),
        };
        let schema = self.commit(permit, change::DeclareSchema { schema }).await?;
        // Rows that came in meanwhile were declared as the tables stood before.
        let mut since = hidden(&schema, &self.registry.tables(&dataset).or_internal()?);
        since.retain(|table| !told.contains(table));
        self.hide(&dataset, &since).await?;
        Ok(schema)
    }

    /// Whether the release policy, if there is one, can hold for a schema.
    fn fits_policy(&self, schema: &DatasetSchema) -> Result<bool, Refusal> {
        let Some(policy) = self.registry.policy(&schema.dataset).or_internal()? else { return Ok(true) };
        let mut elsewhere = Elsewhere::new();
        for dataset in policy.joined() {
            if let Some(schema) = self.registry.schema(dataset).or_internal()? {
                elsewhere.insert(dataset.clone(), schema);
            }
        }
        Ok(policy.fits(schema, &elsewhere).is_ok())
    }

    async fn hide(&self, dataset: &DatasetId, tables: &[(TableName, Vec<ColumnName>)]) -> Result<(), Refusal> {
        for (table, columns) in tables {
            let hiding = Hiding { dataset: dataset.clone(), table: table.clone(), columns: columns.clone() };
            self.keys.hide_columns(&hiding).await.or_internal()?;
        }
        Ok(())
    }
}

/// The hidden columns of the tables that have rows.
fn hidden(schema: &DatasetSchema, filled: &[TableVersion]) -> Vec<(TableName, Vec<ColumnName>)> {
    let hidden = |version: &TableVersion| {
        let columns = schema.table(&version.table)?.columns().iter().filter(|column| column.hidden);
        let columns: Vec<_> = columns.map(|column| column.name.clone()).collect();
        (!columns.is_empty()).then(|| (version.table.clone(), columns))
    };
    filled.iter().filter_map(hidden).collect()
}
