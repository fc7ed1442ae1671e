//! The search index, kept up with the register, and what may be shown of what it finds.

use std::time::Duration;

use octroi_proto::Dataset;

use super::Gateway;
use crate::{
    answer::{Chain, OrInternal as _, Refusal},
    authenticate::Caller,
    catalogue::{
        Published,
        search::{Entry, Facet, Found, Question, SearchError},
    },
};

impl Gateway {
    /// Brings the search index up to the register, again and again, until the gateway ends. What cannot be indexed is
    /// tried again: until then searches show what they showed.
    pub(crate) async fn keep_found(self) {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let gateway = self.clone();
            let caught_up = tokio::task::spawn_blocking(move || gateway.catch_up()).await;
            if let Ok(Err(error)) = caught_up {
                tracing::warn!(error = %Chain(&error), "the search index could not be brought up to date");
            }
        }
    }

    fn catch_up(&self) -> Result<(), CatchUpError> {
        loop {
            let touched = self.registry.touched(self.search.applied(), MOST_AT_ONCE)?;
            let Some((applied, _)) = touched.last() else { return Ok(()) };
            let mut entries = Vec::with_capacity(touched.len());
            for (_, id) in &touched {
                if let Some(dataset) = self.registry.dataset(id)? {
                    entries.push(self.entry(&dataset)?);
                }
            }
            self.search.replace(&entries, *applied)?;
        }
    }

    fn entry(&self, dataset: &Dataset) -> Result<Entry, CatchUpError> {
        let everybodys = self.gate.may_see(&Caller::Anonymous, dataset).is_some();
        let shown = self.published(self.gate.indexed(dataset), INDEXED_FILES)?;
        Ok(Entry::new(&shown, everybodys))
    }

    /// What everybody may find. Datasets that were hidden a moment ago are left out, though the index still has them.
    ///
    /// # Errors
    /// [`Refusal`] when the index or the register cannot be read; the question's own fault is the inner error.
    pub(crate) async fn found(&self, question: Question) -> Result<Result<Shown, SearchError>, Refusal> {
        let gateway = self.clone();
        tokio::task::spawn_blocking(move || gateway.look_up(&question)).await.or_internal()?
    }

    /// The names of everybody's publishers, at most as many as one facet tells.
    ///
    /// # Errors
    /// [`Refusal`] when the index or the register cannot be read.
    pub(crate) async fn publishers(&self) -> Result<Vec<String>, Refusal> {
        let facets = vec![Facet::Organization];
        let all = Question { facets, values: Question::MOST_VALUES, ..Question::everything(0, 0) };
        let counted = self.found(all).await?.or_internal()?.facets;
        let mut names = Vec::new();
        for (slug, _) in counted.into_iter().flat_map(|(_, values)| values) {
            let filters = vec![format!("organization:\"{slug}\"")];
            let first = self.found(Question { filters, ..Question::everything(0, 1) }).await?.or_internal()?;
            names.extend(first.datasets.first().map(|dataset| dataset.publisher().to_owned()));
        }
        Ok(names)
    }

    fn look_up(&self, question: &Question) -> Result<Result<Shown, SearchError>, Refusal> {
        let Found { total, datasets: ids, facets } = match self.search.find(question) {
            Ok(found) => found,
            Err(error @ SearchError::Query(_)) => return Ok(Err(error)),
            Err(error) => return Err(Refusal::internal(&error)),
        };
        let mut datasets = Vec::with_capacity(ids.len());
        let mut left = FOUND_FILES;
        for id in ids {
            let Some(listing) = self.registry.listing(&id).or_internal()? else { continue };
            if let Some(shown) = self.everybodys(&listing, left.min(crate::catalogue::MOST_FILES))? {
                left = left.saturating_sub(shown.files.len());
                datasets.push(shown);
            }
        }
        Ok(Ok(Shown { total, datasets, facets }))
    }
}

/// What was found, as everybody may see it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) total: usize,
    pub(crate) datasets: Vec<Published>,
    pub(crate) facets: Vec<(Facet, Vec<(String, u64)>)>,
}

#[derive(Debug, thiserror::Error)]
enum CatchUpError {
    #[error(transparent)]
    Register(#[from] crate::registry::ReadError),
    #[error(transparent)]
    Index(#[from] SearchError),
    #[error(transparent)]
    Published(#[from] Refusal),
}

/// How often the register is looked at: what is published is found so much later at most.
const ROUND: Duration = Duration::from_millis(500);
/// Datasets put into the index at once: what bounds memory.
const MOST_AT_ONCE: usize = 1_000;
/// Files whose formats are looked at of one dataset.
const INDEXED_FILES: usize = 100;
/// Files named in one answer.
const FOUND_FILES: usize = 10_000;
